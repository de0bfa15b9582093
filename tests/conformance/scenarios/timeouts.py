"""``setTimeout``: what it takes, when 'timeout' comes, and what puts it off."""

from __future__ import annotations

from ..form import UNDEFINED, Form, Scenario, Step, data, error, fn, number, port
from ._pairs import QUIET, connection, listening

__all__ = ['SCENARIOS']

_CHAPTER = "net.Socket: 'timeout', setTimeout"

#: Milliseconds: short, as the test waits for it, but longer than a connection takes to be made on
#: a busy machine.
_SHORT = 40
#: Milliseconds: longer than any test lasts.
_LONG = 600000

_LISTENER = fn('timed out')

# --- arguments ------------------------------------------------------------------------------------

_ARGUMENTS: dict[str, list[list[Form]]] = {
    'numbers': [[0], [1], [_LONG], [1.5], [0.1], [2147483647]],
    'too long': [[2147483648], [1e15]],
    'with a callback': [[_LONG, _LISTENER], [0, _LISTENER]],
    'with a callback twice': [
        [_LONG, _LISTENER], [_LONG, _LISTENER], [0, _LISTENER], [0, _LISTENER], [0, _LISTENER]],
    'without a callback': [[_LONG, _LISTENER], [_LONG], [0]],
    'callback undefined': [[_LONG, UNDEFINED]],
}

#: What ``setTimeout`` refuses; what ``timeout`` is afterwards is another matter.
_REFUSED: dict[str, list[list[Form]]] = {
    'types': [['100'], [None], [True], [{}], [[]], [[1]], [_LISTENER]],
    'ranges': [[-1], [-0.5], [number('NaN')], [number('Infinity')], [number('-Infinity')]],
    'callbacks': [[_LONG, 5], [_LONG, 'a'], [_LONG, {}], [_LONG, True], [0, 5]],
    'both': [['100', 5], [-1, 5]],
}

_TAKEN = [
    Scenario(
        f'timeouts/setTimeout {name}', _CHAPTER,
        [
            ['let', 'c', 'new net.Socket'],
            ['get', 'c.timeout'],
            *(step for arguments in calls for step in (
                ['call', 'c.setTimeout', *arguments], ['get', 'c.timeout'],
                ['call', 'c.listenerCount', 'timeout'])),
        ])
    for name, calls in _ARGUMENTS.items()
]

_REFUSALS = [
    Scenario(
        f'timeouts/setTimeout, wrong {name}', _CHAPTER,
        [
            ['let', 'c', 'new net.Socket'],
            *(['call', 'c.setTimeout', *arguments] for arguments in calls),
            ['call', 'c.listenerCount', 'timeout'],
        ])
    for name, calls in _REFUSED.items()
]

_KEPT = [
    Scenario(
        'timeouts/the property after a rejected value', _CHAPTER,
        [
            ['let', 'c', 'new net.Socket'],
            ['call', 'c.setTimeout', _LONG],
            ['call', 'c.setTimeout', -1],
            ['get', 'c.timeout'],
        ], on_purpose='`timeout` keeps a value that `setTimeout` has rejected'),
    Scenario(
        'timeouts/the property is set', _CHAPTER,
        [
            ['let', 'c', 'new net.Socket'],
            *(step for value in (0, 'x', None, -1, _LONG) for step in (
                ['set', 'c.timeout', value], ['get', 'c.timeout'])),
            ['call', 'c.setTimeout', 5000],
            ['get', 'c.timeout'],
            ['call', 'c.destroy'],
            ['set', 'c.timeout', 7],
            ['get', 'c.timeout'],
        ]),
    Scenario(
        'timeouts/setTimeout after destroy', _CHAPTER,
        [
            ['let', 'c', 'new net.Socket'],
            ['call', 'c.setTimeout', _LONG],
            ['call', 'c.destroy'],
            ['call', 'c.setTimeout', 5, _LISTENER],
            ['get', 'c.timeout'],
            ['call', 'c.setTimeout', 'a', 'b'],
            ['call', 'c.setTimeout', -1],
            ['call', 'c.listenerCount', 'timeout'],
        ]),
    Scenario(
        'timeouts/the option timeout', _CHAPTER,
        [
            *listening(),
            *(step for at, value in enumerate((_LONG, 0, None, '5', -1)) for step in (
                ['let', f'c{at}', 'net.connect',
                 {'port': port(), 'host': '127.0.0.1', 'timeout': value}],
                *([['get', f'c{at}.timeout']] if value in (_LONG, 0, None) else []))),
        ], quiet=QUIET, ignore=['connectionAttempt', 'connect', 'ready', 'connection']),
]

# --- when it comes --------------------------------------------------------------------------------

_SET = ['call', 'c.setTimeout', _SHORT, _LISTENER]
_TIMED_OUT = ['await', 'c timeout']

#: Steps with a client in the state that the name tells.
_COMES: dict[str, list[Step]] = {
    'connected': [*connection(), _SET, _TIMED_OUT, ['get', 'c.readyState', 'c.timeout']],
    'not connected': [['let', 'c', 'new net.Socket'], _SET, _TIMED_OUT, ['get', 'c.destroyed']],
    'set by the option': [
        *listening(),
        ['let', 'c', 'net.connect', {'port': port(), 'host': '127.0.0.1', 'timeout': _SHORT}],
        _TIMED_OUT],
    'set before connect': [
        *listening(), ['let', 'c', 'new net.Socket'], _SET,
        ['call', 'c.connect', port(), '127.0.0.1'], _TIMED_OUT],
    'set again, shorter': [*connection(), ['call', 'c.setTimeout', _LONG], _SET, _TIMED_OUT],
    'set in its listener': [
        *connection(),
        ['call', 'c.setTimeout', _SHORT, fn(
            'first', ['call', 'c.setTimeout', _SHORT, fn('second')])],
        ['await', 'c timeout', 2]],
    'ended': [
        *connection(server={'allowHalfOpen': True}), _SET, ['call', 'c.end'], _TIMED_OUT,
        ['get', 'c.readyState']],
    'destroyed in its listener': [
        *connection(), ['call', 'c.setTimeout', _SHORT, fn('late', ['call', 'c.destroy'])],
        ['await', 'c close']],
    'destroyed with an error in its listener': [
        *connection(), ['call', 'c.setTimeout', _SHORT, fn(
            'late', ['call', 'c.destroy', error('too late')])],
        ['await', 'c close']],
    'ended in its listener': [
        *connection(), ['call', 'c.setTimeout', _SHORT, fn('late', ['call', 'c.end'])],
        ['call', 's1.resume'], ['await', 'c close']],
    'whatever the property is set to': [
        *connection(), ['call', 'c.setTimeout', _LONG], _SET, ['set', 'c.timeout', 0], _TIMED_OUT,
        ['get', 'c.timeout'], ['call', 'c.write', 'a'], ['await', 'c timeout', 1],
        ['get', 'c.timeout']],
    'paused': [*connection(), ['call', 'c.pause'], _SET, _TIMED_OUT],
    'less than a millisecond': [
        *connection(), ['call', 'c.setTimeout', 0.5, _LISTENER], _TIMED_OUT, ['get', 'c.timeout']],
    'armed again by a write': [
        *connection(), ['call', 'c.setTimeout', _SHORT], _TIMED_OUT,
        ['call', 'c.write', 'a'], ['await', 'c timeout', 2]],
    'armed again by a read': [
        *connection(), ['call', 'c.setTimeout', _SHORT], _TIMED_OUT,
        ['call', 's1.write', 'a'], ['await', 'c timeout', 2], ['get', 'c.bytesRead']],
    'of an accepted socket': [
        *connection(accepted=fn(
            'accepted', ['call', '$0.setTimeout', _SHORT, fn('late', of='s1')])),
        ['await', 's1 timeout']],
    'the write stalls': [
        *connection(server={'pauseOnConnect': True}), ['call', 'c.write', data(8 << 20)],
        ['call', 'c.setTimeout', _SHORT], _TIMED_OUT, ['get', 'c.writableNeedDrain']],
}

#: Scenarios that do not say whether the connection comes first.
_AS_IT_COMES = {
    'set by the option': ['connect', 'ready'],
    'set before connect': ['connect', 'ready'],
}

_FIRES = [
    Scenario(
        f'timeouts/{name}', _CHAPTER, steps, quiet=[*QUIET, 'write'],
        ignore=['connectionAttempt', 'connection', 'readable', *_AS_IT_COMES.get(name, [])],
        watch={} if name in _AS_IT_COMES else {'sockets': ['readyState']})
    for name, steps in _COMES.items()
]

#: A second socket that waits longer tells that the first one's time is over for good.
_OTHER: list[Step] = [
    ['let', 'other', 'new net.Socket'], ['call', 'other.setTimeout', 2 * _SHORT],
    ['await', 'other timeout'],
]

#: Steps after which it does not come (again).
_STAYS_AWAY: dict[str, list[Step]] = {
    'switched off': [_SET, ['call', 'c.setTimeout', 0]],
    'switched off with its callback': [_SET, ['call', 'c.setTimeout', 0, _LISTENER]],
    'once only': [_SET, _TIMED_OUT],
    'destroyed before': [_SET, ['call', 'c.destroy']],
    'set to longer': [_SET, ['call', 'c.setTimeout', _LONG]],
    'the value rejected': [_SET, ['call', 'c.setTimeout', -1]],
}

_QUIET_ONES = [
    Scenario(
        f'timeouts/not again: {name}', _CHAPTER,
        [*connection(), *steps, *_OTHER, ['call', 'c.listenerCount', 'timeout']],
        quiet=QUIET)
    for name, steps in _STAYS_AWAY.items()
]

_CLOSED = [
    Scenario(
        'timeouts/kept for the next connection', _CHAPTER,
        [
            *connection(), ['call', 'c.setTimeout', _LONG], ['call', 'c.destroy'],
            ['await', 'c close'], ['get', 'c.timeout'],
            ['call', 'c.connect', port(), '127.0.0.1'], ['await', 'c ready', 2],
            ['get', 'c.timeout'],
        ], quiet=QUIET),
]

_LIVENESS = [
    Scenario(
        f'timeouts/program: {name}', 'process: exit and uncaught exceptions', steps, program=True)
    for name, steps in {
        'a timeout keeps no program alive': [
            ['let', 'c', 'new net.Socket'], ['call', 'c.setTimeout', _LONG, _LISTENER]],
    }.items()
]

SCENARIOS = [
    *_TAKEN, *_REFUSALS, *_KEPT, *_FIRES, *_QUIET_ONES, *_CLOSED, *_LIVENESS,
]
