"""What a blocking call leaves behind that was given up, or asked for what it can not do."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from typing import Any

import gevent
import pytest

import gnet
from gnet.addresses.ends import address_of

from ..harness.connections import Connection
from ..harness.waiting import PATIENCE, until

Hold = Callable[..., Connection]

#: More than the kernel buffers on both sides of a connection over loopback.
MUCH = 20_000_000


def time_out(sock: gnet.Socket) -> None:
    sock.settimeout(0.05)
    with pytest.raises(socket.timeout):
        sock.sendall(bytes(MUCH))


def kill(sock: gnet.Socket) -> None:
    sending = gevent.spawn(sock.sendall, bytes(MUCH))
    until(lambda: sock.writable_length)
    sending.kill()


GIVE_UP = pytest.mark.parametrize('give_up', [time_out, kill])


@GIVE_UP
def test_what_was_given_up_is_not_queued_any_more(hold: Hold, give_up: Any) -> None:
    sock = hold().sock
    give_up(sock)
    assert sock.writable_length == 0
    assert sock.bytes_written < MUCH


@GIVE_UP
def test_close_waits_for_nothing_that_was_given_up(hold: Hold, give_up: Any) -> None:
    sock = hold().sock
    give_up(sock)
    sock.close()
    assert sock.destroyed
    assert sock.fileno() == -1


@GIVE_UP
def test_shutdown_waits_for_nothing_that_was_given_up(hold: Hold, give_up: Any) -> None:
    c = hold()
    give_up(c.sock)
    sent = c.sock.bytes_written
    c.sock.shutdown(socket.SHUT_WR)
    assert len(c.peer.recv_until_end()) == sent


def test_what_was_queued_behind_it_goes_out(hold: Hold) -> None:
    c = hold()
    c.sock.settimeout(0.05)
    answers: list[Any] = []

    def write_behind() -> None:
        until(lambda: c.sock.writable_length)
        c.sock.write(b'behind', answers.append)

    writing = gevent.spawn(write_behind)
    with pytest.raises(socket.timeout):
        c.sock.sendall(bytes(MUCH))
    writing.get(timeout=PATIENCE)
    c.sock.end()
    received = c.peer.recv_until_end()
    assert received.endswith(b'\0behind')
    assert len(received) == c.sock.bytes_written < MUCH
    assert answers == [None]


def test_a_buffer_that_can_not_be_written_to_loses_nothing(hold: Hold) -> None:
    c = hold()
    c.peer.sendall(b'abc')
    with pytest.raises(TypeError, match='can be written to'):
        c.sock.recv_into(b'xxxx')
    assert c.sock.recv(3) == b'abc'


# --- connecting -----------------------------------------------------------------------------------


def test_connect_ex_takes_a_path_too(serve: Any, tmp_path: Any) -> None:
    with gnet.Socket() as sock:
        assert sock.connect_ex(str(tmp_path / 'none')) == errno.ENOENT
    server = serve(lambda sock: sock.end(b'hello'), target={'path': str(tmp_path / 's')})
    with gnet.Socket() as sock:
        assert sock.connect_ex(server.address()) == 0
        assert sock.recv(10) == b'hello'


@pytest.mark.parametrize('address', [1, None, {'port': 1}])
def test_connect_ex_takes_nothing_else(address: Any) -> None:
    with gnet.Socket() as sock:
        with pytest.raises(TypeError):
            sock.connect_ex(address)
        assert sock.pending


def test_detach_gives_up_a_connection_that_is_being_made(silent: Any) -> None:
    def read() -> None:
        with pytest.raises(OSError, match='Socket is closed'):
            sock.recv(1)

    sock = gnet.connect(silent[1], silent[0])
    reading = gevent.spawn(read)
    until(lambda: sock._wire.reader)
    assert sock.detach() == -1
    assert sock.destroyed
    reading.get(timeout=PATIENCE)


def test_a_path_that_is_no_name_of_a_file_is_einval() -> None:
    sock = gnet.connect('/tmp/\ud800')
    with pytest.raises(OSError, match='connect EINVAL'):
        sock.recv(1)


def test_an_exit_function_may_connect(run_script: Any) -> None:
    finished = run_script("""
        import atexit
        import gnet

        def last_words():
            print(gnet.Socket().connect_ex(('127.0.0.1', 1)))

        atexit.register(last_words)
    """)
    assert finished == (0, f'{errno.ECONNREFUSED}\n', '')


# --- zones ----------------------------------------------------------------------------------------


def test_link_local_addresses_have_their_zone() -> None:
    """As Node's (measured in a network namespace with fe80::5 on lo)."""
    number, name = socket.if_nameindex()[0]
    link_local = address_of(socket.AF_INET6, ('fe80::5', 80, 0, number))
    assert link_local == (f'fe80::5%{name}', 'IPv6', 80)
    other = address_of(socket.AF_INET6, ('2001:db8::5', 80, 0, number))
    assert other == ('2001:db8::5', 'IPv6', 80)
    gone = address_of(socket.AF_INET6, ('fe80::5', 80, 0, 2**31 - 2))
    assert gone == (f'fe80::5%{2**31 - 2}', 'IPv6', 80)
