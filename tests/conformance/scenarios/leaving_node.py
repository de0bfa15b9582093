"""Where gnet leaves Node with a socket, and no other scenario shows it: that it does, and how."""

from __future__ import annotations

from ..form import Scenario, Step, error, fn, tmp
from ._pairs import QUIET, connection, listening
from ._peers import HERE, NOBODY

__all__ = ['SCENARIOS']

_CONNECTING = 'net.Socket: connect'
_DATA = "net.Socket: 'data', 'end', 'readable'"
_WRITING = 'net.Socket: write, cork, uncork'

_CONNECT: Step = ['call', 'c.connect', HERE]

#: What happens | chapter | steps | the row of docs/differences.md.
_ROWS: list[tuple[str, str, list[Step], str]] = [
    ('cork() after end(), with something queued', _WRITING, [
        *listening(), ['let', 'c', 'net.connect', HERE],
        ['call', 'c.write', 'a', fn('first')], ['call', 'c.write', 'b', fn('second')],
        ['call', 'c.end', fn('ended')], ['call', 'c.cork'], ['await', 'c ready'], ['settle'],
        ['get', 'c.writableFinished', 'c.writableCorked', 'c.writableLength'],
    ], '`cork()` after `end()` holds back what is still queued, and the end, for ever'),
    ("removeAllListeners('connect') with something written", _WRITING, [
        *listening(), ['let', 'c', 'net.connect', HERE],
        ['call', 'c.write', 'a', fn('written')], ['call', 'c.removeAllListeners', 'connect'],
        ['await', 'c ready'], ['settle'],
        ['get', 'c.bytesWritten', 'c.writableLength', 's1.readableLength'],
    ], "`removeAllListeners('connect')` before the connection loses what was written"),
    ("removeAllListeners('data') while it flows", _DATA, [
        *connection(), ['call', 's1.on', 'data', fn('got')], ['settle'],
        ['call', 's1.removeAllListeners', 'data'], ['call', 'c.write', 'a'], ['settle'],
        ['get', 's1.readableFlowing', 's1.readableLength'],
    ], "after `removeAllListeners('data')`, a flowing socket drops data without `'readable'`"),
    ('connect() between destroy() and close', _CONNECTING, [
        *connection(), ['call', 'c.destroy'], _CONNECT, ['get', 'c.destroyed', 'c.readyState'],
        ['await', 'c close'], ['settle'], ['get', 'c.readyState', 'c.destroyed'],
    ], "`connect()` after `destroy()`, before `'close'`, starts at once, and mixes up both lives"),
    ('connect() again with something in the buffer', _CONNECTING, [
        *connection(), ['call', 's1.write', 'old'], ['settle'], ['call', 'c.destroy'],
        ['await', 'c close'], _CONNECT, ['await', 'c ready', 2], ['get', 'c.readableLength'],
        ['call', 'c.read'],
    ], 'reconnecting keeps what the last connection had left in the buffer'),
    ('connect() again after a refusal, with something written', _CONNECTING, [
        *listening(), ['let', 'c', 'new net.Socket'],
        ['call', 'c.connect', NOBODY], ['call', 'c.write', 'lost', fn('written')],
        ['await', 'written'], ['call', 'c.listenerCount', 'connect'], _CONNECT,
        ['await', 'c ready'], ['settle'], ['get', 'c.bytesWritten', 's1.readableLength'],
    ], 'reconnecting sends what was written for a connection that failed, and then fails with '
       '`ERR_MULTIPLE_CALLBACK`'),
    ('a listener of connectionAttempt throws, a path', _CONNECTING, [
        ['let', 'server', 'net.createServer'], ['call', 'server.listen', tmp('path')],
        ['await', 'server listening'], ['let', 'c', 'new net.Socket'],
        ['call', 'c.on', 'connectionAttempt', fn('attempt', throws=error('off'))],
        ['call', 'c.connect', tmp('path')], ['settle'], ['get', 'c.readyState'],
    ], "what a listener of `'connectionAttempt'` for a path, or of `'lookup'` with a synchronous "
       'look-up function, throws, `connect()` throws'),
    ('an accepted socket connects', _CONNECTING, [
        *connection(), ['call', 's1.destroy'], ['await', 's1 close'],
        ['call', 's1.connect', HERE], ['await', 's1 ready'], ['settle'],
        ['get', 's1.server', 'server._connections'], ['call', 's1.destroy'],
        ['await', 's1 close', 2], ['settle'], ['get', 'server._connections'],
    ], 'an accepted socket that is connected again keeps its `server`, which counts it down twice'),
]

SCENARIOS = [
    Scenario(
        f'leaving Node/{name}', chapter, steps, quiet=QUIET, on_purpose=row)
    for name, chapter, steps, row in _ROWS
]
