"""Steps that several files begin with: somebody to connect to."""

from __future__ import annotations

from ..form import Form, Step, fn, port, tmp

__all__ = ['HERE', 'NOBODY', 'listening', 'listening_on_path', 'looked_up']

#: The server of :func:`listening`.
HERE: Form = {'port': port(), 'host': '127.0.0.1'}

#: No program listens on the first port (tcpmux), and only root could.
NOBODY: Form = {'port': 1, 'host': '127.0.0.1'}


def listening(*args: Form) -> list[Step]:
    """Return the steps that make a server listen on 127.0.0.1, called ``server``."""
    return [
        ['let', 'server', 'net.createServer', *args],
        ['call', 'server.listen', 0, '127.0.0.1'],
        ['await', 'server listening'],
    ]


def listening_on_path(*args: Form) -> list[Step]:
    """Return the steps that make a server listen on the path ``tmp('path')``."""
    return [
        ['let', 'server', 'net.createServer', *args],
        ['call', 'server.listen', tmp('path')],
        ['await', 'server listening'],
    ]


def looked_up(*addresses: str, name: str = 'lookup') -> Form:
    """Return a look-up function that answers at once with these *addresses*."""
    return fn(name, ['callback', 2, None, [
        {'address': address, 'family': 6 if ':' in address else 4} for address in addresses]])
