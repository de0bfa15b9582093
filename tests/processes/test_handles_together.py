"""Several raw handles of gnet's own in one message: they arrive together, or not at all."""

from __future__ import annotations

import _socket
import array
import errno
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from gevent.event import Event

from gnet.clusters.forked_worker import Line
from gnet.clusters.round_robin import SeatState, Transfer
from gnet.loop.loop import get_loop
from gnet.processes.messaging import Messaging, peer_of

from ..harness.dispensed import Dispensed, close_now
from ..harness.waiting import PROCESS_PATIENCE, until


class End:
    """One end of a channel; ``theirs`` is the plain socket of the other one."""

    def __init__(self) -> None:
        ours, self.theirs = _socket.socketpair()
        self.theirs.setblocking(False)
        self.messaging = Messaging(get_loop())
        self.heard: list[tuple[Any, int]] = []
        #: Where there was no socket among the last ones.
        self.gaps: list[int] = []
        self.left = Event()
        self.messaging.on('disconnect', self.left.set)
        self.messaging.on('internalMessage', self._heard)
        peer_of(self.messaging).open(ours.detach()).unref()

    def _heard(self, message: Any, socks: Any) -> None:
        self.heard.append((message['act'], len(socks)))
        self.gaps = [place for place, sock in enumerate(socks) if sock is None]
        socks.close()

    def send(
        self, count: Any, *socks: Any, family: int | None = int(_socket.AF_UNIX),
        message: Any = None,
    ) -> None:
        """Send a line that speaks of *count* descriptors, with those of *socks*."""
        line = json.dumps({
            'cmd': 'NODE_HANDLE', 'type': 'net.Native', 'family': family,
            'count': count, 'msg': message or {'cmd': 'NODE_TEST', 'act': 'take'},
        }).encode() + b'\n'
        rights = array.array('i', [sock.fileno() for sock in socks])
        self.theirs.sendmsg([line], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, rights)])

    def receive(self) -> tuple[str, int]:
        """Return what has come of ours, and how many descriptors came with it."""
        got: list[Any] = []

        def has_come() -> bool:
            with suppress(BlockingIOError):
                got.append(self.theirs.recvmsg(65536, 4096))
            return bool(got)

        until(has_come)
        [(data, ancillary, _, _)] = got
        rights = array.array('i')
        for _level, _kind, content in ancillary:
            rights.frombytes(content)
        for fd in rights:
            _socket.socket(fileno=fd).close()
        return data.decode(), len(rights)

    def close(self) -> None:
        self.theirs.close()
        assert self.left.wait(PROCESS_PATIENCE)


@pytest.fixture
def end() -> Iterator[End]:
    end = End()
    yield end
    end.close()


@pytest.fixture
def socks() -> Iterator[list[Any]]:
    socks = [sock for _ in range(2) for sock in _socket.socketpair()]
    yield socks
    for sock in socks:
        sock.close()


def test_they_are_acknowledged_together(end: End, socks: list[Any]) -> None:
    end.send(4, *socks)
    end.send(1, socks[0])
    until(lambda: len(end.heard) == 2)
    assert end.heard == [('take', 4), ('take', 1)]
    said = end.receive()[0]
    if said.count('ACK') == 1:
        said += end.receive()[0]
    assert said == '{"cmd":"NODE_HANDLE_ACK"}\n' * 2


def test_what_is_no_socket_keeps_its_place(
    end: End, socks: list[Any], tmp_path: Path,
) -> None:
    """The connections are numbered."""
    with (tmp_path / 'file').open('wb') as file:
        end.send(3, socks[0], file, socks[1], family=None)
        until(lambda: end.heard)
    assert end.heard == [('take', 3)]
    assert end.gaps == [1]


def test_if_one_is_missing_none_is_taken(end: End, socks: list[Any]) -> None:
    end.send(4, *socks[:3])
    assert end.receive()[0] == '{"cmd":"NODE_HANDLE_NACK"}\n'
    end.send(2, *socks[:2])
    until(lambda: end.heard)
    assert end.heard == [('take', 2)]


@pytest.mark.parametrize('count', [0, -1, 65, 1.5, True, None, '2', [1]])
def test_a_count_that_is_none_closes_the_channel(
    end: End, socks: list[Any], caplog: Any, count: Any,
) -> None:
    """How many of the descriptors are those of the next message, nobody knows."""
    end.send(count, *socks[:2])
    end.send(1, socks[0])  # that its descriptor is closed, too, the leak check of every test says
    assert end.left.wait(PROCESS_PATIENCE)
    assert end.heard == []
    warning, = (each.getMessage() for each in caplog.records if each.name == 'gnet.ipc')
    assert warning.endswith(
        f'sent what is no message, and its channel is closed: a count of {count!r} handles')


def test_several_handles_with_a_message_of_the_programs_close_the_channel(
    end: End, socks: list[Any], caplog: Any,
) -> None:
    end.send(2, *socks[:2], message={'count': 'them'})
    assert end.left.wait(PROCESS_PATIENCE)
    warning, = (each.getMessage() for each in caplog.records if each.name == 'gnet.ipc')
    assert warning.endswith("several handles with {'count': 'them'}")


def test_what_nobody_needs_is_closed_for_descriptors_that_do_not_arrive(
    end: End, socks: list[Any], caplog: Any,
) -> None:
    resource = pytest.importorskip('resource')
    for _ in range(2):
        Dispensed()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.dup(0)
    close_now(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
    try:
        end.send(2, *socks[:2])
        until(lambda: not len(get_loop().dispensable))
        end.send(2, *socks[:2])
        until(lambda: end.heard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert end.receive()[0].startswith('{"cmd":"NODE_HANDLE_NACK"}\n')
    assert end.heard == [('take', 2)]
    assert [each for each in caplog.records if each.name == 'gnet.ipc'] == []


def line_of(end: End) -> Line:
    return Line(1, end.messaging, lambda line: None)  # type: ignore[arg-type]


def give(line: Line, socks: list[Any], answers: list[Any], handle: int = 7) -> None:
    for index, sock in enumerate(socks):
        line.send_connection(handle, Transfer(sock, partial(_note, answers, index)))


def _note(answers: list[Any], index: int, state: SeatState) -> None:
    answers.append((index, state))


def test_connections_of_one_turn_go_together_and_each_is_answered(
    end: End, socks: list[Any],
) -> None:
    line = line_of(end)
    answers: list[Any] = []
    give(line, socks[:3], answers)
    give(line, socks[3:], answers, 8)  # of another listener: not with them
    first, count = end.receive()
    assert count == 3
    assert json.loads(first)['msg'] == {
        'cmd': 'NODE_CLUSTER', 'act': 'connections', 'id': 7, 'n': 1}
    second, count = end.receive()
    assert (json.loads(second)['count'], json.loads(second)['msg']['n'], count) == (1, 4, 1)
    assert line.has_refused(2)
    assert not line.has_refused(2)
    end.theirs.send(b'{"cmd":"NODE_HANDLE_ACK"}\n' * 2)
    until(lambda: len(answers) == 4)
    open_, full = SeatState.OPEN, SeatState.FULL
    assert answers == [(1, full), (0, open_), (2, open_), (0, open_)]


def test_a_worker_that_has_not_enough_descriptors_is_given_each_by_itself(
    end: End, socks: list[Any],
) -> None:
    line = line_of(end)
    answers: list[Any] = []
    give(line, socks[:2], answers)
    assert end.receive()[1] == 2
    end.theirs.send(b'{"cmd":"NODE_HANDLE_NACK"}\n')
    for number in (1, 2):
        sent, count = end.receive()
        assert (json.loads(sent)['msg']['n'], count) == (number, 1)
    end.theirs.send(b'{"cmd":"NODE_HANDLE_ACK"}\n')
    for _ in range(4):  # it is sent again three times
        end.theirs.send(b'{"cmd":"NODE_HANDLE_NACK"}\n')
    until(lambda: len(answers) == 2)
    assert answers == [(0, SeatState.OPEN), (1, SeatState.STARVED)]


def test_what_else_is_sent_comes_behind_them(end: End, socks: list[Any]) -> None:
    line = line_of(end)
    answers: list[Any] = []
    give(line, socks[:2], answers)
    line.disconnect()
    end.theirs.send(b'{"cmd":"NODE_HANDLE_ACK"}\n')
    until(lambda: len(answers) == 2)
    said = ''
    while 'disconnect' not in said:
        said += end.receive()[0]
    assert said.index('connections') < said.index('disconnect')


def test_a_worker_that_refuses_what_had_not_arrived_is_taken_at_its_first_word(
    end: End, socks: list[Any],
) -> None:
    line = line_of(end)
    answers: list[Any] = []
    give(line, socks[:2], answers)
    assert end.receive()[1] == 2
    assert line.has_refused(1)
    end.theirs.send(b'{"cmd":"NODE_HANDLE_NACK"}\n')
    sent, count = end.receive()
    assert (json.loads(sent)['msg']['n'], count) == (2, 1)
    end.theirs.send(b'{"cmd":"NODE_HANDLE_ACK"}\n')
    until(lambda: len(answers) == 2)
    assert answers == [(0, SeatState.FULL), (1, SeatState.OPEN)]


class Crowded:
    """A socket of a user who has too many descriptors under way."""

    def __init__(self, sock: Any) -> None:
        self._sock = sock
        self.refused = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)

    def sendmsg(self, *arguments: Any) -> int:
        if self.refused < 2:
            self.refused += 1
            raise OSError(errno.ETOOMANYREFS, 'Too many references')
        return int(self._sock.sendmsg(*arguments))


def test_descriptors_that_are_too_many_for_the_system_go_later(
    end: End, socks: list[Any], monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr('gnet.processes.channel._RETRY_TIME', 0.001)
    channel = peer_of(end.messaging).channel
    assert channel is not None
    crowded = Crowded(channel._sock)
    monkeypatch.setattr(channel, '_sock', crowded)
    line = line_of(end)
    answers: list[Any] = []
    give(line, socks, answers)
    assert end.receive()[1] == 4
    assert crowded.refused == 2
    end.theirs.send(b'{"cmd":"NODE_HANDLE_ACK"}\n')
    until(lambda: len(answers) == 4)
    assert {state for _, state in answers} == {SeatState.OPEN}
    monkeypatch.setattr(channel, '_sock', crowded._sock)
