"""Whom a server lets in, and how many it has: what of it may be set and asked at any time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..events.guarded import Guarded
from ..node.threads import get_ident
from ..node.validators import validate_function
from ..options import shared
from .connections import Connections
from .intake import Intake

if TYPE_CHECKING:
    from ..addresses.block_list import BlockList

__all__ = [
    'Admitting',
]


class Admitting(Guarded):
    """Who is let in, and how many there are. Without state of its own: :class:`gnet.Server` has it.

    Its other limits are in :mod:`gnet.servers.limiting`.
    """

    __slots__ = ()

    _counter: Connections
    _intake: Intake
    _handle: Any
    _call: Any

    # --- whose thread it is -----------------------------------------------------------------------

    def _is_free(self) -> bool:
        """Whether it neither listens nor has connections: it belongs to no thread then.

        It is used in whatever thread it is to listen in; but not in a forked child of that.
        """
        counter = self._counter
        return not (
            counter.loop.is_forsaken or self._handle is not None or self._call is not None
            or counter.count)

    def _check_thread(self) -> None:
        """Raise where it belongs to another thread. Its methods have that around them."""
        loop = self._counter.loop
        if get_ident() != loop.thread and not self._is_free():
            loop.check_thread()

    # --- what may be set --------------------------------------------------------------------------

    @property
    def max_connections(self) -> Any:
        """Connections at which further ones are dropped; None (the default) for no limit.

        They wait instead where ``max_connections_policy`` says so.

        May be changed any time; connections that exist are not closed. Compared as in JavaScript:
        ``False`` is 0, ``'1'`` is 1, and NaN is no limit. A worker of a cluster passes further ones
        on to other workers instead; if all are full, they wait.
        """
        return self._counter.limit

    @max_connections.setter
    def max_connections(self, value: Any) -> None:
        self._check_thread()
        self._counter.limit = value
        self._counter.look_for_room()

    @property
    def drop_max_connection(self) -> Any:
        """In a worker of a cluster: drop beyond ``max_connections`` instead of passing on."""
        return self._counter.drops

    @drop_max_connection.setter
    def drop_max_connection(self, value: Any) -> None:
        self._check_thread()
        self._counter.drops = value
        self._counter.look_for_room()

    @property
    def block_list(self) -> BlockList | None:
        """The :class:`gnet.BlockList` of peers that are refused silently, or None. May be changed.

        Raises:
            CodedTypeError: ``ERR_INVALID_ARG_TYPE`` when it is set to something else. (Node notices
                at the next connection, and ends the process.)
        """
        return self._intake.block_list

    @block_list.setter
    def block_list(self, value: BlockList | None) -> None:
        self._check_thread()
        self._intake.block_list = shared.block_list({'block_list': value})

    # --- counting ---------------------------------------------------------------------------------

    def get_connections(self, callback: Callable[[Any, Any], object] | None = None) -> Any:
        """Count the open connections, those that were sent to worker processes included.

        Args:
            callback: called with ``(err, count)`` on a tick; the server is returned. Without one,
                the call blocks for as long as workers take to answer, and returns the count.

        Raises:
            CodedTypeError: ``ERR_INVALID_ARG_TYPE`` for a callback that is none.
        """
        if callback is None:
            return self._counter.total()
        settle = validate_function('callback', callback)
        # On a tick: a callback that blocks must not hold up the channel that has the answer.
        tick, call = self._counter.loop.tick, self._call_guarded
        self._counter.count_everywhere(lambda *answer: tick(call, settle, *answer))
        return self

    def _setup_worker(self, socket_list: Any) -> None:
        """Count the connections that a worker process has, from now until it exits.

        Args:
            socket_list: an emitter with ``close(callback)``, which calls back when the worker's
                connections have ended, ``get_connections(callback)``, which calls back with
                ``(err, count)``, and the event `'exit'`.
        """
        self._counter.track(socket_list)

    @property
    def _connections(self) -> int:
        return self._counter.count

    @property
    def _connection_key(self) -> str | None:
        return self._counter.key

    @property
    def _using_workers(self) -> bool:
        return self._counter.were_sent

    @property
    def _workers(self) -> list[Any]:
        return self._counter.trackers
