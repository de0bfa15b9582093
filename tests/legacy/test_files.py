"""What ``makefile`` returns lives, and ends, as gevent's does: each test runs on both."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import gevent.socket
import pytest

import gnet
from gnet.testing import Listener, Peer

from ..harness.plain import PlainSocket
from ..harness.waiting import PATIENCE

Joined = tuple[Any, Peer]


@pytest.fixture(params=['gevent', 'gnet'])
def joined(
    request: pytest.FixtureRequest, gnet_listener: Callable[..., Listener],
) -> Iterator[Joined]:
    """A client, and its plain peer."""
    listener = gnet_listener()
    client: Any
    if request.param == 'gevent':
        client = gevent.socket.create_connection(listener.address())
    else:
        client = gnet.connect(listener.port, '127.0.0.1')
        gnet.once(client, 'ready', timeout=PATIENCE)
    client.settimeout(PATIENCE)
    with listener.accept() as peer:
        yield client, peer
        client.close()


def is_gone(call: Callable[[], object]) -> bool:
    """Whether the call fails for there is no descriptor any more."""
    try:
        call()
    except OSError as error:
        return error.errno == errno.EBADF
    return False


def test_a_socket_is_closed_when_its_last_file_is(joined: Joined) -> None:
    client, peer = joined
    reading, writing = client.makefile('rb'), client.makefile('wb')
    client.close()
    peer.sendall(b'line\n')
    assert reading.readline() == b'line\n'
    reading.close()
    assert client.fileno() > 0
    writing.write(b'answer')
    writing.close()
    assert client.fileno() == -1
    assert peer.recv_until_end() == b'answer'
    assert is_gone(client.getpeername)
    assert is_gone(lambda: client.makefile('rb').read())


def test_a_closed_file_leaves_its_socket_open(joined: Joined) -> None:
    client, peer = joined
    file = client.makefile('rb')
    file.close()
    file.close()
    client.sendall(b'x')
    assert peer.recv_exactly(1) == b'x'
    client.close()
    assert peer.recv_until_end() == b''


def test_a_socket_that_is_left_open_by_with_has_a_file(joined: Joined) -> None:
    client, peer = joined
    with client:
        file = client.makefile('rwb')
    file.write(b'question\n')
    file.flush()
    assert peer.recv_exactly(9) == b'question\n'
    peer.sendall(b'answer\n')
    assert file.readline() == b'answer\n'
    file.close()
    assert peer.recv_until_end() == b''


def test_a_forgotten_file_is_flushed_and_closes_the_socket(joined: Joined) -> None:
    client, peer = joined
    file = client.makefile('wb')
    file.write(b'buffered')
    client.close()
    del file
    assert peer.recv_until_end() == b'buffered'


def test_a_reader_that_is_blocked_goes_on_after_the_close(joined: Joined) -> None:
    client, peer = joined
    file = client.makefile('rb')
    reading = gevent.spawn(file.readline)
    gevent.idle()
    client.close()
    peer.sendall(b'late\n')
    assert reading.get(timeout=PATIENCE) == b'late\n'
    file.close()
    assert peer.recv_until_end() == b''


def test_a_file_of_a_detached_socket_is_of_no_use(joined: Joined) -> None:
    client, peer = joined
    file = client.makefile('rb')
    number = client.detach()
    assert is_gone(file.readline)
    PlainSocket(fileno=number).close()
    assert peer.recv_until_end() == b''
    file.close()


def test_a_raw_file_says_what_it_is(joined: Joined) -> None:
    client, _ = joined
    file = client.makefile('rb', 0)
    assert (file.readable(), file.writable(), file.seekable()) == (True, False, False)
    assert file.fileno() == file.name == client.fileno()
    file.close()
    assert file.name == -1
    with pytest.raises(ValueError, match='closed'):
        file.fileno()
