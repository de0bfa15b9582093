"""Whether the running code was called for a signal: it may be in the middle of anything then.

Python calls a handler of ``signal.signal`` in whatever frame the main thread happens to be in: in
the hub while the loop is idle, else in the greenlet that runs. What waits there waits in somebody
else's place.
"""

from __future__ import annotations

import inspect
import sys
from types import FrameType

__all__ = [
    'is_called_by_signal',
]


def is_called_by_signal() -> bool:
    """Return whether a handler of ``signal.signal`` is among those who have called.

    It is known by its arguments: Python gives it the frame that it has interrupted, which is the
    one below it. No other function has any use for that one, but a handler that it has called.
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        interrupted = frame.f_back
        if interrupted is not None and _has_argument(frame, interrupted):
            return True
        frame = interrupted
    return False


def _has_argument(frame: FrameType, value: object) -> bool:
    """Return whether the function of *frame* was given *value*."""
    code = frame.f_code
    count = code.co_argcount
    rest = bool(code.co_flags & inspect.CO_VARARGS)
    if not count and not rest:
        return False
    variables = frame.f_locals
    if any(variables.get(name) is value for name in code.co_varnames[:count]):
        return True
    return rest and any(
        one is value
        for one in variables.get(code.co_varnames[count + code.co_kwonlyargcount]) or ())
