"""The programs of ``examples/ported/``: each answers as the one that it was before."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from ..harness.native import Peer
from ..harness.scripts import Running
from .common import EXAMPLES, node

PORTED = EXAMPLES / 'ported'

#: What clients, by number, send to each, and the answer that each waits for. None: it ends.
CONVERSATIONS: dict[str, list[tuple[int, bytes | None, bytes]]] = {
    'store': [
        (0, b'set a 1\nset b two words\nkeys\n', b'ok\nok\na b\n'),
        (1, b'get b\nget nothing\n', b'two words\n\n'),
        (0, b'get a', b''),  # the last line has no end
        (0, None, b'1\n'),
        (1, None, b''),
    ],
    'readings': [
        (0, b'', b'hello 127.0.0.1\n'),
        (0, b'cellar 10\ncellar 11\n', b'10.00\n10.50\n'),
        (1, b'cellar 12\nroof 1.25\n', b'hello 127.0.0.1\n11.00\n1.25\n'),
        (0, b'cellar much\n', b''),
        (0, None, b''),  # a failure of its handler: no answer, and its connection is ended
        (1, b'roof 1.75\n', b'1.50\n'),
    ],
    'talk': [
        (0, b'ann\n', b'your name?\n* ann is here\n'),
        (1, b'bob\n', b'your name?\n* bob is here\n'),
        (0, b'', b'* bob is here\n'),
        (1, b'hello\n', b'bob: hello\n'),
        (0, b'', b'bob: hello\n'),
        (1, None, b''),
        (0, b'alone\n', b'* bob has left\nann: alone\n'),
    ],
    'jobs': [
        (0, b'put dig\nput sow\n', b'ok\nok\n'),
        (1, b'take 9\ntake 9\ntake 0.01\n', b'job dig\njob sow\nnone\n'),
        (1, b'take 9\n', b''),
        (0, b'put reap\n', b'ok\n'),
        (1, b'', b'job reap\n'),
        (1, None, b''),
    ],
    'presence': [
        (0, b'name ann\nwho', b'welcome ann\n'),
        (1, b'name bob\nwho\n', b'welcome bob\nann bob\n'),
        (0, b'\n', b'ann bob\n'),
        (1, None, b''),
        (0, b'', b'bob has left\n'),
        (0, b'who\n', b'ann\n'),
    ],
}

#: What the programs before are made of, where that has to be installed.
NEEDS = {'talk': 'eventlet'}


def missing(what: str) -> None:
    """Skip the test, or fail it where everything should be there."""
    if os.environ.get('CI'):
        pytest.fail(f'{what} is not installed')
    pytest.skip(f'{what} is not installed')


@pytest.fixture
def before(
    start_script: Callable[..., Running], tmp_path: Path,
) -> Iterator[Callable[..., Running]]:
    """``before(name)`` starts the program before, in a process that is not patched."""
    started: list[Running] = []

    def start(name: str) -> Running:
        if (PORTED / f'{name}_before.py').exists():
            if name in NEEDS and find_spec(NEEDS[name]) is None:
                missing(NEEDS[name])
            # What is deprecated in it is not ours.
            return start_script(PORTED / f'{name}_before.py', '0', launcher=['-W', 'ignore'])
        started.append(
            Running([node(), str(PORTED / f'{name}_before.js'), '0'], tmp_path, os.environ))
        return started[-1]

    yield start
    for running in started:
        running.close()


def answers(running: Running, name: str, connect: Callable[..., Peer]) -> None:
    """Have the conversation, and see that each client gets what it waits for, and no more."""
    port = int(running.wait_for(r'^listening on 127\.0\.0\.1:(\d+)')[1])
    clients: dict[int, Peer] = {}
    for number, sent, answer in CONVERSATIONS[name]:
        if number not in clients:
            clients[number] = connect(('127.0.0.1', port))
        if sent is None:
            clients[number].end()
            assert clients[number].recv_until_end() == answer
        else:
            clients[number].sendall(sent)
            assert clients[number].recv_exactly(len(answer)) == answer


@pytest.mark.any_loop
@pytest.mark.parametrize('name', CONVERSATIONS)
def test_the_program_before_answers(name: str, before: Any, connect: Any) -> None:
    answers(before(name), name, connect)


@pytest.mark.parametrize('name', CONVERSATIONS)
def test_the_ported_program_answers_the_same(name: str, start_script: Any, connect: Any) -> None:
    running = start_script(PORTED / f'{name}.py', '0')
    answers(running, name, connect)
    running.send_signal(signal.SIGINT)
    ended = running.wait()
    assert ended.status == -signal.SIGINT
    # One traceback for the value that is no number; else not a word.
    assert re.findall(r'^\w+Error.*', ended.stderr, re.M) == (
        ["ValueError: could not convert string to float: b'much'"]
        if name == 'readings' else [])
    assert bool(ended.stderr) == (name == 'readings')


def test_each_ported_program_is_tested_here() -> None:
    names = {path.stem.replace('_before', '') for path in PORTED.iterdir() if path.is_file()}
    assert names == {*CONVERSATIONS}
