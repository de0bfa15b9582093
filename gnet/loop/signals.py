"""Whether the running code was called for a signal: it may be in the middle of anything then.

Python calls a handler of ``signal.signal`` in whatever frame the main thread happens to be in: in
the hub while the loop is idle, else in the greenlet that runs. What waits there waits in somebody
else's place.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # typeshed has none
import functools
import signal
import sys
from collections.abc import Iterator
from types import (
    BuiltinFunctionType,
    CodeType,
    FrameType,
    FunctionType,
    MethodType,
    WrapperDescriptorType,
)
from typing import Any
from weakref import WeakSet

__all__ = [
    'is_called_by_signal',
    'note_handlers',
]

_WITHOUT_CODE = (BuiltinFunctionType, WrapperDescriptorType)

#: What is called when a class is.
_MAKERS = ('__new__', '__init__')

#: The flag of what takes any number of arguments.
_REST = 0x04  # inspect.CO_VARARGS: importing inspect takes longer than all else of this room

#: The code of handlers: also of those that are none any more, as one may put another in its place
#: before it does what it is there for.
_known: WeakSet[CodeType] = WeakSet()


def note_handlers() -> None:
    """Remember which handlers there are now, for :func:`is_called_by_signal`."""
    # Not by the names of the module signal, which try to make members of an enumeration of what are
    # functions: 64 times, that takes a millisecond.
    for number in range(1, signal.NSIG):
        handler = _signal.getsignal(number)
        if handler is not None and not isinstance(handler, int):
            _known.update(_codes_of(handler))


def is_called_by_signal() -> bool:
    """Return whether a handler of ``signal.signal`` is among those who have called.

    It is known by its code, and by its arguments: Python gives it the frame that it has
    interrupted, which is the one below it. The program may call it as well, and then gives it
    something else, or nothing.
    """
    note_handlers()
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        interrupted = frame.f_back
        # Only the variables of handlers are looked at. Before Python 3.13 that makes copies, by
        # which what the variables were bound to lives as long as the frame.
        if interrupted is not None and (
            frame.f_code in _known or _may_replace_itself(frame.f_code)
        ) and _was_given(frame, interrupted):
            return True
        frame = interrupted
    return False


def _codes_of(handler: object, depth: int = 5) -> Iterator[CodeType]:
    """Yield the code of all functions by which *handler* may be called."""
    if handler is None or isinstance(handler, _WITHOUT_CODE) or not depth:
        return  # nothing, something in C, or a circle
    if isinstance(handler, FunctionType):
        yield handler.__code__
        return
    if isinstance(handler, MethodType):
        calls = [handler.__func__]
    elif isinstance(handler, functools.partial):
        calls = [handler.func]
    elif isinstance(handler, type):
        calls = [type(handler).__call__, *(getattr(handler, name) for name in _MAKERS)]
    else:
        # The last one is of a wrapper that is written in C, such as that of lru_cache.
        wrapped: Any = _own_attributes(handler).get('__wrapped__')
        calls = [type(handler).__call__, wrapped]
    for call in calls:
        yield from _codes_of(call, depth - 1)


def _own_attributes(thing: object) -> dict[str, Any]:
    """Return the ``__dict__`` of *thing*; none of the program's code is run for that."""
    try:
        found: dict[str, Any] = object.__getattribute__(thing, '__dict__')
    except AttributeError:
        return {}  # it has slots alone
    return found


def _may_replace_itself(code: CodeType) -> bool:
    """Return whether *code* looks like that of a handler that sets handlers.

    It may have been one until just now, and have been made one when nobody took note of it.
    """
    takes = code.co_argcount
    return 'signal' in code.co_names and (2 <= takes <= 3 or bool(code.co_flags & _REST))


def _was_given(frame: FrameType, value: object) -> bool:
    """Return whether the function of *frame* was given *value*, as far as can be seen."""
    code = frame.f_code
    names = code.co_varnames[:code.co_argcount]
    variables = frame.f_locals
    # One that was deleted may have been it: "del number, frame" is how linters are told that a
    # handler needs neither.
    if any(variables.get(name, value) is value for name in names):
        return True
    if not code.co_flags & _REST:
        return False
    rest = variables.get(code.co_varnames[code.co_argcount + code.co_kwonlyargcount], (value,))
    return any(one is value for one in rest)
