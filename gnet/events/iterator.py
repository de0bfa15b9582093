"""``on``: iterate over the events of one name, blocking until the next one comes.

Node has asynchronous iterators for this; here the calling greenlet waits.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, Union

from gevent.event import Event

from ..node.coded_errors import abort_error, invalid_arg_type
from ..node.validators import validate_integer
from ..node.values import UNDEFINED
from .abort import add_abort_listener
from .emitter import EventEmitter, Listener, check_emitter, exception_of
from .names import name_of
from .options import read_options

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = [
    'EventIterator',
    'on',
]

#: Node's largest safe integer, the upper bound (and so "no limit") of both watermarks.
_MAX_SAFE_INTEGER = 2**53 - 1


class _Done:
    """The type of :data:`_DONE`."""

    __slots__ = ()


#: What a waiting consumer gets when the iteration has finished.
_DONE = _Done()
#: What the lists hold, as far as type checkers know.
ArgumentT = TypeVar('ArgumentT')
_Outcome = Union[list[Any], BaseException, _Done]


class _Waiter:
    """A consumer blocked in ``next()``."""

    __slots__ = ('outcome', 'served')

    def __init__(self) -> None:
        self.outcome: _Outcome = _DONE
        self.served = Event()

    def serve(self, outcome: _Outcome) -> None:
        self.outcome = outcome
        self.served.set()


class EventIterator(Iterator[list[ArgumentT]]):
    """What :func:`on` returns: an iterator whose ``next()`` blocks until there is an event.

    Several greenlets may wait in ``next()``; they are served in the order in which they came. One
    that is killed or times out takes no event with it. As a context manager it is closed at the
    end.
    """

    def __init__(
        self, emitter: EventEmitter, event: Hashable, close: Iterable[Hashable],
        high: int, low: int, signal: Any,
    ) -> None:
        self._emitter = emitter
        self._error: BaseException | None = None
        self._finished = False
        self._high = high
        self._low = low
        self._paused = False
        self._queue: deque[list[Any]] = deque()
        self._undo = ExitStack()
        self._waiters: deque[_Waiter] = deque()
        try:
            self._attach(event, self._receive)
            if name_of(event) != 'error':
                self._attach('error', self._fail)
            for name in close:
                self._attach(name, self._finish)
            if signal is not UNDEFINED:
                link = add_abort_listener(signal, partial(self._abort, signal))
                self._undo.callback(link.close)
        except BaseException:
            self.close()
            raise

    def __iter__(self) -> Self:
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        self.close()

    def __next__(self) -> list[ArgumentT]:
        if self._queue:
            item = self._queue.popleft()
            if self._paused and len(self._queue) < self._low:
                self._resume(item)
            return item
        if self._error is not None:
            error, self._error = self._error, None
            raise error
        if self._finished:
            raise StopIteration
        outcome = self._wait()
        if isinstance(outcome, BaseException):
            raise outcome
        if isinstance(outcome, _Done):
            raise StopIteration
        return outcome

    def close(self) -> None:
        """Stop listening (Node's ``return()``): waiting consumers are done, queued items remain.

        A paused emitter is left paused.
        """
        self._stop()

    def throw(self, error: Any = UNDEFINED) -> None:
        """Stop listening and have the next consumer, after the queued items, raise *error*.

        Raises:
            CodedTypeError: *error* is no exception (``ERR_INVALID_ARG_TYPE``).
        """
        if not isinstance(error, BaseException):
            name = 'EventEmitter.AsyncIterator'
            raise invalid_arg_type(name, 'an instance of Error', error)
        self._stop(error)

    def _attach(self, event: Hashable, listener: Listener) -> None:
        self._undo.callback(self._emitter.remove_listener, event, listener)
        self._emitter.on(event, listener)

    def _receive(self, *args: Any) -> None:
        if self._finished:
            return
        if self._waiters:
            self._waiters.popleft().serve(list(args))
            return
        self._queue.append(list(args))
        if len(self._queue) > self._high and not self._paused:
            self._paused = True
            self._emitter.pause()  # type: ignore[attr-defined]  # required of it by watermarks

    def _fail(self, *args: Any) -> None:
        if not self._finished:
            self._stop(exception_of(args))

    def _abort(self, signal: Any) -> None:
        if not self._finished:
            self._stop(abort_error(signal))

    def _finish(self, *args: Any) -> None:
        self._stop()

    def _stop(self, error: BaseException | None = None) -> None:
        self._finished = True
        if error is not None:
            self._deliver_first(error)
        while self._waiters:
            self._waiters.popleft().serve(_DONE)
        # Last, because it may run listeners of 'removeListener'.
        self._undo.close()

    def _deliver_first(self, outcome: _Outcome) -> None:
        """Give *outcome* to the consumer that waits longest, or keep it for the next one."""
        if isinstance(outcome, _Done):
            return
        if self._waiters:
            self._waiters.popleft().serve(outcome)
        elif isinstance(outcome, BaseException):
            self._error = outcome
        else:
            self._queue.appendleft(outcome)

    def _wait(self) -> _Outcome:
        waiter = _Waiter()
        self._waiters.append(waiter)
        try:
            waiter.served.wait()
        except BaseException:
            # Killed or timed out, perhaps after it was served and before it could run.
            if waiter.served.is_set():
                self._deliver_first(waiter.outcome)
            else:
                self._waiters.remove(waiter)
            raise
        return waiter.outcome

    def _resume(self, item: list[Any]) -> None:
        self._paused = False
        try:
            self._emitter.resume()  # type: ignore[attr-defined]  # required of it by watermarks
        except BaseException:
            self._deliver_first(item)
            raise


def on(
    emitter: EventEmitter,
    event: Hashable,
    options: Any = UNDEFINED,
    *,
    signal: Any = None,
    close: Iterable[Hashable] | None = None,
    high_water_mark: int | None = None,
    low_water_mark: int | None = None,
    **spellings: Any,
) -> EventIterator[Any]:
    """Return an iterator over the arguments of each *event*: Node's ``for await (… of on(…))``.

    Listening starts with this call; what is emitted before the first ``next()`` is queued. An
    ``'error'`` ends the iteration: it is raised after the queued items, once.

    Args:
        emitter: where to listen.
        event: what to listen for; ``'error'`` is an event like any other then.
        options: the options as a mapping.
        signal: when this is set, the iteration ends as with an error, an AbortError; anything that
            gevent can link to, such as ``gevent.event.Event``.
        close: names of events that finish the iteration, after the queued items.
        high_water_mark: with more events than that in the queue, ``emitter.pause()`` is called,
            once; unlimited by default.
        low_water_mark: with fewer events than that in the queue, ``emitter.resume()`` is called
            after a pause; 1 by default.
        spellings: the options in Node's spelling.

    Raises:
        AbortError: *signal* is set already (``ABORT_ERR``).
        CodedTypeError, CodedValueError: an argument is of the wrong kind or out of range.
    """
    names = {'signal', 'close', 'high_water_mark', 'low_water_mark'}
    given = read_options('on', options, {
        'signal': signal, 'close': close, 'high_water_mark': high_water_mark,
        'low_water_mark': low_water_mark, **spellings,
    }, names | {'high_watermark', 'low_watermark'})
    check_emitter(emitter)
    high = _watermark(given, 'high', _MAX_SAFE_INTEGER)
    low = _watermark(given, 'low', 1)
    closing = given.get('close') or ()
    if isinstance(closing, str):
        closing = (closing,)
    elif not isinstance(closing, Iterable):
        raise invalid_arg_type('options.close', 'an instance of Array', closing)
    return EventIterator(emitter, event, closing, high, low, given['signal'])


def _watermark(given: Mapping[str, Any], side: str, default: int) -> int:
    value = given.get(f'{side}_water_mark')
    if value is None:
        value = given.get(f'{side}_watermark')  # Node's older spelling
    if value is None:
        return default
    return validate_integer(f'options.{side}WaterMark', value, 1, _MAX_SAFE_INTEGER)
