"""The options of calls as types: what may be given by name, and what it must be.

For type checkers only: at run time this file is empty, and the options are checked by the other
files of this room. Names are those of Python's spelling; Node's work as well, but are not known to
type checkers, nor is what is in a mapping. A test compares these names with those of the checks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

#: Nothing at run time.
__all__: list[str] = []

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from os import PathLike
    from typing import Any, Literal, TypedDict, Union

    from ..addresses.block_list import BlockList

    #: Numbers of the options; infinity is one.
    Number = Union[int, float]

    class PeerKeywords(TypedDict, total=False):
        """How slow and how greedy a peer may be."""

        lifetime: Number | None
        max_buffered: Number | None
        read_timeout: Number | None
        write_timeout: Number | None

    class ServerKeywords(PeerKeywords, total=False):
        """Of :class:`gnet.Server`."""

        allow_half_open: bool
        block_list: BlockList | None
        connection_burst: Number | None
        connection_burst_per_address: Number | None
        connection_rate: Number | None
        connection_rate_per_address: Number | None
        high_water_mark: Number
        ipv4_prefix: int
        ipv6_prefix: int
        keep_alive: bool
        keep_alive_initial_delay: Number
        max_connections: Number | None
        max_connections_per_address: Number | None
        max_connections_policy: Literal['drop', 'wait']
        no_delay: bool
        pause_on_connect: bool
        proxy_protocol: Mapping[str, Any] | None

    class NewServerKeywords(ServerKeywords, total=False):
        """Of its constructor."""

        options: Mapping[str, Any] | None
        listener: Callable[..., object] | None

    class ListenerKeywords(TypedDict, total=False):
        """Of ``listen()``, but for where, and for its callback."""

        backlog: int
        exclusive: bool
        fd: int
        handle: Any
        ipv6_only: bool
        path: str | bytes | PathLike[str]
        readable_all: bool
        reuse_port: bool
        signal: Any
        systemd: bool | str
        writable_all: bool

    class ListenKeywords(ListenerKeywords, total=False):
        """Of ``listen()``."""

        callback: Callable[[], object] | None
        host: str | None
        port: int | str | None

    class ServeKeywords(ServerKeywords, ListenerKeywords, total=False):
        """Of :func:`gnet.serve`, whose port and host are parameters."""

    class SocketKeywords(PeerKeywords, total=False):
        """Of :class:`gnet.Socket`."""

        allow_half_open: bool
        block_list: BlockList | None
        capture_rejections: bool
        default_encoding: str
        encoding: str | None
        fd: int
        high_water_mark: Number
        keep_alive: bool
        keep_alive_initial_delay: Number
        no_delay: bool
        object_mode: bool
        onread: Mapping[str, Any] | None
        readable: bool
        readable_high_water_mark: Number
        readable_object_mode: bool
        signal: Any
        type_of_service: int
        writable: bool
        writable_high_water_mark: Number
        writable_object_mode: bool

    class ConnectKeywords(TypedDict, total=False):
        """Of ``Socket.connect()``."""

        auto_select_family: bool
        auto_select_family_attempt_timeout: Number
        callback: Callable[[], object] | None
        family: int
        hints: int
        host: str | None
        local_address: str | None
        local_port: int | None
        lookup: Callable[..., object] | None
        path: str | bytes | PathLike[str]
        port: int | str | None
        proxy_protocol: Any

    class NewConnectionKeywords(SocketKeywords, ConnectKeywords, total=False):
        """Of :func:`gnet.connect`."""

        timeout: Number

    class ProcessKeywords(TypedDict, total=False):
        """How a program is started: of ``fork()``, and of a cluster's settings."""

        cwd: str | bytes | PathLike[str]
        direct: bool
        exec_argv: Sequence[str]
        exec_path: str | PathLike[str]
        gid: int
        module: bool
        patch: bool
        serialization: Literal['json']
        silent: bool
        stdio: Any
        uid: int
        windows_hide: bool
        windows_verbatim_arguments: bool

    class ForkKeywords(ProcessKeywords, total=False):
        """Of :func:`gnet.child_process.fork`."""

        detached: bool
        env: Mapping[str, Any] | None
        kill_signal: str | int
        signal: Any
        timeout: Number

    class PrimaryKeywords(ProcessKeywords, total=False):
        """Of ``cluster.setup_primary()``."""

        args: Sequence[str]
        env: Mapping[str, Any] | None
        exec: str | PathLike[str]
        inspect_port: Any
