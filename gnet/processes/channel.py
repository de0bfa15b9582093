"""A channel between two processes: JSON messages and descriptors over a unix stream socket.

The form is the one that Node documents for ``NODE_CHANNEL_FD``: a JSON value a line
(:mod:`gnet.processes.json_lines`). A descriptor goes with the first byte of its line
(``SCM_RIGHTS``, see unix(7)), so it arrives no later than that line. What the messages mean is none
of this file's business: see :mod:`gnet.processes.messaging`.
"""

from __future__ import annotations

import _socket
import array
import errno
import logging
import os
from collections import deque
from collections.abc import Callable, Sequence
from contextvars import Context
from enum import Enum
from typing import Any

from ..loop.loop import Loop
from ..loop.watchers import READ, WRITE, close_watcher
from ..node import coded_errors, system_errors
from ..node.originals import close_descriptor
from .json_lines import Lines, NoMessageError, decode_message

__all__ = ['Channel']

_log = logging.getLogger('gnet.ipc')

#: Bytes asked of the kernel at once: a buffer of more than 128 KiB would be mapped anew each time.
READ_SIZE = 65536

#: Queued bytes from which on ``send()`` returns False (Node's number).
HIGH_WATER_MARK = 2 * 65536

#: Descriptors of one line, and those that may wait for their lines. More is no peer of ours.
MAX_TOGETHER = 64
MAX_WAITING_DESCRIPTORS = 1024

#: Seconds after which descriptors are sent again that were too many for the system.
_RETRY_TIME = 0.1

#: Seconds without a descriptor that could not be received, after which the next one is logged.
_EPISODE_GAP = 10.0

_INT = array.array('i').itemsize
_ANCILLARY = _socket.CMSG_SPACE(MAX_TOGETHER * _INT)

#: Linux can close received descriptors on exec from the start; elsewhere that is said afterwards.
_CLOSE_ON_EXEC = getattr(_socket, 'MSG_CMSG_CLOEXEC', 0)
Callback = Callable[['BaseException | None'], object]


class State(Enum):
    """How far a channel has come. What is read of it is delivered in every one but the last."""

    OPEN = 'both directions'
    CLOSING = 'close() was called; it closes when all is written'
    BROKEN = 'the peer takes nothing any more; it may have sent something before'
    ENDED = 'the descriptor is gone, by no wish of ours: what came before is still answered for'
    CLOSED = 'the descriptor is gone and close() was called: nothing is answered for'
    OVER = 'the receiver has all that came, and knows that this is the end'


#: Which may follow which.
FOLLOWS: dict[State, set[State]] = {
    State.OPEN: {State.CLOSING, State.BROKEN, State.ENDED, State.CLOSED},
    State.CLOSING: {State.CLOSED},
    State.BROKEN: {State.ENDED, State.CLOSED},
    State.ENDED: {State.CLOSED, State.OVER},
    State.CLOSED: {State.OVER},
    State.OVER: set(),
}


class _Frame:
    """A line on its way to the kernel."""

    __slots__ = ('callback', 'data', 'socks')

    def __init__(self, data: bytes, socks: Sequence[Any], callback: Callback | None) -> None:
        self.data = memoryview(data)
        #: Whose descriptors go with the first byte.
        self.socks = socks
        self.callback = callback


class Channel:
    """One end of the channel. It keeps the program alive unless :meth:`unref` says no.

    Args:
        loop: that of the current thread.
        fd: a connected unix stream socket, which belongs to the channel from now on.
        owner: whose it is, for the log.
        received: called with each message, in order, in a runner; must not block. A descriptor that
            came for it is taken with :meth:`take_descriptor`. With a :class:`NoMessageError` the
            channel is closed, and nothing that came behind it is looked at.
        over: called when nothing comes any more: the peer has closed, or this side has. In a
            runner, too.
    """

    context: Context | None = None

    def __init__(
        self, loop: Loop, fd: int, owner: object, received: Callable[[Any], object],
        over: Callable[[], object],
    ) -> None:
        self._loop = loop
        self.owner = owner
        self._received = received
        self._over = over
        self._sock: Any = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM, 0, fd)
        self._sock.setblocking(False)
        self._state = State.OPEN
        self._ref = True
        self._frames: deque[_Frame] = deque()
        #: Bytes in them.
        self.queued: int = 0
        self._write_error: BaseException | None = None
        #: Read, and not yet taken by the receiver.
        self._arrived: deque[bytes] = deque()
        #: Whether a runner is about to call :meth:`deliver`.
        self._is_queued = False
        self._lines = Lines()
        #: Those whose lines are to come; None for one that could not be received.
        self._descriptors: deque[int | None] = deque()
        #: When that was so last, if ever.
        self._short_at: float | None = None
        self._write_watcher: Any = None
        self._retry_timer: Any = None
        self._read_watcher = loop.io(fd, READ)
        loop.start_io(self._read_watcher, self._on_readable)
        loop.hold()
        loop.close_in_child(self, Channel._forsake)  # inside: its own

    # --- life -------------------------------------------------------------------------------------

    @property
    def fd(self) -> int:
        """The number of the descriptor; -1 when it is closed."""
        return -1 if self._sock is None else int(self._sock.fileno())

    def has_ref(self) -> bool:
        """Return whether the open channel keeps the program alive."""
        return self._ref

    def ref(self) -> None:
        """Let the open channel keep the program alive."""
        self._set_ref(True)

    def unref(self) -> None:
        """Let the program end although the channel is open."""
        self._set_ref(False)

    def _set_ref(self, ref: bool) -> None:
        if ref is not self._ref:
            self._ref = ref
            if self._sock is not None:
                (self._loop.hold if ref else self._loop.release)()

    def close(self) -> None:
        """Close when all that was given to :meth:`write` is written, or cannot be."""
        if self._state is State.OPEN and self._frames:
            self._state = State.CLOSING
        elif self._state is State.ENDED:
            self._state = State.CLOSED
        elif self._state in (State.OPEN, State.BROKEN):
            self._close_now(State.CLOSED)

    def _forsake(self) -> None:
        """In a forked child: the other process must see the end when the parent has closed."""
        self._frames.clear()  # the parent sends them
        self._arrived.clear()
        if not self._is_gone:
            self._close_now(State.CLOSED)

    @property
    def can_answer(self) -> bool:
        """Whether the peer, if it is alive, can still be told that something has arrived."""
        return self._state not in (State.CLOSED, State.OVER)

    @property
    def _is_gone(self) -> bool:
        """Whether the descriptor is closed."""
        return self._sock is None

    def _end(self) -> None:
        """Close now, whatever is still to be written."""
        self._close_now(State.CLOSED if self._state is State.CLOSING else State.ENDED)

    def _close_now(self, state: State) -> None:
        self._state = state
        close_watcher(self._read_watcher)
        close_watcher(self._write_watcher)
        close_watcher(self._retry_timer)
        self._read_watcher = self._write_watcher = self._retry_timer = None
        # What was read is the receiver's, but for descriptors, which nobody would take any more.
        if not self._arrived:
            self._drop_descriptors()
        sock, self._sock = self._sock, None
        sock.close()
        if self._frames:
            self._fail_frames(coded_errors.state_error('ERR_IPC_CHANNEL_CLOSED'))
        if self._ref:
            self._loop.release()
        if self._arrived:
            self._queue_delivery()
        else:
            self._loop.tick(self.deliver)  # before what is asked of the closed channel next

    def _drop_descriptors(self) -> None:
        while self._descriptors:
            descriptor = self._descriptors.popleft()
            if descriptor is not None:
                close_descriptor(descriptor)

    # --- writing ----------------------------------------------------------------------------------

    def write(
        self, line: bytes, socks: Sequence[Any] = (), callback: Callback | None = None,
    ) -> None:
        """Send a line that ``encode_message`` made, or queue what the kernel does not take.

        Args:
            line: the line.
            socks: what has the descriptors to be sent with it; they stay the caller's, who keeps
                them open until *callback* is called.
            callback: called on a tick with None when the kernel has the line, or with the error.
        """
        if self._write_error is not None or self._is_gone:
            error = self._write_error or coded_errors.state_error('ERR_IPC_CHANNEL_CLOSED')
            if callback is not None:
                self._loop.tick(callback, error)
            return
        self._frames.append(_Frame(line, socks, callback))
        self.queued += len(line)
        if len(self._frames) == 1:
            self._loop.hold()  # as in Node, what is being written keeps the program alive
            self._write_on()

    def _on_writable(self) -> None:
        try:
            self._write_on()
        except BaseException as error:
            self._loop.report(self, error)
            self._end()

    def _write_on(self) -> None:
        """Write what the kernel takes now."""
        frames = self._frames
        while frames:
            frame = frames[0]
            try:
                if not frame.socks:
                    sent = self._sock.send(frame.data)
                else:
                    rights = array.array('i', [sock.fileno() for sock in frame.socks])
                    sent = self._sock.sendmsg(
                        [frame.data], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, rights)])
            except BlockingIOError:
                self._watch_writable()
                return
            except OSError as error:
                if error.errno == errno.ETOOMANYREFS:
                    self._retry_later()
                else:
                    self._write_failed(error)
                return
            frame.socks = ()
            self.queued -= sent
            frame.data = frame.data[sent:]
            if frame.data:
                continue
            frames.popleft()
            if frame.callback is not None:
                self._loop.tick(frame.callback, None)
        self._loop.release()
        if self._write_watcher is not None:
            self._write_watcher.stop()
        if self._state is State.CLOSING:
            self._end()

    def _retry_later(self) -> None:
        """This user has too many descriptors in all channels together: nothing was written.

        (As many as a process may open: they are on their way to processes that are busy.)
        """
        if self._write_watcher is not None:
            self._write_watcher.stop()
        close_watcher(self._retry_timer)
        self._retry_timer = self._loop.call_after(_RETRY_TIME, self._on_writable)

    def _watch_writable(self) -> None:
        if self._write_watcher is None:
            self._write_watcher = self._loop.io(self._sock.fileno(), WRITE)
        if not self._write_watcher.active:
            self._loop.start_io(self._write_watcher, self._on_writable)

    def _write_failed(self, error: OSError) -> None:
        self._write_error = system_errors.system_error(error.errno or 0, 'write')
        if self._write_watcher is not None:
            self._write_watcher.stop()
        self._fail_frames(self._write_error)
        if self._state is State.CLOSING:
            self._end()
        elif error.errno in (errno.EPIPE, errno.ECONNRESET):
            self._state = State.BROKEN  # its last messages may still be there to be read
        else:
            # Such as a descriptor that was closed meanwhile: part of a line may have been written.
            self._end()

    def _fail_frames(self, error: BaseException) -> None:
        frames, self._frames = self._frames, deque()
        self.queued = 0
        self._loop.release()
        for frame in frames:
            if frame.callback is not None:
                self._loop.tick(frame.callback, error)

    # --- reading, in the hub ----------------------------------------------------------------------

    def _on_readable(self) -> None:
        try:
            self.read_on()
        except BaseException as error:
            # Whatever escaped would stop the watcher for good.
            self._loop.report(self, error)
            self._end()

    def read_on(self) -> bool:
        """Read once, without waiting; return whether there may be more to read."""
        if self._is_gone:
            return False
        try:
            data, ancillary, flags, _address = self._sock.recvmsg(
                READ_SIZE, _ANCILLARY, _CLOSE_ON_EXEC)
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno != errno.ECONNRESET:
                raise
            data, ancillary, flags = b'', [], 0  # it died with something of ours unread
        for level, kind, content in ancillary:
            if level == _socket.SOL_SOCKET and kind == _socket.SCM_RIGHTS:
                rights = array.array('i')
                rights.frombytes(content[:len(content) - len(content) % _INT])
                for number in rights:
                    if not _CLOSE_ON_EXEC:
                        os.set_inheritable(number, False)
                    self._descriptors.append(number)
        if flags & _socket.MSG_CTRUNC:
            self._note_shortage()
            # Its place is kept: its message must not get that of a later one.
            self._descriptors.append(None)
        if len(self._descriptors) > MAX_WAITING_DESCRIPTORS:
            self._break('descriptors without messages')
            return False
        if not data:
            self._end()
            return False
        self._arrived.append(data)
        self._queue_delivery()
        return True

    def _note_shortage(self) -> None:
        """A descriptor could not be received. It will be sent again; there may be some by then."""
        gave_way = 0
        while gave_way < MAX_TOGETHER and self._loop.dispensable.give_way():
            gave_way += 1
        now, last = self._loop.now(), self._short_at
        if not gave_way and (last is None or now - last >= _EPISODE_GAP):
            _log.warning('a descriptor could not be received: there are too many open ones')
        self._short_at = now

    def drain(self) -> None:
        """Read all that a peer has sent which has ended, and close."""
        while self.read_on():
            pass
        if not self._is_gone:
            self._end()

    def _queue_delivery(self) -> None:
        if not self._is_queued:
            self._is_queued = True
            self._loop.enqueue(self)

    # --- delivering, in a runner ------------------------------------------------------------------

    def deliver(self) -> None:
        self._is_queued = False
        while self._arrived:
            try:
                for line in self._lines.ended_by(self._arrived.popleft()):
                    self._received(decode_message(line))
            except NoMessageError as error:
                self._break(str(error))
        if not self._lines.is_begun:
            self._drop_descriptors()  # they belong to no message
        if self._state in (State.ENDED, State.CLOSED):
            self._state = State.OVER
            self._drop_descriptors()
            self._over()

    def take_descriptor(self) -> int | None:
        """Return the descriptor that came with a message; None if it did not arrive."""
        return self._descriptors.popleft() if self._descriptors else None

    def take_descriptors(self, count: int) -> list[int] | None:
        """Return those that came with a message; None, and none is kept, if not all arrived."""
        taken: list[int] = []
        while len(taken) < count:
            descriptor = self.take_descriptor()
            if descriptor is None:  # it stands for all that are missing
                for each in taken:
                    close_descriptor(each)
                return None
            taken.append(descriptor)
        return taken

    def _break(self, what: str) -> None:
        """What the peer sends is none of our messages: close."""
        _log.warning('%r sent what is no message, and its channel is closed: %s',
                     self.owner, what)
        self._arrived.clear()
        self._lines.forget()
        if not self._is_gone:
            self._end()
