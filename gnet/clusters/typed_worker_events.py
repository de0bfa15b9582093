"""The events of a :class:`gnet.cluster.Worker` and their arguments, as types.

For type checkers only: at run time the methods are those of the emitter, and this file is empty.
The table of events is docs/events.md; a test compares the two.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

#: Nothing at run time.
__all__: list[str] = []

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Literal, Protocol, TypeVar, Union, overload

    from typing_extensions import Self

    from ..events.emitter import EventEmitter
    from ..events.typed import (
        Announced,
        EmitterT_co,
        Ended,
        ErrorMonitor,
        Message,
        Nothing,
        OneThing,
        Removing,
    )
    from .listening_address import ListeningAddress

    Listens = TypeVar('Listens', bound='Callable[[ListeningAddress], object]')

    WorkerEvent = Union[ErrorMonitor, Literal[
        'online', 'disconnect', 'listening', 'message', 'exit', 'error', 'newListener',
        'removeListener',
    ]]

    class WorkerListening(Protocol[EmitterT_co]):
        """``on`` and the other verbs that add listeners."""

        @overload
        def __call__(
            self, event: Literal['online', 'disconnect'], listener: Callable[[], object],
        ) -> EmitterT_co: ...
        @overload
        def __call__(
            self, event: Literal['online', 'disconnect'],
        ) -> Callable[[Nothing], Nothing]: ...
        @overload
        def __call__(
            self, event: Literal['listening'], listener: Callable[[ListeningAddress], object],
        ) -> EmitterT_co: ...
        @overload
        def __call__(self, event: Literal['listening']) -> Callable[[Listens], Listens]: ...
        @overload
        def __call__(
            self, event: Literal['message'], listener: Callable[[Any, Any], object],
        ) -> EmitterT_co: ...
        @overload
        def __call__(self, event: Literal['message']) -> Callable[[Message], Message]: ...
        @overload
        def __call__(
            self, event: Literal['exit'], listener: Callable[[int | None, str | None], object],
        ) -> EmitterT_co: ...
        @overload
        def __call__(self, event: Literal['exit']) -> Callable[[Ended], Ended]: ...
        @overload
        def __call__(
            self, event: Literal['error'], listener: Callable[[Any], object],
        ) -> EmitterT_co: ...
        @overload
        def __call__(self, event: Literal['error']) -> Callable[[OneThing], OneThing]: ...
        @overload
        def __call__(
            self,
            event: Literal['newListener', 'removeListener'],
            listener: Callable[[Any, Callable[..., Any]], object],
        ) -> EmitterT_co: ...
        @overload
        def __call__(
            self, event: Literal['newListener', 'removeListener'],
        ) -> Callable[[Announced], Announced]: ...
        @overload
        def __call__(
            self, event: ErrorMonitor, listener: Callable[[Any], object],
        ) -> EmitterT_co: ...
        @overload
        def __call__(self, event: ErrorMonitor) -> Callable[[OneThing], OneThing]: ...

    class WorkerEmitting(Protocol):
        """``emit``: all arguments, in order."""

        @overload
        def __call__(self, event: Literal['online', 'disconnect'], /) -> bool: ...
        @overload
        def __call__(self, event: Literal['listening'], address: ListeningAddress, /) -> bool: ...
        @overload
        def __call__(self, event: Literal['message'], message: Any, handle: Any, /) -> bool: ...
        @overload
        def __call__(
            self, event: Literal['exit'], code: int | None, signal: str | None, /,
        ) -> bool: ...
        @overload
        def __call__(self, event: Literal['error'], err: Any, /) -> bool: ...
        @overload
        def __call__(
            self,
            event: Literal['newListener', 'removeListener'],
            name: Any,
            listener: Callable[..., Any],
            /,
        ) -> bool: ...
        @overload
        def __call__(self, event: ErrorMonitor, err: Any, /) -> bool: ...

    class WorkerEvents:
        """What the type checkers see in place of the emitter's methods."""

        @property
        def on(self) -> WorkerListening[Self]: ...
        @property
        def once(self) -> WorkerListening[Self]: ...
        @property
        def add_listener(self) -> WorkerListening[Self]: ...
        @property
        def prepend_listener(self) -> WorkerListening[Self]: ...
        @property
        def prepend_once_listener(self) -> WorkerListening[Self]: ...
        @property
        def off(self) -> Removing[WorkerEvent, Self]: ...
        @property
        def remove_listener(self) -> Removing[WorkerEvent, Self]: ...
        @property
        def emit(self) -> WorkerEmitting: ...

    class TypedEmitter(WorkerEvents, EventEmitter):  # type: ignore[misc]
        """The base of the class, as the type checkers see it."""
