"""The programs of ``examples/``, run as a user runs them and talked to by real clients.

The clients are plain sockets, and ``nc``, ``curl``, ``wrk`` and ``node`` where they are installed.
After each test all examples that still run are interrupted, which must end them without a word.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import shlex
import shutil
import signal
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from gevent import subprocess

from .harness import ROOT
from .harness.native import Peer
from .harness.plain import PlainSocket
from .harness.scripts import Running

EXAMPLES = ROOT / 'examples'
NAMES = sorted(path.stem for path in EXAMPLES.glob('*.py'))

#: More than the kernel buffers between two sockets (some MB at most), so that it takes
#: back-pressure to get it through.
LARGE = bytes(range(256)) * 64 * 1024


class Example:
    """A running example: where it says that it listens, and the command that it says to try."""

    def __init__(self, running: Running) -> None:
        self.running = running
        line = running.wait_for(r'^listening on (\S+).* - try(?:, twice)?: ((?:nc|curl) [^,\n]+)')
        self.command = shlex.split(line[2])
        host, colon, port = line[1].rpartition(':')
        self.address = (host, int(port)) if colon else line[1]
        second = re.search(r', and to administer it: nc (\S+) (\d+)', line.string)
        self.admin_address = (second[1], int(second[2])) if second else None

    def interrupt(self) -> None:
        self.running.send_signal(signal.SIGINT)
        ended = self.running.wait()
        assert (ended.status, ended.stderr) == (-signal.SIGINT, '')


@pytest.fixture
def start(start_script: Callable[..., Running]) -> Iterator[Callable[..., Example]]:
    """``start(name)`` starts an example on a free port, the proxy in front of an echo."""
    examples: list[Example] = []

    def start(name: str, *args: str) -> Example:
        if not args:
            args = default_arguments(name)
        examples.append(Example(start_script(EXAMPLES / f'{name}.py', *args)))
        return examples[-1]

    def default_arguments(name: str) -> tuple[str, ...]:
        if name == 'unix_socket':
            return (str(Path(directory, 'socket')),)
        if name == 'proxy':
            host, port = start('echo_blocking').address
            return ('0', f'{host}:{port}')
        return ('0', '0') if name == 'admin_port' else ('0',)

    # Not below tmp_path: a long test name and the limit of 107 bytes do not go together.
    with tempfile.TemporaryDirectory(prefix='gnet-') as directory:
        yield start
        for example in reversed(examples):
            if example.running.process.poll() is None:
                example.interrupt()


def tool(name: str) -> str:
    """Return the path of an installed program, or skip the test."""
    path = shutil.which(name)
    if path is None:
        pytest.skip(f'{name} is not installed')
    return path


def run(*command: str, timeout: float = 20) -> str:
    """Run a client to its end and return its output; it must succeed and print no errors."""
    ended = subprocess.run(command, capture_output=True, timeout=timeout, check=False)
    assert (ended.returncode, ended.stderr) == (0, b''), ended
    return bytes(ended.stdout).decode()


# --- every example, with each client --------------------------------------------------------------

HTTP_ANSWER = (
    b'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 6\r\nConnection: close\r\n\r\n'
    b'hello\n'
)

#: What is sent to each example, and what comes back.
DIALOGUES = {
    'admin_port': (b'hello\n', b'hello\n'),
    'chat': (b'ann\n', b'your name? '),
    'cluster': (b'hello\n', b'hello\n'),
    'echo_blocking': (b'hello\n', b'hello\n'),
    'echo_events': (b'hello\n', b'hello\n'),
    'http_hello': (b'GET / HTTP/1.0\r\n\r\n', HTTP_ANSWER),
    'legacy_patched': (b'apples\n', b'apples: 6 cents (your question number 1)\n'),
    'proxy': (b'hello\n', b'hello\n'),
    'sticky': (b'ann\n', b'your name? hello ann, this is your visit number 1\n'),
    'unix_socket': (b'hello\n', b'HELLO\n'),
}

NODE_CLIENT = """
    const [target, text] = process.argv.slice(1);
    const sock = require('net').connect(JSON.parse(target), () => sock.end(text));
    sock.on('data', (chunk) => process.stdout.write(chunk));
"""


def test_every_example_is_tested_here() -> None:
    assert sorted(DIALOGUES) == NAMES


@pytest.mark.parametrize('name', NAMES)
def test_an_example_answers_a_plain_socket(name: str, start: Any, connect: Any) -> None:
    question, answer = DIALOGUES[name]
    client = connect(start(name).address)
    client.sendall(question)
    client.end()
    assert client.recv_until_end() == answer


@pytest.mark.parametrize('name', NAMES)
def test_an_example_answers_the_command_that_it_prints(name: str, start: Any) -> None:
    question, answer = DIALOGUES[name]
    example = start(name)
    if tool(example.command[0]).endswith('curl'):
        assert run(*example.command, '--silent', '--show-error').encode() == b'hello\n'
        return
    # Some versions of nc end when their input does and some do not, so this one's stays open.
    client = subprocess.Popen(
        example.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
    with client:
        client.stdin.write(question)
        received = b''
        while len(received) < len(answer):
            chunk = client.stdout.read(len(answer) - len(received))
            assert chunk, f'nc ended after {received!r}'
            received += chunk
        client.terminate()
    assert received == answer


@pytest.mark.parametrize('name', NAMES)
def test_an_example_answers_a_node_client(name: str, start: Any) -> None:
    question, answer = DIALOGUES[name]
    address = start(name).address
    target = (
        f'{{"path": "{address}"}}' if isinstance(address, str)
        else f'{{"host": "{address[0]}", "port": {address[1]}}}'
    )
    assert run(tool('node'), '-e', NODE_CLIENT, target, question.decode()) == answer.decode()


# --- every example, from the side of its user -----------------------------------------------------


@pytest.mark.parametrize('name', [name for name in NAMES if name != 'unix_socket'])
def test_an_example_whose_port_is_taken_fails_and_says_so(name: str, run_script: Any) -> None:
    with PlainSocket() as taken:
        taken.bind(('127.0.0.1', 0))
        taken.listen()
        port = taken.getsockname()[1]
        # The second argument is the admin port, what the proxy is in front of, how many workers.
        second = {'proxy': '127.0.0.1:1', 'cluster': '2'}.get(name, '0')
        ended = run_script(EXAMPLES / f'{name}.py', str(port), second)
    assert ended.status == 1
    # What workers are told has a text of its own, as in Node.
    reason = (
        f': bind EADDRINUSE 127.0.0.1:{port}' if name == 'cluster'
        else f': listen EADDRINUSE: address already in use 127.0.0.1:{port}')
    assert ended.stderr.splitlines()[-1].endswith(reason)


def test_an_example_whose_port_is_no_number_fails_and_says_so(run_script: Any) -> None:
    ended = run_script(EXAMPLES / 'echo_blocking.py', 'abc')
    assert ended.status == 1
    assert "Received type string ('abc')" in ended.stderr.splitlines()[-1]


def test_the_unix_socket_of_a_running_server_is_not_taken_over(
    start: Any, run_script: Any, connect: Any,
) -> None:
    example = start('unix_socket')
    ended = run_script(EXAMPLES / 'unix_socket.py', example.address)
    assert ended.status == 1
    assert ended.stderr.splitlines()[-1].endswith(
        f': listen EADDRINUSE: address already in use {example.address}')
    client = connect(example.address)
    client.sendall(b'still there?')
    assert client.recv_exactly(12) == b'STILL THERE?'


def test_the_unix_socket_is_removed_on_ctrl_c_and_replaced_after_a_crash(
    start: Any, connect: Any,
) -> None:
    crashed = start('unix_socket')
    crashed.running.process.kill()
    crashed.running.process.wait()
    assert Path(crashed.address).is_socket()
    example = start('unix_socket', crashed.address)
    client = connect(example.address)
    client.sendall(b'x')
    assert client.recv_exactly(1) == b'X'
    client.close()
    example.interrupt()
    assert not Path(example.address).exists()


@pytest.mark.parametrize('name', ['echo_blocking', 'http_hello', 'unix_socket'])
def test_an_example_runs_under_the_gnet_command(
    name: str, start_script: Any, connect: Any, tmp_path: Path,
) -> None:
    arguments = ['socket'] if name == 'unix_socket' else ['0']
    running = start_script(EXAMPLES / f'{name}.py', *arguments, launcher=['-m', 'gnet'])
    Example(running).interrupt()


# --- echo -----------------------------------------------------------------------------------------


@pytest.mark.parametrize('name', ['echo_blocking', 'echo_events', 'proxy'])
def test_much_data_comes_back_whole_although_it_is_read_late(
    name: str, start: Any, connect: Any, native: Any,
) -> None:
    client = connect(start(name).address)

    def send_all() -> None:
        client.plain.sendall(LARGE)
        client.plain.shutdown(socket.SHUT_WR)

    sending = native.start(send_all)
    assert client.recv_until_end() == LARGE
    sending.get()


@pytest.mark.parametrize('name', ['echo_blocking', 'echo_events'])
def test_a_reset_of_one_client_is_nothing_to_the_others(
    name: str, start: Any, connect: Any,
) -> None:
    example = start(name)
    other, rude = connect(example.address), connect(example.address)
    for client in (other, rude):
        client.sendall(b'1')
        assert client.recv_exactly(1) == b'1'
    rude.reset()
    if name == 'echo_events':
        assert example.running.wait_for('^127.0.0.1: ')[0]
    other.sendall(b'2')
    assert other.recv_exactly(1) == b'2'


# --- chat -----------------------------------------------------------------------------------------


def read_line(member: Peer) -> str:
    line = b''
    while not line.endswith(b'\n'):
        byte = member.recv(1)
        assert byte, f'the chat ended after {line!r}'
        line += byte
    return line.decode().rstrip('\n')


@pytest.fixture
def join(start: Any, connect: Any) -> Callable[[str | None], Peer]:
    """``join(name)`` connects to the chat and gives a name, unless that is None."""
    chat = start('chat')

    def join(name: str | None) -> Peer:
        member: Peer = connect(chat.address)
        assert member.recv_exactly(11) == b'your name? '
        if name is not None:
            member.sendall(f'{name}\r\n'.encode())
        return member

    return join


def test_a_line_reaches_all_members_but_the_one_who_said_it(join: Any) -> None:
    ann = join('ann')
    bob = join('bob')
    assert read_line(ann) == '* bob is here'
    eve = join('')
    assert [read_line(member) for member in (ann, bob)] == ['* nobody is here'] * 2
    bob.sendall('grüße\nand'.encode())
    assert [read_line(member) for member in (ann, eve)] == ['bob: grüße'] * 2
    bob.sendall(b' more\r\n')
    assert [read_line(member) for member in (ann, eve)] == ['bob: and more'] * 2
    ann.sendall(b'hi\n')
    assert [read_line(member) for member in (bob, eve)] == ['ann: hi'] * 2


def test_a_member_who_leaves_or_vanishes_is_announced(join: Any) -> None:
    ann = join('ann')
    for name, leave in (('bob', Peer.end), ('eve', Peer.reset)):
        member = join(name)
        assert read_line(ann) == f'* {name} is here'
        leave(member)
        assert read_line(ann) == f'* {name} has left'


def test_a_client_that_vanishes_before_it_has_a_name_is_not_mentioned(join: Any) -> None:
    ann = join('ann')
    join(None).reset()
    join('bob')
    assert read_line(ann) == '* bob is here'


def test_a_member_who_does_not_read_is_thrown_out_and_delays_nobody(
    join: Any, native: Any,
) -> None:
    ann = join('ann')
    join('sleeper')
    assert read_line(ann) == '* sleeper is here'
    bob = join('bob')
    assert read_line(ann) == '* bob is here'

    def talk() -> None:
        # Until the sleeper is out; the kernel's buffers and the limit of the example are full then.
        said, heard = 0, b''
        while b'* sleeper has left\n' not in heard:
            assert said < 100_000
            bob.plain.settimeout(10)
            bob.plain.sendall(b'x' * 990 + b'\n')
            said += 1
            bob.plain.settimeout(0)
            try:
                heard += bob.plain.recv(65536)
            except BlockingIOError:
                continue

    def listen() -> int:
        with ann.plain.makefile('rb') as lines:
            for count, line in enumerate(lines):
                if line == b'* sleeper has left\n':
                    return count
                assert line == b'bob: ' + b'x' * 990 + b'\n'
        raise AssertionError('the chat ended')

    talking = native.start(talk)
    assert native(listen) > 256  # what the example lets wait is that much
    talking.get()


# --- proxy ----------------------------------------------------------------------------------------


def test_both_directions_of_a_proxied_connection_end_one_by_one(
    start: Any, connect: Any, native: Any,
) -> None:
    with PlainSocket() as listener:
        listener.bind(('127.0.0.1', 0))
        listener.listen()
        proxy = start('proxy', '0', f'127.0.0.1:{listener.getsockname()[1]}')
        client = connect(proxy.address)
        upstream = Peer(native, native(listener.accept)[0])
        with upstream.plain:
            client.sendall(b'question')
            client.end()
            assert upstream.recv_until_end() == b'question'
            upstream.sendall(b'answer')
            upstream.end()
            assert client.recv_until_end() == b'answer'


def test_the_proxy_ends_a_connection_whose_upstream_is_not_there(start: Any, connect: Any) -> None:
    echo = start('echo_blocking')
    proxy = start('proxy', '0', f'127.0.0.1:{echo.address[1]}')
    client = connect(proxy.address)
    client.sendall(b'1')
    assert client.recv_exactly(1) == b'1'
    echo.interrupt()
    assert client.recv_until_end() == b''
    late = connect(proxy.address)
    assert late.recv_until_end() == b''
    assert proxy.running.wait_for('^127.0.0.1: connect ECONNREFUSED 127.0.0.1:')


def test_the_proxy_closes_upstream_when_the_client_vanishes(
    start: Any, connect: Any, native: Any,
) -> None:
    with PlainSocket() as listener:
        listener.bind(('127.0.0.1', 0))
        listener.listen()
        proxy = start('proxy', '0', f'127.0.0.1:{listener.getsockname()[1]}')
        client = connect(proxy.address)
        upstream = Peer(native, native(listener.accept)[0])
        with upstream.plain:
            client.sendall(b'1')
            assert upstream.recv_exactly(1) == b'1'
            client.reset()
            assert upstream.recv_until_end() == b''


# --- legacy_patched -------------------------------------------------------------------------------


def test_a_name_meets_the_process_that_has_met_it_before(start: Any, connect: Any) -> None:
    address = start('sticky').address
    for number in (1, 2, 3):
        for name in (b'ann', b'bob', b'cy'):
            client = connect(address)
            client.sendall(name + b'\nand more')
            client.end()
            assert client.recv_until_end() == (
                b'your name? hello %s, this is your visit number %d\nand more' % (name, number))


def test_a_worker_of_the_cluster_that_is_killed_is_replaced(start: Any, connect: Any) -> None:
    example = start('cluster')
    pids = [int(number) for number in re.findall(
        r'is process (\d+)', ''.join(example.running._seen))]
    assert len(pids) == 2
    os.kill(pids[0], signal.SIGKILL)
    example.running.wait_for(r'worker \d has ended \(SIGKILL\), and is replaced')
    example.running.wait_for(r'worker 3 is process \d+')
    for _ in range(4):
        client = connect(example.address)
        client.sendall(b'hello')
        client.end()
        assert client.recv_until_end() == b'hello'


def test_what_legacy_code_keeps_per_thread_is_kept_per_connection(start: Any, connect: Any) -> None:
    example = start('legacy_patched')
    first, second = connect(example.address), connect(example.address)
    numbers = []
    for client in (first, second, first):
        client.sendall('5 äpfel\n'.encode())
        numbers.append(read_line(client))
    # The path is quoted: blank and umlaut count three bytes for one.
    assert numbers == [
        f'5 äpfel: 14 cents (your question number {number})' for number in (1, 1, 2)
    ]


# --- admin_port -----------------------------------------------------------------------------------


def test_the_admin_port_does_not_keep_a_stopped_program_alive(start: Any, connect: Any) -> None:
    example = start('admin_port')
    client, admin = connect(example.address), connect(example.admin_address)
    client.sendall(b'1')
    assert client.recv_exactly(1) == b'1'

    admin.sendall(b'hello?\n')
    assert read_line(admin) == 'status or stop?'
    admin.sendall(b'status\n')
    assert read_line(admin) == '1 connections'
    admin.sendall(b'stop\n')
    assert read_line(admin) == 'stopped: no new connections'

    # The connection that is there goes on, and with it the program and its admin port.
    with pytest.raises(ConnectionRefusedError):
        connect(example.address)
    client.sendall(b'2')
    assert client.recv_exactly(1) == b'2'
    client.end()
    assert client.recv_until_end() == b''
    ended = example.running.wait()
    assert (ended.status, ended.stderr) == (0, '')


# --- http_hello -----------------------------------------------------------------------------------

KEPT_ANSWER = HTTP_ANSWER.replace(b'Connection: close\r\n', b'')
KEPT = b'GET /some/where HTTP/1.1\r\nHost: here\r\nAccept: */*\r\n\r\n'
LAST = b'GET / HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n'


def pieces(data: bytes, size: int) -> list[bytes]:
    return [data[start:start + size] for start in range(0, len(data), size)]


@pytest.mark.parametrize('size', [1, 3, 50, 1000])
def test_pipelined_requests_are_answered_in_order_however_they_are_cut(
    size: int, start: Any, connect: Any,
) -> None:
    client = connect(start('http_hello').address)
    client.plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for piece in pieces(KEPT * 3 + LAST + KEPT, size):
        client.plain.send(piece)
    # What comes after "Connection: close" is not answered.
    assert client.recv_until_end() == KEPT_ANSWER * 3 + HTTP_ANSWER


@pytest.mark.parametrize(
    ('request_', 'status'),
    [
        (b'POST / HTTP/1.1\r\nContent-Length: 18\r\n\r\nGET / HTTP/1.1\r\n\r\n', 405),
        (b'GET / HTTP/1.1\r\nContent-Length: 18\r\n\r\nGET / HTTP/1.1\r\n\r\n', 413),
        (b'GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n', 413),
        (b'hello\r\n\r\n', 405),
        (b'GET / HTTP/1.1\r\nCookie: ' + b'x' * 10_000, 431),
    ],
)
def test_a_request_that_is_not_understood_ends_the_connection(
    request_: bytes, status: int, start: Any, connect: Any,
) -> None:
    client = connect(start('http_hello').address)
    client.sendall(request_)
    answer = client.recv_until_end()
    assert answer.startswith(b'HTTP/1.1 %d ' % status)
    assert answer.count(b'HTTP/1.1') == 1


def test_a_client_that_asks_and_does_not_read_is_not_asked_for_more(
    start: Any, connect: Any, native: Any,
) -> None:
    client = connect(start('http_hello').address)
    count = 100_000  # of questions: 5 MB, which the kernel does not buffer
    asking = native.start(client.plain.sendall, KEPT * count)
    expected = KEPT_ANSWER * count
    assert client.recv_exactly(len(expected)) == expected
    asking.get()


def test_the_http_client_of_the_standard_library_is_kept_alive(start: Any) -> None:
    client = http.client.HTTPConnection(*start('http_hello').address, timeout=10)
    with contextlib.closing(client):
        client.connect()
        sock = client.sock
        for method, body in (('GET', b'hello\n'), ('HEAD', b''), ('GET', b'hello\n')):
            client.request(method, '/')
            with client.getresponse() as response:
                assert (response.status, response.read()) == (200, body)
            assert client.sock is sock


def test_curl_uses_one_connection_for_several_requests(start: Any) -> None:
    host, port = start('http_hello').address
    url = f'http://{host}:{port}/'
    output = run(
        tool('curl'), '--silent', '--show-error', '--noproxy', '*',
        '--write-out', '%{http_code} %{num_connects}\n', url, url, url,
    )
    assert output == 'hello\n200 1\nhello\n200 0\nhello\n200 0\n'


def test_wrk_finds_nothing_wrong(start: Any) -> None:
    host, port = start('http_hello').address
    output = run(tool('wrk'), '-t1', '-c8', '-d1s', f'http://{host}:{port}/')
    assert re.search(r'^ +[1-9]\d* requests in ', output, re.MULTILINE), output
    assert 'Socket errors' not in output
    assert 'Non-2xx' not in output
