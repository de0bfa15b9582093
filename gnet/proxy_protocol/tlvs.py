"""What a header of version 2 says beside addresses: values with a type and a length. No I/O.

(Sections 2.2 to 2.2.8 of the specification.)
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from ..node.coded_errors import CodedValueError, proxy_protocol_error
from ..node.spelling import NodeNames
from .crc32c import crc32c

__all__ = [
    'ALPN',
    'AUTHORITY',
    'CRC32C',
    'MAX_UNIQUE_ID',
    'NETNS',
    'NOOP',
    'SSL',
    'UNIQUE_ID',
    'ProxySSL',
    'check_tlvs',
    'pack_tlvs',
    'read_ssl',
    'read_tlvs',
    'text_of',
    'with_checksum',
]

#: The registered types.
ALPN, AUTHORITY, CRC32C, NOOP, UNIQUE_ID, SSL, NETNS = 0x01, 0x02, 0x03, 0x04, 0x05, 0x20, 0x30
_SSL_VERSION, _SSL_CN, _SSL_CIPHER, _SSL_SIG_ALG, _SSL_KEY_ALG = 0x21, 0x22, 0x23, 0x24, 0x25

#: Bits of an SSL value: the client has come by TLS; has shown a certificate on this connection;
#: has shown one in this session.
_CLIENT_SSL, _CLIENT_CERT_CONN, _CLIENT_CERT_SESS = 0x01, 0x02, 0x04

#: Bytes of an SSL value before what it holds: the bits, and whether the certificate was verified.
_SSL_START = 5

#: Bytes of a unique id, at most (2.2.5).
MAX_UNIQUE_ID = 128

#: Bytes that the length of a value can say.
_MAX_VALUE = 0xFFFF

Tlvs = tuple[tuple[int, bytes], ...]


class _SSL(NamedTuple):
    encrypted: bool
    certificate: bool
    session_certificate: bool
    verified: bool
    version: str | None = None
    common_name: str | None = None
    cipher: str | None = None
    signature: str | None = None
    key: str | None = None


class ProxySSL(_SSL, NodeNames):
    """How a client has come to a proxy that ends TLS (2.2.6).

    Attributes:
        encrypted: whether it was by TLS at all.
        certificate: whether it has shown a certificate on this connection.
        session_certificate: … or on this one, or earlier in the session that it has resumed.
        verified: whether it has shown one that the proxy has verified.
        version: such as ``'TLSv1.3'``; None where the proxy does not say, as for all that follows.
        common_name: the name in the client's certificate.
        cipher: the name of the cipher suite.
        signature: by what the proxy's own certificate was signed, such as ``'RSA-SHA256'``.
        key: what kind of key the proxy's own certificate has, such as ``'RSA2048'``.
    """

    __slots__ = ()

    # Once more, because NodeNames gives a second spelling to what the class itself has.
    session_certificate = _SSL.session_certificate
    common_name = _SSL.common_name


def text_of(value: bytes) -> str:
    """Return *value* as text. What is no UTF-8 is shown by its codes: a client has chosen it."""
    return value.decode('utf-8', 'backslashreplace')


def read_tlvs(data: bytes) -> Tlvs:
    """Take *data* apart.

    Raises:
        CodedValueError: ``ERR_PROXY_PROTOCOL``: it ends in the middle of a value.
    """
    found = []
    place = 0
    while place < len(data):
        start = place + 3
        end = start + int.from_bytes(data[place + 1:start], 'big')
        if start > len(data) or end > len(data):
            raise proxy_protocol_error('a value (TLV) is longer than what holds it')
        found.append((data[place], data[start:end]))
        place = end
    return tuple(found)


def check_tlvs(tlvs: Tlvs, header: bytes) -> None:
    """Look whether what has a form has the right one, and whether the checksum of *header* is.

    Raises:
        CodedValueError: ``ERR_PROXY_PROTOCOL``.
    """
    for kind, value in tlvs:
        if kind == UNIQUE_ID and len(value) > MAX_UNIQUE_ID:
            raise proxy_protocol_error(f'a unique id has {MAX_UNIQUE_ID} bytes at most')
        if kind == SSL:
            read_ssl(value)
    checksums = [value for kind, value in tlvs if kind == CRC32C]
    if checksums:
        _check_checksum(tlvs, checksums, header)


def _check_checksum(tlvs: Tlvs, checksums: list[bytes], header: bytes) -> None:
    if len(checksums) > 1 or len(checksums[0]) != 4:
        raise proxy_protocol_error('a checksum has 4 bytes, and there is one')
    if with_checksum(header, tlvs) != header:
        raise proxy_protocol_error('the checksum is wrong')


def with_checksum(header: bytes, tlvs: Tlvs) -> bytes:
    """Return *header*, which ends with *tlvs*, with the right value in that of the checksum."""
    place = len(header) - len(pack_tlvs(tlvs))
    for kind, value in tlvs:
        place += 3
        if kind == CRC32C:
            blank = header[:place] + bytes(4) + header[place + 4:]
            return blank[:place] + crc32c(blank).to_bytes(4, 'big') + blank[place + 4:]
        place += len(value)
    return header


def read_ssl(value: bytes) -> ProxySSL:
    """Return what an SSL value says.

    Raises:
        CodedValueError: ``ERR_PROXY_PROTOCOL``: it is too short, or what it holds is too long.
    """
    if len(value) < _SSL_START:
        raise proxy_protocol_error(f'a value of the type SSL has {_SSL_START} bytes at least')
    bits, verify = value[0], value[1:_SSL_START]
    said: dict[int, str] = {}
    for kind, part in read_tlvs(value[_SSL_START:]):
        said.setdefault(kind, text_of(part))
    has_one = bool(bits & (_CLIENT_CERT_CONN | _CLIENT_CERT_SESS))
    return ProxySSL(
        bool(bits & _CLIENT_SSL), bool(bits & _CLIENT_CERT_CONN), bool(bits & _CLIENT_CERT_SESS),
        # (HAProxy says 0, no error, of a client without a certificate, too.)
        has_one and not any(verify), said.get(_SSL_VERSION), said.get(_SSL_CN),
        said.get(_SSL_CIPHER), said.get(_SSL_SIG_ALG), said.get(_SSL_KEY_ALG))


def pack_tlvs(tlvs: Iterable[tuple[int, bytes]]) -> bytes:
    """Put *tlvs* together; the reverse of :func:`read_tlvs`.

    Raises:
        CodedValueError: ``ERR_PROXY_PROTOCOL``: a value is too long.
    """
    return b''.join(
        bytes([kind]) + _checked_length(value).to_bytes(2, 'big') + value for kind, value in tlvs)


def _checked_length(value: bytes) -> int:
    if len(value) > _MAX_VALUE:
        raise _too_long()
    return len(value)


def _too_long() -> CodedValueError:
    return proxy_protocol_error(f'a value (TLV) has {_MAX_VALUE} bytes at most')
