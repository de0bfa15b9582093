"""The greenlets of `'connection'` listeners, which are used again where nobody can tell.

A listener has a greenlet of its own: what it leaves there (``gevent.local``, a link, a timeout) is
for its connection alone, and who kept it by ``getcurrent()`` may join or kill it at any time. But a
new greenlet costs 10-17 us, and on CPython 3.11+ a mapping of memory made and given back. So one
whose listener has returned, and to which nothing and nobody refers any more, waits for the next
connection instead of ending.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from sys import getrefcount
from typing import TYPE_CHECKING, Any
from weakref import getweakrefcount

from gevent import Greenlet

if TYPE_CHECKING:
    _AnyGreenlet = Greenlet[..., Any]
else:
    _AnyGreenlet = Greenlet  # not subscriptable at run time

__all__ = [
    'MAX_IDLE_HANDLERS',
    'Handler',
    'Handlers',
]

#: Greenlets that wait for a connection. Each has some 20 KB, so this is less than 1 MB, and as many
#: as there are handlers in one loop turn of a busy server.
MAX_IDLE_HANDLERS = 32


class Handler(_AnyGreenlet):
    """A greenlet that makes one call after another, each as if it were made for it."""

    # Named as gnet's: the program gets this greenlet, too, and may give it attributes of its own.
    __slots__ = ('gnet_handlers', 'gnet_locals', 'gnet_task')

    #: Of gevent's, which notes ten frames by default, 0.4 KB: a handler's are gnet's and the hub's.
    spawning_stack_limit = 1

    def __init__(self, handlers: Handlers) -> None:
        super().__init__()
        self.gnet_handlers: Handlers = handlers
        self.gnet_locals: dict[str, Any] | None = self.spawn_tree_locals
        self.gnet_task: tuple[Callable[[Any], object], Any] | None = None

    def is_idle(self) -> bool:
        """Return whether it waits for a connection."""
        return self in self.gnet_handlers.idle()

    def _run(self) -> None:
        handlers = self.gnet_handlers
        while True:
            task, self.gnet_task = self.gnet_task, None
            if task is None:
                return
            call, argument = task
            # One argument, and not "*arguments": CPython 3.11+ makes such a call without going down
            # the C stack, of which greenlet keeps a copy for each greenlet that is blocked.
            call(argument)  # what it raises ends this greenlet, as any other
            # What waits must not keep alive what it did last.
            task = call = argument = None  # type: ignore[assignment]
            self.gr_context = None
            handlers.wait(self)


class Handlers:
    """The handlers of one loop."""

    def __init__(
        self, block: Callable[[], object], from_hub: Callable[[Callable[[], None]], None],
    ) -> None:
        self._block = block
        self._from_hub = from_hub
        self._idle: list[Handler] = []
        #: Those whose listener has returned, before it was seen who refers to them.
        self._returned: deque[Handler] = deque()
        #: The one that :meth:`call` has switched to, until it blocks or its listener has returned.
        self.called: Handler | None = None
        #: References to one that waits and that nobody knows, counted in :meth:`_sort`.
        self._references = 0

    def make(self) -> Handler:
        """Return a new one."""
        return Handler(self)

    def idle(self) -> list[Handler]:
        """Return those that wait for a connection."""
        return [*self._idle]

    def call(self, function: Callable[[Any], object], argument: Any) -> None:
        """Call *function* in a greenlet of its own, which runs now; to be called in the hub.

        Returns when the function has, or blocks.
        """
        if not self._references:
            self._try_one()
        handler = self._idle.pop() if self._idle else self.make()
        handler.gnet_task = (function, argument)
        self.called = handler
        try:
            handler.switch()
        finally:
            self.called = None
        del handler  # or it would be counted
        if self._returned:
            self._sort()

    def wait(self, handler: Handler) -> None:
        """Wait, in *handler*, for the next task, or for being told to end by having none."""
        # References to a greenlet that runs cannot be told apart: who has switched to it may have
        # some or none. So they are counted when it waits.
        try:
            self._returned.append(handler)
            if self.called is not handler and len(self._returned) == 1:
                self._from_hub(self._sort)
            self._block()
        finally:
            if handler.gnet_task is None:
                # It ends. By itself, or as somebody has found it, with the gc module say, and has
                # killed or woken it. It says so: to ask each handler whether it is dead costs 1 %
                # of a short connection.
                for waiting in (self._idle, self._returned):
                    if handler in waiting:
                        waiting.remove(handler)

    def _sort(self) -> None:
        """Keep those that nobody could tell from a new one; the others end. Runs in the hub."""
        while self._returned:
            handler = self._returned.popleft()
            if (
                len(self._idle) < MAX_IDLE_HANDLERS and getrefcount(handler) <= self._references
                and not handler.has_links() and not getweakrefcount(handler)
                and not handler.__dict__ and handler.spawn_tree_locals is handler.gnet_locals
            ):
                self._idle.append(handler)
            else:
                handler.switch()

    def _try_one(self) -> None:
        """Find out how many references there are to one that is not known to anybody."""
        handler = self.called = self.make()
        handler.gnet_task = (id, None)
        handler.switch()
        self.called = None
        del handler
        handler = self._returned.popleft()
        self._references = getrefcount(handler)
        self._idle.append(handler)
