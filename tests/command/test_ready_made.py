"""``gnet echo``, ``proxy``, ``serve`` and ``cat``: in this process, where the command runs them."""

from __future__ import annotations

import os
import signal
import socketserver
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import gevent
import pytest

from gnet.command import cat, echo, proxy, ready_made, serve

from ..harness.authority import NAMES, authority
from ..harness.families import Family
from ..harness.native import Native
from ..harness.tls_peers import TlsPeer, client_context
from ..harness.waiting import PATIENCE
from .common import GNET

Run = Callable[..., Any]


@pytest.fixture
def run() -> Iterator[Run]:
    """``run(command, *words)`` returns the server of a command that serves."""
    servers: list[Any] = []

    def run(command: Any, *words: str) -> Any:
        servers.append(command.serve(command.make_parser().parse_args(words)))
        return servers[-1]

    yield run
    for server in servers:
        server.stop(0)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A directory with cert.pem, key.pem and ca.pem."""
    made = authority().certify(*NAMES)
    (tmp_path / 'cert.pem').write_text(made.cert)
    (tmp_path / 'key.pem').write_text(made.key)
    (tmp_path / 'ca.pem').write_text(authority().cert)
    return tmp_path


@pytest.fixture
def tls_words(files: Path) -> list[str]:
    return ['--tls', str(files / 'cert.pem'), str(files / 'key.pem')]


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A module ``of_test`` with what is served."""
    made = ModuleType('of_test')

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(self.rfile.readline().upper())

    def handler(sock: Any) -> None:
        sock.sendall(sock.recv(100).title())

    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response('200 OK', [])
        return [environ['wsgi.url_scheme'].encode()]

    made.__dict__.update(
        handler=handler, Handler=Handler, application=application, site=made, number=1)
    monkeypatch.setitem(sys.modules, 'of_test', made)
    return made


def ask(peer: Any, sent: bytes) -> bytes:
    peer.sendall(sent)
    peer.end()
    answer: bytes = peer.recv_until_end()
    peer.close()
    return answer


def place_of(family: Family) -> str:
    if family.path is not None:
        return family.path
    return f'[{family.host}]:0' if ':' in str(family.host) else f'{family.host}:0'


# --- echo ---------------------------------------------------------------------------------------


def test_echo_sends_back(
    run: Run, family: Family, connect: Any, capfd: pytest.CaptureFixture[str],
) -> None:
    server = run(echo, place_of(family))
    assert ask(connect(server), b'hello' * 10_000) == b'hello' * 10_000
    said = capfd.readouterr().err
    assert said.startswith('gnet: echo: listening on ')
    assert said.count('\n') == 1


def test_echo_on_a_port_alone_is_for_this_machine(run: Run) -> None:
    assert run(echo, '0').address().address == '127.0.0.1'
    assert run(echo, '*:0').address().address in ('::', '0.0.0.0')


def test_echo_by_tls(run: Run, tls_words: list[str], connect: Any, native: Native) -> None:
    peer = TlsPeer(
        native, connect(run(echo, '0', *tls_words)), client_context(), server_hostname='localhost')
    peer.shake().sendall(b'hello')
    assert peer.recv(100) == b'hello'
    peer.close()


def test_options_of_connections(run: Run, connect: Any) -> None:
    server = run(echo, '0', '--max-connections', '1', '--proxy-protocol', '127.0.0.1, ::1')
    first = connect(server)
    first.sendall(b'PROXY TCP4 192.0.2.1 198.51.100.7 12345 443\r\nhello')
    assert first.recv_exactly(5) == b'hello'
    assert connect(server).recv_until_end() == b''


# --- proxy --------------------------------------------------------------------------------------


def test_proxy_forwards_in_both_directions_and_half_open(
    run: Run, serve: Any, connect: Any,
) -> None:
    def answer(sock: Any) -> None:
        sock.sendall(b'greeting ')
        sock.sendall(b''.join(sock))  # when the client has ended

    upstream = serve(answer)
    server = run(proxy, '0', f'127.0.0.1:{upstream.address().port}')
    assert ask(connect(server), b'hello') == b'greeting hello'


def test_proxy_is_tls_on_either_side(
    run: Run, tls_words: list[str], files: Path, connect: Any,
) -> None:
    secure = run(echo, '0', *tls_words)
    # To TLS, from TLS: plain text at both ends.
    inner = run(
        proxy, '0', f'localhost:{secure.address().port}', '--to-tls', '--to-ca',
        str(files / 'ca.pem'))
    outer = run(proxy, '0', f'127.0.0.1:{inner.address().port}', *tls_words)
    plain = run(
        proxy, '0', f'localhost:{outer.address().port}', '--to-tls', '--to-ca',
        str(files / 'ca.pem'))
    assert ask(connect(plain), b'hello') == b'hello'


@pytest.mark.parametrize('version', ['1', '2'])
def test_proxy_tells_whose_connection_it_is(
    run: Run, serve: Any, connect: Any, version: str,
) -> None:
    upstream = serve(
        lambda sock: sock.sendall(f'{sock.proxy.version} {sock.remote_port}'.encode()),
        proxy_protocol={'trusted': ['127.0.0.1']})
    server = run(proxy, '0', f'127.0.0.1:{upstream.address().port}', '--send-proxy', version)
    peer = connect(server)
    port = peer.getsockname()[1]
    assert ask(peer, b'') == f'{version} {port}'.encode()


def test_proxy_says_in_one_line_that_there_is_no_server(
    run: Run, connect: Any, capfd: pytest.CaptureFixture[str],
) -> None:
    server = run(proxy, '0', '127.0.0.1:1')
    capfd.readouterr()
    peer = connect(server)
    with suppress(ConnectionError):  # an end or a reset: it is closed either way
        assert peer.recv(100) == b''
    assert capfd.readouterr().err == (
        'gnet: proxy: 127.0.0.1: connect ECONNREFUSED 127.0.0.1:1\n')


@pytest.mark.parametrize('fails', ['client', 'server'])
def test_what_proxy_cuts_is_seen_to_be_cut(
    run: Run, connect: Any, gnet_listener: Any, fails: str,
) -> None:
    listener = gnet_listener()
    client = connect(run(proxy, '0', str(listener.port)))
    server = listener.accept()
    failing, other = (client, server) if fails == 'client' else (server, client)
    failing.sendall(b'half')
    assert other.recv_exactly(4) == b'half'
    failing.reset()
    with pytest.raises(ConnectionResetError):
        other.recv()
    other.close()


# --- serve --------------------------------------------------------------------------------------


@pytest.mark.parametrize(('what', 'answer'), [
    ('of_test:handler', b'Hello\n'), ('of_test', b'Hello\n'), ('of_test:site.handler', b'Hello\n'),
    ('of_test:Handler', b'HELLO\n'),
])
def test_serve_calls_what_is_named(
    run: Run, module: ModuleType, connect: Any, what: str, answer: bytes,
) -> None:
    assert ask(connect(run(serve, what, '--port', '0')), b'hello\n') == answer


def test_serve_by_tls_or_on_a_path(
    run: Run, module: ModuleType, connect: Any, native: Native, tls_words: list[str],
    tmp_path: Path,
) -> None:
    path = str(tmp_path / 'socket')
    assert ask(connect(run(serve, 'of_test', '--path', path)), b'hello\n') == b'Hello\n'
    peer = TlsPeer(
        native, connect(run(serve, 'of_test', '--port', '0', *tls_words)), client_context(),
        server_hostname='localhost')
    peer.shake().sendall(b'hello')
    assert peer.recv(100) == b'Hello'
    peer.close()


@pytest.mark.parametrize('secure', [False, True])
def test_serve_takes_wsgi_applications(
    run: Run, module: ModuleType, connect: Any, native: Native, tls_words: list[str], secure: bool,
) -> None:
    words = tls_words if secure else []
    peer = connect(run(serve, '--wsgi', 'of_test', '--port', '0', *words))
    if secure:
        peer = TlsPeer(native, peer, client_context(), server_hostname='localhost').shake()
    peer.sendall(b'GET / HTTP/1.0\r\n\r\n')
    assert peer.recv_until_end().endswith(b'\r\n\r\nhttps' if secure else b'\r\n\r\nhttp')
    peer.close()


@pytest.mark.parametrize(('what', 'reason'), [
    ('no_such_module:x', 'there is no module no_such_module in '),
    ('of_test:nothing', 'the module of_test has no nothing'),
    ('of_test:number', 'of_test:number cannot be called: it is of type int'),
    ('../of_test', "'../of_test' names no module"),
    (':handler', "':handler' names no module"),
])
def test_what_cannot_be_served_is_one_line(
    run: Run, module: ModuleType, capfd: pytest.CaptureFixture[str], what: str, reason: str,
) -> None:
    with pytest.raises(SystemExit) as ends:
        run(serve, what)
    assert ends.value.code == 1
    said = capfd.readouterr().err
    assert said.startswith(f'gnet: serve: {reason}')
    assert said.count('\n') == 1


def test_a_module_that_fails_has_its_traceback(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / 'broken_of_test.py').write_text('import no_such_module')
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ModuleNotFoundError, match='no_such_module'):
        run(serve, 'broken_of_test')


@pytest.mark.parametrize('words', [
    ['127.0.0.1:PORT'], ['0', '--tls', 'no_such', 'no_such'], ['./no_such/socket']])
def test_what_cannot_be_listened_on_is_one_line(
    run: Run, capfd: pytest.CaptureFixture[str], words: list[str],
) -> None:
    port = str(run(echo, '0').address().port)
    capfd.readouterr()
    with pytest.raises(SystemExit) as ends:
        run(echo, *(word.replace('PORT', port) for word in words))
    assert ends.value.code == 1
    said = capfd.readouterr().err
    assert said.startswith('gnet: echo: ')
    assert ('EADDRINUSE' if 'PORT' in words[0] else 'no_such') in said
    assert said.count('\n') == 1


# --- cat ----------------------------------------------------------------------------------------


@pytest.fixture
def talk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Run]:
    """``talk(sent, *words)`` returns what ``gnet cat`` writes; *sent* may be kept open."""
    ends: list[int] = []

    def talk(sent: bytes, *words: str, stays_open: bool = False) -> bytes:
        readable, writable = os.pipe()
        os.write(writable, sent)
        if stays_open:
            ends.append(writable)
        else:
            os.close(writable)
        output = tmp_path / 'output'
        with open(readable, 'rb') as stdin, output.open('wb') as stdout:
            monkeypatch.setattr(sys, 'stdin', stdin)
            monkeypatch.setattr(sys, 'stdout', stdout)
            with gevent.Timeout(PATIENCE):
                cat.run(words)
        return output.read_bytes()

    yield talk
    for each in ends:
        os.close(each)


def test_cat_sends_what_it_reads_and_writes_the_answer(run: Run, family: Family, talk: Run) -> None:
    server = run(echo, place_of(family))
    place = place_of(family)
    if family.path is None:
        place = place.removesuffix(':0') + f':{server.address().port}'
    assert talk(b'hello' * 1000, place) == b'hello' * 1000


def test_cat_ends_when_the_server_does(serve: Any, talk: Run) -> None:
    server = serve(lambda sock: sock.sendall(b'goodbye'))
    assert talk(b'', str(server.address().port), stays_open=True) == b'goodbye'


def test_cat_by_tls(
    run: Run, talk: Run, tls_words: list[str], files: Path, capfd: pytest.CaptureFixture[str],
) -> None:
    place = f'localhost:{run(echo, "0", *tls_words).address().port}'
    capfd.readouterr()
    assert talk(b'hello', place, '--tls', '--ca', str(files / 'ca.pem')) == b'hello'
    assert talk(b'hello', place, '--tls', '--insecure') == b'hello'
    with pytest.raises(SystemExit) as ends:
        talk(b'hello', place, '--tls')
    assert ends.value.code == 1
    said = capfd.readouterr().err
    assert said.startswith('gnet: cat: ')
    assert said.count('\n') == 1


def test_cat_says_in_one_line_that_there_is_no_server(
    talk: Run, capfd: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as ends:
        talk(b'', '127.0.0.1:1')
    assert ends.value.code == 1
    assert capfd.readouterr().err == 'gnet: cat: connect ECONNREFUSED 127.0.0.1:1\n'


def test_ctrl_c_ends_cat_quietly(serve: Any, python: Any) -> None:
    server = serve(lambda sock: sock.sendall(b'hello\n') or sock.recv(1))
    started = python.start(*GNET, 'cat', str(server.address().port))
    assert started.read_line() == 'hello'  # it waits for more, and for its input
    started.send_signal(signal.SIGINT)
    assert started.wait() == (-signal.SIGINT, 'hello\n', '')


# --- places -------------------------------------------------------------------------------------


@pytest.mark.parametrize(('word', 'expected'), [
    ('7000', {'host': '127.0.0.1', 'port': 7000}),
    ('localhost:7000', {'host': 'localhost', 'port': 7000}),
    ('[::1]:7000', {'host': '::1', 'port': 7000}),
    ('*:0', {'host': '*', 'port': 0}),
    ('./socket', {'path': './socket'}),
])
def test_a_place(word: str, expected: dict[str, Any]) -> None:
    found = ready_made.place(word)
    assert found == expected
    assert ready_made.place(ready_made.place_text(found)) == expected


@pytest.mark.parametrize(('word', 'reason'), [
    ('::1:7000', 'is written as'), ('7000x', 'neither'), ('host:65536', 'neither'),
    (':7000', r'has no host \(\*:7000'), ('', 'neither'),
])
def test_what_is_no_place(word: str, reason: str) -> None:
    with pytest.raises(ready_made.argparse.ArgumentTypeError, match=reason):
        ready_made.place(word)
