"""Limits in the primary by themselves: with workers that are none, and its real listener."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

import gnet
from gnet.clusters import primary_limits
from gnet.clusters.forked_worker import Line
from gnet.clusters.round_robin import RoundRobin, SeatState, Transfer
from gnet.loop.loop import get_loop
from gnet.options.limits import NO_LIMITS, LimitOptions
from gnet.servers.listener import bind_port

from ..harness.native import Peer
from ..harness.plain import PlainSocket
from ..harness.waiting import until

Connect = Callable[[Any], Peer]


class Worker:
    """Accepts each connection at once, and keeps what it is told."""

    def __init__(self) -> None:
        self.has: list[Transfer] = []
        self.told: list[dict[str, Any]] = []
        self.dropped = 0

    def send_connection(self, handle_id: int, transfer: Transfer) -> None:
        self.has.append(transfer)
        transfer.accepted()

    def send_dropped(self, fields: dict[str, Any]) -> None:
        self.told.append(fields)
        self.dropped += 1


@pytest.fixture
def handle() -> Iterator[RoundRobin]:
    made = RoundRobin(get_loop(), 7, bind_port('127.0.0.1', 0, 511, version=4))
    yield made
    made.close()


def connected(connect: Connect, handle: RoundRobin, count: int) -> list[Peer]:
    return [connect(tuple(handle.name[1])) for _ in range(count)]


def test_what_is_refused_one_worker_is_told_and_no_more_than_it_can_take(
    handle: RoundRobin, connect: Connect, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(primary_limits, 'MAX_TOLD', 2)
    workers = [Worker(), Worker()]
    for worker in workers:
        handle.add(worker)
    handle.limit(workers[0], LimitOptions(connection_rate_per_address=0.01))
    with caplog.at_level(logging.WARNING, 'gnet.server'):
        peers = connected(connect, handle, 7)
        assert [peer.recv_until_end() for peer in peers[1:]] == [b''] * 6
    assert sum(len(worker.has) for worker in workers) == 1
    assert [len(worker.told) for worker in workers] == [2, 2]
    told = workers[0].told[0]
    assert (told['id'], told['reason'], told['network']) == (
        7, 'CONNECTION_RATE_PER_ADDRESS', '127.0.0.1')
    assert told['ends'].remote_address == '127.0.0.1'
    assert len(caplog.records) == 1
    assert 'listener of a cluster' in caplog.messages[0]


def test_a_connection_counts_until_its_worker_says_that_it_has_ended(
    handle: RoundRobin, connect: Connect,
) -> None:
    worker = Worker()
    handle.add(worker)
    peers = connected(connect, handle, 1)
    until(lambda: len(worker.has) == 1)
    assert worker.has[0].ended is None  # nobody counts it
    handle.limit(worker, LimitOptions(max_connections_per_address=2))
    peers += connected(connect, handle, 3)
    until(lambda: worker.told)
    assert len(worker.has) == 3
    assert worker.has[1].ended is not None
    worker.has[1].ended()
    peers += connected(connect, handle, 1)
    until(lambda: len(worker.has) == 4)
    handle.limit(worker, NO_LIMITS)
    peers += connected(connect, handle, 3)
    until(lambda: len(worker.has) == 7)
    assert len(worker.told) == 1


def test_without_a_worker_what_is_refused_is_closed_all_the_same(
    handle: RoundRobin, connect: Connect,
) -> None:
    worker = Worker()
    handle.limit(worker, LimitOptions(max_connections_per_address=1))
    peers = connected(connect, handle, 2)
    assert peers[1].recv_until_end() == b''
    handle.add(worker)
    assert len(worker.has) == 1


def test_the_limits_are_those_of_who_is_there_and_was_the_last_to_say_so(
    handle: RoundRobin, connect: Connect,
) -> None:
    before, after = Worker(), Worker()
    handle.limit(before, LimitOptions(max_connections_per_address=2))
    handle.add(before)
    connected(connect, handle, 2)
    until(lambda: len(before.has) == 2)
    handle.limit(after, NO_LIMITS)  # of a program whose new form has none
    handle.add(after)
    connected(connect, handle, 1)
    until(lambda: len(before.has) + len(after.has) == 3)
    handle.remove(after)  # it has failed
    assert connected(connect, handle, 1)[0].recv_until_end() == b''
    handle.remove(before)  # the last one: until others come, it stays so
    assert connected(connect, handle, 1)[0].recv_until_end() == b''


class Channel:
    """Stands for the way to a worker's process: keeps the callbacks of what is sent."""

    def __init__(self) -> None:
        self.loop = get_loop()
        self.sent: list[Callable[[BaseException | None], object]] = []

    def send_raw(
        self, line: bytes, socks: Any, callback: Callable[[BaseException | None], object],
    ) -> None:
        self.sent.append(callback)


def test_of_a_worker_that_is_gone_what_it_had_counts_no_more_and_what_was_on_its_way_does() -> None:
    process = gnet.EventEmitter()
    process._peer = channel = Channel()  # type: ignore[attr-defined]
    line = Line(1, process, lambda line: None)  # type: ignore[arg-type]
    ended: list[str] = []
    answers: list[SeatState] = []
    socks = [PlainSocket(), PlainSocket()]
    for count, (sock, name) in enumerate(zip(socks, ('had', 'on its way')), 1):
        line.send_connection(7, Transfer(sock, answers.append, partial(ended.append, name)))
        until(lambda count=count: len(channel.sent) == count)  # type: ignore[misc]  # not together
    channel.sent[0](None)
    line.release_all()  # it has exited; what its channel has is not read yet
    assert ended == ['had']
    channel.sent[1](OSError('closed'))
    assert answers == [SeatState.OPEN, SeatState.LEFT]
    line.release_all()
    assert ended == ['had']
    socks[1].close()
