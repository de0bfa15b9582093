"""``ref`` and ``unref`` of sockets: what keeps a program alive."""

from __future__ import annotations

from ..form import Scenario, Step, fn, port
from ._pairs import QUIET, connection

__all__ = ['SCENARIOS']

_CHAPTER = 'net.Socket: ref, unref'

#: A server that does not keep the program alive, and then this.
_CLIENTS: dict[str, list[Step]] = {
    'unref in the listener of connect': [
        ['let', 'c', 'net.connect', port(), '127.0.0.1', fn(
            'connected', ['call', 'c.unref'])]],
    'unref before the connection': [
        ['let', 'c', 'net.connect', port(), '127.0.0.1', fn('connected')], ['call', 'c.unref']],
    'unref before connect': [
        ['let', 'c', 'new net.Socket'], ['call', 'c.unref'],
        ['call', 'c.connect', port(), '127.0.0.1', fn('connected')]],
    'unref, then ref, then it ends': [
        ['let', 'c', 'net.connect', port(), '127.0.0.1', fn(
            'connected', ['call', 'c.unref'], ['call', 'c.ref'], ['call', 'c.unref'],
            ['call', 'c.unref'], ['call', 'c.ref'], ['call', 'c.end'])]],
    'ref of a new one keeps nothing alive': [
        ['let', 'c', 'new net.Socket'], ['call', 'c.ref']],
}

_PROGRAMS = [
    Scenario(
        f'socket ref/{name}', _CHAPTER,
        [
            ['let', 'server', 'net.createServer', {}, fn(
                'accepted', ['call', '$0.unref'], ['call', '$0.resume'])],
            ['call', 'server.listen', 0, '127.0.0.1', fn(
                'listening', ['call', 'server.unref'], *steps)],
        ],
        quiet=[*QUIET, 'resume'], program=True,
        # Whether the accepted end still has its turns depends on when the program ends.
        ignore=['connection', 'readable', 'resume', 'ready', 'end', 'prefinish', 'finish', 'close'])
    for name, steps in _CLIENTS.items()
]

_INSIDE = [
    Scenario(
        'socket ref/ref and unref in any state', _CHAPTER,
        [
            ['let', 'c', 'new net.Socket'], ['call', 'c.unref'], ['call', 'c.ref'],
            ['call', 'c.destroy'], ['call', 'c.unref'], ['call', 'c.ref'], ['settle'],
            ['call', 'c.unref'],
        ]),
    Scenario(
        'socket ref/an unref socket works', _CHAPTER,
        [
            *connection(), ['call', 'c.unref'], ['call', 's1.unref'],
            ['call', 's1.on', 'data', fn('data')], ['call', 'c.end', 'ab'], ['await', 'c close'],
        ], quiet=QUIET),
]

SCENARIOS = [*_PROGRAMS, *_INSIDE]
