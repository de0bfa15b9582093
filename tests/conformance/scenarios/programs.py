"""How programs end: by themselves, by an exception, by ``process.exit``."""

from __future__ import annotations

from typing import Any

from ..form import Form, Scenario, Step, error, fn, port, ref

__all__ = ['SCENARIOS']

_CHAPTER = 'process: exit and uncaught exceptions'

#: What a peer can cause does not end gnet.
_SERVES_ON = "an exception in a listener, or an `'error'` that nobody listens to, ends the process"
_RESET = 'a reset of an accepted connection that nobody listens to ends the process'
_DROP = "an exception in a `'drop'` listener ends the process"
_EXIT = '`process.exit(n)` ends the process'

_THROWN = error('thrown')
_SERVER: Step = ['let', 'server', 'net.createServer']
_LISTEN: Step = ['call', 'server.listen', 0]
_CLOSE: Step = ['call', 'server.close']
_SOCKET: Step = ['let', 'c', 'new net.Socket']

#: Events of the other end, which may or may not come before the program has ended.
_OTHERS = ['connection', 'resume', 'ready', 'connect', 'readable', 'prefinish', 'finish', 'drop']


def _connecting(*then: Step, accepted: Form = None) -> list[Step]:
    """Return a program whose server has one client, ``c``; *then* is done when it was made."""
    return [
        ['let', 'server', 'net.createServer', *([] if accepted is None else [accepted])],
        ['call', 'server.listen', 0, '127.0.0.1', fn(
            'listening',
            ['let', 'c', 'net.connect', {'port': port(), 'host': '127.0.0.1'}], *then)],
    ]


def _failing(event: str, of: str = 'c') -> Step:
    return ['call', f'{of}.on', event, fn('fails', throws=_THROWN)]


#: Accepted, and no reason to stay itself.
_IDLE = fn('accepted', ['call', '$0.unref'])
_ENDS = fn('accepted', ['call', '$0.unref'], ['call', '$0.end'])

_TO_NOBODY: Step = ['let', 'c', 'net.connect', {'port': 1, 'host': '127.0.0.1'}]

#: Without a listener, gnet does not emit 'error' at all; a monitor is all that could tell. Whether
#: there is time for 'close' depends on the loop.
_UNHEARD: dict[str, Any] = {'deaf': ['c'], 'ignore': [*_OTHERS, 'error', 'close']}
_MONITOR: Step = ['call', 'c.on', ref('events.errorMonitor'), fn('monitor')]

#: After these the program has to end by itself on gnet.
_ENDS_AFTER_C: list[Step] = [['call', 'c.resume'], ['call', 'c.on', 'close', fn('gone', _CLOSE)]]

#: What happens, the steps, and what else the scenario has.
_PROGRAMS: list[tuple[str, list[Step], dict[str, Any]]] = [
    ('ends: nothing to do', [_SERVER, _SOCKET], {}),
    ('ends: the server is closed', [_SERVER, [*_LISTEN, fn('listening', _CLOSE)]], {}),
    ('ends: the server is no reason to stay', [_SERVER, _LISTEN, ['call', 'server.unref']], {}),
    ('ends: nor are both ends of a connection', _connecting(accepted=fn(
        'accepted', ['call', '$0.unref'], ['call', 'c.unref'], ['call', 'server.unref'])), {}),
    ('ends: nor is a time-out', [_SOCKET, ['call', 'c.setTimeout', 5000, fn('idle')]], {}),
    ('ends: when the peer does', _connecting(
        ['call', 'c.resume'], _CLOSE, accepted=fn(
            'accepted', ['call', '$0.setTimeout', 20, fn('idle', ['call', 's1.end', 'bye'])])),
     {}),
    ('ends: a connection is refused', [_TO_NOBODY], {}),
    # An open connection is no reason to stay where nothing can happen on it by itself.
    ('ends: a client that pauses at once', _connecting(
        ['call', 'c.pause'], ['call', 'server.unref'], accepted=_IDLE), {}),
    ('ends: a client that does not read, whose peer has ended', _connecting(
        ['call', 'server.unref'], accepted=_ENDS),
     # Whether the end of the one is seen by the other before the program ends depends on the loop.
     {'ignore': [*_OTHERS, 'end', 'close']}),
    ('ends: a half open client whose peer has ended', [
        ['let', 'server', 'net.createServer', _ENDS],
        ['call', 'server.listen', 0, '127.0.0.1', fn(
            'listening',
            ['let', 'c', 'net.connect', {
                'port': port(), 'host': '127.0.0.1', 'allowHalfOpen': True}],
            ['call', 'c.resume'], ['call', 'server.unref'])],
    ], {}),
    ('ends: a client whose buffer is full', _connecting(
        ['call', 'server.unref'], accepted=fn(
            'accepted', ['call', '$0.unref'], ['call', '$0.write', 'much' * 50_000])), {}),
    ('ends: a look-up that is never answered', [
        ['let', 'c', 'net.connect', {
            'port': 1, 'host': 'name.test', 'lookup': fn('lookup')}]], {}),
    ('ends: a server that does not read, whose client has gone', _connecting(
        ['call', 'c.resume'], ['call', 'c.on', 'close', fn('gone', _CLOSE)],
        accepted=fn('accepted', ['call', '$0.end', 'bye'])), {}),

    ('fails: the script', [_SERVER, _LISTEN, ['throw', _THROWN], ['note', 'never']],
     {'ignore': ['listening']}),
    ('fails: connectionAttempt', [_TO_NOBODY, _failing('connectionAttempt')], {}),
    ('fails: connect', _connecting(_failing('connect')), {}),
    ('fails: data', _connecting(
        _failing('data'), accepted=fn('accepted', ['call', '$0.write', 'hello'])), {}),
    ('fails: end', _connecting(
        _failing('end'), ['call', 'c.resume'], accepted=fn('accepted', ['call', '$0.end'])), {}),
    ('fails: timeout', _connecting(
        _failing('timeout'),
        ['call', 'c.on', 'connect', fn('connected', ['call', 'c.setTimeout', 20])]), {}),
    ('fails: error', [_TO_NOBODY, _failing('error')], {}),
    ('fails: close', [_TO_NOBODY, _failing('close')], {}),
    ('fails: listening', [_SERVER, _failing('listening', 'server'), _LISTEN], {}),
    ('fails: close of a server', [
        _SERVER, _failing('close', 'server'), [*_LISTEN, fn('listening', _CLOSE)]], {}),
    ('fails: error of a server', [
        _SERVER, _LISTEN, ['let', 'other', 'net.createServer'], _failing('error', 'other'),
        ['call', 'other.listen', port()]], {}),

    ('nobody listens: error of a server', [
        _SERVER, _LISTEN, ['let', 'other', 'net.createServer'],
        ['call', 'other.listen', port(), fn('listening')]], {'deaf': ['other']}),
    ('nobody listens: a connection is refused', [_TO_NOBODY, _MONITOR], _UNHEARD),
    ('nobody listens: a reset', _connecting(
        ['call', 'c.resume'], ['call', 'c.write', 'go'], _MONITOR, accepted=fn(
            'accepted', ['call', '$0.on', 'data', fn('data', ['call', 's1.resetAndDestroy'])])),
     _UNHEARD),
    ('nobody listens: destroyed with an error', [
        _SOCKET, _MONITOR, ['call', 'c.destroy', _THROWN]], _UNHEARD),

    ('serves on: connection', _connecting(
        *_ENDS_AFTER_C, accepted=fn('fails', throws=_THROWN)), {'on_purpose': _SERVES_ON}),
    ('serves on: data of an accepted connection', _connecting(
        *_ENDS_AFTER_C, ['call', 'c.write', 'hello'], accepted=fn(
            'accepted', ['call', '$0.on', 'data', fn('fails', throws=_THROWN)])),
     {'on_purpose': _SERVES_ON}),
    ('serves on: a reset of an accepted connection', _connecting(
        ['call', 'c.on', 'close', fn('gone', _CLOSE)],
        ['call', 'c.on', 'data', fn('data', ['call', 'c.resetAndDestroy'])],
        accepted=fn('accepted', ['call', '$0.write', 'go'], ['call', '$0.resume'])),
     {'deaf': ['s1'], 'on_purpose': _RESET}),
    ('serves on: drop', [
        *_connecting(*_ENDS_AFTER_C), ['set', 'server.maxConnections', 0],
        _failing('drop', 'server')], {'on_purpose': _DROP}),

    ('exits: the script', [['exit', 5], ['note', 'never']], {}),
    ('exits: the script, with a connection', [_TO_NOBODY, ['exit', 5]], {'on_purpose': _EXIT}),
    ('exits: listening', [
        _SERVER, [*_LISTEN, fn('listening', ['exit', 7], ['note', 'never'])]], {}),
    ('exits: data of an accepted connection', _connecting(
        ['call', 'c.write', 'hello'], accepted=fn(
            'accepted', ['call', '$0.on', 'data', fn('data', ['exit', 4])])), {}),
]

SCENARIOS = [
    Scenario(f'programs/{title}', _CHAPTER, steps, program=True, **{'ignore': _OTHERS, **more})
    for title, steps, more in _PROGRAMS
]
