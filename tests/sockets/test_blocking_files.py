"""What code that expects a ``socket.socket`` does with a ``gnet.Socket``."""

from __future__ import annotations

import io
import os
import socket
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any

import gevent
import gevent.select
import pytest

import gnet

from ..harness.connections import Connection
from ..harness.families import Family
from ..harness.plain import PlainSocket
from ..harness.waiting import PATIENCE, turn, until

Hold = Callable[..., Connection]


# --- makefile -----------------------------------------------------------------------------------


def test_a_file_reads_lines(hold: Hold) -> None:
    c = hold()
    c.peer.sendall(b'one\ntwo\nthr')
    with c.sock.makefile('rb') as file:
        assert file.readline() == b'one\n'
        assert file.readline() == b'two\n'
        c.peer.sendall(b'ee\n')
        assert file.readline() == b'three\n'
        c.peer.end()
        assert file.read() == b''


def test_a_text_file_reads_and_writes(hold: Hold) -> None:
    c = hold()
    with c.sock.makefile('rw', encoding='utf-8', newline='\n') as file:
        assert file.mode == 'rw'
        c.peer.sendall('é\n'.encode())
        assert file.readline() == 'é\n'
        file.write('ü\n')
        file.flush()
        assert c.peer.recv_exactly(3) == 'ü\n'.encode()


def test_a_file_without_a_buffer_is_raw(hold: Hold) -> None:
    c = hold()
    with c.sock.makefile('rwb', buffering=0) as file:
        assert isinstance(file, io.RawIOBase)
        assert file.write(b'x') == 1
        assert c.peer.recv_exactly(1) == b'x'
        c.sock.settimeout(0)
        assert file.read(1) is None  # nothing there yet
        c.sock.settimeout(None)
        c.peer.sendall(b'y')
        assert file.read(10) == b'y'


def test_a_raw_file_that_cannot_be_read_says_why(hold: Hold) -> None:
    c = hold()
    with c.sock.makefile('wb', buffering=0) as file, pytest.raises(io.UnsupportedOperation):
        file.readinto(bytearray(1))
    file = c.sock.makefile('rb', buffering=0)
    file.close()
    with pytest.raises(ValueError, match='closed file'):
        file.readinto(bytearray(1))
    c.sock.settimeout(0.01)
    with c.sock.makefile('rb', buffering=0) as file:
        with pytest.raises(socket.timeout):
            file.readinto(bytearray(1))
        c.peer.sendall(b'too late')
        with pytest.raises(OSError, match='cannot read from timed out object'):
            file.readinto(bytearray(1))


@pytest.mark.parametrize(('arguments', 'kind'), [
    ({'mode': 'rb'}, io.BufferedReader), ({'mode': 'wb'}, io.BufferedWriter),
    ({'mode': 'rwb'}, io.BufferedRWPair), ({'mode': 'r'}, io.TextIOWrapper), ({}, io.TextIOWrapper),
    ({'mode': 'w'}, io.TextIOWrapper),
])
def test_the_mode_decides_on_the_kind(hold: Hold, arguments: Any, kind: type) -> None:
    with hold().sock.makefile(**arguments) as file:
        assert isinstance(file, kind)


@pytest.mark.parametrize(('arguments', 'text'), [
    ({'mode': 'a'}, "invalid mode 'a'"), ({'mode': 'r', 'buffering': 0}, 'must be binary'),
])
def test_wrong_modes_are_refused(hold: Hold, arguments: Any, text: str) -> None:
    c = hold()
    with pytest.raises(ValueError, match=text):
        c.sock.makefile(**arguments)
    c.sock.close()
    assert c.sock.destroyed  # no reference was left behind


def test_close_waits_for_the_files(hold: Hold) -> None:
    c = hold()
    reader, writer = c.sock.makefile('rb'), c.sock.makefile('wb')
    c.sock.close()
    assert not c.sock.destroyed
    writer.write(b'last')
    writer.close()
    c.peer.sendall(b'x')
    assert reader.read(1) == b'x'
    assert not c.sock.destroyed
    reader.close()
    assert c.sock.destroyed
    assert c.peer.recv_until_end() == b'last'


def test_a_file_that_times_out_says_so_and_refuses_from_then_on(hold: Hold) -> None:
    c = hold()
    c.sock.settimeout(0.01)
    with c.sock.makefile('rb') as file:
        with pytest.raises(socket.timeout):
            file.readline()
        with pytest.raises(OSError, match='cannot read from timed out object'):
            file.readline()


def test_the_standard_librarys_http_handler_serves_it(serve: Any, connect: Any) -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header('Content-Length', '2')
            self.end_headers()
            self.wfile.write(b'ok')

        def log_message(self, *args: Any) -> None:
            pass

    peer = connect(serve(lambda sock: Handler(sock, sock.getpeername(), None)))
    peer.sendall(b'GET / HTTP/1.0\r\n\r\n')
    answer = peer.recv_until_end()
    assert answer.startswith(b'HTTP/1.0 200 OK\r\n')
    assert answer.endswith(b'\r\n\r\nok')


# --- close, with, detach ------------------------------------------------------------------------


def test_with_closes_the_socket(hold: Hold) -> None:
    c = hold()
    with c.sock as sock:
        assert sock is c.sock
        sock.sendall(b'x')
    assert c.sock.destroyed
    assert c.peer.recv_until_end() == b'x'
    c.sock.close()


def test_with_closes_the_socket_after_an_exception_too(hold: Hold) -> None:
    c = hold()
    with pytest.raises(ZeroDivisionError), c.sock:
        raise ZeroDivisionError
    assert c.sock.destroyed


def test_close_sends_first_what_is_queued(hold: Hold) -> None:
    c = hold()
    c.sock.write(bytes(20_000_000))
    c.sock.close()
    assert c.sock.ready_state == 'readOnly'
    with pytest.raises(OSError, match='Socket is closed'):
        c.sock.recv(10)
    assert len(c.peer.recv_until_end()) == 20_000_000
    c.until_closed()


def test_detach_gives_the_descriptor_away(hold: Hold) -> None:
    c = hold()
    c.peer.sendall(b'before')
    c.wait('readable')
    descriptor = c.sock.detach()
    assert c.sock.destroyed
    assert c.sock.fileno() == -1
    assert c.sock.detach() == -1
    assert c.sock.read() == b'before'
    c.until_closed()
    with PlainSocket(fileno=descriptor) as plain:
        plain.setblocking(False)
        plain.sendall(b'after')
        assert c.peer.recv_exactly(5) == b'after'
        c.peer.sendall(b'and back')
        until(lambda: gevent.select.select([plain], [], [], 0)[0])
        assert plain.recv(10) == b'and back'


def test_detach_while_reading_and_writing(hold: Hold) -> None:
    c = hold()
    c.sock.write(bytes(20_000_000), c.noting('written'))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gevent.get_hub(), 'print_exception', lambda *args: None)
        reading = gevent.spawn(c.sock.recv, 10)
        until(lambda: c.sock._wire.reader is not None)
        os.close(c.sock.detach())
        reading.join(PATIENCE)
    assert str(reading.exception) == 'Socket is closed'
    c.until_closed()
    assert 'written ECANCELED: write ECANCELED' in c.trace


# --- names and options --------------------------------------------------------------------------


def test_names_and_kinds(hold: Hold, family: Family) -> None:
    c = hold(target=family.listen_options)
    assert c.sock.getsockname() == c.peer.getpeername()
    assert c.sock.getpeername() == c.peer.getsockname()
    assert c.sock.family == c.peer.plain.family
    assert isinstance(c.sock.family, socket.AddressFamily)
    assert c.sock.type == socket.SOCK_STREAM
    assert c.sock.proto == 0
    assert os.fstat(c.sock.fileno())


def test_options_can_be_read_and_set(hold: Hold) -> None:
    c = hold()
    c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    assert c.sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
    assert len(c.sock.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8)) == 8


@pytest.mark.parametrize('ask', [
    lambda s: s.getsockname(), lambda s: s.getpeername(), lambda s: s.getsockopt(1, 1),
    lambda s: s.setsockopt(1, 1, 1),
])
def test_a_closed_socket_knows_none_of_it(hold: Hold, ask: Callable[[Any], object]) -> None:
    c = hold()
    c.sock.close()
    with pytest.raises(OSError, match='Socket is closed'):
        ask(c.sock)


def test_a_descriptor_can_be_polled_beside_gnet(hold: Hold) -> None:
    c = hold(pause_on_connect=True)
    c.peer.sendall(b'x')
    until(lambda: gevent.select.select([c.sock], [], [], 0)[0])
    turn()
    assert c.sock.recv(1) == b'x'


def test_node_and_python_names_of_time_do_not_mix(hold: Hold) -> None:
    c = hold()
    c.sock.settimeout(5)
    c.sock.set_timeout(250)
    assert (c.sock.gettimeout(), c.sock.timeout) == (5, 250)
    assert isinstance(gnet.Socket, type)
