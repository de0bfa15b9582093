"""The events of a :class:`gnet.Server` and their arguments, as types.

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

    from ..addresses.ends import Dropped
    from ..events.typed import Announced, EmitterT_co, ErrorMonitor, Nothing, OneThing, Removing
    from ..sockets.socket import Socket
    from .limiting import Limiting

    OfSocket = TypeVar('OfSocket', bound='Callable[[Socket], object]')
    OfDropped = TypeVar('OfDropped', bound='Callable[[Dropped | None], object]')

    ServerEvent = Union[ErrorMonitor, Literal[
        'listening', 'close', 'connection', 'drop', 'error', 'newListener', 'removeListener',
    ]]

    class ServerListening(Protocol[EmitterT_co]):
        """``on`` and the other verbs that add listeners."""

        @overload
        def __call__(
            self, event: Literal['listening', 'close'], listener: Callable[[], object],
        ) -> EmitterT_co: ...
        @overload
        def __call__(
            self, event: Literal['listening', 'close'],
        ) -> Callable[[Nothing], Nothing]: ...
        @overload
        def __call__(
            self, event: Literal['connection'], listener: Callable[[Socket], object],
        ) -> EmitterT_co: ...
        @overload
        def __call__(self, event: Literal['connection']) -> Callable[[OfSocket], OfSocket]: ...
        @overload
        def __call__(
            self, event: Literal['drop'], listener: Callable[[Dropped | None], object],
        ) -> EmitterT_co: ...
        @overload
        def __call__(self, event: Literal['drop']) -> Callable[[OfDropped], OfDropped]: ...
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

    class ServerEmitting(Protocol):
        """``emit``: all arguments, in order."""

        @overload
        def __call__(self, event: Literal['listening', 'close'], /) -> bool: ...
        @overload
        def __call__(self, event: Literal['connection'], sock: Socket, /) -> bool: ...
        @overload
        def __call__(self, event: Literal['drop'], ends: Dropped | None, /) -> bool: ...
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

    class ServerEvents:
        """What the type checkers see in place of the emitter's methods."""

        @property
        def on(self) -> ServerListening[Self]: ...
        @property
        def once(self) -> ServerListening[Self]: ...
        @property
        def add_listener(self) -> ServerListening[Self]: ...
        @property
        def prepend_listener(self) -> ServerListening[Self]: ...
        @property
        def prepend_once_listener(self) -> ServerListening[Self]: ...
        @property
        def off(self) -> Removing[ServerEvent, Self]: ...
        @property
        def remove_listener(self) -> Removing[ServerEvent, Self]: ...
        @property
        def emit(self) -> ServerEmitting: ...

    class TypedLimiting(ServerEvents, Limiting):  # type: ignore[misc]
        """The base of the class, as the type checkers see it."""
