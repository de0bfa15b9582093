"""What a TLS connection has agreed upon: the names of ``TLSSocket`` that ask for it.

Node's and Python's, beside each other. Before the handshake and after the connection is closed
there is nothing to tell: None, as in Node.
"""

from __future__ import annotations

from typing import Any

from ..events.emitter import EventEmitter
from ..streams.states import CONNECTED
from .certificates import certificate_object, detailed_certificate, peer_chain
from .errors import state_error, unavailable
from .sessions import Session
from .states import CHECKING, SECURE

__all__ = ['Agreement']

_AGREED = (CHECKING, SECURE)

#: Node's events for which Python's ``ssl`` has no hook.
_UNAVAILABLE = frozenset({'OCSPResponse', 'keylog'})


class Agreement(EventEmitter):
    """Without state of its own: :class:`.socket.TLSSocket` has it."""

    __slots__ = ()

    _wire: Any
    _options: Any
    _stage: Any

    def _agreed(self) -> Any:
        """Return the ``ssl.SSLObject`` when the handshake is done and while it is open, or None."""
        wire = self._wire
        return wire.object if self._stage is CONNECTED and wire.security in _AGREED else None

    def _listener_added(self, event: Any) -> None:
        super()._listener_added(event)
        if event in _UNAVAILABLE:
            # Rather than never to happen.
            self.remove_all_listeners(event)
            raise unavailable(f'the event {event!r}')

    # --- Node's -----------------------------------------------------------------------------------

    @property
    def encrypted(self) -> bool:
        """Always True: what tells it from a :class:`gnet.Socket`."""
        return True

    @property
    def secure_connecting(self) -> bool:
        """Whether the handshake is still to be done; stays so if it never was."""
        return self._wire.security is not SECURE

    @property
    def truncated(self) -> bool:
        """Whether the peer has ended without a farewell (close_notify): data may be missing."""
        truncated: bool = self._wire.truncated
        return truncated

    def get_protocol(self) -> str | None:
        """Return ``'TLSv1.3'`` or ``'TLSv1.2'``."""
        tls = self._agreed()
        return None if tls is None else tls.version()

    def get_cipher(self) -> dict[str, Any] | None:
        """Return ``{'name', 'standard_name', 'version'}`` of the cipher suite."""
        tls = self._agreed()
        cipher = None if tls is None else tls.cipher()
        if cipher is None:
            return None
        name, version, _bits = cipher
        return {'name': name, 'standard_name': standard_name(name), 'version': version}

    def is_session_reused(self) -> bool | None:
        """Return whether the handshake was a short one, of an earlier session."""
        tls = self._agreed()
        return None if tls is None else bool(tls.session_reused)

    def get_session(self) -> Session | None:
        """Return what ``connect(session=…)`` takes for a short handshake next time; a client's.

        With TLS 1.3 it is worth something when the server has sent its tickets: after the first
        read, say.
        """
        tls = self._agreed()
        if tls is None or tls.server_side or tls.session is None:
            return None
        return Session(tls.context, tls.session, self._options.identity)

    def get_peer_certificate(self, detailed: bool = False) -> dict[str, Any] | None:
        """Return the peer's certificate as Node has it; ``{}`` if it has shown none.

        Args:
            detailed: with ``issuer_certificate``, as far as Python's ``ssl`` tells.
        """
        tls = self._agreed()
        return None if tls is None else peer_certificate(tls, detailed=detailed)

    def get_certificate(self) -> dict[str, Any] | None:
        """Return this end's own certificate as Node has it; ``{}`` if it has none."""
        if self._agreed() is None:
            return None
        own = self._options.context.certificates
        return certificate_object(own[0]) if own else {}

    def get_peer_x509_certificate(self) -> Any:
        """Raise ``ERR_FEATURE_UNAVAILABLE_ON_PLATFORM``: see :meth:`getpeercert`."""
        raise unavailable('getPeerX509Certificate()', 'getpeercert(True) returns it as DER')

    def get_x509_certificate(self) -> Any:
        """Raise ``ERR_FEATURE_UNAVAILABLE_ON_PLATFORM``."""
        raise unavailable('getX509Certificate()')

    def set_key_cert(self, context: Any) -> None:
        """Raise ``ERR_FEATURE_UNAVAILABLE_ON_PLATFORM``."""
        raise unavailable('setKeyCert()', 'choose a context by sni_callback')

    def get_finished(self) -> bytes | None:
        """Raise ``ERR_FEATURE_UNAVAILABLE_ON_PLATFORM``: Python's ``ssl`` does not tell."""
        raise unavailable('getFinished()')

    def get_peer_finished(self) -> bytes | None:
        """Raise ``ERR_FEATURE_UNAVAILABLE_ON_PLATFORM``, as :meth:`get_finished`."""
        raise unavailable('getPeerFinished()')

    def get_tls_ticket(self) -> bytes | None:
        """Raise ``ERR_FEATURE_UNAVAILABLE_ON_PLATFORM``: see :meth:`get_session`."""
        raise unavailable('getTLSTicket()')

    def get_ephemeral_key_info(self) -> Any:
        """Raise ``ERR_FEATURE_UNAVAILABLE_ON_PLATFORM``."""
        raise unavailable('getEphemeralKeyInfo()')

    def get_shared_sigalgs(self) -> Any:
        """Raise ``ERR_FEATURE_UNAVAILABLE_ON_PLATFORM``."""
        raise unavailable('getSharedSigalgs()')

    def export_keying_material(self, length: int, label: str, context: Any = None) -> bytes:
        """Raise ``ERR_FEATURE_UNAVAILABLE_ON_PLATFORM``; before the handshake, that it is too soon.
        """
        if self._agreed() is None:
            raise state_error('ERR_TLS_INVALID_STATE')
        raise unavailable('exportKeyingMaterial()')

    def renegotiate(self, options: Any, callback: Any = None) -> bool:
        """Raise ``ERR_FEATURE_UNAVAILABLE_ON_PLATFORM``: gnet does not renegotiate."""
        raise unavailable('renegotiate()', 'gnet does not renegotiate, nor does TLS 1.3')

    def disable_renegotiation(self) -> None:
        """There never is any."""

    def set_max_send_fragment(self, size: Any = 16384) -> bool:
        """Raise ``ERR_FEATURE_UNAVAILABLE_ON_PLATFORM``."""
        raise unavailable('setMaxSendFragment()')

    def enable_trace(self) -> None:
        """Raise ``ERR_FEATURE_UNAVAILABLE_ON_PLATFORM``."""
        raise unavailable('enableTrace()')

    # --- Python's ---------------------------------------------------------------------------------

    @property
    def context(self) -> Any:
        """The ``ssl.SSLContext`` of the connection; None before the handshake begins."""
        tls = self._wire.object
        return None if tls is None else tls.context

    @property
    def server_side(self) -> bool:
        """Whether this is the server's end."""
        return not hasattr(self._options, 'identity')

    @property
    def server_hostname(self) -> str | None:
        """The name that a client asks for."""
        return getattr(self._options, 'servername', None) or None

    @property
    def session(self) -> Any:
        """The ``ssl.SSLSession``, or None."""
        tls = self._agreed()
        return None if tls is None else tls.session

    @property
    def session_reused(self) -> bool | None:
        """As :meth:`is_session_reused`."""
        return self.is_session_reused()

    def _agreed_or_raise(self) -> Any:
        tls = self._agreed()
        if tls is None:
            raise state_error('ERR_TLS_INVALID_STATE')
        return tls

    def getpeercert(self, binary_form: bool = False) -> Any:
        """Return the peer's certificate, as :meth:`ssl.SSLSocket.getpeercert`."""
        return self._agreed_or_raise().getpeercert(binary_form)

    def cipher(self) -> Any:
        """Return ``(name, protocol, bits)``, or None before the handshake is done."""
        tls = self._agreed()
        return None if tls is None else tls.cipher()

    def shared_ciphers(self) -> Any:
        """Return what both ends can do, as :meth:`ssl.SSLSocket.shared_ciphers`."""
        tls = self._agreed()
        return None if tls is None else tls.shared_ciphers()

    def version(self) -> str | None:
        """Return as :meth:`get_protocol`."""
        return self.get_protocol()

    def selected_alpn_protocol(self) -> str | None:
        """Return the protocol of ALPN, or None."""
        tls = self._agreed()
        return None if tls is None else tls.selected_alpn_protocol()

    def selected_npn_protocol(self) -> None:
        """Return None: ALPN has taken its place."""

    def compression(self) -> None:
        """Return None: it is never compressed."""

    def get_channel_binding(self, cb_type: str = 'tls-unique') -> bytes | None:
        """Return as :meth:`ssl.SSLSocket.get_channel_binding`."""
        tls = self._agreed()
        bound: bytes | None = None if tls is None else tls.get_channel_binding(cb_type)
        return bound


def peer_certificate(tls: Any, *, detailed: bool = False) -> dict[str, Any]:
    """Return the certificate that the peer of an ``ssl.SSLObject`` has shown; ``{}`` for none."""
    own = tls.getpeercert(True)
    if own is None:
        return {}
    return detailed_certificate(peer_chain(tls) or [own]) if detailed else certificate_object(own)


def standard_name(name: str) -> str:
    """Return the name of a cipher suite in the IANA registry, of its name in OpenSSL."""
    if name.startswith('TLS_'):
        return name
    parts = name.split('-')
    if parts[0] not in ('ECDHE', 'DHE', 'PSK'):
        parts.insert(0, 'RSA')
    else:
        exchange = [parts.pop(0)]
        while parts and parts[0] in ('RSA', 'ECDSA', 'PSK', 'DSS'):
            exchange.append(parts.pop(0))
        parts.insert(0, '_'.join(exchange))
    exchange_name, *rest = parts
    words: list[str] = []
    for part in rest:
        if part.startswith('AES') and part[3:].isdigit():
            words += ['AES', part[3:]]
        elif part.startswith('CAMELLIA') and part[8:].isdigit():
            words += ['CAMELLIA', part[8:]]
        elif part.startswith('ARIA') and part[4:].isdigit():
            words += ['ARIA', part[4:]]
        else:
            words.append(part)
    if words[-1].startswith('SHA') and not {'GCM', 'CCM', 'CCM8', 'CHACHA20', 'CBC'} & set(words):
        words.insert(-1, 'CBC')
    if words[-1] == 'POLY1305':
        words.append('SHA256')
    return f'TLS_{exchange_name}_WITH_' + '_'.join(words)

