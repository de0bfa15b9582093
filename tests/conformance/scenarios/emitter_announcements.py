"""The events 'newListener' and 'removeListener'."""

from __future__ import annotations

from ..form import Scenario, Step, arg, error, fn, ref
from ._each import on_each

__all__ = ['SCENARIOS']

_CHAPTER = "events: 'newListener', 'removeListener'"
A, B, C = map(fn, 'abc')

#: They tell how many listeners there are by then.
_ADDED: Step = ['call', 'e.on', 'newListener', fn('added', ['call', 'e.listenerCount', arg(0)])]
_REMOVED: Step = [
    'call', 'e.on', 'removeListener', fn('removed', ['call', 'e.listenerCount', arg(0)])]

_EMIT: Step = ['call', 'e.emit', 'x']

#: What happens, and the steps on ``e``.
_CASES: list[tuple[str, list[Step]]] = [
    ('each way to add', [
        _ADDED,
        *(['call', f'e.{method}', 'x', A] for method in (
            'on', 'addListener', 'once', 'prependListener', 'prependOnceListener'))]),
    ('each way to remove', [
        ['call', 'e.on', 'x', A], ['call', 'e.once', 'x', B], ['call', 'e.on', 'x', C],
        ['call', 'e.on', 'x', A], ['call', 'e.once', 'x', A], _REMOVED,
        ['call', 'e.off', 'x', A], ['call', 'e.removeListener', 'x', B],
        ['call', 'e.removeListener', 'x', A], ['call', 'e.off', 'x', C],
        ['call', 'e.off', 'x', A]]),
    ('the last one for one call is removed', [
        ['call', 'e.once', 'x', B], _REMOVED, ['call', 'e.off', 'x', B]]),
    ('one for one call among others is removed', [
        ['call', 'e.once', 'x', B], ['call', 'e.on', 'x', A], _REMOVED, ['call', 'e.off', 'x', B]]),
    ('names that are no strings', [
        _ADDED, _REMOVED, ['call', 'e.on', 5, A], ['call', 'e.on', None, A],
        ['call', 'e.on', ref('events.errorMonitor'), A], ['call', 'e.off', 5, A],
        ['call', 'e.off', None, A], ['call', 'e.off', ref('events.errorMonitor'), A]]),
    ('nothing is removed', [
        _REMOVED, ['call', 'e.off', 'x', A], ['call', 'e.on', 'x', A], ['call', 'e.off', 'x', B],
        ['call', 'e.off', 'y', A], ['call', 'e.removeAllListeners', 'y']]),
    ('a listener of newListener adds another one', [
        ['call', 'e.once', 'newListener', fn('adds', ['call', 'e.on', 'x', B])],
        ['call', 'e.on', 'x', A], ['call', 'e.listeners', 'x'], _EMIT]),
    ('newListener announces its own listeners, but for the first', [
        ['call', 'e.on', 'newListener', A], ['call', 'e.on', 'newListener', B],
        ['call', 'e.once', 'newListener', C], ['call', 'e.on', 'x', A],
        ['call', 'e.on', 'removeListener', A]]),
    ('a listener of newListener throws', [
        ['call', 'e.on', 'newListener', fn('fails', throws=error('no'))],
        *(['call', f'e.{method}', 'x', A] for method in (
            'on', 'addListener', 'once', 'prependListener', 'prependOnceListener')),
        ['call', 'e.listenerCount', 'x'], ['call', 'e.on', 'newListener', A],
        ['call', 'e.listenerCount', 'newListener']]),
    ('a listener of removeListener throws', [
        ['call', 'e.on', 'x', A], ['call', 'e.once', 'x', B],
        ['call', 'e.on', 'removeListener', fn('fails', throws=error('no'))],
        ['call', 'e.off', 'x', A], ['call', 'e.listeners', 'x'], _EMIT,
        ['call', 'e.listeners', 'x']]),
    ('a listener for one call is removed before it is called', [
        _REMOVED, ['call', 'e.once', 'x', A], ['call', 'e.on', 'x', B], _EMIT]),
    ('a listener of removeListener removes another one', [
        ['call', 'e.on', 'x', A], ['call', 'e.on', 'x', B], ['call', 'e.on', 'x', C],
        ['call', 'e.once', 'removeListener', fn('removes', ['call', 'e.off', 'x', B])],
        ['call', 'e.off', 'x', A], ['call', 'e.listeners', 'x']]),
    ('a listener of removeListener adds it again', [
        ['call', 'e.on', 'x', A],
        ['call', 'e.once', 'removeListener', fn('adds', ['call', 'e.on', 'x', B])],
        ['call', 'e.off', 'x', A], ['call', 'e.listeners', 'x']]),
    ('removeListener is removed', [
        _REMOVED, ['call', 'e.on', 'removeListener', A], ['call', 'e.off', 'removeListener', A],
        ['call', 'e.removeAllListeners', 'removeListener'], ['call', 'e.on', 'x', B],
        ['call', 'e.off', 'x', B]]),
    ('removeAllListeners of one name, the last first', [
        ['call', 'e.on', 'x', A], ['call', 'e.on', 'x', B], ['call', 'e.once', 'x', C],
        ['call', 'e.on', 'x', A], ['call', 'e.on', 'y', A], _REMOVED,
        ['call', 'e.removeAllListeners', 'x'], ['call', 'e.listenerCount', 'y']]),
    ('removeAllListeners without a listener of removeListener', [
        _ADDED, ['call', 'e.on', 'x', A], ['call', 'e.on', 'y', B],
        ['call', 'e.removeAllListeners', 'x'], ['call', 'e.removeAllListeners'],
        ['call', 'e.on', 'x', A]]),
    ('removeAllListeners while one adds', [
        ['call', 'e.on', 'x', A], ['call', 'e.on', 'x', B],
        ['call', 'e.once', 'removeListener', fn('adds', ['call', 'e.on', 'x', C])],
        ['call', 'e.removeAllListeners', 'x'], ['call', 'e.listeners', 'x']]),
]

_ALL: list[Step] = [
    ['call', 'e.on', 'x', A], ['call', 'e.on', '7', B], ['call', 'e.once', 'y', C],
    ['call', 'e.on', 'x', C], _REMOVED, ['call', 'e.on', 'removeListener', A],
    ['call', 'e.on', 'x', B], ['call', 'e.removeAllListeners'], ['call', 'e.eventNames'],
]

#: Node emits it once more when the last listener of all has gone, and was one of this event. Nobody
#: is called, and only the traces would tell.
_UNHEARD = ['removeListener']

SCENARIOS = [
    *(Scenario(f'emitter announcements/{title}', _CHAPTER, on_each(*steps), ignore=_UNHEARD)
      for title, steps in _CASES),
    Scenario(
        'emitter announcements/removeAllListeners of all names', _CHAPTER,
        on_each(*_ALL, of=('emitter', 'server')), ignore=_UNHEARD,
    ),
    Scenario(
        'emitter announcements/removeAllListeners of all names of a socket', _CHAPTER,
        on_each(*_ALL, of=('socket',)), ignore=_UNHEARD,
        on_purpose="`'end'` has one listener on a fresh socket, Node's own",
    ),
]
