"""The events of ``gnet.cluster`` and their arguments, as types.

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

    from ..events.guarded import Guarded
    from ..events.typed import Announced, EmitterT_co, ErrorMonitor, OneThing, Removing
    from .listening_address import ListeningAddress
    from .worker import Worker

    OfWorker = TypeVar('OfWorker', bound='Callable[[Worker], object]')
    OfSettings = TypeVar('OfSettings', bound='Callable[[dict[str, Any]], object]')
    WorkerListens = TypeVar('WorkerListens', bound='Callable[[Worker, ListeningAddress], object]')
    WorkerMessage = TypeVar('WorkerMessage', bound='Callable[[Worker, Any, Any], object]')
    WorkerEnded = TypeVar('WorkerEnded', bound='Callable[[Worker, int | None, str | None], object]')

    ClusterEvent = Union[ErrorMonitor, Literal[
        'fork', 'online', 'disconnect', 'setup', 'listening', 'message', 'exit', 'newListener',
        'removeListener',
    ]]

    class ClusterListening(Protocol[EmitterT_co]):
        """``on`` and the other verbs that add listeners."""

        @overload
        def __call__(
            self,
            event: Literal['fork', 'online', 'disconnect'],
            listener: Callable[[Worker], object],
        ) -> EmitterT_co: ...
        @overload
        def __call__(
            self, event: Literal['fork', 'online', 'disconnect'],
        ) -> Callable[[OfWorker], OfWorker]: ...
        @overload
        def __call__(
            self, event: Literal['setup'], listener: Callable[[dict[str, Any]], object],
        ) -> EmitterT_co: ...
        @overload
        def __call__(self, event: Literal['setup']) -> Callable[[OfSettings], OfSettings]: ...
        @overload
        def __call__(
            self,
            event: Literal['listening'],
            listener: Callable[[Worker, ListeningAddress], object],
        ) -> EmitterT_co: ...
        @overload
        def __call__(
            self, event: Literal['listening'],
        ) -> Callable[[WorkerListens], WorkerListens]: ...
        @overload
        def __call__(
            self, event: Literal['message'], listener: Callable[[Worker, Any, Any], object],
        ) -> EmitterT_co: ...
        @overload
        def __call__(
            self, event: Literal['message'],
        ) -> Callable[[WorkerMessage], WorkerMessage]: ...
        @overload
        def __call__(
            self,
            event: Literal['exit'],
            listener: Callable[[Worker, int | None, str | None], object],
        ) -> EmitterT_co: ...
        @overload
        def __call__(self, event: Literal['exit']) -> Callable[[WorkerEnded], WorkerEnded]: ...
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

    class ClusterEmitting(Protocol):
        """``emit``: all arguments, in order."""

        @overload
        def __call__(
            self, event: Literal['fork', 'online', 'disconnect'], worker: Worker, /,
        ) -> bool: ...
        @overload
        def __call__(self, event: Literal['setup'], settings: dict[str, Any], /) -> bool: ...
        @overload
        def __call__(
            self, event: Literal['listening'], worker: Worker, address: ListeningAddress, /,
        ) -> bool: ...
        @overload
        def __call__(
            self, event: Literal['message'], worker: Worker, message: Any, handle: Any, /,
        ) -> bool: ...
        @overload
        def __call__(
            self, event: Literal['exit'], worker: Worker, code: int | None, signal: str | None, /,
        ) -> bool: ...
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

    class ClusterEvents:
        """What the type checkers see in place of the emitter's methods."""

        @property
        def on(self) -> ClusterListening[Self]: ...
        @property
        def once(self) -> ClusterListening[Self]: ...
        @property
        def add_listener(self) -> ClusterListening[Self]: ...
        @property
        def prepend_listener(self) -> ClusterListening[Self]: ...
        @property
        def prepend_once_listener(self) -> ClusterListening[Self]: ...
        @property
        def off(self) -> Removing[ClusterEvent, Self]: ...
        @property
        def remove_listener(self) -> Removing[ClusterEvent, Self]: ...
        @property
        def emit(self) -> ClusterEmitting: ...

    class TypedGuarded(ClusterEvents, Guarded):  # type: ignore[misc]
        """The base of the class, as the type checkers see it."""
