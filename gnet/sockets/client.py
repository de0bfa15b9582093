"""The client side of ``gnet.Socket``: ``connect``, and what waits for the connection.

The way to a connection is :mod:`gnet.sockets.connector`; here is what the socket does about it, and
how a connection that was made elsewhere becomes a socket's.
"""

from __future__ import annotations

import errno
from contextlib import suppress
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

import gevent.socket
from gevent.event import Event

from .. import lifecycle
from ..addresses.ends import is_link_local
from ..addresses.ip import is_ip
from ..loop import exit_hook
from ..loop.loop import Loop
from ..node import coded_errors, system_errors
from ..node.keywords import check_keywords
from ..options.connect import CONNECT_OPTIONS, ConnectRequest, connect_request
from ..options.shapes import normalize_arguments
from ..streams.states import (
    ASKED,
    CLOSED,
    CONNECTED,
    CONNECTING,
    DESTROYED,
    END_EMITTED,
    ENDING,
    EVENTS,
    FAILED,
    FINISHED,
    GONE,
    LENT,
    MUTE,
    NEW,
    NOBODY_YET,
    NOT_ENDED,
    OVER,
    WRITABLE,
)
from .buffer_wire import BufferWire
from .connector import Connector
from .limited import Limited
from .ownership import forsake
from .python_names import PythonNames
from .wire import DescriptorWire

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ..options.proxy_protocol import Introduction
    from ..options.typed import ConnectKeywords
    from .socket_wire import SocketWire

__all__ = ['Client']

_KEYWORDS = CONNECT_OPTIONS | {'callback'}

#: ``end()`` was not called; in a listener of `'connect'` the socket may have been lent.
_UNENDED = (WRITABLE, LENT)

#: Destroyed, and `'close'` is still to come.
_CLOSING = (DESTROYED, MUTE)


class Client(Limited, PythonNames):
    """What makes connections. Without state of its own: :class:`gnet.Socket` has it."""

    __slots__ = ()

    _remote: Any
    opened_at: float

    @property
    def auto_select_family_attempted_addresses(self) -> list[str] | None:
        """``'address:port'`` of each address tried, where a host had several; else None."""
        return self._settings.attempted

    @auto_select_family_attempted_addresses.setter
    def auto_select_family_attempted_addresses(self, value: list[str] | None) -> None:
        if value is not self._settings.attempted:
            self._own_settings().attempted = value

    # --- connecting -------------------------------------------------------------------------------

    def connect(self, *args: Any, **keywords: Unpack[ConnectKeywords]) -> Any:
        """Connect; returns the socket at once. `'connect'` and then `'ready'` tell of success.

        The forms, each of which may be followed by a callback for `'connect'`::

            connect(port, host='localhost')
            connect(path)               a unix socket; with a leading NUL, an abstract name
            connect(options)            a mapping, in either spelling; or the same as keywords
            connect((host, port))       as socket.socket: blocks until connected, returns None; also
                                        with the flow and the scope, as getaddrinfo() has it

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
            proxy_protocol: send a header of the PROXY protocol first of all, before TLS, too, to a
                server that reads one: True for this connection's own ends, a
                :class:`gnet.proxy_protocol.ProxyHeader`, or a mapping:

                - source: whose connection it is: the socket of the client that is proxied, an
                  address and a port, or the path of a unix socket; by default this one's own.
                - destination: what the client has connected to; not where *source* is a socket.
                - version: 2 (the default) or 1.
                - local: True for a health check.
                - alpn, authority, netns: texts; unique_id: bytes; tlvs: pairs of a type and bytes;
                  checksum: True for one (version 2 alone).

        Raises:
            CodedTypeError, CodedValueError: for arguments that make no sense; nothing is changed.
            OSError: from the blocking form alone.
            TypeError: for a keyword that is no option; in a mapping it is ignored, as in Node.

        Emits `'lookup'`, `'connectionAttempt'`, `'connectionAttemptFailed'`,
        `'connectionAttemptTimeout'`; and on failure `'error'` and `'close'`.
        """
        if len(args) == 1 and isinstance(args[0], tuple) and not keywords:
            return self._connect_and_wait(_socket_address(args[0]))
        check_keywords('connect', keywords, _KEYWORDS)
        options, callback = normalize_arguments(args, keywords)
        request = connect_request(options)
        if callback is not None:
            self.once('connect', callback)
        signal = self._settings.signal
        aborted = signal is not None and signal.ready()
        if aborted and self._stage is not CLOSED:
            self.destroy(coded_errors.abort_error(signal))
        elif self._stage in _CLOSING:
            self._own_settings().request = request
        elif self._stage in (NEW, CLOSED):
            self._connect(request)
        elif self._stage is CONNECTING:
            self._tick(self._connect_twice, request)
        elif self._stage is CONNECTED:
            # (Node goes on with the connection that there is, whatever was asked for.)
            self.destroy(_connect_error(errno.EISCONN, request))
        return self

    def _connect_twice(self, request: ConnectRequest) -> None:
        if self._connector is None:
            return
        if request.path is None:
            family = is_ip(request.host) or None
            self._emit_guarded('connectionAttempt', request.host, request.port, family)
        else:
            self._emit_guarded('connectionAttempt', request.path, None, None)
        if self._connector is not None:
            self.destroy(
                _connect_error(errno.EALREADY, request, self._connector.attempts.local()))

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
        if self._blocking.seconds == 0:
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
            if self._settings.signal is not None:
                self._destroy_on(self._settings.signal)
                if self.destroyed:
                    return
        elif self._write_state is FINISHED and self._settings.writable:
            self._write_state = WRITABLE  # it was ended before there was anything to end
        exit_hook.arm()
        self._loop.close_in_child(self, forsake)
        if request.path is None:
            self._own_settings().host = request.host
        self._stage = CONNECTING
        wire = self._wire
        wire.context = copy_context()
        wire.touch()
        connector = self._connector = Connector(
            self, wire, request, emit=self._emit_guarded, connected=self._established,
            about_to_fail=self._attempt_has_failed)
        try:
            connector.start()
        except BaseException:
            self.destroy()  # the look-up function raised
            raise

    def _start_anew(self) -> None:
        """Forget the connection that was, but not the listeners, the encoding and the options."""
        if self._settings.watch is not None:
            self._watch_no_more()
        self._be_new()
        if self._blocking.close_wanted:
            self._blocking.close_wanted = False
        before = self._wire
        wire = self._wire = self._make_wire(self._loop, before)
        wire.succeed(before)
        if self._counter is not None:
            # It counted the connection that was; the one to come is the program's.
            self._counter = None
            self._belongs_to_program()
            if wire.taker is NOBODY_YET:
                wire.taker = EVENTS
        if self._decoder is not None:
            self.set_encoding(self._decoder.encoding)
        self._close_sides()

    def _make_wire(self, loop: Loop, before: SocketWire | None = None) -> SocketWire:
        """Return the wire of a connection to come; *before* is that of the one before, if any.

        The one place where a socket gets a wire that is not handed down to it.
        """
        onread = self._settings.onread
        if onread is None:
            return DescriptorWire(loop)
        return BufferWire(loop, onread, before if isinstance(before, BufferWire) else None)

    def _close_sides(self) -> None:
        """Close the halves that the program does not want."""
        if not self._settings.readable:
            self._read_state = END_EMITTED
            self._wire.reading = OVER
        if not self._settings.writable:
            self._write_state = FINISHED

    def _attempt_has_failed(self) -> None:
        """The one attempt has failed; between `'connectionAttemptFailed'` and `'error'`."""
        self._stage = FAILED

    def _established(self, sock: Any, remote: Any) -> None:
        """Take over the connection; runs in a runner."""
        introduction = None if self._connector is None else self._connector.introduction
        self._remote = remote
        self._connector = None
        if introduction is not None:
            try:
                _introduce(sock, introduction)
            except (OSError, coded_errors.CodedError) as error:
                sock.close()
                self.destroy(error)
                return
        self._open(sock)
        self._settle_keeping()
        self._apply_options()
        wire = self._wire
        wire.touch()
        wire.wake_reader()
        if lifecycle.has_subscribers():
            lifecycle.publish(lifecycle.ConnectionOpened, None, self, 0.0)
        try:
            self._emit_guarded('connect')
        finally:
            self._begin_with(sock)  # also if the greenlet of a listener was ended

    def _begin_with(self, sock: Any) -> None:
        """Do what waits for the listeners of `'connect'`, which may have blocked."""
        if not self._corked or self._stage in GONE:
            # Usually a listener of 'connect' has done this already.
            self._send_first()
        if self._stage is CONNECTED and self._write_state not in _UNENDED and (
            self._in_flight is None and not self._queue
        ):
            self._end_late()
        try:
            if self._wire.sock is sock or self._stage in _CLOSING:
                # (Not if a listener has blocked for longer than the connection was there.)
                self._emit_guarded('ready')
        finally:
            if self._stage is CONNECTED:
                if self._wire.reading is ASKED:
                    self._wire.want()  # whatever fills the buffer meanwhile
                if not self._explicitly_paused:
                    self._take(0)

    def _end_late(self) -> None:
        """``end()`` was called before there was a connection, and there is nothing to send."""
        if self._write_state is ENDING:
            self._shut()
        elif self._settings.writable:
            with suppress(BlockingIOError):  # it follows by itself then
                self._wire.shut_down()  # even before connect(): 'finish' was emitted then

    def _open(self, sock: Any) -> None:
        """Take over a connected, non-blocking ``_socket.socket``."""
        self._wire.open(self, sock)
        self._stage = CONNECTED
        self.opened_at = self._loop.now()
        if self._settings.limits is not None:
            self._watch_peer(self.opened_at)

    def _destroy_on(self, signal: Any) -> None:
        """Destroy the socket when *signal* is set, or now if it is."""
        self._own_settings().signal = signal
        if signal.ready():
            self.destroy(coded_errors.abort_error(signal))
        else:
            signal.rawlink(self._aborted)

    def _aborted(self, signal: Any) -> None:
        self.destroy(coded_errors.abort_error(signal))

    def _adopt(self, sock: Any) -> None:
        """Take over *sock*, which is connected and non-blocking."""
        exit_hook.arm()
        self._loop.close_in_child(self, forsake)
        self._wire.context = copy_context()
        try:
            self._remote = sock.getpeername()
        except OSError:
            self._remote = None  # the peer has reset the connection already
        self._open(sock)
        if self._read_state is not NOT_ENDED:
            pass
        elif getattr(sock, 'is_readable', True):
            self._readable_wanted = True
            self._wire.want()
        else:
            # The writing end of a pipe, without readable=False. Nothing would ever tell of its end.
            self.destroy(system_errors.system_error(errno.ENOTCONN, 'read'))


def _introduce(sock: Any, introduction: Introduction) -> None:
    """Send a header of the PROXY protocol on *sock*, which was just connected."""
    header = introduction.to_bytes(sock)
    try:
        sent = sock.send(header)
    except OSError as error:
        raise system_errors.system_error(error.errno or 0, 'write') from error
    if sent < len(header):
        # There was nothing else to send, and it is far less than the kernel takes by default.
        raise system_errors.system_error(errno.ENOBUFS, 'write')


def _socket_address(address: Any) -> dict[str, Any]:
    """Return as options what ``socket.socket`` takes as an address."""
    if isinstance(address, tuple):
        if len(address) < 2:
            raise coded_errors.missing_args('options', 'port', 'path')
        host = address[0]
        if len(address) > 3 and address[3] and is_ip(host) == 6 and is_link_local(host):
            host = f'{host.partition("%")[0]}%{address[3]}'  # Node's form of a scope
        return {'host': host, 'port': address[1]}
    if isinstance(address, (str, bytes)):
        return {'path': address}
    raise TypeError(f'an address is a tuple or a path, not {type(address).__name__}')


def _connect_error(
    number: int, request: ConnectRequest, local: str | None = None,
) -> system_errors.NodeOSError:
    if request.path is not None:
        return system_errors.connect_error(number, 'connect', request.path, None, local)
    return system_errors.connect_error(number, 'connect', request.host, request.port, local)
