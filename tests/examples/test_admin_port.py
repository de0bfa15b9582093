"""``examples/admin_port.py``."""

from __future__ import annotations

from typing import Any

import pytest

from .common import read_line


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
