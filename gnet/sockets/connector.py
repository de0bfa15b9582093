"""The client side of ``gnet.Socket``: ``connect``, and what waits for the connection.

The way to a connection is :mod:`gnet.sockets.connecting`; here is what the socket does about it,
and how a connection that was made elsewhere becomes a socket's.
"""

from __future__ import annotations

import errno
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

import gevent.socket
from gevent.event import AsyncResult, Event

from .. import lifecycle
from ..addresses.ip import is_ip
from ..events.abort import abort_error
from ..loop import running
from ..loop.loop import Loop
from ..node import coded_errors, system_errors
from ..options.connect import ConnectRequest, connect_request
from ..options.shapes import normalize_arguments
from ..options.socket import OnRead
from ..streams.states import (
    ASKED,
    CLOSED,
    CONNECTED,
    CONNECTING,
    DESTROYED,
    END_EMITTED,
    ENDING,
    FAILED,
    FINISHED,
    GONE,
    IDLE,
    MUTE,
    NEW,
    NOT_ENDED,
    NOT_STARTED,
    OVER,
    RUNNING,
    WRITABLE,
)
from .buffer_reader import BufferReader
from .connecting import Connecting
from .giving_away import with_unread
from .python_names import SocketLike

if TYPE_CHECKING:
    from ..addresses.block_list import BlockList

__all__ = [
    'Connectable',
]

#: Destroyed, and `'close'` is still to come.
_CLOSING = (DESTROYED, MUTE)


class Connectable(SocketLike):
    """What makes connections. :class:`gnet.Socket` is the public class."""

    __slots__ = (
        '_onread', '_request', '_sides', '_signal',
        'auto_select_family_attempted_addresses', 'block_list',
    )

    def _prepare(self, loop: Loop, allow_half_open: bool) -> None:
        super()._prepare(loop, allow_half_open)
        #: What to connect to when `'close'` of the connection before was emitted.
        self._request: ConnectRequest | None = None
        self._onread: BufferReader | None = None
        self._signal: Any = None
        #: Whether it may be read, and written, when it is connected.
        self._sides = (True, True)
        #: ``'address:port'`` of each address tried, where a host had several; else None.
        self.auto_select_family_attempted_addresses: list[str] | None = None
        #: Addresses that must not be connected to; None for none.
        self.block_list: BlockList | None = None

    # --- connecting -------------------------------------------------------------------------------

    def connect(self, *args: Any, **keywords: Any) -> Any:
        """Connect; returns the socket at once. `'connect'` and then `'ready'` tell of success.

        The forms, each of which may be followed by a callback for `'connect'`::

            connect(port, host='localhost')
            connect(path)               a unix socket; with a leading NUL, an abstract name
            connect(options)            a mapping, in either spelling; or the same as keywords
            connect((host, port))       as socket.socket: blocks until connected, returns None

        (As ``connect(path)`` is Node's, the form that blocks for a unix socket is
        ``connect_ex(path)``; or use any blocking name next, each of which waits.)

        What is written before is sent when the connection is made, and what blocks on the socket
        waits for it. A socket may be connected again when it is closed: listeners, encoding and
        options stay, what it had received does not.

        Args:
            port: 0 to 65535.
            host: a name or an IP address; ``localhost`` by default.
            path: of a unix socket; then host and port are not looked at.
            local_address: an IP address to connect from; one address of the host is tried then.
            local_port: a port to connect from.
            family: 4 or 6 for addresses of that kind alone; 0 (the default) for both.
            hints: ``AI_…`` flags for the look-up of the name.
            lookup: called in place of the resolver, as ``lookup(host, options, callback)``; it
                calls ``callback(err, address, family)``, or ``callback(err, addresses)`` where
                ``options['all']`` is set, *addresses* being ``{'address': …, 'family': …}`` or
                pairs.
            auto_select_family: whether to try several addresses of a host (True by default, see
                :func:`gnet.set_default_auto_select_family`): the next one whenever
                *auto_select_family_attempt_timeout* milliseconds (250; 10 at least) have passed,
                or an attempt has failed. The first connection is kept (RFC 8305).

        Raises:
            CodedTypeError, CodedValueError: for arguments that make no sense; nothing is changed.
            OSError: from the blocking form alone.

        Emits `'lookup'`, `'connectionAttempt'`, `'connectionAttemptFailed'`,
        `'connectionAttemptTimeout'`; and on failure `'error'` and `'close'`.
        """
        if len(args) == 1 and isinstance(args[0], tuple) and not keywords:
            return self._connect_and_wait(_socket_address(args[0]))
        options, callback = normalize_arguments(args, keywords)
        request = connect_request(options)
        if callback is not None:
            self.once('connect', callback)
        aborted = self._signal is not None and self._signal.ready()
        if aborted and self._stage is not CLOSED:
            self.destroy(abort_error(self._signal))
        elif self._stage in _CLOSING:
            self._request = request
        elif self._stage in (NEW, CLOSED):
            self._connect(request)
        elif self._stage is CONNECTING:
            self._tick(self._connect_twice, request)
        elif self._stage is CONNECTED:
            # (Node goes on with the connection that there is, whatever was asked for.)
            self.destroy(_connect_error(errno.EISCONN, request))
        return self

    def _connect_twice(self, request: ConnectRequest) -> None:
        if self._connecting is None:
            return
        if request.path is None:
            family = is_ip(request.host) or None
            self._emit_guarded('connectionAttempt', request.host, request.port, family)
        else:
            self._emit_guarded('connectionAttempt', request.path, None, None)
        if self._connecting is not None:
            self.destroy(_connect_error(errno.EALREADY, request, self._connecting.local()))

    def _connect_and_wait(self, options: dict[str, Any]) -> None:
        """Connect as ``socket.socket.connect`` does: block, and raise what goes wrong."""
        if self._stage is CONNECTED:
            raise _connect_error(errno.EISCONN, connect_request(options))
        if self._stage is CONNECTING:
            raise _connect_error(errno.EALREADY, connect_request(options))
        self._note_blocking_use()
        if self._stage in _CLOSING:
            closed = Event()
            # The first: one that raises keeps those after it from being called.
            self.prepend_once_listener('close', lambda had_error: closed.set())
            closed.wait()
        self.connect(options)
        if self._seconds == 0:
            raise BlockingIOError(errno.EINPROGRESS, 'Operation now in progress')
        try:
            self.sendall(b'')  # queued, as there is no connection yet: it waits for one
        except BaseException as error:
            self.destroy(error if isinstance(error, Exception) else None)
            raise

    def connect_ex(self, address: Any) -> int:
        """Connect to ``(host, port)`` or a path, and block; return the error number, 0 for success.

        As in the standard library, that is ``EAGAIN`` after the time of :meth:`settimeout`, and a
        name that cannot be looked up raises :class:`socket.gaierror`.
        """
        options = _socket_address(address)
        try:
            self._connect_and_wait(options)
        except gevent.socket.timeout:
            return errno.EAGAIN
        except OSError as error:
            if error.errno is None or isinstance(error, gevent.socket.gaierror):
                raise
            return error.errno
        return 0

    def _connect(self, request: ConnectRequest) -> None:
        if self._stage is CLOSED:
            self._start_anew()
            if self._signal is not None:
                self._destroy_on(self._signal)
                if self.destroyed:
                    return
        elif self._write_state is FINISHED and self._sides[1]:
            self._write_state = WRITABLE  # it was ended before there was anything to end
        running.arm()
        self._stage = CONNECTING
        self.context = copy_context()
        # Whatever ref() says: a connection that is being made keeps the program alive.
        self._loop.hold()
        self._touch()
        connecting = self._connecting = Connecting(self, request)
        try:
            connecting.start()
        except BaseException:
            self.destroy()  # the look-up function raised
            raise

    def _start_anew(self) -> None:
        """Forget the connection that was, but not the listeners, the encoding and the options."""
        self._errored = self._read_error = None
        self._read_state, self._write_state = NOT_ENDED, WRITABLE
        self._reading = NOT_STARTED
        self._incoming = self._buffer = self._turns = None
        self._incoming_size = self._length = 0
        self._did_read = self._readable_pending = False
        self._readable_wanted = False
        self._bytes_read = self._bytes_sent = self._queued_bytes = self._queued_units = 0
        self._corked = self._pending_callbacks = 0
        self._needs_drain = self._close_wanted = False
        self._remote = None
        self._stage = NEW
        if self._counter is not None:
            # It counted the connection that was; the one to come is the program's.
            self._counter = None
            self._belongs_to_program()
        self.opened_at = 0.0
        if self._delivery is not RUNNING:
            self._delivery = IDLE
        if self._decoder is not None:
            self.set_encoding(self._decoder.encoding)
        if self._onread is not None:
            self._onread.stopped = False
        self._close_sides()

    def _close_sides(self) -> None:
        """Close the halves that the program does not want."""
        readable, writable = self._sides
        if not readable:
            self._read_state = END_EMITTED
            self._reading = OVER
        if not writable:
            self._write_state = FINISHED

    def _attempt_has_failed(self) -> None:
        """The one attempt has failed; between `'connectionAttemptFailed'` and `'error'`."""
        self._stage = FAILED

    def _established(self, sock: Any, remote: Any) -> None:
        """Take over the connection; runs in a runner."""
        self._remote = remote
        self._connecting = None
        self._open(sock)
        self._loop.release()
        self._apply_options()
        self._touch()
        self._wake_blocked()
        lifecycle.publish(lifecycle.ConnectionOpened, None, self)
        try:
            self._emit_guarded('connect')
        finally:
            self._begin_with(sock)  # also if the greenlet of a listener was ended

    def _begin_with(self, sock: Any) -> None:
        """Do what waits for the listeners of `'connect'`, which may have blocked."""
        if not self._corked or self._stage in GONE:
            # Usually a listener of 'connect' has done this already.
            self._send_first()
        if self._stage is CONNECTED and self._write_state is not WRITABLE and (
            self._in_flight is None and not self._queue
        ):
            self._end_late()
        try:
            if self._sock is sock or self._stage in _CLOSING:
                # (Not if a listener has blocked for longer than the connection was there.)
                self._emit_guarded('ready')
        finally:
            if self._stage is CONNECTED and (
                not self._explicitly_paused or self._reading is ASKED
            ):
                self._take(0)

    def _end_late(self) -> None:
        """``end()`` was called before there was a connection, and there is nothing to send."""
        if self._write_state is ENDING:
            self._shut()
        elif self._sides[1]:
            self._shut_down_writing()  # even before connect(): 'finish' was emitted then

    def _apply_options(self) -> None:
        """Give the new connection the options that were set before."""
        raise NotImplementedError

    def reset_and_destroy(self) -> Any:
        """Destroy, and have the peer see a reset (RST)."""
        raise NotImplementedError

    # --- hooks ------------------------------------------------------------------------------------

    def _send_when_connected(self) -> None:
        self.once('connect', self._send_first)

    def _close_descriptor(self) -> None:
        connecting, self._connecting = self._connecting, None
        if connecting is not None:
            connecting.abandon()
            self._loop.release()
            if self._queue:
                self.off('connect', self._send_first)
        if self._signal is not None:
            self._signal.unlink(self._aborted)
        super()._close_descriptor()

    def destroy(self, error: Any = None) -> Any:
        self._request = None
        return super().destroy(error)

    def _emit_close(self, had_error: bool) -> None:
        try:
            super()._emit_close(had_error)
        finally:
            request, self._request = self._request, None
            if request is not None and self._stage is CLOSED:
                self._connect(request)

    def _start_reading(self) -> None:
        if self._onread is None:
            super()._start_reading()
        else:
            self._start_watching(self._onread.on_readable)

    def _begin_blocking(self) -> None:
        if self._onread is not None:
            raise coded_errors.state_error('ERR_READING_IN_EVENT_STYLE')
        super()._begin_blocking()

    # --- a buffer of the program's ----------------------------------------------------------------

    def _read_into(self, options: OnRead) -> None:
        self._onread = BufferReader(self, options)

    def resume(self) -> Any:
        """Let data flow; returns the socket. See :meth:`gnet.streams.readable.Readable.resume`."""
        super().resume()
        if self._onread is not None:
            self._onread.go_on()
        return self

    def read(self, size: float | None = None) -> Any:
        """Take what is buffered, or None. See :meth:`gnet.streams.readable.Readable.read`.

        With ``onread`` nothing ever is; but reading goes on if the callback has stopped it.
        """
        if self._onread is not None:
            self._onread.go_on()
        return super().read(size)

    # --- giving up --------------------------------------------------------------------------------

    def _destroy_on(self, signal: Any) -> None:
        """Destroy the socket when *signal* is set, or now if it is."""
        self._signal = signal
        if signal.ready():
            self.destroy(abort_error(signal))
        else:
            signal.rawlink(self._aborted)

    def _aborted(self, signal: Any) -> None:
        self.destroy(abort_error(signal))

    # --- connections that were made elsewhere, or go there ----------------------------------------

    def _adopt(self, sock: Any) -> None:
        """Take over *sock*, which is connected and non-blocking."""
        running.arm()
        self.context = copy_context()
        try:
            self._remote = sock.getpeername()
        except OSError:
            self._remote = None  # the peer has reset the connection already
        self._open(sock)
        if self._read_state is not NOT_ENDED:
            pass
        elif getattr(sock, 'is_readable', True):
            self._readable_wanted = True
            self._start_reading()
        else:
            # The writing end of a pipe, without readable=False. Nothing would ever tell of its end.
            self.destroy(system_errors.system_error(errno.ENOTCONN, 'read'))

    def to_socket(self, cls: type[Any] = gevent.socket.socket) -> Any:
        """Give the connection away as a socket of class *cls*, and destroy this one; blocks.

        Nothing is lost: what ``write()`` has queued is sent first, and what was received and not
        yet read is what the new socket's ``recv``, ``recv_into`` and ``makefile`` return first
        (``select`` and ``ssl``, which look at the descriptor, do not see it; with
        ``pause_on_connect``, or ``pause()`` before ``connect``, there is none). The time of
        :meth:`settimeout` stays.

        Args:
            cls: :class:`gevent.socket.socket` by default, whose calls block their greenlet only;
                :class:`socket.socket` for code in other threads.

        Raises:
            OSError: the socket is closed, or its connection has failed.
            CodedRuntimeError: as :meth:`recv`.
            ValueError: objects of :meth:`makefile` are open, which may have read ahead.
        """
        if self._io_refs:
            raise ValueError('objects of makefile() are open: close them first')
        self._begin_giving_away()
        while self._stage is CONNECTING or self._queued_units:
            self._wait_until_sent()
            self._begin_giving_away()  # others may have read and written meanwhile
        self._shut_now()  # what was ended stays so
        if self._sock is None or self._read_error is not None:
            raise self._blocked_error()
        unread = b''.join(self._incoming or ())
        family, proto = self._family, self._proto
        self._close_watchers()
        made = with_unread(cls, unread, family, proto, self._sock.detach())
        self._incoming = None
        self._incoming_size = 0
        self.destroy()
        made.settimeout(self._seconds)
        return made

    def _begin_giving_away(self) -> None:
        self._begin_blocking()
        if self._reader is not None:
            raise coded_errors.state_error('ERR_CONCURRENT_READ')
        if self._decoder is not None and self._buffer:
            raise coded_errors.state_error('ERR_TEXT_IS_BUFFERED')

    def _wait_until_sent(self) -> None:
        if self._write_state is WRITABLE:
            self.sendall(b'')
            return
        ended: AsyncResult[BaseException | None] = AsyncResult()
        self.end(ended.set)  # it was called already; this is told of the outcome
        error = self._within_seconds(ended.get)
        if error is not None:
            raise self._blocked_error() if self._stage in GONE else error


def _socket_address(address: Any) -> dict[str, Any]:
    """Return as options what ``socket.socket`` takes as an address."""
    if isinstance(address, tuple):
        if len(address) < 2:
            raise coded_errors.missing_args('options', 'port', 'path')
        return {'host': address[0], 'port': address[1]}
    if isinstance(address, (str, bytes)):
        return {'path': address}
    raise TypeError(f'an address is a tuple or a path, not {type(address).__name__}')


def _connect_error(
    number: int, request: ConnectRequest, local: str | None = None,
) -> system_errors.NodeOSError:
    if request.path is not None:
        return system_errors.connect_error(number, 'connect', request.path, None, local)
    return system_errors.connect_error(number, 'connect', request.host, request.port, local)
