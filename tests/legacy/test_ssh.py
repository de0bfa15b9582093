"""A paramiko server, which works with threads, behind a gnet server; and the real ``ssh``."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from gevent import monkey, subprocess

from ..harness.programs import find_program, import_package
from ..harness.waiting import PATIENCE
from .forms import itself, to_socket

#: More than the window of a channel.
MUCH = 5_000_000

PATCHED = monkey.is_module_patched('threading')


def to_native_socket(sock: Any) -> Any:
    return sock.to_socket(monkey.get_original('socket', 'socket'))


def serve_ssh(paramiko: Any, plain: Any, key: Any) -> Any:
    """Serve SSH on a socket in threads of paramiko's (greenlets, if patched); do not wait.

    Anybody may come in. The command ``count N`` writes N bytes, ``echo`` what it reads; ``break``
    closes the connection.
    """
    class Interface(paramiko.ServerInterface):  # type: ignore[misc]  # known at run time
        def check_auth_none(self, username: str) -> int:
            return int(paramiko.AUTH_SUCCESSFUL)

        def get_allowed_auths(self, username: str) -> str:
            return 'none'

        def check_channel_request(self, kind: str, number: int) -> int:
            return int(paramiko.OPEN_SUCCEEDED)

        def check_channel_exec_request(self, channel: Any, command: bytes) -> bool:
            threading.Thread(target=execute, args=(transport, channel, command)).start()
            return True

    transport = paramiko.Transport(plain)
    transport.add_server_key(key)
    # With an event it does not wait for the negotiation: unpatched, nobody else would work then.
    transport.start_server(event=threading.Event(), server=Interface())
    return transport


def execute(transport: Any, channel: Any, command: bytes) -> None:
    verb, _, rest = command.decode().partition(' ')
    if verb == 'count':
        channel.sendall(b'x' * int(rest))
    elif verb == 'break':
        transport.close()
        return
    else:
        for chunk in iter(lambda: channel.recv(32_768), b''):
            channel.sendall(chunk)
    channel.send_exit_status(7)
    channel.close()


@pytest.fixture
def transports() -> list[Any]:
    """paramiko's ends of the connections that were made."""
    return []


# Patched, the threads of paramiko are greenlets, which a native socket would block; unpatched, they
# cannot use what belongs to the hub.
@pytest.fixture(params=[itself, to_socket] if PATCHED else [to_native_socket])
def ssh(
    request: pytest.FixtureRequest, serve: Callable[..., int], native: Any, transports: list[Any],
) -> Iterator[Callable[..., subprocess.CompletedProcess[bytes]]]:
    """``ssh(command, input)`` runs it at a server of gnet and paramiko."""
    program = find_program('ssh', 'openssh-client')
    paramiko = import_package('paramiko', 'paramiko')
    key = paramiko.ECDSAKey.generate()

    def handler(sock: Any) -> None:
        transport = serve_ssh(paramiko, request.param(sock), key)
        transports.append(transport)
        if PATCHED:
            transport.join(PATIENCE)

    port = serve(handler)

    def ssh(command: str, input: bytes = b'') -> subprocess.CompletedProcess[bytes]:  # noqa: A002
        return subprocess.run(
            [program, '-F', '/dev/null', '-o', 'StrictHostKeyChecking=no',
             '-o', 'UserKnownHostsFile=/dev/null', '-o', 'LogLevel=ERROR',
             '-o', 'PreferredAuthentications=none', '-p', str(port), 'test@127.0.0.1', command],
            input=input, capture_output=True, timeout=PATIENCE, check=False,
        )

    yield ssh
    for transport in transports:
        if PATCHED:
            transport.join(PATIENCE)
        else:
            native(transport.join, PATIENCE)
        assert not transport.is_alive()


def test_a_command_is_executed(ssh: Callable[..., Any]) -> None:
    done = ssh('count 5')
    assert (done.returncode, done.stdout, done.stderr) == (7, b'xxxxx', b'')


def test_much_output(ssh: Callable[..., Any]) -> None:
    done = ssh(f'count {MUCH}')
    assert (done.returncode, len(done.stdout), done.stderr) == (7, MUCH, b'')


def test_much_there_and_back(ssh: Callable[..., Any]) -> None:
    data = bytes(range(256)) * (MUCH // 256)
    done = ssh('echo', data)
    assert (done.returncode, done.stderr) == (7, b'')
    assert done.stdout == data


def test_the_server_breaks_the_connection_off(
    ssh: Callable[..., Any], transports: list[Any],
) -> None:
    assert ssh('break').returncode == 255  # ssh's own failures
    [transport] = transports
    assert not transport.is_active()
