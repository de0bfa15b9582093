"""A context for code that was written for Python's ``ssl``, such as ``http.client``, ``smtplib``.

Such code has a context wrap its socket. This one wraps those of gnet, and others by adopting them.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Any

from ..node.coded_errors import invalid_arg_type
from ..node.validators import validate_boolean
from ..sockets.socket import Socket
from .connect import secure
from .secure_context import SecureContext, as_secure_context, create_secure_context
from .socket import TLSSocket

__all__ = ['SSLContext']


class SSLContext:
    """Wraps sockets: what :mod:`http.client` and others ask of an ``ssl.SSLContext``.

    ::

        http.client.HTTPSConnection('example.org', context=gnet.tls.SSLContext())

    Attributes:
        secure_context: what it secures connections with.

    What else an ``ssl.SSLContext`` has is not here: make a context with options, or of such one.
    """

    __slots__ = ('_check_hostname', '_verify_mode', 'secure_context')

    def __init__(
        self, context: Any = None, *, server_side: bool = False, **options: Any,
    ) -> None:
        """Make one.

        Args:
            context: a :class:`SecureContext`, an ``ssl.SSLContext``, or options as a mapping.
            server_side: which end's sockets it wraps, unless :meth:`wrap_socket` says otherwise.
            options: of :func:`gnet.tls.create_secure_context`.

        Raises:
            CodedTypeError, TLSError, OSError: as :func:`gnet.tls.create_secure_context`.
        """
        self.secure_context: SecureContext = (
            create_secure_context(context, **options)
            if context is None or isinstance(context, Mapping) else as_secure_context(context))
        self._check_hostname = not server_side
        self._verify_mode = ssl.CERT_NONE if server_side else ssl.CERT_REQUIRED

    @property
    def check_hostname(self) -> bool:
        """Whether a server's certificate has to be that of *server_hostname* (True). May be set.

        Raises:
            CodedTypeError: ``ERR_INVALID_ARG_TYPE`` for anything but True and False.
        """
        return self._check_hostname

    @check_hostname.setter
    def check_hostname(self, value: bool) -> None:
        self._check_hostname = validate_boolean('check_hostname', value)

    @property
    def verify_mode(self) -> ssl.VerifyMode:
        """Whether the peer has to show a good certificate: ``ssl.CERT_REQUIRED``. May be set.

        On a server ``ssl.CERT_NONE`` by default.

        Raises:
            CodedTypeError: ``ERR_INVALID_ARG_TYPE`` for what is neither; ``ssl.CERT_OPTIONAL`` is
                for an ``ssl.SSLContext`` of your own.
            ValueError: ``ssl.CERT_NONE`` while :attr:`check_hostname` is set.
        """
        return self._verify_mode

    @verify_mode.setter
    def verify_mode(self, value: ssl.VerifyMode) -> None:
        if not isinstance(value, ssl.VerifyMode) or value == ssl.CERT_OPTIONAL:
            raise invalid_arg_type('verify_mode', 'ssl.CERT_NONE or ssl.CERT_REQUIRED', value)
        if value == ssl.CERT_NONE and self._check_hostname:
            raise ValueError('Cannot set verify_mode to CERT_NONE when check_hostname is enabled.')
        self._verify_mode = value

    def wrap_socket(
        self, sock: Any, server_side: bool = False, do_handshake_on_connect: bool = True,
        suppress_ragged_eofs: bool = True, server_hostname: str | None = None,
        session: Any = None,
    ) -> TLSSocket:
        """Speak TLS on *sock* from now on, and block until the handshake is done.

        Args:
            sock: a connected :class:`gnet.Socket`; or one of the standard library or gevent, which
                has no descriptor any more when this returns.
            server_side: which end this is.
            do_handshake_on_connect: False to return at once; the handshake goes on by itself.
            suppress_ragged_eofs: an end without a farewell is an end; False to have it raise.
            server_hostname: the server's name.
            session: of ``get_session()``.

        Raises:
            ValueError: a name is to be checked, and there is none.
            TLSError, OSError: the handshake has failed.
        """
        options: dict[str, Any] = {
            'secure_context': self.secure_context, 'strict_end': not suppress_ragged_eofs,
            # Such code keeps one, and forgets it now.
            'files_may_be_open': True}
        if server_side:
            options['request_cert'] = self.verify_mode != ssl.CERT_NONE
        else:
            if self.check_hostname and not server_hostname:
                raise ValueError('check_hostname requires server_hostname')
            options['reject_unauthorized'] = self.verify_mode != ssl.CERT_NONE
            options['session'] = session
            if server_hostname:
                options['servername'] = server_hostname
            if not self.check_hostname:
                options['check_server_identity'] = _anybody
        carrier = sock if isinstance(sock, Socket) else Socket.from_socket(sock)
        return secure(
            carrier, {**options, 'is_server': server_side}, waits=do_handshake_on_connect)


def _anybody(host: str, cert: Any) -> None:
    """The name is not to be checked."""
