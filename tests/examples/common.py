"""What the tests of the examples share: running examples, and clients of theirs."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal

import pytest
from gevent import subprocess

from ..harness import ROOT
from ..harness.native import Peer
from ..harness.scripts import Running

EXAMPLES = ROOT / 'examples'

#: Those that speak TLS: tests/examples/test_tls.py has their clients.
SECURE = ('https_hello', 'mutual_tls', 'starttls', 'tls_echo')

NAMES = sorted(path.stem for path in EXAMPLES.glob('*.py') if path.stem not in SECURE)

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


def tool(name: str) -> str:
    """Return the path of an installed program, or skip the test."""
    path = shutil.which(name)
    if path is None:
        pytest.skip(f'{name} is not installed')
    return path


def node() -> str:
    """Return the path of Node, or skip the test: also with CI set, which wants all other programs.

    (``.ci/run`` installs none, and it need not: the suite does not depend on one.)
    """
    path = os.environ.get('GNET_NODE') or shutil.which('node')
    if path is None:
        pytest.skip('there is no Node, on PATH or as GNET_NODE: none has to be, with CI set either')
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


def read_line(member: Peer) -> str:
    line = member.recv_until(b'\n')
    assert line.endswith(b'\n'), f'the chat ended after {line!r}'
    return line.decode().rstrip('\n')


def without_date(answer: bytes) -> bytes:
    """Return an HTTP answer without its header ``Date``."""
    return re.sub(rb'Date: [^\r]*\r\n', b'', answer)
