"""Whole lives of connections."""

from __future__ import annotations

from ..form import Scenario, arg, fn, port

__all__ = ['SCENARIOS']

SCENARIOS = [
    Scenario(
        'echo/client ends', 'net.Socket: end',
        [
            ['let', 'server', 'net.createServer', fn(
                'accepted', ['call', '$0.pipe', arg(0)])],
            ['call', 'server.listen', 0, '127.0.0.1', fn('listening')],
            ['await', 'server listening'],
            ['let', 'c', 'net.connect', {'port': port(), 'host': '127.0.0.1'}, fn('connected')],
            ['call', 'c.on', 'data', fn('received', ['call', 'c.end', fn('ended')])],
            ['call', 'c.write', 'hello', fn('written')],
            ['await', 'c close'],
            ['call', 'server.close', fn('closed')],
            ['await', 'server close'],
        ],
        together={'both': ['server', 's1']},
    ),
    Scenario(
        'echo/port taken', "net.Server: 'error'",
        [
            ['let', 'server', 'net.createServer'],
            ['call', 'server.listen', 0],
            ['let', 'other', 'net.createServer'],
            ['call', 'other.listen', port(), fn('listening')],
            ['get', 'other.listening'],
            ['await', 'other error'],
        ],
    ),
]
