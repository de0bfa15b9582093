"""What a worker's server has as ``_handle`` when the primary accepts for it."""

from __future__ import annotations

import socket as _stdlib
from collections.abc import Callable
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from ..addresses.ends import FAMILIES, Ends
from ..lifecycle import DropReason
from ..servers.acceptor import own_limits
from .counted import Counted

if TYPE_CHECKING:
    from ..options.limits import LimitOptions
    from ..servers.acceptor import Counting
    from ..servers.connections import Limiter
    from ..servers.gate import Gate

__all__ = [
    'Distributed',
    'PrimaryListener',
]


class Side(Protocol):
    """The way to the primary."""

    def send(self, act: str, **fields: Any) -> None:
        """Send it a message."""


class PrimaryListener:
    """Where the primary listens: as much of a `Listener` as there is here.

    Args:
        family: 4, 6, or 0 for unix sockets.
        name: the primary's name of the socket.
        key: the server's ``_connection_key``.
        path: the path of a unix socket, as the server was given it.
        close: called when the server is closed.
    """

    def __init__(
        self, family: Any, name: Any, key: str, path: str | None, close: Callable[[], None],
    ) -> None:
        self.socket: _Name = _Name(family, name)
        self.key = key
        self.path = path
        self.close = close


class _Name:
    """A socket without descriptor: it has a name and no more."""

    def __init__(self, family: Any, name: Any) -> None:
        self.family: int = FAMILIES.get(family, _stdlib.AF_UNIX)
        self._name = name

    def getsockname(self) -> Any:
        return None if self._name is None else tuple(self._name)

    @staticmethod
    def fileno() -> int:
        return -1


class _Place(Enum):
    """Where a server stands that gets its connections from the primary."""

    NEW = 'not yet started'
    OPEN = 'connections may come'
    CLOSED = 'none come any more'


#: Which may follow which.
FOLLOWS: dict[_Place, set[_Place]] = {
    _Place.NEW: {_Place.OPEN, _Place.CLOSED},
    _Place.OPEN: {_Place.CLOSED},
    _Place.CLOSED: set(),
}


class Distributed:
    """Stands for the primary's listener: what a server has in the place of an ``Acceptor``."""

    def __init__(
        self, number: int, intake: Counting, listener: PrimaryListener, side: Side,
        limits: LimitOptions,
    ) -> None:
        self._number = number
        #: What the primary knows of the server's limits.
        self._limits = limits
        self._counted = Counted(side)
        #: Who gets the connections.
        self.intake = intake
        self.listener = listener
        self.socket: _Name = listener.socket
        self._side = side
        self._loop = intake.connections.loop
        self._place = _Place.NEW
        self._ref = True

    @property
    def started(self) -> bool:
        """Whether it keeps the program alive, if it has a ref."""
        return self._place is _Place.OPEN

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._place is _Place.CLOSED

    def start(self) -> None:
        """Keep the program alive from now on, unless :meth:`set_ref` says no."""
        self._place = _Place.OPEN
        if self._ref:
            self._loop.hold()

    def close(self) -> None:
        """Take no more connections."""
        if self.closed:
            return
        held = self.started and self._ref
        self._place = _Place.CLOSED
        if held:
            self._loop.release()
        self.intake.connections.on_room = None
        self.listener.close()

    def set_ref(self, ref: bool) -> None:
        """Say whether this keeps the program alive."""
        if ref is not self._ref:
            self._ref = ref
            if self.started:
                (self._loop.hold if ref else self._loop.release)()

    def has_ref(self) -> bool:
        """Return whether this keeps the program alive while it is open."""
        return self._ref

    def set_gate(self, gate: Gate | None) -> None:
        """Connections beyond ``max_connections`` wait in the primary in any case."""

    def limiter(self, options: LimitOptions, before: Limiter | None) -> Limiter | None:
        """Have the primary limit the connections; return what counts those of this process.

        Where they come from proxies, the primary does not know whose they are: each process limits
        its own then.
        """
        if self.intake.reads_headers:
            return own_limits(self._loop, options, before)
        if options != self._limits:
            self._limits = options
            self._side.send('limit', id=self._number, limits=list(options))
        return self._counted if options.are_any else None

    def take(self, sock: Any, counted: int | None = None) -> bool:
        """Give the server a connection; return False if it has no room.

        Args:
            sock: the connection.
            counted: its number, if the primary is to be told when it has ended.
        """
        intake = self.intake
        connections = intake.connections
        if connections.is_full() and not connections.drops:
            connections.on_room = self._look_for_room
            return False
        try:
            remote = sock.getpeername()
        except OSError:
            remote = None  # it has reset the connection; who it was is not known any more
        if counted is not None and not intake.reads_headers:
            self._counted.offer(counted)
            connections.limits = self._counted  # also where another worker's server has the limits
        try:
            connection = intake.admit(sock, remote)
        except BaseException as error:
            sock.close()
            self._loop.report(intake.server, error)
        else:
            if connection is not None:
                handlers = self._loop.handlers
                self._loop.from_hub(partial(handlers.call, intake.serve_later, connection))
        finally:
            if counted is not None:
                if intake.reads_headers:
                    self._counted.release(counted)  # another worker's server has the limits
                self._counted.withdraw()
        return True

    def dropped(self, reason: str, ends: list[Any] | None, network: str | None) -> None:
        """The primary has refused a connection, for the limits of the server."""
        self.intake.dropped(
            None if ends is None else Ends(*ends), DropReason[reason], network)

    def _look_for_room(self) -> None:
        """There may be room again."""
        connections = self.intake.connections
        if not connections.is_full() or connections.drops:
            connections.on_room = None
            self._side.send('room', id=self._number)
