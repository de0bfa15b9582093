"""``gnet.live()``: what keeps a program alive, what does not, and where it waits."""

from __future__ import annotations

import io
import json
import os
import re
import socket
import sys
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import gevent
import pytest
from gevent import monkey, subprocess
from gevent.event import Event

import gnet
from gnet.loop import forks
from gnet.observing.entries import Kind
from gnet.observing.live_text import line_of as line_of_entry
from gnet.servers.roster import roster

from ..harness.families import Family
from ..harness.plain import PlainSocket
from ..harness.proxied import CLIENT, V1, trusting
from ..harness.waiting import until


def entries(kind: str, **wanted: Any) -> list[gnet.LiveEntry]:
    """Return the entries of *kind* that have these values."""
    return [each for each in gnet.live().of(kind)
            if all(getattr(each, name) == value for name, value in wanted.items())]


def line_of(function: Callable[..., Any], mark: str) -> int:
    """Return the number of the line of *function* that ends with the comment *mark*."""
    code = function.__code__
    with open(code.co_filename, encoding='utf-8') as source:
        lines = list(source)
    return next(number for number, line in enumerate(lines, 1)
                if number >= code.co_firstlineno and line.endswith(f'# {mark}\n'))


def test_a_kind_is_shown_as_the_str_that_it_is() -> None:
    for kind in Kind:
        assert [str(kind), f'{kind}', f'{kind:>9}', json.loads(json.dumps(kind))] == [
            kind.value, kind.value, f'{kind.value:>9}', kind.value]


def test_a_server_and_its_connection_are_told_with_all_that_is_known(
    serve: Any, connect: Any, family: Family,
) -> None:
    socks: list[gnet.Socket] = []
    server = serve(socks.append, target=family.listen_options)
    peer = connect(server)
    peer.sendall(b'hello')
    until(lambda: socks and socks[0].bytes_read == 5)
    found = {each.id: each for each in gnet.live()}
    where, sock = found[id(server)], found[id(socks[0])]
    assert (where.kind, where.state, where.connections) == ('server', 'listening', 1)
    assert (where.keeps_alive, where.referenced) == (True, True)
    place = where.local
    assert place is not None
    assert (sock.state, sock.server, sock.local) == ('open', place, place)
    assert (sock.bytes_read, sock.bytes_written, sock.queued) == (5, 0, 0)
    assert 0 <= (sock.age or 0) <= (where.age or 0)
    if family.name == 'unix':
        assert place == str(server.address())
        if sys.platform == 'linux':
            assert sock.peer is not None
            assert sock.peer.startswith('pid ')
    else:
        host = f'[{family.host}]' if family.name == 'ipv6' else family.host
        assert place == f'{host}:{server.address().port}'
        assert str(sock.peer).rpartition(':')[2] == str(peer.getsockname()[1])
    socks[0].destroy()
    assert entries('socket', id=id(socks[0])) == []


def test_what_was_unreferenced_keeps_nothing_alive(serve: Any, connect: Any) -> None:
    socks: list[gnet.Socket] = []
    server = serve(socks.append).unref()
    peer = connect(server)
    until(lambda: socks)
    until(lambda: entries('handler') == [])
    assert entries('socket', id=id(socks[0]), keeps_alive=True, referenced=True)
    socks[0].unref()
    assert entries('socket', id=id(socks[0]), keeps_alive=False, referenced=False)
    assert entries('server', id=id(server), keeps_alive=False, referenced=False)
    assert entries('hold') == []
    peer.close()


def test_a_handler_that_waits_is_told_with_its_line(serve: Any, connect: Any) -> None:
    go = Event()

    def handler(sock: gnet.Socket) -> None:
        sock.recv(10)
        wait()

    def wait() -> None:
        go.wait()  # here

    server = serve(handler)
    peer = connect(server)
    until(lambda: entries('handler'))
    waiting, = entries('handler')
    assert waiting.where is not None
    assert (waiting.where.function, waiting.state) == ('handler', 'waiting')
    peer.sendall(b'x')
    until(lambda: entries('handler')[0].where.function == 'wait')  # type: ignore[union-attr]
    waiting, = entries('handler')
    assert waiting.where == (__file__, line_of(wait, 'here'), 'wait')
    assert [place.function for place in waiting.stack][-2:] == ['handler', 'wait']
    assert (waiting.keeps_alive, waiting.server) == (True, f'127.0.0.1:{server.address().port}')
    assert str(waiting.peer).endswith(f':{peer.getsockname()[1]}')
    go.set()
    until(lambda: not entries('handler'))


def test_a_listener_that_blocks_is_told_and_so_is_who_asks(serve: Any, connect: Any) -> None:
    go, seen = Event(), []

    def blocked(chunk: bytes) -> None:
        seen.append(entries('listener', state='running'))
        go.wait()

    server = serve(lambda sock: sock.on('data', blocked))
    connect(server).sendall(b'x')
    until(lambda: entries('listener', state='waiting'))
    assert [place.function for place in seen[0][0].stack][-2:] == ['blocked', 'entries']
    assert entries('listener')[0].where.function == 'blocked'  # type: ignore[union-attr]
    go.set()
    until(lambda: not entries('listener'))


def test_what_is_queued_and_what_is_unread_are_told(serve: Any, connect: Any) -> None:
    size = 8 << 20

    def handler(sock: gnet.Socket) -> None:
        sock.pause()
        sock.write(bytes(size))

    server = serve(handler)
    peer = connect(server)
    peer.sendall(b'hello')
    until(lambda: entries('socket', unread=5))
    sock, = entries('socket', unread=5)
    assert sock.bytes_written == size
    assert sock.queued == size
    assert len(peer.recv_exactly(size)) == size
    until(lambda: entries('socket', queued=0, bytes_written=size))


def test_a_connection_that_is_being_made_says_where_to() -> None:
    with socket.create_server(('127.0.0.1', 0), backlog=0) as full:
        port = full.getsockname()[1]
        made = [gnet.connect(port, '127.0.0.1')]
        until(lambda: not made[0].connecting)
        asking = gnet.connect(port, 'nowhere.invalid', lookup=lambda *_: None)
        entry, = entries('socket', id=id(asking))
        assert (entry.state, entry.peer) == ('opening', f'nowhere.invalid:{port}')
        assert entry.local is None
        assert (entry.keeps_alive, entry.age is not None) == (True, True)
        mine, = entries('socket', id=id(made[0]))
        assert (mine.peer, mine.server) == (f'127.0.0.1:{port}', None)
        assert mine.local == f'127.0.0.1:{made[0].local_port}'
        for sock in (*made, asking):
            sock.destroy()


def test_a_connection_that_waits_for_its_proxys_header_is_told(
    serve: Any, connect: Any, family: Family,
) -> None:
    server = serve(lambda _: None, target=family.listen_options, **trusting())
    peer = connect(server)
    until(lambda: entries('socket', state='awaiting header'))
    waiting, = entries('socket')
    assert (waiting.keeps_alive, waiting.bytes_read) == (True, None)
    assert 0 <= (waiting.age or 0) <= (entries('server', id=id(server))[0].age or 0)
    place = entries('server', id=id(server))[0].local
    assert (waiting.local, waiting.server) == (place, place)
    if family.name == 'unix':
        assert sys.platform != 'linux' or str(waiting.peer).startswith('pid ')
    else:
        assert str(waiting.peer).rpartition(':')[2] == str(peer.getsockname()[1])
    assert entries('hold') == []
    peer.sendall(V1)
    until(lambda: entries('socket', peer=f'{CLIENT.address}:{CLIENT.port}', state='open'))
    assert len(entries('socket')) == 1


def test_greenlets_and_timers_of_the_program_are_told() -> None:
    def sleeper() -> None:
        gevent.sleep(3600)

    def lock() -> None:
        Event().wait()

    asleep, later, stuck = (
        gevent.spawn(sleeper), gevent.spawn_later(3600, sleeper), gevent.spawn(lock))
    timer = gevent.get_hub().loop.timer(3600)
    timer.start(line_of, sleeper)
    idle = gevent.get_hub().loop.timer(3600, ref=False)
    idle.start(sleeper)
    gevent.sleep(0)
    try:
        found = {each.id: each for each in gnet.live()}
        assert found[id(asleep)].keeps_alive is True
        assert found[id(asleep)].where.function == 'sleeper'  # type: ignore[union-attr]
        assert (found[id(later)].state, found[id(later)].keeps_alive) == ('starting', True)
        # Nothing that is known would let it go on.
        assert found[id(stuck)].keeps_alive is None
        assert (found[id(timer)].name, found[id(timer)].keeps_alive) == ('timer: line_of', True)
        assert found[id(idle)].keeps_alive is False
        main, = (each for each in found.values() if each.name == 'main')
        assert main.state == 'running'
        assert main.where is not None
        assert main.where.file == __file__
    finally:
        for each in (timer, idle):
            each.stop()
            each.close()
        gevent.killall([asleep, later, stuck])


def test_processes_are_told_as_long_as_they_run() -> None:
    plain = subprocess.Popen([sys.executable, '-c', 'input()'], stdin=subprocess.PIPE)
    entry, = entries('process', child=plain.pid)
    assert entry.name is not None
    assert entry.name.endswith('-c input()')
    assert (entry.age is not None) is (sys.platform == 'linux')
    plain.communicate(b'\n')
    assert entries('process', child=plain.pid) == []


@pytest.mark.parametrize('kind', [gnet.Socket, gnet.Server, subprocess.Popen])
def test_what_is_in_the_middle_of_its_making_hides_nothing_else(kind: Any, serve: Any) -> None:
    """As when a signal handler asks."""
    server = serve()
    half = kind.__new__(kind)
    half.pid = 1
    found = gnet.live()
    assert id(server) in {each.id for each in found.of('server')}
    told, = (each for each in found if each.id == id(half))
    assert (told.state, told.keeps_alive) == ('unreadable', None)
    assert str(told.name) == f'{kind.__name__}: AttributeError'


@pytest.mark.parametrize('kind', [str, os.fsencode, Path])
def test_a_command_may_be_any_that_subprocess_takes(kind: Any) -> None:
    program = kind('/bin/cat')
    for command in (program, [program]):
        with subprocess.Popen(command, stdin=subprocess.PIPE) as cat:
            assert [each.name for each in entries('process', child=cat.pid)] == ['/bin/cat']
            cat.communicate()


def test_a_watcher_that_is_closed_and_still_referenced_is_none() -> None:
    loop = gevent.get_hub().loop
    closed = [loop.child(os.getpid()), loop.timer(1), loop.async_(), loop.signal(23)]
    for each in closed:
        each.close()
    assert not {each.id for each in gnet.live()} & set(map(id, closed))


def test_one_line_each_the_oldest_first(serve: Any, connect: Any) -> None:
    first, second = serve(lambda _: None), serve(lambda sock: sock.recv(1))
    peer = connect(second)
    until(lambda: entries('handler'))
    text = io.StringIO()
    found = gnet.live()
    found.print(text)
    lines = text.getvalue().splitlines()
    assert len(lines) == len(found) + 1
    # (Fixtures of a session, which other tests have, may have servers, too.)
    told = re.match(
        rf'gnet: alive in process {found.pid}, \* keeps it so: .*?\b(\d+) servers', lines[0])
    assert told is not None
    assert int(told[1]) >= 2
    ages = [each.age for each in found if each.age is not None]
    assert ages == sorted(ages, reverse=True)
    port = first.address().port
    of_first = rf'\* server +\d+\.\ds  127\.0\.0\.1:{port}  listening  connections 0$'
    assert any(re.match(of_first, line) for line in lines)
    handler, = (line for line in lines if line.startswith('* handler'))
    assert handler.endswith(f'<- 127.0.0.1:{peer.getsockname()[1]}  waiting  '
                            f'at {__file__}:{_second_line()} in <lambda>')


def test_a_line_is_one_line_whatever_others_call_themselves(serve: Any) -> None:
    """The name of a peer at a unix socket is the peer's; commands may be of any text."""
    with tempfile.TemporaryDirectory(prefix='gnet-') as directory, PlainSocket(
        socket.AF_UNIX,
    ) as peer:
        serve(lambda sock: sock.resume(), target={'path': f'{directory}/server'})
        peer.bind(f'{directory}/a\n* server\x1b]0;b\x07\udcff')
        peer.connect(f'{directory}/server')
        until(lambda: entries('socket', state='open'))
        found = gnet.live()
        lines = found.lines()
        assert len(lines) == len(found) + 1
        assert all(line.isprintable() for line in lines)
        name = r'a\n* server\x1b]0;b\x07\udcff'
        assert any(f'{directory}/server <- {directory}/{name}  open' in line for line in lines)
    entry = gnet.LiveEntry(Kind.PROCESS, True, name='x' * 5000 + '\n')
    assert line_of_entry(entry).endswith(f'  {"x" * 100}…')


def _second_line() -> int:
    test = test_one_line_each_the_oldest_first
    return test.__code__.co_firstlineno + 1


def test_an_entry_is_what_json_has(serve: Any, connect: Any) -> None:
    server = serve(lambda sock: sock.recv(1))
    connect(server)
    until(lambda: entries('handler'))
    for entry in gnet.live():
        given = json.loads(json.dumps(entry.as_dict()))
        assert None not in {name: each for name, each in given.items()
                            if name != 'keeps_alive'}.values()
        assert given['kind'] == entry.kind


def test_looking_keeps_nothing_in_memory(serve: Any, connect: Any) -> None:
    """What is looked at by Python's collector is let go of; nor are handlers made anew for it."""
    # What other tests have left to the collector: sockets whose making has failed, say.
    before = {each.id for each in gnet.live()}
    server = serve(lambda sock: sock.end(b'bye'))
    for _ in range(3):
        peer = connect(server)
        gnet.live()
        assert peer.recv_until_end() == b'bye'
        peer.close()
    until(lambda: server.get_connections() == 0)
    assert [
        each for each in gnet.live()
        if each.kind in ('socket', 'handler') and each.id not in before] == []


@pytest.mark.skipif(monkey.is_module_patched('threading'), reason='they are greenlets')
def test_native_threads_are_told() -> None:
    """Python waits at its end for one that is no daemon."""
    go = threading.Event()

    def work() -> None:
        go.wait()

    threads = [threading.Thread(target=work, name=name, daemon=name == 'daemon')
               for name in ('plain', 'daemon')]
    for each in threads:
        each.start()
    with ThreadPoolExecutor(1, 'pool') as executor:
        executor.submit(work)
        try:
            until(lambda: len([each for each in entries('thread') if each.where is not None
                               and each.where.function == 'work']) == 3)
            found = {str(each.name): each.keeps_alive for each in entries('thread')}
        finally:
            go.set()
    for each in threads:
        each.join()
    assert found == {'plain': True, 'daemon': False, 'pool_0': None}
    assert entries('thread') == []


class Unused:
    """Stands for a server of another thread, and for its loop."""

    is_usable = False


def test_it_may_be_asked_while_another_thread_begins() -> None:
    stay = [Unused() for _ in range(2000)]
    for each in stay:
        roster.servers[each] = 0.0
        forks.remember(each)
    done: list[bool] = []
    turns: list[bool] = []

    def churn() -> None:
        while not done:
            more = [Unused() for _ in range(20)]
            for each in more:
                roster.servers[each] = 0.0
                forks.remember(each)
            turns.append(True)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    thread = gevent.get_hub().threadpool.spawn(churn)
    try:
        until(lambda: turns)
        for _ in range(10):
            gnet.live()
    finally:
        done.append(True)
        thread.get()
        sys.setswitchinterval(before)


def test_a_forked_child_is_told_that_it_has_nothing(run_script: Any) -> None:
    ended = run_script("""
        import os
        import gnet

        server = gnet.create_server().listen(0)
        if os.fork() == 0:
            try:
                gnet.live()
            except gnet.CodedRuntimeError as error:
                os.write(1, f'{error.code}\\n'.encode())
            os._exit(0)
        os.wait()
        server.close()
    """)
    assert ended.stdout == 'ERR_FORKED_PROCESS\n'


@pytest.mark.parametrize('name', ['live', 'watchHub', 'watch_hub', 'Live', 'LiveEntry'])
def test_the_names_are_gnets(name: str) -> None:
    assert getattr(gnet, name).__module__ == 'gnet'
