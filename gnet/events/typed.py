"""What the types of events are made of: see ``typed_events.py`` in the rooms above.

For type checkers only: at run time this file is empty, and the methods are those of the emitter.

A class with events of its own has three protocols: what ``on`` takes, what ``emit`` takes, and what
``off`` takes. Its base is, for the type checkers, one that has them as properties. Overloads of the
methods themselves would stand there five times, once for each verb.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

#: Nothing at run time.
__all__: list[str] = []

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from typing import Any, Protocol, TypeVar

    from .names import ErrorMonitor as ErrorMonitor

    #: The emitter, which ``on`` returns.
    EmitterT_co = TypeVar('EmitterT_co', covariant=True)
    #: The events that there are.
    EventT_contra = TypeVar('EventT_contra', contravariant=True)

    # Listeners, as a decorator takes and returns them, by their arguments.
    Nothing = TypeVar('Nothing', bound='Callable[[], object]')
    #: An error, too: each has a ``code``, and is an OSError or a CodedError mostly; but a program
    #: may destroy a socket with what it likes.
    OneThing = TypeVar('OneThing', bound='Callable[[Any], object]')
    Message = TypeVar('Message', bound='Callable[[Any, Any], object]')
    Ended = TypeVar('Ended', bound='Callable[[int | None, str | None], object]')
    Announced = TypeVar('Announced', bound='Callable[[Any, Callable[..., Any]], object]')

    class Removing(Protocol[EventT_contra, EmitterT_co]):
        """``off``. Any listener: one that does not fit cannot be there."""

        def __call__(self, event: EventT_contra, listener: Callable[..., Any]) -> EmitterT_co: ...

    class AnyEvents(Protocol):
        """An emitter whose events are not declared: it takes listeners of whatever name."""

        def on(self, event: Hashable, listener: Callable[..., Any], /) -> object: ...
