"""What stands around the pieces of code in documents that are no whole programs.

A prelude makes what the piece takes for granted (a server to connect to, certificates, a handler),
has it run, in this process, and looks at what it has done. ``<!-- run with: NAME -->`` in front of
the piece names it; ``NAME => OUTPUT`` says, too, what is printed.
"""

from __future__ import annotations

import json
import logging
import os
import re
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import gevent
import gevent.ssl
import pytest
import zope.event
from gevent import monkey

import gnet
from gnet import tls

from ..tls.authority import NAMES, authority
from .families import Family, has_ipv6
from .plain import PlainSocket
from .waiting import PATIENCE, until

__all__ = ['PRELUDES', 'Piece']

#: By their names, which are those in the documents.
PRELUDES: dict[str, Callable[[Piece], None]] = {}

#: How to come to a server on each of these addresses.
HOSTS = {'::': 'localhost', '::1': '::1', '0.0.0.0': '127.0.0.1'}

_sleep_in_c = monkey.get_original('time', 'sleep')


class Piece:
    """A piece of code, and what a prelude has for it."""

    def __init__(self, code: str, following: str, request: pytest.FixtureRequest) -> None:
        """Make one.

        Args:
            code: that is run.
            following: the next piece of the page.
            request: by which fixtures are had.
        """
        self.code = code
        self.following = following
        self.fixture: Callable[[str], Any] = request.getfixturevalue
        self.folder: Path = self.fixture('tmp_path')
        #: What the code has made, by its names.
        self.names: dict[str, Any] = {}
        self._capture = self.fixture('capsys')
        self._printed = ''
        self._served: list[gnet.Server] = []
        #: What was written to stderr.
        self.errors = ''

    def replace(self, old: str, new: object) -> None:
        """Put another number or place into the code."""
        assert old in self.code
        self.code = self.code.replace(old, str(new))

    def run(self, **names: Any) -> None:
        """Run the code, which sees *names*."""
        self.names.update({'__name__': 'document', 'gnet': gnet}, **names)
        exec(compile(self.code, 'document', 'exec', dont_inherit=True), self.names)

    def printed(self) -> str:
        """Return what was printed until now."""
        written = self._capture.readouterr()
        self._printed += written.out
        self.errors += written.err
        return self._printed.strip()

    def serve(self, handler: Any, **options: Any) -> int:
        """Serve until the test is over; return the port."""
        self._served.append(gnet.serve(handler, **options))
        port: int = self._served[-1].address().port
        return port

    def let_go(self) -> None:
        """Close what is left open."""
        for value in [*self.names.values(), *self._served]:
            if isinstance(value, gnet.Server):
                value.stop(0)
            elif isinstance(value, gnet.Socket):
                value.destroy()
        self.names.clear()


def prelude(name: str) -> Callable[[Callable[[Piece], None]], Callable[[Piece], None]]:
    def note(function: Callable[[Piece], None]) -> Callable[[Piece], None]:
        PRELUDES[name] = function
        return function

    return note


def echo(sock: gnet.Socket) -> None:
    for chunk in sock:
        sock.sendall(chunk)


def shout(sock: gnet.Socket) -> None:
    for chunk in sock:
        sock.sendall(chunk.upper())


def ask(
    target: Any, question: bytes = b'hello', connect: Any = gnet.connect, **options: Any,
) -> bytes:
    """Send a question to a server, and return all that it answers."""
    with connect(target, **options) as sock:
        sock.settimeout(PATIENCE)
        sock.sendall(question)
        sock.shutdown(socket.SHUT_WR)
        return b''.join(sock)


# --- nothing but gnet, and others to talk to ------------------------------------------------------


@prelude('nothing')
def _nothing(piece: Piece) -> None:
    piece.run()


@prelude('an echo')
def _echo(piece: Piece) -> None:
    piece.replace('7000', piece.serve(echo))
    piece.run()
    until(piece.printed)  # in event style it is still to come


@prelude('an echo that is asked')
def _asked(piece: Piece) -> None:
    piece.replace('7000', piece.serve(echo))
    piece.run()
    assert piece.names['ask'](b'hello') == b'hello'


@prelude('a child')
def _child(piece: Piece) -> None:
    """Both ends: the piece below is the script of the child. (It has no ``import gnet``.)"""
    (piece.folder / 'child.py').write_text(f'import gnet\n\n{piece.following}')
    running = piece.fixture('start_script')(
        'import gnet\nserver = gnet.create_server().listen(0)\n'
        f'{piece.code}print(server.address().port, flush=True)\ngnet.run()\n', workers=True)
    assert ask(int(running.read_line()), b'') == b'hello from another process'
    running.send_signal(signal.SIGINT)
    ended = running.wait()
    assert ended[::2] == (-signal.SIGINT, ''), ended


# --- servers --------------------------------------------------------------------------------------


@prelude('a handler')
def _handler(piece: Piece) -> None:
    started: list[gnet.Server] = []
    asked: list[bytes] = []

    def serve(*args: Any, **options: Any) -> gnet.Server:
        started.append(gnet.serve(*args, **options))
        address: Any = started[-1].address()
        asked.append(ask(getattr(address, 'port', address)))
        return started[-1]

    piece.replace('7000', 0)
    piece.replace('/run/', '')
    piece.run(gnet=SimpleNamespace(serve=serve), handler=shout)
    assert asked == [b'HELLO'] * 4
    assert [each.listening for each in started] == [True, True, True, False]
    for each in started:
        each.stop(0)


@prelude('each form of listen')
def _forms(piece: Piece) -> None:
    if not has_ipv6():
        pytest.skip('this machine has no IPv6 loopback address (::1)')
    started: list[gnet.Server] = []

    def listen(*args: Any, **options: Any) -> None:
        started.append(gnet.create_server(shout))
        started[-1].listen(*args, **options)
        gnet.once(started[-1], 'listening', timeout=PATIENCE)

    passed, bound, opened = (Family('ipv4', host='127.0.0.1').listener() for _ in range(3))
    piece.fixture('pass_sockets')(passed, names='web')
    piece.replace('7000', 0)
    piece.replace("'/run/", "'")
    piece.replace("'fd': 3", f"'fd': {opened.detach()}")
    piece.run(server=SimpleNamespace(listen=listen), bound=bound)
    assert len(started) == piece.code.count('listen(')
    for each in started:
        address: Any = each.address()
        assert ask(getattr(address, 'port', address), host=HOSTS.get(address[0])) == b'HELLO'
        each.stop(0)
    passed.close()


@prelude('a server with members')
def _members(piece: Piece) -> None:
    piece.run()
    server = piece.names['server'] = gnet.serve(piece.names['serve'])
    with gnet.connect(server.address().port) as sock:
        sock.settimeout(PATIENCE)
        sock.sendall(b'hello')
        assert sock.recv(5) == b'hello'
        piece.names['leave']()
        assert b''.join(sock) == b'we close\n'
    gnet.once(server, 'close', timeout=PATIENCE)
    assert piece.names['members'] == set()


@prelude('connections')
def _connections(piece: Piece) -> None:
    piece.run()
    ask(piece.serve(shout))
    until(piece.printed)
    zope.event.subscribers.remove(piece.names['watch'])
    assert re.match(r'127\.0\.0\.1 5 \d', piece.printed())


@prelude('a handler that waits')
def _waiting(piece: Piece) -> None:
    with gnet.connect(piece.serve(echo)) as sock:
        sock.sendall(b'hello')
        assert sock.recv(5) == b'hello'
        piece.run()
        address, port = sock.getsockname()
        told = f'{piece.printed()}\n{piece.errors}'
    assert re.search(r'\bhandler\b', told, re.I)
    assert 'echo' in told
    assert f'{address}:{port}' in told or 'peer' not in piece.code


@prelude('a hub')
def _hub(piece: Piece) -> None:
    piece.run()
    assert piece.names['watch'].count == 0


@prelude('a hub that is blocked')
def _blocked(piece: Piece) -> None:
    piece.run()
    gevent.sleep(0)  # it is looked at from its first turn on
    begun = time.monotonic()
    while not piece.printed() and time.monotonic() - begun < PATIENCE:
        _sleep_in_c(0.01)
    piece.names['watch'].stop()
    assert re.match(r'blocked for \d\.\d\d s in \w+, .*\.py:\d+$', piece.printed())


# --- unix sockets ---------------------------------------------------------------------------------


@prelude('the file of a killed server')
def _stale(piece: Piece) -> None:
    with PlainSocket(socket.AF_UNIX) as killed:
        killed.bind('app.sock')
        killed.listen()
    with pytest.raises(OSError, match='EADDRINUSE'):
        gnet.serve(shout, path='app.sock')
    piece.run()
    with piece.names['serve_at']('app.sock', shout):
        assert ask('app.sock') == b'HELLO'
        with pytest.raises(OSError, match='EADDRINUSE'):
            piece.names['serve_at']('app.sock', shout)
        assert ask('app.sock') == b'HELLO'


@prelude('the usual umask')
def _umask(piece: Piece) -> None:
    before = os.umask(0o022)
    try:
        piece.run(handler=shout)
    finally:
        os.umask(before)


@prelude('SO_PEERCRED')
def _credentials(piece: Piece) -> None:
    if not hasattr(socket, 'SO_PEERCRED'):
        pytest.skip('this system has no SO_PEERCRED')
    piece.run()


@prelude('Linux')
def _linux(piece: Piece) -> None:
    if sys.platform != 'linux':
        pytest.skip('only Linux has names without a file')
    piece.replace('\\0app', f'\\0gnet-{os.getpid()}')  # of the whole machine
    piece.run(handler=shout)


# --- what watches a program -----------------------------------------------------------------------


@prelude('prometheus_client')
def _prometheus(piece: Piece) -> None:
    client = pytest.importorskip('prometheus_client')
    registered = []

    def register() -> None:
        registered.append(gnet.metrics.register())

    piece.run(gnet=SimpleNamespace(metrics=SimpleNamespace(register=register)))
    client.REGISTRY.unregister(registered[0])
    gnet.metrics.stop()
    assert '# TYPE gnet_hub_lag_seconds histogram' in piece.printed()


@prelude('an access log')
def _access_log(piece: Piece) -> None:
    logger = logging.getLogger('gnet.access')
    level, handlers = logger.level, [*logger.handlers]
    log = piece.folder / 'access.log'
    piece.run(logging=logging)
    try:
        ask(piece.serve(shout))
        until(log.read_text)
    finally:
        gnet.logs.stop_access_log()
        logger.setLevel(level)
        for each in {*logger.handlers} - {*handlers}:
            logger.removeHandler(each)
            each.close()
    assert json.loads(log.read_text())['received'] == 5


@prelude('the socket echo of systemd')
def _systemd(piece: Piece) -> None:
    with Family('ipv4', host='127.0.0.1').listener() as plain:
        piece.fixture('pass_sockets')(plain, names='echo')
        piece.run()
        server = piece.names['server']
        assert server.address().port == plain.getsockname()[1]
        if server.listener_count('connection'):
            assert ask(server.address().port) == b'hello'


@prelude('systemd that listens')
def _notified(piece: Piece) -> None:
    manager = piece.fixture('manager')
    piece.fixture('monkeypatch').setenv('NOTIFY_SOCKET', manager.address)
    piece.run()
    assert manager.next() == ['STATUS=loading the index', 'EXTEND_TIMEOUT_USEC=60000000']


# --- the PROXY protocol ---------------------------------------------------------------------------

CLIENT = ('192.0.2.1', 12345)


@prelude('a proxy in front')
def _proxied(piece: Piece) -> None:
    piece.replace('10.0.0.0/8', '127.0.0.0/8')
    piece.run()
    server = piece.names['server'].listen(0)
    sock = gnet.connect(server.address().port, proxy_protocol={
        'source': CLIENT, 'destination': ('192.0.2.9', 80)})
    until(piece.printed)
    sock.destroy()
    assert re.match(r'192\.0\.2\.1 by way of .*127\.0\.0\.1', piece.printed())


@prelude('a server that wants the header')
def _upstream(piece: Piece) -> None:
    def tell(sock: gnet.Socket) -> None:
        for chunk in sock:
            sock.sendall(b'%s from %s' % (chunk, sock.remote_address.encode()))

    port = piece.serve(tell, proxy_protocol={'trusted': ['127.0.0.1']})
    piece.replace("7000, '10.0.0.1'", f"{port}, '127.0.0.1'")
    piece.run()
    front = piece.serve(
        piece.names['relay'], proxy_protocol={'trusted': ['127.0.0.1']}, allow_half_open=True)
    assert ask(front, proxy_protocol={
        'source': CLIENT, 'destination': ('192.0.2.9', 80)}) == b'hello from 192.0.2.1'


# --- TLS ------------------------------------------------------------------------------------------

#: Files that the documents name, and whose certificates they have.
FILES = {
    ('key.pem', 'cert.pem'): NAMES, ('privkey.pem', 'fullchain.pem'): NAMES,
    ('server-key.pem', 'server.pem'): NAMES, ('shop-key.pem', 'shop.pem'): ['shop.example.org'],
}


def _ask_with_tls(port: int, servername: str = 'localhost', **options: Any) -> bytes:
    return ask(
        port, connect=tls.connect, servername=servername, ca=authority().cert, **options)


@prelude('certificates')
def _certificates(piece: Piece) -> None:
    for (key, cert), of in FILES.items():
        if key in piece.code:
            made = authority().certify(*of)
            Path(key).write_text(made.key)
            Path(cert).write_text(made.cert)
    Path('ca.pem').write_text(authority().cert)
    own, wild = authority().certify(*NAMES), authority().certify('*.example.org')
    reloads: list[Any] = []
    piece.code = piece.code.replace('7000', '0')
    piece.run(
        tls=tls, Path=Path, signal=signal, handler=shout, greet=shout, key=own.key, cert=own.cert,
        gevent=SimpleNamespace(signal_handler=lambda *args: reloads.append(args)),
        contexts={'www.example.org': tls.create_secure_context(wild.options)},
        context=tls.create_secure_context((wild if 'add_context' in piece.code else own).options),
        server=tls.create_server(own.options, shout))
    server = piece.names['server']
    if server.listener_count('secureConnection') == 0:
        server.on('secureConnection', shout)
    if not server.listening:
        server.listen(0, '127.0.0.1')
    gnet.once(server, 'listening', timeout=PATIENCE)
    client: Any = {}
    if 'request_cert' in piece.code:
        client = authority().certify('a client', purpose='client').options
        with pytest.raises(tls.TLSError):
            _ask_with_tls(server.address().port)
    assert _ask_with_tls(server.address().port, **client) == b'HELLO'
    if 'www.example.org' in piece.code or 'contexts' in piece.code or '*.' in piece.code:
        assert _ask_with_tls(server.address().port, 'www.example.org') == b'HELLO'
    for number, reload in reloads:
        assert number is signal.SIGHUP
        assert reload() is True


@prelude('a TLS server')
def _tls_server(piece: Piece) -> None:
    def answer(sock: Any) -> None:
        sock.sendall(sock.recv(100).upper())

    port = piece.serve(
        answer, ssl_context=tls.create_secure_context(authority().certify(*NAMES).options))
    piece.replace("443, 'example.org'", f"{port}, 'localhost'")

    def connect(*args: Any) -> Any:
        return tls.connect(*args, ca=authority().cert)

    piece.run(tls=SimpleNamespace(connect=connect))
    if 'page' in piece.names:
        assert piece.names['page'].startswith(b'GET / HTTP/1.0\r\nHOST:')
    else:
        until(piece.printed)


@prelude('a client that begins with TLS')
def _starttls(piece: Piece) -> None:
    own = authority().certify(*NAMES)
    Path('own.pem').write_text(own.key + own.cert)
    of_python = gevent.ssl.SSLContext(gevent.ssl.PROTOCOL_TLS_SERVER)
    of_python.load_cert_chain('own.pem')

    def read_line(sock: Any) -> bytes:
        with sock.makefile('rb') as lines:
            line: bytes = lines.readline()
        return line.strip()

    context = tls.create_secure_context(own.options)
    piece.run(read_line=read_line, context=of_python if 'wrap_socket' in piece.code else context)
    handle = piece.names.get('handler') or piece.names['talk']
    with gnet.connect(piece.serve(handle)) as sock:
        sock.settimeout(PATIENCE)
        sock.sendall(b'STARTTLS\r\n')
        assert b'go' in sock.recv(100)
        with sock.start_tls(server_hostname='localhost', ca=authority().cert) as secure:
            assert secure.authorized
            assert b''.join(secure) == (b'hello' if 'hello' in piece.code else b'')


# --- applications ---------------------------------------------------------------------------------


@prelude('a shop')
def _shop(piece: Piece) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response('200 OK', [('Content-Type', 'text/plain')])
        return [b'apples']

    module = ModuleType('shop')
    vars(module)['app'] = app
    piece.fixture('monkeypatch').setitem(sys.modules, 'shop', module)
    piece.replace('8000', 0)
    serving = gevent.spawn(piece.run)
    until(lambda: 'server' in piece.names)
    server = piece.names['server']
    assert ask(server.address().port, b'GET / HTTP/1.0\r\n\r\n').endswith(b'\r\n\r\napples')
    server.close()
    serving.get(timeout=PATIENCE)
