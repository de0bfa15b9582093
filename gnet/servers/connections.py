"""The connections of a server: :class:`Connections` counts them, here and in worker processes.

A server is closed when it does not listen and its last connection has ended, those of worker
processes included. The server emits `'close'` then; who counts tells it when to look.

When an accepted socket is sent to a worker process, the server has one *tracker* for that worker
(Node's ``SocketListSend``), an emitter with

- ``get_connections(callback)``, which calls back with ``(err, count)``;
- ``close(callback)``, which calls back with ``(err)`` when the worker's connections have ended;
- the event `'exit'`: the worker is gone, and so are its connections.

A worker that exits answers nothing more. Node waits for its answer for ever in some cases; here its
`'exit'` is the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol

from gevent.event import AsyncResult

from ..lifecycle import DropReason
from ..loop.loop import Loop
from ..node import coded_errors
from ..node.values import to_number
from ..options.limits import NO_LIMITS, LimitOptions
from ..sockets.ownership import forsake

__all__ = [
    'Connections',
    'Limiter',
    'Place',
    'ask',
]


class Limiter(Protocol):
    """What limits connections, besides their number: see :mod:`gnet.servers.limits`."""

    @property
    def counts_addresses(self) -> bool:
        """Whether :meth:`release` is to be called for each connection."""

    @property
    def is_sharing(self) -> bool:
        """Whether there are too many addresses to know each."""

    def key_of(self, address: str | None) -> int | None:
        """Return by what the peer at *address* is known."""

    def name_of(self, key: int | None) -> str | None:
        """Return that as text."""

    def refuse(self, key: int | None) -> DropReason | None:
        """Return why a connection of *key* is refused; None: it is counted."""

    def release(self, key: int) -> None:
        """One that was counted has ended."""

    def place_of(self, address: str | None) -> Place | None:
        """Count a connection of the peer at *address* that is there already."""

    def recount(self, sockets: dict[Any, Place | None]) -> None:
        """Count those that are open as the limits are now; their places are set."""


#: In which limits a connection is counted, and as whose.
Place = tuple[Limiter, int]


class Connections:
    """Counts the connections of one server. The `Counter` of the sockets that it has accepted."""

    __slots__ = (
        '_look', '_waiting', 'count', 'drops', 'key', 'limit', 'limit_options', 'limits', 'loop',
        'on_room', 'server', 'sockets', 'trackers', 'were_sent',
    )

    def __init__(self, server: Any, loop: Loop, look: Callable[[], object]) -> None:
        """Begin with none.

        Args:
            server: whose connections they are; in this process.
            loop: where they live. May be set while there are none.
            look: called when there may be none any more, after :attr:`count` has changed.
        """
        self.server: Any = server
        self.loop: Loop = loop
        self._look = look
        #: How many are open in this process, or on their way to another one; while worker
        #: processes are asked whether theirs have ended, one more.
        self.count: int = 0
        #: Those of this process. A dict, as a set grows in steps of four: with 5,000 members it
        #: has 100 bytes for each. With them, where the limits have counted them; None for nowhere.
        self.sockets: dict[Any, Place | None] = {}
        #: One for each worker process that has some.
        self.trackers: list[Any] = []
        #: Whether there was ever one: Node's ``_usingWorkers``.
        self.were_sent: bool = False
        #: By what name other processes know them: Node's ``_connectionKey`` of the server.
        self.key: str | None = None
        #: ``max_connections`` and ``drop_max_connection``, as the program has set them.
        self.limit: Any = None
        self.drops: Any = False
        #: All other limits, as the program has set them, and what enforces them while the server
        #: listens; None if there are none.
        self.limit_options: LimitOptions = NO_LIMITS
        self.limits: Limiter | None = None
        #: Called when there may be room for connections again, while some are passed on.
        self.on_room: Callable[[], object] | None = None
        #: Who is told when the server was closed and there are none.
        self._waiting: list[Callable[[], object]] = []

    # --- room -------------------------------------------------------------------------------------

    def is_full(self) -> bool:
        """Whether there are as many as there may be."""
        return self.limit is not None and self.count >= to_number(self.limit)

    def look_for_room(self) -> None:
        """Tell who passes connections on that there may be room again."""
        if self.on_room is not None:
            self.on_room()

    # --- before there is a socket -----------------------------------------------------------------

    def begin(self, placeholder: Any) -> None:
        """Count *placeholder*, a connection of which it is not known whose it is."""
        self.sockets[placeholder] = None
        self.count += 1

    def succeed(self, placeholder: Any, admit: Callable[[], Any]) -> Any:
        """Give its place to the connection that *admit* returns, or to nobody."""
        place = self.sockets.pop(placeholder)
        if place is not None:
            place[0].release(place[1])  # the limits were set meanwhile, and have counted it
        self.count -= 1
        before = self.count
        try:
            return admit()
        finally:
            if self.count == before:
                self.look_for_room()
                if not self.count:
                    self._look()

    # --- what a socket says: `Counter` ------------------------------------------------------------

    def destroyed(self, sock: Any) -> None:
        """Count *sock* no more."""
        place = self.sockets.pop(sock, None)
        if place is not None:
            place[0].release(place[1])
        self.count -= 1
        if self.on_room is not None:
            self.on_room()
        if not self.count:
            self._look()

    def departed(self, sock: Any) -> None:
        """*sock* is another process's now, which a tracker counts."""
        place = self.sockets.pop(sock, None)
        if place is not None:
            place[0].release(place[1])
        if not self.server.listening:
            # close() did not know that it goes there. A tick: it must be on its way before that
            # process is asked; until then it counts here.
            self.loop.tick(self._departed_after_close)
            return
        self.count -= 1
        if self.on_room is not None:
            self.on_room()

    def _departed_after_close(self) -> None:
        self.count -= 1
        self.run_out()  # that process may be gone, or was when it was sent

    def returned(self, sock: Any) -> None:
        """The other process never had *sock*."""
        limits = self.limits
        self.sockets[sock] = None if limits is None else limits.place_of(sock.remote_address)
        self.count += 1

    def enforce(self, limits: Limiter | None) -> None:
        """Have *limits* from now on, in which those that are open are counted, too."""
        self.limits = limits
        if limits is not None:
            limits.recount(self.sockets)

    # --- the end ----------------------------------------------------------------------------------

    def run_out(self) -> None:
        """The server does not listen any more: look whether there are none, in workers, too."""
        if not self.trackers:
            self._look()
            return
        self.count += 1  # until all have answered, this keeps 'close' back

        def closed() -> None:
            self.count -= 1
            self._look()

        # A worker that fails to answer has no connections left, either.
        ask(self.trackers, 'close', lambda _error, _value: None, closed)

    def when_drained(self, callback: Callable[[], object]) -> None:
        """Call back when `'close'` was emitted and there are none, until :meth:`forget`."""
        self._waiting.append(callback)

    def forget(self, callback: Callable[[], object]) -> None:
        """Undo one :meth:`when_drained`."""
        self._waiting.remove(callback)

    def closed(self) -> None:
        """`'close'` was emitted. It may be a late one: others may have been accepted since."""
        if not self.count:
            for callback in self._waiting:
                callback()

    def forsake(self) -> None:
        """In a forked child: close the copies of all connections, and count none."""
        for sock in list(self.sockets):
            forsake(sock)
        self.count = 0
        self.trackers.clear()

    # --- worker processes -------------------------------------------------------------------------

    def track(self, tracker: Any) -> None:
        """Count those that a worker process has, until it exits."""
        self.were_sent = True
        self.trackers.append(tracker)

        def exited(*_status: object) -> None:
            if tracker in self.trackers:
                self.trackers.remove(tracker)

        tracker.once('exit', exited)

    def total(self) -> int:
        """Return how many there are everywhere; blocks while worker processes are asked."""
        if not self.trackers:
            return self.count
        answer: Any = AsyncResult()

        def settle(error: BaseException | None, count: int | None) -> None:
            if error is not None:
                answer.set_exception(error)
            else:
                answer.set(count)

        self.count_everywhere(settle)
        total: int = answer.get()
        return total

    def count_everywhere(self, settle: Callable[..., object]) -> None:
        """Call ``settle(err, count)``: the sum, or the first error. At once without workers."""
        count = self.count
        if not self.trackers:
            settle(None, count)
            return
        failed = False

        def answered(error: BaseException | None, of_worker: int | None) -> None:
            nonlocal count, failed
            count += of_worker or 0
            if error is not None and not failed:
                failed = True
                settle(error, None)

        def done() -> None:
            if not failed:
                settle(None, count)

        ask(self.trackers, 'get_connections', answered, done)


def ask(
    trackers: Iterable[Any], question: str, answered: Callable[[BaseException | None, Any], object],
    done: Callable[[], object],
) -> None:
    """Ask all *trackers* something; not to be called without any.

    Args:
        trackers: one for each worker process.
        question: the name of the method that asks.
        answered: called for each tracker, once, with ``(err, value)``; *err* is
            ``ERR_CHILD_CLOSED_BEFORE_REPLY`` if the worker exited without an answer.
        done: called when all have answered.
    """
    waiting = list(trackers)

    def put(tracker: Any) -> None:
        def answer(error: BaseException | None = None, value: Any = None) -> None:
            if tracker not in waiting:
                return
            waiting.remove(tracker)
            tracker.off('exit', exited)
            answered(error, value)
            if not waiting:
                done()

        def exited(*_status: object) -> None:
            answer(coded_errors.state_error('ERR_CHILD_CLOSED_BEFORE_REPLY'))

        tracker.once('exit', exited)
        getattr(tracker, question)(answer)

    for tracker in list(waiting):
        put(tracker)
