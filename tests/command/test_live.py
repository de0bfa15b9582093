"""Looking into a running program: SIGUSR1, ``--control``, ``--blocked`` and ``gnet top``."""

from __future__ import annotations

import os
import pty
import re
import signal
import socket
import struct
import sys
import tempfile
from collections.abc import Callable, Iterator
from fcntl import ioctl
from pathlib import Path
from termios import TIOCSWINSZ
from typing import Any

import gevent
import pytest
from gevent import monkey, subprocess

from gnet.command import top

from ..harness import ROOT
from ..harness.plain import PlainSocket
from ..harness.waiting import PROCESS_PATIENCE

#: Echoes; "stuck" is a listener that never returns before another signal, SIGUSR2, comes.
ECHO = """
import os, signal, sys
import gnet

go_on = []
signal.signal(signal.SIGUSR2, lambda *_: go_on.append(True))

def handler(sock):
    for chunk in sock:
        sock.sendall(chunk)
        if chunk == b'stuck':
            while not go_on:
                pass
            go_on.clear()

server = gnet.create_server(handler)
server.listen(0, '127.0.0.1', callback=lambda: os.write(
    1, b'worker %d listens on %d\\n' % (os.getpid(), server.address().port)))
gnet.run()
"""


@pytest.fixture
def place() -> Iterator[str]:
    """A path that is short enough for the name of a socket."""
    with tempfile.TemporaryDirectory(prefix='gnet-') as directory:
        yield str(Path(directory, 'control'))


@pytest.fixture
def look(capsys: pytest.CaptureFixture[str]) -> Callable[..., list[str]]:
    """``look(target)`` returns the lines that ``gnet top --once`` writes."""

    def look(target: object) -> list[str]:
        top.main(['--once', str(target)])
        return capsys.readouterr().out.splitlines()

    return look


def ask(sock: Any, word: bytes) -> None:
    sock.sendall(word)
    assert sock.recv_exactly(len(word)) == word


def test_a_program_tells_what_lives_in_it_wherever_it_is(
    scripts: Any, connect: Any, look: Any, place: str,
) -> None:
    launcher = ['-m', 'gnet', '--control', place, '--blocked', '0.2']
    program = scripts.start(ECHO, launcher=launcher, merged=True)
    port = int(program.wait_for(r'listens on (\d+)')[1])
    peer = connect(('127.0.0.1', port))
    ask(peer, b'hello')
    ends = f'127.0.0.1:{port} <- 127.0.0.1:{peer.getsockname()[1]}'

    lines = look(place)
    assert lines[0].startswith(f'gnet top: pid {program.process.pid}, * keeps it alive: ')
    assert all(each in lines[0] for each in ('1 server', '1 handler', '1 socket', '1 greenlet'))
    handler, = (line for line in lines if ' handler ' in line)
    place_of_handler = r'at \S+script\.py:\d+ in handler'
    assert re.fullmatch(rf'\* handler +\S+  {ends}  waiting  {place_of_handler}', handler)
    assert any(f'{ends}  open  in 5 out 5 queued 0 unread 0' in line for line in lines)

    program.send_signal(signal.SIGUSR1)
    program.wait_for(rf'gnet: alive in process {program.process.pid}')
    program.wait_for(rf'handler .* {ends}  waiting')

    ask(peer, b'stuck')
    report = rf'gnet: the hub of process {program.process.pid} is blocked for \d+\.\d\d s'
    program.wait_for(report)
    program.wait_for('while not go_on|pass|in handler')
    program.send_signal(signal.SIGUSR1)
    program.wait_for(rf'handler .* {ends}  running  at \S+script.py:\d+ in handler')
    program.send_signal(signal.SIGUSR2)
    program.wait_for(r'gnet: the hub of process \d+ goes on after')

    # Another program does not get the same place; this one goes on with it.
    refused = scripts.run(ECHO, launcher=['-m', 'gnet', '--control', place])
    assert (refused.status, refused.stdout) == (1, '')
    assert refused.stderr == (
        f'gnet: --control {place}: {place}: is the control socket of a running program\n')
    assert len(look(place)) == len(lines)

    peer.close()
    program.send_signal(signal.SIGTERM)
    ended = program.wait()
    assert ended.status == 0
    assert len(re.findall(report, ended.stdout)) == 1
    assert not os.path.exists(place)


def test_one_is_found_by_its_number(
    scripts: Any, look: Any, place: str, monkeypatch: Any,
) -> None:
    runtime = str(Path(place).parent)
    program = scripts.start(
        'import gnet, gevent; gevent.spawn(gevent.sleep, 3600); print("begun", flush=True)\n'
        'gnet.run()',
        launcher=['-m', 'gnet', '--control', 'auto'], env={'XDG_RUNTIME_DIR': runtime})
    program.wait_for('begun')
    monkeypatch.setenv('XDG_RUNTIME_DIR', runtime)
    lines = look(program.process.pid)
    assert lines[0].startswith(f'gnet top: pid {program.process.pid}, ')
    assert re.search(r'main  waiting  at \S+script\.py:2 in <module>$', '\n'.join(lines), re.M)
    program.send_signal(signal.SIGINT)
    assert program.wait().status == -signal.SIGINT
    assert list(Path(runtime, 'gnet').iterdir()) == []


@pytest.mark.parametrize('how', ['signal.signal', 'gevent.signal_handler'])
def test_a_script_may_have_another_use_for_the_signal(scripts: Any, how: str) -> None:
    ended = scripts.run(f"""
        import os, signal
        import gevent, gevent.event

        came = gevent.event.Event()
        {how}(signal.SIGUSR1, lambda *_: came.set())
        os.kill(os.getpid(), signal.SIGUSR1)
        print(came.wait(10))
    """, launcher=['-m', 'gnet'])
    assert ended == (0, 'True\n', '')


def test_signals_that_come_while_one_is_answered_are_no_recursion(monkeypatch: Any) -> None:
    from gnet.command import live_signal
    from gnet.observing import live

    before = signal.getsignal(signal.SIGUSR1)
    asked: list[int] = []

    def ask_again(**_: Any) -> Any:
        asked.append(1)
        os.kill(os.getpid(), signal.SIGUSR1)
        raise ZeroDivisionError

    monkeypatch.setattr(live, 'live', ask_again)
    signal.signal(signal.SIGUSR1, signal.SIG_DFL)
    try:
        live_signal.expect()
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert len(asked) == 2


@pytest.mark.parametrize('options', [[], ['--patch']], ids=['plain', 'patched'])
def test_a_program_that_is_out_of_descriptors_tells_too(scripts: Any, options: list[str]) -> None:
    ended = scripts.run("""
        import os, resource, signal
        import gevent.monkey

        gevent.sleep(0)  # with a hub, the patched os.close() waits for its next turn
        lowest = os.dup(0)
        gevent.monkey.get_original('os', 'close')(lowest)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
        os.kill(os.getpid(), signal.SIGUSR1)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        print('goes on')
    """, launcher=['-m', 'gnet', *options])
    assert (ended.status, ended.stdout) == (0, 'goes on\n')
    assert re.match(r'gnet: alive in process \d+', ended.stderr)


def test_children_have_the_default(scripts: Any) -> None:
    ended = scripts.run("""
        import os, signal, subprocess, sys

        if os.fork() == 0:
            os.kill(os.getpid(), signal.SIGUSR1)
            os._exit(0)
        print(os.WTERMSIG(os.wait()[1]) == signal.SIGUSR1)
        code = 'import os, signal; os.kill(os.getpid(), signal.SIGUSR1)'
        print(subprocess.run([sys.executable, '-c', code]).returncode == -signal.SIGUSR1)
    """, launcher=['-m', 'gnet'])
    assert ended == (0, 'True\nTrue\n', '')


def test_workers_are_asked_by_their_primary(
    program: Any, connect: Any, look: Any, place: str,
) -> None:
    running = program(ECHO, '--control', place, '--blocked', '0.2',
                      changes='from gnet.command import inquiry; inquiry.PATIENCE = 0.3')
    workers = running.wait_until_listening()
    peer = connect(('127.0.0.1', running.port))
    ask(peer, b'hello')
    lines = look(place)
    assert lines[0].startswith(f'gnet top: pid {running.pid}, 2 workers, * keeps it alive: ')
    assert {int(line.split()[0]) for line in lines if ' server ' in line} == workers
    busy, = (int(line.split()[0]) for line in lines if ' handler ' in line)
    children = {int(line.rsplit('pid ')[1]) for line in lines if ' process ' in line}
    assert children == workers

    running.kill(signal.SIGUSR1)
    running.wait_for('SIGUSR1: sent on to 2 workers')
    told = {int(running.wait_for(r'gnet: alive in process (\d+)')[1]) for _ in workers}
    assert told == workers

    # One that is stuck does not answer, and does not keep the others from it.
    ask(peer, b'stuck')
    running.wait_for(rf'gnet: the hub of process {busy} is blocked for \d')
    # (The other one has 0.3 s, which a machine may be too busy for.)
    with gevent.Timeout(PROCESS_PATIENCE):
        while (lines := look(place))[1] != f'no answer of {busy}: blocked?':
            assert lines[1].startswith('no answer of ')
    assert {int(line.split()[0]) for line in lines[2:] if ' server ' in line} == workers - {busy}
    running.kill(signal.SIGUSR1)
    running.wait_for('handler .*  running  at')
    os.kill(busy, signal.SIGUSR2)
    running.wait_for(rf'the hub of process {busy} goes on after')
    peer.close()
    running.kill(signal.SIGTERM)
    assert running.wait()[0] == 0
    assert not os.path.exists(place)


@pytest.mark.parametrize(('words', 'status', 'text'), [
    (['4194305'], 1, 'there is no process 4194305'),
    ([str(os.getpid())], 1, 'has no control socket here: it was not started by'),
    (['\N{SUPERSCRIPT TWO}'], 1, 'No such file or directory'),
    (['/nowhere/at/all'], 1, 'gnet: /nowhere/at/all: No such file or directory'),
    ([], 2, 'the following arguments are required: PID|PATH'),
    (['--interval', '0', '1'], 2, 'is no number of seconds from 0.1 on'),
])
def test_what_cannot_be_shown_is_said(words: Any, status: int, text: str, capsys: Any) -> None:
    with pytest.raises(SystemExit) as ended:
        top.main(words)
    assert ended.value.code == status
    assert text in capsys.readouterr().err


@pytest.mark.parametrize(('answer', 'text'), [
    (b'', 'lets nobody in'),
    (b'{"pid": 1, "workers": []}\n{"ki', 'has ended in the middle'),
    (b'HTTP/1.1 400\r\n{"end": true}\n', 'is not what gnet'),
    (b'1\n{"end": true}\n', 'is not what gnet'),
    (b'{"pid": 1, "workers": []}\n["kind"]\n{"end": true}\n', 'is not what gnet'),
    (b'{"pid": 1, "workers": []}\n{"kind": "moon", "process": 1}\n{"end": true}\n',
     'is not what gnet'),
])
def test_what_answers_otherwise_is_no_program_of_gnet(
    native: Any, place: str, capsys: Any, answer: bytes, text: str,
) -> None:
    with PlainSocket(socket.AF_UNIX) as listener:
        listener.bind(place)
        listener.listen()

        def serve() -> None:
            client, _ = listener.accept()
            with client:
                assert client.recv(100) == b'live\n'
                client.sendall(answer)

        call = native.start(serve)
        with pytest.raises(SystemExit):
            top.main([place])
        call.get()
    assert text in capsys.readouterr().err


@pytest.mark.parametrize(('words', 'text'), [
    (['--blocked', '0'], '0 is not from 0.005 to 3600 seconds'),
    (['--blocked', 'long'], "'long' is no number of seconds"),
])
def test_a_wrong_option_is_said(words: Any, text: str, capsys: Any) -> None:
    from gnet.command.main import main

    with pytest.raises(SystemExit) as ended:
        main([*words, 'script.py'])
    assert ended.value.code == 2
    assert text in capsys.readouterr().err


def _start_in_terminal(terminal: int, place: str) -> Any:
    """Start ``gnet top`` in a session of its own, whose terminal that is; Ctrl-C is for it."""
    code = f"""
import fcntl, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
from gnet.command.main import main
main(['top', '--interval', '0.1', {place!r}])
"""
    return subprocess.Popen(
        [sys.executable, '-c', code], stdin=terminal, stdout=terminal, stderr=terminal,
        start_new_session=True, env={**os.environ, 'PYTHONPATH': str(ROOT)})


def test_in_a_terminal_it_is_shown_again_and_again(scripts: Any, native: Any, place: str) -> None:
    program = scripts.start(ECHO, launcher=['-m', 'gnet', '--control', place])
    program.wait_for('listens')
    master, slave = pty.openpty()
    close = monkey.get_original('os', 'close')
    try:
        ioctl(slave, TIOCSWINSZ, struct.pack('4H', 5, 40, 0, 0))
        seen = b''

        def read_until(pattern: bytes) -> bytes:
            nonlocal seen
            with gevent.Timeout(PROCESS_PATIENCE, AssertionError(f'{pattern!r} in {seen!r}')):
                while not re.search(pattern, seen):
                    seen += native(os.read, master, 65536)
            return seen

        shown = _start_in_terminal(slave, place)
        close(slave)
        first = read_until(rb'\x1b\[J').partition(b'\x1b[J')[0]
        assert first.startswith(b'\x1b[?1049h\x1b[?25l\x1b[H')
        lines = re.sub(rb'\x1b\[[?\d]*[a-zA-Z]', b'', first).decode().split('\r\n')
        assert len(lines) == 5
        assert all(len(line) <= 40 for line in lines)
        assert lines[0].startswith('gnet top: pid ')
        assert lines[1] == 'every 0.1 s, Ctrl-C ends this'
        read_until(rb'bytes/s|(?s:\x1b\[J.*\x1b\[J)')  # it was drawn again
        seen = b''
        ioctl(master, TIOCSWINSZ, struct.pack('4H', 20, 200, 0, 0))
        read_until(rb'main  waiting  at \S+script\.py')
        seen = b''
        os.write(master, b'\x03')
        read_until(rb'\x1b\[\?25h\x1b\[\?1049l')
        assert shown.wait(PROCESS_PATIENCE) == -signal.SIGINT
    finally:
        close(master)
