"""Why a connection was dropped."""

from __future__ import annotations

from enum import Enum

__all__ = ['DropReason']


# no state: reasons
class DropReason(Enum):
    """Why a server closed a connection that it had accepted, without a ``'connection'`` event."""

    MAX_CONNECTIONS = 'the server had max_connections open connections'
    MAX_CONNECTIONS_PER_ADDRESS = 'the address had max_connections_per_address open connections'
    CONNECTION_RATE = 'more connections were made than the connection_rate of the server'
    CONNECTION_RATE_PER_ADDRESS = 'the address made more than its connection_rate_per_address'
    BLOCK_LIST = 'the address of the peer is in the block list'
    PENDING_HANDSHAKES = 'as many TLS handshakes as may be were not done'
    UNTRUSTED_PROXY = 'the server wants the PROXY protocol, and does not trust the peer'
    PROXY_HEADER = 'the peer has ended before its PROXY protocol header, or sent none that is valid'
    PROXY_TIMEOUT = 'the PROXY protocol header has not come in time'
    PENDING_HEADERS = 'as many connections as may be were waiting for a PROXY protocol header'
