"""``listen(systemd=…)``: on what was opened before the program was started."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import gnet
from gnet.systemd import activation

from ..harness.authority import NAMES, authority
from ..harness.families import Family
from ..harness.listening import ended, failure_of, listening
from ..harness.plain import PlainSocket
from ..harness.service_manager import FIRST
from ..harness.tls_peers import TlsPeer, client_context

PassSockets = Callable[..., None]


def answer(sock: gnet.Socket) -> None:
    sock.end('from gnet')


def ask(connect: Any, target: Any) -> bytes:
    peer = connect(target)
    data: bytes = peer.recv_until_end()
    peer.close()
    return data


@pytest.fixture
def listener(family: Family) -> Iterator[PlainSocket]:
    with family.listener() as plain:
        yield plain


@pytest.fixture
def loopback() -> Iterator[PlainSocket]:
    with Family('ipv4', host='127.0.0.1').listener() as plain:
        yield plain


# --- what there is --------------------------------------------------------------------------------


def test_a_server_listens_on_the_one_socket_there_is(
    listener: PlainSocket, family: Family, pass_sockets: PassSockets, connect: Any,
) -> None:
    pass_sockets(listener)
    server = listening(gnet.create_server(answer), systemd=True)
    address = server.address()
    assert (address if family.path else tuple(address)[::2]) == (
        family.path or listener.getsockname()[:2])
    assert ask(connect, listener.getsockname()) == b'from gnet'
    server.close()
    ended(server)


def test_the_variables_are_gone_and_nobody_else_gets_the_descriptor(
    loopback: PlainSocket, pass_sockets: PassSockets,
) -> None:
    pass_sockets(loopback, names='web')
    server = listening(gnet.create_server(), systemd='web')
    assert [name for name in os.environ if name.startswith('LISTEN_')] == []
    assert not os.get_inheritable(FIRST)
    server.close()
    ended(server)


def test_a_closed_server_can_listen_once_more_and_who_comes_meanwhile_waits(
    listener: PlainSocket, pass_sockets: PassSockets, connect: Any, family: Family,
) -> None:
    pass_sockets(listener)
    server = listening(gnet.create_server(answer), systemd=True)
    server.close()
    ended(server)
    assert family.path is None or Path(family.path).exists()
    peer = connect(listener.getsockname())
    listening(server, systemd=True)
    assert peer.recv_until_end() == b'from gnet'
    peer.close()
    server.close()
    ended(server)


def test_each_of_several_is_found_by_its_name(
    loopback: PlainSocket, pass_sockets: PassSockets, connect: Any,
) -> None:
    with tempfile.TemporaryDirectory(prefix='gnet-') as directory, (
        Family('unix', path=f'{directory}/admin').listener()
    ) as other:
        pass_sockets(loopback, other, names='web:admin')
        web = listening(gnet.create_server(answer), {'systemd': 'web'})
        admin = gnet.serve(lambda sock: sock.end('hello, admin'), systemd='admin')
        assert admin.address() == f'{directory}/admin'
        assert ask(connect, loopback.getsockname()) == b'from gnet'
        assert ask(connect, f'{directory}/admin') == b'hello, admin'
        for server in (web, admin):
            server.close()
            ended(server)
        assert Path(directory, 'admin').exists()


def test_an_abstract_one(pass_sockets: PassSockets, connect: Any) -> None:
    name = f'\0gnet-{os.getpid()}'
    with Family('unix', path=name).listener() as plain:
        pass_sockets(plain)
        with gnet.serve(answer, systemd=True) as server:
            assert server.address() == name
            assert ask(connect, name) == b'from gnet'


def test_a_blocking_handler_is_served_as_well(
    loopback: PlainSocket, pass_sockets: PassSockets, connect: Any,
) -> None:
    def echo(sock: gnet.Socket) -> None:
        for chunk in sock:
            sock.sendall(chunk.upper())

    pass_sockets(loopback)
    with gnet.serve(echo, systemd=True):
        peer = connect(loopback.getsockname())
        peer.sendall(b'loud')
        assert peer.recv_exactly(4) == b'LOUD'
        peer.close()


def test_a_server_that_speaks_tls(
    loopback: PlainSocket, pass_sockets: PassSockets, native: Any, connect: Any,
) -> None:
    pass_sockets(loopback)
    options = authority().certify(*NAMES).options
    with gnet.tls.serve(answer, systemd=True, **options) as server:
        peer = TlsPeer(
            native, connect(server), client_context(), server_hostname='localhost').shake()
        assert peer.recv_until_end() == b'from gnet'
        peer.close()


def test_the_callback_and_the_signal_are_as_ever(
    loopback: PlainSocket, pass_sockets: PassSockets,
) -> None:
    from gevent.event import Event

    pass_sockets(loopback)
    seen, signal = [], Event()
    server = gnet.create_server()
    server.listen(lambda: seen.append(server.address().port), systemd=True, signal=signal)
    gnet.once(server, 'listening', timeout=10)
    signal.set()
    ended(server)
    assert seen == [loopback.getsockname()[1]]


def test_two_servers_cannot_have_the_same(
    loopback: PlainSocket, pass_sockets: PassSockets,
) -> None:
    pass_sockets(loopback)
    with gnet.serve(None, systemd=True):
        assert failure_of(gnet.create_server(), systemd=True).code == 'EADDRINUSE'


@pytest.mark.parametrize('nothing', [False, None])
def test_a_program_may_do_without(nothing: object) -> None:
    with gnet.serve(None, systemd=nothing) as server:
        assert server.address().address == '127.0.0.1'
    server = gnet.create_server()
    server.listen(0, '127.0.0.1', systemd=nothing)
    gnet.once(server, 'listening', timeout=10)
    assert server.address().port
    server.close()
    ended(server)


def test_a_forked_child_closes_what_is_its_parents(
    loopback: PlainSocket, pass_sockets: PassSockets,
) -> None:
    pass_sockets(loopback)
    assert [each.fd for each in activation.given()] == [FIRST]
    copy = os.dup(FIRST)
    activation.close()
    assert activation.given() == []
    with pytest.raises(OSError, match='Bad file descriptor'):
        os.fstat(FIRST)
    assert os.dup2(copy, FIRST) == FIRST  # for the fixture
    PlainSocket(fileno=copy).close()


def test_a_forked_child_leaves_alone_what_has_taken_the_number_since(
    loopback: PlainSocket, pass_sockets: PassSockets,
) -> None:
    pass_sockets(loopback)
    assert [each.fd for each in activation.given()] == [FIRST]
    with open(os.devnull, 'rb') as stranger:
        os.dup2(stranger.fileno(), FIRST)  # after listen(fd=FIRST), and close()
        activation.close()
        assert os.path.sameopenfile(stranger.fileno(), FIRST)


def test_a_primary_has_the_variables_until_a_worker_wants_what_they_tell_of(
    loopback: PlainSocket, pass_sockets: PassSockets,
) -> None:
    pass_sockets(loopback, names='web')
    assert f'[["web", {FIRST}, null, null]]' in activation.passed_on()[activation.PASSED_ON]
    assert not activation.is_given(FIRST + 1)
    assert os.environ['LISTEN_FDNAMES'] == 'web'
    assert os.get_inheritable(FIRST)
    assert activation.is_given(FIRST)
    assert 'LISTEN_FDNAMES' not in os.environ
    assert not os.get_inheritable(FIRST)
    assert f'[["web", {FIRST}, null, null]]' in activation.passed_on()[activation.PASSED_ON]


def test_a_program_can_ask_what_there_is(
    loopback: PlainSocket, pass_sockets: PassSockets,
) -> None:
    assert gnet.systemd.socket_names() == []
    pass_sockets(loopback, loopback, names='web:')
    assert gnet.systemd.socket_names() == ['web', 'unknown']
    assert 'LISTEN_FDS' not in os.environ
    assert gnet.systemd.socket_names() == ['web', 'unknown']


# --- what makes no sense --------------------------------------------------------------------------


def refusal(**options: Any) -> tuple[str, str]:
    """Return the code and the text of what ``listen`` raises."""
    with pytest.raises(gnet.CodedError) as caught:
        gnet.create_server().listen(**options)
    return caught.value.code, str(caught.value)


def test_without_any_the_error_says_which_variables_are_missing(
    pass_sockets: PassSockets, monkeypatch: pytest.MonkeyPatch,
) -> None:
    code, text = refusal(systemd=True)
    assert (code, 'LISTEN_PID and LISTEN_FDS are not set' in text) == (
        'ERR_SYSTEMD_NO_SOCKETS', True)
    monkeypatch.setenv('LISTEN_FDS', '1')
    assert refusal(systemd='web')[0] == 'ERR_SYSTEMD_NO_SOCKETS'
    monkeypatch.setenv('LISTEN_FDS', '0')
    monkeypatch.setenv('LISTEN_PID', str(os.getpid()))
    code, text = refusal(systemd=True)
    assert (code, text.endswith('LISTEN_FDS is 0')) == ('ERR_SYSTEMD_NO_SOCKETS', True)


def test_those_of_another_process_are_left_to_it(
    loopback: PlainSocket, pass_sockets: PassSockets,
) -> None:
    pass_sockets(loopback, LISTEN_PID='1')
    code, text = refusal(systemd=True)
    assert code == 'ERR_SYSTEMD_NO_SOCKETS'
    assert f'LISTEN_PID is 1, and this process is {os.getpid()}' in text
    assert os.environ['LISTEN_FDS'] == '1'


def test_an_unknown_name_is_answered_with_those_there_are(
    loopback: PlainSocket, pass_sockets: PassSockets,
) -> None:
    pass_sockets(loopback, names='web')
    assert refusal(systemd='wbe') == (
        'ERR_SYSTEMD_UNKNOWN_NAME',
        f"systemd has passed no socket of the name 'wbe'. There is 'web' (fd {FIRST})")


@pytest.mark.parametrize('wanted', [True, 'web'])
def test_several_that_may_be_meant_are_listed(
    loopback: PlainSocket, pass_sockets: PassSockets, wanted: object,
) -> None:
    pass_sockets(loopback, loopback, names='web:web')
    code, text = refusal(systemd=wanted)
    assert code == 'ERR_SYSTEMD_AMBIGUOUS'
    assert f"'web' (fd {FIRST}), 'web' (fd {FIRST + 1})" in text


@pytest.mark.parametrize(('make', 'flaw'), [
    (lambda: PlainSocket(socket.AF_INET, socket.SOCK_DGRAM), 'is no stream socket'),
    (lambda: PlainSocket(socket.AF_INET, socket.SOCK_STREAM), 'does not listen'),
    (lambda: PlainSocket(socket.AF_NETLINK, socket.SOCK_RAW), 'is of the address family 16'),
    (lambda: open(os.devnull, 'rb'), 'is no socket'),  # noqa: SIM115  # closed below
])
def test_what_is_no_listening_stream_socket_is_refused(
    pass_sockets: PassSockets, make: Callable[[], Any], flaw: str,
) -> None:
    with make() as holder:
        pass_sockets(holder, names='web')
        code, text = refusal(systemd='web')
    assert code == 'ERR_SYSTEMD_WRONG_SOCKET'
    assert f"'web' (fd {FIRST}) {flaw}" in text


def test_a_descriptor_that_is_not_there_is_refused(pass_sockets: PassSockets) -> None:
    pass_sockets(LISTEN_FDS='1')
    code, text = refusal(systemd=True)
    assert (code, 'is no descriptor: Bad file descriptor' in text) == (
        'ERR_SYSTEMD_WRONG_SOCKET', True)


@pytest.mark.parametrize('variables', [
    {'LISTEN_FDS': 'one'}, {'LISTEN_FDS': '-1'}, {'LISTEN_FDS': '9' * 5000},
    {'LISTEN_FDNAMES': 'web:admin'},
])
def test_variables_that_make_no_sense(
    loopback: PlainSocket, pass_sockets: PassSockets, variables: dict[str, str],
) -> None:
    pass_sockets(loopback, **variables)
    code, text = refusal(systemd=True)
    assert (code, next(iter(variables)) in text) == ('ERR_SYSTEMD_ENVIRONMENT', True)


@pytest.mark.parametrize('wanted', ['', 5, 1.5, b'web', ['web']])
def test_anything_but_true_and_a_name_is_refused(
    loopback: PlainSocket, pass_sockets: PassSockets, wanted: object,
) -> None:
    pass_sockets(loopback)
    assert refusal(systemd=wanted)[0] == 'ERR_INVALID_ARG_TYPE'


@pytest.mark.parametrize('also', [
    {'port': 7000}, {'host': '::1'}, {'path': '/tmp/x'}, {'fd': 4}, {'backlog': 5},
    {'exclusive': True}, {'reuse_port': True}, {'ipv6_only': True}, {'readable_all': True},
    {'writable_all': True}, {'handle': PlainSocket},
])
def test_what_systemd_has_decided_cannot_be_chosen_too(
    loopback: PlainSocket, pass_sockets: PassSockets, also: dict[str, Any],
) -> None:
    pass_sockets(loopback)
    [name] = also
    code, text = refusal(systemd=True, **also)
    assert (code, f"'options.{name}'" in text) == ('ERR_INVALID_ARG_VALUE', True)


def test_serve_takes_no_port_beside_it(pass_sockets: PassSockets, loopback: PlainSocket) -> None:
    pass_sockets(loopback)
    with pytest.raises(TypeError, match='takes a port, or one of path, fd, handle and systemd'):
        gnet.serve(None, 7000, systemd=True)
