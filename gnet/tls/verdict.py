"""What is wrong with a certificate that was let through: for ``reject_unauthorized=False``.

Python's ``ssl`` either refuses a bad certificate or says nothing about it. Node lets it through and
says what is wrong with it. So the chain that the peer has sent is shown to OpenSSL once more, in
memory, by a server that consists of two messages; to a client that does refuse. In TLS 1.2 both go
unencrypted, and the client verifies the chain before it asks for a proof of the key, which the
peer has given in the true handshake, and this server could not. The rules are OpenSSL's, as in a
connection that is verified.
"""

from __future__ import annotations

import ssl
from collections.abc import Sequence

from .certificates import certificate_object
from .errors import TLSCertificateError, tls_error
from .secure_context import SecureContext

__all__ = [
    'verdict',
]

_HANDSHAKE, _SERVER_HELLO, _CERTIFICATE = 22, 2, 11
_TLS_1_2 = b'\x03\x03'

#: Ciphers by the key of the certificate (RFC 5289 §5): the client checks that they fit.
_ECDSA, _RSA = b'\xc0\x2b', b'\xc0\x2f'

#: Bytes of a record at most.
_LARGEST = 16384

#: OpenSSL's numbers for "the issuer is not there": it may be among what Python does not show.
_WITHOUT_ISSUER = frozenset([2, 20, 21])


def verdict(
    context: SecureContext, chain: Sequence[bytes], *, is_whole: bool = True,
) -> TLSCertificateError | None:
    """Return what a client with *context* would refuse in this chain; None for nothing.

    The name is not looked at. What cannot be verified here counts as wrong, with the code
    ``'UNVERIFIED'``: a chain of none, a context that is the program's own, a key of another kind
    than RSA or an elliptic curve; an issuer that is missing in a chain that is not whole.

    Args:
        context: whose authorities, lists of revoked ones and settings count.
        chain: what the peer has sent, each as DER, its own first. It has proved to have the key.
        is_whole: whether that is all that it has sent: Python 3.9 shows nothing but its own.
    """
    if context.given is not None or not chain:
        return _unverified()
    try:
        leaf = certificate_object(chain[0])
    except ValueError:
        return _unverified()
    cipher = _ECDSA if leaf['modulus'] is None else _RSA
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.verifying_context().wrap_bio(incoming, outgoing)
    try:
        client.do_handshake()
    except ssl.SSLWantReadError:
        # Its hello is made, and of no interest.
        incoming.write(_records(_server_hello(cipher) + _certificates(chain)))
    try:
        client.do_handshake()
    except ssl.SSLWantReadError:
        # It has accepted the chain, and waits for the exchange of keys.
        return None
    except ssl.SSLCertVerificationError as error:
        # (Without its traceback, which has this frame, and that has the result: a cycle.)
        refusal = tls_error(error.with_traceback(None), certificates=len(chain))
        if not isinstance(refusal, TLSCertificateError):
            return _unverified()
        if not is_whole and refusal.verify_code in _WITHOUT_ISSUER:
            # It may be expired, revoked or forged as well, or good: nobody has looked further.
            return _unverified(refusal)
        return refusal
    except ssl.SSLError as error:
        # It did not get as far as that.
        return _unverified(error.with_traceback(None))
    return _unverified()


def _unverified(cause: Exception | None = None) -> TLSCertificateError:
    error = TLSCertificateError('UNVERIFIED', 'the certificate could not be verified')
    error.verify_code, error.verify_message = 1, str(error)
    error.__cause__ = cause
    return error


def _server_hello(cipher: bytes) -> bytes:
    # Version, 32 bytes that are not random here, no session, the cipher, no compression; and the
    # one extension without which OpenSSL goes no further (RFC 5746: secure renegotiation).
    return _message(
        _SERVER_HELLO, _TLS_1_2 + bytes(32) + b'\0' + cipher + b'\0' + b'\0\x05\xff\x01\0\x01\0')


def _certificates(chain: Sequence[bytes]) -> bytes:
    listed = b''.join(len(each).to_bytes(3, 'big') + each for each in chain)
    return _message(_CERTIFICATE, len(listed).to_bytes(3, 'big') + listed)


def _message(kind: int, body: bytes) -> bytes:
    return bytes([kind]) + len(body).to_bytes(3, 'big') + body


def _records(messages: bytes) -> bytes:
    pieces = [
        messages[start:start + _LARGEST] for start in range(0, len(messages), _LARGEST)]
    return b''.join(
        bytes([_HANDSHAKE]) + _TLS_1_2 + len(piece).to_bytes(2, 'big') + piece
        for piece in pieces)
