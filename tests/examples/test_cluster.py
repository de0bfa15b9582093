"""``examples/cluster.py`` and ``examples/sticky.py``."""

from __future__ import annotations

import os
import re
import signal
from typing import Any


def test_a_name_meets_the_process_that_has_met_it_before(start: Any, connect: Any) -> None:
    address = start('sticky').address
    for number in (1, 2, 3):
        for name in (b'ann', b'bob', b'cy'):
            client = connect(address)
            client.sendall(name + b'\nand more')
            client.end()
            assert client.recv_until_end() == (
                b'your name? hello %s, this is your visit number %d\nand more' % (name, number))


def test_a_worker_of_the_cluster_that_is_killed_is_replaced(start: Any, connect: Any) -> None:
    example = start('cluster')
    pids = [int(number) for number in re.findall(
        r'is process (\d+)', ''.join(example.running._seen))]
    assert len(pids) == 2
    os.kill(pids[0], signal.SIGKILL)
    example.running.wait_for(r'worker \d has ended \(SIGKILL\), and is replaced')
    example.running.wait_for(r'worker 3 is process \d+')
    for _ in range(4):
        client = connect(example.address)
        client.sendall(b'hello')
        client.end()
        assert client.recv_until_end() == b'hello'
