"""Two sockets that are connected with each other: over the kernel, or in memory."""

from __future__ import annotations

import socket
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any
from weakref import ref

import gevent

from ..node import coded_errors
from ..node.keywords import check_keywords
from ..node.originals import original
from ..options.socket import SOCKET_OPTIONS
from ..sockets.ownership import fail, hand_over
from ..sockets.socket import Socket
from .clock import Clock, clock_of
from .memory_descriptor import connected_descriptors
from .memory_wire import MemorySocket
from .waiting import settle

__all__ = ['MemoryPair', 'connected_pair', 'memory_pair']

_LOOPBACK = {'ipv4': (socket.AF_INET, '127.0.0.1'), 'ipv6': (socket.AF_INET6, '::1')}

#: Bytes that a connection in memory holds in each direction: as much as a read gets at most.
_CAPACITY = 65536


@contextmanager
def connected_pair(family: str = 'ipv4', **options: Any) -> Iterator[tuple[Socket, Socket]]:
    """Give two :class:`gnet.Socket` objects that are connected by the kernel::

        with gnet.testing.connected_pair() as (left, right):
            left.sendall(b'hello')
            assert right.recv(5) == b'hello'

    Both are the test's own, as if it had connected them; both are destroyed at the end.

    Args:
        family: ``'ipv4'``, ``'ipv6'`` (over the loopback) or ``'unix'``.
        options: of :class:`gnet.Socket`, for both.

    Raises:
        CodedTypeError: ``ERR_INVALID_ARG_VALUE`` for another family.
        OSError: this machine has none of that family.
    """
    ends: list[Socket] = []
    try:
        for plain in _plain_pair(family):
            ends.append(Socket.from_socket(plain, **options))
        yield ends[0], ends[1]
    finally:
        for end in ends:
            end.destroy()
        settle()


def _plain_pair(family: str) -> tuple[Any, Any]:
    """Return two connected sockets of the standard library."""
    plain_socket: Any = original('socket', 'socket')
    if family == 'unix':
        return socket.socketpair()
    if family not in _LOOPBACK:
        raise coded_errors.invalid_arg_value('family', family, "must be 'ipv4', 'ipv6' or 'unix'")
    number, host = _LOOPBACK[family]
    listener = plain_socket(number)
    try:
        listener.bind((host, 0))
        listener.listen(1)
        client = plain_socket(number)
        # The kernel answers by itself: this does not wait for accept().
        client.connect(listener.getsockname())
        descriptor, _ = listener._accept()
        return client, plain_socket(number, fileno=descriptor)
    finally:
        listener.close()


class _InTest:
    """Who counts a connection that no server has accepted."""

    server = None

    def destroyed(self, sock: Any) -> None:
        """There is nothing to count."""

    departed = returned = destroyed


class _Giving:
    """Gives the server's end of a pair to the handler of a test."""

    def __init__(self, pair: MemoryPair, handler: Callable[[Any], object]) -> None:
        # Not the pair itself: a handler that waits would keep it alive.
        self._pair = ref(pair)
        self._handler = handler

    def emit(self, event: Any, sock: Socket) -> None:
        self._handler(sock)

    def failed(self, event: str, sock: Any, error: BaseException) -> None:
        pair = self._pair()
        if pair is not None:
            pair.failure = error
        fail(sock, error)


class MemoryPair:
    """A connection in memory: what :func:`memory_pair` returns. It can be unpacked into both ends.

    One that nobody refers to any more, and that was not closed, lets its clock go, with a
    ``ResourceWarning``: time would stand still for all that comes after.

    Attributes:
        client: the :class:`gnet.Socket` that has connected, as it were.
        server: the other one; if there is a handler, the one that this was given.
        clock: the :class:`Clock` of both, and of all other sockets of this thread.
        failure: what the handler has raised; None if it did not.
    """

    def __init__(
        self, handler: Callable[[Socket], object] | None, *, server_options: dict[str, Any],
        client_options: dict[str, Any], capacity: int, piece: int | None, server_name: Any,
        client_name: Any,
    ) -> None:
        self._is_open = False
        self.failure: BaseException | None = None
        self.clock: Clock = clock_of()
        self.clock.__enter__()
        ends = connected_descriptors(client_name, server_name, capacity, piece)
        made: list[Socket] = []
        try:
            made.append(MemorySocket(client_options, ends[0]))
            made.append(MemorySocket(
                server_options, ends[1], None if handler is None else _InTest()))
        except BaseException:
            for sock in made:
                sock.destroy()
            self.clock.__exit__(None, None, None)
            raise
        self.client: Socket = made[0]
        self.server: Socket = made[1]
        self._is_open = True
        self._handler: gevent.Greenlet[..., Any] | None = None
        if handler is not None:
            giving = _Giving(self, handler)
            self._handler = gevent.spawn(hand_over, self.server, giving, 'connection', giving)
        settle()

    def __iter__(self) -> Iterator[Socket]:
        return iter((self.client, self.server))

    def __enter__(self) -> MemoryPair:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, '_is_open', False):  # not where arguments were missing
            self._is_open = False
            # (The ends are left alone: whoever has unpacked them may be using them.)
            self.clock.forgotten()
            # (Last, as it may raise.)
            warnings.warn(f'unclosed {self!r}', ResourceWarning, stacklevel=2, source=self)

    def close(self) -> None:
        """Destroy both ends, end the handler, and let the time be the real one again.

        Called twice, it does nothing the second time.
        """
        if not self._is_open:
            return
        self._is_open = False
        try:
            self.client.destroy()
            self.server.destroy()
            settle()
            if self._handler is not None:
                self._handler.kill()
        finally:
            self.clock.__exit__(None, None, None)


def memory_pair(
    handler: Callable[[Socket], object] | None = None, *, capacity: int = _CAPACITY,
    piece: int | None = None, client_options: dict[str, Any] | None = None,
    server_name: Any = ('127.0.0.1', 7000), client_name: Any = ('127.0.0.1', 50000),
    **options: Any,
) -> MemoryPair:
    """Return two :class:`gnet.Socket` objects that are connected in memory, and a clock::

        with gnet.testing.memory_pair(handler, read_timeout=60_000) as pair:
            pair.clock.advance(60)
            assert pair.client.recv(100) == b''

    No descriptor is opened, nothing waits for the kernel, and time-outs come when the test moves
    the clock. Ends, resets and back-pressure are those of TCP over the loopback.

    Args:
        handler: is given the server's end, as by a server: in a greenlet of its own, after which
            the connection is ended if it was used by blocking names. By default both ends are the
            test's own.
        capacity: bytes that each direction holds until they are read: then writing waits.
        piece: bytes that a read gets at most; 1 delivers all byte by byte. By default, what there
            is.
        client_options: options of :class:`gnet.Socket` for the client's end.
        server_name: address and port of the server's end, as its ``getsockname()`` has it; four
            values are IPv6.
        client_name: the same of the client's end: the ``remote_address`` that the handler sees.
        options: of :class:`gnet.Socket`, for the server's end.

    Raises:
        ValueError: *capacity* or *piece* is less than 1.
        CodedTypeError, CodedValueError: an option makes no sense.
        TypeError: a keyword is no option.
    """
    for name, value in (('capacity', capacity), ('piece', 1 if piece is None else piece)):
        if value < 1:
            raise ValueError(f'{name} must be 1 at least, not {value!r}')
    check_keywords('memory_pair', {**options, **(client_options or {})}, SOCKET_OPTIONS - {'fd'})
    return MemoryPair(
        handler, server_options=options, client_options=client_options or {}, capacity=capacity,
        piece=piece, server_name=server_name, client_name=client_name)
