"""``listen`` on a host: which address is chosen, and what happens while a name is looked up."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from typing import Any

import gevent
import pytest
from gevent.event import Event

import gnet
from gnet.servers import listener as binding

from ..harness.families import has_ipv6
from ..harness.listening import ended, failure_of, happens, listening, trace
from ..harness.plain import PlainSocket
from ..harness.waiting import PATIENCE

Serve = Callable[..., gnet.Server]

needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason='no IPv6 loopback address (::1)')


def resolve_to(patch: pytest.MonkeyPatch, *addresses: str) -> None:
    """Let every name have these addresses."""
    def getaddrinfo(host: Any, port: Any, *_args: Any) -> list[Any]:
        return [(socket.AF_INET6 if ':' in address else socket.AF_INET, socket.SOCK_STREAM, 6, '',
                 (address, 0)) for address in addresses]

    patch.setattr('gevent.socket.getaddrinfo', getaddrinfo)


@pytest.mark.parametrize(('host', 'address', 'key'), [
    ('127.0.0.1', '127.0.0.1', '4:127.0.0.1:0'), ('0.0.0.0', '0.0.0.0', '4:0.0.0.0:0'),
    ('127.1', '127.0.0.1', '4:127.0.0.1:0'),
    pytest.param('::1', '::1', '6:::1:0', marks=needs_ipv6),
    pytest.param('::', '::', '6::::0', marks=needs_ipv6),
    pytest.param('::1%lo', '::1', '6:::1%lo:0', marks=needs_ipv6),
    pytest.param('::1%1', '::1', '6:::1%1:0', marks=needs_ipv6),
    pytest.param('::1%nosuch', '::1', '6:::1%nosuch:0', marks=needs_ipv6),
    pytest.param('::ffff:127.0.0.1', '::ffff:127.0.0.1', '6:::ffff:127.0.0.1:0', marks=needs_ipv6),
])
def test_the_address_and_the_key_of_a_host(
    serve: Serve, host: str, address: str, key: str,
) -> None:
    server = listening(serve(), 0, host)
    assert server.address().address == address
    assert server.address().family == ('IPv6' if ':' in address else 'IPv4')
    assert server._connection_key == key


def test_a_name_is_looked_up(serve: Serve, connect: Any) -> None:
    server = listening(serve(lambda sock: sock.end('hello')), 0, 'localhost')
    assert server.address().address in ('127.0.0.1', '::1')
    assert connect(server).recv_until_end() == b'hello'


@pytest.mark.parametrize('host', ['no.such.invalid', '[::1]', ' ', 'a' * 70 + '.x'])
def test_a_name_that_is_not_found_is_an_error_event(serve: Serve, host: str) -> None:
    error = failure_of(serve(), 0, host)
    assert isinstance(error, socket.gaierror)
    assert (error.code, error.syscall, error.hostname) == ('ENOTFOUND', 'getaddrinfo', host)
    assert str(error) == f'getaddrinfo ENOTFOUND {host}'


@pytest.mark.parametrize(('raised', 'code'), [
    (RuntimeError("can't start new thread"), 'EAI_AGAIN'),
    (OSError(errno.EMFILE, 'Too many open files'), 'EMFILE'),
    (KeyError('a mistake in the resolver'), 'EAI_FAIL'),
])
def test_a_resolver_that_breaks_is_an_error_event(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, raised: Exception, code: str,
) -> None:
    def broken(*_args: Any) -> Any:
        raise raised

    monkeypatch.setattr('gevent.socket.getaddrinfo', broken)
    server = serve()
    error = failure_of(server, 0, 'some.name')
    assert (error.code, error.syscall, error.hostname) == (code, 'getaddrinfo', 'some.name')
    assert str(error) == f'getaddrinfo {code} some.name'
    assert not server.listening
    listening(server, 0, '127.0.0.1')  # it may listen again


def test_a_resolver_without_an_answer_is_an_error_event(
    serve: Serve, monkeypatch: pytest.MonkeyPatch,
) -> None:
    resolve_to(monkeypatch)  # in Node, an empty list is a TypeError that nobody can catch
    assert failure_of(serve(), 0, 'some.name').code == 'ENOTFOUND'


@pytest.mark.parametrize(('found', 'address'), [
    (['fe80::1', '127.0.0.1'], '127.0.0.1'), (['FE80::1%lo', 'febf::1', '127.0.0.2'], '127.0.0.2'),
    (['127.0.0.3', '127.0.0.1'], '127.0.0.3'),
])
def test_a_link_local_address_is_passed_over(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, found: list[str], address: str,
) -> None:
    resolve_to(monkeypatch, *found)
    assert listening(serve(), 0, 'some.name').address().address == address


@needs_ipv6
@pytest.mark.parametrize(('found', 'code'), [
    (['fe80::1', 'fe80::2'], 'EINVAL'), (['fe80::1%lo'], 'EADDRNOTAVAIL'),
    (['fe80::1%nosuch'], 'EINVAL'), (['fe80::1%99999999999'], 'EINVAL'),
])
def test_of_link_local_addresses_alone_the_first_is_tried(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, found: list[str], code: str,
) -> None:
    resolve_to(monkeypatch, *found)
    error = failure_of(serve(), 0, 'some.name')
    assert (error.code, error.address, error.port) == (code, found[0], None)


@pytest.mark.parametrize(('host', 'port', 'code', 'shown'), [
    ('8.8.8.8', 8089, 'EADDRNOTAVAIL', '8.8.8.8:8089'), ('8.8.8.8', 0, 'EADDRNOTAVAIL', '8.8.8.8'),
    pytest.param('2001:db8::1', 8089, 'EADDRNOTAVAIL', '2001:db8::1:8089', marks=needs_ipv6),
    pytest.param('fe80::1', 0, 'EINVAL', 'fe80::1', marks=needs_ipv6),
])
def test_an_address_that_is_not_ours(
    serve: Serve, host: str, port: int, code: str, shown: str,
) -> None:
    error = failure_of(serve(), port, host)
    texts = {'EADDRNOTAVAIL': 'address not available', 'EINVAL': 'invalid argument'}
    assert str(error) == f'listen {code}: {texts[code]} {shown}'
    assert (error.code, error.errno, error.port) == (code, getattr(errno, code), port or None)


# --- both families ------------------------------------------------------------------------------


@needs_ipv6
def test_without_a_host_it_serves_ipv4_and_ipv6(serve: Serve, connect: Any) -> None:
    server = listening(serve(lambda sock: sock.end(f'{sock.remote_address} {sock.remote_family}')),
                       0)
    port = server.address().port
    assert connect(('127.0.0.1', port)).recv_until_end() == b'::ffff:127.0.0.1 IPv6'
    assert connect(('::1', port)).recv_until_end() == b'::1 IPv6'


@needs_ipv6
@pytest.mark.parametrize('host', [None, '::'])
def test_ipv6_only_leaves_ipv4_to_others(serve: Serve, host: str | None) -> None:
    # In this order: the kernel then chooses a port that nobody has on any address of IPv4.
    other = listening(serve(), 0, '0.0.0.0')
    server = listening(
        serve(), {'port': other.address().port, 'host': host, 'ipv6Only': True})
    assert server.address().address == '::'


@needs_ipv6
def test_only_true_is_true_for_ipv6_only(serve: Serve, connect: Any) -> None:
    server = listening(serve(lambda sock: sock.end('hello')), {'port': 0, 'ipv6Only': 1})
    assert connect(('127.0.0.1', server.address().port)).recv_until_end() == b'hello'


def test_ipv6_only_means_nothing_with_an_ipv4_host(serve: Serve) -> None:
    server = listening(serve(), {'port': 0, 'host': '127.0.0.1', 'ipv6Only': True})
    assert server.address().address == '127.0.0.1'


@pytest.mark.parametrize('number', [errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL])
def test_where_ipv6_can_not_be_bound_it_is_all_of_ipv4(
    serve: Serve, connect: Any, monkeypatch: pytest.MonkeyPatch, number: int,
) -> None:
    class NoIPv6(binding._Socket):  # type: ignore[misc, name-defined]
        def bind(self, address: Any) -> None:
            if self.family == socket.AF_INET6:
                raise OSError(number, 'no IPv6 here')
            super().bind(address)

    monkeypatch.setattr(binding, '_Socket', NoIPv6)
    server = listening(serve(lambda sock: sock.end('hello')), 0)
    assert server.address().address == '0.0.0.0'
    assert server._connection_key == '4:0.0.0.0:0'
    assert connect(server).recv_until_end() == b'hello'


def test_what_ipv4_says_then_is_the_error(
    serve: Serve, monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Forbidden(binding._Socket):  # type: ignore[misc, name-defined]
        def bind(self, address: Any) -> None:
            raise OSError(errno.EACCES, 'privileged port')

    monkeypatch.setattr(binding, '_Socket', Forbidden)
    error = failure_of(serve(), 42)
    assert str(error) == 'listen EACCES: permission denied 0.0.0.0:42'
    assert isinstance(error, PermissionError)


# --- ports --------------------------------------------------------------------------------------


def test_a_port_can_be_taken_again_at_once(serve: Serve, connect: Any) -> None:
    server = listening(serve(lambda sock: sock.end('bye')))
    port = server.address().port
    peer = connect(server)
    assert peer.recv_until_end() == b'bye'
    peer.close()  # the server, which ended first, is in TIME_WAIT now
    server.close()
    ended(server)
    assert listening(server, port, '127.0.0.1').address().port == port


@pytest.mark.parametrize(('first', 'second', 'code'), [
    (True, True, None), (True, False, 'EADDRINUSE'), (False, True, 'EADDRINUSE'),
])
def test_both_must_ask_for_reuse_port(
    serve: Serve, first: bool, second: bool, code: str | None,
) -> None:
    options = {'host': '127.0.0.1', 'reusePort': first, 'port': 0}
    port = listening(serve(), options).address().port
    server = serve()
    log = trace(server)
    event = 'error' if code else 'listening'
    with happens(server, event):
        server.listen({**options, 'port': port, 'reusePort': second})
    assert log == [code or 'listening']


# --- while a name is looked up ------------------------------------------------------------------


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Event:
    """A resolver that answers 127.0.0.1 when the event is set."""
    answer = Event()

    def getaddrinfo(host: Any, port: Any, *_args: Any) -> list[Any]:
        answer.wait()
        if host == 'bad':
            raise socket.gaierror(socket.EAI_NONAME, 'no such name')
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, '', ('127.0.0.1', 0))]

    monkeypatch.setattr('gevent.socket.getaddrinfo', getaddrinfo)
    return answer


def test_nothing_waits_for_a_look_up(serve: Serve, connect: Any, resolver: Event) -> None:
    slow = serve()
    log = trace(slow)
    slow.listen(0, 'name')
    other = listening(serve(lambda sock: sock.end('hello')))
    assert connect(other).recv_until_end() == b'hello'
    assert (log, slow.listening, slow.address()) == ([], False, None)
    with happens(slow, 'listening'):
        resolver.set()
    assert slow.listening


@pytest.mark.parametrize('name', ['name', 'bad'])
def test_a_look_up_that_ends_after_close_is_forgotten(
    serve: Serve, resolver: Event, name: str,
) -> None:
    server = serve()
    log = trace(server)
    server.listen(0, name)
    gevent.idle()
    with happens(server, 'close'):
        server.close(lambda error: log.append(error.code))
    resolver.set()
    gevent.idle()
    assert log == ['close', 'ERR_SERVER_NOT_RUNNING']
    assert server._handle is None


def test_a_look_up_that_ends_after_another_listen_is_forgotten(
    serve: Serve, resolver: Event,
) -> None:
    server = serve()
    log = trace(server)
    server.listen(0, 'name')
    gevent.idle()
    with happens(server, 'listening'):
        server.listen(0, '127.0.0.2')
    resolver.set()
    gevent.idle()
    assert (log, server.address().address) == (['listening'], '127.0.0.2')


def test_the_hub_goes_on_during_a_real_look_up(serve: Serve) -> None:
    # In the thread pool, patched or not: getaddrinfo(3) itself would block.
    server = serve()
    server.listen(0, 'localhost')
    assert not server.listening
    gnet.once(server, 'listening', timeout=PATIENCE)


def test_a_taken_port_on_a_name_reports_the_address(serve: Serve, resolver: Event) -> None:
    resolver.set()
    with PlainSocket(socket.AF_INET) as plain:
        plain.bind(('127.0.0.1', 0))
        plain.listen(1)
        port = plain.getsockname()[1]
        error = failure_of(serve(), port, 'name')
    assert str(error) == f'listen EADDRINUSE: address already in use 127.0.0.1:{port}'
