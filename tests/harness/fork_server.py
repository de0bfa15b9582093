"""Scripts that begin where the imports are done: a tenth of what an interpreter's start takes.

Most processes of the suite are scripts that import gnet, and most of what they take is that: an
interpreter, gevent and gnet, 0.1 s of CPU time for a test that needs some milliseconds. So one
process for each kind of command line, a fork server, does that once, and forks itself for each
script. What it forks is like a new process in all that a script can see (``forked_script.py``): a
child of the suite's, with its own arguments, environment, directory, standard descriptors and
``__main__``, without a hub, run and ended by the same functions of Python's. What differs is that
modules that gnet imports, and those of ``forked_script.py``, are there before the script asks for
them (so a script, or gnet, that has forgotten to import one of them does not fail), the command
line in ``ps``, that the scripts of a run share the seed of their hashes, and that umask and
priority are those that the suite began with.

Scripts that are patched before all else, as all of a patched suite are, have a fork server that was
patched before it has imported anything.

A process is started as users start it where a test is about that (its mark ``executed``), where its
environment has something that is read at the start, and on systems other than Linux.
"""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import gevent
from gevent import monkey
from gevent.event import Event
from gevent.fileobject import FileObject

from . import ROOT, forking

__all__ = ['Process', 'close', 'forker', 'pids', 'start']

_Socket: type[socket.socket] = monkey.get_original('socket', 'socket')
#: As they were before any patching: with them no hub has anything to do. (Behind a patched
#: ``subprocess`` there is none that works.)
_close, _posix_spawn, _waitpid = monkey.get_original('os', ['close', 'posix_spawn', 'waitpid'])

#: What begins so is read by what is imported, or by Python before that.
_READ_AT_START = (
    'GEVENT', 'GNET_', 'LANG', 'LC_', 'LD_', 'LISTEN_', 'MALLOC', 'NODE_', 'OPENSSL_', 'PYTHON',
    'TZ',
)

#: But these are read for each script anew.
_FREE = frozenset({'NODE_CLUSTER_SCHED_POLICY', 'PYTHONUNBUFFERED'})

#: What tells of a channel: read anew for a child that has one.
_OF_CHANNEL = 'NODE_CHANNEL_'

#: What is imported before: only what does nothing then but define, and nothing of what asks
#: gnet.processes.inheritance for a channel or looks into the environment, as ``gnet.cluster`` does.
_OF_SCRIPTS = (
    'gnet', 'gnet.clusters.primary', 'gnet.processes.messaging', 'gnet.servers.draining', 'logging',
    'runpy',
)
_OF_COMMAND = (
    *_OF_SCRIPTS, 'argparse', 'gnet.command.members', 'gnet.command.parser', 'gnet.command.program',
    'gnet.command.subcommands', 'gnet.command.traceback', 'gnet.observing.plain_stderr',
    'threading',
)
_MODULES = {
    'script': _OF_SCRIPTS, 'patched': _OF_SCRIPTS, 'command': _OF_COMMAND, 'child': _OF_COMMAND}

#: Whether ``python -m gevent.monkey`` finds by itself that all is patched already: not where gevent
#: has a single file for it, of which there would be a second one then, ``__main__``.
_CAN_PATCH_AGAIN = hasattr(monkey, '__path__')

#: What Python ignores, and has not ignored in what it starts.
_IGNORED = (signal.SIGPIPE, signal.SIGXFSZ)


class _Command(NamedTuple):
    """A command line, taken apart."""

    #: Those of Python itself.
    options: tuple[str, ...]
    #: One of _MODULES.
    kind: str
    #: What follows: the script, if it is one, and the arguments.
    words: list[str]


#: By what decides on all that is there before a script begins.
_servers: dict[tuple[Any, ...], _Server] = {}


def start(
    command: Sequence[str], directory: Path, env: Mapping[str, str], stderr: int | None, *,
    workers: bool = False, imported: Sequence[str] = (),
) -> Process | None:
    """Start a process that runs *command*; return None if that has to be executed.

    Args:
        command: the words of its command line.
        directory: in which it starts.
        env: all of its environment.
        stderr: a descriptor, or None for that of its stdout. For that, and stdin, it has pipes.
        workers: the workers that it starts are forked, too. (By a process that is there from its
            beginning to its end, as a child of it.)
        imported: modules that have been imported before, too; nothing that looks into the
            environment of the script.
    """
    fork = forker(command, directory, env, workers=workers, imported=imported)
    return None if fork is None else Process(fork, stderr)


def forker(
    command: Sequence[str], directory: Path | str, env: Mapping[str, str], *, workers: bool = False,
    imported: Sequence[str] = (),
) -> forking.Fork | None:
    """Return what forks a process that runs *command*, as :func:`start`.

    It is called with descriptors, the three standard ones and perhaps that of a channel, and
    returns the number of the process.
    """
    parts = _parse(command, Path(directory))
    if parts is None or not sys.platform.startswith('linux') or not _is_usual(env):
        return None
    if not os.path.isdir(directory):
        return None  # which is for whoever executes it to say
    if any(name.startswith(_OF_CHANNEL) for name in env) != (parts.kind == 'child'):
        return None
    modules = (*_MODULES[parts.kind], *imported)
    request = {
        'command': list(command), 'directory': str(directory), 'environment': dict(env),
        'kind': parts.kind, 'words': parts.words,
        # Those of a patched script are not patched themselves.
        'workers': workers and parts.kind != 'patched',
    }
    return lambda descriptors: _fork(parts, modules, env, request, descriptors)


def _fork(
    parts: _Command, modules: Sequence[str], env: Mapping[str, str], request: Mapping[str, Any],
    descriptors: Sequence[int],
) -> int:
    kind = (*parts.options, parts.kind, *modules, *sorted(_read_at_start(env).items()))
    server = _servers.get(kind)
    if server is None:
        server = _servers[kind] = _Server(parts.options, parts.kind, modules, env)
    try:
        return forking.ask(server.address, request, descriptors)
    except OSError:
        del _servers[kind]  # who comes next gets a new one
        server.close()
        raise


class Process:
    """A process that was forked, with the names of :class:`gevent.subprocess.Popen`."""

    def __init__(self, fork: forking.Fork, stderr: int | None) -> None:
        self.returncode: int | None = None
        self._ended = Event()
        loop = gevent.get_hub().loop
        loop.install_sigchld()
        stdin, writable = os.pipe()
        readable, stdout = os.pipe()
        try:
            self.pid = fork((stdin, stdout, stdout if stderr is None else stderr))
        except BaseException:
            os.close(writable)
            os.close(readable)
            raise
        finally:
            _close(stdin)
            _close(stdout)
        # Before the loop has a turn, in which it might be told of the end.
        self._watcher = loop.child(self.pid)
        self._watcher.start(self._on_end)
        self.stdin = FileObject(writable, 'wb')
        self.stdout = FileObject(readable, 'rb')

    def _on_end(self) -> None:
        status = self._watcher.rstatus
        self._watcher.stop()
        self._watcher.close()
        self.returncode = (
            -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status))
        self._ended.set()

    def poll(self) -> int | None:
        """Return its status if it is known that it has ended, else None."""
        if self.returncode is None:
            gevent.sleep(0)
        return self.returncode

    def wait(self) -> int | None:
        self._ended.wait()
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def pids() -> list[int]:
    """Return the numbers of the fork servers of this process."""
    return [server.pid for server in _servers.values()]


def close() -> None:
    """End the fork servers of this process."""
    while _servers:
        _servers.popitem()[1].close()


def _parse(command: Sequence[str], directory: Path) -> _Command | None:
    """Take a command line apart; None for what is not run this way."""
    python, *words = command
    options: list[str] = []
    while words and (words[0].startswith('-W') or words[0] == '-B'):
        count = 2 if words[0] == '-W' else 1
        options += words[:count]
        words = words[count:]
    if python != sys.executable or not words:
        return None
    if words[:2] == ['-m', 'gnet']:
        return _Command(tuple(options), 'command', words[2:])
    if words[:2] == ['-m', 'gevent.monkey']:
        is_script = words[2].endswith('.py') and (directory / words[2]).is_file()
        return _Command(
            tuple(options), 'patched', words[2:]) if is_script and _CAN_PATCH_AGAIN else None
    if words[0] == '-c' and words[1].endswith('from gnet.command.main import main; main()'):
        return _Command(tuple(options), 'child', words[1:])
    if words[0].endswith('.py') and (directory / words[0]).is_file():
        return _Command(tuple(options), 'script', words)
    return None


def _is_usual(env: Mapping[str, str]) -> bool:
    # GNET_STAY_ALIVE is for the suite, and some of what it starts is given no PYTHONPATH.
    usual = _read_at_start(os.environ)
    usual.pop('GNET_STAY_ALIVE', None)
    return _read_at_start(env) in (usual, {**usual, 'PYTHONPATH': str(ROOT)})


def _read_at_start(env: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in env.items()
            if name.startswith(_READ_AT_START) and name not in _FREE
            and not name.startswith(_OF_CHANNEL)}


class _Server:
    """A process that forks."""

    def __init__(
        self, options: Sequence[str], kind: str, modules: Sequence[str], env: Mapping[str, str],
    ) -> None:
        self.address = f'\0gnet-tests-{os.getpid()}-{os.urandom(8).hex()}'
        program = 'patched_script.py' if kind == 'patched' else 'forked_script.py'
        # What else is in the environment of the script is for the script.
        own = {name: value for name, value in os.environ.items()
               if not name.startswith(_READ_AT_START)}
        # Nothing of it is left open here: the tests count descriptors.
        with _Socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener, \
                open(os.devnull, 'r+b') as nothing:
            listener.bind(self.address)
            listener.listen(128)
            # A number that it does not have there, or it would be closed at the start.
            fd = fcntl.fcntl(listener, fcntl.F_DUPFD_CLOEXEC, 4)
            try:
                self.pid = _posix_spawn(
                    sys.executable,
                    [sys.executable, *options, str(Path(__file__).with_name(program)),
                     str(os.getpid()), *modules],
                    {**own, **_read_at_start(env)}, setsigdef=_IGNORED,
                    file_actions=[
                        *((os.POSIX_SPAWN_DUP2, nothing.fileno(), number) for number in range(3)),
                        (os.POSIX_SPAWN_DUP2, fd, 3)])
            finally:
                _close(fd)

    def close(self) -> None:
        with suppress(ProcessLookupError, ChildProcessError):
            # It may have ended, and the loop have seen that already.
            os.kill(self.pid, signal.SIGKILL)
            _waitpid(self.pid, 0)
