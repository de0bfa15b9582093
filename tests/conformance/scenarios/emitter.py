"""The methods of an emitter, and what an ``emit`` does while the listeners change."""

from __future__ import annotations

from ..form import Scenario, Step, fn, number, ref
from ._each import on_each

__all__ = ['SCENARIOS']

_METHODS = 'events: EventEmitter methods'
_ARGUMENTS = 'events: asynchronous vs. synchronous, arguments'

A, B, C, D = map(fn, 'abcd')
_MONITOR = ref('events.errorMonitor')

_EMIT: Step = ['call', 'e.emit', 'x']
_COUNT: Step = ['call', 'e.listenerCount', 'x']

#: What happens, the chapter, and the steps on ``e``.
_CASES: list[tuple[str, str, list[Step]]] = [
    ('listeners are called in their order', _METHODS, [
        ['call', 'e.on', 'x', A], ['call', 'e.addListener', 'x', B],
        ['call', 'e.prependListener', 'x', C], ['call', 'e.prependListener', 'x', D],
        _EMIT, _EMIT]),
    ('listeners for one call are removed', _METHODS, [
        ['call', 'e.once', 'x', A], ['call', 'e.on', 'x', B],
        ['call', 'e.prependOnceListener', 'x', C], ['call', 'e.once', 'x', D],
        _COUNT, ['call', 'e.emit', 'x', 1], _COUNT, ['call', 'e.emit', 'x', 2]]),
    ('a listener for one call is the only one', _METHODS, [
        ['call', 'e.once', 'x', A], _EMIT, _EMIT, _COUNT]),
    ('the same listener several times', _METHODS, [
        ['call', 'e.on', 'x', A], ['call', 'e.on', 'x', A], ['call', 'e.once', 'x', A], _EMIT,
        _EMIT, ['call', 'e.off', 'x', A], _COUNT, _EMIT]),
    ('off removes the one that was added last', _METHODS, [
        ['call', 'e.on', 'x', A], ['call', 'e.on', 'x', B], ['call', 'e.on', 'x', A],
        ['call', 'e.off', 'x', A], ['call', 'e.listeners', 'x'],
        ['call', 'e.prependListener', 'x', B], ['call', 'e.removeListener', 'x', B],
        ['call', 'e.listeners', 'x'], _EMIT]),
    ('off finds listeners for one call', _METHODS, [
        ['call', 'e.once', 'x', A], ['call', 'e.prependOnceListener', 'x', B],
        ['call', 'e.on', 'x', C], ['call', 'e.off', 'x', A], ['call', 'e.listeners', 'x'],
        ['call', 'e.off', 'x', B], _EMIT]),
    ('off of what is not there', _METHODS, [
        ['call', 'e.off', 'x', A], ['call', 'e.on', 'x', A], ['call', 'e.off', 'x', B],
        ['call', 'e.removeListener', 'y', A], ['call', 'e.removeAllListeners', 'y'], _EMIT]),
    ('removeAllListeners of one name', _METHODS, [
        ['call', 'e.on', 'x', A], ['call', 'e.once', 'x', B], ['call', 'e.on', 'y', C],
        ['call', 'e.removeAllListeners', 'x'], _EMIT, ['call', 'e.emit', 'y']]),
    ('removeAllListeners of all names', _METHODS, [
        ['call', 'e.on', 'x', A], ['call', 'e.once', 'x', B], ['call', 'e.on', 'y', C],
        ['call', 'e.on', 5, C], ['call', 'e.on', _MONITOR, C],
        ['call', 'e.removeAllListeners'], ['call', 'e.eventNames'], _EMIT,
        ['call', 'e.emit', 'y'], ['call', 'e.on', 'x', D], _EMIT]),
    ('listeners and rawListeners', _METHODS, [
        ['call', 'e.listeners', 'x'], ['call', 'e.rawListeners', 'x'],
        ['call', 'e.on', 'x', A], ['call', 'e.once', 'x', B],
        ['call', 'e.listeners', 'x'], ['call', 'e.rawListeners', 'x'],
        ['let', 'e list', 'e.listeners', 'x'], ['call', 'e list.pop'], _COUNT,
        ['let', 'e raw', 'e.rawListeners', 'x'], ['call', 'e raw.0', 'by hand'],
        ['get', 'e raw.1.listener'], ['call', 'e raw.1', 'by hand'],
        ['call', 'e raw.1', 'again'], _COUNT, _EMIT]),
    ('listenerCount of one listener', _METHODS, [
        ['call', 'e.on', 'x', A], ['call', 'e.once', 'x', A], ['call', 'e.on', 'x', B],
        ['call', 'e.listenerCount', 'x', A], ['call', 'e.listenerCount', 'x', B],
        ['call', 'e.listenerCount', 'x', C], ['call', 'e.listenerCount', 'x', None],
        ['call', 'e.listenerCount', 'y', A], ['call', 'e.listenerCount', 'y']]),
    ('names that are no strings', _METHODS, [
        step for value, text in (
            (None, 'null'), (5, '5'), (True, 'true'), (1.5, '1.5'), (0.1, '0.1'), (-1, '-1'),
            (1e21, '1e+21'), (1e-7, '1e-7'), (123456789012, '123456789012'),
            (number('NaN'), 'NaN'), (number('-Infinity'), '-Infinity'))
        for step in (
            ['call', 'e.on', value, A], ['call', 'e.emit', text, 'as text'],
            ['call', 'e.emit', value, 'as it is'], ['call', 'e.listenerCount', text],
            ['call', 'e.off', text, A], ['call', 'e.listeners', value])]),
    ('emit without a name', _METHODS, [
        ['call', 'e.emit'], ['call', 'e.on', 'undefined', A], ['call', 'e.emit']]),
    ('a fresh one', _METHODS, [
        ['call', 'e.getMaxListeners'], ['call', 'e.listenerCount', 'x'],
        ['call', 'e.listenerCount', 'newListener'], ['call', 'e.listeners', 'x'],
        ['call', 'e.emit', 'x', 1, 2]]),
    ('any number of arguments', _ARGUMENTS, [
        ['call', 'e.on', 'x', A], ['call', 'e.once', 'x', B],
        *(['call', 'e.emit', 'x', *range(count)] for count in range(8)),
        ['call', 'e.emit', 'x', None, False, '', 0, {'a': [1, {}]}, A, ref('e')],
        ['call', 'e.emit', 'x', number('NaN'), number('Infinity'), 1.5, -1]]),
    ('what listeners return is ignored', _ARGUMENTS, [
        ['call', 'e.on', 'x', fn('no', returns=False)], ['call', 'e.on', 'x', fn('5', returns=5)],
        ['call', 'e.on', 'x', A], _EMIT]),
    ('listeners are called before emit returns', _ARGUMENTS, [
        ['call', 'e.on', 'x', fn('outer', ['call', 'e.emit', 'y', 1], ['note', 'end', 'e'])],
        ['call', 'e.on', 'y', fn('inner', ['note', 'inside', 'e'])],
        ['call', 'e.on', 'x', A], _EMIT, ['note', 'after', 'e']]),
    ('a listener adds one', _METHODS, [
        ['call', 'e.on', 'x', fn(
            'adds', ['call', 'e.on', 'x', B], ['call', 'e.prependListener', 'x', C], _COUNT)],
        _EMIT, _EMIT]),
    ('a listener removes a later one', _METHODS, [
        ['call', 'e.on', 'x', fn('removes', ['call', 'e.off', 'x', B], _COUNT)],
        ['call', 'e.on', 'x', B], _EMIT, _EMIT]),
    ('a listener removes itself', _METHODS, [
        ['call', 'e.on', 'x', fn('removed', ['call', 'e.removeListener', 'x', B])],
        ['call', 'e.on', 'x', B], ['call', 'e.on', 'x', C],
        ['call', 'e.prependListener', 'x', fn('first', ['call', 'e.off', 'x', C])], _EMIT, _EMIT]),
    ('a listener removes all of them', _METHODS, [
        ['call', 'e.on', 'x', fn('clears', ['call', 'e.removeAllListeners', 'x'], _COUNT)],
        ['call', 'e.on', 'x', B], ['call', 'e.once', 'x', C], _EMIT, _COUNT, _EMIT]),
    ('a listener for one call removes a later one of the same kind', _METHODS, [
        ['call', 'e.once', 'x', fn('removes', ['call', 'e.off', 'x', B])],
        ['call', 'e.once', 'x', B], _EMIT, _EMIT]),
    ('emit within emit, with a listener for one call', _METHODS, [
        ['call', 'e.once', 'x', fn('once', ['call', 'e.emit', 'x', 'inner'])],
        ['call', 'e.on', 'x', A], ['call', 'e.emit', 'x', 'outer']]),
    ('emit within emit of a later listener for one call', _METHODS, [
        ['call', 'e.prependOnceListener', 'x', fn('first', ['call', 'e.emit', 'x', 'inner'])],
        ['call', 'e.once', 'x', A], ['call', 'e.on', 'x', B], ['call', 'e.emit', 'x', 'outer']]),
    ('a listener throws', _ARGUMENTS, [
        ['call', 'e.on', 'x', A],
        ['call', 'e.on', 'x', fn('fails', throws={'$': 'error', 'message': 'no'})],
        ['call', 'e.on', 'x', B], _EMIT, _COUNT, _EMIT]),
    ('a listener for one call throws', _ARGUMENTS, [
        ['call', 'e.once', 'x', fn('fails', throws={'$': 'error', 'message': 'no'})],
        ['call', 'e.on', 'x', B], _EMIT, _COUNT, _EMIT]),
]

#: Names that every object of JavaScript has, and strange ones.
_INHERITED: list[Step] = [
    step for name in ('__proto__', 'constructor', 'toString', 'hasOwnProperty', '', ' ')
    for step in (
        ['call', 'e.emit', name], ['call', 'e.listenerCount', name], ['call', 'e.on', name, A],
        ['call', 'e.emit', name], ['call', 'e.listeners', name], ['call', 'e.off', name, A],
        ['call', 'e.emit', name])
]

SCENARIOS = [
    *(Scenario(f'emitter/{title}', chapter, on_each(*steps)) for title, chapter, steps in _CASES),
    Scenario(
        'emitter/what the methods return', _METHODS,
        on_each(
            *(['call', f'e.{method}', 'x', A] for method in (
                'on', 'once', 'addListener', 'prependListener', 'prependOnceListener', 'off',
                'removeListener')),
            ['call', 'e.emit', 'x'], ['call', 'e.setMaxListeners', 5],
            ['call', 'e.getMaxListeners'], ['call', 'e.removeAllListeners', 'x'],
            ['call', 'e.emit', 'x'], ['call', 'e.removeAllListeners']),
        quiet=[],
    ),
    Scenario(
        'emitter/names in the order of properties', _METHODS,
        on_each(
            ['call', 'e.eventNames'],
            *(['call', 'e.on', name, A] for name in (
                'b', _MONITOR, 'a', '10', 2, '01', '-1', '1.5', '4294967294', '4294967295', 'b')),
            ['call', 'e.eventNames'], ['call', 'e.removeAllListeners', 'b'],
            ['call', 'e.off', 2, A], ['call', 'e.eventNames'], ['call', 'e.on', 'b', A],
            ['call', 'e.eventNames'], of=('emitter', 'server')),
    ),
    Scenario(
        'emitter/names that JavaScript has a use for', _METHODS,
        on_each(*_INHERITED, of=('emitter', 'server')),
    ),
    Scenario(
        'emitter/names that JavaScript has a use for, of a socket', _METHODS,
        on_each(*_INHERITED, of=('socket',)),
        on_purpose='`toString` and the like are events with listeners on a socket',
    ),
    Scenario(
        'emitter/names of a fresh socket', _METHODS,
        on_each(
            ['call', 'e.eventNames'], ['call', 'e.listenerCount', 'end'],
            ['call', 'e.removeAllListeners', 'end'], ['call', 'e.eventNames'], of=('socket',)),
        on_purpose="`'end'` has one listener on a fresh socket, Node's own",
    ),
    Scenario(
        'emitter/listeners that gnet and the caller have added', _METHODS,
        [
            ['let', 'server', 'net.createServer', A],
            ['call', 'server.listeners', 'connection'], ['call', 'server.eventNames'],
            ['call', 'server.listen', 0, '127.0.0.1', fn('listening')],
            ['call', 'server.listeners', 'listening'], ['call', 'server.eventNames'],
            ['await', 'server listening'], ['call', 'server.listenerCount', 'listening'],
            ['call', 'server.close', fn('closed')], ['call', 'server.listenerCount', 'close'],
            ['await', 'server close'], ['call', 'server.listenerCount', 'close'],
            ['let', 'c', 'net.connect', {'port': 1, 'host': '127.0.0.1'}, fn('connected')],
            ['call', 'c.listeners', 'connect'], ['await', 'c close'],
            ['call', 'c.listeners', 'connect'],
            ['call', 'c.setTimeout', 5000, fn('idle')], ['call', 'c.listeners', 'timeout'],
        ],
    ),
]
