"""Options of a connection: ``setNoDelay``, ``setKeepAlive``, ``setTypeOfService``."""

from __future__ import annotations

from ..form import UNDEFINED, Form, Scenario, Step, number, port, tmp
from . import _families
from ._pairs import QUIET, connection

__all__ = ['SCENARIOS']

_CHAPTER = 'net.Socket: setKeepAlive, setNoDelay, setTypeOfService'

_STATES: dict[str, list[Step]] = {
    'new': [['let', 'c', 'new net.Socket']],
    'connected': connection(),
    'connected IPv6': _families.connection('IPv6'),
    'connecting': [*connection()[:-3], ['let', 'c', 'net.connect', port(), '127.0.0.1']],
    'on a path': [
        ['let', 'server', 'net.createServer'], ['call', 'server.listen', tmp('s')],
        ['await', 'server listening'], ['let', 'c', 'net.connect', tmp('s')],
        ['await', 'c ready'], ['await', 'server connection']],
    'destroyed': [['let', 'c', 'new net.Socket'], ['call', 'c.destroy']],
    'closed': [*connection(), ['call', 'c.destroy'], ['await', 'c close']],
}

_METHODS: dict[str, list[list[Form]]] = {
    'setNoDelay': [[], [True], [True], [False], ['a'], [0], [None], [UNDEFINED]],
    'setKeepAlive': [
        [], [True], [True, 5000], [True, 999], [True, 5000, 2000, 3], [False], [True, -1],
        [True, number('NaN')], [True, 'a'], [{'enable': True, 'initialDelay': 3000}],
        [{'enable': True, 'interval': 2000, 'count': 3}], [{}], [None], [1], [True, 1e15]],
    'setTypeOfService': [[0], [8], [255], [8]],
}

_NO_TOS: list[Form] = [
    'x', None, True, [], {}, '8', number('NaN'), -1, 256, 1.5, number('Infinity'), 1e15]

_CALLS = [
    Scenario(
        f'socket options/{method}, {state} socket', _CHAPTER,
        [
            *way,
            *(step for arguments in calls for step in (
                ['call', f'c.{method}', *arguments],
                *([['call', 'c.getTypeOfService']] if method == 'setTypeOfService' else []))),
            ['settle'],
            *([['call', 'c.getTypeOfService']] if method == 'setTypeOfService' else []),
            ['get', 'c.destroyed'],
        ], quiet=QUIET)
    for state, way in _STATES.items() for method, calls in _METHODS.items()
    if (method, state) != ('setTypeOfService', 'connecting')
]

_TOO_SOON = [
    Scenario(
        'socket options/setTypeOfService, connecting socket', _CHAPTER,
        [*_STATES['connecting'], ['call', 'c.setTypeOfService', 8], ['await', 'c ready']],
        quiet=QUIET,
        on_purpose='`setTypeOfService` right after `connect()` throws `EBADF`'),
]

_REFUSED = [
    Scenario(
        f'socket options/setTypeOfService, wrong values, {state} socket', _CHAPTER,
        [
            *way,
            ['call', 'c.getTypeOfService'],
            *(['call', 'c.setTypeOfService', value] for value in _NO_TOS),
            ['call', 'c.getTypeOfService'],
        ], quiet=QUIET)
    for state, way in _STATES.items() if state in ('new', 'connected', 'destroyed')
]

_GIVEN = [
    Scenario(
        f'socket options/given to connect: {name}', _CHAPTER,
        [*connection(client=options), ['call', 'c.getTypeOfService'], ['call', 's1.destroy'],
         ['await', 'c close']], quiet=QUIET)
    for name, options in {
        'noDelay': {'noDelay': True},
        'keepAlive': {'keepAlive': True, 'keepAliveInitialDelay': 5000},
        'typeOfService': {'typeOfService': 8},
        'all': {'noDelay': True, 'keepAlive': True, 'typeOfService': 16},
        'null': {'noDelay': None, 'keepAlive': None},
    }.items()
]

_ACCEPTED = [
    Scenario(
        'socket options/given to a server', _CHAPTER,
        [
            *connection(server={'noDelay': True, 'keepAlive': True, 'keepAliveInitialDelay': 5000}),
            ['call', 's1.setNoDelay', False], ['call', 's1.setKeepAlive', False],
            ['call', 's1.setTypeOfService', 4], ['call', 's1.getTypeOfService'],
        ], quiet=QUIET),
]

#: What each method returns.
_RETURNS: list[list[Form]] = [
    ['setTimeout', 0], ['setNoDelay'], ['setKeepAlive'], ['setTypeOfService', 0], ['ref'],
    ['unref'], ['pause'], ['resume'], ['setEncoding', 'utf8'], ['setDefaultEncoding', 'utf8'],
    ['unpipe'], ['on', 'x', {'$': 'fn', 'name': 'x'}], ['once', 'x', {'$': 'fn', 'name': 'x'}],
    ['off', 'x', {'$': 'fn', 'name': 'x'}], ['write', 'a'], ['read'], ['isPaused'], ['unshift', ''],
    ['cork'], ['uncork'], ['getTypeOfService'], ['address'], ['end'],
    ['destroy'], ['destroySoon'],
]

_RETURNED = [
    Scenario(
        f'socket options/what methods return, {state} socket', 'net.Socket: properties',
        [
            *way,
            *(['call', f'c.{method}', *arguments] for method, *arguments in _RETURNS
              if state == 'connected' or method not in ('address', 'write', 'end')),
            ['settle'],
        ], quiet=['listen'], ignore=['connection', 'listening'])
    for state, way in _STATES.items() if state in ('new', 'connected', 'destroyed')
]

SCENARIOS = [*_CALLS, *_TOO_SOON, *_REFUSED, *_GIVEN, *_ACCEPTED, *_RETURNED]
