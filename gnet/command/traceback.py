"""Tracebacks that start in the program, and not in what runs it."""

from __future__ import annotations

import sys
from types import TracebackType

from ..loop import running

__all__ = ['start_in_program']

#: Packages between a caught exception and the code that raised it: what loads and what waits.
_MACHINERY = frozenset({'_frozen_importlib', '_frozen_importlib_external', 'gevent', 'importlib'})
_OWN_MACHINERY = frozenset({f'{__package__}.main', f'{__package__}.program', running.__name__})


def start_in_program(error: BaseException) -> None:
    """Leave the frames of this command out when Python prints *error*, which is being raised.

    They are put in front of the traceback while it goes up, so the moment to cut them off is when
    it is printed.
    """
    previous = sys.excepthook
    first = error.__traceback__
    while first is not None and _is_machinery(first):
        first = first.tb_next
    if first is None and not isinstance(error, SyntaxError):
        first = error.__traceback__  # nothing but machinery: better than no traceback

    def report(
        kind: type[BaseException], raised: BaseException, traceback: TracebackType | None,
    ) -> None:
        sys.excepthook = previous
        if raised is error:
            previous(kind, raised.with_traceback(first), first)
        else:
            previous(kind, raised, traceback)

    sys.excepthook = report


def _is_machinery(entry: TracebackType) -> bool:
    name = entry.tb_frame.f_globals.get('__name__') or ''
    return name in _OWN_MACHINERY or name.partition('.')[0] in _MACHINERY
