"""``examples/proxy.py``."""

from __future__ import annotations

from typing import Any

import pytest

from gnet.proxy_protocol import HeaderParser


def test_both_directions_of_a_proxied_connection_end_one_by_one(
    start: Any, connect: Any, gnet_listener: Any,
) -> None:
    listener = gnet_listener()
    proxy = start('proxy', '0', f'127.0.0.1:{listener.port}')
    client = connect(proxy.address)
    with listener.accept() as upstream:
        client.sendall(b'question')
        client.end()
        assert upstream.recv_until_end() == b'question'
        upstream.sendall(b'answer')
        upstream.end()
        assert client.recv_until_end() == b'answer'


def test_the_proxy_ends_a_connection_whose_upstream_is_not_there(start: Any, connect: Any) -> None:
    echo = start('echo_blocking')
    proxy = start('proxy', '0', f'127.0.0.1:{echo.address[1]}')
    client = connect(proxy.address)
    client.sendall(b'1')
    assert client.recv_exactly(1) == b'1'
    echo.interrupt()
    assert client.recv_until_end() == b''
    late = connect(proxy.address)
    assert late.recv_until_end() == b''
    assert proxy.running.wait_for('^127.0.0.1: connect ECONNREFUSED 127.0.0.1:')


def test_the_proxy_closes_the_client_when_upstream_vanishes(
    start: Any, connect: Any, gnet_listener: Any,
) -> None:
    listener = gnet_listener()
    proxy = start('proxy', '0', f'127.0.0.1:{listener.port}')
    client = connect(proxy.address)
    upstream = listener.accept()
    client.sendall(b'1')
    assert upstream.recv_exactly(1) == b'1'
    upstream.reset()
    assert client.recv_until_end() == b''
    assert proxy.running.wait_for('^127.0.0.1: read ECONNRESET$')


def test_the_proxy_closes_upstream_when_the_client_vanishes(
    start: Any, connect: Any, gnet_listener: Any,
) -> None:
    listener = gnet_listener()
    proxy = start('proxy', '0', f'127.0.0.1:{listener.port}')
    client = connect(proxy.address)
    with listener.accept() as upstream:
        client.sendall(b'1')
        assert upstream.recv_exactly(1) == b'1'
        client.reset()
        assert upstream.recv_until_end() == b''


@pytest.mark.parametrize('version', [1, 2])
def test_the_proxy_says_whose_connection_it_is(
    start: Any, connect: Any, gnet_listener: Any, version: int,
) -> None:
    listener = gnet_listener()
    proxy = start('proxy', '0', f'127.0.0.1:{listener.port}', f'v{version}')
    client = connect(proxy.address)
    with listener.accept() as upstream:
        client.sendall(b'question')
        client.end()
        said = upstream.recv_until_end()
        upstream.end()
    parser = HeaderParser()
    assert said[parser.feed(said):] == b'question'
    header: Any = parser.header
    assert header.version == version
    assert (header.source.port, header.destination.port) == (
        client.getsockname()[1], proxy.address[1])
