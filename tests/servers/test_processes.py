"""How long a server keeps a program alive; servers in threads, and in a process that forks."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent
import pytest

import gnet

from ..harness.listening import listening

Serve = Callable[..., gnet.Server]

# --- ref and unref ------------------------------------------------------------------------------


def test_both_return_the_server_and_may_be_repeated(serve: Serve) -> None:
    server = serve()
    for _ in range(2):
        assert server.unref() is server
    assert server._unref is True
    listening(server)
    assert not server._handle.has_ref()
    for _ in range(2):
        assert server.ref() is server
    assert server._unref is False
    assert server._handle.has_ref()


@pytest.mark.parametrize('prepare', [
    'server.unref(); server.listen(0)', 'server.listen(0); server.unref()',
    'server.unref(); server.listen(0, "127.0.0.1")',
    'server.unref(); server.listen(0, "localhost")',
    'server.listen(0); server.ref(); server.unref(); server.unref()',
    'server.unref(); server.listen(0); server.close(); server.listen(0)',
    'server.listen(0); server.close(); server.unref(); server.listen(0)',
    'server.unref(); server.listen("x.sock")',
])
@pytest.mark.parametrize('end', ['', 'gnet.run()'], ids=['hook', 'run'])
def test_a_program_with_an_unrefed_server_ends_after_listening(
    run_script: Any, prepare: str, end: str,
) -> None:
    finished = run_script(f"""
        import gnet
        server = gnet.create_server()
        server.once('listening', lambda: print('listening'))
        {prepare}
        {end}
    """)
    assert finished == (0, 'listening\n', '')


@pytest.mark.parametrize('prepare', [
    'server.listen(0)', 'server.unref(); server.ref(); server.listen(0)',
    'server.unref(); server.listen(0); server.ref()', 'server.listen(0, "127.0.0.1")',
])
@pytest.mark.parametrize('end', ['', 'gnet.run()'], ids=['hook', 'run'])
def test_a_program_with_a_server_stays_until_it_is_closed(
    start_script: Any, connect: Any, prepare: str, end: str,
) -> None:
    running = start_script(f"""
        import gnet
        server = gnet.create_server(lambda sock: (sock.end('hello'), server.close()))
        server.on('listening', lambda: print(server.address().port, flush=True))
        {prepare}
        {end}
    """)
    peer = connect(('127.0.0.1', int(running.read_line())))
    assert peer.recv_until_end() == b'hello'
    peer.close()
    assert running.wait()[::2] == (0, '')


def test_a_connection_keeps_a_program_alive_whose_server_is_unrefed(
    start_script: Any, connect: Any,
) -> None:
    running = start_script("""
        import gevent, gnet

        def handler(sock):
            print('connected', flush=True)
            admin.close()
            sock.pipe(sock)

        server = gnet.create_server(handler).unref().listen(0)
        admin = gnet.create_server().listen(0)  # until somebody has come
        print(server.address().port, flush=True)
    """)
    peer = connect(('127.0.0.1', int(running.read_line())))
    running.wait_for('connected')
    peer.sendall(b'still there')
    assert peer.recv_exactly(11) == b'still there'
    peer.close()
    assert running.wait()[::2] == (0, '')


def test_a_program_that_never_listened_ends(run_script: Any) -> None:
    assert run_script("""
        import gnet
        gnet.create_server(lambda sock: None).unref().ref()
        print(gnet.run())
    """) == (0, 'True\n', '')


def test_a_unix_socket_of_a_program_that_just_ends_stays(
    run_script: Any, tmp_path: Path,
) -> None:
    assert run_script("""
        import gnet
        gnet.create_server().unref().listen('x.sock')
    """) == (0, '', '')
    assert (tmp_path / 'x.sock').is_socket()


# --- threads ------------------------------------------------------------------------------------


@pytest.mark.parametrize('made_in', ['the thread', 'main'])
@pytest.mark.parametrize('method', ['gnet.run()', 'server.serve_forever()'])
def test_a_server_may_live_in_a_thread_of_its_own(
    run_script: Any, made_in: str, method: str,
) -> None:
    # A native thread also where threads are patched: it has a hub of its own.
    finished = run_script(f"""
        import gevent, gnet
        from gevent import monkey, socket
        start = monkey.get_original('_thread', 'start_new_thread')
        lock = monkey.get_original('_thread', 'allocate_lock')
        ready, over = lock(), lock()
        ready.acquire(), over.acquire()
        ports = []

        def make():
            return gnet.create_server(handler)

        def handler(sock):
            for chunk in sock:
                sock.sendall(chunk.upper())
                if chunk == b'close':
                    sock.server.close()

        def serve():
            server = make() if {made_in!r} == 'the thread' else made
            server.listen(0, lambda: (ports.append(server.address().port), ready.release()))
            {method}
            over.release()

        made = make()
        start(serve, ())
        ready.acquire()
        for word in (b'hello', b'close'):
            peer = socket.create_connection(('127.0.0.1', ports[0]))
            peer.sendall(word)
            print(peer.recv(5).decode())
            peer.close()
        over.acquire()
        print(gnet.run())
    """)
    assert finished == (0, 'HELLO\nCLOSE\nTrue\n', '')


def test_a_server_of_another_thread_can_not_be_taken_over(serve: Serve, native: Any) -> None:
    server = listening(serve(), 0)

    def take_over() -> str:
        mine = gnet.create_server()
        try:
            mine.listen(server)
        except TypeError as error:
            return str(error)
        finally:
            gevent.get_hub().destroy(destroy_loop=True)
        return 'taken'

    assert 'belongs to another thread' in native(take_over)
    assert server.listening


# --- fork ---------------------------------------------------------------------------------------

FORKING = """
import os, sys
import gevent, gevent.monkey, gevent.os, gnet

def handler(sock):
    for chunk in sock:
        sock.sendall(str(os.getpid()).encode())

server = gnet.create_server(handler)
server.listen({{'path': 'x.sock'}})
reader, writer = os.pipe()
if not {fork}():
    {child}
else:
    # The child has the other one, until its end. Patched, os.close() would wait for some event.
    gevent.monkey.get_original('os', 'close')(writer)
    server.on('listening', lambda: print(os.getpid(), flush=True))
    gevent.spawn(lambda: print('ended', gevent.os.tp_read(reader, 1), flush=True))
    gnet.run()
"""


@pytest.mark.parametrize('fork', ['os.fork', 'gevent.os.fork', 'gevent.os.fork_and_watch'])
@pytest.mark.parametrize('child', ['pass', 'sys.exit(0)', 'os._exit(0)', 'server.close()'])
def test_a_forked_child_does_not_serve_on_and_leaves_the_parents_socket_alone(
    start_script: Any, connect: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    fork: str, child: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    running = start_script(FORKING.format(fork=fork, child=child))
    lines = {running.read_line(), running.read_line()}
    assert "ended b''" in lines
    (parent,) = lines - {"ended b''"}
    peer = connect('x.sock')
    peer.sendall(b'who?')
    assert peer.recv(10).decode() == parent
    peer.close()
    running.send_signal(signal.SIGTERM)
    assert running.wait()[::2] == (-signal.SIGTERM, '')
