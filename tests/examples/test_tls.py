"""The examples that speak TLS, with keys and certificates as their users make them."""

from __future__ import annotations

import re
import shlex
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from gevent import subprocess

from ..harness.authority import NAMES as SERVER_NAMES
from ..harness.authority import authority
from ..harness.native import Native, Peer
from ..harness.scripts import Running
from ..harness.tls_peers import TlsPeer, client_context
from .common import EXAMPLES, SECURE, run, tool

Start = Callable[..., Any]


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A directory with what the examples look for."""
    for end in ('server', 'client'):
        made = authority().certify(*SERVER_NAMES, purpose=end)
        (tmp_path / f'{end}-key.pem').write_text(made.key)
        (tmp_path / f'{end}.pem').write_text(made.cert)
    (tmp_path / 'ca.pem').write_text(authority().cert)
    return tmp_path


@pytest.fixture
def start(start_script: Callable[..., Running], files: Path) -> Iterator[Start]:
    """``start(name)`` returns the port and the line of a running example."""
    started: list[Running] = []

    def start(name: str, *args: str) -> tuple[int, str]:
        keys = ('0', str(files / 'server-key.pem'), str(files / 'server.pem'))
        running = start_script(EXAMPLES / f'{name}.py', *(args or keys))
        started.append(running)
        match = running.wait_for(r'^listening on \S+:(\d+) - .*')
        return int(match[1]), match[0]

    start.started = started  # type: ignore[attr-defined]
    yield start
    for running in started:
        running.send_signal(signal.SIGINT)
        assert running.wait()[::2] == (-signal.SIGINT, '')


@pytest.fixture
def secured(native: Native) -> Callable[[Peer], TlsPeer]:
    return lambda peer: TlsPeer(
        native, peer, client_context(), server_hostname='localhost').shake()


def test_each_of_them_is_tested_here() -> None:
    text = Path(__file__).read_text('utf-8')
    assert [name for name in SECURE if f"'{name}'" not in text] == []


def test_tls_echo(start: Start, connect: Any, secured: Any) -> None:
    port, line = start('tls_echo')
    assert re.search(rf'openssl s_client -quiet -CAfile \S+ -connect localhost:{port}', line)
    peer = secured(connect(('127.0.0.1', port)))
    peer.sendall(b'hello')
    assert peer.recv() == b'hello'
    peer.end()
    assert peer.recv_until_end() == b''


def test_the_command_that_makes_a_certificate_is_right(
    start: Start, tmp_path: Path, native: Native,
) -> None:
    text = (EXAMPLES / 'tls_echo.py').read_text('utf-8')
    command = re.search(r'^    (openssl req .*?)\n\n', text, re.M | re.S)
    assert command
    words = shlex.split(command[1].replace('\\\n', ' '))
    subprocess.run([tool(words[0]), *words[1:]], cwd=tmp_path, check=True, capture_output=True)
    made = [str(tmp_path / name) for name in ('key.pem', 'cert.pem')]
    port, _ = start('https_hello', '0', *made)
    assert run(
        tool('curl'), '--silent', '--show-error', '--cacert', made[1],
        f'https://localhost:{port}/') == 'hello\n'


def test_https_hello_reads_its_certificate_again(
    start: Start, connect: Any, secured: Any, files: Path,
) -> None:
    port, _ = start('https_hello')
    first = secured(connect(('127.0.0.1', port)))
    made = authority().certify('renewed', *SERVER_NAMES)
    (files / 'server-key.pem').write_text(made.key)
    (files / 'server.pem').write_text(made.cert)
    start.started[0].send_signal(signal.SIGHUP)  # type: ignore[attr-defined]
    # The signal is handled before what comes behind it.
    first.sendall(b'GET / HTTP/1.0\r\n\r\n')
    assert first.recv_until_end().endswith(b'hello\n')
    certificate: Any = secured(connect(('127.0.0.1', port))).tls.getpeercert()
    assert certificate['subject'] == ((('commonName', 'renewed'),),)


def test_starttls(start: Start, connect: Any, secured: Any) -> None:
    port, _ = start('starttls')
    plain = connect(('127.0.0.1', port))
    plain.sendall(b'hello\n')
    assert plain.recv() == b'everybody could read: hello\n'
    plain.sendall(b'STARTTLS\n')
    assert plain.recv() == b'go on\n'
    peer = secured(plain)
    peer.sendall(b'hello\n')
    assert peer.recv() == b'secret: hello\n'


def test_mutual_tls(
    start: Start, run_script: Any, connect: Any, native: Native, files: Path,
) -> None:
    port, _ = start('mutual_tls', 'serve', '0', str(files))
    assert run_script(EXAMPLES / 'mutual_tls.py', 'ask', str(port), str(files)) == (
        0, 'hello localhost\n', '')
    stranger = TlsPeer(
        native, connect(('127.0.0.1', port)), client_context(), server_hostname='localhost')
    with pytest.raises(OSError, match=r'(?i)certificate.required'):
        stranger.shake().recv()
