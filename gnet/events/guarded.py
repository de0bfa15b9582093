"""An emitter that the house itself emits from: what its listeners raise has one place to go.

What the program calls with ``emit()`` raises to the program, as in Node. What gnet emits, from a
runner, has nobody above it: :meth:`Guarded._emit_guarded` publishes a failure
(:class:`gnet.lifecycle.ListenerFailed`) and gives it to :meth:`Guarded._failed`, the one hook of
the class, which knows whose failure it is. What ends a program or a greenlet goes on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import lifecycle
from ..loop.agenda import EXITS
from .emitter import EventEmitter

__all__ = ['EXITS', 'Guarded']


class Guarded(EventEmitter):
    """An :class:`EventEmitter` whose owner emits in places where nothing may be raised."""

    __slots__ = ()

    def _failed(self, error: BaseException) -> None:
        """Do what the failure of a listener or callback leads to. Each owner has its own answer."""
        raise NotImplementedError

    def _emit_guarded(self, event: Any, *arguments: Any) -> None:
        """Emit *event* from a runner."""
        try:
            self.emit(event, *arguments)
        except BaseException as error:
            self._listener_failed(event, error)

    def _call_guarded(self, callback: Callable[..., object], *arguments: Any) -> None:
        """Call a callback of the program's, from a runner."""
        try:
            callback(*arguments)
        except BaseException as error:
            self._listener_failed('callback', error)

    def _listener_failed(self, event: Any, error: BaseException) -> None:
        """Route what a listener of *event* raised; raises it again if it ends the program."""
        if isinstance(error, EXITS):
            raise error
        if lifecycle.has_subscribers():
            lifecycle.publish(lifecycle.ListenerFailed, self, event, error)
        self._failed(error)
