"""What other rooms may ask of a server: a public name on its class would be one for users, too."""

from __future__ import annotations

from .acceptor import Handle
from .connections import Connections
from .server import Server

__all__ = [
    'connections_of',
    'handle_of',
    'is_open',
]


def connections_of(server: Server) -> Connections:
    """Return who counts the connections of *server*."""
    return server._counter  # inside: programs see a Server, and have no use for it


def handle_of(server: Server) -> Handle | None:
    """Return what brings *server* its connections while it listens, else None."""
    return server._handle  # inside: Node's name


def is_open(server: Server) -> bool:
    """Return whether *server* listens, is about to, or has connections."""
    # inside: what decides it has no public name
    return server.listening or server._is_undecided() or server._counter.count > 0
