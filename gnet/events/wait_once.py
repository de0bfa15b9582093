"""``once``: block until an event comes, and return its arguments.

Node has a promise for this; here the calling greenlet waits.
"""

from __future__ import annotations

from collections.abc import Hashable
from contextlib import ExitStack
from typing import Any, NoReturn

from gevent.event import Event

from ..node.coded_errors import abort_error
from ..node.values import UNDEFINED, is_number
from .emitter import EventEmitter, check_emitter, exception_of
from .names import name_of
from .options import read_options
from .settings import checked_limit

__all__ = [
    'once',
]


def once(
    emitter: EventEmitter,
    event: Hashable,
    options: Any = UNDEFINED,
    *,
    timeout: float | None = None,
    signal: Any = None,
    **unknown: NoReturn,
) -> list[Any]:
    """Block until *event* is emitted, and return its arguments: Node's ``await once(…)``.

    ``once(emitter, event, 5)`` is short for ``timeout=5``.

    An ``'error'`` that comes first is raised. However the wait ends, the listeners it needed are
    gone afterwards. Listening starts with the call; an event emitted before it is missed.

    Args:
        emitter: where to listen.
        event: what to wait for; ``'error'`` is an event like any other then.
        options: *signal* and *timeout* as a mapping.
        timeout: seconds to wait at most; None for no limit.
        signal: give up when this is set; anything that gevent can link to, such as
            ``gevent.event.Event``.
        unknown: there are no other keywords; what is like a misspelt one is named in the error.

    Raises:
        BaseException: the error that was emitted; if that was no exception, a CodedRuntimeError
            with it as ``context`` (``ERR_UNHANDLED_ERROR``).
        TimeoutError: *timeout* seconds have passed.
        AbortError: *signal* is set (``ABORT_ERR``).
        CodedTypeError, CodedValueError: an argument is of the wrong kind or out of range.
        TypeError: a keyword is no option.
    """
    if is_number(options):
        timeout, options = options, UNDEFINED
    given = read_options(
        'once', options, {'timeout': timeout, 'signal': signal, **unknown},
        {'timeout', 'signal'})
    check_emitter(emitter)
    timeout = given.get('timeout')
    if timeout is not None:
        limit = checked_limit('options.timeout', timeout)
        # The loops have no infinite timer.
        timeout = None if limit == float('inf') else limit
    signal = given['signal']
    outcome: list[list[Any] | BaseException] = []
    settled = Event()

    listeners: list[Any] = []

    def fulfil(*args: Any) -> None:
        settle(list(args))
        if listeners:
            emitter.remove_listener('error', listeners[1])

    def fail(*args: Any) -> None:
        settle(exception_of(args))
        if listeners:
            emitter.remove_listener(event, listeners[0])

    def settle(result: list[Any] | BaseException) -> None:
        outcome.append(result)
        settled.set()

    def abort(_source: Any) -> None:
        settled.set()

    with ExitStack() as undo:
        # By way of the list, which is emptied: else each had the other one, and both the emitter.
        listeners += (fulfil, fail)
        undo.callback(listeners.clear)
        # Each is undone even if doing it failed: a warning may be raised after the addition.
        undo.callback(emitter.remove_listener, event, fulfil)
        emitter.once(event, fulfil)
        if name_of(event) != 'error':
            undo.callback(emitter.remove_listener, 'error', fail)
            emitter.once('error', fail)
        if signal is not UNDEFINED:
            undo.callback(signal.unlink, abort)
            signal.rawlink(abort)
        settled.wait(timeout)
    if outcome:
        result = outcome[0]
        if isinstance(result, BaseException):
            raise result
        return result
    if settled.is_set():
        raise abort_error(signal)
    raise TimeoutError(f'No {event!r} event within {timeout} seconds')
