"""A listener of the primary that accepts, and gives its connections to the workers in turn.

The other way to share one is :mod:`gnet.clusters.shared_listener`.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from ..loop.loop import Loop
from ..loop.watchers import close_watcher
from ..servers.acceptor import Acceptor, reset
from ..servers.listener import Listener
from .primary_limits import PrimaryLimits, Told
from .protocol import name_of

if TYPE_CHECKING:
    from ..options.limits import LimitOptions

__all__ = [
    'Recipient',
    'RoundRobin',
    'SeatState',
    'Transfer',
]

_log = logging.getLogger('gnet.cluster')

#: Accepted connections that may wait for a worker. Further ones wait in the kernel's queue, where
#: they cost no descriptor; the backlog bounds that.
MAX_WAITING = 128


class Recipient(Told, Protocol):
    """A worker, as far as listeners know it. Compared by identity."""

    def send_connection(self, handle_id: int, transfer: Transfer) -> None:
        """Send a connection, and call one of the methods of *transfer* in the end."""

#: Seconds after which a worker that had no descriptor for a connection is given one again: it does
#: not know of that connection, and so does not say when it has room.
RETRY_TIME = 0.5

#: Seconds without that after which it is logged again; as the acceptor's.
EPISODE_GAP = 10.0

#: Connections that may be under way to one worker. One that is busy gets few, which is what keeps
#: the load even; but more than one, so that it need not wait for the next at each.
MAX_UNDER_WAY = 4

#: The same while all workers have that many, and more wait: what goes together costs less. One more
#: for each that is answered, so a worker that is stuck gets no more than it had.
MAX_WHEN_BUSY = 16


class SeatState(Enum):
    """Where a worker stands with a listener."""

    OPEN = 'it takes connections'
    FULL = 'it has refused one, and will say when there is room'
    STARVED = 'one did not get through to it; it is tried again after a while'
    LEFT = 'it gets none any more'


#: Which may follow which.
FOLLOWS: dict[SeatState, set[SeatState]] = {
    SeatState.OPEN: {SeatState.OPEN, SeatState.FULL, SeatState.STARVED, SeatState.LEFT},
    SeatState.FULL: {SeatState.OPEN, SeatState.LEFT},
    SeatState.STARVED: {SeatState.OPEN, SeatState.FULL, SeatState.LEFT},
    SeatState.LEFT: {SeatState.LEFT},
}


class _Seat:
    """The place of a worker at a listener."""

    __slots__ = ('limit', 'starved_at', 'state', 'timer', 'under_way', 'worker')

    def __init__(self, worker: Recipient) -> None:
        self.worker = worker
        self.state = SeatState.OPEN
        #: How many connections it has not answered yet.
        self.under_way = 0
        #: How many it may have.
        self.limit = MAX_UNDER_WAY
        #: While it is starved: what opens it again; and when it was starved last, if ever.
        self.timer: Any = None
        self.starved_at: float | None = None


class Transfer:
    """A connection under way. The socket is the primary's until the worker has accepted it.

    Args:
        sock: the connection.
        answered: called once, with where the worker stands from then on.
        ended: to be called when the connection has ended that the worker has accepted; None if
            nobody counts it.
    """

    __slots__ = ('_answered', 'ended', 'sock')

    def __init__(
        self, sock: Any, answered: Callable[[SeatState], object],
        ended: Callable[[], object] | None = None,
    ) -> None:
        self.sock: Any = sock
        self._answered = answered
        self.ended: Callable[[], object] | None = ended

    def accepted(self) -> None:
        """The worker has it."""
        self.sock.close()
        self._answered(SeatState.OPEN)

    def refused(self) -> None:
        """The worker has no room, or no server any more."""
        self._answered(SeatState.FULL)

    def not_received(self) -> None:
        """The worker, which has no descriptors left, does not know of it."""
        self._answered(SeatState.STARVED)

    def failed(self) -> None:
        """The worker is gone, or its channel: its seat is taken away with it."""
        self._answered(SeatState.LEFT)


class _Waiting(NamedTuple):
    """A connection that waits for its turn."""

    number: int
    sock: Any
    #: To be called when it has ended.
    ended: Callable[[], object] | None


class RoundRobin:
    """A listener whose connections are given to workers in turn.

    Whose turn it is: of those with the fewest connections under way, the one who waits longest.
    """

    #: The connections are for servers of other processes (see `Accepting` of ``acceptor``).
    server = None
    accepted_at: float | None = None

    def __init__(self, loop: Loop, handle_id: int, listener: Listener) -> None:
        self._loop = loop
        self.id = handle_id
        #: ``(family, name)`` for the workers.
        self.name: tuple[int, Any] = name_of(listener.socket)
        self._seats: dict[Recipient, _Seat] = {}
        #: The seats, by how many connections are under way to them.
        self._free: list[deque[_Seat]] = [
            deque() for _ in range(max(MAX_UNDER_WAY, MAX_WHEN_BUSY))]
        #: In the order in which they were accepted, by their numbers; with what is to be called
        #: when they have ended, if anything.
        self._waiting: deque[_Waiting] = deque()
        self._last_number = 0
        #: How many are under way, also to workers that have left meanwhile.
        self._under_way = 0
        self._acceptor = _Distributor(loop, listener, self)
        #: Called when nothing is left to be given out, once no more is accepted.
        self._when_finished: Callable[[], object] | None = None
        #: Who may connect: asked here, for all workers together.
        self._limits = PrimaryLimits(loop, handle_id, self.name[1] or listener.path)
        self._is_closed = False
        self._acceptor.start()
        loop.close_in_child(self, RoundRobin._forsake)  # inside: its own

    # --- workers ----------------------------------------------------------------------------------

    def __contains__(self, worker: object) -> bool:
        return worker in self._seats

    @property
    def is_deserted(self) -> bool:
        """Whether no worker is left."""
        return not self._seats

    @staticmethod
    def copy_for(_worker: Recipient) -> Any:
        """Return what the worker listens on itself: nothing."""
        return None

    def add(self, worker: Recipient) -> None:
        """Give connections to *worker*, too; when it has its answer."""
        seat = self._seats[worker] = _Seat(worker)
        self._free[0].append(seat)
        self._distribute()

    def remove(self, worker: Recipient) -> None:
        """Give no more to *worker*. What it has not accepted goes to others."""
        seat = self._seats.pop(worker, None)
        if seat is not None:
            self._take_out(seat)
            seat.state = SeatState.LEFT
            close_watcher(seat.timer)
            self._limits.forget(worker)

    def has_closed(self, worker: Recipient) -> None:
        """*worker* says that it has left."""
        self.remove(worker)

    def has_room(self, worker: Recipient) -> bool:
        """*worker* has room again; return whether it had none."""
        seat = self._seats.get(worker)
        if seat is None or seat.state is not SeatState.FULL:
            return False
        seat.state = SeatState.OPEN
        self._put_in(seat)
        return True

    def finish(self, done: Callable[[], object]) -> None:
        """Free the address, and call *done* when the workers have all that has come until now."""
        if not self._acceptor.closed:
            # One right after the other: what comes in between is reset by the system.
            self._acceptor.accept_last()
            self._acceptor.close()
            self._distribute()
        self._when_finished = done
        self._look_whether_finished()

    def _look_whether_finished(self) -> None:
        done = self._when_finished
        if done is not None and not self._waiting and not self._under_way:
            self._when_finished = None
            done()

    def close(self) -> None:
        """Free the address, and reset what nobody has accepted."""
        self._is_closed = True
        self._acceptor.close()
        for seat in self._seats.values():
            close_watcher(seat.timer)
        while self._waiting:
            reset(self._waiting.popleft().sock)

    def _forsake(self) -> None:
        """In a forked child: close the copies of what waits."""
        while self._waiting:
            self._waiting.popleft().sock.close()

    # --- connections ------------------------------------------------------------------------------

    @property
    def is_congested(self) -> bool:
        """Whether no more should be accepted now."""
        return len(self._waiting) >= MAX_WAITING

    def admit(self, sock: Any, remote: Any) -> None:
        """Take a connection; for the acceptor, in the hub."""
        self.append(sock, remote)
        self._distribute()
        if self.is_congested:
            self._acceptor.stop_accepting()

    def append(self, sock: Any, remote: Any) -> None:
        """Let a new connection wait for its turn, unless a limit refuses it."""
        ended = None
        if self._limits.are_any:
            is_refused, ended = self._limits.decide(sock, remote, self._seats)
            if is_refused:
                return
        self._last_number += 1
        self._waiting.append(_Waiting(self._last_number, sock, ended))

    def limit(self, worker: Recipient, options: LimitOptions) -> None:
        """Have these limits: of the workers that are there, *worker* was the last to say so."""
        self._limits.configure(worker, options)

    def serve(self, sock: Any) -> None:
        raise AssertionError('connections are for the workers')

    def accept_failed(self, error: BaseException) -> None:
        _log.warning('%s', error)  # Node passes over it

    def _distribute(self) -> None:
        waiting = self._waiting
        if not waiting:
            return
        was_congested = self.is_congested
        while waiting:
            seat = self._next_seat()
            if seat is None:
                break
            seat.under_way += 1
            self._under_way += 1
            if seat.under_way < seat.limit:
                self._free[seat.under_way].append(seat)
            next_one = waiting.popleft()
            seat.worker.send_connection(self.id, Transfer(
                next_one.sock, partial(self._answered, seat, next_one), next_one.ended))
        if was_congested and not self.is_congested and self._acceptor.started:
            self._acceptor.start_accepting()

    def _next_seat(self) -> _Seat | None:
        return next((free.popleft() for free in self._free if free), None)

    def _take_out(self, seat: _Seat) -> None:
        """Let it have no turn."""
        if seat.state is SeatState.OPEN and seat.under_way < seat.limit:
            self._free[seat.under_way].remove(seat)

    def _put_in(self, seat: _Seat) -> None:
        """Let it have its turn."""
        if seat.under_way < seat.limit:
            self._free[seat.under_way].append(seat)
            self._distribute()

    def _answered(self, seat: _Seat, sent: _Waiting, state: SeatState) -> None:
        """One that was under way to *seat* is no more, which stands so from now on."""
        self._take_out(seat)
        seat.under_way -= 1
        self._under_way -= 1
        if self._waiting:
            seat.limit = min(seat.limit + 1, MAX_WHEN_BUSY)
        elif seat.limit > MAX_UNDER_WAY:
            seat.limit -= 1
        if seat.state is SeatState.OPEN:
            seat.state = state
            if state is SeatState.OPEN:
                self._put_in(seat)
            elif state is SeatState.STARVED:
                self._starve(seat)
        elif seat.state is SeatState.STARVED and state is SeatState.FULL:
            seat.state = state  # it will say when it has room
        if state is not SeatState.OPEN:
            self._give_back(sent)
        self._look_whether_finished()

    def _starve(self, seat: _Seat) -> None:
        """Let others have its turn for a while."""
        now, last = self._loop.now(), seat.starved_at
        if last is None or now - last >= EPISODE_GAP:
            _log.warning(
                '%r has no descriptors for connections; they go to others, or wait', seat.worker)
        seat.starved_at = now
        if seat.timer is None:
            seat.timer = self._loop.call_after(RETRY_TIME, self._try_again, seat)

    def _try_again(self, seat: _Seat) -> None:
        close_watcher(seat.timer)
        seat.timer = None
        if seat.state is SeatState.STARVED:
            seat.state = SeatState.OPEN
            self._put_in(seat)

    def _give_back(self, sent: _Waiting) -> None:
        if self._is_closed:
            reset(sent.sock)
            return
        # Before those that came later, which may have come back earlier.
        waiting = self._waiting
        place = next(
            (index for index, other in enumerate(waiting) if other.number > sent.number),
            len(waiting))
        waiting.insert(place, sent)
        self._distribute()


class _Distributor(Acceptor):
    """Accepts for a :class:`RoundRobin`."""

    intake: RoundRobin

    #: No listeners are to be waited for.
    in_turn = False

    #: gevent's 100 would overrun MAX_WAITING at a burst.
    max_accept = 16

    def start_accepting(self) -> None:
        """Accept what comes, unless too much waits already (asked after a pause, too)."""
        if not self.intake.is_congested:
            super().start_accepting()

    def accept_last(self) -> None:
        """Accept what waits in the kernel's queue by now, and nothing that comes later."""
        self.stop_accepting()
        for accepted in self.waiting():
            self.intake.append(*accepted)
