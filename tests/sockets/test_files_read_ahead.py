"""What a file of ``makefile`` has read ahead is the socket's again when the file is closed."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any

import gevent
import gevent.ssl
import pytest

import gnet

from ..harness.connections import Connection, code
from ..harness.families import Family
from ..harness.waiting import PATIENCE, turn, until

Hold = Callable[..., Connection]

MODES = pytest.mark.parametrize('mode', ['rb', 'rwb', 'r', 'rw'])


def read_line(c: Connection, mode: str, data: bytes = b'first\r\nbehind', **options: Any) -> None:
    """Have *data* arrive at once, and read the first line of it with a file."""
    c.peer.sendall(data)
    until(lambda: c.sock.bytes_read == len(data))
    with c.sock.makefile(mode, **options) as lines:
        assert lines.readline() in (b'first\r\n', 'first\n')


def by_recv(sock: Any) -> bytes:
    return bytes(sock.recv(100))


def by_peeking(sock: Any) -> bytes:
    shown = sock.recv(100, 2)
    assert sock.recv(100) == shown
    return bytes(shown)


def by_iteration(sock: Any) -> bytes:
    return bytes(next(iter(sock)))


def by_another_file(sock: Any) -> bytes:
    with sock.makefile('rb') as file:
        return bytes(file.read(6))


def by_an_unbuffered_file(sock: Any) -> bytes:
    with sock.makefile('rb', 0) as file:
        return bytes(file.read(6))


def by_to_socket(sock: Any) -> bytes:
    with sock.to_socket() as plain:
        return bytes(plain.recv(100))


def by_read(sock: Any) -> bytes:
    return bytes(sock.read())


def by_data(sock: Any) -> bytes:
    return bytes(gnet.once(sock, 'data', timeout=PATIENCE)[0])


@MODES
@pytest.mark.parametrize('read', [
    by_recv, by_peeking, by_iteration, by_another_file, by_an_unbuffered_file, by_to_socket,
    by_read, by_data,
])
def test_the_next_read_has_it(hold: Hold, mode: str, read: Callable[[Any], bytes]) -> None:
    c = hold()
    read_line(c, mode)
    assert read(c.sock) == b'behind'


@MODES
def test_it_comes_before_what_comes_later_and_before_the_end(
    hold: Hold, family: Family, mode: str,
) -> None:
    c = hold(target=family.listen_options)
    read_line(c, mode)
    c.peer.sendall(b', later')
    c.peer.end()
    assert b''.join(c.sock) == b'behind, later'


@MODES
def test_it_is_there_though_the_end_had_come_before(hold: Hold, mode: str) -> None:
    c = hold()
    c.peer.sendall(b'first\r\nbehind')
    c.peer.end()
    until(lambda: c.sock._wire.ended)
    with c.sock.makefile(mode) as lines:
        lines.readline()
    assert [c.sock.recv(100), c.sock.recv(100)] == [b'behind', b'']


@MODES
def test_a_part_of_a_line_is_given_back_as_it_came(hold: Hold, mode: str) -> None:
    c = hold()
    data = 'first\r\nöne\r\n'.encode() + b'\xff\n'
    c.peer.sendall(data)
    until(lambda: c.sock.bytes_read == len(data))
    with c.sock.makefile(mode, **({} if 'b' in mode else {'encoding': 'utf-8'})) as file:
        file.readline()
        assert file.read(2) in ('ön', 'ön'.encode()[:2])
    assert c.sock.recv(100) == data[10 if 'b' not in mode else 9:]


def test_a_text_file_makes_text_of_no_more_than_a_line(hold: Hold) -> None:
    c = hold()
    read_line(c, 'r', b'first\r\n\x16\x03\xff\xfe', encoding='ascii')
    assert c.sock.recv(100) == b'\x16\x03\xff\xfe'


@pytest.mark.parametrize(('newline', 'data', 'size', 'rest'), [
    (None, b'a\r\n', 1, b'\r\n'), ('', b'a\r\n', 2, b'\n'), ('\n', b'a\r\n', 1, b'\r\n'),
    (None, b'a\rb\n', 2, b'b\n'), (None, b'a\r\nb', 2, b'b'), (None, b'ab', 2, b''),
])
def test_ends_of_lines_are_given_back_as_they_came(
    hold: Hold, newline: str | None, data: bytes, size: int, rest: bytes,
) -> None:
    c = hold()
    c.peer.sendall(data)
    until(lambda: c.sock.bytes_read == len(data))
    with c.sock.makefile(newline=newline) as file:
        assert len(file.read(size)) == size
    c.peer.end()
    assert b''.join(c.sock) == rest


def test_text_whose_bytes_cannot_be_told_is_an_error_of_close(hold: Hold) -> None:
    c = hold()
    data = 'two\nlines'.encode('utf-16')
    c.peer.sendall(data)
    until(lambda: c.sock.bytes_read == len(data))
    file = c.sock.makefile(encoding='utf-16')
    assert file.read(1) == 't'
    with pytest.raises(gnet.CodedRuntimeError, match=r'makefile\(\)') as caught:
        file.close()
    assert code(caught.value) == 'ERR_TEXT_IS_BUFFERED'
    assert file.closed
    assert c.sock._blocking.io_refs == 0


@MODES
def test_a_file_that_is_forgotten_gives_it_back_too(hold: Hold, mode: str) -> None:
    c = hold()
    c.peer.sendall(b'first\nbehind')
    until(lambda: c.sock.bytes_read == 12)
    c.sock.makefile(mode).readline()
    assert c.sock.recv(100) == b'behind'


@MODES
def test_of_a_socket_that_was_closed_nothing_comes_back(hold: Hold, mode: str) -> None:
    c = hold()
    c.peer.sendall(b'first\nbehind')
    until(lambda: c.sock.bytes_read == 12)
    with c.sock.makefile(mode) as lines:
        lines.readline()
        c.sock.close()
        assert not c.sock.destroyed
    assert c.sock.destroyed
    with pytest.raises(OSError, match='closed') as caught:
        c.sock.recv(100)
    assert code(caught.value) == 'ERR_SOCKET_CLOSED'


def test_files_that_only_write_give_nothing_back(hold: Hold) -> None:
    c = hold()
    for mode in ('w', 'wb'):
        with c.sock.makefile(mode) as file:
            file.write('x' if mode == 'w' else b'x')
    assert c.peer.recv_exactly(2) == b'xx'
    c.peer.end()
    assert c.sock.recv(9) == b''


def test_lines_that_came_in_pieces_are_whole(hold: Hold) -> None:
    c = hold()
    with c.sock.makefile(encoding='utf-8') as lines:
        reading = gevent.spawn(lines.readline)
        for piece in ('ä'.encode()[:1], 'ä'.encode()[1:], b'b\r', b'\ncd'):
            c.peer.sendall(piece)
            turn()
        assert reading.get(timeout=PATIENCE) == 'äb\n'
    assert c.sock.recv(9) == b'cd'


@pytest.mark.parametrize('module', [ssl, gevent.ssl], ids=['ssl', 'gevent.ssl'])
@MODES
def test_a_hello_behind_the_request_for_tls_is_an_error_and_not_lost(
    hold: Hold, family: Family, mode: str, module: Any,
) -> None:
    c = hold(target=family.listen_options)
    hello = b'\x16\x03\x01\x00\x05hello'
    read_line(c, mode, b'first\r\n' + hello)
    with c.sock.to_socket() as plain:
        with pytest.raises(gnet.CodedRuntimeError) as caught:
            module.SSLContext(ssl.PROTOCOL_TLS_SERVER).wrap_socket(plain, server_side=True)
        assert code(caught.value) == 'ERR_READ_AHEAD'
        assert plain.recv(100) == hello


# --- a greenlet that is blocked in a read -------------------------------------------------------


def give_back(sock: Any, data: bytes) -> None:
    sock.unshift(data)


def close_a_file(sock: Any, data: bytes) -> None:
    file = sock.makefile('rb')
    sock.recv_into = lambda buffer: buffer.__setitem__(slice(0, len(data) + 1), b'.' + data) or (
        len(data) + 1)
    assert file.read(1) == b'.'
    file.close()


@pytest.mark.parametrize('bring', [give_back, close_a_file])
@pytest.mark.parametrize('read', [by_recv, by_iteration, by_an_unbuffered_file])
def test_what_comes_back_wakes_who_is_blocked_in_a_read(
    hold: Hold, bring: Callable[[Any, bytes], None], read: Callable[[Any], bytes],
) -> None:
    c = hold()
    c.peer.sendall(b'first')
    assert c.sock.recv(5) == b'first'
    reading = gevent.spawn(read, c.sock)
    until(lambda: c.sock._wire.reader)
    bring(c.sock, b'before')
    c.peer.sendall(b', after')
    assert reading.get(timeout=PATIENCE) == b'before'
    assert c.sock.recv(9) == b', after'
