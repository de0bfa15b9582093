"""The kit: what it opens is closed, and what was left or has failed fails the test."""

from __future__ import annotations

import re
import unittest
from collections.abc import Callable
from typing import Any

import gevent
import pytest
from gevent.event import Event

import gnet
import gnet.tls
from gnet.testing import Kit, check_leaks, connected_pair, listening

from ..harness.dispensed import Dispensed
from ..harness.families import has_ipv6


def echo(sock: gnet.Socket) -> None:
    for chunk in sock:
        sock.sendall(chunk)


# --- servers and clients --------------------------------------------------------------------------


def test_a_server_and_its_client() -> None:
    with check_leaks(), Kit() as kit:
        server = kit.server(echo)
        sock = kit.client(server)
        sock.sendall(b'hello')
        assert sock.recv(5) == b'hello'
        port = server.address().port
        kit.peer(port).sendall(b'from a plain one')
    assert sock.destroyed
    assert not server.listening


def test_a_server_that_was_made_already_and_a_unix_socket(tmp_path_factory: Any) -> None:
    path = str(tmp_path_factory.mktemp('u') / 's')
    with Kit() as kit:
        server = kit.server(gnet.create_server(echo), path=path)
        assert server.address() == path
        sock = kit.client(server)
        sock.sendall(b'hello')
        assert sock.recv(5) == b'hello'
        with pytest.raises(TypeError, match='where it is made'):
            kit.server(gnet.create_server(), no_delay=True)


def test_options_go_to_the_server_and_a_wrong_one_is_an_error() -> None:
    with Kit() as kit:
        assert kit.server(echo, ipv4_prefix=24).ipv4_prefix == 24
        with pytest.raises(TypeError, match='read_timeout'):
            kit.server(echo, read_timout=5000)
        taken = kit.server().address().port
        with pytest.raises(OSError, match='EADDRINUSE'):
            kit.server(port=taken)
        with pytest.raises(OSError, match='ECONNREFUSED'):
            kit.client(unused_port())


def unused_port() -> int:
    with listening() as server:
        port: int = server.address().port
    return port


def test_what_a_test_leaves_open_is_told_with_where_it_waits() -> None:
    begun, stuck = Event(), Event()

    def handler(sock: gnet.Socket) -> None:
        begun.set()
        stuck.wait()

    kit = Kit()
    server = kit.server(handler, grace=0.01)
    sock = kit.client(server)
    begun.wait()  # the kernel accepts sooner than the server
    with pytest.raises(AssertionError) as left:
        kit.close()
    kit.close()
    assert sock.destroyed
    [first, *lines] = str(left.value).splitlines()
    assert first == 'connections were left open, and cut:'
    assert [line for line in lines if f'127.0.0.1:{sock.local_port or ""}' in line]
    assert [line for line in lines if re.search(r'handler.*test_kit\.py:\d+', line)]
    stuck.set()


def test_a_client_of_its_own_that_the_test_forgets_is_told() -> None:
    listens = listening(lambda sock: None, grace=0.01)
    with listens as server, gnet.connect(server.address().port) as sock:
        gnet.once(sock, 'connect')
        with pytest.raises(AssertionError, match='left open by the test'):
            listens.close()


def test_an_assertion_in_the_block_is_not_hidden_by_what_is_left() -> None:
    stuck = Event()

    def fail() -> None:
        with Kit() as kit:
            kit.client(kit.server(lambda sock: stuck.wait(), grace=0.01))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    stuck.set()


# --- failures -------------------------------------------------------------------------------------


def test_a_handler_that_raises_fails_the_test(hub_reports: list[Any]) -> None:
    def handler(sock: gnet.Socket) -> None:
        raise KeyError('a bug')

    kit = Kit()
    sock = kit.client(kit.server(handler))
    assert sock.recv(1) == b''
    with pytest.raises(AssertionError, match="KeyError\\('a bug'\\)"):
        kit.close()
    assert len(hub_reports) == 1


def test_a_failure_that_is_meant_to_happen_is_taken(hub_reports: list[Any]) -> None:
    with Kit() as kit:
        gevent.spawn(int, 'no number')
        [error] = kit.take_failures()
        assert isinstance(error, ValueError)
    assert len(hub_reports) == 1


@pytest.mark.parametrize('is_outer_first', [False, True])
def test_a_failure_is_told_to_the_newest_kit_alone(
    is_outer_first: bool, hub_reports: list[Any],
) -> None:
    hub = gevent.get_hub()
    before = hub.print_exception
    outer, inner = kits = Kit(), Kit()
    gevent.spawn(int, 'no number')
    assert len(inner.take_failures()) == 1
    assert outer.take_failures() == []
    assert len(hub_reports) == 1
    first, last = kits if is_outer_first else reversed(kits)
    first.close()
    gevent.spawn(int, 'no number')
    assert len(last.take_failures()) == 1
    last.close()
    assert hub.print_exception == before


# --- pairs ----------------------------------------------------------------------------------------


@pytest.mark.parametrize('family', ['ipv4', 'ipv6', 'unix'])
def test_a_connected_pair(family: str) -> None:
    if family == 'ipv6' and not has_ipv6():
        pytest.skip('this machine has no IPv6 loopback address (::1)')
    with check_leaks(), Kit() as kit:
        left, right = kit.connected_pair(family, encoding='utf-8')
        assert left.remote_port == right.local_port
        events = kit.recorder(right, 'data', 'end')
        left.end('é')
        events.expect(('data', 'é'), 'end')


def test_a_family_that_there_is_not() -> None:
    with pytest.raises(gnet.CodedTypeError, match='family'), connected_pair('ipx'):
        pass


@pytest.mark.parametrize('in_memory', [True, False])
def test_tls_over_a_pair(in_memory: bool, tls_contexts: Any) -> None:
    server_context, client_context = tls_contexts
    with Kit() as kit:
        left, right = kit.memory_pair() if in_memory else kit.connected_pair()
        serving = gevent.spawn(right.start_tls, server_context, server_side=True)
        secure = left.start_tls(client_context, server_hostname='localhost')
        other = serving.get(timeout=5)
        secure.sendall(b'secret')
        assert other.recv(6) == b'secret'
        secure.end()
        assert other.recv(1) == b''
        secure.destroy()
        other.destroy()


def test_a_tls_server_and_its_client(tls_contexts: Any) -> None:
    server_context, client_context = tls_contexts
    with Kit() as kit:
        server = kit.server(echo, ssl_context=server_context)
        sock = kit.client(
            server, connect=gnet.tls.connect, secure_context=client_context, servername='localhost')
        sock.sendall(b'hello')
        assert sock.recv(5) == b'hello'


def test_time_stands_still_for_real_sockets_too() -> None:
    with Kit() as kit:
        clock = kit.clock()
        sock = kit.client(kit.server(echo, read_timeout=3_600_000))
        events = kit.recorder(sock, 'end', 'close')
        clock.advance(2 * 3600)
        events.expect('end', 'close')
        assert kit.take_failures() == []


# --- unittest -------------------------------------------------------------------------------------


class _EchoTest(unittest.TestCase):
    __test__ = False  # for pytest

    stuck = Event()

    def setUp(self) -> None:
        self.kit = Kit()
        self.addCleanup(self.kit.close)

    def test_echo(self) -> None:
        sock = self.kit.client(self.kit.server(echo))
        sock.sendall(b'hello')
        self.assertEqual(sock.recv(5), b'hello')  # noqa: PT009 - it is unittest

    def test_left_open(self) -> None:
        self.kit.client(self.kit.server(lambda sock: self.stuck.wait(), grace=0.01))


def test_it_serves_unittest() -> None:
    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(_EchoTest).run(result)
    assert result.testsRun == 2
    [(test, text)] = result.failures
    assert test.id().endswith('test_left_open')
    assert 'connections were left open' in text
    _EchoTest.stuck.set()


# --- leaks ----------------------------------------------------------------------------------------


def wait_for_ever() -> None:
    Event().wait()


def test_what_lingers_was_closed_and_is_no_leak() -> None:
    with check_leaks():
        lingers = Dispensed()
        assert lingers.number is not None
    assert lingers.number is None


@pytest.mark.parametrize(('leave', 'told'), [
    (lambda: gnet.create_server().listen(0), 'descriptor .*AF_INET'),
    (lambda: gevent.spawn(wait_for_ever), r'greenlet: .*wait_for_ever, .*test_kit\.py:\d+'),
])
def test_a_leak_is_told(leave: Callable[[], Any], told: str) -> None:
    checking = check_leaks()
    checking.__enter__()
    left = leave()
    gevent.sleep(0)
    with pytest.raises(AssertionError, match=told):
        checking.__exit__(None, None, None)
    (left.kill if hasattr(left, 'kill') else left.close)()
