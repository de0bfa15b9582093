"""``stop()`` where nothing can wait: in handlers of ``signal.signal``, and in the hub."""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent
import pytest

import gnet
from gnet.servers.acceptor import Acceptor

from ..harness.listening import happens, listening
from ..harness.native import is_refused
from ..harness.waiting import PATIENCE, until

Run = Callable[..., Any]

#: Answers what a client sends, which greets it first; tells when SIGTERM has been dealt with.
SCRIPT = """
import signal, sys
import gevent, gnet

seen = []

def answer(sock):
    sock.sendall(b'hello')
    print('open', flush=True)
    sock.sendall(sock.recv(100))

def terminate(number, frame):
    print('asked', flush=True)
    {act}

def tick():
    while server.listening or server._connections: gevent.sleep(0.01)

server = gnet.create_server(answer)
signal.signal(signal.SIGTERM, terminate)
server.on('close', lambda: print('closed', flush=True))
server.listen({where})

@server.on('listening')
def tell():
    where = server.address()
    print('ready', getattr(where, 'port', where), flush=True)

try:
    {place}
finally:
    print('left', flush=True)
"""

#: Where the main greenlet is. (While run() does not serve, gevent may overlook a signal until the
#: next event.)
PLACES = {
    'run': 'gnet.run()',
    'serve_forever': 'server.serve_forever()',
    'exit hook': 'pass',
    'sleep': "gnet.once(server, 'listening')\n"
             "    tick()",
    'another wait': "gnet.once(server, 'listening')\n"
                    "    gevent.spawn(tick)\n"
                    "    gnet.once(server, 'close')",
}

#: What is done about SIGTERM, and the status then.
ACTS = {
    'stop': ('server.stop(20)', 0),
    'stop without a limit': ('server.stop()', 0),
    'stop and exit': ('server.stop(20); sys.exit(3)', 3),
    'close': ('server.close()', 0),
    'stop in a greenlet': ('gevent.spawn(server.stop, 20)', 0),
    'stop in one of gevent': ('', 0),
}


def begin(
    start_script: Run, connect: Run, act: str, place: str, where: str = "0, '127.0.0.1'",
    **options: Any,
) -> tuple[Any, Any]:
    """Start the script, connect, and send it SIGTERM; return the script and the client."""
    text = SCRIPT.format(act=act or 'pass', place=PLACES[place], where=where)
    if not act:
        text = text.replace(
            'signal.signal(signal.SIGTERM, terminate)',
            'gevent.signal_handler(signal.SIGTERM, lambda: (terminate(0, 0), server.stop(20)))')
    running = start_script(text, **options)
    told = running.wait_for('^ready (.*)')[1]
    client = connect(told if where[0] == "'" else ('127.0.0.1', int(told)))
    assert client.recv_exactly(5) == b'hello'
    running.wait_for('^open')
    # What a signal handler raises is raised in what it interrupts: here not in the connection's.
    until(lambda: not is_busy(running.process.pid))
    running.send_signal(signal.SIGTERM)
    running.wait_for('^asked')
    return running, client


def is_busy(pid: int) -> bool:
    """Whether the process is running, and not waiting for anything."""
    stat = Path(f'/proc/{pid}/stat').read_text(encoding='utf-8')
    return stat.rpartition(')')[2].split()[0] == 'R'


def finish(running: Any, client: Any, connect: Run, status: int) -> None:
    """Nothing is accepted any more; the client has its answer."""
    until(lambda: is_refused(connect, client.getpeername()))
    client.sendall(b'answer')
    assert client.recv_until_end() == b'answer'
    client.close()
    ended = running.wait()
    assert (ended.status, ended.stderr) == (status, '')


@pytest.mark.parametrize('launcher', [None, ['-m', 'gnet']], ids=['python', 'gnet'])
@pytest.mark.parametrize('act', ACTS)
@pytest.mark.parametrize('place', PLACES)
def test_a_signal_handler_lets_open_connections_finish(
    start_script: Run, connect: Run, place: str, act: str, launcher: Any,
) -> None:
    call, status = ACTS[act]
    running, client = begin(start_script, connect, call, place, launcher=launcher)
    finish(running, client, connect, status)


def test_so_does_one_of_a_unix_socket(start_script: Run, connect: Run, tmp_path: Any) -> None:
    where = repr(str(tmp_path / 'socket'))
    running, client = begin(
        start_script, connect, 'server.stop(20); sys.exit(3)', 'run', where)
    finish(running, client, connect, 3)


@pytest.mark.parametrize('stays', [None, '0'])
def test_an_exit_waits_also_where_the_program_does_not_serve_on(
    start_script: Run, connect: Run, stays: str | None,
) -> None:
    running, client = begin(
        start_script, connect, 'server.stop(20); sys.exit(3)', 'sleep',
        env={'GNET_STAY_ALIVE': stays})
    running.wait_for('^left')
    finish(running, client, connect, 3)


#: Listeners of 'connection' that the signal interrupts: in its greenlet, and in another listener.
BUSY = {
    'a handler': """
def answer(sock):
    sock.sendall(b'hello')
    while not asked: pass
    sock.sendall(sock.recv(100))
""",
    'a listener': """
def answer(sock):
    def read(data):
        sock.write(b'hello')
        while not asked: pass
        sock.on('data', sock.end)
    sock.once('data', read)
""",
}


@pytest.mark.parametrize('busy', BUSY)
def test_the_connection_that_it_interrupts_is_not_held_up(
    start_script: Run, connect: Run, busy: str,
) -> None:
    running = start_script(f"""
import signal, gnet
asked = []

def terminate(number, frame):
    asked.append(number)
    print('asked', server.stop(20), flush=True)

{BUSY[busy]}
signal.signal(signal.SIGTERM, terminate)
server = gnet.create_server(answer).listen(0, '127.0.0.1')
server.on('listening', lambda: print(server.address().port, flush=True))
gnet.run()
print('left', flush=True)
""")
    client = connect(('127.0.0.1', int(running.read_line())))
    if busy == 'a listener':
        client.sendall(b'question')
    assert client.recv_exactly(5) == b'hello'
    running.send_signal(signal.SIGTERM)
    running.wait_for('asked 0')
    client.sendall(b'answer')
    assert client.recv_until_end() == b'answer'
    client.close()
    ended = running.wait()
    assert (ended.status, ended.stdout.splitlines()[-1]) == (0, 'left')


@pytest.mark.parametrize('act', ['server.stop(20); sys.exit(3)', 'server.stop(0 if again else 20)'])
@pytest.mark.parametrize('place', ['run', 'exit hook', 'sleep'])
def test_a_second_signal_may_cut_it_short(
    start_script: Run, connect: Run, place: str, act: str,
) -> None:
    running, client = begin(
        start_script, connect, f'again = bool(seen); seen.append(number); {act}', place)
    until(lambda: is_refused(connect, client.getpeername()))
    if 'exit' in act and place != 'exit hook':
        running.wait_for('^left')
    until(lambda: not is_busy(running.process.pid))
    running.send_signal(signal.SIGTERM)
    running.wait_for('^asked')
    assert client.recv_until_end() == b''
    assert running.wait().status == (3 if 'exit' in act else 0)


def test_what_is_cut_at_the_deadline_is_counted(start_script: Run, connect: Run) -> None:
    running, client = begin(start_script, connect, 'server.stop(0.1)', 'run')
    assert client.recv_until_end() == b''
    ended = running.wait()
    assert ended.status == 0
    assert ended.stderr == (
        '<gnet.Server not listening, 0 connections>: 1 of its connections were still open after '
        '0.1 s, and were cut\n')


def test_a_failed_program_does_not_wait(start_script: Run, connect: Run) -> None:
    running, client = begin(start_script, connect, 'server.stop(20); 1 / 0', 'run')
    assert client.recv_until_end() == b''
    ended = running.wait()
    assert ended.status == 1
    assert ended.stderr.endswith('ZeroDivisionError: division by zero\n')


def test_a_handler_that_interrupts_the_main_greenlet_does_not_hold_it_up(
    serve: Run, connect: Run,
) -> None:
    server = listening(serve(lambda sock: sock.on('data', sock.end)))
    client = connect(server)
    until(lambda: server._connections)
    seen: list[Any] = []
    previous = signal.signal(signal.SIGUSR1, lambda *_: seen.append(server.stop()))
    try:
        signal.raise_signal(signal.SIGUSR1)
        while not seen:
            pass
    finally:
        signal.signal(signal.SIGUSR1, previous)
    assert seen == [0]
    client.sendall(b'answer')
    assert client.recv_until_end() == b'answer'
    client.end()
    gnet.once(server, 'close', timeout=PATIENCE)


def test_close_in_a_handler_that_interrupts_accepting_is_no_failure(
    serve: Run, connect: Run, monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = listening(serve())
    errors: list[Any] = []
    server.on('error', errors.append)
    accept = Acceptor.do_read

    def interrupted(self: Acceptor) -> Any:
        signal.raise_signal(signal.SIGUSR1)
        return accept(self)

    monkeypatch.setattr(Acceptor, 'do_read', interrupted)
    previous = signal.signal(signal.SIGUSR1, lambda *_: server.close())
    try:
        with happens(server, 'close'):
            connect(server)
    finally:
        signal.signal(signal.SIGUSR1, previous)
    assert not errors


def test_t8_stop_in_the_hub_stops_all_the_same(
    serve: Run, connect: Run, caplog: pytest.LogCaptureFixture,
) -> None:
    server = listening(serve(lambda sock: sock.resume()))
    client = connect(server)
    until(lambda: server._connections)
    stopped: list[int] = []
    with caplog.at_level(logging.WARNING, 'gnet.server'):
        gevent.get_hub().loop.run_callback(lambda: stopped.append(server.stop(0)))
        gnet.once(server, 'close', timeout=PATIENCE)
        until(lambda: caplog.records)
    assert stopped == [0]
    assert client.recv_until_end() == b''
    assert 'were still open after 0 s, and were cut' in caplog.text
