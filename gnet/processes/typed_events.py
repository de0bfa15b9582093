"""The events of a child process, and of this one, as types.

For type checkers only: at run time the methods are those of the emitter, and this file is empty.
The table of events is docs/events.md; a test compares the two.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

#: Nothing at run time.
__all__: list[str] = []

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Literal, Protocol, Union, overload

    from typing_extensions import Self

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
    from .messaging import Messaging

    ChildEvent = Union[ErrorMonitor, Literal[
        'spawn', 'disconnect', 'message', 'internalMessage', 'exit', 'close', 'error',
        'newListener', 'removeListener',
    ]]
    ProcessEvent = Union[ErrorMonitor, Literal[
        'disconnect', 'message', 'internalMessage', 'error', 'newListener', 'removeListener',
    ]]

    class ChildListening(Protocol[EmitterT_co]):
        """``on`` and the other verbs that add listeners."""

        @overload
        def __call__(
            self, event: Literal['spawn', 'disconnect'], listener: Callable[[], object],
        ) -> EmitterT_co: ...
        @overload
        def __call__(
            self, event: Literal['spawn', 'disconnect'],
        ) -> Callable[[Nothing], Nothing]: ...
        @overload
        def __call__(
            self,
            event: Literal['message', 'internalMessage'],
            listener: Callable[[Any, Any], object],
        ) -> EmitterT_co: ...
        @overload
        def __call__(
            self, event: Literal['message', 'internalMessage'],
        ) -> Callable[[Message], Message]: ...
        @overload
        def __call__(
            self,
            event: Literal['exit', 'close'],
            listener: Callable[[int | None, str | None], object],
        ) -> EmitterT_co: ...
        @overload
        def __call__(self, event: Literal['exit', 'close']) -> Callable[[Ended], Ended]: ...
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

    class ChildEmitting(Protocol):
        """``emit``: all arguments, in order."""

        @overload
        def __call__(self, event: Literal['spawn', 'disconnect'], /) -> bool: ...
        @overload
        def __call__(
            self, event: Literal['message', 'internalMessage'], message: Any, handle: Any, /,
        ) -> bool: ...
        @overload
        def __call__(
            self, event: Literal['exit', 'close'], code: int | None, signal: str | None, /,
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

    class ChildEvents:
        """What the type checkers see in place of the emitter's methods."""

        @property
        def on(self) -> ChildListening[Self]: ...
        @property
        def once(self) -> ChildListening[Self]: ...
        @property
        def add_listener(self) -> ChildListening[Self]: ...
        @property
        def prepend_listener(self) -> ChildListening[Self]: ...
        @property
        def prepend_once_listener(self) -> ChildListening[Self]: ...
        @property
        def off(self) -> Removing[ChildEvent, Self]: ...
        @property
        def remove_listener(self) -> Removing[ChildEvent, Self]: ...
        @property
        def emit(self) -> ChildEmitting: ...

    class ProcessListening(Protocol[EmitterT_co]):
        """``on`` and the other verbs that add listeners."""

        @overload
        def __call__(
            self, event: Literal['disconnect'], listener: Callable[[], object],
        ) -> EmitterT_co: ...
        @overload
        def __call__(self, event: Literal['disconnect']) -> Callable[[Nothing], Nothing]: ...
        @overload
        def __call__(
            self,
            event: Literal['message', 'internalMessage'],
            listener: Callable[[Any, Any], object],
        ) -> EmitterT_co: ...
        @overload
        def __call__(
            self, event: Literal['message', 'internalMessage'],
        ) -> Callable[[Message], Message]: ...
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

    class ProcessEmitting(Protocol):
        """``emit``: all arguments, in order."""

        @overload
        def __call__(self, event: Literal['disconnect'], /) -> bool: ...
        @overload
        def __call__(
            self, event: Literal['message', 'internalMessage'], message: Any, handle: Any, /,
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

    class ProcessEvents:
        """What the type checkers see in place of the emitter's methods."""

        @property
        def on(self) -> ProcessListening[Self]: ...
        @property
        def once(self) -> ProcessListening[Self]: ...
        @property
        def add_listener(self) -> ProcessListening[Self]: ...
        @property
        def prepend_listener(self) -> ProcessListening[Self]: ...
        @property
        def prepend_once_listener(self) -> ProcessListening[Self]: ...
        @property
        def off(self) -> Removing[ProcessEvent, Self]: ...
        @property
        def remove_listener(self) -> Removing[ProcessEvent, Self]: ...
        @property
        def emit(self) -> ProcessEmitting: ...

    class TypedChildMessaging(ChildEvents, Messaging):  # type: ignore[misc]
        """The base of the class, as the type checkers see it."""

    class TypedMessaging(ProcessEvents, Messaging):  # type: ignore[misc]
        """The base of the class, as the type checkers see it."""
