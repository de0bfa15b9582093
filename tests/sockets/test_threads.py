"""Sockets and servers belong to the thread of their loop, and say so in any other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gevent
import pytest
from gevent import monkey

import gnet
from gnet.loop.loop import get_loop
from gnet.node.spelling import camel
from gnet.sockets.own_thread import LETTING_GO, SERVER_LETTING_GO, SERVER_USES, USES

from ..harness.connections import Connection, code
from ..harness.families import Family
from ..harness.waiting import PATIENCE, until

Hold = Callable[..., Connection]
Serve = Callable[..., gnet.Server]

_start = monkey.get_original('_thread', 'start_new_thread')


def refused(native: Any, call: Callable[[], object]) -> None:
    """Make *call* in another thread, which must raise there."""
    with pytest.raises(gnet.CodedRuntimeError, match=r'gnet\.call_from_thread\(') as caught:
        native(call)
    assert code(caught.value) == 'ERR_FOREIGN_THREAD'


#: Each name that does something, with arguments that it would take.
ARGUMENTS: dict[str, tuple[Any, ...]] = {
    'add_listener': ('x', print), 'connect': (1,), 'connect_ex': (('127.0.0.1', 1),),
    'end': (b'x',), 'off': ('x', print), 'on': ('data', print), 'once': ('end', print),
    'pipe': (gnet.Socket,), 'prepend_listener': ('x', print),
    'prepend_once_listener': ('x', print), 'recv': (9,), 'recv_into': (bytearray(9),),
    'remove_listener': ('x', print), 'send': (b'x',), 'sendall': (b'x',), 'sendfile': (None,),
    'set_default_encoding': ('hex',), 'set_encoding': ('hex',), 'set_max_listeners': (2,),
    'set_timeout': (9,), 'set_type_of_service': (0,), 'setblocking': (True,),
    'setsockopt': (1, 2, 3), 'settimeout': (9,), 'shutdown': (1,), 'unshift': (b'x',),
    'write': (b'x',),
}
OF_THE_HOT_PATH = ('end', 'recv', 'send', 'sendall', 'write')

#: What only looks, and what calls the program's listeners for it.
LOOKING = {
    'address', 'capture_rejection', 'emit', 'event_names', 'fileno', 'from_socket',
    'get_max_listeners', 'get_type_of_service', 'getblocking', 'getpeername', 'getsockname',
    'getsockopt', 'gettimeout', 'is_paused', 'listener_count', 'listeners', 'raw_listeners',
}


def names_of(cls: type) -> set[str]:
    """Return the public methods of *cls*, in the one spelling."""
    return {
        name for name in dir(cls)
        if not name.startswith('_') and callable(getattr(cls, name)) and name == name.lower()}


def test_each_name_of_a_socket_is_thought_of() -> None:
    assert names_of(gnet.Socket) == {*USES, *LETTING_GO, *OF_THE_HOT_PATH, *LOOKING}


@pytest.mark.parametrize('style', [str, camel], ids=['python', 'node'])
def test_each_name_that_does_something_says_so(
    hold: Hold, family: Family, native: Any, style: Callable[[str], str],
) -> None:
    c = hold(target=family.listen_options)
    for name in {*USES, *LETTING_GO, *OF_THE_HOT_PATH}:
        verb = getattr(c.sock, style(name))
        refused(native, lambda verb=verb, name=name: verb(*ARGUMENTS.get(name, ())))
    refused(native, lambda: c.sock.on('data')(print))
    refused(native, lambda: list(c.sock))
    refused(native, lambda: next(iter(c.sock)))
    # Nothing has happened.
    c.peer.sendall(b'in')
    assert c.sock.recv(9) == b'in'
    c.sock.sendall(b'out')
    assert c.peer.recv_exactly(3) == b'out'
    assert c.sock.gettimeout() is None


@pytest.mark.parametrize('state', ['arrived', 'blocked', 'nothing', 'ended'])
def test_reading_there_is_refused_whatever_has_arrived(
    hold: Hold, native: Any, state: str,
) -> None:
    c = hold()
    c.peer.sendall(b'first')
    assert c.sock.recv(9) == b'first'
    reading = None
    if state == 'arrived':
        c.peer.sendall(b'second')
        until(lambda: c.sock.bytes_read == 11)
    elif state == 'blocked':
        reading = gevent.spawn(c.sock.recv, 9)
        until(lambda: c.sock._wire.reader)
    elif state == 'ended':
        c.peer.end()
        until(lambda: c.sock._wire.ended)
    for verb in (
        lambda: c.sock.recv(9), lambda: next(iter(c.sock)), lambda: c.sock.recv_into(bytearray(9)),
        lambda: c.sock.recv(9, 2), lambda: c.sock.recv_into(bytearray()),
    ):
        refused(native, verb)
    if state != 'ended':
        if state != 'arrived':
            c.peer.sendall(b'second')
        got = c.sock.recv(9) if reading is None else reading.get(timeout=PATIENCE)
        assert got == b'second'


def test_a_file_asks_before_the_connection_is_told_who_waits(hold: Hold, native: Any) -> None:
    c = hold()
    file = c.sock.makefile('rb')
    told: list[Any] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(c.sock), 'recv_into', lambda self, buffer: told.append(buffer))
        refused(native, file.readline)
    assert told == []
    c.peer.sendall(b'line\n')
    assert file.readline() == b'line\n'
    file.close()


def test_a_listener_in_another_thread_is_no_listener_of_this_one(
    hold: Hold, foreign: Any,
) -> None:
    c = hold()
    c.sock.on('data', c.sock.write)
    c.peer.sendall(b'x')
    assert c.peer.recv_exactly(1) == b'x'  # a listener of this thread has written, unasked

    def elsewhere() -> list[Any]:
        told: list[Any] = []

        def listener() -> None:
            with pytest.raises(gnet.CodedRuntimeError) as caught:
                c.sock.write(b'y')
            told.append(code(caught.value))

        get_loop().tick(listener)
        until(lambda: told)
        return told

    assert foreign(elsewhere) == ['ERR_FOREIGN_THREAD']
    c.sock.write(b'z')
    assert c.peer.recv_exactly(1) == b'z'


def test_what_only_looks_may_be_used_anywhere(hold: Hold, serve: Serve, native: Any) -> None:
    c = hold()

    def look() -> Any:
        return (
            c.sock.remote_port, c.sock.address(), c.sock.fileno(), c.sock.getsockname(),
            c.sock.destroyed, c.sock.bytes_read, c.sock.listener_count('data'), repr(c.sock),
            c.sock.server.address(), c.sock.server.listening, repr(c.sock.server))

    assert native(look) == look()


@pytest.mark.parametrize('verb', [
    'listen(0)', 'close()', 'stop()', 'stop(0)', 'serve_forever()', 'ref()', 'unref()',
    'get_connections()', 'get_connections(print)', '__exit__(None, None, None)',
    '__setattr__("max_connections", 1)', '__setattr__("drop_max_connection", True)',
    '__setattr__("block_list", None)',
    '__setattr__("connection_rate", None)',
    '__setattr__("max_connections_policy", "wait")',
])
@pytest.mark.parametrize('state', ['listens', 'has a connection'])
def test_a_server_says_so_too(
    hold: Hold, native: Any, verb: str, state: str,
) -> None:
    server = hold().sock.server
    if state != 'listens':
        server.close()
    refused(native, lambda: eval(f'server.{verb}', {'server': server}))
    assert server.listening == (state == 'listens')
    assert server.get_connections() == 1


#: What only looks at a server.
SERVER_LOOKING = {
    'address', 'capture_rejection', 'emit', 'event_names', 'get_max_listeners', 'listener_count',
    'listeners', 'raw_listeners',
}


def test_each_name_of_a_server_is_thought_of() -> None:
    assert names_of(gnet.Server) == {*SERVER_USES, *SERVER_LETTING_GO, *SERVER_LOOKING}


@pytest.mark.parametrize('style', [str, camel], ids=['python', 'node'])
@pytest.mark.parametrize('state', ['listens', 'has a connection'])
def test_a_servers_listeners_are_its_threads_own(
    hold: Hold, family: Family, native: Any, style: Callable[[str], str], state: str,
) -> None:
    server = hold(target=family.listen_options).sock.server
    if state != 'listens':
        server.close()
    before = {event: server.listeners(event) for event in server.event_names()}
    limit = server.get_max_listeners()
    for name in (
        'add_listener', 'off', 'on', 'once', 'prepend_listener', 'prepend_once_listener',
        'remove_listener',
    ):
        refused(native, lambda name=name: getattr(server, style(name))(
            'connection', before['connection'][0]))
    for name in ('remove_all_listeners', 'set_max_listeners'):
        refused(native, lambda name=name: getattr(server, style(name))())
        refused(native, lambda name=name: getattr(server, style(name))(3))
    refused(native, lambda: server.on('connection')(print))
    refused(native, lambda: gnet.on(server, 'connection'))
    refused(native, lambda: gnet.once(server, 'connection', timeout=PATIENCE))
    assert {event: server.listeners(event) for event in server.event_names()} == before
    assert server.get_max_listeners() == limit


def test_a_server_that_does_not_listen_is_free_for_any_thread(native: Any) -> None:
    def use() -> list[Any]:
        server.on('close', print)
        server.once('error', print)
        server.off('close', print)
        server.set_max_listeners(3)
        server.max_connections = 4
        server.block_list = None
        server.remove_all_listeners('connection')
        return server.event_names()

    server = gnet.create_server(print)
    assert native(use) == ['error']


# --- two threads --------------------------------------------------------------------------------


@pytest.mark.parametrize('end', ['gnet.run()', 'server.serve_forever()'])
def test_two_threads_may_use_gnet_each_with_what_is_its_own(run_script: Any, end: str) -> None:
    # Native threads, also where threads are patched: each has a hub of its own.
    assert run_script(f"""
        import gevent, gevent.socket, gnet
        from gevent import monkey
        # First: two threads that make a hub, or look a name up, at the same time import at the same
        # time, and wait for each other for ever, on locks of importing that gevent has patched.
        gevent.socket.getaddrinfo('localhost', 0)
        start = monkey.get_original('_thread', 'start_new_thread')
        lock = monkey.get_original('_thread', 'allocate_lock')

        def handler(sock):
            for chunk in sock:
                sock.sendall(chunk.upper())
            sock.server.close()

        def serve(said):
            server = gnet.create_server(handler).listen(0)
            with gnet.connect(server.address().port) as sock:
                sock.sendall(b'hello')
                said.append(sock.recv(5))
                sock.write(b'again')
                said.append(next(iter(sock)))
            {end}
            said.append('over')

        here, there, over = [], [], lock()
        over.acquire()
        start(lambda: (serve(there), over.release()), ())
        serve(here)
        over.acquire()
        print(here, there)
    """) == (0, f"{[b'HELLO', b'AGAIN', 'over']} {[b'HELLO', b'AGAIN', 'over']}\n", '')


def test_threads_of_a_patched_program_are_greenlets_of_one_thread(run_script: Any) -> None:
    assert run_script("""
        import threading, gnet

        def handler(sock):
            for chunk in sock:
                sock.sendall(chunk)
            sock.server.close()

        server = gnet.create_server(handler).listen(0)
        said = []

        def client():
            sock.sendall(b'x')
            said.append(sock.recv(1))
            sock.close()

        sock = gnet.connect(server.address().port)
        thread = threading.Thread(target=client)
        thread.start()
        thread.join()
        gnet.run()
        print(said)
    """, launcher=['-m', 'gevent.monkey']) == (0, "[b'x']\n", '')


# --- the end of a thread ------------------------------------------------------------------------


@pytest.mark.parametrize('state', ['', '.pause()'], ids=['reading', 'paused'])
def test_a_socket_whose_hub_was_destroyed_closes_when_it_is_forgotten(
    run_script: Any, state: str,
) -> None:
    loop = type(gevent.get_hub().loop).__module__
    if 'libuv' in loop and not state:
        pytest.skip("destroying a hub that has a watcher hangs (gevent's, without gnet)")
    if 'corecext' in loop and not state:
        pytest.skip('a watcher that was active when its loop was destroyed stays in memory')
    finished = run_script(f"""
        import gc, os, warnings, gevent, gnet
        from gevent import monkey
        warnings.simplefilter('always')
        peer = monkey.get_original('socket', 'socket')()
        peer.bind(('127.0.0.1', 0))
        peer.listen()

        def use():
            sock = gnet.Socket(){state}.connect(peer.getsockname()[1])
            gnet.once(sock, 'connect')
            kept.append(sock)
            descriptors.append(sock.fileno())

        def thread():
            use()
            gevent.get_hub().destroy(destroy_loop=True)
            kept.clear()
            gc.collect()
            over.release()

        over = monkey.get_original('_thread', 'allocate_lock')()
        over.acquire()
        descriptors, kept = [], []
        monkey.get_original('_thread', 'start_new_thread')(thread, ())
        over.acquire()
        print(os.path.exists(f'/proc/self/fd/{{descriptors[0]}}'), flush=True)
        os._exit(0)
    """)
    assert (finished.status, finished.stdout) == (0, 'False\n')
    assert 'ResourceWarning: unclosed <gnet.Socket 127.0.0.1:' in finished.stderr
    assert 'Traceback' not in finished.stderr
