"""Whom a client trusts if it is not told: the certificate authorities of the system.

Node brings a list of its own; Python and gnet do not: a list that nobody updates is worse than
none. What OpenSSL is set up with is what counts, ``SSL_CERT_FILE`` and ``SSL_CERT_DIR`` included.
"""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Sequence
from typing import Any

from ..node.coded_errors import invalid_arg_type, invalid_arg_value
from .errors import operation_failed
from .pem import certificate_blocks, is_certificate

__all__ = [
    'get_ca_certificates',
    'load_roots',
    'root_certificates',
    'set_default_ca_certificates',
    'snapshot',
]

#: How OpenSSL names the files of a directory of certificates: a hash, and a number.
_HASHED = re.compile(r'[0-9a-f]{8}\.\d+')

_TYPES = ('default', 'bundled', 'system', 'extra')


class _Roots:
    """What this process trusts; read when it is first asked for."""

    def __init__(self) -> None:
        self._system: tuple[str, ...] | None = None
        #: What the program has set, or None for the system's.
        self.chosen: tuple[str, ...] | None = None

    def system(self) -> tuple[str, ...]:
        if self._system is None:
            self._system = tuple(dict.fromkeys(_read_system()))
        return self._system


_roots = _Roots()


def root_certificates() -> tuple[str, ...]:
    """Return the system's authorities, as PEM; the same tuple each time.

    ``gnet.tls.root_certificates`` has this as its value. Reading them takes some milliseconds, the
    first time.
    """
    return _roots.system()


def get_ca_certificates(type: str = 'default') -> tuple[str, ...]:  # noqa: A002  # Node's name
    """Return certificates of authorities, each as PEM.

    Args:
        type: ``'default'``, those that a client trusts which names none: the system's, or what
            :func:`set_default_ca_certificates` has set. ``'system'`` and ``'bundled'`` are the
            system's, as gnet brings none; ``'extra'`` are none (Node's are those of
            ``NODE_EXTRA_CA_CERTS``, which means nothing here).

    Raises:
        CodedTypeError: ``ERR_INVALID_ARG_VALUE`` for another type, ``ERR_INVALID_ARG_TYPE``.
    """
    if not isinstance(type, str):
        raise invalid_arg_type('type', 'of type string', type)
    if type not in _TYPES:
        raise invalid_arg_value('type', type)
    if type == 'extra':
        return ()
    if type == 'default' and _roots.chosen is not None:
        return _roots.chosen
    return _roots.system()


def set_default_ca_certificates(certs: Sequence[Any]) -> None:
    """Set whom contexts trust that are made from now on and name no ``ca``.

    Args:
        certs: a list of PEM, each str or bytes. An empty one trusts nobody.

    Raises:
        CodedTypeError: ``ERR_INVALID_ARG_TYPE``.
        CodedRuntimeError: ``ERR_CRYPTO_OPERATION_FAILED`` if none of them is a certificate, or one
            of them is none (which Node would pass over).
    """
    if not isinstance(certs, (list, tuple)):
        raise invalid_arg_type('certs', 'an instance of Array', certs)
    blocks: list[str] = []
    for index, each in enumerate(certs):
        if isinstance(each, str):
            content = each.encode('utf-8', 'surrogateescape')
        elif isinstance(each, (bytes, bytearray, memoryview)):
            content = bytes(each)
        else:
            raise invalid_arg_type(
                f'certs[{index}]', 'of type string or an instance of ArrayBufferView', each)
        found = certificate_blocks(content)
        if not found or not all(map(is_certificate, found)):
            raise operation_failed('No valid certificates found in the provided array')
        blocks += found
    _roots.chosen = tuple(dict.fromkeys(blocks))


def snapshot() -> tuple[str, ...] | None:
    """Return what a context that is made now shall trust; None for the system's."""
    return _roots.chosen


def load_roots(context: ssl.SSLContext, chosen: tuple[str, ...] | None) -> None:
    """Have *context* trust what :func:`snapshot` had returned.

    With the system's it takes some 25 ms: so it is done for contexts that verify, and once.
    """
    if chosen is None:
        context.load_default_certs()
    elif chosen:
        context.load_verify_locations(cadata='\n'.join(chosen))


def _read_system() -> list[str]:
    paths = ssl.get_default_verify_paths()
    files = [paths.cafile] if paths.cafile else []
    if paths.capath:
        files += sorted(
            entry.path for entry in os.scandir(paths.capath) if _HASHED.fullmatch(entry.name))
    blocks: list[str] = []
    for name in files:
        # A dangling link in the directory is passed over, as OpenSSL does.
        if os.path.isfile(name):
            with open(name, 'rb') as file:
                blocks += certificate_blocks(file.read())
    return blocks
