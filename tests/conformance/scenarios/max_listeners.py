"""The limit of listeners, its warning, and the functions of the module ``events``."""

from __future__ import annotations

from ..form import Form, Scenario, Step, fn, number, ref
from ._each import on_each

__all__ = ['SCENARIOS']

_MAX = 'events: max listeners'
_MODULE = 'events: module functions'
_ASKING = {
    'getMaxListeners': [[]],
    'getEventListeners': [['x'], ['z']],
    'listenerCount': [['x'], ['z']],
}

A, B = fn('a'), fn('b')
_INFINITY, _NAN = number('Infinity'), number('NaN')


def _add(count: int, name: Form = 'x', method: str = 'on') -> list[Step]:
    return [['call', f'e.{method}', name, A] for _ in range(count)]


#: What happens, and the steps on ``e``. Each object has names of its own for its warnings.
_CASES: list[tuple[str, list[Step]]] = [
    ('ten are not too many', [*_add(10), *_add(10, 'y'), ['call', 'e.emit', 'y']]),
    ('the eleventh is added with a warning', [*_add(11), ['call', 'e.listenerCount', 'x']]),
    ('more make no further warning', [*_add(15), ['call', 'e.off', 'x', A], *_add(2)]),
    ('each name has its warning', [*_add(11), *_add(11, 'y')]),
    ('each way to add counts', [
        *_add(9), *_add(1, method='once'), *_add(1, method='prependListener')]),
    ('a warning again after all were removed', [
        *_add(11), ['call', 'e.removeAllListeners', 'x'], *_add(11)]),
    ('a warning again after all but one were removed', [
        *_add(11), *[['call', 'e.off', 'x', A]] * 10, *_add(10)]),
    ('no warning again after all but two were removed', [
        *_add(11), *[['call', 'e.off', 'x', A]] * 9, *_add(9)]),
    ('a warning again after removeAllListeners', [
        *_add(11), ['call', 'e.removeAllListeners'], *_add(11)]),
    ('names that are no strings', [*_add(11, None), *_add(11, 5), *_add(11, _NAN)]),
    ('errorMonitor', _add(11, ref('events.errorMonitor'))),
    ('newListener', _add(11, 'newListener')),
    ('a limit of 1', [['call', 'e.setMaxListeners', 1], *_add(1), *_add(1), *_add(1, 'y')]),
    ('a limit of 2', [['call', 'e.setMaxListeners', 2], *_add(2), *_add(1)]),
    ('a limit of 0', [['call', 'e.setMaxListeners', 0], *_add(12), ['call', 'e.getMaxListeners']]),
    ('no limit', [
        ['call', 'e.setMaxListeners', _INFINITY], *_add(12), ['call', 'e.getMaxListeners']]),
    ('a fraction', [
        ['call', 'e.setMaxListeners', 1.5], ['call', 'e.getMaxListeners'], *_add(2)]),
    ('less than one', [['call', 'e.setMaxListeners', 0.5], *_add(1), *_add(1)]),
    ('the limit is lowered below what is there', [
        *_add(3), ['call', 'e.setMaxListeners', 2], *_add(1)]),
    ('the limit is raised', [
        ['call', 'e.setMaxListeners', 12], *_add(12), ['call', 'e.setMaxListeners', 13],
        *_add(1)]),
    ('what is no limit', [
        ['call', 'e.setMaxListeners', 3],
        *(['call', 'e.setMaxListeners', value] for value in (
            'x', '5', None, True, {}, [], -1, -0.5, _NAN, number('-Infinity'))),
        ['call', 'e.getMaxListeners']]),
]

#: What is no emitter. (What Node says of null is an accident.)
_NO_EMITTERS: list[Form] = [{}, 5, 'x', True, [], A]

#: What happens, and the steps.
_MODULE_CASES: list[tuple[str, str, list[Step]]] = [
    ('the default', _MAX, [
        ['let', 'e', 'new events.EventEmitter'], ['get', 'events.defaultMaxListeners'],
        ['set', 'events.defaultMaxListeners', 2], ['call', 'e.getMaxListeners'], *_add(3),
        ['let', 'later', 'new events.EventEmitter'], ['call', 'later.getMaxListeners'],
        ['call', 'later.setMaxListeners', 5], ['set', 'events.defaultMaxListeners', 3],
        ['call', 'e.getMaxListeners'], ['call', 'later.getMaxListeners'], *_add(4, 'y')]),
    ('a default of 0 and without limit', _MAX, [
        ['let', 'e', 'new events.EventEmitter'], ['set', 'events.defaultMaxListeners', 0],
        *_add(12), ['set', 'events.defaultMaxListeners', _INFINITY], *_add(12, 'y'),
        ['get', 'events.defaultMaxListeners']]),
    ('what is no default', _MAX, [
        *(['set', 'events.defaultMaxListeners', value] for value in (
            'x', None, True, {}, -1, _NAN)),
        ['get', 'events.defaultMaxListeners']]),
    ('setMaxListeners of several', _MODULE, [
        ['let', 'e', 'new events.EventEmitter'], ['let', 'c', 'new net.Socket'],
        ['let', 'server', 'net.createServer'],
        ['call', 'events.setMaxListeners', 2, ref('e'), ref('c'), ref('server')],
        *(['call', 'events.getMaxListeners', ref(name)] for name in ('e', 'c', 'server')),
        ['get', 'events.defaultMaxListeners'], *_add(3)]),
    ('setMaxListeners of none', _MODULE, [
        ['let', 'e', 'new events.EventEmitter'], ['call', 'events.setMaxListeners', 3],
        ['call', 'e.getMaxListeners'], ['get', 'events.defaultMaxListeners'],
        ['call', 'events.setMaxListeners'], ['get', 'events.defaultMaxListeners']]),
    ('setMaxListeners of what is no limit', _MODULE, [
        ['let', 'e', 'new events.EventEmitter'],
        *(['call', 'events.setMaxListeners', value, ref('e')] for value in (
            'x', None, True, {}, -1, _NAN)),
        ['call', 'e.getMaxListeners']]),
    ('setMaxListeners of what is no emitter', _MODULE, [
        ['let', 'e', 'new events.EventEmitter'],
        *(['call', 'events.setMaxListeners', 5, value] for value in _NO_EMITTERS),
        ['call', 'events.setMaxListeners', 6, ref('e'), {}], ['call', 'e.getMaxListeners']]),
    *((f'{function} of what is no emitter', _MODULE, [
        ['call', f'events.{function}', value, *rest]
        for value in _NO_EMITTERS for rest in arguments[:1]
    ]) for function, arguments in _ASKING.items()),
    ('asking for listeners', _MODULE, [
        *on_each(
            ['call', 'e.on', 'x', A], ['call', 'e.once', 'x', B], ['call', 'e.on', 'y', B]),
        *(['call', f'events.{function}', ref(name), *rest]
          for function, arguments in _ASKING.items()
          for name in ('emitter', 'socket', 'server') for rest in arguments)]),
    ('the list of getEventListeners is a copy', _MODULE, [
        ['let', 'e', 'new events.EventEmitter'], *_add(2),
        ['let', 'list', 'events.getEventListeners', ref('e'), 'x'], ['call', 'list.pop'],
        ['call', 'events.listenerCount', ref('e'), 'x']]),
    ('an iterator listens from the start', _MODULE, [
        ['let', 'e', 'new events.EventEmitter'], ['call', 'e.on', 'newListener', A],
        ['let', 'iterator', 'events.on', ref('e'), 'x', {'close': ['end', 'close']}],
        ['call', 'e.eventNames'], ['call', 'e.emit', 'x', 1], ['call', 'e.emit', 'end'],
        ['call', 'e.eventNames']]),
    ('an iterator of errors', _MODULE, [
        ['let', 'e', 'new events.EventEmitter'],
        ['let', 'iterator', 'events.on', ref('e'), 'error'],
        ['call', 'e.listenerCount', 'error'], ['call', 'e.emit', 'error', 'an item'],
        ['call', 'e.listenerCount', 'error']]),
    ('an error ends an iterator', _MODULE, [
        ['let', 'e', 'new events.EventEmitter'],
        ['let', 'iterator', 'events.on', ref('e'), 'x'], ['call', 'e.eventNames'],
        ['call', 'e.emit', 'error', 'the last'], ['call', 'e.eventNames'],
        ['call', 'e.emit', 'error', 'one more']]),
    ('an iterator that is thrown at', _MODULE, [
        ['let', 'e', 'new events.EventEmitter'],
        ['let', 'iterator', 'events.on', ref('e'), 'x'], ['call', 'iterator.throw', None],
        ['call', 'iterator.throw', 'x'], ['call', 'e.eventNames'],
        ['call', 'iterator.throw', {'$': 'error', 'message': 'no'}], ['call', 'e.eventNames']]),
    ('an iterator with much to do pauses its emitter once', _MODULE, [
        ['let', 'e', 'new events.EventEmitter'],
        ['set', 'e.pause', fn('pause', of='e')],
        ['let', 'iterator', 'events.on', ref('e'), 'x', {'highWaterMark': 2}],
        *[['call', 'e.emit', 'x']] * 4]),
    ('arguments that no iterator takes', _MODULE, [
        ['let', 'e', 'new events.EventEmitter'],
        ['call', 'events.on', {}, 'x'], ['call', 'events.on', ref('e'), 'x', 5],
        *(['call', 'events.on', ref('e'), 'x', {mark: value}]
          for mark in ('highWaterMark', 'lowWaterMark') for value in (0, -1, 1.5, 'x', _NAN)),
        ['call', 'events.on', ref('e'), 'x', {'signal': {}}],
        ['call', 'e.eventNames']]),
    ('a signal that was set already', _MODULE, [
        ['let', 'e', 'new events.EventEmitter'], ['let', 'signal', 'signal'],
        ['abort', 'signal'],
        ['call', 'events.on', ref('e'), 'x', {'signal': ref('signal')}],
        ['call', 'e.eventNames']]),
    ('a signal ends an iterator', _MODULE, [
        ['let', 'e', 'new events.EventEmitter'], ['let', 'signal', 'signal'],
        ['let', 'iterator', 'events.on', ref('e'), 'x', {'signal': ref('signal')}],
        ['abort', 'signal'], ['settle'], ['call', 'e.eventNames']]),
    ('addAbortListener without a signal', _MODULE, [
        ['call', 'events.addAbortListener', value, A] for value in (None, {}, 5)]),
    ('addAbortListener without a function', _MODULE, [
        ['let', 'signal', 'signal'],
        *(['call', 'events.addAbortListener', ref('signal'), value] for value in (None, 5, {}))]),
]

SCENARIOS = [
    *(Scenario(f'max listeners/{title}', _MAX, on_each(*steps)) for title, steps in _CASES),
    *(Scenario(f'max listeners/{title}', chapter, steps)
      for title, chapter, steps in _MODULE_CASES),
]
