"""``examples/chat.py``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ..harness.native import Peer
from .common import read_line


@pytest.fixture
def join(start: Any, connect: Any) -> Callable[[str | None], Peer]:
    """``join(name)`` connects to the chat and gives a name, unless that is None."""
    chat = start('chat')

    def join(name: str | None) -> Peer:
        member: Peer = connect(chat.address)
        assert member.recv_exactly(11) == b'your name? '
        if name is not None:
            member.sendall(f'{name}\r\n'.encode())
        return member

    return join


def test_a_line_reaches_all_members_but_the_one_who_said_it(join: Any) -> None:
    ann = join('ann')
    bob = join('bob')
    assert read_line(ann) == '* bob is here'
    eve = join('')
    assert [read_line(member) for member in (ann, bob)] == ['* nobody is here'] * 2
    bob.sendall('grüße\nand'.encode())
    assert [read_line(member) for member in (ann, eve)] == ['bob: grüße'] * 2
    bob.sendall(b' more\r\n')
    assert [read_line(member) for member in (ann, eve)] == ['bob: and more'] * 2
    ann.sendall(b'hi\n')
    assert [read_line(member) for member in (bob, eve)] == ['ann: hi'] * 2


def test_a_member_who_leaves_or_vanishes_is_announced(join: Any) -> None:
    ann = join('ann')
    for name, leave in (('bob', Peer.end), ('eve', Peer.reset)):
        member = join(name)
        assert read_line(ann) == f'* {name} is here'
        leave(member)
        assert read_line(ann) == f'* {name} has left'


def test_a_client_that_vanishes_before_it_has_a_name_is_not_mentioned(join: Any) -> None:
    ann = join('ann')
    join(None).reset()
    join('bob')
    assert read_line(ann) == '* bob is here'


def test_a_member_who_does_not_read_is_thrown_out_and_delays_nobody(
    join: Any, native: Any,
) -> None:
    ann = join('ann')
    join('sleeper')
    assert read_line(ann) == '* sleeper is here'
    bob = join('bob')
    assert read_line(ann) == '* bob is here'

    def talk() -> None:
        # Until the sleeper is out; the kernel's buffers and the limit of the example are full then.
        said, heard = 0, b''
        while b'* sleeper has left\n' not in heard:
            assert said < 100_000
            bob.plain.settimeout(10)
            bob.plain.sendall(b'x' * 990 + b'\n')
            said += 1
            bob.plain.settimeout(0)
            try:
                heard += bob.plain.recv(65536)
            except BlockingIOError:
                continue

    def listen() -> int:
        with ann.plain.makefile('rb') as lines:
            for count, line in enumerate(lines):
                if line == b'* sleeper has left\n':
                    return count
                assert line == b'bob: ' + b'x' * 990 + b'\n'
        raise AssertionError('the chat ended')

    talking = native.start(talk)
    assert native(listen) > 256  # what the example lets wait is that much
    talking.get()
