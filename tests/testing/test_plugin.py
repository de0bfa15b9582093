"""The plugin for pytest: that nobody pays for it, and that its fixtures are what they say.

``tests/examples/test_tested_service.py`` runs it in a project of somebody else's.
"""

from __future__ import annotations

import inspect
import sys
from typing import Any

from gevent import subprocess

import gnet
import pytest_gnet

from ..harness import ROOT


def test_pytest_with_the_plugin_imports_neither_gevent_nor_gnet(tmp_path: Any) -> None:
    (tmp_path / 'test_one.py').write_text('def test_one(): pass\n')
    found = subprocess.run(
        [sys.executable, '-c', """if True:
            import sys, pytest
            before = set(sys.modules)
            import pytest_gnet
            print(*sorted(set(sys.modules) - before))
            status = pytest.main(
                ['-q', '-p', 'pytest_gnet', '-p', 'no:cacheprovider', '-p', 'no:xdist'])
            assert 'pytest_gnet' in sys.modules
            print(*sorted(
                name for name in sys.modules if name.partition('.')[0] in ('gevent', 'gnet')))
            sys.exit(status)
        """],
        cwd=tmp_path, env={'PYTHONPATH': str(ROOT), 'PYTEST_DISABLE_PLUGIN_AUTOLOAD': '1'},
        capture_output=True, text=True, check=False)
    assert found.returncode == 0, found
    first, *_, last = found.stdout.split('\n')[:-1]
    assert first == 'pytest_gnet'
    assert last == '', 'none of gevent and gnet'


def test_each_fixture_says_what_it_is() -> None:
    for name in pytest_gnet.__all__:
        assert inspect.getdoc(getattr(pytest_gnet, name))


def test_a_server_and_a_client(gnet_server: Any, gnet_client: Any, gnet_peer: Any) -> None:
    server = gnet_server(lambda sock: sock.sendall(b'hello'))
    assert gnet_client(server).recv(5) == b'hello'
    assert gnet_peer(server).recv_until_end() == b'hello'


def test_the_order_of_fixtures_is_no_matter(gnet_client: Any, gnet_server: Any) -> None:
    sock = gnet_client(gnet_server(lambda sock: None))
    assert not sock.destroyed


def test_pairs(gnet_memory_pair: Any, gnet_connected_pair: Any, gnet_recorder: Any) -> None:
    for left, right in (gnet_memory_pair(), gnet_connected_pair('unix')):
        events = gnet_recorder(right, 'data', 'end')
        left.end(b'hello')
        events.expect(('data', b'hello'), 'end')


def test_a_client_and_a_plain_listener(gnet_listener: Any, gnet_client: Any) -> None:
    listener = gnet_listener()
    sock = gnet_client(listener)
    with listener.accept() as peer:
        peer.drip(b'slow')
        peer.end()
        assert sock.makefile('rb').read() == b'slow'


def test_a_clock(gnet_clock: Any, gnet_connected_pair: Any, gnet_leaks: None) -> None:
    left, _ = gnet_connected_pair()
    assert isinstance(left, gnet.Socket)
    idle: list[float] = []
    left.set_timeout(60_000, lambda: idle.append(gnet_clock.time))
    gnet_clock.advance(100)
    assert len(idle) == 1
