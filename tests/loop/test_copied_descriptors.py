"""Descriptors that another process has, too: the kernel forgets them when they are closed here."""

from __future__ import annotations

import _socket
import os
from collections.abc import Iterator
from pathlib import Path

import gevent
import pytest

from gnet.loop.copied_descriptors import CopiedSocket, forget
from gnet.loop.loop import Loop, get_loop
from gnet.loop.watchers import READ, close_watcher

from ..harness.waiting import until


def watched(loop: Loop) -> set[int]:
    """Return the descriptors in the poll set."""
    lines = Path(f'/proc/self/fdinfo/{loop.native.fileno()}').read_text().splitlines()
    return {int(line.split()[1]) for line in lines if line.startswith('tfd:')}


@pytest.fixture
def loop() -> Loop:
    loop = get_loop()
    if loop.native.backend != 'epoll':
        pytest.skip('only epoll keeps what is closed, and only libev does not say so')
    return loop


class Copied:
    """A connection, of which there is another descriptor."""

    def __init__(self, loop: Loop) -> None:
        here, self.peer = _socket.socketpair()
        self.elsewhere = _socket.socket(fileno=os.dup(here.fileno()))
        kind = here.type | _socket.SOCK_NONBLOCK
        self.sock = CopiedSocket(loop, here.family, kind, here.detach())

    def close(self) -> None:
        for each in (self.sock, self.peer, self.elsewhere):
            each.close()


@pytest.fixture
def copied(loop: Loop) -> Iterator[Copied]:
    copied = Copied(loop)
    yield copied
    copied.close()


def watch_until_readable(loop: Loop, copied: Copied) -> None:
    heard: list[bytes] = []
    watcher = loop.io(copied.sock.fileno(), READ)
    loop.start_io(watcher, lambda: heard.append(copied.sock.recv(9)))
    copied.peer.send(b'x')
    until(lambda: heard)
    close_watcher(watcher)
    assert heard == [b'x']


def test_what_is_closed_here_and_open_elsewhere_is_not_watched(loop: Loop, copied: Copied) -> None:
    watch_until_readable(loop, copied)
    fd = copied.sock.fileno()
    assert fd in watched(loop)
    copied.sock.close()
    assert fd not in watched(loop)
    copied.sock.close()  # again is nothing


def test_it_may_be_watched_again(loop: Loop, copied: Copied) -> None:
    for _ in range(2):
        watch_until_readable(loop, copied)
        forget(loop, copied.sock.fileno())
        assert copied.sock.fileno() not in watched(loop)
    # In the same turn, too: libev does not know that anything has changed.
    watcher = loop.io(copied.sock.fileno(), READ)
    loop.start_io(watcher, list)
    gevent.sleep(0.001)
    close_watcher(watcher)
    forget(loop, copied.sock.fileno())
    watch_until_readable(loop, copied)


def test_what_was_never_watched_is_closed_as_well(loop: Loop, copied: Copied) -> None:
    copied.sock.close()
    assert copied.sock.fileno() == -1
