"""What stands around pieces of code in documents (``pieces.py``), but for those about TLS."""

from __future__ import annotations

import json
import logging
import os
import re
import signal
import socket
import sys
import time
from types import ModuleType, SimpleNamespace
from typing import Any

import gevent
import pytest
import zope.event
from gevent import monkey

import gnet

from .families import Family, has_ipv6
from .pieces import Piece, ask, echo, prelude, shout
from .plain import PlainSocket
from .waiting import PATIENCE, until

#: How to come to a server on each of these addresses.
HOSTS = {'::': 'localhost', '::1': '::1', '0.0.0.0': '127.0.0.1'}

_sleep_in_c = monkey.get_original('time', 'sleep')


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
        leaving = gevent.spawn(piece.names['leave'])
        assert b''.join(sock) == b'we close\n'
    assert leaving.get(timeout=PATIENCE) == 0
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
