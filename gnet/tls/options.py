"""The options of ``tls.connect`` and ``tls.create_server`` beyond those of ``net``, checked.

What secures a connection is taken at its word: where Node reads ``reject_unauthorized=0`` as True
and ``request_cert=1`` as False, anything but True and False is an error here. What Python's ``ssl``
cannot do is refused, and not passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..addresses.ip import is_ip
from ..node import coded_errors
from ..node.records import NamedTuple
from ..node.spelling import camel
from ..node.validators import (
    validate_boolean,
    validate_function,
    validate_number,
)
from ..node.values import MAX_INT32, UNDEFINED, truthy
from .alpn import alpn_protocols
from .context_options import CONTEXT_OPTIONS
from .errors import state_error, unavailable
from .identity import check_server_identity
from .secure_context import SecureContext, as_secure_context
from .sessions import Session, validate_session
from .shared_contexts import options_of_context, shared_context

__all__ = [
    'TLS_CONNECT_OPTIONS',
    'TLS_SERVER_OPTIONS',
    'TLSConnectOptions',
    'TLSServerOptions',
    'server_name_to_send',
    'tls_connect_options',
    'tls_server_options',
]

#: Milliseconds that a client has for its handshake: Node's.
_HANDSHAKE_TIMEOUT = 120_000.0

#: Bits of the prime that a Diffie-Hellman exchange has at least; OpenSSL's security level, which is
#: 2 in gnet, demands as many.
_DH_SIZE = 2048

#: Bytes of a name in SNI, in OpenSSL and by the rules of DNS.
_LONGEST_NAME = 255

_BOTH = frozenset({
    'alpn_protocols', 'enable_trace', 'psk_callback', 'reject_unauthorized', 'secure_context',
    'strict_end',
})

#: The names of the options, with those of contexts.
TLS_SERVER_OPTIONS = CONTEXT_OPTIONS | _BOTH | {
    'alpn_callback', 'handshake_timeout', 'psk_identity_hint', 'request_cert', 'sni_callback',
}
TLS_CONNECT_OPTIONS = CONTEXT_OPTIONS | _BOTH | {
    'check_server_identity', 'min_dh_size', 'request_ocsp', 'servername', 'session',
}


class TLSServerOptions(NamedTuple):
    """What a server does about TLS.

    Attributes:
        context: with which it answers if no name in ``add_context`` does.
        request_cert: ask for a certificate of the client, and refuse it without a good one.
        handshake_timeout: milliseconds from accept to the handshake's end; None for no limit.
        sni_callback: chooses a context by the name that the client asks for; or None.
        alpn_protocols: to choose from, the dearest first.
        alpn_callback: chooses of what the client offers; or None.
        strict_end: whether an end without a farewell (close_notify) is a failure.
    """

    context: SecureContext
    request_cert: bool
    handshake_timeout: float | None
    sni_callback: Callable[..., Any] | None
    alpn_protocols: tuple[str, ...]
    alpn_callback: Callable[..., Any] | None
    strict_end: bool


class TLSConnectOptions(NamedTuple):
    """What a client does about TLS.

    Attributes:
        context: what it trusts, and with what it answers if it is asked for a certificate.
        reject_unauthorized: refuse a server whose certificate is not verified.
        check_server_identity: is told the host and the certificate, and returns what is wrong.
        identity: the host that it is told.
        servername: what is sent as SNI; empty for nothing.
        alpn_protocols: to offer, the dearest first.
        session: of an earlier connection, or None.
        strict_end: whether an end without a farewell (close_notify) is a failure.
    """

    context: SecureContext
    reject_unauthorized: bool
    check_server_identity: Callable[[str, Any], Any]
    identity: str
    servername: str
    alpn_protocols: tuple[str, ...]
    session: Session | None
    strict_end: bool


def tls_server_options(options: Mapping[str, Any]) -> TLSServerOptions:
    """Check what a server is made with; *options* are in ``snake_case``, others are ignored.

    Raises:
        CodedTypeError, CodedValueError: ``ERR_INVALID_ARG_TYPE``, ``ERR_INVALID_ARG_VALUE``,
            ``ERR_OUT_OF_RANGE``, ``ERR_TLS_ALPN_CALLBACK_WITH_PROTOCOLS``,
            ``ERR_TLS_INVALID_CONTEXT``; ``ERR_FEATURE_UNAVAILABLE_ON_PLATFORM``, also for
            ``request_cert`` without ``reject_unauthorized``.
        CodedTypeError, TLSError, CodedRuntimeError, OSError: as
            :func:`gnet.tls.create_secure_context`.
    """
    request_cert = _flag(options, 'request_cert', False)
    reject = _flag(options, 'reject_unauthorized', True)
    _check_unavailable(options)
    hint = options.get('psk_identity_hint')
    if truthy(hint):
        if not isinstance(hint, str):
            raise coded_errors.invalid_arg_type('options.pskIdentityHint', 'of type string', hint)
        raise unavailable('options.pskIdentityHint')
    sni_callback = options.get('sni_callback')
    if truthy(sni_callback):
        validate_function('options.SNICallback', sni_callback)
    alpn_callback = options.get('alpn_callback')
    if alpn_callback is not None and alpn_callback is not UNDEFINED:
        validate_function('options.ALPNCallback', alpn_callback)
        if _is_given(options, 'alpn_protocols'):
            raise state_error('ERR_TLS_ALPN_CALLBACK_WITH_PROTOCOLS')
    timeout = _handshake_timeout(options.get('handshake_timeout'))
    protocols = alpn_protocols(options.get('alpn_protocols'))
    if request_cert and not reject:
        raise unavailable(
            'options.requestCert with options.rejectUnauthorized false',
            "Python's ssl cannot let in who has shown a bad certificate")
    context = _given_context(options) or SecureContext(options_of_context(options))
    # Shows a context that was given, but does something else than what is asked for.
    context.server_context(request_cert=request_cert, alpn=protocols)
    return TLSServerOptions(
        context=context,
        request_cert=request_cert,
        handshake_timeout=timeout,
        sni_callback=sni_callback if truthy(sni_callback) else None,
        alpn_protocols=protocols,
        alpn_callback=alpn_callback if callable(alpn_callback) else None,
        strict_end=_flag(options, 'strict_end', False),
    )


def tls_connect_options(
    options: Mapping[str, Any], host: str | None = None,
) -> TLSConnectOptions:
    """Check what a client is made with; *options* are in ``snake_case``, others are ignored.

    Args:
        options: of which ``host`` counts too: it is whose certificate is expected, and what is sent
            as SNI if it is a name, unless ``servername`` says otherwise.
        host: that of the socket that is to be secured, if it is connected already.

    Raises:
        CodedTypeError, CodedValueError: ``ERR_INVALID_ARG_TYPE``, ``ERR_INVALID_ARG_VALUE``,
            ``ERR_OUT_OF_RANGE``, ``ERR_TLS_INVALID_CONTEXT``,
            ``ERR_FEATURE_UNAVAILABLE_ON_PLATFORM``.
        CodedTypeError, TLSError, CodedRuntimeError, OSError: as
            :func:`gnet.tls.create_secure_context`.
    """
    reject = _flag(options, 'reject_unauthorized', True)
    check = options.get('check_server_identity', UNDEFINED)
    if check is UNDEFINED:
        check = check_server_identity
    validate_function('options.checkServerIdentity', check)
    _check_dh_size(options.get('min_dh_size', UNDEFINED))
    _check_unavailable(options)
    if truthy(options.get('request_ocsp')):
        raise unavailable('options.requestOCSP')
    servername, identity = _names(options, host)
    protocols = alpn_protocols(options.get('alpn_protocols'))
    session = validate_session(options.get('session'))
    context = _given_context(options) or shared_context(options)
    context.client_context(verify=reject, alpn=protocols)
    return TLSConnectOptions(
        context=context,
        reject_unauthorized=reject,
        check_server_identity=check,
        identity=identity,
        servername=servername,
        alpn_protocols=protocols,
        session=session,
        strict_end=_flag(options, 'strict_end', False),
    )


def server_name_to_send(host: str) -> str:
    """Return *host* as it is sent as SNI: in ASCII; empty if it is an IP address or no name at all.

    A dot at its end is left out (RFC 6066 §3).
    """
    bare = host[:-1] if host.endswith('.') else host
    if not bare or is_ip(bare) or '\0' in bare or bare.startswith('.'):
        return ''
    try:
        name = bare.encode('idna')
    except UnicodeError:
        # What is too long for DNS, or has empty labels.
        return ''
    return name.decode('ascii') if len(name) <= _LONGEST_NAME else ''


def _names(options: Mapping[str, Any], host: str | None) -> tuple[str, str]:
    """Return what is sent as SNI, and whose certificate is expected."""
    given = options.get('servername')
    if given is not None and given is not UNDEFINED:
        if not isinstance(given, str):
            raise coded_errors.invalid_arg_type('name', 'of type string', given)
        if given:
            sent = server_name_to_send(given)
            if not sent and not is_ip(given):
                raise coded_errors.invalid_arg_value('options.servername', given)
            return sent, given
    own = options.get('host')
    asked = own if isinstance(own, str) and own else host or ''
    # Node sends nothing then. All others send the name, and many servers need it.
    is_silent = given == '' or truthy(options.get('path'))
    return '' if is_silent else server_name_to_send(asked), asked or 'localhost'


def _given_context(options: Mapping[str, Any]) -> SecureContext | None:
    if not _is_given(options, 'secure_context'):
        return None
    for name in sorted(CONTEXT_OPTIONS):
        if _is_given(options, name):
            # Node ignores it: and so the authorities that were meant, say.
            raise coded_errors.CodedTypeError(
                'ERR_INVALID_ARG_VALUE',
                f"The property 'options.{camel(name)}' is one of the context: it means nothing "
                "beside 'options.secureContext'")
    return as_secure_context(options['secure_context'])


def _is_given(options: Mapping[str, Any], name: str) -> bool:
    value = options.get(name)
    return value is not None and value is not UNDEFINED


def _flag(options: Mapping[str, Any], name: str, default: bool) -> bool:
    if not _is_given(options, name):
        return default
    return validate_boolean(f'options.{camel(name)}', options[name])


def _handshake_timeout(value: Any) -> float | None:
    if not truthy(value):
        return _HANDSHAKE_TIMEOUT
    msecs = validate_number('options.handshakeTimeout', value)
    return msecs if 0 < msecs <= MAX_INT32 else None


def _check_dh_size(value: Any) -> None:
    if value is UNDEFINED or value is None:
        return
    size = validate_number('options.minDHSize', value)
    if not size >= 1:
        raise coded_errors.out_of_range('options.minDHSize', '>= 1', value)
    if size > _DH_SIZE:
        raise unavailable(f'options.minDHSize above {_DH_SIZE}')


def _check_unavailable(options: Mapping[str, Any]) -> None:
    if _flag(options, 'enable_trace', False):
        raise unavailable('options.enableTrace')
    callback = options.get('psk_callback')
    if truthy(callback):
        validate_function('options.pskCallback', callback)
        raise unavailable('options.pskCallback')
