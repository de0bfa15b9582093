"""Keys and certificates as they are given, and as files that only this process can see.

Python's ``ssl`` reads keys and chains from files only. What is in memory is shown to it as a file
that has no name on any disk (``memfd_create``), or, where there is none, as one that only the user
can read and that is removed at once.
"""

from __future__ import annotations

import base64
import os
import re
import ssl
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ..node.coded_errors import CodedTypeError, invalid_arg_type
from ..node.inspection import received
from ..node.records import NamedTuple
from ..node.values import UNDEFINED
from .errors import library_error

__all__ = [
    'Key',
    'as_file',
    'certificate_blocks',
    'der_of',
    'is_certificate',
    'read_keys',
    'read_many',
    'read_one',
    'read_passphrase',
    'revocation_lists',
]

_ACCEPTED = 'of type string or an instance of Buffer, TypedArray, or DataView'

_CERTIFICATE = re.compile(
    rb'-----BEGIN ((?:X509 |TRUSTED )?CERTIFICATE)-----[\r\n].*?-----END \1-----', re.DOTALL)
_REVOCATION_LIST = re.compile(
    rb'-----BEGIN X509 CRL-----[\r\n].*?-----END X509 CRL-----', re.DOTALL)


class Key(NamedTuple):
    """A private key as it was given: PEM, perhaps encrypted."""

    pem: bytes
    passphrase: bytes

    def __repr__(self) -> str:
        return 'Key(...)'


def read_one(name: str, value: Any, paths: list[str]) -> bytes:
    """Return the content of an option; empty is as good as none, but for an empty file.

    Args:
        name: of the option, in Node's spelling, for the text of the error.
        value: text, bytes or a buffer with the content, or an ``os.PathLike`` that names a file.
        paths: the name of the file is added here.

    Raises:
        CodedTypeError: ``ERR_INVALID_ARG_TYPE``.
        TLSError: ``ERR_OSSL_PEM_NO_START_LINE``: the file is empty.
        OSError: it cannot be read.
    """
    if isinstance(value, str):
        return value.encode('utf-8', 'surrogateescape')
    if isinstance(value, os.PathLike):
        path = os.path.abspath(os.fsdecode(value))
        paths.append(path)
        with open(path, 'rb') as file:
            content = file.read()
        if not content.strip():
            # A file that was named is meant to have something: perhaps it is being written.
            raise library_error('PEM', 'NO_START_LINE')
        return content
    try:
        return bytes(memoryview(value))
    except TypeError:
        raise invalid_arg_type(name, _ACCEPTED, value) from None


def read_many(name: str, value: Any, paths: list[str]) -> list[bytes]:
    """Return the contents of an option that may be a list; see :func:`read_one`."""
    if value is None or value is UNDEFINED:
        return []
    values = value if isinstance(value, (list, tuple)) else [value]
    return [content for content in (read_one(name, each, paths) for each in values) if content]


def read_keys(value: Any, passphrase: bytes, paths: list[str]) -> list[Key]:
    """Return the keys of the option ``key``; see :func:`read_one`.

    Args:
        value: as there, or a list of such, or of mappings with ``pem`` and ``passphrase``.
        passphrase: of those that have none of their own.
        paths: as there.
    """
    if value is None or value is UNDEFINED:
        return []
    if not isinstance(value, (list, tuple)):
        value = [value]
    keys = []
    for each in value:
        pem: Any = each
        own = passphrase
        if isinstance(each, Mapping) and 'pem' in each:
            pem = each['pem']
            own = read_passphrase(each.get('passphrase'), passphrase)
        keys.append(Key(read_one('options.key', pem, paths), own))
    return [key for key in keys if key.pem]


def read_passphrase(value: Any, default: bytes = b'') -> bytes:
    """Return the option ``passphrase``.

    Raises:
        CodedTypeError: ``ERR_INVALID_ARG_TYPE``. The text does not show a part of it.
    """
    if value is None or value is UNDEFINED:
        return default
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, (bytes, bytearray)):
        return bytes(value)
    # The type alone: Node's text would show a passphrase that was given as a number.
    shown = received(value).partition(' (')[0]
    raise CodedTypeError(
        'ERR_INVALID_ARG_TYPE',
        f'The "options.passphrase" property must be of type string. Received {shown}')


def certificate_blocks(content: bytes) -> list[str]:
    """Return the certificates in *content*, each as PEM, without what stands around them."""
    return [match[0].decode('latin-1') for match in _CERTIFICATE.finditer(content)]


def revocation_lists(content: bytes) -> bytes:
    """Return the lists of revoked certificates in *content*, as PEM; empty if there is none.

    Nothing else: OpenSSL would trust a certificate that it finds beside them.
    """
    return b'\n'.join(match[0] for match in _REVOCATION_LIST.finditer(content))


def is_certificate(block: str) -> bool:
    """Return whether OpenSSL can read this PEM."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=block)
    except ssl.SSLError:
        return False
    return True


def der_of(block: str) -> bytes:
    """Return a block of :func:`certificate_blocks` as DER.

    Raises:
        ValueError: it is none.
    """
    return base64.b64decode(''.join(block.splitlines()[1:-1]), validate=True)


@contextmanager
def as_file(content: bytes) -> Iterator[str]:
    """Show *content* as a file to OpenSSL while the block runs; yields its path."""
    create = getattr(os, 'memfd_create', None)
    if create is not None and os.path.isdir('/proc/self/fd'):
        # Closed by the file object: os.close may be patched (docs/gevent.md, T14).
        with open(create('gnet'), 'wb', buffering=0) as file:
            _write(file, content)
            yield f'/proc/self/fd/{file.fileno()}'
        return
    descriptor, path = tempfile.mkstemp(prefix='gnet-')
    try:
        with open(descriptor, 'wb', buffering=0) as file:
            _write(file, content)
        yield path
    finally:
        os.unlink(path)


def _write(file: Any, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[file.write(rest):]
