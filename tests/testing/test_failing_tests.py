"""The fixtures of the plugin in somebody else's tests that fail: what each report says.

All in one process, which is a fresh one: so the first of them is the first to use gevent.
"""

from __future__ import annotations

import re
import sys
from typing import Any

import pytest
from gevent import subprocess

from ..harness import ROOT

TESTS = """
import gevent, gnet, os, pytest, signal

pytestmark = pytest.mark.usefixtures('gnet_leaks')

def echo(sock):
    for chunk in sock:
        sock.sendall(chunk)

def test_of_a_first_one(gnet_server, gnet_client):
    sock = gnet_client(gnet_server(echo))
    sock.sendall(b'x')
    assert sock.recv(1) == b'x'

def test_that_fails(gnet_server, gnet_client):
    server = gnet_server(echo)
    sock = gnet_client(server)
    read, write = os.pipe()
    other = gnet.create_server().listen(0)
    assert sock.destroyed

def test_that_leaks(gnet_server):
    global left
    left = gnet.create_server().listen(0)

def test_that_is_stuck(gnet_server, gnet_peer):
    def stuck(sock):
        sock.sendall(b'x')
        gevent.sleep(1000)

    assert gnet_peer(gnet_server(stuck, grace=0.01)).recv(1) == b'x'

def test_of_a_handler_that_raises(gnet_server, gnet_peer):
    def bad(sock):
        raise KeyError('boo')

    gnet_peer(gnet_server(bad)).recv_until_end()

class TooLong(BaseException):
    pass

def too_late(*args):
    raise TooLong

def test_that_is_interrupted(gnet_server, gnet_client):
    before = signal.signal(signal.SIGALRM, too_late)
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    sock = gnet_client(gnet_server(echo))
    try:
        with pytest.raises(TooLong):
            sock.recv(1)
    finally:
        signal.signal(signal.SIGALRM, before)

def test_of_a_part_that_cannot_be_closed(gnet_server, gnet_kit):
    global served
    served = gnet_server(echo)
    gnet_kit.enter(_Bad())

class _Bad:
    def __enter__(self):
        pass

    def __exit__(self, *args):
        raise ZeroDivisionError

def test_of_a_last_one(gnet_server, gnet_client):
    assert not served.listening
    sock = gnet_client(gnet_server(echo))
    sock.sendall(b'x')
    assert sock.recv(1) == b'x'
"""


@pytest.fixture(scope='module')
def report(tmp_path_factory: Any) -> str:
    """What pytest says of these tests."""
    folder = tmp_path_factory.mktemp('tests')
    (folder / 'test_it.py').write_text(TESTS)
    found = subprocess.run(
        [sys.executable, '-m', 'pytest', '-rA', '-p', 'pytest_gnet', '-p', 'no:cacheprovider',
         '--tb=short', '--show-capture=no'],
        cwd=folder, env={'PYTHONPATH': str(ROOT), 'PYTEST_DISABLE_PLUGIN_AUTOLOAD': '1'},
        capture_output=True, text=True, check=False)
    assert found.returncode == 1, found
    return found.stdout


def of(report: str, name: str) -> str:
    """Return what it says at the end of one of them."""
    [section] = re.findall(rf'_ ERROR at teardown of {name} _+\n(.*?)\n(?:_____|=====)', report,
                           re.DOTALL)
    return str(section)


def test_only_what_is_to_be_told_is_told(report: str) -> None:
    outcomes = set(re.findall(r'^(PASSED|FAILED|ERROR) test_it\.py::(\w+)', report, re.MULTILINE))
    assert {name for outcome, name in outcomes if outcome == 'ERROR'} == {
        'test_that_leaks', 'test_that_is_stuck', 'test_of_a_handler_that_raises',
        'test_of_a_part_that_cannot_be_closed'}
    assert {name for outcome, name in outcomes if outcome == 'FAILED'} == {'test_that_fails'}
    assert len(outcomes) == 4 + 1 + 7


def test_a_leak_has_a_name(report: str) -> None:
    text = of(report, 'test_that_leaks')
    assert 'descriptor' in text
    assert re.search(r'1 of what keeps the loop alive.*\n.*server .*listening', text)


def test_where_a_handler_is_stuck_is_told(report: str) -> None:
    assert re.search(r'handler.*test_it\.py:\d+ in stuck', of(report, 'test_that_is_stuck'))


def test_what_a_handler_has_raised_is_told(report: str) -> None:
    assert "KeyError('boo')" in of(report, 'test_of_a_handler_that_raises')
