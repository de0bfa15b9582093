"""Large messages, floods in both directions, many connections, and children that die in it."""

from __future__ import annotations

import hashlib
import random
import socket as stdlib
import sys
from typing import Any

import gevent
import pytest
from gevent.event import AsyncResult

import gnet
from gnet.processes.messaging import peer_of

from ..harness.waiting import PROCESS_PATIENCE, until
from .common import clients


def roomy(backlog: int) -> dict[str, Any]:
    return {'host': '127.0.0.1', 'port': 0, 'backlog': backlog}


# --- messages -----------------------------------------------------------------------------------


def test_fifty_megabytes_survive_both_ways(fork: Any) -> None:
    child = fork("""
        import gnet, hashlib
        @gnet.process.on('message')
        def message(text, handle):
            gnet.process.send(hashlib.sha256(text.encode()).hexdigest())
            gnet.process.send(text[::-1])
            gnet.process.send('after')
    """)
    text = ('0123456789abcde' * 70_000 + 'ü€😀') * 50
    assert len(text) > 50_000_000
    written: AsyncResult[Any] = AsyncResult()
    assert child.send(text, written.set) is False
    assert child.message() == hashlib.sha256(text.encode()).hexdigest()
    assert written.get(timeout=PROCESS_PATIENCE) is None
    assert child.message() == text[::-1]
    assert child.message() == 'after'
    assert peer_of(child.process).channel.queued == 0


def test_floods_in_both_directions_do_not_lock_each_other(fork: Any) -> None:
    child = fork("""
        import gnet
        got = []
        @gnet.process.on('message')
        def message(number_and_text, handle):
            got.append(number_and_text[0])
            if len(got) == 100:
                gnet.process.send(got == list(range(100)))
                gnet.process.disconnect()
        for number in range(100):
            gnet.process.send([number, 'x' * 300_000])
    """)
    called: list[Any] = []
    for number in range(100):
        child.send([number, 'y' * 300_000], lambda error, n=number: called.append((n, error)))
    assert [child.message()[0] for _ in range(100)] == list(range(100))
    assert child.message() is True
    assert called == [(number, None) for number in range(100)]
    assert child.wait() == (0, None)


@pytest.mark.parametrize('seed', range(2))
def test_what_a_killed_child_had_sent_arrives_whole_and_in_order(
    fork: Any, caplog: Any, seed: int,
) -> None:
    child = fork("""
        import gnet, itertools
        numbers = itertools.count()
        def more(error=None):
            gnet.process.send([next(numbers), 'z' * 30_000], more)
        gnet.process.on('message', lambda *args: None)
        more()
        more()
    """)
    last = random.Random(seed).randrange(5, 100)
    received = [child.message()[0] for _ in range(last)]
    child.process.kill('SIGKILL')
    assert child.wait() == (None, 'SIGKILL')
    received += [event[1][0] for event in child.events if event[0] == 'message'][last:]
    assert received == list(range(len(received)))
    assert [record for record in caplog.records if record.name == 'gnet.ipc'] == []


def test_what_is_nested_too_deep_is_refused_by_the_sender(fork: Any) -> None:
    """Everything else arrives: the receiver must not be the one who finds out."""
    child = fork("""
        import gnet
        def depth(message, handle):
            count = 0
            while message:
                message, count = message[0], count + 1
            gnet.process.send(count)
        gnet.process.on('message', depth)
    """)
    sent, refused = [], []
    # Around the limit, which is one of depth in some versions of Python, and another in others.
    for limit in (sys.getrecursionlimit(), 1500, 10_000):
        for depth in range(limit - 300, limit + 20, 4):
            message: list[Any] = []
            for _ in range(depth - 1):
                message = [message]
            try:
                child.send(message)
                sent.append(depth - 1)
            except TypeError as error:
                refused.append(getattr(error, 'code', None))
    assert [child.message() for _ in sent] == sent
    assert sent
    assert set(refused) == {'ERR_INVALID_ARG_VALUE'}


def test_what_the_receiver_would_not_take_is_refused_by_the_sender(
    fork: Any, monkeypatch: Any,
) -> None:
    child = fork("""
        import gnet
        gnet.process.on('message', lambda message, handle: gnet.process.send(len(message)))
    """)
    monkeypatch.setattr('gnet.processes.json_lines.MAX_LINE', 100_000)
    with pytest.raises(TypeError, match='is longer than 100000 bytes') as caught:
        child.send('x' * 100_000)
    assert getattr(caught.value, 'code', None) == 'ERR_INVALID_ARG_VALUE'
    assert child.send('x' * 99_998) is True
    assert child.message() == 99_998


def test_a_sender_that_heeds_the_answer_queues_little(fork: Any) -> None:
    child = fork("""
        import gnet
        count = 0
        @gnet.process.on('message')
        def message(text, handle):
            global count
            count += 1
            if count == 500:
                gnet.process.send(count)
                gnet.process.disconnect()
    """)
    most, left = 0, 500
    text = 'x' * 10_000
    with gevent.Timeout(PROCESS_PATIENCE):
        while left:
            left -= 1
            written: AsyncResult[Any] = AsyncResult()
            if not child.send(text, written.set):
                written.get()
            most = max(most, peer_of(child.process).channel.queued)
    assert most <= 131_072 + len(text) + 3
    assert child.message() == 500


# --- connections --------------------------------------------------------------------------------


def test_many_connections_over_several_children(fork: Any, serve: Any, native: Any) -> None:
    code = """
        import gnet
        @gnet.process.on('message')
        def take(how, sock):
            if how == 'end':
                sock.resume()  # what is not read would keep it open
                sock.end(how)
            else:
                sock.write(how)
                sock.on('data', lambda data: sock.end(data))
    """
    children = [fork(code) for _ in range(4)]
    number = iter(range(1000))
    closed: AsyncResult[Any] = AsyncResult()

    def handler(sock: Any) -> None:
        n = next(number)
        children[n % 4].send('end' if n % 8 < 4 else 'write', sock)
        if n == 199:
            server.close(closed.set)

    server = serve(handler, target=roomy(200), pause_on_connect=True)
    address = tuple(server.address())[::2]
    answers = native(clients, address, 200, b'!')
    # One that was ended by its child may have met the client's byte too late: a reset.
    assert answers.count(b'write!') == 100
    assert set(answers) <= {b'write!', b'end', b'cut'}
    assert closed.get(timeout=PROCESS_PATIENCE) is None
    for child in children:
        child.process.disconnect()
        assert child.wait() == (0, None)


@pytest.mark.parametrize('when', [0, 7])
def test_a_child_that_exits_with_handles_still_under_way(
    fork: Any, serve: Any, native: Any, when: int,
) -> None:
    child = fork("""
        import gnet, os, sys
        left = int(sys.argv[1])
        @gnet.process.on('message')
        def take(message, sock):
            global left
            if not left:
                os._exit(5)
            left -= 1
            sock.end('child')
        gnet.process.send('up')
    """, str(when))
    assert child.message() == 'up'
    outcomes: list[str] = []

    def answer(sock: Any) -> None:
        sock.resume()
        sock.end('parent')

    def handler(sock: Any) -> None:
        def sent(error: Any) -> None:
            outcomes.append('away' if error is None else 'back')
            if error is not None:
                answer(sock)

        if child.process.connected:
            child.send('take', sock, sent)
        else:
            outcomes.append('here')
            answer(sock)

    server = serve(handler, target=roomy(60), pause_on_connect=True)
    answers = native(clients, tuple(server.address())[::2], 60)
    assert child.wait() == (5, None)
    assert len(outcomes) == 60
    assert answers.count(b'child') <= when
    assert answers.count(b'parent') == outcomes.count('back') + outcomes.count('here')
    assert answers.count(b'parent') >= 60 - when - 2
    until(lambda: server.get_connections() == 0)


@pytest.mark.parametrize('kind', ['server', 'socket', 'keep_open', 'plain'])
def test_no_descriptor_is_left_when_children_are_killed_with_handles_under_way(
    fork: Any, serve: Any, connect: Any, kind: str,
) -> None:
    """What is left over is found by the check that every test has."""
    server = serve(lambda sock: accepted.append(sock), pause_on_connect=True)
    accepted: list[Any] = []
    dice = random.Random(1)
    for _ in range(3):
        child = fork('import gnet; gnet.process.on("message", print); gnet.process.send("up")',
                     silent=True)
        if dice.random() < 0.5:
            assert child.message() == 'up'
        called: list[Any] = []
        owned: list[Any] = []
        for _ in range(10):
            if kind == 'server':
                child.send('take', server, called.append)
                continue
            peer = connect(server)
            until(lambda: accepted)
            sock = accepted.pop()
            handle: Any = sock
            if kind == 'plain':
                left, right = stdlib.socketpair()
                owned += [left, right]
                handle = left
                sock.destroy()
            child.send('take', handle, called.append, keep_open=kind == 'keep_open')
            owned += [sock, peer.plain]
            if dice.random() < 0.15:
                child.process.kill('SIGKILL')
        child.process.kill('SIGKILL')
        until(lambda: len(called) == 10)  # noqa: B023  # this child's
        assert {error and error.code for error in called} <= {
            None, 'ERR_IPC_CHANNEL_CLOSED', 'EPIPE', 'ECONNRESET'}
        child.wait()
        for each in owned:
            (each.destroy if isinstance(each, gnet.Socket) else each.close)()
        until(lambda: server.get_connections() == 0)
