"""Counting and closing with worker processes, whose trackers are played by the tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gevent
import pytest
from gevent.event import Event

import gnet
from gnet.node.coded_errors import state_error

from ..harness.listening import drain, ended, happens, listening, trace
from ..harness.waiting import PATIENCE

Serve = Callable[..., gnet.Server]


class Tracker(gnet.EventEmitter):
    """What ``_setup_worker`` is given: it answers when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.counting: list[Any] = []
        self.closing: list[Any] = []

    def get_connections(self, callback: Any) -> None:
        self.counting.append(callback)

    def close(self, callback: Any) -> None:
        self.closing.append(callback)


class Prompt(Tracker):
    """One that answers at once, in the call."""

    def get_connections(self, callback: Any) -> None:
        callback(None, 5)

    def close(self, callback: Any) -> None:
        callback(None)


def with_workers(serve: Serve, count: int) -> tuple[Any, list[Tracker]]:
    server = listening(serve(drain))
    trackers = [Tracker() for _ in range(count)]
    for tracker in trackers:
        server._setup_worker(tracker)
    return server, trackers


def asked(server: Any) -> list[Any]:
    """Call ``get_connections`` with a callback; return the list of its answers."""
    answers: list[Any] = []
    server.get_connections(lambda error, count: answers.append((error, count)))
    gevent.idle()
    return answers


def test_a_worker_is_known_until_it_exits(serve: Serve) -> None:
    server, trackers = with_workers(serve, 2)
    assert server._using_workers is True
    assert server._workers == trackers
    trackers[0].emit('exit', trackers[0])
    assert server._workers == trackers[1:]
    trackers[1].emit('exit', trackers[1])
    assert (server._workers, server._using_workers) == ([], True)


def test_the_connections_of_workers_are_added(serve: Serve, connect: Any) -> None:
    server, trackers = with_workers(serve, 2)
    with happens(server, 'connection'):
        connect(server)
    answers = asked(server)
    trackers[1].counting[0](None, 10)
    gevent.idle()
    assert answers == []
    trackers[0].counting[0](None, 20)
    assert answers == []  # on a tick: it may block, and must not hold up the one who answers
    gevent.idle()
    assert answers == [(None, 31)]


def test_without_a_callback_the_call_waits_for_the_workers(serve: Serve) -> None:
    server, trackers = with_workers(serve, 2)
    waiting = gevent.spawn(server.get_connections)
    gevent.idle()
    assert not waiting.ready()
    for tracker in trackers:
        tracker.counting[0](None, 3)
    assert waiting.get(timeout=PATIENCE) == 6


def test_the_first_failure_is_the_answer_and_the_only_one(serve: Serve) -> None:
    server, trackers = with_workers(serve, 3)
    answers = asked(server)
    failure = state_error('ERR_CHILD_CLOSED_BEFORE_REPLY')
    trackers[0].counting[0](failure, None)
    gevent.idle()
    assert answers == [(failure, None)]
    trackers[1].counting[0](ValueError(), None)
    trackers[2].counting[0](None, 1)
    gevent.idle()
    assert answers == [(failure, None)]


def test_without_a_callback_the_failure_is_raised(serve: Serve) -> None:
    server, trackers = with_workers(serve, 1)
    gevent.spawn(lambda: trackers[0].counting[0](state_error('ERR_SERVER_NOT_RUNNING'), None))
    with pytest.raises(RuntimeError, match='Server is not running'):
        server.get_connections()


def test_a_worker_that_exits_without_an_answer_is_a_failure(serve: Serve) -> None:
    server, trackers = with_workers(serve, 1)
    answers = asked(server)
    trackers[0].emit('exit', trackers[0])
    gevent.idle()
    ((error, count),) = answers
    assert (error.code, count) == ('ERR_CHILD_CLOSED_BEFORE_REPLY', None)
    assert str(error) == 'Child closed before reply received'


def test_after_all_workers_have_gone_the_count_is_that_of_this_process(serve: Serve) -> None:
    # Node never calls back then, and never emits 'close'.
    server, (tracker,) = with_workers(serve, 1)
    tracker.emit('exit', tracker)
    assert asked(server) == [(None, 0)]
    assert server.get_connections() == 0
    with happens(server, 'close'):
        server.close()


def test_a_tracker_may_answer_in_the_call(serve: Serve) -> None:
    server = listening(serve())
    for _ in range(2):
        server._setup_worker(Prompt())
    assert server.get_connections() == 10
    assert asked(server) == [(None, 10)]
    with happens(server, 'close'):
        server.close()


def test_close_waits_for_all_workers_and_for_the_connections_of_this_process(
    serve: Serve, connect: Any,
) -> None:
    server, trackers = with_workers(serve, 2)
    with happens(server, 'connection'):
        peer = connect(server)
    (sock,) = server._counter.sockets
    log = trace(server)
    server.close(lambda error: log.append(error))
    trackers[0].closing[0](None)
    trackers[1].closing[0](None)
    gevent.idle()
    # Node does not wait for these: 'close' comes when the workers have answered.
    assert log == []
    with happens(server, 'close'):
        peer.close()
    ended(sock)
    assert log == ['close', None]


@pytest.mark.parametrize('how', ['answers with an error', 'exits'])
def test_a_worker_that_fails_to_answer_does_not_hold_close(serve: Serve, how: str) -> None:
    server, (tracker,) = with_workers(serve, 1)
    log = trace(server)
    server.close()
    gevent.idle()
    assert log == []
    with happens(server, 'close'):
        if how == 'exits':
            tracker.emit('exit', tracker)
        else:
            tracker.closing[0](state_error('ERR_CHILD_CLOSED_BEFORE_REPLY'))
    tracker.closing[0](None)
    gevent.idle()
    assert log == ['close']


def test_close_twice_asks_twice_and_emits_once(serve: Serve) -> None:
    server, (tracker,) = with_workers(serve, 1)
    log = trace(server)
    server.close(lambda error: log.append(error))
    server.close(lambda error: log.append(error.code))
    tracker.closing[0](None)
    gevent.idle()
    assert log == []
    with happens(server, 'close'):
        tracker.closing[1](None)
    assert log == ['close', None, 'ERR_SERVER_NOT_RUNNING']


def test_stop_with_a_timeout_does_not_wait_for_workers_beyond_it(
    serve: Serve, connect: Any,
) -> None:
    server, (tracker,) = with_workers(serve, 1)
    with happens(server, 'connection'):
        connect(server)
    assert server.stop(0.01) == 1
    with happens(server, 'close'):
        tracker.closing[0](None)


def test_a_callback_that_raises_is_a_failure_of_the_program(serve: Serve) -> None:
    server, (tracker,) = with_workers(serve, 1)
    called = Event()

    def callback(error: Any, count: Any) -> None:
        called.set()
        raise ZeroDivisionError

    server.get_connections(callback)
    gevent.spawn_later(0.001, lambda: tracker.counting[0](None, 1))
    with pytest.raises(ZeroDivisionError):
        gnet.run()
    assert called.is_set()
    tracker.emit('exit', tracker)
