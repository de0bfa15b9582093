"""The wall clock jumps: nothing waits for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..harness.programs import find_library

#: Has its wall clock jump, by a file that libfaketime reads. Time-outs fire that are due, after the
#: time that they have, and no other ones.
PROGRAM = """
    import socket, sys, time
    import gevent, gnet

    def jump(to):
        before = time.time()
        with open(sys.argv[1], 'w') as clock:
            clock.write(to)
        jumped = time.time() - before
        assert abs(jumped) > 3000, jumped

    def echo(sock):
        sock.set_timeout(60_000, lambda: print('idle for a minute', flush=True))
        sock.settimeout(60)
        for chunk in sock:
            sock.sendall(chunk)

    server = gnet.serve(echo)
    port = server.address().port
    seen = []
    for to in ('+2h', '-2h', '+0'):
        idle = gnet.connect(port, '127.0.0.1')
        idle.on('timeout', lambda: (seen.append('timeout'), idle.destroy()))
        busy = gnet.connect(port, '127.0.0.1')
        busy.settimeout(60)
        quick = gnet.connect(port, '127.0.0.1')
        quick.settimeout(0.2)
        for each in (busy, quick):
            each.sendall(b'before')
            assert each.recv(100) == b'before'
        idle.set_timeout(200)
        jump(to)
        started = time.monotonic()
        try:
            quick.recv(100)
        except socket.timeout:  # no TimeoutError on Python 3.9
            seen.append('late')
        gevent.sleep(0.01)
        busy.sendall(b'after')
        assert busy.recv(100) == b'after'
        if not idle.destroyed:
            gnet.once(idle, 'close', timeout=10)
        took = time.monotonic() - started
        assert 0.1 < took < 10, took
        busy.close()
        quick.close()
        print(to, *sorted(seen), flush=True)
        seen.clear()
    assert server.stop(10) == 0
"""


def test_a_jump_of_the_wall_clock_ends_and_prolongs_nothing(
    start_script: Any, tmp_path: Path,
) -> None:
    library = find_library('*/faketime/libfaketimeMT.so.1', 'faketime')
    clock = tmp_path / 'clock'
    clock.write_text('+0')
    running = start_script(PROGRAM, str(clock), env={
        'LD_PRELOAD': library, 'FAKETIME_TIMESTAMP_FILE': str(clock), 'FAKETIME_NO_CACHE': '1',
        'FAKETIME_DONT_FAKE_MONOTONIC': '1',
    })
    assert running.wait() == (
        0, '+2h late timeout\n-2h late timeout\n+0 late timeout\n', '')
