"""``connect((host, port))``, ``connect_ex``, and blocking calls that wait for a connection."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import pytest

import gnet
from gnet.testing import EventRecorder

from ..harness.connections import code, connected, target_of
from ..harness.families import Family, has_ipv6
from ..harness.plain import PlainSocket
from ..harness.waiting import PATIENCE, until

Serve = Callable[..., gnet.Server]
Listen = Callable[..., PlainSocket]


@pytest.fixture(params=['ipv4', 'ipv6'])
def host(request: pytest.FixtureRequest) -> Family:
    """IPv4 and IPv6 in turn."""
    if request.param == 'ipv4':
        return Family('ipv4', host='127.0.0.1')
    if not has_ipv6():
        pytest.skip('this machine has no IPv6 loopback address (::1)')
    return Family('ipv6', host='::1')


@pytest.fixture
def sock() -> Iterator[Any]:
    """A socket that has no connection yet, and waits for a limited time."""
    made = gnet.Socket()
    made.settimeout(PATIENCE)
    yield made
    made.destroy()


@pytest.fixture
def nobody(plain_listener: Listen) -> Any:
    """An address at which nobody listens."""
    listener = plain_listener()
    name = listener.getsockname()
    listener.close()
    return name


def attempt(sock: Any, address: Any) -> Any:
    """Connect in both forms the same way: the number of the error, 0 for success."""
    try:
        return sock.connect(address) or 0
    except socket.timeout:
        return errno.EAGAIN
    except OSError as error:
        return error.errno


FORMS = pytest.mark.parametrize(
    'form', [attempt, lambda sock, address: sock.connect_ex(address)],
    ids=['connect', 'connect_ex'])


@FORMS
def test_it_returns_when_connected(
    plain_listener: Listen, sock: Any, host: Family, form: Any,
) -> None:
    listener = plain_listener(host)
    assert form(sock, listener.getsockname()) == 0  # of four items, for IPv6
    assert sock.ready_state == 'open'
    assert sock.getpeername() == listener.getsockname()
    sock.sendall(b'there')
    accepted, _ = listener.accept()
    with accepted:
        assert accepted.recv(10) == b'there'
        accepted.sendall(b'back')
        assert sock.recv(10) == b'back'


def test_connect_in_this_form_returns_none_and_emits_the_same_events(
    plain_listener: Listen, sock: Any,
) -> None:
    events = EventRecorder(sock, 'connect', 'ready')
    assert sock.connect(plain_listener().getsockname()) is None
    events.expect(('connect',), ('ready',))


@FORMS
def test_names_are_looked_up(plain_listener: Listen, sock: Any, form: Any) -> None:
    port = plain_listener().getsockname()[1]
    assert form(sock, ('localhost', port)) == 0
    assert sock.remote_port == port


@pytest.mark.parametrize('name', ['connect', 'connect_ex'])
def test_a_name_that_does_not_exist_raises_in_both_forms(sock: Any, name: str) -> None:
    with pytest.raises(socket.gaierror) as caught:
        getattr(sock, name)(('no.such.invalid', 80))
    assert code(caught.value) in ('ENOTFOUND', 'EAI_AGAIN')


@FORMS
def test_nobody_listens(sock: Any, nobody: Any, form: Any) -> None:
    assert form(sock, nobody) == errno.ECONNREFUSED
    assert sock.destroyed


def test_the_error_says_who_refused(sock: Any, nobody: Any) -> None:
    with pytest.raises(ConnectionRefusedError) as caught:
        sock.connect(nobody)
    assert str(caught.value) == f'connect ECONNREFUSED {nobody[0]}:{nobody[1]}'


@FORMS
def test_nobody_answers_in_time(sock: Any, silent: Any, form: Any) -> None:
    sock.settimeout(0.05)
    assert form(sock, silent) == errno.EAGAIN
    assert sock.destroyed


def test_a_timeout_is_that_of_the_standard_library(sock: Any, silent: Any) -> None:
    sock.settimeout(0.05)
    with pytest.raises(socket.timeout, match='timed out'):
        sock.connect(silent)


@FORMS
def test_without_waiting_it_is_in_progress(
    plain_listener: Listen, sock: Any, form: Any,
) -> None:
    name = plain_listener().getsockname()
    sock.settimeout(0)
    assert form(sock, name) == errno.EINPROGRESS
    assert form(sock, name) == errno.EALREADY
    until(lambda: sock.ready_state == 'open')
    assert form(sock, name) == errno.EISCONN
    assert sock.ready_state == 'open'


def test_in_progress_is_an_error_of_its_own_class(plain_listener: Listen, sock: Any) -> None:
    sock.setblocking(False)
    with pytest.raises(BlockingIOError):
        sock.connect(plain_listener().getsockname())
    sock.setblocking(True)
    sock.sendall(b'waits')  # until it is there
    assert sock.ready_state == 'open'


@FORMS
def test_a_connection_is_kept(plain_listener: Listen, sock: Any, form: Any) -> None:
    first, second = plain_listener(), plain_listener()
    sock.connect(first.getsockname())
    assert form(sock, second.getsockname()) == errno.EISCONN
    assert sock.getpeername() == first.getsockname()


@FORMS
def test_it_may_be_tried_again(
    plain_listener: Listen, sock: Any, nobody: Any, form: Any,
) -> None:
    assert [form(sock, nobody), form(sock, nobody)] == [errno.ECONNREFUSED] * 2
    listener = plain_listener()
    assert form(sock, listener.getsockname()) == 0
    sock.sendall(b'x')
    accepted, _ = listener.accept()
    with accepted:
        assert accepted.recv(10) == b'x'


def test_it_may_be_tried_again_after_a_timeout(
    plain_listener: Listen, sock: Any, silent: Any,
) -> None:
    sock.settimeout(0.05)
    assert sock.connect_ex(silent) == errno.EAGAIN
    sock.settimeout(PATIENCE)
    assert sock.connect_ex(plain_listener().getsockname()) == 0


@pytest.mark.parametrize('address', [(), ('127.0.0.1',)])
def test_an_address_has_a_host_and_a_port(sock: Any, address: Any) -> None:
    with pytest.raises(TypeError) as caught:
        sock.connect(address)
    assert code(caught.value) == 'ERR_MISSING_ARGS'


# --- blocking calls while the connection is being made ------------------------------------------


def into(sock: Any) -> bytes:
    buffer = bytearray(10)
    size = sock.recv_into(buffer)
    return bytes(buffer[:size])


def line(sock: Any) -> bytes:
    with sock.makefile('rb') as file:
        read: bytes = file.readline()
        return read


def piece(sock: Any) -> bytes:
    for chunk in sock:
        return bytes(chunk)
    raise AssertionError('nothing came')


READS = pytest.mark.parametrize('read', [
    lambda sock: sock.recv(10), into, line, piece], ids=['recv', 'recv_into', 'makefile', 'for'])
WRITES = pytest.mark.parametrize('write', [
    lambda sock: sock.sendall(b'hello\n'), lambda sock: sock.send(b'hello\n')],
    ids=['sendall', 'send'])
LIMITS = pytest.mark.parametrize('seconds', [None, PATIENCE])


@READS
@LIMITS
def test_reading_waits_for_the_connection(
    plain_listener: Listen, family: Family, read: Any, seconds: Any,
) -> None:
    listener = plain_listener(family)
    with gnet.connect(**target_of(listener)) as sock:
        sock.settimeout(seconds)
        reading = gevent.spawn(read, sock)
        until(lambda: sock.ready_state == 'open')
        accepted, _ = listener.accept()
        with accepted:
            accepted.sendall(b'hello\n')
            assert reading.get(timeout=PATIENCE) == b'hello\n'


@WRITES
@LIMITS
def test_writing_waits_for_the_connection(
    plain_listener: Listen, family: Family, write: Any, seconds: Any,
) -> None:
    listener = plain_listener(family)
    with gnet.connect(**target_of(listener)) as sock:
        sock.settimeout(seconds)
        write(sock)
        assert sock.ready_state == 'open'
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.recv(10) == b'hello\n'


@READS
@LIMITS
def test_reading_raises_why_there_is_no_connection(nobody: Any, read: Any, seconds: Any) -> None:
    sock = gnet.connect(nobody[1], nobody[0])
    sock.settimeout(seconds)
    for _ in range(2):
        with pytest.raises(ConnectionRefusedError):
            read(sock)


@WRITES
@LIMITS
def test_writing_raises_why_there_is_no_connection(nobody: Any, write: Any, seconds: Any) -> None:
    sock = gnet.connect(nobody[1], nobody[0])
    sock.settimeout(seconds)
    for _ in range(2):
        with pytest.raises(ConnectionRefusedError):
            write(sock)


@pytest.mark.parametrize('wait', [
    lambda sock: sock.recv(10), into, line, piece, lambda sock: sock.sendall(b'x'),
    lambda sock: sock.sendall(b''), lambda sock: sock.to_socket(),
], ids=['recv', 'recv_into', 'makefile', 'for', 'sendall', 'sendall nothing', 'to_socket'])
def test_the_time_of_settimeout_counts_for_the_connection_too(silent: Any, wait: Any) -> None:
    sock = gnet.connect(silent[1], silent[0])
    sock.settimeout(0.05)
    with pytest.raises(socket.timeout):
        wait(sock)
    assert sock.connecting
    sock.destroy()


@pytest.mark.parametrize('wait', [lambda sock: sock.recv(10), lambda sock: sock.sendall(b'x')])
def test_without_waiting_there_is_nothing_yet(silent: Any, wait: Any) -> None:
    sock = gnet.connect(silent[1], silent[0])
    sock.settimeout(0)
    with pytest.raises(BlockingIOError):
        wait(sock)
    sock.destroy()


# --- after a close ------------------------------------------------------------------------------


def test_a_blocking_connect_waits_for_close_also_when_a_listener_of_that_raises(
    serve: Serve, hub_reports: list[Any],
) -> None:
    def fail(had_error: bool) -> None:
        raise LookupError('on purpose')

    server = serve(lambda sock: sock.resume())
    sock = connected(server).sock
    gnet.once(sock, 'connect', timeout=PATIENCE)
    sock.once('close', fail)
    sock.destroy()
    with gevent.Timeout(PATIENCE):
        sock.connect(('127.0.0.1', server.address().port))
    assert sock.ready_state == 'open'
    assert [type(error) for context, error in hub_reports] == [LookupError]
    sock.destroy()
    gnet.once(sock, 'close', timeout=PATIENCE)
