"""A process that :func:`fork` starts, and the :class:`ChildProcess` that it returns.

:mod:`gnet.child_process` is what programs import.
"""

from __future__ import annotations

import _socket
import os
import signal as _signal
import sysconfig
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from contextvars import Context
from enum import Enum
from typing import TYPE_CHECKING, Any

from ..loop import exit_hook
from ..loop.loop import get_loop
from ..loop.watchers import close_watcher
from ..node import coded_errors, system_errors
from ..options.fork import ChildOptions, child_options, signal_number
from ..sockets.ownership import is_used_blockingly
from ..sockets.socket import Socket
from .inheritance import hold_interrupts

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ..options.typed import ForkKeywords
    from .typed_events import TypedChildMessaging as Messaging
else:
    from .messaging import Messaging

__all__ = [
    'ChildProcess',
    'fork',
    'is_referenced',
    'is_running',
]


class _Life(Enum):
    """The life of a process that was to be started."""

    NOT_SPAWNED = 'it was not started yet, or could not be'
    RUNNING = 'it runs, as far as we know'
    EXITED = 'its status is known'


#: Which may follow which.
FOLLOWS: dict[_Life, set[_Life]] = {
    _Life.NOT_SPAWNED: {_Life.RUNNING},
    _Life.RUNNING: {_Life.EXITED},
    _Life.EXITED: set(),
}


class ChildProcess(Messaging):
    """A process that :func:`fork` has started. Besides the events of a channel it emits

    ================  ==========================  ==================================================
    event             arguments                   when
    ================  ==========================  ==================================================
    ``'spawn'``       ``()``                      it was started
    ``'exit'``        ``(code, signal)``          it has ended, and all that it had sent was
                                                  emitted; one of both is None
    ``'close'``       ``(code, signal)``          that, and its channel and pipes are closed
    ``'error'``       ``(err)``                   it could not be started or killed, or a message
                                                  could not be sent
    ================  ==========================  ==================================================

    Attributes:
        pid: its process id; None if it could not be started.
        exit_code: its status, when it has ended by itself.
        signal_code: the name of the signal that ended it.
        killed: whether :meth:`kill` has sent it a signal.
        spawnfile: the program.
        spawnargs: its arguments, the program's name first.
        stdin, stdout, stderr: with ``silent`` or ``'pipe'``, a :class:`gnet.Socket`; else None.
        stdio: these three in a tuple.
    """

    __slots__ = (
        '_closes_needed', '_kill_signal', '_life', '_popen', '_ref', '_signal', '_timer',
        'exit_code', 'killed', 'pid', 'signal_code', 'spawnargs', 'spawnfile', 'stderr', 'stdin',
        'stdout',
    )

    def __init__(self, command: Sequence[str], options: ChildOptions) -> None:
        super().__init__(get_loop())
        if not self._loop.is_main:
            raise coded_errors.state_error('ERR_NOT_MAIN_THREAD')
        self._life = _Life.NOT_SPAWNED
        self._popen: Any = None
        self._timer: Any = None
        self._signal: Any = None
        self._ref = True
        self._kill_signal = options.kill_signal
        #: How many of exit, channel and pipes are still to come before 'close'.
        self._closes_needed = 1
        self.pid: int | None = None
        self.exit_code: int | None = None
        self.signal_code: str | None = None
        self.killed: bool = False
        self.spawnfile: str = command[0]
        self.spawnargs: list[str] = list(command)
        self.stdin: Socket | None = None
        self.stdout: Socket | None = None
        self.stderr: Socket | None = None
        exit_hook.arm()
        self._spawn(options)

    def __repr__(self) -> str:
        ended = self.signal_code if self.exit_code is None else f'status {self.exit_code}'
        return f'<gnet.{type(self).__name__} {self.pid} {ended or self._life.name.lower()}>'

    # --- starting ---------------------------------------------------------------------------------

    def _spawn(self, options: ChildOptions) -> None:
        # Only those who start processes load it.
        from gevent import subprocess

        popen: Any = subprocess.Popen  # its types know of no descriptors
        words = {'pipe': subprocess.PIPE, 'ignore': subprocess.DEVNULL, 'inherit': None}
        with ExitStack() as undo:
            try:
                # Not gevent's: the other end may be a program that expects a blocking socket.
                ours, theirs = _socket.socketpair()
                undo.callback(ours.close)
                with closing(theirs):
                    fd = theirs.fileno()
                    environment = {
                        **options.env, 'NODE_CHANNEL_FD': str(fd),
                        'NODE_CHANNEL_SERIALIZATION_MODE': 'json',
                    }
                    self._popen = popen(
                        self.spawnargs, cwd=options.cwd, env=environment, pass_fds=(fd,),
                        start_new_session=options.detached, bufsize=0,
                        preexec_fn=None if options.direct else hold_interrupts,
                        **{
                            name: words.get(each, each) if isinstance(each, str) else each
                            for name, each in zip(_NAMES, options.stdio)
                        },
                        **options.identity,
                    )
            except OSError as error:
                self._loop.tick(self._spawn_failed, system_errors.spawn_error(
                    error.errno or 0, self.spawnfile, self.spawnargs[1:]))
                return
            undo.pop_all()
        self._life = _Life.RUNNING
        self.pid = self._popen.pid
        self._loop.unref_child(self._popen.pid)
        self._popen.rawlink(self._has_exited)
        self._loop.hold()
        self._closes_needed += 1
        self._peer.open(ours.detach())
        self._open_pipes()
        self._loop.tick(self._emit_guarded, 'spawn')
        if options.timeout:
            self._timer = self._loop.call_after(
                options.timeout / 1000, self._loop.tick, self.kill, self._kill_signal)
        if options.signal is not None:
            self._kill_on(options.signal)

    def _open_pipes(self) -> None:
        for name in _NAMES:
            file = getattr(self._popen, name)
            if file is not None:
                setattr(self._popen, name, None)
                fd = os.dup(file.fileno())
                file.close()
                is_input = name == 'stdin'
                pipe = Socket(fd=fd, readable=not is_input, writable=is_input)
                setattr(self, name, pipe)
                if not is_input:
                    self._closes_needed += 1
                    pipe.once('close', self._pipe_closed)

    def _spawn_failed(self, error: system_errors.NodeOSError) -> None:
        self._emit_error(error)
        self.exit_code = -(error.errno or 0)  # as in Node
        self._one_closed()

    def _kill_on(self, signal: Any) -> None:
        if signal.ready():
            self._loop.tick(self._aborted, signal)
        else:
            self._signal = signal
            signal.rawlink(self._abort)

    def _abort(self, signal: Any) -> None:
        self._loop.tick(self._aborted, signal)  # links are called in the hub

    def _aborted(self, signal: Any) -> None:
        if self._life is _Life.RUNNING:
            self.kill(self._kill_signal)
            self._emit_error(coded_errors.abort_error(signal))

    # --- the end ----------------------------------------------------------------------------------

    def _has_exited(self, popen: Any) -> None:
        """Take the status of the child: runs in the hub."""
        try:
            close_watcher(self._timer)
            self._timer = self._popen = None
            if self._signal is not None:
                self._signal.unlink(self._abort)
            self._life = _Life.EXITED
            if popen.returncode < 0:
                self.signal_code = _signal_name(-popen.returncode)
            else:
                self.exit_code = popen.returncode
            try:
                channel = self._peer.channel
                if channel is not None:
                    channel.drain()
            finally:
                self._loop.enqueue(_Exit(self._emit_exit))
                if self._ref:
                    # Not later: ref() and unref() count for a running process only.
                    self._loop.release()
        except BaseException as error:
            # Whatever escaped would be lost in the loop.
            self._loop.report(self, error)

    def _emit_exit(self) -> None:
        if self.stdin is not None:
            self.stdin.destroy()
        for pipe in (self.stdout, self.stderr):
            if pipe is not None and not pipe.destroyed:
                self._let_go(pipe)
        try:
            self._emit_guarded('exit', self.exit_code, self.signal_code)
        finally:
            self._tallies.exited(self.exit_code, self.signal_code)
            self._one_closed()

    def _emit_disconnect(self) -> None:
        try:
            super()._emit_disconnect()
        finally:
            self._one_closed()

    def _pipe_closed(self, _had_error: bool) -> None:
        self._one_closed()

    def _let_go(self, pipe: Socket) -> None:
        """The child has ended: see to it that its output does not keep this program alive."""
        if is_used_blockingly(pipe):
            # Somebody may come back to read the rest; 'close' does not wait for that.
            pipe.off('close', self._pipe_closed)
            pipe.unref()
            self._closes_needed -= 1
        elif pipe.readable_flowing is None:
            pipe.resume()  # as in Node: nobody is interested

    def _one_closed(self) -> None:
        self._closes_needed -= 1
        if not self._closes_needed:
            self._emit_guarded('close', self.exit_code, self.signal_code)

    # --- what can be done with it -----------------------------------------------------------------

    def kill(self, signal: str | int | None = None) -> bool:
        """Send *signal* to the process: a name or number, ``'SIGTERM'`` by default.

        Returns:
            Whether it was sent. False if the process has ended; then there is nobody to send it to.

        Raises:
            CodedTypeError: ``ERR_UNKNOWN_SIGNAL``.

        What the system refuses otherwise (``EPERM``) is emitted as `'error'`.
        """
        number = signal_number('SIGTERM' if signal is None else signal)
        if self._life is not _Life.RUNNING or self.pid is None:
            return False
        try:
            os.kill(self.pid, number)
        except ProcessLookupError:
            return False
        except OSError as error:
            self._emit_error(system_errors.system_error(error.errno or 0, 'kill'))
            return False
        self.killed = True
        return True

    def ref(self) -> ChildProcess:
        """Let the running process keep this program alive (the default); returns it."""
        return self._set_ref(True)

    def unref(self) -> ChildProcess:
        """Let this program end first; returns the process. See also ``channel.unref()``."""
        return self._set_ref(False)

    def _set_ref(self, ref: bool) -> ChildProcess:
        if self._ref is not ref:
            self._ref = ref
            if self._life is _Life.RUNNING:
                (self._loop.hold if ref else self._loop.release)()
        return self

    @property
    def stdio(self) -> tuple[Socket | None, Socket | None, Socket | None]:
        """``(stdin, stdout, stderr)``."""
        return self.stdin, self.stdout, self.stderr


# A door for other rooms: a public name on the class would be one for its users, too.
def is_running(process: ChildProcess) -> bool:
    """Return whether it was started, and its status is not known yet."""
    return process._life is _Life.RUNNING  # inside: as above


def is_referenced(process: ChildProcess) -> bool:
    """Return whether it keeps this program alive while it runs: ``ref()``, ``unref()``."""
    return process._ref  # inside: as above


class _Exit:
    """Work for a runner: a child has ended. After the work of its channel."""

    context: Context | None = None

    def __init__(self, emit_exit: Callable[[], None]) -> None:
        self.deliver = emit_exit


_NAMES = ('stdin', 'stdout', 'stderr')


def _signal_name(number: int) -> str:
    try:
        return _signal.Signals(number).name
    except ValueError:
        return f'SIG{number}'  # a real-time signal


def _command_gnet() -> list[str]:
    """Return what has an interpreter run ``python -m gnet``, also where gnet is not installed."""
    root = os.path.abspath(__file__)
    for _ in __name__.split('.'):
        root = os.path.dirname(root)
    if root in (sysconfig.get_path('purelib'), sysconfig.get_path('platlib')):
        return ['-m', 'gnet']
    # Found in a checkout, by the working directory or PYTHONPATH: the child may have others.
    return ['-c', f'import sys; sys.path.append({root!r}); '
                  'from gnet.command.main import main; main()']


def fork(
    module_or_script: Any, args: Any = None, options: Mapping[str, Any] | None = None,
    **keywords: Unpack[ForkKeywords],
) -> ChildProcess:
    """Start a new interpreter that runs a script under ``python -m gnet``, joined by a channel.

    Args:
        module_or_script: the path of a script (``str`` or ``os.PathLike``), or the name of a
            module, as of ``python -m``; what ends in ``.py``, has a slash, or is there is a path.
        args: the script's arguments, strings.
        options: a mapping in Node's or Python's spelling; may take the place of *args*.
        keywords: the same as keywords:

            - cwd: the directory to start in; that of this process by default.
            - env: a mapping, all of the environment; that of this process by default.
            - exec_path: the interpreter; ``sys.executable`` by default.
            - exec_argv: its options; those of this process (``-W``, ``-X`` …) by default.
            - patch: run the script monkey-patched (False).
            - direct: run ``exec_path *exec_argv script *args`` as they are (False): another
              program that knows the channel, such as Node.
            - silent: give the process pipes for stdin, stdout and stderr instead of those of this
              process (False).
            - stdio: for each of the three ``'inherit'``, ``'pipe'``, ``'ignore'``, a descriptor or
              an object that has one; and ``'ipc'``, for the channel, as the fourth (in the place of
              one of the three, that one is ``'ignore'``). Or one of the words for all three.
            - detached: make it the leader of a new session (False).
            - uid, gid: the user and group that it runs as.
            - kill_signal: the signal of *timeout* and *signal* (``'SIGTERM'``).
            - timeout: milliseconds after which it is killed; 0 (the default) for never.
            - signal: a :class:`gevent.event.Event`: set means kill, and `'error'`.
            - serialization: ``'json'``, the one that there is.

    Returns:
        The process. If it could not be started, `'error'` is emitted (``spawn … ENOENT``).

    Raises:
        CodedTypeError, CodedValueError: for arguments that make no sense.
        CodedRuntimeError: ``ERR_NOT_MAIN_THREAD``.
        TypeError: for a keyword that is no option; in a mapping it is ignored.
    """
    chosen = child_options(module_or_script, args, options, keywords)
    command = [chosen.exec_path, *chosen.exec_argv]
    if not chosen.direct:
        command += _command_gnet()
        if chosen.patch:
            command.append('--patch')
    command += ['-m', chosen.module] if chosen.module is not None else [chosen.script]
    return ChildProcess([*command, *chosen.args], chosen)
