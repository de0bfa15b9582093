"""What ``createServer`` takes, what a new server is, and what it passes on to its sockets."""

from __future__ import annotations

from typing import Any

from ..form import UNDEFINED, Form, Scenario, Step, fn, number, port, ref, tmp

__all__ = ['SCENARIOS']

_KEPT_AS_GIVEN = "truthy options are kept as they are given (`allowHalfOpen: 'a'`)"
_FRACTIONS = (
    '`highWaterMark` NaN, Infinity or a fraction ends the process at the first connection')
_OTHER_BLOCK_LIST = (
    '`server.blockList = something else` ends the process at the first connection')
_NOT_UNTIL_SET = '`maxConnections` and others do not exist until they are set'

#: A title, and lists of arguments.
_SHAPES: list[tuple[str, list[list[Form]]]] = [
    ('nothing', [[]]),
    ('a listener alone', [[fn('first')]]),
    ('two functions', [[fn('first'), fn('second')]]),
    ('a listener behind no options', [[None, fn('first')], [UNDEFINED, fn('first')]]),
    ('a listener behind an object', [[{}, fn('first')], [[], fn('first')], [[1], fn('first')]]),
    ('a second argument that is no function', [
        [{}, 'text'], [{}, 5], [None, {}], [UNDEFINED, True], [[], None]]),
    ('options that are no object', [
        [''], ['text'], [0], [1], [1.5], [number('NaN')], [False], [True], ['x', fn('first')],
        [0, fn('first')]]),
]

_FLAGS = ('allowHalfOpen', 'pauseOnConnect', 'noDelay', 'keepAlive')

#: Options whose values are converted: a title, the options, values of each, a row of differences.
_CONVERTED: list[tuple[str, tuple[str, ...], list[Form], str | None]] = [
    ('flags false', _FLAGS, [False, 0, '', None, UNDEFINED, number('NaN')], None),
    ('flags true', _FLAGS, [True], None),
    ('flags truthy', _FLAGS[1:], [1, 'false', -1, number('Infinity'), {}, []], None),
    ('allowHalfOpen truthy', ('allowHalfOpen',), [1, 'a', 'false'], _KEPT_AS_GIVEN),
    ('keepAliveInitialDelay in whole seconds', ('keepAliveInitialDelay',), [
        0, 1, 999, 1000, 1999, 65537, 1500.5, 2147483647000], None),
    ('keepAliveInitialDelay that is no time', ('keepAliveInitialDelay',), [
        -1, -5000, number('NaN'), number('Infinity'), number('-Infinity'), 2147483648000], None),
    ('highWaterMark', ('highWaterMark',), [0, 1, 16384, 1048576, -0.0], None),
    ('highWaterMark below zero', ('highWaterMark',), [-1, -0.5, number('-Infinity')], None),
    ('highWaterMark that is no whole number', ('highWaterMark',), [
        number('NaN'), number('Infinity'), 1.5], None),
    ('blockList that is false', ('blockList',), [False, 0, '', None, UNDEFINED], None),
]

#: Options that raise.
_REFUSED: list[tuple[str, list[Form]]] = [
    *((option, ['1', '', None, {}, [], True, False, fn('first')])
      for option in ('keepAliveInitialDelay', 'highWaterMark')),
    ('blockList', [{}, [], True, 1, 'list', fn('first')]),
]


def _shape(title: str, rows: list[list[Form]]) -> Scenario:
    steps: list[Step] = []
    for made, chosen in (('net.createServer', 'created'), ('new net.Server', 'constructed')):
        for place, args in enumerate(rows, 1):
            name = f'{chosen}{place}'
            steps.append(['let', name, made, *args])
            if title != 'options that are no object':
                steps.append(['call', f'{name}.listeners', 'connection'])
    return Scenario(f'createServer/arguments: {title}', 'net.createServer', steps)


def _converted(
    title: str, options: tuple[str, ...], values: list[Form], row: str | None,
) -> Scenario:
    steps: list[Step] = []
    for option in options:
        for place, value in enumerate(values, 1):
            name = f'{option}{place}'
            steps += [
                ['let', name, 'net.createServer', {option: value}], ['get', f'{name}.{option}']]
    return Scenario(f'createServer/{title}', 'net.Server: new', steps, on_purpose=row)


def _refused(option: str, values: list[Form]) -> Scenario:
    return Scenario(
        f'createServer/{option} of a wrong type', 'net.Server: new',
        [['let', 'server', 'net.createServer', {option: value}, fn('first')] for value in values])


def _accepting(
    title: str, options: Form, steps: list[Step], inside: tuple[Step, ...] = (), **more: Any,
) -> Scenario:
    """Return what happens once a server with *options* has accepted ``s1``, the other end of ``c``.

    The steps *inside* are taken in the listener of 'connection'.
    """
    return Scenario(
        f'createServer/{title}', more.pop('chapter', "net.Server: 'connection'"),
        [
            ['let', 'server', 'net.createServer', options, fn('accepted', *inside)],
            ['call', 'server.listen', 0, '127.0.0.1'],
            ['await', 'server listening'],
            ['let', 'c', 'net.connect', {'port': port(), 'host': '127.0.0.1'}],
            ['await', 'accepted'],
            ['await', 'c connect'],
            *steps,
        ], **more)


_ALL_AT_ONCE = {
    'allowHalfOpen': True, 'pauseOnConnect': True, 'noDelay': True, 'keepAlive': True,
    'keepAliveInitialDelay': 2500, 'highWaterMark': 1000, 'unknown': 1,
}
_PROPERTIES = [
    f'server.{name}' for name in (
        'allowHalfOpen', 'pauseOnConnect', 'noDelay', 'keepAlive', 'keepAliveInitialDelay',
        'highWaterMark', 'blockList', 'listening', '_connections', '_handle')]

_STATES = ['s1.readableFlowing', 's1.connecting', 's1.pending', 's1.readyState', 's1.destroyed',
           's1.server', 's1._server', 's1.allowHalfOpen', 's1.bytesRead', 's1.bytesWritten',
           's1.readable', 's1.writable', 's1.remoteAddress', 's1.remoteFamily', 's1.localAddress']

_MARKS = ['s1.readableHighWaterMark', 's1.writableHighWaterMark']

SCENARIOS = [
    *(_shape(*row) for row in _SHAPES),
    *(_converted(*row) for row in _CONVERTED),
    *(_refused(*row) for row in _REFUSED),
    Scenario(
        'createServer/a new server', 'net.Server: new',
        [
            ['let', 'server', 'net.createServer'],
            ['get', *_PROPERTIES],
            ['call', 'server.address'],
            ['call', 'server.eventNames'],
        ],
    ),
    Scenario(
        'createServer/limits of a new server', 'net.Server: listening, maxConnections',
        [
            ['let', 'server', 'net.createServer'],
            ['get', 'server.maxConnections'],
        ],
    ),
    Scenario(
        'createServer/dropMaxConnection of a new server', 'net.Server: listening, maxConnections',
        [['let', 'server', 'net.createServer'], ['get', 'server.dropMaxConnection']],
        on_purpose=_NOT_UNTIL_SET,
    ),
    Scenario(
        'createServer/blockList of another kind is assigned', 'net.Server: new',
        [
            ['let', 'server', 'net.createServer'],
            ['set', 'server.blockList', {}],
            ['get', 'server.listening'],
        ], on_purpose=_OTHER_BLOCK_LIST,
    ),
    Scenario(
        'createServer/all options at once', 'net.Server: new',
        [
            ['let', 'list', 'new net.BlockList'],
            ['let', 'server', 'net.createServer', {**_ALL_AT_ONCE, 'blockList': ref('list')}],
            ['get', *_PROPERTIES],
        ],
    ),
    Scenario(
        'createServer/the class without new', 'net.Server: new',
        [
            ['let', 'server', 'net.Server', {'highWaterMark': 5}, fn('first')],
            ['get', *_PROPERTIES],
            ['call', 'server.listeners', 'connection'],
        ],
    ),
    Scenario(
        'createServer/captureRejections is no option', 'events: captureRejections',
        [
            ['let', 'server', 'net.createServer', {'captureRejections': 'no boolean'}],
            ['call', 'server.listen', 0],
            ['await', 'server listening'],
        ],
    ),
    _accepting(
        'state in the listener', {}, [],
        (['get', *_STATES], ['call', '$0.isPaused'], ['call', 'server.getConnections', fn('n')]),
        chapter='net.Socket: properties'),
    _accepting(
        'state in the listener, paused', {'pauseOnConnect': True}, [],
        (['get', *_STATES], ['call', '$0.isPaused']), chapter='net.Socket: properties'),
    *(
        _accepting(
            f'highWaterMark {mark} of accepted sockets',
            {} if mark is None else {'highWaterMark': mark}, [], (['get', *_MARKS],))
        for mark in (None, -1, 0, 1, 1000, 1048576)
    ),
    *(
        Scenario(
            f'createServer/highWaterMark {mark} at the first connection',
            'process: exit and uncaught exceptions',
            [
                ['let', 'server', 'net.createServer', {'highWaterMark': value}, fn(
                    'accepted', ['get', *_MARKS], ['call', 'server.close'], ['call', '$0.destroy'],
                )],
                ['call', 'server.listen', 0, '127.0.0.1', fn(
                    'listening',
                    ['let', 'c', 'net.connect', {'port': port(), 'host': '127.0.0.1'}])],
            ], program=True, ignore=['readable'], on_purpose=_FRACTIONS)
        for mark, value in (('NaN', number('NaN')), ('Infinity', number('Infinity')), ('1.5', 1.5))
    ),
    *(
        _accepting(
            f'{flag} of accepted sockets', {flag: True, 'keepAliveInitialDelay': 1000},
            [
                # What is set already may be set again.
                ['call', 's1.setNoDelay', True],
                ['call', 's1.setKeepAlive', True, 1000],
                ['call', 's1.end', 'bye'],
                ['call', 'c.on', 'data', fn('received')],
                ['await', 'received'],
                ['await', 's1 close'],
                ['await', 'c close'],
            ],
            (['get', 's1.allowHalfOpen'],),
            chapter='net.Socket: setKeepAlive, setNoDelay, setTypeOfService', ignore=['readable'])
        for flag in ('noDelay', 'keepAlive')
    ),
    Scenario(
        'createServer/noDelay and keepAlive of unix sockets', "net.Server: 'connection'",
        [
            ['let', 'server', 'net.createServer',
             {'noDelay': True, 'keepAlive': True, 'keepAliveInitialDelay': 1000}, fn('accepted')],
            ['call', 'server.listen', tmp('s')],
            ['await', 'server listening'],
            ['let', 'c', 'net.connect', tmp('s')],
            ['await', 'accepted'],
            ['await', 'c connect'],
            ['settle'],
            ['get', 's1.readyState', 'c.readyState'],
        ],
    ),
    *(
        _accepting(
            f'allowHalfOpen {half_open}, the client ends', {'allowHalfOpen': half_open},
            [
                ['call', 's1.resume'],
                ['call', 'c.resume'],
                ['call', 'c.end'],
                ['await', 's1 end'],
                ['settle'],
                ['get', 's1.allowHalfOpen', 's1.writableEnded', 's1.readyState'],
                ['call', 's1.end'],
                ['await', 's1 close'],
                ['await', 'c close'],
            ], chapter='net.Socket: end')
        for half_open in (False, True)
    ),
    _accepting(
        'pauseOnConnect, a listener of data starts nothing', {'pauseOnConnect': True},
        [
            ['call', 's1.on', 'data', fn('received')],
            ['call', 'c.write', 'hello', fn('written')],
            ['await', 'written'],
            ['settle'],
            ['get', 's1.bytesRead', 's1.readableLength', 's1.readableFlowing'],
            ['call', 's1.isPaused'],
            ['call', 's1.resume'],
            ['await', 'received'],
            ['get', 's1.bytesRead', 's1.readableFlowing'],
            ['call', 's1.isPaused'],
        ], chapter='net.Socket: pause, resume, read, unshift, setEncoding'),
    _accepting(
        'pauseOnConnect, the end waits, too', {'pauseOnConnect': True},
        [
            ['call', 'c.end', 'hello'],
            ['await', 'c finish'],
            ['settle'],
            ['get', 's1.bytesRead', 's1.readyState'],
            ['call', 's1.resume'],
            ['await', 's1 close'],
            ['await', 'c close'],
        ], chapter="net.Socket: 'data', 'end', 'readable'", ignore=['readable']),
    _accepting(
        'without pauseOnConnect it is read though nobody listens', {},
        [
            ['call', 'c.write', 'hello', fn('written')],
            ['await', 'written'],
            ['await', 's1 readable'],
            ['get', 's1.bytesRead', 's1.readableLength', 's1.readableFlowing'],
            ['call', 's1.on', 'data', fn('received')],
            ['await', 'received'],
        ], chapter="net.Socket: 'data', 'end', 'readable'"),
    _accepting(
        'who is not consumed stays counted', {},
        [
            ['call', 'c.end', 'hello'],
            ['await', 'c finish'],
            ['await', 's1 readable'],
            ['call', 'c.destroy'],
            ['await', 'c close'],
            ['settle'],
            ['get', 's1.readyState', 's1.readableLength', 's1.readableEnded', 's1.destroyed'],
            ['call', 'server.getConnections', fn('counted')],
            ['await', 'counted'],
        ], chapter='net.Server: getConnections', ignore=['readable']),
]
