"""Where a test connects to: servers, addresses and paths, in one form."""

from __future__ import annotations

import os
import socket
from typing import Any

from ..node import coded_errors

__all__ = ['address_of', 'family_of']

#: Where a server listens on all addresses, and where it is reached then.
_LOOPBACK = {'0.0.0.0': '127.0.0.1', '::': '::1'}


def address_of(target: Any) -> Any:
    """Return the address of *target* as the standard library has it: host and port, or a path.

    Args:
        target: what has ``address()`` (a server), or a host and a port, a port of 127.0.0.1, or
            the path of a unix socket (``str``, ``bytes``, or a ``pathlib.Path``).

    Raises:
        CodedTypeError: ``ERR_INVALID_ARG_TYPE`` for something else, and for a server that does
            not listen.
    """
    address = target.address() if callable(getattr(target, 'address', None)) else target
    if hasattr(address, 'port'):
        address = (address.address, address.port)
    if isinstance(address, int) and not isinstance(address, bool):
        address = ('127.0.0.1', address)
    if isinstance(address, tuple):
        return (_LOOPBACK.get(address[0], address[0]), *address[1:])
    if isinstance(address, os.PathLike):
        address = os.fspath(address)
    if not isinstance(address, (str, bytes)):
        raise coded_errors.invalid_arg_type(
            'target', 'a server that listens, an address, a port or a path', target)
    return address


def family_of(address: Any) -> socket.AddressFamily:
    """Return the family of a numeric address or a path."""
    if not isinstance(address, tuple):
        return socket.AF_UNIX
    return socket.AF_INET6 if ':' in address[0] else socket.AF_INET
