"""The options of a secure context, checked; what they name is read, and nothing is loaded yet."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Any

from ..node.coded_errors import invalid_arg_type, invalid_arg_value
from ..node.records import NamedTuple
from ..node.validators import validate_boolean, validate_integer
from ..node.values import MAX_INT32, UNDEFINED, is_number, truthy
from .ciphers import NO_VERSION, CipherList, Curve, versions, without_versions
from .errors import library_error, operation_failed, unavailable
from .identities import Identity, match_identities, read_pfx
from .pem import (
    certificate_blocks,
    read_keys,
    read_many,
    read_one,
    read_passphrase,
    revocation_lists,
)

__all__ = [
    'CONTEXT_OPTIONS',
    'ContextOptions',
    'context_options',
]

#: Bytes of the option ``ticket_keys``.
_TICKET_KEYS = 48
_COMPRESSIONS = ('zlib', 'brotli', 'zstd')

#: The names of the options.
CONTEXT_OPTIONS = frozenset({
    'allow_partial_trust_chain', 'ca', 'cert', 'certificate_compression', 'ciphers',
    'client_cert_engine', 'crl', 'dhparam', 'ecdh_curve', 'honor_cipher_order', 'key',
    'max_version', 'min_version', 'passphrase', 'pfx', 'private_key_engine',
    'private_key_identifier', 'secure_options', 'secure_protocol', 'session_id_context',
    'session_timeout', 'sigalgs', 'ticket_keys',
})


class ContextOptions(NamedTuple):
    """What contexts are made of.

    Attributes:
        versions: the lowest and the highest.
        ciphers: to be set.
        curve: to be set.
        identities: keys with their certificates.
        authorities: whom to trust, each as PEM; None for the system's.
        more_authorities: whom to trust besides: those of a PKCS#12.
        revoked: lists of revoked certificates.
        dhparam: PEM, or empty.
        secure_options: bits to set besides.
        honor_cipher_order: whether the own order of ciphers counts; None for a server's only.
        allow_partial_trust_chain: whether an authority need not be a root.
        paths: the files that were read.
    """

    versions: tuple[ssl.TLSVersion, ssl.TLSVersion]
    ciphers: CipherList
    curve: Curve
    identities: tuple[Identity, ...]
    authorities: tuple[str, ...] | None
    more_authorities: tuple[str, ...]
    revoked: tuple[bytes, ...]
    dhparam: bytes
    secure_options: int
    honor_cipher_order: bool | None
    allow_partial_trust_chain: bool
    paths: tuple[str, ...]

    def __repr__(self) -> str:
        return 'ContextOptions(...)'


def context_options(options: Mapping[str, Any]) -> ContextOptions:
    """Check what a context is made with; *options* are in ``snake_case``.

    Raises:
        CodedTypeError, CodedValueError, CodedRuntimeError, TLSError, OSError: as
            :func:`gnet.tls.create_secure_context`.
    """
    _check_unavailable(options)
    paths: list[str] = []
    authorities = _authorities(options.get('ca'), paths)
    chains = read_many('options.cert', options.get('cert'), paths)
    passphrase = read_passphrase(options.get('passphrase'))
    keys = read_keys(options.get('key'), passphrase, paths)
    more: list[str] = []
    for content, own_passphrase in _pfx(options.get('pfx'), passphrase, paths):
        pfx = read_pfx(content, own_passphrase)
        if pfx.chain:
            chains.append(pfx.chain)
        if pfx.key is not None:
            keys.append(pfx.key)
        more += pfx.authorities
    bits = _bits(options.get('secure_options'))
    low, high = without_versions(bits, *versions(options))
    ciphers = CipherList(options.get('ciphers'))
    if not ciphers.has_older and high >= ssl.TLSVersion.TLSv1_3:
        low = ssl.TLSVersion.TLSv1_3
    partial = options.get('allow_partial_trust_chain')
    order = options.get('honor_cipher_order', UNDEFINED)
    return ContextOptions(
        versions=(low, high),
        ciphers=ciphers,
        curve=Curve(options.get('ecdh_curve', UNDEFINED)),
        identities=match_identities(chains, keys),
        authorities=authorities,
        more_authorities=tuple(more),
        revoked=tuple(_revoked(options.get('crl'), paths)),
        dhparam=_dhparam(options.get('dhparam'), paths),
        secure_options=bits & ~NO_VERSION,
        honor_cipher_order=None if order is UNDEFINED else truthy(order),
        allow_partial_trust_chain=False if partial is None or partial is UNDEFINED else (
            validate_boolean('options.allowPartialTrustChain', partial)),
        paths=tuple(dict.fromkeys(paths)),
    )


def _authorities(value: Any, paths: list[str]) -> tuple[str, ...] | None:
    if value is None or value is UNDEFINED:
        return None
    blocks: list[str] = []
    contents = read_many('options.ca', value, paths)
    for content in contents:
        found = certificate_blocks(content)
        if not found:
            raise library_error('PEM', 'NO_START_LINE')
        blocks += found
    if not blocks:
        # Node trusts nobody then, and says nothing.
        raise invalid_arg_value('options.ca', value, 'must hold a certificate')
    return tuple(dict.fromkeys(blocks))


def _revoked(value: Any, paths: list[str]) -> list[bytes]:
    lists = [revocation_lists(each) for each in read_many('options.crl', value, paths)]
    if not all(lists):
        raise operation_failed('Failed to parse CRL')
    if not lists and value is not None and value is not UNDEFINED:
        # An empty one would mean that nothing is looked for.
        raise invalid_arg_value('options.crl', value, 'must hold a list of revoked certificates')
    return lists


def _dhparam(value: Any, paths: list[str]) -> bytes:
    if value is None or value is UNDEFINED:
        return b''
    if value == 'auto':
        raise unavailable("options.dhparam 'auto'")
    return read_one('options.dhparam', value, paths)


def _pfx(value: Any, passphrase: bytes, paths: list[str]) -> list[tuple[Any, bytes]]:
    if value is None or value is UNDEFINED:
        return []
    found = []
    for each in value if isinstance(value, (list, tuple)) else [value]:
        content, own = each, passphrase
        if isinstance(each, Mapping):
            content = each.get('buf')
            own = read_passphrase(each.get('passphrase'), passphrase)
        if isinstance(content, (str, int, float)) or content is None:
            raise operation_failed('Unable to load PFX certificate')
        found.append((read_one('options.pfx', content, paths), own))
    return found


def _bits(value: Any) -> int:
    if not truthy(value):
        return 0
    if not is_number(value) or value % 1 or value < 0:
        raise invalid_arg_type('secureOptions', 'of type number', value)
    return int(value)


def _check_unavailable(options: Mapping[str, Any]) -> None:
    """Raise for what ``ssl`` has no means for; for a wrong value first, as Node does."""
    given = {
        name: value for name, value in options.items()
        if value is not None and value is not UNDEFINED
    }
    if 'sigalgs' in given:
        if not isinstance(given['sigalgs'], str):
            raise invalid_arg_type('options.sigalgs', 'of type string', given['sigalgs'])
        if not given['sigalgs']:
            raise invalid_arg_value('options.sigalgs', '')
        raise unavailable('options.sigalgs')
    if truthy(given.get('session_timeout')):
        validate_integer('options.sessionTimeout', given['session_timeout'], 0, MAX_INT32)
        raise unavailable('options.sessionTimeout')
    if truthy(given.get('session_id_context')):
        if not isinstance(given['session_id_context'], str):
            raise invalid_arg_type(
                'options.sessionIdContext', 'of type string', given['session_id_context'])
        raise unavailable('options.sessionIdContext')
    if 'ticket_keys' in given:
        _check_ticket_keys(given['ticket_keys'])
        raise unavailable('options.ticketKeys')
    if 'certificate_compression' in given:
        _check_compression(given['certificate_compression'])
        raise unavailable('options.certificateCompression')
    for name, spelling in (('client_cert_engine', 'clientCertEngine'),
                           ('private_key_engine', 'privateKeyEngine'),
                           ('private_key_identifier', 'privateKeyIdentifier')):
        if name in given:
            raise unavailable(f'options.{spelling}', 'OpenSSL 3 has no engines any more')


def _check_ticket_keys(value: Any) -> None:
    if not isinstance(value, (bytes, bytearray, memoryview)):
        raise invalid_arg_type(
            'options.ticketKeys', 'an instance of Buffer, TypedArray, or DataView', value)
    if len(value) != _TICKET_KEYS:
        raise invalid_arg_value(
            'options.ticketKeys', len(value), f'must be exactly {_TICKET_KEYS} bytes')


def _check_compression(value: Any) -> None:
    if not isinstance(value, (list, tuple)):
        raise invalid_arg_type('options.certificateCompression', 'an instance of Array', value)
    for index, each in enumerate(value):
        if each not in _COMPRESSIONS:
            raise invalid_arg_value(
                f'options.certificateCompression[{index}]', each,
                "must be 'zlib', 'brotli', or 'zstd'")
