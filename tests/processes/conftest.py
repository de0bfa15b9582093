"""Fixtures of the tests of processes that talk to each other."""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from gevent import monkey, subprocess
from gevent.event import Event
from gevent.queue import Empty, Queue

import gnet
from gnet.processes import channel, peer
from gnet.processes import child as of_children

from ..harness import fork_server, forking
from ..harness.transitions import watched
from ..harness.waiting import PROCESS_PATIENCE

#: The events of a child, in the order in which they are registered.
EVENTS = ('spawn', 'message', 'disconnect', 'exit', 'close', 'error')


class Child:
    """A forked process and what it has told: ``process`` is the :class:`ChildProcess`."""

    def __init__(self, process: Any) -> None:
        self.process = process
        #: The name of each event, and its arguments but for handles.
        self.events: list[tuple[Any, ...]] = []
        self._messages: Queue[Any] = Queue()
        self._closed = Event()
        for event in EVENTS:
            process.on(event, self._recorder(event))

    def _recorder(self, event: str) -> Callable[..., None]:
        def record(*args: Any) -> None:
            if event == 'message':
                self._messages.put(args)
                args = args[:1]
            self.events.append((event, *args))
            if event == 'close':
                self._closed.set()

        return record

    def send(self, *args: Any, **keywords: Any) -> bool:
        sent: bool = self.process.send(*args, **keywords)
        return sent

    def message(self) -> Any:
        """Return the next message, which came without a handle."""
        message, handle = self.message_and_handle()
        assert handle is None
        return message

    def message_and_handle(self) -> tuple[Any, Any]:
        """Return the next message, and what came with it."""
        try:
            message: tuple[Any, Any] = self._messages.get(timeout=PROCESS_PATIENCE)
        except Empty:
            raise AssertionError(f'no message; events: {self.events}') from None
        return message

    def wait(self) -> tuple[Any, Any]:
        """Wait for 'close'; return its arguments, the status and the signal."""
        # Not gnet.once(): that raises an 'error'.
        assert self._closed.wait(PROCESS_PATIENCE), f'no close; events: {self.events}'
        code, signal = next(event[1:] for event in self.events if event[0] == 'close')
        return code, signal

    def names(self) -> list[str]:
        """Return the names of the events so far."""
        return [event[0] for event in self.events]


@pytest.fixture(autouse=True)
def states() -> Iterator[None]:
    """Let no channel and no child come into a state that does not follow the one before."""
    with watched(
        (channel.Channel, '_state', channel.FOLLOWS), (peer.Peer, 'state', peer.FOLLOWS),
        (of_children.ChildProcess, '_life', of_children.FOLLOWS),
    ) as wrong:
        yield
    assert wrong == []


@pytest.fixture
def fork(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Callable[..., Child]]:
    """``fork(code, *args, **options)`` runs *code* in a child of its own: see :class:`Child`."""
    if request.node.get_closest_marker('executed') is None:
        monkeypatch.setattr(subprocess, 'Popen', forking.popen(fork_server.forker))
    children: list[Child] = []

    def fork(code: str, *args: str, **options: Any) -> Child:
        script = tmp_path / f'child{len(children)}.py'
        script.write_text(textwrap.dedent(code))
        # That of the suite is for the suite.
        env = {name: value for name, value in os.environ.items() if name != 'GNET_STAY_ALIVE'}
        options.setdefault('env', env)
        options.setdefault('patch', monkey.is_module_patched('socket'))
        children.append(Child(gnet.child_process.fork(str(script), args, **options)))
        return children[-1]

    yield fork
    for child in children:
        child.process.kill('SIGKILL')
        child.wait()
        for pipe in child.process.stdio:
            if pipe is not None:
                pipe.destroy()


@pytest.fixture
def fork_stranger(fork: Callable[..., Child]) -> Callable[..., Child]:
    """Like ``fork``, for a child that knows nothing of gnet: ``channel`` is its plain socket."""
    def fork_stranger(code: str, *args: str, **options: Any) -> Child:
        head = (
            'import json, os, socket\n'
            "channel = socket.socket(fileno=int(os.environ['NODE_CHANNEL_FD']))\n"
        )
        return fork(
            head + textwrap.dedent(code), *args, exec_path=sys.executable, direct=True, **options)

    return fork_stranger
