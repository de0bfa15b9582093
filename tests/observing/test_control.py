"""The control socket: who may ask it, what it answers, and what it does with bad clients."""

from __future__ import annotations

import errno
import json
import os
import socket
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import gnet
from gnet.loop.loop import get_loop
from gnet.observing import control, control_path
from gnet.observing.control import Control, tell_live

from ..harness.native import Peer
from ..harness.waiting import turn, until


@pytest.fixture
def place(tmp_path_factory: Any) -> Iterator[str]:
    """A path that is short enough for the name of a socket."""
    import tempfile

    with tempfile.TemporaryDirectory(prefix='gnet-') as directory:
        yield str(Path(directory, 'control'))


@pytest.fixture
def opened(place: str) -> Iterator[Callable[..., Control]]:
    controls: list[Control] = []

    def open_one(live: Any = tell_live) -> Control:
        controls.append(Control(get_loop(), place, live))
        return controls[-1]

    yield open_one
    for each in controls:
        each.close()


def read_answer(peer: Peer) -> list[dict[str, Any]]:
    """Return the lines of one answer."""
    text = b''
    while not text.endswith(b'"end": true}\n'):
        data = peer.recv()
        assert data, text
        text += data
    return [json.loads(line) for line in text.splitlines()]


def test_it_answers_one_request_after_another(
    opened: Any, serve: Any, connect: Any, place: str,
) -> None:
    server = serve()
    opened()
    peer = connect(place)
    for _ in range(2):
        peer.sendall(b'live\n')
        first, *entries, last = read_answer(peer)
        assert first == {'gnet': gnet.__version__, 'pid': os.getpid(), 'workers': []}
        assert last == {'end': True}
        mine, = (each for each in entries if each['id'] == id(server))
        assert (mine['kind'], mine['process']) == ('server', os.getpid())
        assert mine['local'] == f'127.0.0.1:{server.address().port}'
        assert all('stack' not in each for each in entries)
    peer.sendall(b'li')
    peer.sendall(b've\nlive\n')
    text = b''
    while text.count(b'"end": true') < 2:
        text += peer.recv()


def test_it_is_no_server_of_the_program(opened: Any, connect: Any, place: str) -> None:
    held = get_loop().held
    opened()
    peer = connect(place)
    peer.sendall(b'live\n')
    entries = read_answer(peer)
    assert get_loop().held == held
    assert [each for each in entries if each.get('kind') in ('server', 'socket')] == []


def test_what_is_no_request_is_said_to_be_none(opened: Any, connect: Any, place: str) -> None:
    opened()
    peer = connect(place)
    peer.sendall(b'\xff die\n')
    assert 'is no request' in json.loads(peer.recv())['error']
    peer.sendall(b'live\n')
    assert read_answer(peer)[-1] == {'end': True}


def test_a_request_without_an_end_is_cut(opened: Any, connect: Any, place: str) -> None:
    opened()
    peer = connect(place)
    peer.sendall(b'x' * (control.MAX_REQUEST + 1))
    assert peer.recv_until_end() == b''


def test_who_takes_nothing_or_asks_nothing_is_cut(
    opened: Any, connect: Any, place: str, monkeypatch: Any,
) -> None:
    monkeypatch.setattr(control, 'PATIENCE', 0.05)
    opened(lambda reply: reply([{'kind': 'x' * 1000}] * 5000))
    silent, greedy = connect(place), connect(place)
    greedy.sendall(b'live\n')
    assert silent.recv_until_end() == b''
    # Nothing of it was read before it was cut, so it is not all there.
    until(lambda: len(_clients()) == 0)
    assert len(greedy.recv_until_end()) < 5_000_000


def _clients() -> list[Any]:
    return [each for each in get_loop().opened() if isinstance(each, Control) and each._clients]


def test_an_answer_that_never_comes_costs_the_client_only(
    opened: Any, connect: Any, place: str, monkeypatch: Any,
) -> None:
    monkeypatch.setattr(control, 'PATIENCE', 0.05)
    opened(lambda reply: None)
    peer = connect(place)
    peer.sendall(b'live\n')
    assert peer.recv_until_end() == b''


def test_more_clients_than_may_be_are_turned_away(
    opened: Any, connect: Any, place: str, monkeypatch: Any,
) -> None:
    monkeypatch.setattr(control, 'MAX_CLIENTS', 1)
    opened()
    first = connect(place)
    first.sendall(b'live\n')
    read_answer(first)
    assert connect(place).recv_until_end() == b''
    first.close()
    until(lambda: not _clients())
    again = connect(place)
    again.sendall(b'live\n')
    read_answer(again)


def test_without_descriptors_clients_wait_and_the_loop_does_not_spin(
    opened: Any, connect: Any, place: str, monkeypatch: Any,
) -> None:
    resource = pytest.importorskip('resource')
    looks: list[None] = []
    let_in = Control._let_in
    monkeypatch.setattr(Control, '_let_in', lambda self: (looks.append(None), let_in(self)))
    monkeypatch.setattr(control, 'PAUSE', 0.2)
    opened()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    peer = connect(place)
    lowest = os.dup(0)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
    try:
        until(lambda: looks)
        for _ in range(50):
            turn()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert len(looks) < 10
    peer.sendall(b'live\n')
    assert read_answer(peer)[-1] == {'end': True}


def test_another_user_is_turned_away(
    opened: Any, connect: Any, place: str, monkeypatch: Any,
) -> None:
    opened()
    monkeypatch.setattr(os, 'geteuid', lambda: 4711)
    monkeypatch.setattr(control_path, '_ROOT', 4712)
    peer = connect(place)
    assert peer.recv_until_end() == b''


# --- the file -----------------------------------------------------------------------------------


def test_the_file_is_its_owners_and_goes_with_it(opened: Any, place: str) -> None:
    mine = opened()
    mode = os.stat(place).st_mode
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o600
    mine.close()
    mine.close()
    assert not os.path.exists(place)


def test_a_file_that_was_replaced_is_left_alone(opened: Any, place: str) -> None:
    mine = opened()
    os.unlink(place)
    Path(place).write_text('of somebody else')
    mine.close()
    assert Path(place).read_text() == 'of somebody else'


def test_what_an_ended_program_has_left_is_replaced(
    opened: Any, connect: Any, place: str,
) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(place)
    opened()
    peer = connect(place)
    peer.sendall(b'live\n')
    read_answer(peer)


def test_what_is_in_use_or_no_socket_is_refused(opened: Any, place: str) -> None:
    with socket.socket(socket.AF_UNIX) as living:
        living.bind(place)
        living.listen()
        with pytest.raises(OSError, match='running program') as refused:
            opened()
        assert (refused.value.errno, refused.value.filename) == (errno.EADDRINUSE, place)
    os.unlink(place)
    Path(place).write_text('a file')
    with pytest.raises(FileExistsError, match='no socket'):
        opened()
    assert Path(place).read_text() == 'a file'
    with pytest.raises(FileNotFoundError) as missing:
        Control(get_loop(), f'{place}.d/control', tell_live)
    assert missing.value.filename == f'{place}.d/control'


def test_the_place_by_the_number_is_in_a_directory_of_the_owners(
    place: str, monkeypatch: Any,
) -> None:
    runtime = Path(place).parent
    monkeypatch.setenv('XDG_RUNTIME_DIR', str(runtime))
    directory = runtime / 'gnet'
    path = control_path.default_path()
    assert path == str(directory / f'{os.getpid()}.sock')
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    ended = directory / f'{2 ** 22 + 1}.sock'  # more than Linux's numbers of processes
    ended.touch()
    Path(path).touch()
    assert control_path.candidates(os.getpid()) == [path]
    assert control_path.default_path() == path
    assert not ended.exists()
    with pytest.raises(ProcessLookupError):
        control_path.candidates(2 ** 22 + 1)
    if os.geteuid() == 0:  # who else could give files away
        os.chown(path, 4711, -1)
        assert control_path.candidates(os.getpid()) == []
    directory.chmod(0o755)
    with pytest.raises(PermissionError, match='own directory'):
        control_path.default_path()
    for each in directory.iterdir():
        each.unlink()
    directory.rmdir()
    directory.symlink_to('/tmp')
    with pytest.raises(PermissionError, match='own directory'):
        control_path.default_path()
