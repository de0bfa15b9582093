"""``examples/proxy.py``."""

from __future__ import annotations

from typing import Any

import pytest

from gnet.proxy_protocol import HeaderParser

from ..harness.native import Peer
from ..harness.plain import PlainSocket


def test_both_directions_of_a_proxied_connection_end_one_by_one(
    start: Any, connect: Any, native: Any,
) -> None:
    with PlainSocket() as listener:
        listener.bind(('127.0.0.1', 0))
        listener.listen()
        proxy = start('proxy', '0', f'127.0.0.1:{listener.getsockname()[1]}')
        client = connect(proxy.address)
        upstream = Peer(native, native(listener.accept)[0])
        with upstream.plain:
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
    start: Any, connect: Any, native: Any,
) -> None:
    with PlainSocket() as listener:
        listener.bind(('127.0.0.1', 0))
        listener.listen()
        proxy = start('proxy', '0', f'127.0.0.1:{listener.getsockname()[1]}')
        client = connect(proxy.address)
        upstream = Peer(native, native(listener.accept)[0])
        client.sendall(b'1')
        assert upstream.recv_exactly(1) == b'1'
        upstream.reset()
        assert client.recv_until_end() == b''
        assert proxy.running.wait_for('^127.0.0.1: read ECONNRESET$')


def test_the_proxy_closes_upstream_when_the_client_vanishes(
    start: Any, connect: Any, native: Any,
) -> None:
    with PlainSocket() as listener:
        listener.bind(('127.0.0.1', 0))
        listener.listen()
        proxy = start('proxy', '0', f'127.0.0.1:{listener.getsockname()[1]}')
        client = connect(proxy.address)
        upstream = Peer(native, native(listener.accept)[0])
        with upstream.plain:
            client.sendall(b'1')
            assert upstream.recv_exactly(1) == b'1'
            client.reset()
            assert upstream.recv_until_end() == b''


@pytest.mark.parametrize('version', [1, 2])
def test_the_proxy_says_whose_connection_it_is(
    start: Any, connect: Any, native: Any, version: int,
) -> None:
    with PlainSocket() as listener:
        listener.bind(('127.0.0.1', 0))
        listener.listen()
        proxy = start('proxy', '0', f'127.0.0.1:{listener.getsockname()[1]}', f'v{version}')
        client = connect(proxy.address)
        upstream = Peer(native, native(listener.accept)[0])
        with upstream.plain:
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
