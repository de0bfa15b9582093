"""Python scripts in processes of their own: what a user's program does, seen from outside."""

from __future__ import annotations

import os
import re
import signal
import sys
import tempfile
import textwrap
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import gevent
from gevent import monkey, subprocess

from . import ROOT, fork_server
from .waiting import PROCESS_PATIENCE

__all__ = ['Finished', 'Running', 'Scripts']


class Finished(NamedTuple):
    """How a script ended: its status (negative for a signal, as in ``subprocess``) and output."""

    status: int
    stdout: str
    stderr: str


class Running:
    """A program that runs.

    ``process`` is the :class:`gevent.subprocess.Popen`, or what has its names
    (:class:`.fork_server.Process`).
    """

    def __init__(
        self, command: Sequence[str], directory: Path, env: Mapping[str, str], *,
        merged: bool = False, executed: bool = False, workers: bool = False,
        imported: Sequence[str] = (),
    ) -> None:
        """Start it.

        Args:
            command: the words of its command line.
            directory: in which it starts.
            env: all of its environment.
            merged: have what it writes to stderr among the lines of its stdout.
            executed: start a new interpreter for it, as users do, also where one that has imported
                gnet could be forked: see ``fork_server.py``.
            workers: if it is forked, those that it starts are, too.
            imported: if it is forked, modules that are there before it asks for them, besides gnet.
        """
        # A file, not a pipe: nobody reads it while the script runs, and it must not fill up.
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115  # closed by close()
        self._seen: list[str] = []
        self.process: Any = None
        try:
            if not executed:
                self.process = fork_server.start(
                    command, directory, env, None if merged else self._stderr.fileno(),
                    workers=workers, imported=imported)
            if self.process is None:
                self.process = subprocess.Popen(
                    command, cwd=directory, env=dict(env),
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT if merged else self._stderr,
                )
        except BaseException:
            self._stderr.close()
            raise

    def read_line(self, timeout: float = PROCESS_PATIENCE) -> str:
        """Return the next line of the script's stdout without its end; ``''`` when there is none.

        An empty line cannot be told from the end: use :meth:`wait_for` where that matters.
        """
        with self._limit(timeout, 'another line'):
            line: str = self.process.stdout.readline().decode()
        self._seen.append(line)
        return line.rstrip('\n')

    def wait_for(self, pattern: str, timeout: float = PROCESS_PATIENCE) -> re.Match[str]:
        """Read stdout until a line matches the regular expression *pattern*; return the match."""
        with self._limit(timeout, f'a line like {pattern!r}'):
            for line in iter(self.process.stdout.readline, b''):
                self._seen.append(line.decode())
                match = re.search(pattern, line.decode())
                if match:
                    return match
            self.process.wait()
        raise AssertionError(f'The script ended without a line like {pattern!r}. {self._story()}')

    def write(self, text: str) -> None:
        """Write to the script's stdin."""
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def send_signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait(self, timeout: float = PROCESS_PATIENCE) -> Finished:
        """Close the script's stdin, wait for its end and return that, with all of its output."""
        with self._limit(timeout, 'its end'):
            self._close_stdin()
            for line in self.process.stdout:  # not all at once: a failure shows what has come
                self._seen.append(line.decode())
            self.process.wait()
        return Finished(self.process.returncode, ''.join(self._seen), self._errors())

    def close(self) -> None:
        """Kill the script if it still runs, and let go of all that belongs to it."""
        if self.process.poll() is None:
            with suppress(ProcessLookupError):  # it has just ended, and the loop knows it already
                self.process.kill()
            self.process.wait()
        self._stderr.close()
        self.process.stdout.close()
        self._close_stdin()

    def _close_stdin(self) -> None:
        with suppress(BrokenPipeError):  # it has ended without reading what it was sent
            self.process.stdin.close()

    def _limit(self, seconds: float, what: str) -> _Limit:
        return _Limit(self, seconds, what)

    def _errors(self) -> str:
        self._stderr.seek(0)
        return self._stderr.read().decode(errors='replace')

    def _story(self) -> str:
        return (f'Status: {self.process.poll()}\n--- stdout ---\n{"".join(self._seen)}\n'
                f'--- stderr ---\n{self._errors()}')


class _Limit:
    """Turns a time-out into a failure that shows what the script wrote until then."""

    def __init__(self, running: Running, seconds: float, what: str) -> None:
        self._running = running
        self._what = what
        self._seconds = seconds
        self._timeout = gevent.Timeout(seconds)

    def __enter__(self) -> None:
        self._timeout.start()

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        self._timeout.close()
        if error is self._timeout:
            raise AssertionError(
                f'Waited {self._seconds:g} seconds for {self._what}. {self._running._story()}'
            ) from None


class Scripts:
    """Starts scripts with the Python, the event loop and the patching of the suite itself."""

    def __init__(self, directory: Path, *, executed: bool = False) -> None:
        """Start them in *directory*; *executed* is the default of :meth:`start`."""
        self._directory = directory
        self._executed = executed
        self._running: list[Running] = []

    def start(
        self,
        script: str | Path,
        *args: str,
        launcher: Sequence[str] | None = None,
        env: Mapping[str, str | None] | None = None,
        merged: bool = False,
        executed: bool = False,
        workers: bool = False,
        imported: Sequence[str] = (),
    ) -> Running:
        """Start a script and return at once. It is killed when the test is over.

        Args:
            script: the path of a script, or its text, which may be indented as a whole and is
                written to ``script.py`` in the working directory of the process.
            args: its arguments.
            launcher: arguments of Python before the script, such as ``['-m', 'gnet']``. By default
                the script is monkey-patched first if the suite is.
            env: changes to the environment; None as a value removes a variable.
            merged: have what it writes to stderr among the lines of its stdout.
            executed: start a new interpreter for it, see :class:`Running`; a test or file with the
                mark ``executed`` has that for all.
            workers: if it is forked, those that it starts are, too.
            imported: if it is forked, modules that are there before it asks for them, besides gnet:
                for many that import the same.
        """
        if launcher is None:
            launcher = ['-m', 'gevent.monkey'] if monkey.is_module_patched('socket') else []
        if isinstance(script, str):
            path = self._directory / 'script.py'
            path.write_text(textwrap.dedent(script), encoding='utf-8')
        else:
            path = script.resolve()
        command = [sys.executable, *_WARNINGS, *launcher, str(path), *args]
        running = Running(
            command, self._directory, _environment(env or {}), merged=merged,
            executed=executed or self._executed, workers=workers, imported=imported)
        self._running.append(running)
        return running

    def run(
        self,
        script: str | Path,
        *args: str,
        launcher: Sequence[str] | None = None,
        env: Mapping[str, str | None] | None = None,
        stdin: str = '',
        timeout: float = PROCESS_PATIENCE,
        executed: bool = False,
        workers: bool = False,
        imported: Sequence[str] = (),
    ) -> Finished:
        """Run a script to its end; *stdin* is all it gets to read. Else as :meth:`start`."""
        running = self.start(
            script, *args, launcher=launcher, env=env, executed=executed, workers=workers,
            imported=imported)
        if stdin:
            with suppress(BrokenPipeError):  # it has ended without reading that
                running.write(stdin)
        return running.wait(timeout)

    def close(self) -> None:
        while self._running:
            self._running.pop().close()


#: Warnings are errors in scripts too, with the exception that pyproject.toml makes for the suite.
_WARNINGS = (
    '-W', 'error',
    '-W', 'ignore:libuv only supports millisecond timer resolution:UserWarning',
)


def _environment(changes: Mapping[str, str | None]) -> dict[str, str]:
    # GEVENT_LOOP is inherited; the exit hook, which is off in the suite, is not.
    env: dict[str, str | None] = {
        **os.environ,
        'GNET_STAY_ALIVE': None,
        'PYTHONPATH': str(ROOT),
        'PYTHONUNBUFFERED': '1',
        **changes,
    }
    return {name: value for name, value in env.items() if value is not None}
