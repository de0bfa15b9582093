"""``call_and_wait``: block until what was begun has called back.

Node has two forms of many a function, one with a callback and one that returns a promise. Here the
second one is the first one, and a wait for its callback.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gevent.event import Event

from .emitter import exception_of
from .settings import checked_limit

__all__ = ['call_and_wait']


def call_and_wait(
    what: str, timeout: Any,
    begin: Callable[[Callable[[Any], None]], Callable[[BaseException], object]],
) -> None:
    """Have *begin* begin something, and block until that calls back.

    Args:
        what: its name, for the text of a ``TimeoutError``.
        timeout: seconds to wait at most; None for no limit.
        begin: called with the callback, whose one argument is an error, or None. It returns what
            to call with the reason if the wait is broken off.

    Raises:
        BaseException: the error; what is no exception is the ``context`` of a CodedRuntimeError.
        TimeoutError: *timeout* seconds have passed.
        CodedTypeError, CodedValueError: *timeout* is no time.
    """
    limit = None if timeout is None else checked_limit('options.timeout', timeout)
    outcome: list[Any] = []
    settled = Event()

    def settle(error: Any) -> None:
        outcome.append(error)
        settled.set()

    give_up = begin(settle)
    try:
        # The loops have no infinite timer.
        settled.wait(None if limit == float('inf') else limit)
        if not outcome:
            raise TimeoutError(f'{what} has taken more than {timeout} seconds')
    except BaseException as interruption:
        give_up(interruption)
        raise
    if outcome[0] is not None:
        raise exception_of((outcome[0],))
