"""The programs of ``examples/``, run as a user runs them and talked to by real clients.

The clients are plain sockets, and ``nc``, ``curl``, ``wrk`` and ``node`` where they are installed.
After each test all examples that still run are interrupted, which must end them without a word.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from gevent import subprocess

from ..harness.plain import PlainSocket
from .common import EXAMPLES, HTTP_ANSWER, NAMES, Example, node, run, tool, without_date

#: What is sent to each example, and what comes back.
DIALOGUES = {
    'admin_port': (b'hello\n', b'hello\n'),
    'chat': (b'ann\n', b'your name? '),
    'cluster': (b'hello\n', b'hello\n'),
    'echo_blocking': (b'hello\n', b'hello\n'),
    'echo_events': (b'hello\n', b'hello\n'),
    'http_hello': (b'GET / HTTP/1.0\r\n\r\n', HTTP_ANSWER),
    'live': (b'hello\n', b'hello\n'),
    'legacy_patched': (b'apples\n', b'apples: 6 cents (your question number 1)\n'),
    'limited': (b'hello\n', b'hello\n'),
    'metrics': (b'hello\n', b'hello\n'),
    'proxy': (b'hello\n', b'hello\n'),
    'slow_peers': (b'hello\n', b'hello\n' * 100),
    'sticky': (b'ann\n', b'your name? hello ann, this is your visit number 1\n'),
    'unix_socket': (b'hello\n', b'HELLO\n'),
    'wsgi': (b'GET / HTTP/1.0\r\n\r\n', HTTP_ANSWER),
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
    assert without_date(client.recv_until_end()) == answer


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
    output = run(node(), '-e', NODE_CLIENT, target, question.decode())
    assert without_date(output.encode()) == answer


# --- every example, from the side of its user -----------------------------------------------------


@pytest.mark.parametrize('name', [name for name in NAMES if name != 'unix_socket'])
def test_an_example_whose_port_is_taken_fails_and_says_so(name: str, run_script: Any) -> None:
    with PlainSocket() as taken:
        taken.bind(('127.0.0.1', 0))
        taken.listen()
        port = taken.getsockname()[1]
        # The second argument is the admin port, what the proxy is in front of, how many workers.
        second = {'proxy': '127.0.0.1:1', 'cluster': '2'}.get(name, '0')
        ended = run_script(
            EXAMPLES / f'{name}.py', str(port), second, workers=name == 'cluster')
    assert ended.status == 1
    if name == 'cluster':
        # What workers are told has a text of its own, as in Node. It need not be the last line: the
        # program ends with the first worker that fails, while the other one still writes its own.
        assert f'bind EADDRINUSE 127.0.0.1:{port}' in ended.stderr
    else:
        assert ended.stderr.splitlines()[-1].endswith(
            f': listen EADDRINUSE: address already in use 127.0.0.1:{port}')


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
