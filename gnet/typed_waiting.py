"""``gnet.once`` and ``gnet.on`` as types: which arguments come, and which events there are.

For type checkers only: at run time the two are functions of the room ``events``, which knows none
of these classes. Where several arguments come, they are Any.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

#: Nothing at run time.
__all__: list[str] = []

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable
    from typing import Any, Literal, Protocol, overload

    from .clusters.cluster import Cluster
    from .clusters.typed_events import ClusterEvent
    from .clusters.typed_worker_events import WorkerEvent
    from .clusters.worker import Worker
    from .events.iterator import EventIterator
    from .events.typed import AnyEvents
    from .processes.child import ChildProcess
    from .processes.this_process import Process
    from .processes.typed_events import ChildEvent, ProcessEvent
    from .servers.server import Server
    from .servers.typed_events import ServerEvent
    from .sockets.socket import Socket
    from .sockets.typed_events import SocketEvent
    from .tls.server import Server as TLSServer
    from .tls.socket import TLSSocket
    from .tls.typed_server_events import TLSServerEvent
    from .tls.typed_socket_events import TLSSocketEvent

    class Once(Protocol):
        """:func:`gnet.once`: blocks, and returns the list of the arguments."""

        @overload
        def __call__(
            self, emitter: Server, event: Literal['connection'],
            options: Any = ..., *, timeout: float | None = None, signal: Any = None,
        ) -> list[Socket]: ...
        @overload
        def __call__(
            self, emitter: TLSServer, event: Literal['secureConnection'],
            options: Any = ..., *, timeout: float | None = None, signal: Any = None,
        ) -> list[TLSSocket]: ...
        @overload
        def __call__(
            self, emitter: Socket, event: Literal['close'],
            options: Any = ..., *, timeout: float | None = None, signal: Any = None,
        ) -> list[bool]: ...
        @overload
        def __call__(
            self, emitter: Server, event: ServerEvent,
            options: Any = ..., *, timeout: float | None = None, signal: Any = None,
        ) -> list[Any]: ...
        @overload
        def __call__(
            self, emitter: TLSServer, event: TLSServerEvent,
            options: Any = ..., *, timeout: float | None = None, signal: Any = None,
        ) -> list[Any]: ...
        @overload
        def __call__(
            self, emitter: Socket, event: SocketEvent,
            options: Any = ..., *, timeout: float | None = None, signal: Any = None,
        ) -> list[Any]: ...
        @overload
        def __call__(
            self, emitter: TLSSocket, event: TLSSocketEvent,
            options: Any = ..., *, timeout: float | None = None, signal: Any = None,
        ) -> list[Any]: ...
        @overload
        def __call__(
            self, emitter: ChildProcess, event: ChildEvent,
            options: Any = ..., *, timeout: float | None = None, signal: Any = None,
        ) -> list[Any]: ...
        @overload
        def __call__(
            self, emitter: Process, event: ProcessEvent,
            options: Any = ..., *, timeout: float | None = None, signal: Any = None,
        ) -> list[Any]: ...
        @overload
        def __call__(
            self, emitter: Cluster, event: ClusterEvent,
            options: Any = ..., *, timeout: float | None = None, signal: Any = None,
        ) -> list[Any]: ...
        @overload
        def __call__(
            self, emitter: Worker, event: WorkerEvent,
            options: Any = ..., *, timeout: float | None = None, signal: Any = None,
        ) -> list[Any]: ...
        @overload
        def __call__(
            self, emitter: AnyEvents, event: Hashable,
            options: Any = ..., *, timeout: float | None = None, signal: Any = None,
        ) -> list[Any]: ...

    class On(Protocol):
        """:func:`gnet.on`: iterates over such lists."""

        @overload
        def __call__(
            self, emitter: Server, event: Literal['connection'],
            options: Any = ..., *, signal: Any = None, close: Iterable[Hashable] | None = None,
            high_water_mark: int | None = None, low_water_mark: int | None = None,
        ) -> EventIterator[Socket]: ...
        @overload
        def __call__(
            self, emitter: TLSServer, event: Literal['secureConnection'],
            options: Any = ..., *, signal: Any = None, close: Iterable[Hashable] | None = None,
            high_water_mark: int | None = None, low_water_mark: int | None = None,
        ) -> EventIterator[TLSSocket]: ...
        @overload
        def __call__(
            self, emitter: Socket, event: Literal['close'],
            options: Any = ..., *, signal: Any = None, close: Iterable[Hashable] | None = None,
            high_water_mark: int | None = None, low_water_mark: int | None = None,
        ) -> EventIterator[bool]: ...
        @overload
        def __call__(
            self, emitter: Server, event: ServerEvent,
            options: Any = ..., *, signal: Any = None, close: Iterable[Hashable] | None = None,
            high_water_mark: int | None = None, low_water_mark: int | None = None,
        ) -> EventIterator[Any]: ...
        @overload
        def __call__(
            self, emitter: TLSServer, event: TLSServerEvent,
            options: Any = ..., *, signal: Any = None, close: Iterable[Hashable] | None = None,
            high_water_mark: int | None = None, low_water_mark: int | None = None,
        ) -> EventIterator[Any]: ...
        @overload
        def __call__(
            self, emitter: Socket, event: SocketEvent,
            options: Any = ..., *, signal: Any = None, close: Iterable[Hashable] | None = None,
            high_water_mark: int | None = None, low_water_mark: int | None = None,
        ) -> EventIterator[Any]: ...
        @overload
        def __call__(
            self, emitter: TLSSocket, event: TLSSocketEvent,
            options: Any = ..., *, signal: Any = None, close: Iterable[Hashable] | None = None,
            high_water_mark: int | None = None, low_water_mark: int | None = None,
        ) -> EventIterator[Any]: ...
        @overload
        def __call__(
            self, emitter: ChildProcess, event: ChildEvent,
            options: Any = ..., *, signal: Any = None, close: Iterable[Hashable] | None = None,
            high_water_mark: int | None = None, low_water_mark: int | None = None,
        ) -> EventIterator[Any]: ...
        @overload
        def __call__(
            self, emitter: Process, event: ProcessEvent,
            options: Any = ..., *, signal: Any = None, close: Iterable[Hashable] | None = None,
            high_water_mark: int | None = None, low_water_mark: int | None = None,
        ) -> EventIterator[Any]: ...
        @overload
        def __call__(
            self, emitter: Cluster, event: ClusterEvent,
            options: Any = ..., *, signal: Any = None, close: Iterable[Hashable] | None = None,
            high_water_mark: int | None = None, low_water_mark: int | None = None,
        ) -> EventIterator[Any]: ...
        @overload
        def __call__(
            self, emitter: Worker, event: WorkerEvent,
            options: Any = ..., *, signal: Any = None, close: Iterable[Hashable] | None = None,
            high_water_mark: int | None = None, low_water_mark: int | None = None,
        ) -> EventIterator[Any]: ...
        @overload
        def __call__(
            self, emitter: AnyEvents, event: Hashable,
            options: Any = ..., *, signal: Any = None, close: Iterable[Hashable] | None = None,
            high_water_mark: int | None = None, low_water_mark: int | None = None,
        ) -> EventIterator[Any]: ...
