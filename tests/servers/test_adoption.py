"""``listen`` on what listens already: sockets, descriptors, gevent's servers, other ``Server``s."""

from __future__ import annotations

import errno
import os
import socket
import ssl
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import gevent.server
import gevent.socket
import gevent.ssl
import pytest

import gnet

from ..harness.families import Family
from ..harness.listening import ended, failure_of, happens, listening
from ..harness.plain import PlainSocket
from ..harness.waiting import PATIENCE

Serve = Callable[..., gnet.Server]


def answer(sock: gnet.Socket) -> None:
    sock.end('from gnet')


def never(sock: Any, address: Any) -> None:
    raise AssertionError('the old server accepted')


def ask(connect: Any, target: Any) -> bytes:
    peer = connect(target)
    data: bytes = peer.recv_until_end()
    peer.close()
    return data


class Holder:
    """An object of somebody else's that has a descriptor."""

    def __init__(self, plain: Any) -> None:
        self.plain = plain
        self.closed = 0

    def fileno(self) -> int:
        return int(self.plain.fileno())

    def close(self) -> None:
        self.closed += 1
        self.plain.close()


@pytest.fixture
def plain(family: Family) -> Iterator[Any]:
    """A blocking listener of the standard library."""
    with family.listener() as listener:
        yield listener


# --- sockets ------------------------------------------------------------------------------------


@pytest.mark.parametrize('wrap', [
    lambda plain: plain, lambda plain: {'handle': plain}, lambda plain: {'_handle': plain}, Holder,
], ids=['itself', 'handle', '_handle', 'an object with fileno()'])
def test_a_listening_socket_serves_and_is_closed_with_the_server(
    serve: Serve, connect: Any, family: Family, plain: Any, wrap: Callable[[Any], Any],
) -> None:
    name = plain.getsockname()
    server = serve(answer)
    server.listen(wrap(plain))
    assert server.listening
    assert server._connection_key == '-1:null:-1'
    if family.path:
        assert server.address() is None
    else:
        assert server.address()[::2] == name[:2]
    # More clients than one wake-up accepts one by one: on a blocking listener the accept after the
    # last of them would stop everything.
    assert [ask(connect, name) for _ in range(3)] == [b'from gnet'] * 3
    server.close()
    ended(server)
    assert plain.fileno() == -1
    if family.path:
        assert os.path.exists(family.path)  # whoever bound it removes it


def test_a_socket_of_gevent(serve: Serve, connect: Any) -> None:
    listener = gevent.socket.socket()
    listener.bind(('127.0.0.1', 0))
    listener.listen(1)
    server = listening(serve(answer), listener)
    assert ask(connect, server) == b'from gnet'
    server.close()
    assert listener.closed
    ended(server)


def test_a_socket_that_is_bound_but_does_not_listen_yet(serve: Serve, connect: Any) -> None:
    with PlainSocket(socket.AF_INET) as plain:
        plain.bind(('127.0.0.1', 0))
        assert ask(connect, listening(serve(answer), plain)) == b'from gnet'


def test_a_blocking_listener_does_not_stall_the_hub(
    serve: Serve, connect: Any, plain: Any,
) -> None:
    assert plain.getblocking()
    server = listening(serve(answer), plain)
    name = plain.getsockname()
    peer = connect(name)
    # The connection is accepted; were the next accept to block, this timer would never fire.
    gevent.sleep(0.001)
    assert peer.recv_until_end() == b'from gnet'
    peer.close()
    server.close()
    ended(server)


def closed_socket() -> Any:
    plain = PlainSocket(socket.AF_INET)
    plain.close()
    return plain


def connected_socket() -> Any:
    left, right = socket.socketpair()
    right.close()
    return left


def datagram_socket() -> Any:
    return PlainSocket(socket.AF_INET, socket.SOCK_DGRAM)


def regular_file() -> Any:
    return open(os.devnull)


def closed_file() -> Any:
    with open(os.devnull) as file:
        return file


@pytest.mark.parametrize('make', [closed_socket, connected_socket, datagram_socket, regular_file,
                                  closed_file],
                         ids=lambda make: make.__name__)
def test_what_can_not_listen_is_an_error_event_and_stays_the_callers(
    serve: Serve, make: Callable[[], Any],
) -> None:
    given = make()
    server = serve()
    error = failure_of(server, given)
    assert (error.code, error.syscall, error.address) == ('EINVAL', 'listen', None)
    assert str(error) == 'listen EINVAL: invalid argument'
    assert not server.listening
    if make in (connected_socket, datagram_socket, regular_file):
        os.fstat(given.fileno())  # still open
    given.close()


def test_a_socket_with_tls_is_refused_because_it_would_be_lost(serve: Serve) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    wrapped = context.wrap_socket(PlainSocket(socket.AF_INET), server_side=True)
    with wrapped, pytest.raises(TypeError) as caught:
        serve().listen(wrapped)
    assert caught.value.code == 'ERR_INVALID_ARG_VALUE'  # type: ignore[attr-defined]


@pytest.mark.parametrize('make', [gnet.create_server, object, list])
def test_what_has_nothing_to_listen_on_raises(
    serve: Serve, make: Callable[[], Any],
) -> None:
    with pytest.raises(TypeError, match='must have the property "port" or "path"') as caught:
        serve().listen(make())
    assert caught.value.code == 'ERR_INVALID_ARG_VALUE'  # type: ignore[attr-defined]


# --- descriptors --------------------------------------------------------------------------------


@pytest.mark.parametrize('number', [int, float])
def test_a_descriptor_belongs_to_the_server_from_then_on(
    serve: Serve, connect: Any, family: Family, number: Callable[[int], Any],
) -> None:
    plain = family.listener()
    name = plain.getsockname()
    fd = plain.detach()
    server = listening(serve(answer), {'fd': number(fd)})
    assert server._connection_key == 'null:null:null'
    assert (server.address() is None) == (family.path is not None)
    assert ask(connect, name) == b'from gnet'
    server.close()
    ended(server)
    with pytest.raises(OSError, match='Bad file descriptor'):
        os.fstat(fd)


def test_a_descriptor_of_a_listener_of_this_process_is_eexist(serve: Serve) -> None:
    first = listening(serve(), 0)
    fd = first._handle.socket.fileno()
    error = failure_of(serve(), {'fd': fd})
    assert (error.code, error.errno) == ('EEXIST', errno.EEXIST)
    assert str(error) == 'listen EEXIST: file already exists'
    assert first.address() is not None


def test_a_descriptor_is_free_again_after_close(serve: Serve, family: Family) -> None:
    plain = family.listener()
    copy = os.dup(plain.fileno())
    fd = plain.detach()
    for _ in range(2):
        server = listening(serve(), {'fd': fd})
        server.close()
        ended(server)
        assert os.dup2(copy, fd) == fd
    os.close(fd)
    os.close(copy)


@pytest.mark.parametrize('fd', [1.5, 99999, 2**31, 2**40, 10**400, float('inf')], ids=str)
def test_a_number_that_is_no_descriptor_is_an_error_event(serve: Serve, fd: float) -> None:
    error = failure_of(serve(), {'fd': fd})
    assert (error.code, error.address, error.port) == ('EINVAL', None, None)
    assert str(error) == 'listen EINVAL: invalid argument'


@pytest.mark.parametrize('make', [regular_file, datagram_socket, connected_socket],
                         ids=lambda make: make.__name__)
def test_a_descriptor_that_can_not_listen_stays_the_callers(
    serve: Serve, make: Callable[[], Any],
) -> None:
    given = make()
    blocking = os.get_blocking(given.fileno())
    assert failure_of(serve(), {'fd': given.fileno()}).code == 'EINVAL'
    assert os.get_blocking(given.fileno()) is blocking
    given.close()


# --- gevent's servers ---------------------------------------------------------------------------


@pytest.fixture
def stream_server() -> Iterator[Any]:
    server = gevent.server.StreamServer(('127.0.0.1', 0), never, spawn=1)
    yield server
    server.stop()


@pytest.mark.parametrize('started', [False, True])
def test_a_stream_server_gives_its_connections_away(
    serve: Serve, connect: Any, stream_server: Any, started: bool,
) -> None:
    if started:
        stream_server.start()
    server = listening(serve(answer), stream_server)
    assert server.address()[::2] == stream_server.address
    assert [ask(connect, server) for _ in range(3)] == [b'from gnet'] * 3
    # Neither its start() nor a free place in its pool makes it accept again.
    stream_server.start()
    stream_server._start_accepting_if_started()
    assert [ask(connect, server) for _ in range(3)] == [b'from gnet'] * 3
    server.close()
    ended(server)
    assert stream_server.closed


def test_a_stream_server_of_a_socket(serve: Serve, connect: Any, plain: Any) -> None:
    name = plain.getsockname()
    server = listening(serve(answer), gevent.server.StreamServer(plain, never))
    assert ask(connect, name) == b'from gnet'
    server.close()
    ended(server)
    assert plain.fileno() == -1


# Where gevent fails to bind, it leaves its socket to the garbage collector.
@pytest.mark.filterwarnings('ignore::pytest.PytestUnraisableExceptionWarning')
def test_a_stream_server_whose_port_is_taken_is_an_error_event(serve: Serve) -> None:
    port = listening(serve(), 0, '127.0.0.1').address().port
    error = failure_of(serve(), gevent.server.StreamServer(('127.0.0.1', port), never))
    assert str(error) == f'listen EADDRINUSE: address already in use 127.0.0.1:{port}'


@pytest.mark.filterwarnings('ignore::pytest.PytestUnraisableExceptionWarning')
@pytest.mark.parametrize('host', ['no.such.invalid', 'a' * 70 + '.x'])
def test_a_stream_server_whose_host_is_unknown_is_an_error_event(serve: Serve, host: str) -> None:
    given = gevent.server.StreamServer((host, 0), never)
    assert failure_of(serve(), given).code == 'ENOTFOUND'


def test_a_stream_server_that_was_stopped_is_an_error_event(
    serve: Serve, stream_server: Any,
) -> None:
    stream_server.start()
    stream_server.stop()
    assert failure_of(serve(), stream_server).code == 'EINVAL'


def test_a_datagram_server_is_an_error_event(serve: Serve) -> None:
    given = gevent.server.DatagramServer(('127.0.0.1', 0), never)
    assert failure_of(serve(), given).code == 'EINVAL'
    given.stop()


def test_a_stream_server_with_tls_is_refused(serve: Serve) -> None:
    context = gevent.ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    given = gevent.server.StreamServer(('127.0.0.1', 0), never, ssl_context=context)
    with pytest.raises(TypeError, match='must not be one with TLS'):
        serve().listen(given)


# --- another gnet.Server ------------------------------------------------------------------------


def test_another_server_shares_its_listener_and_the_newer_gets_the_connections(
    serve: Serve, connect: Any, family: Family,
) -> None:
    old = listening(serve(lambda sock: sock.end('from the old')), family.listen_options)
    target = old.address()
    new = listening(serve(answer), old)
    assert new._handle is old._handle
    assert new._connection_key == '-1:null:-1'
    assert old._connection_key != '-1:null:-1'
    assert new.address() == (None if family.path else target)
    assert ask(connect, target) == b'from gnet'
    new.close()
    ended(new)
    assert old.listening
    if not family.path:
        with pytest.raises(OSError, match='address EBADF') as caught:
            old.address()
        assert caught.value.syscall == 'address'  # type: ignore[attr-defined]
    assert 'closed by another server' in repr(old)
    old.close()
    ended(old)


def test_the_old_server_closes_the_listener_of_the_new_one(serve: Serve) -> None:
    old = listening(serve(), 0)
    new = listening(serve(), {'handle': old._handle})
    old.close()
    ended(old)
    assert new.listening
    with pytest.raises(OSError, match='address EBADF'):
        new.address()
    new.close()
    ended(new)


def test_the_newer_server_decides_whether_the_program_is_kept_alive(serve: Serve) -> None:
    old = listening(serve(), 0)
    new = serve()
    new.unref()
    listening(new, old)
    assert not old._handle.has_ref()
    assert gnet.run(PATIENCE) is True


def test_a_listener_that_its_other_owner_closed_before_listening_emits_nothing(
    serve: Serve,
) -> None:
    old = listening(serve(), 0)
    new = serve()
    log: list[str] = []
    new.on('listening', lambda: log.append('listening'))
    new.listen(old)
    with happens(old, 'close'):
        old.close()
    assert log == []
