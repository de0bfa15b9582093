"""What the tests of WSGI share: an application that says what it was told, and requests."""

from __future__ import annotations

import json
from typing import Any

from gnet.testing import Peer

GET = b'GET %b HTTP/1.1\r\nHost: example.org\r\n\r\n'


def telling(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Answer with the values of *environ* that JSON has."""
    body = json.dumps({
        name: value for name, value in environ.items() if isinstance(value, (str, bool))}).encode()
    start_response('200 OK', [('Content-Length', str(len(body)))])
    return [body]


def read_answer(peer: Peer) -> tuple[int, dict[str, str], bytes]:
    """Return status, headers (small letters) and body of the next answer."""
    head = peer.recv_until(b'\r\n\r\n')
    assert head.endswith(b'\r\n\r\n'), f'ended after {head!r}'
    first, *lines = head.decode('latin-1').split('\r\n')[:-2]
    headers = {name.lower(): value.strip() for name, _, value in (
        line.partition(':') for line in lines)}
    return int(first.split()[1]), headers, peer.recv_exactly(int(headers['content-length']))


def ask(peer: Peer, path: bytes = b'/') -> dict[str, Any]:
    """Ask :func:`telling` on *peer*, and return what it was told."""
    peer.sendall(GET % path)
    status, _, body = read_answer(peer)
    assert status == 200
    told: dict[str, Any] = json.loads(body)
    return told
