"""Back-pressure through ``pipe``: a proxy between a fast writer and a slow reader stays small."""

from __future__ import annotations

import hashlib
import os
import re
import sys
from typing import Any

import pytest

from .harness import ROOT
from .harness.memory import resident
from .harness.plain import PlainSocket

#: Megabytes (2**20 bytes) that go through; GNET_PROXY_MEGABYTES=1024 is for the patient.
MEGABYTES = int(os.environ.get('GNET_PROXY_MEGABYTES', '128'))

#: Bytes by which the proxy may grow. It may buffer a high-water mark and a chunk for each direction
#: (256 KiB in all); the rest is what Python needs when it runs code for the first time.
TOLERANCE = 4 << 20

#: One that reads slowly: some 100 MiB a second, a tenth of what the writer could do.
READER = """
import hashlib, socket, sys, time
listener = socket.create_server(('127.0.0.1', 0))
print('port', listener.getsockname()[1], flush=True)
sock, _ = listener.accept()
sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
digest, count = hashlib.sha256(), 0
for number, chunk in enumerate(iter(lambda: sock.recv(65536), b'')):
    digest.update(chunk)
    count += len(chunk)
    if number % 32 == 0:
        time.sleep(0.01)
sock.sendall(digest.hexdigest().encode())
sock.close()
print('received', count, flush=True)
"""


@pytest.mark.skipif(not sys.platform.startswith('linux'), reason='/proc is read')
@pytest.mark.timeout(60 + MEGABYTES)
def test_a_proxy_between_a_fast_writer_and_a_slow_reader_stays_small(
    start_script: Any, native: Any,
) -> None:
    reader = start_script(READER)
    target = reader.wait_for(r'port (\d+)')[1]
    proxy = start_script(ROOT / 'examples' / 'proxy.py', '0', f'127.0.0.1:{target}')
    port = int(re.search(r':(\d+) for', proxy.wait_for('listening').string)[1])  # type: ignore[index]
    sizes = []

    def write() -> str:
        digest = hashlib.sha256()
        block = os.urandom(1 << 20)
        with PlainSocket() as sock:
            sock.connect(('127.0.0.1', port))
            for _ in range(MEGABYTES):
                sock.sendall(block)
                digest.update(block)
                sizes.append(resident(proxy.process.pid))
            sock.shutdown(1)
            answer = b''
            while len(answer) < 64:
                answer += sock.recv(64)
        assert answer.decode() == digest.hexdigest()
        return answer.decode()

    native(write)
    # After the first megabytes, all code has run and all buffers have been full.
    grown = max(sizes) - sizes[8]
    assert grown < TOLERANCE, (sizes[0], sizes[8], max(sizes))
    reader.wait_for(f'received {MEGABYTES << 20}', timeout=20 + MEGABYTES)
