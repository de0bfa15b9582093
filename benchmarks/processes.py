"""Processes that are pinned to a core, heard line by line, and gone at the end, whatever happens.

Each has a session of its own, so that a Ctrl-C in the terminal reaches this command only, which
ends them.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType

__all__ = ['Child', 'Cores', 'Processes', 'TrialError']

#: Seconds that anything may take that should be at once: starting, connecting, answering.
PATIENCE = 30

#: What ends this command, by an exception that may be raised anywhere.
_ENDING = (signal.SIGINT, signal.SIGTERM)

_libc = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1  # from <linux/prctl.h>


class TrialError(Exception):
    """A measurement could not be made."""


@dataclass(frozen=True)
class Cores:
    """Who runs where. On a single core all run there."""

    server: int
    load: int

    @classmethod
    def choose(cls) -> Cores:
        cores = sorted(os.sched_getaffinity(0))
        # Interrupts tend to be served by the first one.
        return cls(server=cores[-1], load=cores[0])


class Child:
    """A running process."""

    def __init__(self, command: Sequence[str], core: int, environment: Mapping[str, str]):
        self.command = command
        # A file, as nobody reads a pipe while the load runs.
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  # until end()
        self._rest = b''

        def prepare() -> None:
            os.sched_setaffinity(0, {core})
            # Should this command be killed itself.
            _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)

        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors,
            env=environment, start_new_session=True, bufsize=0,
            # "python -c", which workers are started by as well, imports from where it is first.
            cwd=os.sep,
            preexec_fn=prepare,
        )
        self.pid = self._process.pid

    def line(self, patience: float = PATIENCE) -> str:
        """Return the next line of its output.

        Raises:
            TrialError: it has ended instead, or says nothing for *patience* seconds.
        """
        while b'\n' not in self._rest:
            self._rest += self._chunk(time.monotonic() + patience)
        line, _, self._rest = self._rest.partition(b'\n')
        return line.decode()

    def text(self, patience: float) -> str:
        """Return the rest of its output when it has ended well.

        Raises:
            TrialError: it has failed, or goes on for longer than *patience* seconds.
        """
        deadline = time.monotonic() + patience
        chunks = [self._rest]
        while True:
            chunk = self._chunk(deadline, may_end=True)
            if not chunk:
                break
            chunks.append(chunk)
        if self._process.wait():
            raise self.failure('failed')
        return b''.join(chunks).decode()

    def tell(self, line: str) -> None:
        """Write a line to its standard input."""
        self._process.stdin.write(line.encode() + b'\n')

    def interrupt(self) -> None:
        """Send it what Ctrl-C sends, if it still runs."""
        self._process.send_signal(signal.SIGINT)

    def check(self) -> None:
        """See whether it still runs.

        Raises:
            TrialError: it has ended.
        """
        if self._process.poll() is not None:
            raise self.failure(f'ended with status {self._process.returncode}')

    def failure(self, what: str) -> TrialError:
        """Return the error that this process *what* ("failed"), with its last words."""
        name = ' '.join(self.command)[:200]
        return TrialError('\n    '.join([f'{name} {what}', *self.last_words()]))

    def last_words(self) -> list[str]:
        """Return the last lines that it wrote to standard error."""
        self._errors.seek(0)
        return self._errors.read().decode(errors='replace').strip().splitlines()[-8:]

    def _chunk(self, deadline: float, may_end: bool = False) -> bytes:
        stdout = self._process.stdout
        if not select.select([stdout], [], [], max(0, deadline - time.monotonic()))[0]:
            raise self.failure('says nothing')
        chunk = os.read(stdout.fileno(), 65536)
        if not chunk and not may_end:
            self._process.wait()
            self.check()
        return chunk

    def end(self) -> None:
        """Kill it, if it still runs. (No contestant has anything to save.)"""
        self._process.kill()
        self._process.wait()
        for file in (self._process.stdin, self._process.stdout, self._errors):
            file.close()


class Processes:
    """Starts processes, and ends those that are left: a context manager."""

    def __init__(self, cores: Cores):
        self.cores = cores
        self._running: list[Child] = []

    def start(
        self, command: Sequence[str], core: int, environment: Mapping[str, str] | None = None,
    ) -> Child:
        # A process that was started but is not in the list yet would be left behind.
        signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
        try:
            child = Child(command, core, {**os.environ, **(environment or {})})
            self._running.append(child)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)
        return child

    def last_words(self) -> list[str]:
        """Return the last words of all that were started: who failed may not be who is at fault."""
        return [word for child in self._running for word in child.last_words()]

    def end_all(self) -> None:
        """End what was started, the last one first: a load ends before its server."""
        while self._running:
            self._running[-1].end()
            self._running.pop()

    def __enter__(self) -> Processes:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.end_all()
