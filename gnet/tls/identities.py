"""Identities: a private key with its chain of certificates, of which a context may have several."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from typing import Any

from ..node.records import NamedTuple
from .errors import TLSError, library_error, operation_failed, tls_error, unavailable
from .pem import Key, as_file, certificate_blocks, der_of, is_certificate

__all__ = [
    'Identity',
    'load_identities',
    'match_identities',
    'read_pfx',
]


#: A certificate whose key nobody has any more: what is compared with it is a key, or none.
_STRANGER = b"""-----BEGIN CERTIFICATE-----
MIIBRTCB7KADAgECAhRgc85DdxkbtxWzrNp/yP2q56fLTDAKBggqhkjOPQQDAjAP
MQ0wCwYDVQQDDARnbmV0MB4XDTI2MDEwMTAwMDAwMFoXDTM1MTIzMDAwMDAwMFow
DzENMAsGA1UEAwwEZ25ldDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABE9DeLuM
iY/urHtkIJ25/WetOo3Fxs8yVGdKounZyeQ9WBNuDgJzurN3ERfr1iQmgz7TFPim
jPTHJAOtTDLe+oajJjAkMAwGA1UdEwEB/wQCMAAwFAYDVR0RBA0wC4IJbG9jYWxo
b3N0MAoGCCqGSM49BAMCA0gAMEUCIAEG6rvoCGLpF8i5mIIdbmW0VUOlXqPubHmn
z4v3I2pLAiEAxRWllTzu21hBaOlflCycJftDuVigzGSRh3B+5zkPLVg=
-----END CERTIFICATE-----
"""

#: What OpenSSL says where a key is not that of the certificate.
_NOT_ITS_KEY = ('ERR_OSSL_X509_KEY_VALUES_MISMATCH', 'ERR_OSSL_X509_KEY_TYPE_MISMATCH')
#: What it says where there is none for a key of this kind.
_NO_CERTIFICATE = 'NO_CERTIFICATE_ASSIGNED'


class Identity(NamedTuple):
    """A chain, and the key of its first certificate; None if there is none."""

    chain: bytes
    key: Key | None
    #: The first certificate as DER.
    leaf: bytes

    def __repr__(self) -> str:
        return 'Identity(...)'


class Pfx(NamedTuple):
    """What was in a PKCS#12: all as PEM, the key not encrypted."""

    key: Key | None
    chain: bytes
    #: The certificates beside the own one, which are trusted.
    authorities: list[str]

    def __repr__(self) -> str:
        return 'Pfx(...)'


def match_identities(chains: Sequence[bytes], keys: Sequence[Key]) -> tuple[Identity, ...]:
    """Bring keys and chains together, in whatever order they were given.

    A chain without any key, or a key without any chain, is allowed as in Node: handshakes that need
    it will fail.

    Raises:
        TLSError: as :func:`gnet.tls.create_secure_context`.
    """
    leaves = [_leaf(chain) for chain in chains]
    identities = []
    for index, (chain, leaf) in enumerate(zip(chains, leaves)):
        # First the one at the same place in its list.
        ordered = sorted(keys, key=lambda key: key is not keys[min(index, len(keys) - 1)])
        failure: TLSError | None = None
        for key in ordered:
            candidate = Identity(chain, key, leaf)
            try:
                load_identities(_lenient(), [candidate])
            except TLSError as error:
                if error.code not in _NOT_ITS_KEY:
                    raise
                failure = failure or error
            else:
                identities.append(candidate)
                break
        else:
            if failure is not None:
                raise failure
            identities.append(Identity(chain, None, leaf))
    if not chains:
        for key in keys:
            _check_key(key)
    return tuple(identities)


def load_identities(context: ssl.SSLContext, identities: Sequence[Identity]) -> None:
    """Give *context* these identities; it takes one for each kind of key.

    Raises:
        TLSError: as :func:`gnet.tls.create_secure_context`.
    """
    for identity in identities:
        if identity.key is None:
            continue
        with as_file(identity.chain) as chain, as_file(identity.key.pem) as key:
            _load(context, chain, key, identity.key)


def _load(context: ssl.SSLContext, chain: str, path: str, key: Key) -> None:
    asked = []

    def passphrase() -> bytes:
        # Without it Python would ask on the terminal.
        asked.append(True)
        return key.passphrase

    try:
        context.load_cert_chain(chain, path, passphrase)
    except ssl.SSLError as error:
        if error.reason == _NO_CERTIFICATE:
            raise library_error('X509', 'KEY_TYPE_MISMATCH') from error
        if error.reason and error.library in ('SSL', 'X509'):
            raise tls_error(error) from error
        # All else is "PEM lib" to Python.
        if asked:
            raise library_error('PROV', 'BAD_DECRYPT') from None
        raise library_error('DECODER', 'UNSUPPORTED') from None
    except ValueError:
        # A passphrase that is longer than OpenSSL's buffer.
        raise library_error('PROV', 'BAD_DECRYPT') from None


def _leaf(chain: bytes) -> bytes:
    blocks = certificate_blocks(chain)
    if not blocks:
        raise library_error('PEM', 'NO_START_LINE')
    if not all(map(is_certificate, blocks)):
        raise library_error('PEM', 'BAD_BASE64_DECODE')
    return der_of(blocks[0])


def _check_key(key: Key) -> None:
    """Raise if *key*, to which there is no certificate, is none, or its passphrase is wrong."""
    # Loaded with somebody else's certificate it does not match, if it is one.
    with as_file(_STRANGER) as chain, as_file(key.pem) as path:
        try:
            _load(_lenient(), chain, path, key)
        except TLSError as error:
            if error.code not in _NOT_ITS_KEY:
                raise


def _lenient() -> ssl.SSLContext:
    """Return a context to try keys in, to which none is too short: the real one is to say so."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers('DEFAULT:@SECLEVEL=0')
    return context


def read_pfx(content: Any, passphrase: bytes) -> Pfx:
    """Return what is in a PKCS#12.

    Raises:
        CodedTypeError: ``ERR_FEATURE_UNAVAILABLE_ON_PLATFORM``: ``cryptography`` is not there.
        CodedRuntimeError: ``ERR_CRYPTO_OPERATION_FAILED``.
    """
    try:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.serialization import pkcs12
    except ImportError:
        raise unavailable('options.pfx', 'it needs the package "cryptography"') from None
    if not isinstance(content, bytes):
        raise operation_failed('Unable to load PFX certificate')
    try:
        found = pkcs12.load_pkcs12(content, passphrase or None)
    except (ValueError, TypeError):
        # TypeError: it is encrypted, and no passphrase was given.
        text = 'mac verify failure: no PKCS#12, or a wrong passphrase'
        raise operation_failed(text) from None
    encoding = serialization.Encoding.PEM
    key = None
    if found.key is not None:
        key = Key(found.key.private_bytes(
            encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()), b'')
    others = [each.certificate.public_bytes(encoding) for each in found.additional_certs]
    own = [found.cert.certificate.public_bytes(encoding)] if found.cert else []
    return Pfx(key, b''.join([*own, *others]) if own else b'',
               [each.decode('ascii') for each in others])
