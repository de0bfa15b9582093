"""The families of addresses, and which addresses lead nowhere without a zone."""

from __future__ import annotations

import socket

import pytest

from gnet.addresses.ends import FAMILIES, TCP_FAMILIES, VERSIONS, address_of, is_link_local


def test_the_families_are_the_systems() -> None:
    assert FAMILIES == {4: socket.AF_INET, 6: socket.AF_INET6}
    assert VERSIONS == {socket.AF_INET: 4, socket.AF_INET6: 6}
    assert TCP_FAMILIES == (socket.AF_INET, socket.AF_INET6)


@pytest.mark.parametrize('address', ['fe80::1', 'FE80::1', 'fe9a::', 'febf:ffff::', 'fe80::1%eth0'])
def test_link_local(address: str) -> None:
    assert is_link_local(address)


@pytest.mark.parametrize('address', ['::1', 'fec0::1', 'fe8::1', 'feb::', 'ff02::1', '127.0.0.1'])
def test_not_link_local(address: str) -> None:
    assert not is_link_local(address)


def test_only_link_local_addresses_have_their_zone() -> None:
    zone = socket.if_nameindex()[0]
    named = address_of(socket.AF_INET6, ('fe80::1', 80, 0, zone[0]))
    assert named == (f'fe80::1%{zone[1]}', 'IPv6', 80)
    assert address_of(socket.AF_INET6, ('fc00::1', 80, 0, zone[0])) == ('fc00::1', 'IPv6', 80)
    assert address_of(socket.AF_INET, ('127.0.0.1', 80)) == ('127.0.0.1', 'IPv4', 80)
    assert address_of(socket.AF_UNIX, '/tmp/a') is None
