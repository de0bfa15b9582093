"""``examples/echo_*.py``."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from .common import LARGE


@pytest.mark.parametrize('name', ['echo_blocking', 'echo_events', 'proxy'])
def test_much_data_comes_back_whole_although_it_is_read_late(
    name: str, start: Any, connect: Any, native: Any,
) -> None:
    client = connect(start(name).address)

    def send_all() -> None:
        client.plain.sendall(LARGE)
        client.plain.shutdown(socket.SHUT_WR)

    sending = native.start(send_all)
    assert client.recv_until_end() == LARGE
    sending.get()


@pytest.mark.parametrize('name', ['echo_blocking', 'echo_events'])
def test_a_reset_of_one_client_is_nothing_to_the_others(
    name: str, start: Any, connect: Any,
) -> None:
    example = start(name)
    other, rude = connect(example.address), connect(example.address)
    for client in (other, rude):
        client.sendall(b'1')
        assert client.recv_exactly(1) == b'1'
    rude.reset()
    if name == 'echo_events':
        assert example.running.wait_for('^127.0.0.1: ')[0]
    other.sendall(b'2')
    assert other.recv_exactly(1) == b'2'
