"""Capture of rejections: what becomes of greenlets that listeners return, and that fail."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Protocol

from gevent import Greenlet, GreenletExit, getcurrent

__all__ = ['report', 'watch']

#: The greenlets that emit the ``'error'`` of a rejection right now, each with its emitter's id.
#: Node clears a flag of the emitter meanwhile; here other greenlets may emit on it meanwhile.
_reporting: set[tuple[Any, int]] = set()


class Capturing(Protocol):
    """An emitter that captures them."""

    def emit(self, event: Hashable, *args: Any) -> bool:
        """Call listeners."""

    def capture_rejection(self, error: BaseException, event: Hashable, *args: Any) -> None:
        """Handle the failure of a greenlet that a listener of *event* has returned."""


def watch(emitter: Capturing, result: Any, event: Hashable, args: tuple[Any, ...]) -> None:
    """Arrange for ``capture_rejection`` if *result* can fail later, and does."""
    if (getcurrent(), id(emitter)) in _reporting:
        return

    def finished(source: Any) -> None:
        error = source.exception
        if error is not None and not isinstance(error, GreenletExit):
            # This runs in the hub, where nothing may block.
            Greenlet.spawn(emitter.capture_rejection, error, event, *args)

    try:
        if hasattr(result, 'rawlink') and hasattr(result, 'exception'):
            result.rawlink(finished)
    except Exception as error:
        # As Node does with a promise that cannot be subscribed to.
        emitter.emit('error', error)


def report(emitter: Capturing, error: BaseException) -> None:
    """Emit ``'error'``; what its listeners return is not captured again."""
    mark = (getcurrent(), id(emitter))
    if mark in _reporting:
        emitter.emit('error', error)
        return
    _reporting.add(mark)
    try:
        emitter.emit('error', error)
    finally:
        _reporting.discard(mark)
