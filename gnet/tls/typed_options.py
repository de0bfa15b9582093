"""The options of :mod:`gnet.tls` as types: see ``gnet/options/typed.py``."""

from __future__ import annotations

from typing import TYPE_CHECKING

#: Nothing at run time.
__all__: list[str] = []

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Sequence
    from typing import Any, Union

    from ..options.typed import (
        ListenerKeywords,
        NewConnectionKeywords,
        NewServerKeywords,
        Number,
        ServerKeywords,
        SocketKeywords,
    )
    from .secure_context import SecureContext
    from .sessions import Session
    from .typed_context_options import ContextKeywords

    Context = Union[SecureContext, ssl.SSLContext, None]

    class EitherEndKeywords(ContextKeywords, total=False):
        """What both ends may say of a connection."""

        alpn_protocols: Sequence[str | bytes] | bytes | None
        enable_trace: Any
        psk_callback: Any
        reject_unauthorized: bool | None
        secure_context: Context
        strict_end: bool | None

    class ServerEndKeywords(EitherEndKeywords, total=False):
        """What a server says."""

        alpn_callback: Callable[[Any], object] | None
        handshake_timeout: Number | None
        psk_identity_hint: Any
        request_cert: bool | None
        sni_callback: Callable[..., object] | None

    class OwnServerKeywords(ServerEndKeywords, total=False):
        """What :class:`gnet.tls.Server` has besides."""

        max_pending_handshakes: Number | None
        max_pending_handshakes_per_address: Number | None
        ssl_context: Context
        watch_certificates: bool

    class NewTLSServerKeywords(NewServerKeywords, OwnServerKeywords, total=False):
        """Of :func:`gnet.tls.create_server`."""

    class TLSServeKeywords(ServerKeywords, ListenerKeywords, OwnServerKeywords, total=False):
        """Of :func:`gnet.tls.serve`, whose port and host are parameters."""

    class ClientEndKeywords(EitherEndKeywords, total=False):
        """What a client says."""

        check_server_identity: Callable[[str, Any], object] | None
        min_dh_size: Any
        request_ocsp: Any
        servername: str | None
        session: Session | None

    class NewTLSConnectionKeywords(NewConnectionKeywords, ClientEndKeywords, total=False):
        """Of :func:`gnet.tls.connect`."""

        socket: Any

    class BothEndsKeywords(ClientEndKeywords, ServerEndKeywords, total=False):
        """Of what may become either: what is of no use to one is not looked at."""

        buffered_is_tls: bool
        files_may_be_open: bool
        server: Any

    class StartTLSKeywords(SocketKeywords, BothEndsKeywords, total=False):
        """Of :func:`gnet.tls.start_tls`."""

    class TLSSocketKeywords(StartTLSKeywords, total=False):
        """Of :class:`gnet.tls.TLSSocket`."""

        is_server: bool

    class EitherServerKeywords(NewServerKeywords, total=False):
        """Of :func:`gnet.create_server`."""

        ssl_context: Context

    class EitherServeKeywords(ServerKeywords, ListenerKeywords, total=False):
        """Of :func:`gnet.serve`."""

        ssl_context: Context
