"""Servers behind a proxy: what it says of a connection, and who trusts it."""

from __future__ import annotations

from typing import Any

import gnet
from gnet.proxy_protocol import ProxyHeader

from .native import Peer

__all__ = ['CLIENT', 'FRONT', 'HEADER', 'V1', 'V2', 'echo', 'is_cut', 'trusting']

CLIENT = gnet.Address('192.0.2.1', 'IPv4', 12345)
FRONT = gnet.Address('198.51.100.7', 'IPv4', 443)
HEADER = ProxyHeader(source=CLIENT, destination=FRONT, tlvs=((1, b'h2'), (5, b'id')))
V1 = b'PROXY TCP4 192.0.2.1 198.51.100.7 12345 443\r\n'
V2 = HEADER.to_bytes()


def trusting(**options: Any) -> dict[str, Any]:
    """Return the option of a server that trusts whoever is on this machine."""
    return {'proxy_protocol': {'trusted': ('127.0.0.0/8', '::1', 'unix'), **options}}


def echo(sock: gnet.Socket) -> None:
    for chunk in sock:
        sock.sendall(chunk)


def is_cut(peer: Peer) -> bool:
    """Wait for the end of a connection that was refused."""
    try:
        return peer.recv() == b''
    except ConnectionResetError:
        return True
