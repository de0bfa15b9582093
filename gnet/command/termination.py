"""SIGTERM of a program in one process: it drains, as a worker of ``--workers`` does.

===================  ==============================================================================
the first            nothing is accepted any more, and what is open may finish until the deadline;
                     the rest is cut and counted. Then the program ends when nothing is left to do,
                     with status 0, and is ended a while after the deadline if it does not
the second           what is open is cut, and the program ends at once, with status 0
another one          it dies of it, also where it is stuck
===================  ==============================================================================

A program ends at once, by SIGTERM, if it serves nothing. So does one that was started by another
one (``child_process.fork``, ``gnet.cluster``), which says when it is to end; and one that has
workers of its own, as only the program knows what they need. What a script does about SIGTERM
itself, by ``signal.signal`` or by ``gevent.signal_handler``, takes the place of this.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import ExitStack
from enum import Enum
from types import FrameType
from typing import TYPE_CHECKING, Any

from gevent import getcurrent

from ..loop import running
from ..loop.loop import Loop, get_loop
from ..loop.watchers import close_watcher
from ..processes.inheritance import inherited_channel
from ..servers.draining import Drain, open_servers
from ..servers.internals import connections_of
from ..servers.roster import roster
from .members import KILL_GRACE, counted, say, say_cut

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = [
    'Termination',
]


class Phase(Enum):
    """What the program is about."""

    RUNNING = 'no SIGTERM has come'
    DRAINING = 'it finishes what is open'
    ENDING = 'a second SIGTERM came, or it had its time: what is open is cut'


#: Which may follow which.
FOLLOWS: dict[Phase, set[Phase]] = {
    Phase.RUNNING: {Phase.DRAINING},
    Phase.DRAINING: {Phase.ENDING},
    Phase.ENDING: set(),
}


class Termination:
    """While a program runs in this block, SIGTERM is dealt with."""

    def __init__(self, drain_timeout: float) -> None:
        """Prepare it.

        Args:
            drain_timeout: seconds that connections have to finish.
        """
        self._drain_timeout = drain_timeout
        self._process = os.getpid()
        self._phase = Phase.RUNNING
        #: None until there is a server.
        self._loop: Loop | None = None
        self._overdue: Any = None
        #: How many connections the second SIGTERM has cut.
        self._cut = 0
        self._undo = ExitStack()

    def __enter__(self) -> Self:
        # (A worker of a cluster has a channel, too.)
        is_own = inherited_channel is None
        if is_own and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            signal.signal(signal.SIGTERM, self._note)
            roster.when_first = self._will_listen
        return self

    def __exit__(self, *error: object) -> None:
        if os.getpid() != self._process:
            return  # a child that the script has forked: the parent's watchers are not its own
        roster.when_first = None
        close_watcher(self._overdue)
        self._undo.close()
        if signal.getsignal(signal.SIGTERM) == self._note:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
        if self._cut:
            say(f'{counted(self._cut, "connection")} {"was" if self._cut == 1 else "were"} cut')

    def _will_listen(self) -> None:
        """From now on there is something to be drained, wherever the main greenlet waits."""
        self._loop = get_loop()
        self._undo.enter_context(running.woken_by_signals(self._loop))

    def _note(self, number: int, frame: FrameType | None) -> None:
        """The signal handler. Python calls it in any frame."""
        loop = self._loop
        if loop is None or os.getpid() != self._process or self._phase is Phase.ENDING:
            _die()
        elif self._phase is Phase.DRAINING:
            self._cut = sum(
                len(connections_of(server).sockets) for server in open_servers(loop))
            self._end(loop)
            if getcurrent() is not loop.hub:
                raise SystemExit(0)  # it may be stuck in a listener that never blocks
        elif open_servers(loop) and not _has_workers():
            self._phase = Phase.DRAINING
            loop.from_hub(loop.tick, self._drain, loop)
        else:
            _die()

    def _drain(self, loop: Loop) -> None:
        # (When all have finished nothing is done: there may be other things that the program does.)
        drain = Drain(loop, lambda: None, lambda count: say_cut('', count, self._drain_timeout))
        drain.close(open_servers(loop), accept_rest=True)
        if 'NOTIFY_SOCKET' in os.environ:
            _tell_service(self._drain_timeout)
        # Not before: who comes after this is not accepted any more.
        say(f'SIGTERM: what is open may finish, for {self._drain_timeout:g} s')
        drain.limit(self._drain_timeout)
        seconds = self._drain_timeout + KILL_GRACE
        self._overdue = loop.call_after(seconds, self._is_overdue, loop, seconds)

    def _is_overdue(self, loop: Loop, seconds: float) -> None:
        if self._phase is Phase.DRAINING:
            say(f'the program did not end in {seconds:g} s after SIGTERM and is ended')
            self._end(loop)

    def _end(self, loop: Loop) -> None:
        """Have the main greenlet end the program, as ``sys.exit(0)`` does."""
        self._phase = Phase.ENDING
        if getcurrent() is loop.hub:
            loop.from_hub(loop.main_greenlet.throw, SystemExit(0))


def _has_workers() -> bool:
    """Whether the program has forked workers: not if nobody has asked for ``gnet.cluster``."""
    module = sys.modules.get('gnet.clusters.cluster')
    return module is not None and bool(module.cluster.workers)


def _tell_service(seconds: float) -> None:
    from ..systemd.service import get_service

    service = get_service()
    if service is not None:
        service.stopping(f'what is open may finish, for {seconds:g} s')


def _die() -> None:
    """Do what SIGTERM does by default."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGTERM)
