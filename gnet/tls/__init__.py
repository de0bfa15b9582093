"""Node's module ``tls``, and Python's ``ssl``, on gnet's servers and sockets.

::

    from pathlib import Path
    from gnet import tls

    def handler(sock):
        for chunk in sock:
            sock.sendall(chunk)

    server = tls.create_server(handler, key=Path('key.pem'), cert=Path('cert.pem'))
    server.listen(7000)

Its own parts, from the ground up: what has no sockets (contexts, certificates, names, errors); the
``engine``, which is TLS without I/O; the ``wire`` (``sending``, ``receiving``), which is TLS upon
another wire; the handshakes; `TLSSocket`, `connect` and `Server`.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from ..node.faces import show_as
from ..node.spelling import module_attribute
from .alpn import convert_alpn_protocols
from .ciphers import CLIENT_RENEG_LIMIT, CLIENT_RENEG_WINDOW, DEFAULTS, get_ciphers
from .connect import connect, start_tls
from .errors import TLSCertificateError, TLSError
from .identity import check_server_identity
from .roots import get_ca_certificates, set_default_ca_certificates
from .roots import root_certificates as read_root_certificates
from .secure_context import SecureContext, create_secure_context
from .server import Server, create_server, serve
from .sessions import Session
from .socket import TLSSocket
from .ssl_context import SSLContext

__all__ = [
    'CLIENT_RENEG_LIMIT',
    'CLIENT_RENEG_WINDOW',
    'SSLContext',
    'SecureContext',
    'Server',
    'Session',
    'TLSCertificateError',
    'TLSError',
    'TLSSocket',
    'check_server_identity',
    'connect',
    'convert_alpn_protocols',
    'create_secure_context',
    'create_server',
    'get_ca_certificates',
    'get_ciphers',
    'serve',
    'set_default_ca_certificates',
    'start_tls',
]

show_as(__name__, globals(), __all__)


class _Face(ModuleType):
    """This module, in which some names are looked up when they are asked for, or may be set."""

    @property
    def root_certificates(self) -> tuple[str, ...]:
        """The system's authorities, each as PEM. Reading them takes a while, the first time."""
        return read_root_certificates()

    @property
    def DEFAULT_CIPHERS(self) -> Any:  # noqa: N802  # Node's name, as those below
        """What ``ciphers`` is where an option does not say. May be set."""
        return DEFAULTS.ciphers

    @DEFAULT_CIPHERS.setter
    def DEFAULT_CIPHERS(self, value: Any) -> None:  # noqa: N802
        DEFAULTS.ciphers = value

    @property
    def DEFAULT_ECDH_CURVE(self) -> Any:  # noqa: N802
        """What ``ecdh_curve`` is where an option does not say. May be set."""
        return DEFAULTS.ecdh_curve

    @DEFAULT_ECDH_CURVE.setter
    def DEFAULT_ECDH_CURVE(self, value: Any) -> None:  # noqa: N802
        DEFAULTS.ecdh_curve = value

    @property
    def DEFAULT_MIN_VERSION(self) -> Any:  # noqa: N802
        """What ``min_version`` is where an option does not say. May be set."""
        return DEFAULTS.min_version

    @DEFAULT_MIN_VERSION.setter
    def DEFAULT_MIN_VERSION(self, value: Any) -> None:  # noqa: N802
        DEFAULTS.min_version = value

    @property
    def DEFAULT_MAX_VERSION(self) -> Any:  # noqa: N802
        """What ``max_version`` is where an option does not say. May be set."""
        return DEFAULTS.max_version

    @DEFAULT_MAX_VERSION.setter
    def DEFAULT_MAX_VERSION(self, value: Any) -> None:  # noqa: N802
        DEFAULTS.max_version = value


sys.modules[__name__].__class__ = _Face


def __getattr__(name: str) -> Any:
    if name == 'rootCertificates':
        return read_root_certificates()
    return module_attribute(__name__, globals(), name)


def __dir__() -> list[str]:
    return sorted([*__all__, *(name for name in vars(_Face) if not name.startswith('_'))])
