"""Errors of TLS: what Python's ``ssl`` raises, made into errors with Node's ``code``.

All of them are :class:`TLSError`, which is an ``ssl.SSLError`` too, so that ``except ssl.SSLError``
finds them. Python's names and texts change with the OpenSSL below; ``code``, ``library``,
``reason`` and the text do not: they are those of OpenSSL 3.5, which Node 24 has. Source lines and
numbers of threads, which Node's texts are full of, are left out.
"""

from __future__ import annotations

import re
import ssl
from typing import Any

from ..node.coded_errors import CodedError, CodedRuntimeError, CodedTypeError
from ..node.records import NamedTuple

__all__ = [
    'TLSCertificateError',
    'TLSError',
    'state_error',
    'tls_error',
    'unavailable',
]


class TLSError(CodedError, ssl.SSLError):
    """TLS failed: a handshake, a record, or a key or certificate that cannot be used.

    Attributes:
        code: Node's name of the error, such as ``'ERR_SSL_NO_SHARED_CIPHER'``.
        library: the part of OpenSSL that refused, such as ``'SSL routines'``; None if it was gnet.
        reason: OpenSSL's words, in lower case; None if it was gnet.
        errno: as ``ssl`` has it: 1 (``SSL_ERROR_SSL``), or 8 at an end in the middle of something.
    """

    library: str | None  # type: ignore[assignment]  # ssl's stub has none without
    reason: str | None  # type: ignore[assignment]

    def __init__(
        self, code: str, message: str, library: str | None = None, reason: str | None = None,
    ) -> None:
        super().__init__(code, message)
        self.errno: int | None = ssl.SSLErrorNumber.SSL_ERROR_SSL
        self.library = library
        self.reason = reason
        self._text = message

    def __str__(self) -> str:
        return self._text

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.code, self._text, self.library, self.reason), self.__dict__


class TLSCertificateError(TLSError, ssl.SSLCertVerificationError):
    """The peer's certificate was refused: its chain, or the name in it.

    Attributes:
        code: ``'CERT_HAS_EXPIRED'`` and the like; ``'ERR_TLS_CERT_ALTNAME_INVALID'`` for the name.
        verify_code: OpenSSL's number of the failure; of a wrong name 62, of a wrong IP address 64.
        verify_message: its text.
    """

    verify_code: int
    verify_message: str


class _Failure(NamedTuple):
    code: str
    text: str


#: OpenSSL's numbers of failed verifications (``X509_V_ERR_…``), Node's codes, OpenSSL's texts.
VERIFY_FAILURES = {
    2: _Failure('UNABLE_TO_GET_ISSUER_CERT', 'unable to get issuer certificate'),
    3: _Failure('UNABLE_TO_GET_CRL', 'unable to get certificate CRL'),
    4: _Failure('UNABLE_TO_DECRYPT_CERT_SIGNATURE', "unable to decrypt certificate's signature"),
    5: _Failure('UNABLE_TO_DECRYPT_CRL_SIGNATURE', "unable to decrypt CRL's signature"),
    6: _Failure('UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY', 'unable to decode issuer public key'),
    7: _Failure('CERT_SIGNATURE_FAILURE', 'certificate signature failure'),
    8: _Failure('CRL_SIGNATURE_FAILURE', 'CRL signature failure'),
    9: _Failure('CERT_NOT_YET_VALID', 'certificate is not yet valid'),
    10: _Failure('CERT_HAS_EXPIRED', 'certificate has expired'),
    11: _Failure('CRL_NOT_YET_VALID', 'CRL is not yet valid'),
    12: _Failure('CRL_HAS_EXPIRED', 'CRL has expired'),
    13: _Failure('ERROR_IN_CERT_NOT_BEFORE_FIELD',
                 "format error in certificate's notBefore field"),
    14: _Failure('ERROR_IN_CERT_NOT_AFTER_FIELD', "format error in certificate's notAfter field"),
    15: _Failure('ERROR_IN_CRL_LAST_UPDATE_FIELD', "format error in CRL's lastUpdate field"),
    16: _Failure('ERROR_IN_CRL_NEXT_UPDATE_FIELD', "format error in CRL's nextUpdate field"),
    17: _Failure('OUT_OF_MEM', 'out of memory'),
    18: _Failure('DEPTH_ZERO_SELF_SIGNED_CERT', 'self-signed certificate'),
    19: _Failure('SELF_SIGNED_CERT_IN_CHAIN', 'self-signed certificate in certificate chain'),
    20: _Failure('UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'unable to get local issuer certificate'),
    21: _Failure('UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'unable to verify the first certificate'),
    22: _Failure('CERT_CHAIN_TOO_LONG', 'certificate chain too long'),
    23: _Failure('CERT_REVOKED', 'certificate revoked'),
    24: _Failure('INVALID_CA', 'invalid CA certificate'),
    25: _Failure('PATH_LENGTH_EXCEEDED', 'path length constraint exceeded'),
    26: _Failure('INVALID_PURPOSE', 'unsuitable certificate purpose'),
    27: _Failure('CERT_UNTRUSTED', 'certificate not trusted'),
    28: _Failure('CERT_REJECTED', 'certificate rejected'),
    62: _Failure('HOSTNAME_MISMATCH', 'hostname mismatch'),
    64: _Failure('HOSTNAME_MISMATCH', 'IP address mismatch'),
    # The same as 24; OpenSSL 3 has two numbers for it.
    79: _Failure('INVALID_CA', 'invalid CA certificate'),
}
#: Numbers that Node has no code for are all this to it.
_UNSPECIFIED = 'UNSPECIFIED'
_ISSUER_UNKNOWN, _LEAF_ALONE = 20, 21
NAME_MISMATCH, IP_MISMATCH = 62, 64

#: Names of reasons that OpenSSL 3.5 spells otherwise than the 3.0 that Python's names are of.
_RENAMED = {'PACKET_LENGTH_TOO_LONG': 'DATA_LENGTH_TOO_LONG'}
_OLD_ALERT, _ALERT = 'SSLV3_ALERT_', 'SSL/TLS_ALERT_'

#: OpenSSL's names of its parts, and what of them Node puts before the reason.
_LIBRARIES = {
    'SSL': ('SSL routines', 'ERR_SSL_'),
    'X509': ('x509 certificate routines', 'ERR_OSSL_X509_'),
    'PEM': ('PEM routines', 'ERR_OSSL_PEM_'),
    'ASN1': ('asn1 encoding routines', 'ERR_OSSL_ASN1_'),
    'EVP': ('digital envelope routines', 'ERR_OSSL_EVP_'),
    'RSA': ('rsa routines', 'ERR_OSSL_RSA_'),
    'EC': ('elliptic curve routines', 'ERR_OSSL_EC_'),
    'PROV': ('Provider routines', 'ERR_OSSL_'),
    'DECODER': ('DECODER routines', 'ERR_OSSL_'),
}

#: ``[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1006)``
_PYTHON_TEXT = re.compile(
    r'(?:\[(?P<library>\w+)(?:: (?P<name>\w+))?\] )?(?P<words>.*?)(?: \(_ssl\.c:\d+\))?', re.DOTALL)

#: What OpenSSL says on top of the true reason since 3.2, or Python where it knows no name.
_SAYS_NOTHING = frozenset({'RECORD_LAYER_FAILURE', 'UNKNOWN_ERROR', ''})


def tls_error(
    error: ssl.SSLError, *, certificates: int | None = None, first_read: bool = False,
) -> TLSError:
    """Translate what ``ssl`` raised; the result has it as its cause.

    ``SSLWantReadError`` and ``SSLWantWriteError`` are no errors: do not ask.

    Args:
        error: whatever a handshake, a read or a write of an ``SSLObject`` has raised.
        certificates: how many certificates the peer has sent, if that is known. Node says
            something else of a chain whose issuer is unknown than of a lone certificate.
        first_read: whether nothing was decrypted yet. Then an error without a name means that the
            peer does not speak TLS.
    """
    if isinstance(error, TLSError):
        return error
    if isinstance(error, ssl.SSLCertVerificationError):
        translated: TLSError = certificate_error(
            error.verify_code, error.verify_message, certificates)
    else:
        translated = _library_error(error, first_read)
    translated.errno = error.errno
    translated.__cause__ = error
    return translated


def certificate_error(
    number: int, message: str = '', certificates: int | None = None,
) -> TLSCertificateError:
    """Build the error of a failed verification, by OpenSSL's number of it."""
    if number == _ISSUER_UNKNOWN and certificates in (1, None):
        # Node lets OpenSSL go on and has its last complaint; Python has the first. Where it is not
        # known how many there were, it was one most likely: that of a private CA.
        number = _LEAF_ALONE
    known = VERIFY_FAILURES.get(number)
    failure = known or _Failure(_UNSPECIFIED, message or f'verification failed ({number})')
    error = TLSCertificateError(failure.code, failure.text)
    error.verify_code, error.verify_message = number, failure.text
    return error


def _library_error(error: ssl.SSLError, first_read: bool) -> TLSError:
    library, name = getattr(error, 'library', None), getattr(error, 'reason', None)
    match = _PYTHON_TEXT.fullmatch(str(error.args[-1]) if error.args else '')
    words = '' if match is None else match['words']
    if library is None and match is not None:
        library = match['library']
    if not name:
        name = re.sub(r'[ -]', '_', words).upper()
    if isinstance(error, ssl.SSLEOFError):
        library, name = 'SSL', 'UNEXPECTED_EOF_WHILE_READING'
    elif first_read and name in _SAYS_NOTHING:
        library, name = 'SSL', 'WRONG_VERSION_NUMBER'
    elif name in _SAYS_NOTHING:
        name = 'RECORD_LAYER_FAILURE'
    return library_error(library or 'SSL', name)


def library_error(library: str, name: str) -> TLSError:
    """Build the error of an OpenSSL reason, such as ``'SSL'`` and ``'NO_SHARED_CIPHER'``."""
    if name.startswith(_OLD_ALERT):
        name = _ALERT + name[len(_OLD_ALERT):]
    name = _RENAMED.get(name, name)
    words, prefix = _LIBRARIES.get(library, (f'{library} routines', 'ERR_OSSL_'))
    reason = name.replace('_', ' ').lower()
    return TLSError(prefix + name, reason, words, reason)


# --- gnet's own -----------------------------------------------------------------------------------

_STATE_TEXTS = {
    'ERR_TLS_ALPN_CALLBACK_WITH_PROTOCOLS':
        'The ALPNCallback and ALPNProtocols TLS options are mutually exclusive',
    'ERR_TLS_CERT_ALTNAME_FORMAT': 'Invalid subject alternative name string',
    'ERR_TLS_HANDSHAKE_TIMEOUT': 'TLS handshake timeout',
    'ERR_TLS_INVALID_CONTEXT': 'context must be a SecureContext',
    'ERR_TLS_INVALID_STATE': 'TLS socket connection must be securely established',
    'ERR_TLS_REQUIRED_SERVER_NAME': '"servername" is required parameter for Server.addContext',
    'ERR_TLS_SNI_FROM_SERVER': 'Cannot issue SNI from a TLS server-side socket',
    'ERR_MULTIPLE_CALLBACK': 'Callback called multiple times',
}
#: Those that are about an argument: Node's TypeErrors.
_OF_ARGUMENTS = frozenset({'ERR_TLS_ALPN_CALLBACK_WITH_PROTOCOLS', 'ERR_TLS_INVALID_CONTEXT'})


def state_error(code: str) -> CodedRuntimeError | CodedTypeError:
    """Build an error of Node's ``tls`` that has one text, by its code."""
    kind = CodedTypeError if code in _OF_ARGUMENTS else CodedRuntimeError
    return kind(code, _STATE_TEXTS[code])


def handshake_timeout() -> TLSError:
    """Build ``ERR_TLS_HANDSHAKE_TIMEOUT``: the peer has not finished the handshake in time."""
    code = 'ERR_TLS_HANDSHAKE_TIMEOUT'
    return TLSError(code, _STATE_TEXTS[code])


def alpn_not_offered(chosen: object, offered: object) -> CodedTypeError:
    """Build ``ERR_TLS_ALPN_CALLBACK_INVALID_RESULT``: a callback chose what nobody had offered."""
    names = ','.join(offered) if isinstance(offered, (list, tuple)) else str(offered)
    return CodedTypeError(
        'ERR_TLS_ALPN_CALLBACK_INVALID_RESULT',
        f"ALPN callback returned a value ({chosen}) that did not match any of the client's "
        f'offered protocols ({names})')


def wrong_name(reason: str, host: str, cert: Any) -> TLSCertificateError:
    """Build ``ERR_TLS_CERT_ALTNAME_INVALID``: the certificate is somebody else's.

    The error has ``reason``, ``host`` and ``cert``, as Node's.
    """
    error = TLSCertificateError(
        'ERR_TLS_CERT_ALTNAME_INVALID',
        f"Hostname/IP does not match certificate's altnames: {reason}", reason=reason)
    error.verify_code = IP_MISMATCH if reason.startswith('IP: ') else NAME_MISMATCH
    error.verify_message = VERIFY_FAILURES[error.verify_code].text
    error.host, error.cert = host, cert  # type: ignore[attr-defined]  # fields of this one error
    return error


def unavailable(what: str, why: str = "Python's ssl cannot do it") -> CodedTypeError:
    """Build ``ERR_FEATURE_UNAVAILABLE_ON_PLATFORM`` for something that Node's ``tls`` can do.

    Args:
        what: the option or the method, such as ``"options.ticketKeys"``.
        why: what is missing, and what would lift it.
    """
    return CodedTypeError(
        'ERR_FEATURE_UNAVAILABLE_ON_PLATFORM',
        f'The feature {what} is unavailable on the current platform: {why}')


def operation_failed(text: str) -> CodedRuntimeError:
    """Build ``ERR_CRYPTO_OPERATION_FAILED``, Node's error of what its crypto could not use."""
    return CodedRuntimeError('ERR_CRYPTO_OPERATION_FAILED', text)
