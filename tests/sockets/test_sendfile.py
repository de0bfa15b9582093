"""``sendfile``: what of a file is sent, and where its position is afterwards."""

from __future__ import annotations

import io
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gevent
import pytest

from ..harness.connections import Connection
from ..harness.plain import PlainSocket
from ..harness.waiting import PATIENCE, until

Hold = Callable[..., Connection]

#: More than the kernel buffers on both sides of a connection over loopback.
MUCH = 20_000_000

DATA = bytes(range(256)) * 4096


@pytest.fixture
def regular(tmp_path: Path) -> Iterator[Any]:
    path = tmp_path / 'file'
    path.write_bytes(DATA)
    with path.open('rb') as file:
        yield file


@pytest.fixture(params=['regular', 'BytesIO'])
def file(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue('regular') if request.param == 'regular' else io.BytesIO(DATA)


@pytest.mark.parametrize(('arguments', 'expected'), [
    ((), DATA), ((0,), DATA), ((5,), DATA[5:]), ((5, 10), DATA[5:15]),
    ((0, 300_000), DATA[:300_000]), ((len(DATA) - 3, 10), DATA[-3:]),
    ((len(DATA),), b''), ((len(DATA) + 5,), b''),
], ids=lambda value: str(value) if isinstance(value, tuple) else f'{len(value)} bytes')
def test_a_part_of_a_file_is_sent(
    hold: Hold, file: Any, arguments: tuple[int, ...], expected: bytes,
) -> None:
    c = hold()
    sending = gevent.spawn(c.sock.sendfile, file, *arguments)
    assert c.peer.recv_exactly(len(expected)) == expected
    assert sending.get(timeout=PATIENCE) == len(expected)
    offset = arguments[0] if arguments else 0
    assert file.tell() == offset + len(expected)
    c.sock.end()
    assert c.peer.recv_until_end() == b''


def test_the_position_before_does_not_matter_as_for_a_plain_socket(
    hold: Hold, regular: Any,
) -> None:
    c = hold()
    plain, other = socket.socketpair()
    with PlainSocket(fileno=plain.detach()) as ours, PlainSocket(fileno=other.detach()) as theirs:
        seen = []
        for sock in (c.sock, ours):
            regular.seek(1000)
            size = sock.sendfile(regular, 0, 10)
            seen.append((size, regular.tell()))
        assert seen == [(10, 10), (10, 10)]
        assert c.peer.recv_exactly(10) == theirs.recv(100) == DATA[:10]


def test_a_big_file_arrives_whole(hold: Hold, tmp_path: Path) -> None:
    c = hold()
    path = tmp_path / 'big'
    data = DATA * (MUCH // len(DATA))
    path.write_bytes(data)
    with path.open('rb') as file:
        sending = gevent.spawn(c.sock.sendfile, file)
        assert c.peer.recv_exactly(len(data)) == data
        assert sending.get(timeout=PATIENCE) == len(data)


class Reader:
    """All that a file needs to have."""

    def __init__(self, *blocks: bytes) -> None:
        self.blocks = list(blocks)

    def read(self, size: int) -> bytes:
        return self.blocks.pop(0) if self.blocks else b''


def test_something_that_only_reads_is_sent_to_its_end(hold: Hold) -> None:
    c = hold()
    assert c.sock.sendfile(Reader(b'one', b'two')) == 6
    assert c.peer.recv_exactly(6) == b'onetwo'


def test_a_pipe_is_sent_to_its_end(hold: Hold) -> None:
    c = hold()
    reading, writing = os.pipe()
    with open(writing, 'wb') as file:
        file.write(b'through a pipe')
    with open(reading, 'rb') as file:
        assert c.sock.sendfile(file) == 14
    assert c.peer.recv_exactly(14) == b'through a pipe'


def test_what_is_written_before_and_after_stays_in_order(hold: Hold) -> None:
    c = hold()
    c.sock.write(b'head ')
    c.sock.sendfile(io.BytesIO(b'body '))
    c.sock.sendall(b'tail')
    assert c.peer.recv_exactly(14) == b'head body tail'


# --- what is refused ----------------------------------------------------------------------------


def test_a_text_file_is_refused(hold: Hold, tmp_path: Path) -> None:
    c = hold()
    path = tmp_path / 'text'
    path.write_text('text', encoding='utf-8')
    with path.open(encoding='utf-8') as file, pytest.raises(ValueError, match='binary mode'):
        c.sock.sendfile(file)


@pytest.mark.parametrize('count', [0, -1, 1.5, '1'])
def test_a_count_is_a_positive_integer(hold: Hold, count: Any) -> None:
    c = hold()
    file = io.BytesIO(b'abc')
    with pytest.raises(ValueError, match='count must be a positive integer'):
        c.sock.sendfile(file, 0, count)
    assert file.tell() == 0


def test_without_waiting_no_file_is_sent(hold: Hold) -> None:
    c = hold()
    c.sock.settimeout(0)
    with pytest.raises(ValueError, match='non-blocking sockets are not supported'):
        c.sock.sendfile(io.BytesIO(b'abc'))


def test_a_closed_socket_sends_no_file(hold: Hold, file: Any) -> None:
    c = hold()
    c.sock.close()
    with pytest.raises(OSError, match='Socket is closed'):
        c.sock.sendfile(file, 7)
    assert file.tell() == 7


# --- a peer that does not take it ---------------------------------------------------------------


def test_after_a_timeout_the_position_is_behind_what_was_sent(hold: Hold) -> None:
    c = hold()
    file = io.BytesIO(bytes(MUCH))
    c.sock.settimeout(0.05)
    with pytest.raises(socket.timeout):
        c.sock.sendfile(file, 100)
    position = file.tell()
    assert 100 < position < MUCH
    c.sock.end()
    assert len(c.peer.recv_until_end()) == position - 100


def test_it_goes_on_where_it_timed_out(hold: Hold) -> None:
    c = hold()
    data = DATA * (MUCH // len(DATA))
    file = io.BytesIO(data)
    c.sock.settimeout(0.05)
    with pytest.raises(socket.timeout):
        c.sock.sendfile(file)
    c.sock.settimeout(None)
    rest = gevent.spawn(c.sock.sendfile, file, file.tell())
    assert c.peer.recv_exactly(len(data)) == data
    rest.get(timeout=PATIENCE)


def test_a_peer_that_goes_away_is_an_error(hold: Hold) -> None:
    c = hold()
    file = io.BytesIO(bytes(MUCH))

    def sending() -> None:
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            c.sock.sendfile(file)

    greenlet = gevent.spawn(sending)
    until(lambda: c.sock._blocking.senders)
    c.peer.reset()
    greenlet.get(timeout=PATIENCE)
    assert 0 < file.tell() < MUCH
    c.until_closed()


def test_reading_the_file_may_fail(hold: Hold) -> None:
    c = hold()

    class Broken(Reader):
        def read(self, size: int) -> bytes:
            if not self.blocks:
                raise OSError('the disk is gone')
            return super().read(size)

    with pytest.raises(OSError, match='the disk is gone'):
        c.sock.sendfile(Broken(b'first'))
    c.sock.sendall(b' and last')
    assert c.peer.recv_exactly(14) == b'first and last'
