"""The events of a :class:`gnet.Socket` and their arguments, as types.

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

    from ..events.typed import Announced, EmitterT_co, ErrorMonitor, Nothing, OneThing, Removing
    from .addressed import Addressed

    Chunk = TypeVar('Chunk', bound='Callable[[bytes], object] | Callable[[str], object]')
    HadError = TypeVar('HadError', bound='Callable[[bool], object]')
    Lookup = TypeVar('Lookup', bound='Callable[[Any, str | None, int | None, str], object]')
    Attempt = TypeVar('Attempt', bound='Callable[[str, int | None, int | None], object]')
    FailedAttempt = TypeVar(
        'FailedAttempt', bound='Callable[[str, int | None, int | None, Any], object]')

    #: Those without arguments.
    SocketMoment = Literal[
        'connect', 'ready', 'readable', 'end', 'pause', 'resume', 'drain', 'prefinish', 'finish',
        'timeout',
    ]
    SocketEvent = Union[ErrorMonitor, Literal[
        'connect', 'ready', 'readable', 'end', 'pause', 'resume', 'drain', 'prefinish', 'finish',
        'timeout', 'data', 'error', 'close', 'lookup', 'connectionAttempt',
        'connectionAttemptTimeout', 'connectionAttemptFailed', 'pipe', 'unpipe', 'newListener',
        'removeListener',
    ]]

    class SocketListening(Protocol[EmitterT_co]):
        """``on`` and the other verbs that add listeners."""

        @overload
        def __call__(self, event: SocketMoment, listener: Callable[[], object]) -> EmitterT_co: ...
        @overload
        def __call__(self, event: SocketMoment) -> Callable[[Nothing], Nothing]: ...
        @overload
        def __call__(
            self, event: Literal['data'], listener: Callable[[bytes], object],
        ) -> EmitterT_co: ...
        @overload
        def __call__(
            self, event: Literal['data'], listener: Callable[[str], object],
        ) -> EmitterT_co: ...
        @overload
        def __call__(self, event: Literal['data']) -> Callable[[Chunk], Chunk]: ...
        @overload
        def __call__(
            self, event: Literal['error'], listener: Callable[[Any], object],
        ) -> EmitterT_co: ...
        @overload
        def __call__(self, event: Literal['error']) -> Callable[[OneThing], OneThing]: ...
        @overload
        def __call__(
            self, event: Literal['close'], listener: Callable[[bool], object],
        ) -> EmitterT_co: ...
        @overload
        def __call__(self, event: Literal['close']) -> Callable[[HadError], HadError]: ...
        @overload
        def __call__(
            self,
            event: Literal['lookup'],
            listener: Callable[[Any, str | None, int | None, str], object],
        ) -> EmitterT_co: ...
        @overload
        def __call__(self, event: Literal['lookup']) -> Callable[[Lookup], Lookup]: ...
        @overload
        def __call__(
            self,
            event: Literal['connectionAttempt', 'connectionAttemptTimeout'],
            listener: Callable[[str, int | None, int | None], object],
        ) -> EmitterT_co: ...
        @overload
        def __call__(
            self, event: Literal['connectionAttempt', 'connectionAttemptTimeout'],
        ) -> Callable[[Attempt], Attempt]: ...
        @overload
        def __call__(
            self,
            event: Literal['connectionAttemptFailed'],
            listener: Callable[[str, int | None, int | None, Any], object],
        ) -> EmitterT_co: ...
        @overload
        def __call__(
            self, event: Literal['connectionAttemptFailed'],
        ) -> Callable[[FailedAttempt], FailedAttempt]: ...
        @overload
        def __call__(
            self, event: Literal['pipe', 'unpipe'], listener: Callable[[Any], object],
        ) -> EmitterT_co: ...
        @overload
        def __call__(self, event: Literal['pipe', 'unpipe']) -> Callable[[OneThing], OneThing]: ...
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

    class SocketEmitting(Protocol):
        """``emit``: all arguments, in order."""

        @overload
        def __call__(self, event: SocketMoment, /) -> bool: ...
        @overload
        def __call__(self, event: Literal['data'], chunk: bytes | str, /) -> bool: ...
        @overload
        def __call__(self, event: Literal['error'], err: Any, /) -> bool: ...
        @overload
        def __call__(self, event: Literal['close'], had_error: bool, /) -> bool: ...
        @overload
        def __call__(
            self,
            event: Literal['lookup'],
            err: Any,
            address: str | None,
            family: int | None,
            host: str,
            /,
        ) -> bool: ...
        @overload
        def __call__(
            self,
            event: Literal['connectionAttempt', 'connectionAttemptTimeout'],
            address: str,
            port: int | None,
            family: int | None,
            /,
        ) -> bool: ...
        @overload
        def __call__(
            self,
            event: Literal['connectionAttemptFailed'],
            address: str,
            port: int | None,
            family: int | None,
            err: Any,
            /,
        ) -> bool: ...
        @overload
        def __call__(self, event: Literal['pipe', 'unpipe'], source: Any, /) -> bool: ...
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

    class SocketEvents:
        """What the type checkers see in place of the emitter's methods."""

        @property
        def on(self) -> SocketListening[Self]: ...
        @property
        def once(self) -> SocketListening[Self]: ...
        @property
        def add_listener(self) -> SocketListening[Self]: ...
        @property
        def prepend_listener(self) -> SocketListening[Self]: ...
        @property
        def prepend_once_listener(self) -> SocketListening[Self]: ...
        @property
        def off(self) -> Removing[SocketEvent, Self]: ...
        @property
        def remove_listener(self) -> Removing[SocketEvent, Self]: ...
        @property
        def emit(self) -> SocketEmitting: ...

    class TypedAddressed(SocketEvents, Addressed):  # type: ignore[misc]
        """The base of the class, as the type checkers see it."""
