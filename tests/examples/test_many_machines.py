"""``examples/many_machines/``: HAProxy, nodes, and Redis; what is counted; and each part alone."""

from __future__ import annotations

import errno
import importlib
import json
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import gevent
import pytest
from gevent import subprocess

import gnet

from ..harness.native import Peer
from ..harness.plain import PlainSocket
from ..harness.programs import Daemon, find_program, import_package
from ..harness.scripts import Running
from ..harness.waiting import PROCESS_PATIENCE, until
from .common import EXAMPLES, read_line

DIRECTORY = EXAMPLES / 'many_machines'


@pytest.fixture(scope='module')
def module() -> Iterator[Callable[[str], ModuleType]]:
    """``module(name)`` imports a file of the example, which is forgotten after the tests."""
    import_package('redis', 'redis')
    names: list[str] = []
    sys.path.insert(0, str(DIRECTORY))

    def load(name: str) -> ModuleType:
        before = set(sys.modules)
        loaded = importlib.import_module(name)
        names.extend(
            each for each in set(sys.modules) - before
            if str(DIRECTORY) in str(getattr(sys.modules[each], '__file__', '')))
        return loaded

    yield load
    sys.path.remove(str(DIRECTORY))
    for name in names:
        sys.modules.pop(name, None)


@pytest.fixture(scope='module')
def redis_url() -> Iterator[str]:
    """A Redis that keeps nothing on disk."""
    import_package('redis', 'redis')
    with tempfile.TemporaryDirectory(prefix='gnet-') as directory:
        path = f'{directory}/redis'
        daemon = Daemon(
            [find_program('redis-server', 'redis-server'), '--port', '0', '--unixsocket', path,
             '--save', '', '--appendonly', 'no', '--dir', directory],
            Path(directory), 'eady to accept connections')
        yield f'unix://{path}'
        daemon.stop()


# --- all of it ------------------------------------------------------------------------------------


@pytest.mark.timeout(180)  # some twenty seconds of waiting for what is broken to be noticed
def test_whatever_is_broken_nobody_is_refused_and_nothing_is_lost_or_heard_twice(
    run_script: Any,
) -> None:
    for name, package in (
        ('haproxy', 'haproxy'), ('redis-server', 'redis-server'), ('setpriv', 'util-linux'),
    ):
        find_program(name, package)
    import_package('redis', 'redis')
    ended = run_script(DIRECTORY / 'break_things.py', '--small', launcher=[], timeout=150)
    assert ended.status == 0, ended
    assert 'Traceback' not in ended.stderr
    counts = json.loads(ended.stdout)
    assert counts['broken'] == {
        'kill a node': 1, 'reload a node': 1, 'kill a worker': 1, 'hang a node': 1,
        'drain a node': 1, 'restart the bus': 1, 'hang the bus': 1}
    assert counts['said'] > 100
    assert counts['acknowledged'] == counts['said']
    assert counts['heard'] == 4 * counts['said']  # twelve members in three rooms
    assert counts['lost'] == counts['heard twice'] == counts['heard, never acknowledged'] == 0
    assert counts['refused'] == []
    # It was broken indeed, and people were told.
    assert counts['told to try again'] > 0
    assert counts['asked to move'] > 0
    assert counts['connections of members'] > 12
    assert set(counts['new connections answered']) == {'node1', 'node2'}


def test_all_of_it_is_started_and_a_line_of_the_terminal_is_heard(start_script: Any) -> None:
    for name in ('haproxy', 'redis-server'):
        find_program(name, name)
    chat = start_script(DIRECTORY / 'run.py', '--nodes', '1', '--workers', '1', launcher=[])
    port = chat.wait_for(r'^the chat is on 127\.0\.0\.1:(\d+); ')[1]
    client = start_script(
        DIRECTORY / 'client.py', port, 'lobby', 'bob', launcher=['-m', 'gnet'])
    client.write('hello\n')
    client.wait_for(r'^bob: hello$')
    assert client.wait()[::2] == (0, '')
    chat.send_signal(signal.SIGINT)
    assert chat.wait()[::2] == (0, '')
    with PlainSocket() as sock:
        assert sock.connect_ex(('127.0.0.1', int(port))) == errno.ECONNREFUSED


@pytest.mark.parametrize('nodes', [1, 3])
def test_haproxy_takes_its_configuration(nodes: int, tmp_path: Path) -> None:
    places = {f'NODE_{number}': f'127.0.0.1:{7000 + number}' for number in range(1, nodes + 1)}
    ended = subprocess.run(
        [find_program('haproxy', 'haproxy'), '-c', '-f', str(DIRECTORY / 'haproxy.cfg')],
        env={**os.environ, **places, 'CHAT': '127.0.0.1:7000', 'ADMIN': '/run/x'},
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    assert (ended.returncode, ended.stdout) == (0, b'Configuration file is valid\n')


# --- what is counted ------------------------------------------------------------------------------


def said_to(server: gnet.Server, answer: Callable[[Any, dict[str, Any]], None]) -> None:
    """Have *server* be a node of the test: *answer* gets each request."""
    @server.on('connection')
    def serve(sock: Any) -> None:
        with sock.makefile('rb') as lines:
            for line in lines:
                answer(sock, json.loads(line))


def tell(sock: Any, **message: Any) -> None:
    sock.write(json.dumps(message) + '\n')


@pytest.fixture
def place() -> Iterator[gnet.Server]:
    """A server that listens on a free port."""
    server = gnet.create_server().listen(0, '127.0.0.1')
    gnet.once(server, 'listening', timeout=10)
    yield server
    server.stop(0)


def test_what_is_lost_or_heard_twice_is_counted(
    module: Callable[[str], Any], place: gnet.Server,
) -> None:
    socks: list[Any] = []

    def answer(sock: Any, request: dict[str, Any]) -> None:
        if 'join' in request:
            socks.append(sock)
            tell(sock, joined=request['join'], missed=False)
            return
        text = request['say']
        at = {'1': '1-0', '2': '2-0', '3': '3-0'}[text]
        for each in socks:
            if text != '2' or each is sock:  # the second message reaches only who says it
                tell(each, at=at, id=request['id'], text=text, **{'from': request['from']})
        if text == '3':  # the third one comes a second time, and as if it were another one
            for each in socks:
                tell(each, at='3-0', id=request['id'], text=text, **{'from': request['from']})
                tell(each, at='4-0', id=request['id'], text=text, **{'from': request['from']})
        tell(sock, ack=request['id'], at=at)

    said_to(place, answer)
    crowd = module('crowd').Crowd('127.0.0.1', place.address().port, 2, 1)
    until(crowd.all_joined)
    for _ in range(3):
        crowd.say(0)
        until(lambda: not crowd.members[0].unacknowledged)
    until(lambda: crowd.deliveries() == 7)
    assert (crowd.lost(), crowd.twice(), crowd.total('repeated')) == (1, 2, 2)
    assert not crowd.is_quiet()
    crowd.leave()


def test_a_client_comes_again_and_says_again_what_was_not_acknowledged(
    module: Callable[[str], Any], place: gnet.Server,
) -> None:
    requests: list[dict[str, Any]] = []

    def answer(sock: Any, request: dict[str, Any]) -> None:
        requests.append(request)
        if 'join' in request:
            tell(sock, joined='lobby', missed=False)
        elif len(requests) == 2:
            tell(sock, at='7-1', id='9', text='hello', **{'from': 'bob'})
            sock.end()  # without a word
        elif sock.writable:
            tell(sock, ack=request['id'], at='7-2')

    said_to(place, answer)
    heard: list[str] = []
    client = module('client').Client(
        '127.0.0.1', place.address().port, 'lobby', 'ann',
        lambda message: heard.append(message['text']))
    client.say('one')
    client.say('two')
    until(lambda: not client.unacknowledged)
    sender = requests[1]['from']
    assert sender.startswith('ann.')
    assert requests[0] == {'join': 'lobby'}
    assert requests[1] == {'say': 'one', 'id': '1', 'from': sender}
    assert requests[-3:] == [
        {'join': 'lobby', 'after': '7-1'}, {'say': 'one', 'id': '1', 'from': sender},
        {'say': 'two', 'id': '2', 'from': sender}]
    assert heard == ['hello']
    client.leave()


def test_a_client_asks_who_is_silent_and_leaves_who_does_not_answer(
    module: Callable[[str], Any], place: gnet.Server, monkeypatch: pytest.MonkeyPatch,
) -> None:
    requests: list[str] = []

    def answer(sock: Any, request: dict[str, Any]) -> None:
        (kind, *_) = request
        requests.append(kind)
        if 'join' in request:
            tell(sock, joined='lobby', missed=False)
        elif requests.count('ping') == 1:
            tell(sock, pong='node')

    said_to(place, answer)
    monkeypatch.setattr(module('client'), 'PING', 0.05)
    monkeypatch.setattr(module('client'), 'ANSWER', 0.5)
    client = module('client').Client(
        '127.0.0.1', place.address().port, 'lobby', 'ann', lambda message: None)
    until(lambda: client.connections == 2)
    assert requests[:4] == ['join', 'ping', 'ping', 'join']
    client.leave()


# --- the bus --------------------------------------------------------------------------------------


@pytest.fixture
def bus(module: Callable[[str], Any], redis_url: str) -> Iterator[Any]:
    made = module('bus').Bus(redis_url)
    yield made
    made.close()


def test_what_is_said_again_with_its_number_is_said_once(
    bus: Any, module: Callable[[str], Any],
) -> None:
    at = bus.say('once', 'ann', '1', 'hello')
    assert bus.say('once', 'ann', '1', 'hello') == at
    assert bus.say('once', 'ann', '2', 'hello') > at
    assert bus.say('once', 'bob', '1', 'hello') > at
    history = bus.history('once', module('bus').BEGINNING, 10)
    assert [said['from'] for _, said in history] == ['ann', 'ann', 'bob']


def test_who_has_been_away_for_too_long_is_told(
    bus: Any, module: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch,
) -> None:
    beginning = module('bus').BEGINNING
    assert bus.is_kept_since('away', beginning)
    first = bus.say('away', 'ann', '0', 'x')
    assert bus.is_kept_since('away', beginning)
    monkeypatch.setattr(module('bus'), 'KEPT', 100)
    said = [gevent.spawn(bus.say, 'away', 'ann', str(number), 'x') for number in range(1, 600)]
    last = gevent.joinall(said, timeout=10)[-1].get()
    assert not bus.is_kept_since('away', beginning)
    assert not bus.is_kept_since('away', first)
    assert bus.is_kept_since('away', last)
    assert not bus.is_kept_since('away', last._replace(number=last.number + 1))  # Redis lost it
    assert not bus.is_kept_since('gone', last)


def test_a_bus_that_is_not_there_says_so(module: Callable[[str], Any], tmp_path: Path) -> None:
    bus = module('bus').Bus(f'unix://{tmp_path}/nobody')
    with pytest.raises(module('bus').BusError):
        bus.say('a', 'b', '1', 'c')
    with pytest.raises(module('bus').BusError):
        bus.recent('a', 1)
    bus.close()


# --- a node ---------------------------------------------------------------------------------------


@pytest.fixture
def node(redis_url: str, start_script: Any, connect: Any) -> Iterator[Callable[[], Peer]]:
    """``node()`` connects to a node; ``node.running`` is its process."""
    running: Running = start_script(
        DIRECTORY / 'node.py', '--port', '0', '--bus', redis_url,
        launcher=['-m', 'gnet', '--patch'])
    port = int(running.wait_for(r'listens on 127\.0\.0\.1:(\d+)')[1])

    def enter() -> Peer:
        peer: Peer = connect(('127.0.0.1', port))
        return peer

    enter.running = running  # type: ignore[attr-defined]  # for the test of its end
    yield enter
    assert running.process.poll() is None or running.process.returncode == 0


def ask(peer: Peer, **request: Any) -> Any:
    peer.sendall(json.dumps(request).encode() + b'\n')
    return json.loads(read_line(peer))


def test_a_node_does_what_its_docstring_says(node: Any) -> None:
    ann, bob = node(), node()
    pong = {'pong': 'node', 'to': '127.0.0.1'}
    assert ask(ann, ping=1) == pong
    assert ask(ann, join='here') == {'joined': 'here', 'missed': False}
    said = {}
    for _ in range(2):  # its acknowledgement and the message come in any order
        answer = ask(ann, say='grüße', id='1', **{'from': 'ann'}) if not said else json.loads(
            read_line(ann))
        said['ack' if 'ack' in answer else 'message'] = answer
    at = said['ack']['at']
    assert said == {
        'ack': {'ack': '1', 'at': at},
        'message': {'at': at, 'id': '1', 'from': 'ann', 'text': 'grüße'}}
    # Who comes for the first time sees the last messages; who has seen them does not.
    assert ask(bob, join='here') == {'joined': 'here', 'missed': False}
    assert json.loads(read_line(bob)) == said['message']
    assert ask(bob, join='here', after=at) == {'joined': 'here', 'missed': False}
    assert ask(bob, ping=1) == pong
    # Half a character, and what is no request.
    for bad in (
        b'{"say": "\\ud800", "from": "ann", "id": "2"}\n', b'[]\n', b'{}\n', b'hello\n',
        b'{"join": "here", "after": 7}\n', b'{"join": "\\ud800"}\n', b'\xff\n', b'1' * 5000,
        b'[' * 4000 + b'\n',
    ):
        peer = node()
        assert ask(peer, join='here', after=at) == {'joined': 'here', 'missed': False}
        peer.sendall(bad)
        assert json.loads(read_line(peer)) == {'error': 'ERR_BAD_REQUEST'}
        assert peer.recv_until_end() == b''
        peer.close()
    speaker = node()
    assert ask(speaker, say='x', id='1', **{'from': 'eve'}) == {'error': 'ERR_BAD_REQUEST'}
    speaker.close()
    assert ask(ann, ping=1) == pong
    # At its end it asks its members to go elsewhere, and ends when they have gone.
    node.running.send_signal(signal.SIGTERM)
    assert json.loads(read_line(ann)) == json.loads(read_line(bob)) == {'move': True}
    ann.close()
    bob.close()
    assert node.running.wait(PROCESS_PATIENCE).status == 0
