"""``examples/metrics.py``."""

from __future__ import annotations

import json
import re
from typing import Any


def test_what_it_did_is_in_its_metrics_and_in_its_log(start: Any, connect: Any) -> None:
    example = start('metrics')
    client = connect(example.address)
    client.sendall(b'hello')
    assert client.recv_exactly(5) == b'hello'
    client.close()
    line = json.loads(example.running.wait_for('"connection"').string)
    assert (line['server'], line['received'], line['reason']) == ('echo', 5, 'peer')
    [where] = re.findall(r'curl (\S+):(\d+)/metrics', ''.join(example.running._seen))
    client = connect((where[0], int(where[1])))
    client.sendall(b'GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n')
    assert b'\ngnet_received_bytes_total{server="echo"} 5\n' in client.recv_until_end()
