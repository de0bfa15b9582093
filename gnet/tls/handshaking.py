"""What a program may do about a handshake: name, session, waiting for it, and undoing it.

Without state of its own: :class:`.socket.TLSSocket` has it.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Any

from ..node import coded_errors
from ..options.connect import ConnectRequest
from ..sockets.lending import take_back
from ..sockets.socket import Socket
from .agreement import Agreement
from .errors import state_error, tls_error, unavailable
from .options import TLSConnectOptions, TLSServerOptions, server_name_to_send
from .sessions import Session, validate_session
from .states import UNSTARTED

__all__ = ['Handshaking']


class Handshaking(Agreement, Socket):  # type: ignore[misc]  # it has the events of a Socket
    """A socket with TLS, as far as its handshake is the program's affair."""

    __slots__ = ()

    _wire: Any
    _options: TLSConnectOptions | TLSServerOptions
    #: The socket whose connection it is, if it began in plain text.
    _lender: Socket | None
    #: What it was told to connect to, and by which name.
    _target: Mapping[str, Any]

    def _connect(self, request: ConnectRequest) -> None:
        options = self._options
        if isinstance(options, TLSConnectOptions) and not self._target.get('servername'):
            # Whom it is told to connect to now, who may be another than last time.
            is_silent = request.path is not None or self._target.get('servername') == ''
            host = self._target.get('host') if request.path is not None else request.host
            self._options = options._replace(
                servername='' if is_silent else server_name_to_send(request.host),
                identity=host if isinstance(host, str) and host else 'localhost')
        self._forget_agreement()
        super()._connect(request)

    def _forget_agreement(self) -> None:
        """There was none. `TLSSocket` has it."""
        raise NotImplementedError

    def do_handshake(self) -> None:
        """Block until the handshake is done, which goes on by itself anyway.

        Raises:
            TimeoutError: it was not, within the time of :meth:`settimeout`.
            TLSError: it has failed, or the server is not whom it should be.
            OSError: the connection has failed, or was closed here.
        """
        self._note_blocking_use()
        if self.secure_connecting:
            self._send_in_turn(memoryview(b''))  # which waits until something can be sent

    def set_servername(self, name: str) -> None:
        """Ask for *name*, and expect its certificate; before the connection is made.

        Raises:
            CodedTypeError: ``ERR_INVALID_ARG_TYPE``.
            CodedRuntimeError: ``ERR_TLS_SNI_FROM_SERVER`` on a server's socket;
                ``ERR_TLS_INVALID_STATE`` when the handshake has begun.
        """
        if not isinstance(name, str):
            raise coded_errors.invalid_arg_type('name', 'of type string', name)
        options = self._options
        if isinstance(options, TLSServerOptions):
            raise state_error('ERR_TLS_SNI_FROM_SERVER')
        if self._wire.security is not UNSTARTED:
            raise state_error('ERR_TLS_INVALID_STATE')
        self._target = {**self._target, 'servername': name}
        self._options = options._replace(
            servername=server_name_to_send(name), identity=name or options.identity)

    def set_session(self, session: Session) -> None:
        """Resume *session*; before the connection is made.

        Raises:
            CodedTypeError: ``ERR_INVALID_ARG_TYPE`` for what no ``get_session()`` has returned.
            CodedRuntimeError: ``ERR_TLS_INVALID_STATE`` when the handshake has begun, and on a
                server's socket.
        """
        checked = validate_session(session)
        options = self._options
        if isinstance(options, TLSServerOptions) or self._wire.security is not UNSTARTED:
            raise state_error('ERR_TLS_INVALID_STATE')
        self._options = options._replace(session=checked)

    def unwrap(self) -> Any:
        """End TLS at both ends, and return the :class:`gnet.Socket` below, in plain text; blocks.

        For connections that have begun in plain text. What was written before is sent first. This
        socket is destroyed.

        Raises:
            CodedRuntimeError: ``ERR_TLS_INVALID_STATE`` before the handshake is done, and if the
                peer still sends something; then nothing is lost, and it can be read.
            CodedTypeError: ``ERR_FEATURE_UNAVAILABLE_ON_PLATFORM`` for other connections.
            OSError: the connection has failed, or the peer has ended it.
            TimeoutError: the peer has not ended TLS within the time of :meth:`settimeout`.
        """
        lender = self._lender
        if lender is None:
            raise unavailable(
                'unwrap() of a connection that was not secured by start_tls()', 'close it')
        self._agreed_or_raise()
        self.sendall(b'')
        wire = self._wire
        wire.announce_end()
        chunk = self._take_bytes()
        if chunk is not None:
            wire.give_back(chunk)
            raise state_error('ERR_TLS_INVALID_STATE')
        if wire.truncated:
            raise tls_error(ssl.SSLEOFError(
                ssl.SSLErrorNumber.SSL_ERROR_EOF, 'EOF occurred in violation of protocol'))
        unread = wire.let_go()
        take_back(lender, self, unread)
        self._lender = None
        self.destroy()
        return lender
