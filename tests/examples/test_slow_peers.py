"""``examples/slow_peers.py``."""

from __future__ import annotations

from typing import Any

import gevent


def test_a_client_that_reads_is_served_and_a_silent_one_is_cut_off(
    start: Any, connect: Any,
) -> None:
    example = start('slow_peers', '0', '1000')
    silent, good = connect(example.address), connect(example.address)
    good.sendall(b'hello\n')
    assert good.recv_exactly(600) == b'hello\n' * 100
    assert silent.recv_until_end() == b''
    assert example.running.wait_for('^127.0.0.1: ERR_READ_TIMEOUT: ')


def test_one_that_asks_and_does_not_read_costs_no_memory(start: Any, connect: Any) -> None:
    example = start('slow_peers', '0', '60000')
    greedy = connect(example.address)
    asking = gevent.spawn(_ask, greedy)
    assert example.running.wait_for('^127.0.0.1: ERR_BUFFER_FULL: ')
    asking.get()


def _ask(peer: Any) -> None:
    """Ask until it is cut off, and read nothing."""
    try:
        for _ in range(10_000):
            peer.sendall(b'x' * 9999 + b'\n')
    except OSError:
        return
