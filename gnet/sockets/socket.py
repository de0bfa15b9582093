"""``gnet.Socket``: one connection, with Node's events and methods and Python's blocking ones."""

from __future__ import annotations

from collections.abc import Mapping
from operator import attrgetter
from sys import intern
from typing import TYPE_CHECKING, Any

from .. import lifecycle
from ..addresses.ends import TCP_FAMILIES
from ..events.settings import settings as of_emitters
from ..lifecycle import has_subscribers
from ..loop.loop import Loop, get_loop
from ..node import coded_errors
from ..node.keywords import check_keywords
from ..node.spelling import snake_options
from ..node.threads import get_ident
from ..node.values import is_number
from ..options.socket import SOCKET_OPTIONS, SocketOptions, socket_options
from ..streams.duplex import Duplex
from ..streams.states import (
    CLOSED,
    CONNECTED,
    CONNECTING,
    FAILED,
    GONE,
    NEW,
    NOT_ENDED,
    PAUSED,
    UNDECIDED,
    WRITABLE,
)
from .blocking import NOT_USED
from .descriptors import adopt_descriptor, remember, reset_on_close
from .own_thread import ASKING, keep_to_thread
from .ownership import BlockingUser, Counter
from .settings import DEFAULTS, TimeoutOverflowWarning
from .wire import DescriptorWire

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ..options.typed import SocketKeywords
    from .typed_events import TypedAddressed as Addressed
else:
    from .addressed import Addressed

__all__ = [
    'Socket',
    'TimeoutOverflowWarning',
    'accept',
]

#: By their names, as in Sending; and names of the module, as each connection asks for them.
_destroy_stream = Duplex.destroy
_new = object.__new__

_NOBODY = BlockingUser.NOBODY  # a name of the module: see streams/states.py

#: By whether the socket is readable, and writable.
_READY_STATES = {
    (True, True): 'open', (True, False): 'readOnly', (False, True): 'writeOnly',
    (False, False): 'closed',
}


class Socket(Addressed):
    """One end of a TCP or unix-socket connection.

    A server hands it to its `'connection'` listeners; :func:`gnet.connect` makes one that connects.
    Event style::

        sock.on('data', lambda chunk: sock.write(chunk))

    or blocking style, in a greenlet::

        for chunk in sock:
            sock.sendall(chunk)

    Node's names (``write``, ``end``, ``set_timeout``…) never block and count in milliseconds;
    the names of :class:`socket.socket` (``recv``, ``sendall``, ``settimeout``…) block the calling
    greenlet only and count in seconds.

    ========================== ================================ ====================================
    event                      arguments                        when
    ========================== ================================ ====================================
    'lookup'                   ``(err, address, family, host)`` for each address of the host's
                                                                name, or with the error
    'connectionAttempt'        ``(address, port, family)``      before each connect(2); a unix path
                                                                has neither port nor family
    'connectionAttemptFailed'  ``(address, port, family, err)`` an attempt failed
    'connectionAttemptTimeout' ``(address, port, family)``      an attempt had its time; the next
                                                                begins beside it
    'connect'                  ``()``                           connected, as the program had asked
    'ready'                    ``()``                           right after 'connect'
    'data'                     ``(chunk)``                      ``bytes``, ``str`` with an encoding
    'readable'                 ``()``                           ``read()`` may return something
    'end'                      ``()``                           the peer ended, all was consumed
    'drain'                    ``()``                           the write queue became empty
    'prefinish', 'finish'      ``()``                           ended: all sent, and the FIN
    'timeout'                  ``()``                           idle for the time of ``set_timeout``
    'error'                    ``(err)``                        at most once; 'close' follows
    'close'                    ``(had_error)``                  once, last
    'pause'                    ``()``                           ``pause()`` was called
    'resume'                   ``()``                           data flows again
    'pipe'                     ``(source)``                     something is piped into this socket
    'unpipe'                   ``(source)``                     … or no longer
    ========================== ================================ ====================================
    """

    __slots__ = (
        '_blocking', '_blocking_user', '_connector', '_counter', '_lingering', '_owner',
        '_remote', '_settings', 'opened_at',
    )

    opened_at: float

    def __init__(self, given: Any = None, **keywords: Unpack[SocketKeywords]) -> None:
        """Make a socket; it has no connection yet, unless *fd* is given.

        Args:
            given: options as a mapping, in either spelling; the same can be given as keywords. A
                number is ``fd``; anything else is ignored, as in Node.
            allow_half_open: keep the writing half open when the peer has ended; False by default.
            high_water_mark: bytes buffered in each direction before reading stops, or ``write()``
                returns False; 65536 by default. ``readable_high_water_mark`` and
                ``writable_high_water_mark`` set one side.
            no_delay: switch Nagle's algorithm off, once connected (False).
            keep_alive: have the kernel probe the idle connection (False).
            keep_alive_initial_delay: milliseconds before its first probe (0: the system's default).
            type_of_service: as of :meth:`set_type_of_service`.
            encoding: as of :meth:`set_encoding`.
            default_encoding: as of :meth:`set_default_encoding`.
            signal: a :class:`gevent.event.Event`, or what else has ``rawlink``: set means
                ``destroy()`` with an ``AbortError``. One that is set already lets nothing connect.
            block_list: a :class:`gnet.BlockList` of addresses that must not be connected to.
            onread: a mapping of ``buffer``, something writable or a function that returns such,
                and ``callback(size, buffer)``: what arrives is read into the buffer, which is used
                again when the callback has returned (a function is called each time), and
                `'data'` is not emitted. When it returns False, nothing is read before
                :meth:`resume`.
            fd: the number of a connected descriptor (TCP, unix socket or pipe), which belongs to
                the socket from now on.
            read_timeout: as of :attr:`read_timeout`, in milliseconds; so *write_timeout* and
                *lifetime*.
            max_buffered: as of :attr:`max_buffered`, in bytes.
            readable: False to never read.
            writable: False to never write.

        Raises:
            CodedTypeError, CodedValueError: for an option of the wrong type or value;
                ``ERR_INVALID_FD_TYPE`` for a descriptor that is no stream.
            OSError: ``EEXIST`` when another socket has adopted *fd*.
            TypeError: for a keyword that is no option; in a mapping it is ignored, as in Node.
        """
        check_keywords('Socket', keywords, SOCKET_OPTIONS)
        if not isinstance(given, Mapping):
            given = {'fd': given} if is_number(given) else {}
        chosen = socket_options(snake_options(given, keywords))
        adopted = None if chosen.fd is None else adopt_descriptor(chosen.fd)
        self._make(chosen)
        if adopted is not None:
            remember(adopted.fileno(), self)
            self._adopt(adopted)
            self._apply_options()
        if chosen.signal is not None:
            self._destroy_on(chosen.signal)

    def _make(self, chosen: SocketOptions) -> None:
        loop = get_loop()
        self._prepare(None)
        settings = self._own_settings()
        settings.onread = chosen.onread
        # By its name, as in Sending.
        Duplex.__init__(
            self, loop, self._make_wire(loop), chosen.read_mark, chosen.write_mark,
            allow_half_open=chosen.allow_half_open,
            **({} if chosen.capture_rejections is None else
               {'capture_rejections': chosen.capture_rejections}),
        )
        self._belongs_to_program()
        self._default_encoding = chosen.default_encoding
        settings.block_list = chosen.block_list
        settings.no_delay = chosen.no_delay
        if chosen.keep_alive:
            self.set_keep_alive(True, chosen.keep_alive_seconds * 1000)
        settings.type_of_service = chosen.type_of_service
        settings.limits = chosen.limits
        settings.readable, settings.writable = chosen.readable, chosen.writable
        if chosen.encoding is not None:
            self.set_encoding(chosen.encoding)
        self._close_sides()

    def _be_new(self) -> None:
        Duplex._be_new(self)  # inside: its own class, by its name as above
        self._remote = None
        #: The loop's time, in seconds, when the connection was established.
        self.opened_at = 0.0

    def _prepare(self, counter: Counter | None) -> None:
        self._counter = counter
        self._owner: Any = None
        self._blocking_user = BlockingUser.NOBODY
        self._lingering = None
        self._blocking = NOT_USED
        self._settings = DEFAULTS
        self._connector = None

    def _accepted(
        self, counter: Counter, loop: Loop, sock: Any, remote: Any, high_water_mark: float,
        allow_half_open: bool,
    ) -> None:
        """Be the socket of a connection: what constructors, _prepare() and _open() do, in one step.

        (``tests/sockets/test_accepted.py`` compares.)
        """
        # of EventEmitter
        self._capture_rejections = captures = of_emitters.capture_rejections
        self._plain_emit = not captures
        self._events = {}
        self._max_listeners = self._EventEmitter__warned = None
        # of Delivery
        self._loop = loop
        self._stage = CONNECTED
        self._errored = None
        self._read_mark = self._write_mark = high_water_mark
        self._flow = UNDECIDED
        self._read_state = NOT_ENDED
        self._turns = self._buffer = self._decoder = self._pipes = None
        self._length = 0
        self._did_read = self._explicitly_paused = self._resume_pending = False
        self._readable_wanted = self._readable_pending = self._readable_listened = False
        # of Sending
        self.allow_half_open = allow_half_open
        self._write_state = WRITABLE
        self._queue = self._held = self._in_flight = self._end_callbacks = None
        self._begun = self._queued_units = self._queued_bytes = self._bytes_sent = 0
        self._corked = self._pending_callbacks = 0
        self._needs_drain = self._ended_first = False
        self._default_encoding = 'utf8'
        # of this class
        self._counter = counter
        self._remote = remote
        self._owner = self._lingering = self._connector = None
        self._blocking_user = _NOBODY
        self._blocking = NOT_USED
        self._settings = DEFAULTS
        self._wire = DescriptorWire(loop, self, sock)
        self.opened_at = loop.now()

    def __repr__(self) -> str:
        peer = self.remote_address
        where = f' {peer}:{self.remote_port}' if peer is not None else ''
        return f'<gnet.{type(self).__name__}{where} {self.ready_state}>'

    def capture_rejection(self, error: BaseException, event: Any, *args: Any) -> None:
        """Destroy the socket with the failure of a greenlet that a listener returned.

        Called with ``capture_rejections`` only, in a greenlet of its own. May be overridden.
        """
        self.destroy(error)

    # --- closing ----------------------------------------------------------------------------------

    def reset_and_destroy(self) -> Any:
        """Destroy, and have the peer see a reset (RST); returns the socket. TCP only.

        Raises:
            CodedTypeError: ``ERR_INVALID_HANDLE_TYPE`` for a unix socket.
        """
        sock = self._wire.sock
        if sock is None:
            if self._stage is NEW:
                self.destroy(coded_errors.state_error('ERR_SOCKET_CLOSED'))
            if self._connector is not None and self._connector.is_local:
                raise coded_errors.invalid_handle_type()
            if self._stage is CONNECTING:
                self.once('connect', self._reset_when_connected)
            return self
        if sock.family not in TCP_FAMILIES:
            raise coded_errors.invalid_handle_type()
        reset_on_close(sock)
        return self.destroy()

    def _reset_when_connected(self) -> None:
        # As in Node, perhaps another connection than was meant, which had failed: a unix one even.
        sock = self._wire.sock
        if sock is not None and sock.family not in TCP_FAMILIES:
            self.destroy()
        else:
            self.reset_and_destroy()

    def destroy(self, error: Any = None) -> Any:
        loop = self._loop
        if get_ident() != loop.thread and not loop.is_forsaken:
            loop.check_thread()
        settings = self._settings
        if settings is not DEFAULTS:
            settings.request = None
        if self._stage is not CONNECTED and self._stage in GONE:
            return self
        connector, self._connector = self._connector, None
        if connector is not None:
            connector.abandon()
        if settings is not DEFAULTS:
            if settings.signal is not None:
                settings.signal.unlink(self._aborted)
            if settings.watch is not None:
                self._watch_no_more()
        if self._lingering is not None:
            self._stop_lingering()
        if self._blocking.limit is not None:
            self._blocking.drop_limit()
        _destroy_stream(self, error)
        if self._counter is not None:
            self._counter.destroyed(self)
        return self

    destroy.__doc__ = Addressed.destroy.__doc__

    def _forsake(self) -> None:
        # Not what a subclass has made of destroy(): none of the program's code runs now.
        Socket.destroy(self, coded_errors.state_error('ERR_FORKED_PROCESS'))

    def _emit_close(self, had_error: bool) -> None:
        if (
            'close' not in self._events and self._plain_emit
            and self._settings.request is None and not self._begun and not has_subscribers()
        ):
            self._stage = CLOSED  # most often: nobody is told
            return
        told = None
        if self.opened_at and has_subscribers():
            # Taken now: a listener may connect again.
            told = (
                self.server, self, self._wire.bytes_read, self._bytes_sent,
                self._loop.now() - self.opened_at, self._errored, self._ended_by(),
            )
        try:
            super()._emit_close(had_error)
        finally:
            if told is not None:
                lifecycle.publish(lifecycle.ConnectionClosed, *told)
            settings = self._settings
            request = settings.request
            if request is not None:
                settings.request = None
                if self._stage is CLOSED:
                    self._connect(request)

    def _ended_by(self) -> lifecycle.EndedBy:
        if self._errored is not None:
            return lifecycle.EndedBy.ERROR
        is_peer = self._wire.ended and not self._ended_first
        return lifecycle.EndedBy.PEER if is_peer else lifecycle.EndedBy.HERE

    # --- life of the program ----------------------------------------------------------------------

    def ref(self) -> Any:
        """Let this socket keep the program alive while it is open (the default); returns it."""
        return self._refer(True)

    def unref(self) -> Any:
        """Let the program end although this socket is open; returns it."""
        return self._refer(False)

    def _refer(self, ref: bool) -> Any:
        self._wire.set_ref(ref)
        return self

    @property
    def __gnet_loop__(self) -> Any:
        """For ``gnet.call_from_thread()``."""
        loop: Loop = self._loop
        return loop

    @property
    def _handle(self) -> Any:
        """The socket of the system while there is a connection, else None."""
        return self._wire.sock

    # --- properties -------------------------------------------------------------------------------

    @property
    def buffer_size(self) -> int | None:
        """The older name of :attr:`writable_length`; None where no connection is, or is made."""
        connected = self._wire.sock is not None or self._connector is not None
        return self._queued_units if connected else None

    @property
    def server(self) -> Any:
        """The server that accepted this connection, in this process; else None."""
        return None if self._counter is None else self._counter.server

    #: Node has it under this name as well.
    _server = server

    @property
    def bytes_read(self) -> int:
        """Bytes taken from the kernel so far, those still buffered included."""
        read: int = self._wire.bytes_read
        return read

    @property
    def connecting(self) -> bool:
        """Whether a connection is being made."""
        return self._stage is CONNECTING

    @property
    def pending(self) -> bool:
        """Whether there is no connection (yet, or any more)."""
        return self._stage not in (CONNECTED, FAILED)

    @property
    def ready_state(self) -> str:
        """``'opening'``, ``'open'``, ``'readOnly'``, ``'writeOnly'`` or ``'closed'``."""
        if self.connecting:
            return 'opening'
        return _READY_STATES[self.readable, self.writable]


keep_to_thread(Socket, attrgetter('_loop'), asking=ASKING)


def accept(
    counter: Counter, loop: Loop, sock: Any, remote: Any, high_water_mark: float,
    allow_half_open: bool, paused: bool, made: Any = None, wire: Any = None,
) -> Socket:
    """Make the socket of a connection that was accepted.

    Args:
        counter: who counts it, as a server its connections.
        loop: the loop of this thread.
        sock: the connected, non-blocking socket of the system.
        remote: the peer's name.
        high_water_mark: bytes, in each direction.
        allow_half_open: as the option.
        paused: read nothing before ``resume()`` or a read (``pause_on_connect``).
        made: the socket, of a class of its own, whose constructor was not called; by default a
            plain one, on the descriptor.
        wire: what carries *made*.
    """
    if type(remote) is tuple and type(remote[0]) is str:
        # Many connections often come from few addresses, which then share the text.
        if len(remote) == 2:
            host, port = remote
            remote = intern(host), port
        else:
            remote = (intern(remote[0]), *remote[1:])
    if made is None:
        made = _new(Socket)
        # inside: this is the class's own constructor, but for its arguments
        made._accepted(counter, loop, sock, remote, high_water_mark, allow_half_open)
    else:
        Duplex.__init__(made, loop, wire, high_water_mark, allow_half_open=allow_half_open)
        made._prepare(counter)  # inside: as above
        made._remote = remote  # inside: as above
        made._open(sock)  # inside: as above
    if paused:
        made._flow = PAUSED  # inside: as above
    return made  # type: ignore[no-any-return]
