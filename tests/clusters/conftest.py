"""Programs that are clusters, and a look at whether each of them leaves a process behind."""

from __future__ import annotations

import os
import select
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from gevent import monkey

from ..harness.scripts import Running, Scripts
from ..harness.transitions import SOURCE
from ..harness.waiting import PATIENCE

#: What each program starts with. Its processes share the standard output, so each line is one
#: write.
PRELUDE = SOURCE + """
import os, sys
import gevent, gnet
from gnet import cluster

def say(*words):
    os.write(1, (' '.join(map(str, words)) + '\\n').encode())

def wait_listening(server):
    if not server.listening:
        gnet.once(server, 'listening')
    return server.address()

def watch_states():
    from gnet.clusters import own_worker, remote_listener, round_robin, worker
    from gnet.servers import listen_call

    def failed(text):
        say('not in the table:', text)
        os._exit(70)

    watch(worker.Progress, 'life', worker.FOLLOWS, failed)
    watch(own_worker.WorkerSide, '_stay', own_worker.FOLLOWS, failed)
    watch(round_robin._Seat, 'state', round_robin.FOLLOWS, failed)
    watch(remote_listener.Distributed, '_place', remote_listener.FOLLOWS, failed)
    watch(listen_call.ListenCall, '_stage', listen_call.FOLLOWS, failed)

watch_states()

"""

#: Marks the processes of a program in their environment.
MARK = 'TEST_CLUSTER'


def _processes_with(mark: str, directory: Path) -> dict[int, int]:
    """The processes with *mark* in their environment, or in *directory*: descriptors by number."""
    found = {}
    for entry in Path('/proc').iterdir():
        if not entry.name.isdigit():
            continue
        try:
            # One that was forked has the environment of what forked it, as the system knows it.
            environment = (entry / 'environ').read_bytes()
            if mark.encode() in environment or (entry / 'cwd').samefile(directory):
                found[int(entry.name)] = os.pidfd_open(int(entry.name))
        except OSError:
            continue  # gone, or somebody else's
    return found


def _assert_all_gone(mark: str, directory: Path) -> None:
    poll: Any = monkey.get_original('select', 'poll')
    close: Callable[[int], None] = monkey.get_original('os', 'close')
    left = []
    for pid, descriptor in _processes_with(mark, directory).items():
        ended = poll()
        ended.register(descriptor, select.POLLIN)
        if not ended.poll(PATIENCE * 1000):
            command = Path(f'/proc/{pid}/cmdline').read_bytes().replace(b'\0', b' ')
            left.append(f'{pid}: {command.decode()}')
            os.kill(pid, 9)
        close(descriptor)
    assert not left, f'processes that are left: {left}'


@pytest.fixture(params=['rr', 'none'])
def policy(request: pytest.FixtureRequest) -> str:
    """Both ways to share a listener."""
    policy: str = request.param
    return policy


@pytest.fixture
def program(scripts: Scripts, tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """``program(text, *args, policy=…, env=…)`` starts a cluster; see PRELUDE."""
    mark = f'{MARK}={os.urandom(8).hex()}'

    def start(
        text: str, *args: str, policy: str = 'rr', env: dict[str, str] | None = None,
    ) -> Running:
        path = tmp_path / 'program.py'
        path.write_text(PRELUDE + textwrap.dedent(text) + '\ngnet.run()\n', encoding='utf-8')
        return scripts.start(path, *args, workers=True, env={
            **(env or {}), 'NODE_CLUSTER_SCHED_POLICY': policy, MARK: mark.partition('=')[2]})

    yield start
    scripts.close()
    _assert_all_gone(mark, tmp_path)
