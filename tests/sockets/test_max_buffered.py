"""Programs that write on to peers that do not read: ``max_buffered``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import gnet

from ..harness.connections import Connection, code, failing
from ..harness.waiting import until

Accept = Callable[..., Connection]

#: More bytes than the kernel takes for a peer that does not read.
MUCH = 32 << 20


def test_who_writes_on_and_on_is_stopped(accept: Accept) -> None:
    events: list[Any] = []
    c = accept(failing(events), max_buffered=1 << 20)
    block, written, refused = bytes(1 << 16), 0, []
    while not c.sock.destroyed:
        c.sock.write(block, lambda error: refused.append(code(error)) if error else None)
        written += len(block)
        assert c.sock.writable_length <= (1 << 20) + len(block)
    assert written < MUCH
    assert c.sock.writable_length == 0
    until(lambda: events)
    assert events == ['ERR_BUFFER_FULL']
    until(lambda: len(refused) > 1)  # none of them is lost in silence
    assert isinstance(c.sock.errored, OSError)


def test_who_waits_for_drain_is_not(accept: Accept) -> None:
    size = 4 << 20
    left = [size]

    def fill(sock: Any) -> None:
        while left[0]:
            left[0] -= 1 << 16
            if not sock.write(bytes(1 << 16)):
                return
        sock.end()

    def setup(c: Connection) -> None:
        c.sock.on('drain', lambda: fill(c.sock))
        fill(c.sock)

    c = accept(setup, max_buffered=1 << 17)
    assert len(c.peer.recv_until_end()) == size


def test_a_blocking_write_waits_and_does_not_count(accept: Accept) -> None:
    c = accept(lambda c: c.sock.sendall(bytes(MUCH)), max_buffered=1 << 17)
    until(lambda: c.sock.writable_length)
    c.sock.write(bytes(1 << 16))
    assert not c.sock.destroyed
    c.sock.write(bytes(1 << 17))
    assert code(c.sock.errored) == 'ERR_BUFFER_FULL'


@pytest.mark.parametrize('text', [False, True])
def test_what_is_corked_counts(accept: Accept, text: bool) -> None:
    events: list[Any] = []
    c = accept(failing(events), max_buffered=1 << 17)
    c.sock.cork()
    piece: Any = 'é' * 500 if text else bytes(1000)
    for _ in range(131):
        c.sock.write(piece)
    assert not c.sock.destroyed
    c.sock.write(piece)
    assert code(c.sock.errored) == 'ERR_BUFFER_FULL'
    until(lambda: events)


def test_what_waits_for_a_connection_counts() -> None:
    sock = gnet.Socket(max_buffered=1 << 17)
    errors: list[Any] = []
    sock.on('error', lambda error: errors.append(code(error)))
    sock.connect({'port': 9, 'host': '127.0.0.1', 'lookup': lambda *args: None})
    while not sock.destroyed:
        sock.write(bytes(1 << 15))
    until(lambda: sock.ready_state == 'closed' and errors)
    assert errors == ['ERR_BUFFER_FULL']


def test_max_buffered_is_not_below_the_high_water_mark() -> None:
    for make in (gnet.Socket, gnet.create_server):
        with pytest.raises(gnet.errors.CodedValueError, match='the high-water mark'):
            make(max_buffered=1000)
        make(max_buffered=1000, high_water_mark=1000)


def test_a_peer_that_never_reads_a_large_answer_costs_neither_memory_nor_the_others(
    serve: Any, connect: Any,
) -> None:
    """It asks for 1 GB: the program writes as fast as it can, and looks at nothing."""
    errors: list[Any] = []
    most = 0

    def handler(sock: Any) -> None:
        def answer(chunk: bytes) -> None:
            nonlocal most
            block = bytes(1 << 16)
            for _ in range(1 << 14):
                sock.write(block)
                most = max(most, sock.writable_length)
                if sock.destroyed:
                    break

        def echo(chunk: bytes) -> None:
            answer(chunk) if chunk == b'big' else sock.write(chunk)

        sock.on('data', echo)
        sock.on('error', lambda error: errors.append(code(error)))

    server = serve(handler, max_buffered=1 << 20)
    greedy, good = connect(server), connect(server)
    greedy.sendall(b'big')
    until(lambda: errors)
    good.sendall(b'hello')
    assert good.recv_exactly(5) == b'hello'
    assert errors == ['ERR_BUFFER_FULL']
    assert most <= (1 << 20) + (1 << 16)
