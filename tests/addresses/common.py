"""What the tests of block lists share."""

from __future__ import annotations

from collections.abc import Callable

from gnet.addresses.block_list import BlockList
from gnet.addresses.socket_address import SocketAddress

Change = Callable[[BlockList], object]


def ipv4(address: str, port: int = 0) -> SocketAddress:
    return SocketAddress(address=address, port=port)


def ipv6(address: str) -> SocketAddress:
    return SocketAddress(address=address, family='ipv6')


def with_rules(*changes: Change) -> BlockList:
    block_list = BlockList()
    for change in changes:
        change(block_list)
    return block_list
