"""Giving up by a signal: anything with ``rawlink``, such as :class:`gevent.event.Event`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gevent import Greenlet

from ..node.validators import validate_function, validate_signal
from ..node.values import UNDEFINED

__all__ = [
    'AbortLink',
    'add_abort_listener',
]


class AbortLink:
    """What :func:`add_abort_listener` returns. Leaving it as a context closes it."""

    __slots__ = ('_listener', '_signal')

    def __init__(self, signal: Any, listener: Callable[[], Any]) -> None:
        self._listener: Callable[[], Any] | None = listener
        self._signal = signal
        signal.rawlink(self._fire)

    def __enter__(self) -> AbortLink:
        return self

    def __exit__(self, *details: object) -> None:
        self.close()

    def _fire(self, source: Any) -> None:
        # This runs in the hub, where nothing may block.
        Greenlet.spawn(self._run)

    def _run(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            listener()

    def close(self) -> None:
        """Remove the listener: unless it has been called, it never will be."""
        self._listener = None
        self._signal.unlink(self._fire)


def add_abort_listener(signal: Any, listener: Any = UNDEFINED) -> AbortLink:
    """Have *listener* called, without arguments and once, when *signal* is set.

    It is called later, in a greenlet of its own, also if *signal* is set already.

    Args:
        signal: anything that gevent can link to, such as ``gevent.event.Event``.
        listener: what to call.

    Returns:
        An object whose ``close()`` removes the listener; it is a context manager, too.

    Raises:
        CodedTypeError: an argument is of another kind (``ERR_INVALID_ARG_TYPE``).
    """
    validate_signal('signal', signal)
    validate_function('listener', listener)
    return AbortLink(signal, listener)
