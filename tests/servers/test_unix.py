"""Unix sockets: paths, abstract names, modes, what is in the way, and removing the file."""

from __future__ import annotations

import errno
import logging
import os
import socket
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import gnet
from gnet.servers import listener as binding

from ..harness.listening import drain, ended, failure_of, listening, trace
from ..harness.plain import PlainSocket

Serve = Callable[..., gnet.Server]

linux_only = pytest.mark.skipif(not sys.platform.startswith('linux'), reason='a matter of Linux')


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A relative path, so that the limit on its length does not matter."""
    monkeypatch.chdir(tmp_path)
    return 'live.sock'


@pytest.fixture
def umask() -> Iterator[Callable[[int], None]]:
    previous = os.umask(0o022)
    yield lambda mask: [os.umask(mask)][1:]  # type: ignore[return-value]
    os.umask(previous)


def mode_of(path: str) -> int:
    return stat.S_IMODE(os.stat(path).st_mode)


def test_address_is_the_path_and_the_file_is_there_on_return(serve: Serve, path: str) -> None:
    server = serve()
    server.listen(path)
    assert (server.listening, server.address(), server._pipe_name) == (True, path, path)
    assert server._connection_key == f'-1:{path}:-1'
    assert stat.S_ISSOCK(os.stat(path).st_mode)


@pytest.mark.parametrize('given', [b'live.sock', Path('live.sock'), {'path': Path('live.sock')}])
def test_paths_of_other_types(serve: Serve, path: str, given: Any) -> None:
    assert listening(serve(), given).address() == path


def test_the_ends_of_a_connection_have_no_addresses(
    serve: Serve, connect: Any, path: str,
) -> None:
    seen: list[Any] = []

    def look(sock: gnet.Socket) -> None:
        seen.extend([sock.remote_address, sock.remote_port, sock.remote_family,
                     sock.local_address, sock.local_port, sock.address()])
        sock.end()

    connect(listening(serve(look), path)).recv_until_end()
    assert seen == [None] * 6


# --- modes --------------------------------------------------------------------------------------


@pytest.mark.parametrize(('options', 'mask', 'mode'), [
    ({}, 0o022, 0o755), ({}, 0o077, 0o700),
    ({'readableAll': True}, 0o022, 0o444), ({'writableAll': True}, 0o077, 0o222),
    ({'readable_all': True, 'writable_all': True}, 0o022, 0o666),
    ({'readableAll': 1, 'writableAll': 'yes'}, 0o022, 0o755),
], ids=str)
def test_the_mode_of_the_file(
    serve: Serve, path: str, umask: Callable[[int], None], options: Any, mask: int, mode: int,
) -> None:
    umask(mask)
    listening(serve(), {'path': path, **options})
    assert mode_of(path) == mode


def test_a_mode_that_can_not_be_set_raises_and_leaves_nothing(
    serve: Serve, path: str, monkeypatch: pytest.MonkeyPatch,
) -> None:
    def chmod(*_args: Any) -> None:
        raise OSError(errno.EPERM, 'not yours')

    monkeypatch.setattr(binding.os, 'chmod', chmod)
    server = serve()
    with pytest.raises(PermissionError) as caught:
        server.listen({'path': path, 'readableAll': True})
    assert caught.value.syscall == 'uv_pipe_chmod'  # type: ignore[attr-defined]
    assert (server.listening, os.path.exists(path)) == (False, False)


# --- what is in the way -------------------------------------------------------------------------


def live_server(path: str) -> Any:
    plain = PlainSocket(socket.AF_UNIX)
    plain.bind(path)
    plain.listen(1)
    return plain


def stale_file(path: str) -> None:
    live_server(path).close()


@pytest.mark.parametrize('make', [stale_file, os.mkdir, lambda path: Path(path).touch()],
                         ids=['stale', 'directory', 'file'])
def test_whatever_exists_is_eaddrinuse_and_left_alone(
    serve: Serve, path: str, make: Callable[[str], object],
) -> None:
    make(path)
    before = os.stat(path)
    server = serve()
    error = failure_of(server, {'path': path, 'writableAll': True})
    assert str(error) == f'listen EADDRINUSE: address already in use {path}'
    assert (error.address, error.port, error.syscall) == (path, -1, 'listen')
    assert os.stat(path) == before
    # Node's address() says so too, although the server does not listen.
    assert (server.listening, server.address()) == (False, path)


def test_a_live_server_is_eaddrinuse(serve: Serve, path: str) -> None:
    plain = live_server(path)
    try:
        assert failure_of(serve(), path).code == 'EADDRINUSE'
    finally:
        plain.close()


@pytest.mark.parametrize(('where', 'code', 'text'), [
    ('missing/x.sock', 'EACCES', 'permission denied'),  # as in Node, where it is not ENOENT
    ('/dev/null/x.sock', 'ENOTDIR', 'not a directory'),
    ('ab\0cd', 'EINVAL', 'invalid argument'),
    ('x' * 109, 'EINVAL', 'invalid argument'),
    ('\ud800.sock', 'EINVAL', 'invalid argument'),
])
def test_a_path_that_can_not_be_bound_is_an_error_event(
    serve: Serve, path: str, where: str, code: str, text: str,
) -> None:
    error = failure_of(serve(), {'path': where})
    assert (error.code, error.errno) == (code, getattr(errno, code))
    assert (error.address, error.port) == (where, -1)
    assert str(error) == f'listen {code}: {text} {where}'


@linux_only
def test_the_longest_path_has_107_bytes(serve: Serve, path: str) -> None:
    # Node's libuv takes 108, for which Python has no room (it wants a NUL behind it).
    assert listening(serve(), 'x' * 107).address() == 'x' * 107
    assert failure_of(serve(), 'x' * 108).code == 'EINVAL'


def test_out_of_descriptors_is_an_error_event(
    serve: Serve, path: str, monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_socket(*_args: Any) -> None:
        raise OSError(errno.EMFILE, 'none left')

    monkeypatch.setattr(binding, '_Socket', no_socket)
    assert str(failure_of(serve(), path)) == f'listen EMFILE: too many open files {path}'
    assert str(failure_of(serve(), 0)) == 'listen EMFILE: too many open files 0.0.0.0'


# --- abstract names -----------------------------------------------------------------------------


@linux_only
@pytest.mark.parametrize('name', ['\0gnet-test', '\0gnet\0test', '\0gnet' + 'x' * 103])
def test_an_abstract_name_is_no_file(serve: Serve, connect: Any, path: str, name: str) -> None:
    server = listening(serve(lambda sock: sock.end('hello')), name)
    assert (server.address(), server._connection_key) == (name, f'-1:{name}:-1')
    peer = connect(server)
    assert peer.recv_until_end() == b'hello'
    peer.close()
    server.close()
    ended(server)
    assert os.listdir() == []


@linux_only
def test_nul_alone_is_a_name_like_others(serve: Serve) -> None:
    listening(serve(), '\0')
    assert failure_of(serve(), '\0').code == 'EADDRINUSE'


@linux_only
def test_an_abstract_name_of_more_than_108_bytes_is_refused(serve: Serve) -> None:
    assert failure_of(serve(), '\0' + 'x' * 108).code == 'EINVAL'


def test_an_abstract_name_has_no_mode(serve: Serve) -> None:
    server = serve()
    with pytest.raises(TypeError) as caught:
        server.listen({'path': '\0abc', 'readableAll': True})
    assert str(caught.value) == (
        "The argument 'options' can not set readableAll or writableAllt to true when path is "
        "abstract unix socket. Received { path: '\\x00abc', readableAll: true }")
    assert server._pipe_name is None


# --- closing ------------------------------------------------------------------------------------


def test_close_removes_the_file_at_once_also_with_connections_open(
    serve: Serve, connect: Any, path: str,
) -> None:
    server = listening(serve(drain), path)
    with gnet.on(server, 'connection') as connections:
        peer = connect(server)
        next(connections)
    server.close()
    assert not os.path.exists(path)
    assert server.address() == path  # as in Node, whose documentation says null
    peer.close()
    ended(server)


def test_a_file_that_is_gone_already_is_no_problem(serve: Serve, path: str) -> None:
    server = listening(serve(), path)
    os.unlink(path)
    server.close()
    ended(server)


@pytest.mark.parametrize('make', [
    lambda path: Path(path).touch(), os.mkdir, lambda path: os.symlink('/no/such', path),
], ids=['file', 'directory', 'link'])
def test_what_took_its_place_is_left_alone(
    serve: Serve, path: str, make: Any, caplog: pytest.LogCaptureFixture,
) -> None:
    server = listening(serve(), path)
    os.unlink(path)
    make(path)
    with caplog.at_level(logging.WARNING, 'gnet.server'):
        server.close()
    ended(server)
    assert os.path.lexists(path)
    assert not caplog.records


@pytest.mark.parametrize('kind', ['gnet', 'plain'])
def test_another_server_that_took_its_place_goes_on(
    serve: Serve, connect: Any, path: str, kind: str,
) -> None:
    old = listening(serve(), path)
    os.unlink(path)
    new = listening(serve(lambda sock: sock.end('new')), path) if kind == 'gnet' else (
        live_server(path))
    old.close()
    ended(old)
    assert os.path.exists(path)
    if kind == 'gnet':
        assert connect(new).recv_until_end() == b'new'
    new.close()
    assert os.path.exists(path) is (kind == 'plain')


def test_its_file_under_another_name_is_left_alone(serve: Serve, path: str) -> None:
    server = listening(serve(), path)
    os.rename(path, 'renamed')
    server.close()
    ended(server)
    assert os.listdir() == ['renamed']


def test_what_can_not_be_removed_is_left_and_logged(
    serve: Serve, path: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = listening(serve(), path)

    def unlink(*_args: Any) -> None:
        raise PermissionError(errno.EPERM, 'not yours')

    with monkeypatch.context() as patch, caplog.at_level(logging.WARNING, 'gnet.server'):
        patch.setattr(binding.os, 'unlink', unlink)
        server.close()
    ended(server)
    assert os.path.exists(path)
    assert f'cannot remove the socket file {os.path.abspath(path)}' in caplog.text


@pytest.mark.parametrize('given', ['live.sock', './live.sock', 'link/../live.sock'])
def test_a_relative_path_is_found_again_from_another_directory(
    serve: Serve, path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str,
) -> None:
    elsewhere = tmp_path / 'one' / 'two'
    elsewhere.mkdir(parents=True)
    (tmp_path / 'link').symlink_to(elsewhere)  # 'link/..' is one
    server = listening(serve(), given)
    bound = tmp_path / ('one/live.sock' if 'link' in given else path)
    assert bound.is_socket()
    monkeypatch.chdir(elsewhere)
    Path(path).touch()  # a stranger's file of that name
    server.close()
    ended(server)
    assert Path(path).exists()
    assert not bound.exists()


def test_the_path_comes_back_when_a_server_goes_from_unix_to_tcp(serve: Serve, path: str) -> None:
    server = listening(serve(), path)
    server.close()
    listening(server, 0, '127.0.0.1')
    assert server.address().address == '127.0.0.1'
    server.close()
    assert server.address() == path


def test_listen_again_on_the_same_path_in_the_same_turn(serve: Serve, path: str) -> None:
    server = listening(serve(), path)
    log = trace(server)
    server.close()
    listening(server, path)
    assert log == ['close', 'listening']
    assert os.path.exists(path)
