"""What nobody listens to is not emitted; but who listens before it would come hears it, in order.

Each test runs with and without listeners of all events from the beginning, which take the long way:
what the late ones hear must be the same.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import gevent
import pytest
from gevent.event import Event

import gnet

from ..harness.native import Peer
from ..harness.waiting import PATIENCE

Serve = Callable[..., gnet.Server]
Connect = Callable[[Any], Peer]

EVENTS = ('resume', 'end', 'prefinish', 'finish', 'close')


class Heard:
    """An accepted socket, and what late listeners of it have heard."""

    def __init__(self, sock: Any, early: bool) -> None:
        self.sock = sock
        self.log: list[str] = []
        self.closed = Event()
        sock.on('data', lambda chunk: None)
        if early:
            for event in EVENTS:
                sock.on(event, lambda *args: None)

    def listen(self, *events: str) -> None:
        for event in events:
            self.sock.on(event, lambda *args, name=event: self.log.append(name))
        self.sock.on('close', lambda had_error: self.closed.set())


@pytest.fixture(params=[False, True], ids=['nobody else listens', 'others listen'])
def run(
    request: pytest.FixtureRequest, serve: Serve, connect: Connect,
) -> Callable[..., list[str]]:
    """``run(setup, talk, **options)`` returns the log of a connection that has been closed."""
    def run(
        setup: Callable[[Heard], object], talk: Callable[[Peer], object], **options: Any,
    ) -> list[str]:
        made: list[Heard] = []

        def handler(sock: Any) -> None:
            made.append(Heard(sock, request.param))
            setup(made[0])

        peer = connect(serve(handler, **options))
        talk(peer)
        with gevent.Timeout(PATIENCE):
            while not made:
                gevent.sleep(0)
            made[0].closed.wait()
        return made[0].log

    return run


Run = Callable[..., 'list[str]']


def ends(peer: Peer) -> None:
    """Send something, and end."""
    peer.sendall(b'x')
    peer.shutdown(socket.SHUT_WR)


def test_resume_is_heard_by_who_listens_after_data(run: Run) -> None:
    assert run(lambda heard: heard.listen('resume', 'end', 'finish', 'close'), ends) == [
        'resume', 'end', 'finish', 'close']


def test_who_listens_when_the_end_was_asked_for_hears_what_follows(run: Run) -> None:
    def setup(heard: Heard) -> None:
        def answer(chunk: bytes) -> None:
            heard.sock.end(b'y')
            heard.listen('prefinish', 'finish', 'end', 'close')

        heard.sock.on('data', answer)

    assert run(setup, ends) == ['prefinish', 'finish', 'end', 'close']


def test_who_listens_to_close_after_destroy_hears_it(run: Run) -> None:
    def setup(heard: Heard) -> None:
        def destroy(chunk: bytes) -> None:
            heard.sock.destroy()
            heard.listen('end', 'finish', 'close')

        heard.sock.on('data', destroy)

    assert run(setup, ends) == ['close']


def test_a_tick_in_between_may_listen(run: Run) -> None:
    def setup(heard: Heard) -> None:
        sock = heard.sock
        # Its callback is on a tick that comes before the FIN is sent, and that before the rest.
        sock.on('data', lambda chunk: sock.write(
            b'y', lambda error: sock.end(lambda error: heard.listen('finish', 'close'))))

    assert run(setup, ends) == ['finish', 'close']


def test_a_listener_of_finish_may_be_the_first_of_end(run: Run) -> None:
    def setup(heard: Heard) -> None:
        heard.sock.once('finish', lambda: heard.listen('end', 'close'))
        heard.sock.on('data', lambda chunk: heard.sock.end())

    assert run(setup, ends) == ['end', 'close']


class Loud(gnet.Socket):
    """One that sees what it emits."""

    def __init__(self) -> None:
        super().__init__()
        self.emitted: list[str] = []
        self.over = Event()

    def emit(self, event: Any, *args: Any) -> bool:
        self.emitted.append(event)
        if event == 'close':
            self.over.set()
        return super().emit(event, *args)


def test_the_emit_of_a_subclass_sees_what_nobody_listens_to(serve: Serve) -> None:
    server = serve(lambda sock: sock.end(b'x'))
    sock = Loud()
    sock.connect(server.address().port, '127.0.0.1')
    sock.resume()
    assert sock.over.wait(PATIENCE)
    assert [event for event in sock.emitted if event in EVENTS] == [
        'resume', 'end', 'prefinish', 'finish', 'close']
    assert 'data' in sock.emitted
