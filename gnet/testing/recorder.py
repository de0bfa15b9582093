"""What emitters have emitted, in order, and a difference that can be read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import Any, NamedTuple, Union

from .differences import difference
from .waiting import PATIENCE, settle, wait_until

__all__ = ['EventRecorder', 'Recorded']

#: An event by its name, whatever its arguments; or a tuple of its name and all of them.
Expected = Union[str, tuple[Any, ...]]


class Recorded(NamedTuple):
    """An event that was emitted.

    Attributes:
        label: its name; with the emitter's name before it, if that was given one.
        args: its arguments.
    """

    label: str
    args: tuple[Any, ...]

    def __str__(self) -> str:
        return ' '.join([self.label, *map(shown, self.args)])

    def matches(self, expected: Any) -> bool:
        """Whether it is what was expected: see :meth:`EventRecorder.expect`."""
        if isinstance(expected, str):
            return expected == self.label
        label, *args = expected
        return label == self.label and len(args) == len(self.args) and all(
            map(_is_like, self.args, args))


def shown(value: Any) -> str:
    """Return *value* as a line of a recorder has it: long bytes cut, errors by class and text."""
    if isinstance(value, BaseException):
        return f'{type(value).__name__}({str(value)!r})'
    if isinstance(value, (bytes, str)) and len(value) > 60:
        return f'{value[:40]!r}... ({len(value)})'
    return repr(value)


def _is_like(value: Any, expected: Any) -> bool:
    if expected is ...:
        return True
    if isinstance(value, BaseException):
        if isinstance(expected, type):
            return isinstance(value, expected)
        return expected is value or (
            isinstance(expected, str) and expected in (getattr(value, 'code', None), str(value)))
    return bool(value == expected)


class EventRecorder:
    """Listens to events of one emitter or more, and remembers them in the order of their coming::

        with gnet.testing.EventRecorder(sock, 'data', 'end', 'close') as events:
            ...
            events.expect(('data', b'hello'), 'end', ('close', False))

    Its listeners are listeners as all others: one of `'data'` makes a socket flow, and one of
    `'error'` takes the failure.

    Args:
        emitter: what has ``on`` and ``off``; None if :meth:`listen` will be called.
        names: names of events.
        merge: put chunks of `'data'` that follow each other together, as it is the kernel's affair
            where it cuts them (True).
    """

    def __init__(self, emitter: Any = None, *names: str, merge: bool = True) -> None:
        #: What has come.
        self.events: list[Recorded] = []
        self._merge = merge
        self._listeners: list[tuple[Any, str, Callable[..., None]]] = []
        if emitter is not None:
            self.listen(emitter, *names)

    def listen(self, emitter: Any, *names: str, label: str | None = None) -> None:
        """Record events of *emitter*, too.

        Args:
            emitter: what has ``on`` and ``off``.
            names: names of its events.
            label: goes before the names of its events: ``'client'`` makes ``'client end'``.

        Raises:
            TypeError: there is no name.
        """
        if not names:
            raise TypeError('name the events that are to be recorded')
        for name in names:
            listener = partial(self._record, name if label is None else f'{label} {name}', name)
            emitter.on(name, listener)
            self._listeners.append((emitter, name, listener))

    def _record(self, label: str, name: str, *args: Any) -> None:
        last = self.events[-1] if self.events else None
        if (
            self._merge and name == 'data' and last is not None and last.label == label
            and type(last.args[0]) is type(args[0]) and isinstance(args[0], (bytes, str))
        ):
            self.events[-1] = Recorded(label, (last.args[0] + args[0],))
        else:
            self.events.append(Recorded(label, args))

    def lines(self) -> list[str]:
        """Return a line for each event."""
        return list(map(str, self.events))

    def clear(self) -> None:
        """Forget what has come."""
        self.events.clear()

    def take(self) -> list[Recorded]:
        """Return what has come, and forget it."""
        taken = self.events[:]
        self.clear()
        return taken

    def expect(self, *expected: Expected, patience: float = PATIENCE) -> None:
        """Wait until this has come, in this order and nothing else; then forget it.

        Args:
            expected: of each event its name, whatever its arguments; or a tuple of its name and
                its arguments. ``...`` stands for any argument, a class or a code
                (``'ECONNRESET'``) for an exception.
            patience: seconds to wait for as many events; 0 for what has come already.

        Raises:
            AssertionError: something else has come. Its text is a difference, line by line.
            TypeError: one of *expected* is neither a name nor such a tuple.
        """
        for each in expected:
            if not isinstance(each, str) and not (isinstance(each, tuple) and each):
                raise TypeError(
                    f'an event is a name, or a tuple of its name and its arguments: {each!r}')
        if patience:
            with suppress(AssertionError):  # what is missing is told below
                wait_until(lambda: len(self.events) >= len(expected), patience)
            settle()  # what comes besides, and the rest of the last chunk
        if not self._is(expected):
            raise AssertionError('other events than expected (- expected, + emitted):\n'
                                 + '\n'.join(self._difference(expected)))
        self.clear()

    def wait_for(self, label: str, patience: float = PATIENCE) -> Recorded:
        """Wait until an event of this label has come, and return the first; nothing is forgotten.

        Raises:
            AssertionError: it has not; the text has what has come.
        """
        try:
            wait_until(lambda: any(each.label == label for each in self.events), patience)
        except AssertionError:
            raise AssertionError('\n'.join(
                [f'no {label!r} within {patience:g} seconds, but:', *self.lines()])) from None
        return next(each for each in self.events if each.label == label)

    def _is(self, expected: Sequence[Expected]) -> bool:
        return len(expected) == len(self.events) and all(
            map(Recorded.matches, self.events, expected))

    def _difference(self, expected: Sequence[Expected]) -> list[str]:
        return difference(expected, self.events, _line, str, lambda one, event: event.matches(one))

    def stop(self) -> None:
        """Listen no more. What has come stays."""
        while self._listeners:
            emitter, name, listener = self._listeners.pop()
            emitter.off(name, listener)

    def __enter__(self) -> EventRecorder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()


def _line(expected: Expected) -> str:
    if isinstance(expected, str):
        return expected
    return ' '.join([str(expected[0]), *map(_shown_expected, expected[1:])])


def _shown_expected(value: Any) -> str:
    if value is ...:
        return '...'
    return value.__name__ if isinstance(value, type) else shown(value)
