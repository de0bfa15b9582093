"""Why a connection was dropped."""

from __future__ import annotations

from enum import Enum

__all__ = ['DropReason']


class DropReason(Enum):
    """Why a server closed a connection that it had accepted, without a ``'connection'`` event."""

    MAX_CONNECTIONS = 'the server had max_connections open connections'
    BLOCK_LIST = 'the address of the peer is in the block list'
    PENDING_HANDSHAKES = 'as many TLS handshakes as may be were not done'
