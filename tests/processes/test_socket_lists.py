"""The trackers of connections in other processes: what they ask, answer and hold."""

from __future__ import annotations

from typing import Any

import pytest

from gnet.processes.counting import ReceivedSockets, SentSockets
from gnet.servers.connections import ask

KEY = '4:127.0.0.1:0'


class Peer:
    """What sends to the other process: remembers what it was given."""

    def __init__(self) -> None:
        #: How often the loop is held: who asks must live until the answer.
        self.held = 0
        self.loop = self
        self.connected = True
        self.sent: list[dict[str, Any]] = []

    def hold(self) -> None:
        self.held += 1

    def release(self) -> None:
        self.held -= 1

    def send(
        self, message: dict[str, Any], sock: Any = None, callback: Any = None,
    ) -> bool:
        self.sent.append(message)
        return True


@pytest.fixture
def peer() -> Peer:
    return Peer()


QUESTIONS = [
    ('get_connections', 'NODE_SOCKET_GET_COUNT', {'cmd': 'NODE_SOCKET_COUNT', 'count': 3}, 3),
    ('close', 'NODE_SOCKET_NOTIFY_CLOSE', {'cmd': 'NODE_SOCKET_ALL_CLOSED'}, 0),
]


@pytest.mark.parametrize(('method', 'question', 'answer', 'value'), QUESTIONS)
def test_a_question_gets_its_answer_and_leaves_nothing_behind(
    peer: Peer, method: str, question: str, answer: dict[str, Any], value: int,
) -> None:
    tracker, answers = SentSockets(peer, KEY), []
    getattr(tracker, method)(lambda *args: answers.append(args))
    assert peer.sent == [{'cmd': question, 'key': KEY}]
    assert answers == []
    tracker.answered({**answer, 'key': KEY})
    assert answers == [(None, value)]
    tracker.answered({**answer, 'key': KEY})  # nobody asked
    tracker.disconnected()
    assert answers == [(None, value)]
    assert tracker.event_names() == []


@pytest.mark.parametrize('method', ['get_connections', 'close'])
def test_without_a_channel_there_is_no_answer(peer: Peer, method: str) -> None:
    tracker, answers = SentSockets(peer, KEY), []
    peer.connected = False
    getattr(tracker, method)(lambda error, value: answers.append((error.code, str(error), value)))
    assert answers == [
        ('ERR_CHILD_CLOSED_BEFORE_REPLY', 'Child closed before reply received', None)]
    assert peer.sent == []


def test_a_channel_that_closes_ends_all_questions(peer: Peer) -> None:
    tracker, answers = SentSockets(peer, KEY), []
    for method in ('get_connections', 'close', 'get_connections'):
        getattr(tracker, method)(lambda error, value: answers.append(error.code))
    tracker.disconnected()
    assert answers == ['ERR_CHILD_CLOSED_BEFORE_REPLY'] * 3
    tracker.answered({'cmd': 'NODE_SOCKET_COUNT', 'key': KEY, 'count': 1})
    assert len(answers) == 3


def test_answers_come_in_the_order_of_the_questions(peer: Peer) -> None:
    tracker, answers = SentSockets(peer, KEY), []
    for name in 'abc':
        tracker.get_connections(lambda error, count, name=name: answers.append((name, count)))
    for count in (5, 'no number', None):
        tracker.answered({'cmd': 'NODE_SOCKET_COUNT', 'key': KEY, 'count': count})
    assert answers == [('a', 5), ('b', 0), ('c', 0)]


@pytest.mark.parametrize('end', ['answer', 'disconnect'])
def test_who_asks_is_alive_until_then(peer: Peer, end: str) -> None:
    # The channel of a child process holds nothing when nobody listens to its messages.
    tracker = SentSockets(peer, KEY)
    tracker.close(lambda error, value: None)
    assert peer.held == 1
    if end == 'answer':
        tracker.answered({'cmd': 'NODE_SOCKET_ALL_CLOSED', 'key': KEY})
        assert peer.held == 0
    tracker.disconnected()
    assert peer.held == 0


def test_an_exit_is_an_answer(peer: Peer) -> None:
    trackers = [SentSockets(peer, KEY), SentSockets(peer, 'other')]
    answers: list[Any] = []
    done: list[bool] = []
    ask(trackers, 'get_connections', lambda error, count: answers.append((error, count)),
        lambda: done.append(True))
    trackers[0].answered({'cmd': 'NODE_SOCKET_COUNT', 'key': KEY, 'count': 2})
    assert (answers, done) == ([(None, 2)], [])
    trackers[1].emit('exit', None, 'SIGKILL')
    [_, (error, count)] = answers
    assert (error.code, count, done) == ('ERR_CHILD_CLOSED_BEFORE_REPLY', None, [True])
    trackers[1].disconnected()  # comes later, and changes nothing
    assert len(answers) == 2
    assert [tracker.listener_count('exit') for tracker in trackers] == [0, 0]


# --- the other side -----------------------------------------------------------------------------

ALL_CLOSED = {'cmd': 'NODE_SOCKET_ALL_CLOSED', 'key': KEY}


def test_counts_are_told(peer: Peer) -> None:
    received = ReceivedSockets(peer, KEY)
    for step, count in ((received.add, 1), (received.add, 2), (received.destroyed, 1)):
        step(*([None] if step == received.destroyed else []))
        received.count()
        assert peer.sent[-1] == {'cmd': 'NODE_SOCKET_COUNT', 'key': KEY, 'count': count}


def test_that_all_are_closed_is_told_at_once_or_later(peer: Peer) -> None:
    received = ReceivedSockets(peer, KEY)
    received.notify_close()
    assert peer.sent == [ALL_CLOSED]
    received.add()
    received.add()
    received.notify_close()
    received.destroyed(None)
    assert peer.sent == [ALL_CLOSED]
    received.destroyed(None)
    assert peer.sent == [ALL_CLOSED] * 2
    received.add()
    received.destroyed(None)  # once for each question
    assert peer.sent == [ALL_CLOSED] * 2


def test_each_question_has_its_answer(peer: Peer) -> None:
    received = ReceivedSockets(peer, KEY)
    received.add()
    received.notify_close()
    received.notify_close()
    assert peer.sent == []
    received.destroyed(None)
    assert peer.sent == [ALL_CLOSED] * 2


def test_one_that_was_sent_on_counts_no_more(peer: Peer) -> None:
    received = ReceivedSockets(peer, KEY)
    received.add()
    received.departed(None)
    received.count()
    assert peer.sent[-1]['count'] == 0
    received.returned(None)
    received.count()
    assert peer.sent[-1]['count'] == 1


def test_nothing_is_told_when_the_channel_is_closed(peer: Peer) -> None:
    received = ReceivedSockets(peer, KEY)
    received.add()
    received.notify_close()
    peer.connected = False
    received.destroyed(None)
    assert peer.sent == []
