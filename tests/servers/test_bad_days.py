"""Attacks in a small form: others are served, and nothing is left. See scripts/bad_days."""

from __future__ import annotations

import logging
import os
import re
import socket
import struct
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from gevent import subprocess

import gnet

from ..harness import ROOT
from ..harness.listening import listening
from ..harness.native import Peer
from ..harness.plain import PlainSocket
from ..harness.waiting import PROCESS_PATIENCE, until

Serve = Callable[..., gnet.Server]

#: Where attackers come from; the good peer is at 127.0.0.1.
SOURCES = [f'127.0.0.{number}' for number in (2, 3, 4)]

#: Linux's number of the option by which a connection can be closed without a word.
TCP_REPAIR = 19


class Attackers:
    """Peers that the kernel alone connects."""

    def __init__(self) -> None:
        self.open: list[PlainSocket] = []

    def come(self, server: Any, count: int) -> list[PlainSocket]:
        new = []
        for number in range(count):
            peer = PlainSocket()
            new.append(peer)
            self.open.append(peer)
            peer.bind((SOURCES[number % len(SOURCES)], 0))
            peer.setblocking(False)
            with suppress(BlockingIOError):
                peer.connect(server.address()[::2])
        return new

    def leave(self) -> None:
        while self.open:
            self.open.pop().close()


@pytest.fixture
def attackers() -> Iterator[Attackers]:
    made = Attackers()
    yield made
    made.leave()


def answer(sock: gnet.Socket) -> None:
    """Answer a line with itself, in blocking style."""
    said = b''
    while not said.endswith(b'\n'):
        chunk = sock.recv(100)
        if not chunk:
            return
        said += chunk
    sock.sendall(said)


def is_served(connect: Callable[[Any], Peer], server: Any) -> bool:
    peer = connect(server)
    peer.sendall(b'hello\n')
    said = peer.recv_until_end()
    peer.close()
    return bool(said == b'hello\n')


def test_slow_peers_of_few_addresses_have_their_share_and_no_more(
    serve: Serve, connect: Callable[[Any], Peer], attackers: Attackers,
    caplog: pytest.LogCaptureFixture,
) -> None:
    drops: list[Any] = []
    server = serve(answer, max_connections=100, max_connections_per_address=20)
    server.on('drop', drops.append)
    listening(server)
    with caplog.at_level(logging.WARNING, 'gnet.server'):
        for _ in range(3):
            for peer in attackers.come(server, 90):
                with suppress(OSError):
                    peer.send(b'x')
            assert is_served(connect, server)
        until(lambda: len(drops) == 3 * 90 - 60)
    until(lambda: server.get_connections() == 60)
    assert {record.network for record in drops} == set(SOURCES)
    assert len(caplog.records) == len(SOURCES)
    attackers.leave()
    until(lambda: server.get_connections() == 0)


def test_peers_that_reset_at_once_do_not_keep_others_out(
    serve: Serve, connect: Callable[[Any], Peer], attackers: Attackers,
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = serve(answer, connection_rate_per_address=0.01, connection_burst_per_address=30)
    drops: list[Any] = []
    server.on('drop', drops.append)
    listening(server)
    with caplog.at_level(logging.WARNING, 'gnet.server'):
        for _ in range(4):
            for peer in attackers.come(server, 60):
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
            attackers.leave()
            assert is_served(connect, server)
        until(lambda: len(drops) == 4 * 60 - 90)
    assert len(caplog.records) == len(SOURCES)
    until(lambda: server.get_connections() == 0)


def test_peers_that_have_ended_their_half_or_are_gone_without_a_word_are_let_go(
    serve: Serve, connect: Callable[[Any], Peer], attackers: Attackers,
) -> None:
    def patient(sock: gnet.Socket) -> None:
        sock.set_timeout(200, sock.destroy)
        answer(sock)

    server = listening(serve(patient))
    for peer in attackers.come(server, 60):
        peer.shutdown(socket.SHUT_WR)  # and never reads, and never closes
    for peer in attackers.come(server, 60):
        with suppress(OSError):  # PermissionError: then they are idle, and no more than that
            peer.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
            peer.close()
    assert is_served(connect, server)
    until(lambda: server.get_connections() == 0)


@pytest.mark.timeout(90)
@pytest.mark.skipif(not sys.platform.startswith('linux'), reason='/proc is read')
def test_the_program_that_attacks_tells_what_is_left() -> None:
    env = {name: value for name, value in os.environ.items() if name != 'GNET_STAY_ALIVE'}
    said = subprocess.run(
        [sys.executable, str(ROOT / 'scripts' / 'bad_days'), 'half-open', '--count', '20',
         '--seconds', '0.1'],
        env=env, check=True, stdout=subprocess.PIPE, timeout=3 * PROCESS_PATIENCE).stdout.decode()
    served = re.findall(r'(?:before|during|after): +[\d.]+ ms .* [1-9]\d* served, 0 not', said)
    assert len(served) == 3
    assert 'connections 0, descriptors +0, holds +0' in said
