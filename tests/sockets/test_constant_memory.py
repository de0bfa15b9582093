"""However much goes through a socket in blocking style, the process does not grow with it."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from typing import Any

import pytest

from ..harness.plain import PlainSocket

pytestmark = pytest.mark.skipif(not sys.platform.startswith('linux'), reason='/proc is read')

#: Bytes that go through: eight times what the process may grow by.
MUCH = 64 << 20
ALLOWED = 8 << 20

CHUNK = 64 << 10

#: What both scripts begin with. Their highest resident memory counts, not that at the end.
COMMON = """
import hashlib, sys
import gnet
from tests.harness.memory import highest_resident, resident

port, count, size = map(int, sys.argv[1:])
digest = hashlib.sha256()
"""

SENDER = COMMON + """
def chunks(count):
    for number in range(count):
        chunk = number.to_bytes(4, 'big') * (size // 4)
        digest.update(chunk)
        yield chunk

with gnet.connect(port, '127.0.0.1') as sock:
    def send(count):
        for chunk in chunks(count):
            sock.sendall(chunk)

    send(16)  # what is made once is there then
    before = resident()
    send(count - 16)
    grown = highest_resident() - before
print(grown, digest.hexdigest())
"""

RECEIVER = COMMON + """
buffer = bytearray(size)
view = memoryview(buffer)
with gnet.connect(port, '127.0.0.1') as sock:
    received = before = 0
    while True:
        got = sock.recv_into(buffer)
        if not got:
            break
        digest.update(view[:got])
        received += got
        if not before and received >= 16 * size:
            before = resident()
    grown = highest_resident() - before
assert before and received == count * size, received
print(grown, digest.hexdigest())
"""


def taken(listener: Any) -> str:
    digest = hashlib.sha256()
    plain, _ = listener.accept()
    with plain:
        for chunk in iter(lambda: plain.recv(CHUNK), b''):
            digest.update(chunk)
    return digest.hexdigest()


def given(listener: Any) -> str:
    digest = hashlib.sha256()
    plain, _ = listener.accept()
    with plain:
        for number in range(MUCH // CHUNK):
            chunk = number.to_bytes(4, 'big') * (CHUNK // 4)
            digest.update(chunk)
            plain.sendall(chunk)
    return digest.hexdigest()


@pytest.mark.parametrize(('script', 'peer'), [(SENDER, taken), (RECEIVER, given)],
                         ids=['sendall of a generator', 'recv_into one buffer'])
def test_a_process_does_not_grow_with_what_goes_through_it(
    plain_listener: Callable[..., PlainSocket], native: Any, run_script: Callable[..., Any],
    script: str, peer: Callable[[Any], str],
) -> None:
    listener = plain_listener()
    other = native.start(peer, listener)
    port = listener.getsockname()[1]
    status, out, err = run_script(script, str(port), str(MUCH // CHUNK), str(CHUNK))
    assert (status, err) == (0, '')
    grown, digest = out.split()
    assert digest == other.get()
    assert int(grown) < ALLOWED
