"""The primary's listener by itself, with workers that are none."""

from __future__ import annotations

import errno
import logging
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import pytest

from gnet.clusters import round_robin as cluster_handles
from gnet.clusters.round_robin import RoundRobin, Transfer
from gnet.loop.loop import get_loop
from gnet.processes.sendable import raw_socket
from gnet.servers.listener import bind_port

from ..harness.native import Peer

Connect = Callable[[Any], Peer]


class Worker:
    """Keeps what it is offered, for the test to answer."""

    def __init__(self) -> None:
        self.offered: list[Transfer] = []

    def send_connection(self, handle_id: int, transfer: Transfer) -> None:
        assert handle_id == 7
        self.offered.append(transfer)


class Handle(RoundRobin):
    """With what tests look at."""

    @property
    def address(self) -> tuple[str, int]:
        name: tuple[str, int] = tuple(self.name[1])  # type: ignore[assignment]
        return name


@pytest.fixture
def handle(monkeypatch: pytest.MonkeyPatch) -> Iterator[Handle]:
    # So that it is easy to say who has what.
    monkeypatch.setattr(cluster_handles, 'MAX_UNDER_WAY', 1)
    monkeypatch.setattr(cluster_handles, 'MAX_WHEN_BUSY', 1)
    handle = Handle(get_loop(), 7, bind_port('127.0.0.1', 0, 511, version=4))
    yield handle
    handle.close()


def _until(condition: Callable[[], object]) -> None:
    """Let the loop run until *condition* is true."""
    with gevent.Timeout(5):
        while not condition():
            gevent.get_hub().loop.update_now()
            gevent.sleep(0)


def test_a_worker_has_as_many_as_may_be_under_way_and_the_rest_waits(
    handle: Handle, connect: Connect,
) -> None:
    first, second = Worker(), Worker()
    handle.add(first)
    peers = [connect(handle.address) for _ in range(3)]
    _until(lambda: len(handle._waiting) == 2)
    assert len(first.offered) == 1
    handle.add(second)
    assert (len(second.offered), len(handle._waiting)) == (1, 1)
    second.offered[0].accepted()
    assert (len(second.offered), len(handle._waiting)) == (2, 0)
    assert second.offered[0].sock.fileno() == -1, 'the copy is closed as soon as it was accepted'
    second.offered[1].accepted()
    first.offered[0].accepted()
    del peers


@pytest.mark.parametrize('answer', ['refused', 'failed'])
def test_what_is_not_accepted_goes_to_another_before_what_came_later(
    handle: Handle, connect: Connect, answer: str,
) -> None:
    first, second = Worker(), Worker()
    handle.add(first)
    peers = [connect(handle.address) for _ in range(2)]
    _until(lambda: len(handle._waiting) == 1)
    oldest = first.offered[0].sock
    getattr(first.offered[0], answer)()
    assert len(first.offered) == 1, 'it gets no more until it says so'
    handle.add(second)
    assert second.offered[0].sock is oldest
    second.offered[0].accepted()
    second.offered[1].accepted()
    assert handle.has_room(first) is (answer == 'refused')
    del peers


def test_all_full_is_waiting_and_room_is_for_the_oldest(handle: Handle, connect: Connect) -> None:
    workers = [Worker(), Worker()]
    for worker in workers:
        handle.add(worker)
    peer = connect(handle.address)
    _until(lambda: any(worker.offered for worker in workers))
    turn = next(worker for worker in workers if worker.offered)
    turn.offered.pop().refused()
    other = next(worker for worker in workers if worker is not turn)
    other.offered.pop().refused()
    assert not turn.offered
    assert not other.offered
    assert handle.has_room(turn)
    turn.offered.pop().accepted()
    assert not handle.has_room(turn)
    del peer


def test_the_queue_is_bounded(
    handle: Handle, connect: Connect, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cluster_handles, 'MAX_WAITING', 3)
    handle._acceptor.max_accept = 1
    peers = [connect(handle.address) for _ in range(6)]
    _until(lambda: len(handle._waiting) == 3)
    assert handle._acceptor._watcher is None
    worker = Worker()
    handle.add(worker)
    for answered in range(6):
        _until(lambda count=answered: len(worker.offered) > count)  # type: ignore[misc]
        worker.offered[answered].accepted()
    del peers


def test_nobody_left_means_a_reset(handle: Handle, connect: Connect) -> None:
    worker = Worker()
    handle.add(worker)
    peers = [connect(handle.address) for _ in range(3)]
    _until(lambda: len(handle._waiting) == 2)
    handle.remove(worker)
    assert handle.is_deserted
    handle.close()
    for peer in peers[1:]:
        with pytest.raises(ConnectionResetError):
            peer.recv()
    # What is under way is the worker's still, which may take it or not.
    worker.offered[0].refused()
    with pytest.raises(ConnectionResetError):
        peers[0].recv()


def test_a_worker_that_has_left_may_still_accept_what_was_under_way(
    handle: Handle, connect: Connect,
) -> None:
    worker = Worker()
    handle.add(worker)
    peer = connect(handle.address)
    _until(lambda: worker.offered)
    copy = raw_socket(worker.offered[0].sock)
    handle.remove(worker)
    handle.add(worker)  # its server listens again
    worker.offered[0].accepted()
    copy.sendall(b'mine')
    copy.close()
    assert peer.recv_until_end() == b'mine'
    assert handle.has_room(worker) is False


def test_a_failed_accept_is_logged_and_accepting_goes_on(
    handle: Handle, connect: Connect, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    worker = Worker()
    handle.add(worker)
    accept = handle._acceptor.do_read

    def fail() -> Any:
        monkeypatch.setattr(handle._acceptor, 'do_read', accept)
        raise OSError(errno.EINVAL, 'of the test')

    monkeypatch.setattr(handle._acceptor, 'do_read', fail)
    with caplog.at_level(logging.WARNING, 'gnet.cluster'):
        peer = connect(handle.address)
        _until(lambda: worker.offered)
    assert [record.getMessage() for record in caplog.records] == ['accept EINVAL']
    worker.offered[0].accepted()
    del peer


def test_what_comes_back_has_its_place_before_what_came_later(
    handle: Handle, connect: Connect,
) -> None:
    workers = [Worker(), Worker()]
    for worker in workers:
        handle.add(worker)
    peers = [connect(handle.address) for _ in range(2)]
    _until(lambda: all(worker.offered for worker in workers))
    earlier, later = (worker.offered.pop() for worker in workers)
    earlier.refused()
    later.refused()
    assert handle.has_room(workers[1])
    assert workers[1].offered[0].sock is earlier.sock
    workers[1].offered[0].accepted()
    workers[1].offered[1].accepted()
    del peers


def test_several_are_under_way_and_who_has_fewest_gets_the_next(
    handle: Handle, connect: Connect, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cluster_handles, 'MAX_UNDER_WAY', 2)
    monkeypatch.setattr(cluster_handles, 'MAX_WHEN_BUSY', 2)
    handle._free.append(deque())
    quick, slow = Worker(), Worker()
    handle.add(slow)
    handle.add(quick)
    peers = [connect(handle.address) for _ in range(6)]
    _until(lambda: len(handle._waiting) == 2)
    assert (len(slow.offered), len(quick.offered)) == (2, 2)
    for answered in range(4):
        quick.offered[answered].accepted()
    assert (len(slow.offered), len(quick.offered)) == (2, 4)
    assert not handle._waiting
    for transfer in slow.offered:
        transfer.accepted()
    del peers


def test_while_all_are_busy_each_answer_lets_one_more_be_under_way(
    handle: Handle, connect: Connect, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cluster_handles, 'MAX_WHEN_BUSY', 3)
    handle._free.extend([deque(), deque()])
    quick, stuck = Worker(), Worker()
    handle.add(stuck)
    handle.add(quick)
    peers = [connect(handle.address) for _ in range(9)]
    _until(lambda: len(handle._waiting) == 7)

    def under_way(answered: int) -> int:
        quick.offered[answered - 1].accepted()
        return len(quick.offered) - answered

    assert [under_way(answered) for answered in range(1, 9)] == [2, 3, 3, 3, 3, 2, 1, 0]
    assert len(stuck.offered) == 1, 'who does not answer gets no more'
    # Nothing waits any more: it is as before.
    peers += [connect(handle.address) for _ in range(2)]
    _until(lambda: len(handle._waiting) == 1)
    assert len(quick.offered) == 9
    for transfer in (quick.offered[8], stuck.offered[0]):
        transfer.accepted()
    (quick.offered + stuck.offered)[9].accepted()
    del peers


def test_a_worker_that_had_no_descriptor_gets_connections_again(
    handle: Handle, connect: Connect, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(cluster_handles, 'RETRY_TIME', 0.01)
    worker = Worker()
    handle.add(worker)
    connect(handle.address)
    with caplog.at_level(logging.WARNING, 'gnet.cluster'):
        for count in (1, 2, 3):
            _until(lambda count=count: len(worker.offered) == count)  # type: ignore[misc]
            worker.offered[-1].not_received()
    assert len(caplog.records) == 1  # for all of them
    _until(lambda: len(worker.offered) == 4)
    assert len({transfer.sock for transfer in worker.offered}) == 1
    worker.offered[-1].accepted()


def test_one_that_had_no_descriptor_and_then_no_room_is_left_in_peace(
    handle: Handle, connect: Connect, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cluster_handles, 'MAX_UNDER_WAY', 2)
    monkeypatch.setattr(cluster_handles, 'MAX_WHEN_BUSY', 2)
    monkeypatch.setattr(cluster_handles, 'RETRY_TIME', 0.001)
    worker = Worker()
    handle._free.append(deque())  # for two under way
    handle.add(worker)
    for _ in range(2):
        connect(handle.address)
    _until(lambda: len(worker.offered) == 2)
    worker.offered[0].not_received()
    worker.offered[1].refused()
    gevent.sleep(0.02)  # far more than RETRY_TIME
    assert len(worker.offered) == 2
    assert handle.has_room(worker)
    _until(lambda: len(worker.offered) == 4)
    for transfer in worker.offered[2:]:
        transfer.accepted()


def test_who_waits_behind_one_that_has_given_up_is_served_at_the_end(
    handle: Handle, connect: Connect, monkeypatch: pytest.MonkeyPatch,
) -> None:
    worker = Worker()
    handle.add(worker)
    acceptor = handle._acceptor
    acceptor.stop_accepting()
    peers = [connect(handle.address) for _ in range(2)]
    faults = [errno.ECONNABORTED, errno.EPROTO]
    accept = acceptor.do_read

    def do_read() -> Any:
        if faults:
            raise OSError(faults.pop(), 'of a peer')
        return accept()

    monkeypatch.setattr(acceptor, 'do_read', do_read)
    finished: list[bool] = []
    handle.finish(lambda: finished.append(True))
    for number in range(2):
        worker.offered[number].accepted()
    assert finished == [True]
    for peer in peers:
        assert peer.recv() == b''  # the worker had it, and has closed it
