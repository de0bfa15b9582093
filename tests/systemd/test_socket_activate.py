"""Programs that ``systemd-socket-activate`` starts, as a socket unit would."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from gevent import monkey

from ..harness.ports import free_port
from ..harness.programs import find_program
from ..harness.scripts import Running, Scripts

#: Says which process answers, on a port and on a path that systemd calls "web" and "admin".
PROGRAM = """
    import os
    import gnet

    def answer(sock):
        sock.end(f'{os.getpid()} {sock.local_address}')

    for name in gnet.systemd.socket_names():
        server = gnet.serve(answer, systemd=name)
        os.write(1, b'%s listens\\n' % name.encode())
    left = [name for name in os.environ if name.startswith('LISTEN_') or 'SYSTEMD' in name]
    os.write(1, b'left: %r\\n' % left)
"""

Activate = Callable[..., Running]


@pytest.fixture
def activate(scripts: Scripts, tmp_path: Path) -> Activate:
    """``activate(options, *command)`` has a program started when somebody connects."""
    program = find_program('systemd-socket-activate', 'systemd')

    def start(text: str, *options: str, words: tuple[str, ...] = ()) -> Running:
        # It passes on no more of the environment than it is told to.
        for name in {'PYTHONPATH', 'GEVENT_LOOP'} & {*os.environ}:
            options += ('-E', f'{name}={os.environ[name]}')
        patch = ('--patch',) if monkey.is_module_patched('socket') else ()
        # Python becomes systemd-socket-activate, which becomes Python.
        launcher = ['-c', 'import os, sys; os.execv(sys.argv[1], sys.argv[1:])', program,
                    *options, sys.executable, '-m', 'gnet', *patch, *words]
        return scripts.start(text, launcher=launcher, merged=True, env={'GNET_STAY_ALIVE': None})

    return start


def ask(connect: Any, address: Any) -> list[str]:
    peer = connect(address)
    answer: str = peer.recv_until_end().decode()
    peer.close()
    return answer.split()


@pytest.mark.parametrize(('words', 'policy'), [
    ((), 'rr'), (('--workers', '2'), 'rr'), (('--workers', '1'), 'none'),
], ids=['alone', 'workers', 'workers that share the descriptor'])
def test_a_program_serves_what_is_passed_to_it(
    activate: Activate, connect: Any, tmp_path: Path, words: tuple[str, ...], policy: str,
) -> None:
    port, path = free_port(), str(tmp_path / 'admin')
    running = activate(
        PROGRAM, '-l', f'127.0.0.1:{port}', '-l', path, '--fdname=web:admin', '-E',
        f'NODE_CLUSTER_SCHED_POLICY={policy}', words=words)
    running.wait_for('Listening on .*admin as 4')
    first = connect(('127.0.0.1', port))  # it is this one that starts the program
    assert first.recv_until_end().split()[1] == b'127.0.0.1'
    first.close()
    running.wait_for(r'left: \[\]')
    workers = {ask(connect, path)[0] for _ in range(8)} | {
        ask(connect, ('127.0.0.1', port))[0] for _ in range(8)}
    assert (workers == {str(running.process.pid)}) is not bool(words)
    if policy == 'rr' and words:
        running.send_signal(signal.SIGHUP)
        running.wait_for('the workers were replaced')
        assert not workers & {ask(connect, path)[0] for _ in range(8)}
    running.send_signal(signal.SIGTERM)
    assert running.wait().status == 0
    assert Path(path).exists()


def test_the_errors_of_a_program_reach_who_started_it(
    activate: Activate, connect: Any, tmp_path: Path,
) -> None:
    running = activate("import gnet; gnet.serve(None, systemd='web')", '-l', str(tmp_path / 'x'))
    running.wait_for('Listening on')
    connect(str(tmp_path / 'x')).close()
    running.wait_for(
        "CodedValueError: systemd has passed no socket of the name 'web'. There is 'unknown'")
    assert running.wait().status == 1


def test_workers_are_told_that_another_process_is_meant(start_script: Any) -> None:
    running = start_script(
        "import gnet; gnet.serve(None, systemd='web')", launcher=['-m', 'gnet', '--workers', '1'],
        env={'LISTEN_PID': '1', 'LISTEN_FDS': '1'}, merged=True)
    running.wait_for(f'LISTEN_PID is 1, and this process is {running.process.pid}')
    assert running.wait().status == 1


def test_workers_are_refused_what_is_not_there(
    activate: Activate, connect: Any, tmp_path: Path,
) -> None:
    running = activate(
        'import gnet; gnet.serve(None, systemd=True)', '-l', str(tmp_path / 'x'), '-l',
        str(tmp_path / 'y'), words=('--workers', '1'))
    running.wait_for('Listening on .*y as')
    connect(str(tmp_path / 'y')).close()
    running.wait_for(
        r"CodedValueError: systemd has passed several sockets, 'unknown' \(fd 3\), "
        r"'unknown' \(fd 4\): say which by its name")
    assert running.wait().status == 1
