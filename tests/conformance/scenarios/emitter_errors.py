"""The event 'error', its monitor, and arguments that no method takes."""

from __future__ import annotations

from ..form import Form, Scenario, Step, error, fn, number, ref
from ._each import MAKERS, on_each

__all__ = ['SCENARIOS']

_ERRORS = 'events: error events'
_METHODS = 'events: EventEmitter methods'
_MONITOR = ref('events.errorMonitor')

A, B, C = map(fn, 'abc')
_FAILS = fn('fails', throws=error('no'))

#: What is emitted as an 'error' that has no listener.
_VALUES: list[list[Form]] = [
    [], [error('seen')], [error('seen'), 1, 2], ['str'], ["it's"], ['it\'s "so"'], ['a\nb'], [''],
    [None, 1], [5], [-1.5], [number('NaN')], [False], [{'a': 1}],
    [{'a': {'b': {'c': {'d': 1}}}, 'e-f': ['x', None]}], [{}], [[1, 'two', [3]]], [[]],
]

#: What happens, and the steps on ``e``, which has no listener of 'error'.
_CASES: list[tuple[str, list[Step]]] = [
    ('with a listener', [
        ['call', 'e.on', 'error', A], ['call', 'e.once', 'error', B],
        ['call', 'e.emit', 'error', error('one'), 1], ['call', 'e.emit', 'error', 'two'],
        ['call', 'e.emit', 'error'], ['call', 'e.off', 'error', A],
        ['call', 'e.emit', 'error', error('four')]]),
    ('a listener for one call', [
        ['call', 'e.once', 'error', A], ['call', 'e.emit', 'error', error('one')],
        ['call', 'e.emit', 'error', error('two')]]),
    ('the listener throws', [
        ['call', 'e.on', 'error', _FAILS], ['call', 'e.on', 'error', B],
        ['call', 'e.emit', 'error', error('seen')], ['call', 'e.listenerCount', 'error']]),
    ('a listener removes all', [
        ['call', 'e.on', 'error', fn('clears', ['call', 'e.removeAllListeners', 'error'])],
        ['call', 'e.on', 'error', B], ['call', 'e.emit', 'error', error('one')],
        ['call', 'e.emit', 'error', error('two')]]),
    ('a monitor and a listener', [
        ['call', 'e.on', 'error', A], ['call', 'e.on', _MONITOR, B],
        ['call', 'e.emit', 'error', error('seen'), 1], ['call', 'e.emit', 'x', 1],
        ['call', 'e.off', _MONITOR, B], ['call', 'e.emit', 'error', error('again')]]),
    ('a monitor alone', [
        ['call', 'e.on', _MONITOR, B], ['call', 'e.emit', 'error', error('seen')],
        ['call', 'e.emit', 'error', 'str'], ['call', 'e.emit', 'error']]),
    ('a monitor for one call', [
        ['call', 'e.once', _MONITOR, A], ['call', 'e.on', 'error', B],
        ['call', 'e.emit', 'error', 1], ['call', 'e.emit', 'error', 2],
        ['call', 'e.listenerCount', _MONITOR]]),
    ('a monitor that throws', [
        ['call', 'e.on', _MONITOR, _FAILS], ['call', 'e.on', 'error', B],
        ['call', 'e.emit', 'error', error('seen')]]),
    ('a monitor that adds the first listener', [
        ['call', 'e.on', _MONITOR, fn('adds', ['call', 'e.once', 'error', B])],
        ['call', 'e.emit', 'error', error('seen')], ['call', 'e.listenerCount', 'error']]),
    ('a monitor that removes the only listener', [
        ['call', 'e.on', 'error', B],
        ['call', 'e.on', _MONITOR, fn('removes', ['call', 'e.off', 'error', B])],
        ['call', 'e.emit', 'error', error('seen')]]),
    ('the name of the monitor is emitted', [
        ['call', 'e.emit', _MONITOR, 1], ['call', 'e.on', _MONITOR, A],
        ['call', 'e.emit', _MONITOR, 2], ['call', 'e.listeners', _MONITOR]]),
]

#: What is given instead of a listener.
_NO_LISTENERS: list[Form] = [
    None, 'x', 'a text of more than twenty-eight letters', 5, 1.5, True, {}, [], number('NaN')]

_ADDING = ('on', 'once', 'addListener', 'prependListener', 'prependOnceListener')

SCENARIOS = [
    Scenario(
        'emitter errors/nobody listens', _ERRORS,
        on_each(*(['call', 'e.emit', 'error', *values] for values in _VALUES)), deaf=[*MAKERS],
    ),
    *(Scenario(f'emitter errors/{title}', _ERRORS, on_each(*steps), deaf=[*MAKERS])
      for title, steps in _CASES),
    Scenario(
        'emitter errors/no function is given', _METHODS,
        on_each(
            ['call', 'e.on', 'newListener', A],
            *(['call', f'e.{method}', 'x', value]
              for method in (*_ADDING, 'off', 'removeListener') for value in _NO_LISTENERS),
            ['call', 'e.listenerCount', 'x']),
        quiet=[],
    ),
]
