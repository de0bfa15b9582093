"""The greenlets of `'connection'` listeners, which are used again where nobody can tell.

A listener has a greenlet of its own: what it leaves there (``gevent.local``, a link, a timeout) is
for its connection alone, and who kept it by ``getcurrent()`` may join or kill it at any time. But a
new greenlet costs 10-17 us, and on CPython 3.11+ a mapping of memory made and given back. So one
whose listener has returned, and to which nothing and nobody refers any more, waits for the next
connection instead of ending.
"""

from __future__ import annotations

from collections.abc import Callable
from sys import getrefcount
from typing import Any
from weakref import getweakrefcount

from gevent import Greenlet

__all__ = ['MAX_IDLE_HANDLERS', 'Handler', 'Handlers']

#: Greenlets that wait for a connection. Each has some 20 KB, so this is less than 1 MB, and as many
#: as there are handlers in one loop turn of a busy server.
MAX_IDLE_HANDLERS = 32


class Handler(Greenlet):  # type: ignore[type-arg]  # not subscriptable at run time
    """A greenlet that makes one call after another, each as if it were made for it."""

    __slots__ = ('_gnet_hub', '_gnet_idle', '_gnet_task')

    def __init__(self, hub: Any, idle: list[Handler]) -> None:
        super().__init__()
        self._gnet_hub = hub
        self._gnet_idle = idle
        self._gnet_task: tuple[Callable[[Any], object], Any] | None = None

    def is_idle(self) -> bool:
        """Return whether it waits for a connection."""
        return self in self._gnet_idle

    def _run(self) -> None:
        hub, idle = self._gnet_hub, self._gnet_idle
        locals_of_tree = self.spawn_tree_locals
        # Those of a greenlet that was just switched to, one of which is the switching's: there is
        # always one of that kind while it runs.
        references = getrefcount(self)
        while True:
            task, self._gnet_task = self._gnet_task, None
            assert task is not None
            call, argument = task
            # One argument, and not "*arguments": CPython 3.11+ makes such a call without going down
            # the C stack, of which greenlet keeps a copy for each greenlet that is blocked.
            call(argument)  # what it raises ends this greenlet, as any other
            if (
                len(idle) >= MAX_IDLE_HANDLERS or getrefcount(self) > references
                or self.has_links() or self.__dict__ or getweakrefcount(self)
                or self.spawn_tree_locals is not locals_of_tree
            ):
                return
            # What waits must not keep alive what it did last.
            task = call = argument = None  # type: ignore[assignment]
            if self.gr_context is not None:
                self.gr_context = None
            idle.append(self)
            hub.switch()


class Handlers:
    """The handlers of one loop."""

    def __init__(self, hub: Any) -> None:
        self._hub = hub
        self._idle: list[Handler] = []

    def make(self) -> Handler:
        """Return a new one."""
        return Handler(self._hub, self._idle)

    def idle(self) -> list[Handler]:
        """Return those that wait for a connection."""
        return [*self._idle]

    def call(self, function: Callable[[Any], object], argument: Any) -> None:
        """Call *function* in a greenlet of its own, which runs now; to be called in the hub.

        Returns when the function has, or blocks.
        """
        idle = self._idle
        while idle:
            handler = idle.pop()
            if not handler.dead:  # killed by somebody who has found it, with the gc module say
                break
        else:
            handler = self.make()
        handler._gnet_task = (function, argument)
        handler.switch()
