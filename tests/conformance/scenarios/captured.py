"""Promises that listeners return, and that are rejected: ``captureRejections``.

In Python a listener returns an ``AsyncResult`` that has failed.
"""

from __future__ import annotations

from ..form import Scenario, Step, error, fn, port

__all__ = ['SCENARIOS']

_CHAPTER = 'events: captureRejections'
_PROMISES = 'rejected promises (`captureRejections`)'

_ON = {'captureRejections': True}
A = fn('a')
_REJECTS = fn('rejects', rejects=error('rejected'))
_BY_DEFAULT: Step = ['set', 'events.captureRejections', True]
_EMITTER: Step = ['let', 'e', 'new events.EventEmitter', _ON]
_EMIT: Step = ['call', 'e.emit', 'x', 1, 'two']

#: What happens, and the steps.
_CASES: list[tuple[str, list[Step]]] = [
    ('emits error later', [
        _EMITTER, ['call', 'e.on', 'error', fn('error')], ['call', 'e.on', 'x', _REJECTS],
        ['call', 'e.on', 'x', A], _EMIT, ['note', 'later', 'e'], ['settle']]),
    ('nobody listens to the error', [_EMITTER, ['call', 'e.on', 'x', _REJECTS], _EMIT]),
    ('each of several', [
        _EMITTER, ['call', 'e.on', 'error', fn('error')], ['call', 'e.on', 'x', _REJECTS],
        ['call', 'e.on', 'x', fn('also', rejects=error('also'))], _EMIT, ['settle'], _EMIT]),
    ('a listener for one call', [
        _EMITTER, ['call', 'e.on', 'error', fn('error')], ['call', 'e.once', 'x', _REJECTS], _EMIT,
        ['settle'], _EMIT]),
    ('nothing is rejected', [
        _EMITTER, ['call', 'e.on', 'error', fn('error')],
        ['call', 'e.on', 'x', fn('5', returns=5)], ['call', 'e.on', 'x', fn('{}', returns={})],
        _EMIT]),
    ('an exception is none', [
        _EMITTER, ['call', 'e.on', 'error', fn('error')],
        ['call', 'e.on', 'x', fn('fails', throws=error('no'))], _EMIT]),
    ('the default for new ones', [
        ['let', 'old', 'new events.EventEmitter'], ['get', 'events.captureRejections'],
        _BY_DEFAULT, ['get', 'events.captureRejections'],
        ['let', 'e', 'new events.EventEmitter'], ['call', 'e.on', 'error', fn('error')],
        ['call', 'e.on', 'x', _REJECTS], _EMIT]),
    ('the option does not overrule the default', [
        _BY_DEFAULT,
        ['let', 'e', 'new events.EventEmitter', {'captureRejections': False}],
        ['call', 'e.on', 'error', fn('error')], ['call', 'e.on', 'x', _REJECTS], _EMIT]),
    ('what is no option', [
        *(['let', 'e', 'new events.EventEmitter', {'captureRejections': value}] for value in (
            'x', 1, [5], {'a': 1}, 0, '', None, False, True)),
        *(['set', 'events.captureRejections', value] for value in ('x', 1, 0, None, {})),
        ['get', 'events.captureRejections']]),
    ('a method of its own', [
        _EMITTER, ['set', 'e.captureRejection', fn('captured', of='e')],
        ['call', 'e.on', 'error', fn('error')], ['call', 'e.on', 'x', _REJECTS], _EMIT]),
    ('a method of its own throws', [
        _EMITTER, ['set', 'e.captureRejection', fn('captured', throws=error('no'), of='e')],
        ['call', 'e.on', 'error', fn('error')], ['call', 'e.on', 'x', _REJECTS], _EMIT]),
    ('a socket is destroyed', [
        ['let', 'c', 'new net.Socket', _ON], ['call', 'c.on', 'x', _REJECTS],
        ['call', 'c.emit', 'x'], ['await', 'c close']]),
    ('a listener of error rejects what was emitted by hand', [
        _EMITTER, ['call', 'e.once', 'error', fn('error', rejects=error('again'))],
        ['call', 'e.on', 'error', A], ['call', 'e.emit', 'error', error('first')]]),
    ('a listener of error of a socket', [
        ['let', 'c', 'new net.Socket', _ON], ['call', 'c.on', 'error', _REJECTS],
        ['call', 'c.destroy', error('destroyed')], ['await', 'c close']]),
    ('a listener of a server', [
        _BY_DEFAULT, ['let', 'server', 'net.createServer'],
        ['call', 'server.on', 'listening', _REJECTS],
        ['call', 'server.listen', 0, '127.0.0.1'], ['await', 'server error']]),
]

#: What is left of a rejection that nobody takes is told by Node only.
_UNCAPTURED: list[tuple[str, list[Step]]] = [
    ('not captured', [
        ['let', 'e', 'new events.EventEmitter'], ['call', 'e.on', 'error', fn('error')],
        ['call', 'e.on', 'x', _REJECTS], _EMIT]),
    ('a socket that does not capture', [
        ['let', 'c', 'new net.Socket'], ['call', 'c.on', 'x', _REJECTS], ['call', 'c.emit', 'x']]),
    ('a listener of error rejects', [
        _EMITTER, ['call', 'e.on', 'error', fn('error', rejects=error('again'))],
        ['call', 'e.on', 'x', _REJECTS], _EMIT]),
]


SCENARIOS = [
    *(Scenario(f'captured/{title}', _CHAPTER, steps) for title, steps in _CASES),
    *(Scenario(f'captured/{title}', _CHAPTER, steps, on_purpose=_PROMISES)
      for title, steps in _UNCAPTURED),
    Scenario(
        'captured/a listener of connection', _CHAPTER,
        [
            _BY_DEFAULT, ['let', 'server', 'net.createServer', _REJECTS],
            ['call', 'server.listen', 0, '127.0.0.1'], ['await', 'server listening'],
            ['let', 'c', 'net.connect', {'port': port(), 'host': '127.0.0.1'}],
            ['call', 'c.resume'], ['await', 's1 close'], ['await', 'c close'],
        ]),
]
