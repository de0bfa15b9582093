"""A program whose log cannot be written, as the disk is full, goes on serving."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

FULL = Path('/dev/full')

pytestmark = pytest.mark.skipif(not FULL.exists(), reason='there is no /dev/full here')

#: Fails in all ways that are told on stderr.
SERVER = """
    import logging
    import gnet

    logging.basicConfig(level='INFO')

    def events(sock):
        @sock.on('data')
        def answer(data):
            if data == b'x':
                raise RuntimeError('x' * 9000)
            sock.end('events')

    def blocks(sock):
        logging.error('y' * 9000)
        for data in sock:
            if data == b'x':
                raise RuntimeError('x' * 9000)
            sock.sendall(b'blocks')
            return

    gnet.create_server(events).listen(path='events')
    gnet.create_server(blocks).listen(path='blocks', callback=lambda: print('listens', flush=True))
"""

REDIRECT = """
import os, sys
os.dup2(os.open(sys.argv[1], os.O_WRONLY), 2)
os.execv(sys.argv[2], sys.argv[2:])
"""


@pytest.mark.parametrize('words', [(), ('--workers', '1')], ids=['alone', 'workers'])
def test_a_full_disk_under_the_log_stops_nothing(start_script, connect, tmp_path, words):
    # Its own stderr: what it says is lost.
    running = start_script(
        SERVER, launcher=['-c', REDIRECT, str(FULL), sys.executable, '-m', 'gnet', *words],
        env={'GNET_STAY_ALIVE': None})
    assert running.read_line() == 'listens'
    for _ in range(2):
        for name in ('events', 'blocks'):
            failing = connect(f'{tmp_path}/{name}')
            failing.sendall(b'x')
            assert failing.recv_until_end() == b''
            failing.close()
            fine = connect(f'{tmp_path}/{name}')
            fine.sendall(b'?')
            assert fine.recv_until_end() == name.encode()
            fine.close()
    os.kill(running.process.pid, signal.SIGTERM)
    assert running.wait() == (0, 'listens\n', '')
