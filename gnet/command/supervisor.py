"""``python -m gnet --workers N``: one script in several processes, looked after.

The primary runs no code of the program. It starts the workers (:mod:`gnet.clusters`), restarts
those that die, and does what signals ask for:

===========  ==================================================================================
``SIGTERM``  drain: nothing is accepted any more, what is open may finish until the deadline, the
             rest is cut and counted; then it ends with status 0. A second one kills the workers
``SIGINT``   interrupt the workers, kill those that do not end, and die of it
``SIGHUP``   replace the workers one by one. The old one drains as soon as the new one is ready;
             if the new one is never ready, the old ones stay
``SIGUSR1``  sent on to the workers, each of which tells what lives in it, if the script has no
             other use for it
===========  ==================================================================================

The same signals to all processes at once, as from systemd or a terminal, do the same. SIGTERM to a
worker alone has it drain, and another one takes its place.

A worker that ends before any has ever listened is not restarted: with status 0 the script has
simply ended, and with another one it is broken, and so is the whole program.

All that happens (signals, timers, events of workers) goes through one queue to the main greenlet,
so each is dealt with to its end before the next.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from gevent.queue import Queue

from ..clusters import primary_watch
from ..clusters.cluster import ListeningAddress, cluster, primary_side
from ..clusters.news import News
from ..clusters.questions import TURNS
from ..events.emitter import EventEmitter
from ..loop import running
from ..loop.loop import get_loop
from ..loop.watchers import close_watcher
from .announcer import Announcer
from .ending import Ending, Phase
from .members import KILL_GRACE, Member, Role, Seat, counted, say, say_cut, status_of
from .reload import Reload

__all__ = [
    'Supervisor',
]

#: Seconds that a worker has to end whose channel was closed, which it does by itself if it can.
DISCONNECT_GRACE = 1.0

#: Seconds between a worker's SIGTERM and its drain: the primary may be about to hear of a SIGTERM
#: to all, and needs the workers then, for connections that wait. libuv takes up to 0.3 seconds.
GROUP_PAUSE = 0.5


class Supervisor:
    """The primary of ``python -m gnet --workers``."""

    def __init__(
        self, settings: dict[str, Any], count: int, drain_timeout: float,
        environment: dict[str, str] | None = None,
    ) -> None:
        """Prepare it.

        Args:
            settings: for :meth:`gnet.clusters.cluster.Cluster.setup_primary`: what to run, and how.
            count: how many workers.
            drain_timeout: seconds that connections have to finish when their worker is to end.
            environment: what workers have in theirs besides.
        """
        self._loop = get_loop()
        self._primary = primary_side()
        self._settings = settings
        self._drain_timeout = drain_timeout
        self._environment = {primary_watch.SUPERVISED: '1', **(environment or {})}
        self._events: Queue[tuple[Callable[..., None], tuple[Any, ...]]] = Queue()
        self.seats: list[Seat] = [Seat() for _ in range(count)]
        self.members: list[Member] = []
        self._ending = Ending(self, self._primary.listeners, drain_timeout)
        self._reload = Reload(self)
        self._announcer = Announcer(self)
        self._reactions: dict[News, Callable[..., None]] = {
            News.LEAVING: self._leaves, News.TERMINATED: self._terminated,
            News.SERVES_ALONE: self._serves, News.CLOSED: self._closes,
            News.HAS_CUT: self._has_cut,
        }

    def run(self) -> int:
        """Run the program to its end, and return the status to exit with.

        Raises:
            KeyboardInterrupt: after SIGINT, when the workers have ended.
        """
        self._loop.hold()
        try:
            with running.serving(self._loop), self._signals():
                self._announcer.begin()
                self._start()
                while not self._is_over():
                    handle, arguments = self._events.get()
                    handle(*arguments)
        finally:
            self._announcer.end()
            # Something went wrong if there are any left.
            for member in self.members:
                member.signal('SIGKILL')
                close_watcher(member.timer)
            self._ending.over()
            self._loop.release()
        say_cut('', self._ending.cut, self._drain_timeout)
        if self._ending.interrupted:
            raise KeyboardInterrupt
        return self._ending.status

    def _is_over(self) -> bool:
        return not self.members and (
            self._ending.has_begun or all(seat.over for seat in self.seats))

    # --- events -----------------------------------------------------------------------------------

    def put(self, handle: Callable[..., None], *arguments: Any) -> None:
        """Call *handle* in its turn."""
        self._events.put((handle, arguments))

    def after(self, seconds: float, handle: Callable[..., None], *arguments: Any) -> Any:
        """Call *handle* after *seconds*, in its turn; return the timer."""
        return self._loop.call_after(seconds, self.put, handle, *arguments)

    @contextmanager
    def _signals(self) -> Iterator[None]:
        reactions = {
            signal.SIGTERM: self._ending.terminate, signal.SIGINT: self._ending.interrupt,
            signal.SIGHUP: self._reload_all, signal.SIGUSR1: self._signal_on,
        }
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
            del reactions[signal.SIGINT]  # as for any program that a shell starts with "&"

        def note(number: int, frame: FrameType | None) -> None:
            # Python calls this in any frame, also in one of the queue's.
            self._loop.from_hub(self.put, reactions[signal.Signals(number)])

        previous = {number: signal.signal(number, note) for number in reactions}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    # --- starting workers -------------------------------------------------------------------------

    def _start(self) -> None:
        cluster.setup_primary(self._settings)
        # With all workers dead for a moment, connections wait instead of being refused.
        self._primary.listeners.keep(True)
        for seat in self.seats:
            if self.fork(seat, Role.CURRENT) is None:
                self._ending.fail(1)
                return
        pids = ', '.join(str(member.pid) for member in self.members)
        how = (
            'the primary accepts, and gives connections out in turn' if self._primary.in_turn
            else 'they accept from what they share')
        say(f'started {counted(len(self.members), "worker")} ({pids}): {how}')

    def fork(self, seat: Seat, role: Role) -> Member | None:
        """Start a worker; None, after a line about it, if the system cannot."""
        try:
            worker = cluster.fork(self._environment)
        except OSError as error:
            say(f'a worker could not be started: {error}')
            return None
        if worker.process.pid is None:
            say('a worker could not be started')
            worker.on('error', lambda error: say(str(error)))  # comes later
            return None
        member = Member(worker, seat, role, self._reload.generation)
        if role is Role.CURRENT:
            seat.current = member
        self.members.append(member)
        for event, handle in (
            ('online', self._online), ('listening', self._listens),
            ('disconnect', self._disconnected), ('exit', self._exited), ('error', self._failed),
        ):
            EventEmitter.on(worker, event, lambda *arguments, handle=handle: self.put(
                handle, member, *arguments))
        self._primary.look_after(worker, lambda news, *arguments: self.put(
            self._reactions[news], member, *arguments))
        return member

    def _online(self, member: Member) -> None:
        member.online = True
        self._reload.look_whether_ready()

    def _listens(self, member: Member, address: ListeningAddress) -> None:
        member.addresses.add(address)
        self._serves(member)
        self._reload.look_whether_ready()

    def _serves(self, member: Member) -> None:
        """*member* listens, be it by itself (``reuse_port``)."""
        self._ending.serves()
        if member.listening_since is None:
            member.listening_since = self._loop.now()
        self._announcer.listens()

    def ping(self, member: Member) -> None:
        """Have *member* answer, which it does as soon as its hub turns."""
        def answered(_value: object) -> None:
            member.unanswered = 0

        self._primary.ask(member.worker, TURNS, answered)

    def _closes(self, _member: Member) -> None:
        """A server was closed: a new worker may be ready with less."""
        self._reload.look_whether_ready()

    def _failed(self, member: Member, error: BaseException) -> None:
        say(f'worker {member.pid}: {error}')

    # --- workers that end -------------------------------------------------------------------------

    def _terminated(self, member: Member) -> None:
        """*member* was sent SIGTERM."""
        if member in self.members and member.role is Role.CURRENT and member.timer is None and (
            not self._ending.has_begun
        ):
            member.timer = self.after(GROUP_PAUSE, self._leaves, member)
        elif member is self._reload.new:
            self._leaves(member)

    def _leaves(self, member: Member) -> None:
        """*member* was sent SIGTERM, or wants to: it drains. Another one takes its place."""
        if member not in self.members or member.role is Role.RETIRING:
            return
        was_current = member.role is Role.CURRENT
        self.retire(member)
        if was_current and not self._ending.has_begun:
            seat = member.seat
            say(f'worker {member.pid} drains, and is replaced')
            seat.current = None
            seat.timer = self.after(
                seat.restart_delay(member, self._loop.now()), self._start_again, seat)

    def _disconnected(self, member: Member) -> None:
        """The channel of *member* was closed. Mostly this is how its end is heard of."""
        if member.role is Role.RETIRING or member not in self.members or self._ending.has_begun:
            return
        self._limit(member, DISCONNECT_GRACE, 'after its channel was closed')

    def _limit(self, member: Member, seconds: float, since: str) -> None:
        """Kill *member* if it has not ended in *seconds*."""
        close_watcher(member.timer)
        member.timer = self.after(
            seconds, self._overdue, member, f'did not end in {seconds:g} s {since}')

    def _overdue(self, member: Member, what: str) -> None:
        if member in self.members:
            say(f'worker {member.pid} {what} and is killed')
            member.signal('SIGKILL')

    def _exited(self, member: Member, code: int | None, signal_name: str | None) -> None:
        close_watcher(member.timer)
        self.members.remove(member)
        seat = member.seat
        if seat.current is member:
            seat.current = None
        self._announcer.changed()
        how = f'ended with status {code}' if signal_name is None else f'was killed by {signal_name}'
        if self._ending.has_begun:
            if signal_name not in (None, 'SIGKILL', 'SIGTERM', 'SIGINT') or code:
                say(f'worker {member.pid} {how}')
        elif member is self._reload.new:
            self._reload.give_up(f'worker {member.pid} {how} before it was ready')
        elif member.role is Role.RETIRING:
            say_cut(f' of worker {member.pid}', member.cut, self._drain_timeout)
        elif self._ending.phase is Phase.SERVING:
            self.restart(seat, member, f'worker {member.pid} {how}')
        elif code == 0:
            seat.over = True
        else:
            say(f'worker {member.pid} {how} before any had listened')
            self._ending.fail(status_of(code, signal_name))

    def restart(self, seat: Seat, member: Member | None, reason: str) -> None:
        """Start a worker in *seat*, after a while if the last one was not there for long."""
        seat.current = None
        if self._reload.is_for(seat):
            say(f'{reason}; its replacement is on its way')
            return
        delay = seat.restart_delay(member, self._loop.now())
        if delay:
            say(f'{reason}; it is restarted in {delay:g} s')
            seat.timer = self.after(delay, self._start_again, seat)
        else:
            say(f'{reason}; it is restarted')
            self._start_again(seat)

    def _start_again(self, seat: Seat) -> None:
        close_watcher(seat.timer)
        seat.timer = None
        if self._ending.has_begun or seat.current is not None or self._reload.is_for(seat):
            return
        if self.fork(seat, Role.CURRENT) is None:
            self.restart(seat, None, 'no worker was started')

    # --- what lives in them -----------------------------------------------------------------------

    def pids(self) -> list[int]:
        """Return the numbers of the processes that there are."""
        return [member.pid for member in self.members]

    def _signal_on(self) -> None:
        """SIGUSR1: a worker that is stuck tells, too, which no question would reach."""
        # Not to those that have not begun, and would die of it.
        online = [member for member in self.members if member.online]
        say(f'SIGUSR1: sent on to {counted(len(online), "worker")}')
        for member in online:
            member.signal('SIGUSR1')

    def tell_live(self, reply: Callable[[list[dict[str, Any]]], object]) -> None:
        """Answer the control socket, with what the workers say."""
        from ..observing.control import tell_live  # not before somebody asks
        from .inquiry import Inquiry

        workers = {member.pid: member.worker for member in self.members if member.online}
        tell_live(lambda own: Inquiry(
            self._loop, workers, self._primary, 'live', lambda lines: reply([*own, *lines])))

    # --- SIGHUP -----------------------------------------------------------------------------------

    def _reload_all(self) -> None:
        if not self._ending.has_begun:
            self._reload.begin()

    def reloading(self) -> None:
        """The workers are about to be replaced."""
        self._announcer.reloading()

    def reloaded(self) -> None:
        """They were, or it was given up."""
        self._announcer.reloaded()

    def servers_of(self, member: Member) -> int:
        """Return how many listeners *member* shares now."""
        return self._primary.servers_of(member.worker)

    # --- the end ----------------------------------------------------------------------------------

    def stopping(self, phase: Phase) -> None:
        """Nothing is started any more."""
        self._announcer.stopping(phase.value)
        self._reload.forget()
        for seat in self.seats:
            close_watcher(seat.timer)
            seat.timer = None

    def interrupt(self, member: Member) -> None:
        """Have *member* end by SIGINT, in time."""
        member.signal('SIGINT')
        self._limit(member, KILL_GRACE, 'after SIGINT')

    def retire(self, member: Member) -> None:
        """Let *member* finish what is open."""
        member.role = Role.RETIRING
        if member.online:
            self._primary.drain(
                member.worker, self._drain_timeout, accept_rest=self._ending.has_begun)
            seconds = self._drain_timeout + KILL_GRACE
        else:
            member.signal('SIGTERM')  # it has not even begun
            seconds = KILL_GRACE
        self._limit(member, seconds, 'after it was told to')

    def _has_cut(self, member: Member, count: int) -> None:
        member.cut += count
        self._ending.has_cut(count)
