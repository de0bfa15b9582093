"""What ``connect`` takes and refuses, and how it reads its arguments."""

from __future__ import annotations

from typing import Any

from ..form import UNDEFINED, Scenario, Step, error, fn, number, port, tmp
from ._peers import HERE, NOBODY, listening, listening_on_path

__all__ = ['SCENARIOS']

#: A name, and lists of arguments that ``connect`` refuses at once.
REFUSED: list[tuple[str, list[list[Any]]]] = [
    ('nothing to connect to', [
        [], [{}], [{'host': '127.0.0.1'}], [{'localPort': 5}], [{'path': None}],
    ]),
    ('port of another type', [
        [{'port': value, 'host': '127.0.0.1'}]
        for value in (None, True, False, {}, [], [5], fn('port'))
    ]),
    ('port out of range', [
        [{'port': value, 'host': '127.0.0.1'}]
        for value in (
            '', '  ', '80x', -1, 65536, 1.5, number('NaN'), number('Infinity'), '65536', '-1',
            '1.5', 'abc', '1e9', '0x10000')
    ]),
    ('port as the first argument', [
        [-1], [65536, '127.0.0.1'], [1.5], [number('NaN')], [True], [None], ['65536'],
        [1_000_000, '127.0.0.1', fn('connected')],
    ]),
    ('host of another type', [
        [{'port': 1, 'host': value}] for value in (1, {}, True, [], ['a'], fn('host'))
    ]),
    ('host with a NUL', [[{'port': 1, 'host': 'a\0b'}], [1, '\0']]),
    ('localAddress that is none', [
        [{**NOBODY, 'localAddress': value}] for value in ('nope', 1, True, '1.2.3', {})
    ]),
    ('localPort of another type', [
        [{**NOBODY, 'localPort': value}] for value in ('80', True, {}, 'a')
    ]),
    ('autoSelectFamily of another type', [
        [{**NOBODY, 'autoSelectFamily': value}] for value in ('', 1, 0, 'true', {})
    ]),
    ('autoSelectFamilyAttemptTimeout', [
        [{**NOBODY, 'autoSelectFamilyAttemptTimeout': value}]
        for value in (0, -1, 2**31, 1.5, number('NaN'), 'x', True, {})
    ]),
    ('lookup of another type', [
        [{'port': 1, 'host': 'name.test', 'lookup': value}] for value in ('x', 1, True, {}, 0)
    ]),
    ('family', [
        [{'port': 1, 'host': 'a..b', 'family': value}] for value in (5, -1, 'ipv4', '4', 'IPv5', {})
    ]),
    ('hints', [
        [{'port': 1, 'host': 'a..b', 'hints': value}] for value in (1, 9999, -1, 'x', True, {})
    ]),
    ('path of another type', [[{'path': value}] for value in (5, True, {}, [], fn('path'))]),
    ('path and port', [[{'path': 5, 'port': 'x'}], [{'path': '', 'port': 'x'}]]),
    ('two wrong options', [
        [{'port': -1, 'host': 1}], [{'port': -1, 'host': '127.0.0.1', 'localAddress': 'a'}],
        [{'port': -1, 'host': '127.0.0.1', 'localPort': 'a'}],
        [{**NOBODY, 'localAddress': 'a', 'localPort': 'a'}],
        [{'port': 1, 'host': 1, 'localPort': 'a'}], [{'port': 1, 'host': 1, 'localAddress': 'a'}],
        [{'port': -1, 'host': '127.0.0.1', 'autoSelectFamily': 1}],
        [{**NOBODY, 'autoSelectFamily': 1, 'autoSelectFamilyAttemptTimeout': 0}],
        [{'port': 1, 'host': 'a..b', 'autoSelectFamily': 1, 'lookup': 1}],
        [{'port': 1, 'host': 'a..b', 'family': 5, 'lookup': 1}],
        [{'port': 1, 'host': 'a..b', 'family': 5, 'hints': 1}],
    ]),
]

#: What ``net.connect`` refuses and ``connect`` of a socket does not: it looks at more options.
REFUSED_BY_NET: list[list[Any]] = [
    *([{**NOBODY, 'timeout': value}] for value in ('x', -1, number('Infinity'), True, {})),
    [{**NOBODY, 'highWaterMark': -1}],
    [{**NOBODY, 'signal': {}}],
    [{**NOBODY, 'keepAliveInitialDelay': 'x'}],
    [{**NOBODY, 'blockList': 1}],
    [{**NOBODY, 'objectMode': True}],
]

#: Options that are not looked at, as there is nothing to look up, or nothing to it.
NOT_LOOKED_AT: list[tuple[str, dict[str, Any]]] = [
    ('lookup', {'lookup': 'x'}), ('family', {'family': 5}), ('hints', {'hints': 'x'}),
    ('falsy localAddress', {'localAddress': ''}), ('falsy localPort', {'localPort': ''}),
    ('localPort None', {'localPort': None}), ('localAddress None', {'localAddress': None}),
    ('timeout', {'timeout': 'x'}), ('signal', {'signal': 1}), ('unknown', {'unknown': 1}),
    ('path None', {'path': None}), ('path empty', {'path': ''}), ('path False', {'path': False}),
]

#: Options that decide what the look-up function is asked for.
ASKED_FOR: list[tuple[str, dict[str, Any]]] = [
    ('by default', {}),
    ('autoSelectFamily false', {'autoSelectFamily': False}),
    ('autoSelectFamily true', {'autoSelectFamily': True}),
    ('localAddress', {'localAddress': '127.0.0.1'}),
    *((f'family {value}', {'family': value}) for value in (0, 4, 6, 'IPv4', 'IPv6', None)),
    *((f'hints {value}', {'hints': value}) for value in (0, 8, 32, 40, 'x', None)),
    *((f'unknown family {value}', {'family': value}) for value in (5, 'ipv4', '4')),
    ('family and hints', {'family': 4, 'hints': 8}),
    ('localPort', {'localPort': 1}),
]

#: Ports that are read as 1, where nobody listens.
PORTS_THAT_ARE_ONE: list[Any] = [1, '1', '0x1', ' 1 ', '01', '1.0', '1e0', '0b1']


def connect_each(what: str, rows: list[list[Any]]) -> list[Step]:
    steps: list[Step] = []
    for at, arguments in enumerate(rows, 1):
        if what == 'connect':
            steps += [
                ['let', f'c{at}', 'new net.Socket'], ['call', f'c{at}.connect', *arguments]]
        else:
            steps.append(['let', f'c{at}', what, *arguments])
    return steps


def failing_each(rows: list[list[Any]]) -> list[Step]:
    """As ``connect_each``; each comes to nothing by itself."""
    return connect_each('connect', rows) + [
        ['await', f'c{at} close'] for at in range(1, len(rows) + 1)
    ]


def form(name: str, chapter: str, what: str, *arguments: Any, path: bool = False) -> Scenario:
    """Return a scenario in which *arguments* of ``net.connect`` lead to a server."""
    server = listening_on_path() if path else [
        ['let', 'server', 'net.createServer'], ['call', 'server.listen', 0],
        ['await', 'server listening'],
    ]
    return Scenario(
        f'connect arguments/{name}', chapter,
        [
            *server,
            ['let', 'c', what, *arguments],
            ['get', 'c.connecting'],
            ['await', 'c ready'],
            ['call', 'c.destroy'],
            ['await', 'c close'],
        ],
        # What localhost is depends on the system.
        ignore=['lookup', 'connectionAttempt', 'connectionAttemptFailed'])


CALLBACK = fn('connected')

SCENARIOS = [
    *(
        Scenario(
            f'connect arguments/refused: {name}', 'net.Socket: connect',
            connect_each('connect', rows))
        for name, rows in REFUSED
    ),
    Scenario(
        'connect arguments/refused by net.connect, too', 'net.connect, net.createConnection',
        connect_each('net.connect', [rows[0] for _, rows in REFUSED])),
    Scenario(
        'connect arguments/refused by net.connect alone', 'net.connect, net.createConnection',
        connect_each('net.connect', REFUSED_BY_NET)),
    Scenario(
        'connect arguments/undefined', 'net.connect, net.createConnection',
        connect_each('net.connect', [[UNDEFINED], [{'port': UNDEFINED}]]),
        on_purpose='`undefined`, arguments left out'),
    *(
        Scenario(
            f'connect arguments/not looked at for an address: {name}', 'net.Socket: connect',
            failing_each([[{**NOBODY, **options}]]))
        for name, options in NOT_LOOKED_AT
    ),
    Scenario(
        'connect arguments/ports that are one', 'net.Socket: connect',
        failing_each([[{'port': value, 'host': '127.0.0.1'}] for value in PORTS_THAT_ARE_ONE])),
    Scenario(
        'connect arguments/text that is a port', 'net.Socket: connect',
        failing_each([[value, '127.0.0.1'] for value in PORTS_THAT_ARE_ONE])),
    Scenario(
        'connect arguments/port 0', 'net.Socket: connect',
        failing_each([[0, '127.0.0.1'], ['0', '127.0.0.1'], [{'port': 0, 'host': '127.0.0.1'}]])),
    Scenario(
        'connect arguments/an empty path and no port', 'net.Socket: connect',
        failing_each([[{'path': '', 'host': '127.0.0.1'}]])),
    Scenario(
        'connect arguments/falsy hosts are localhost', 'net.Socket: connect',
        [
            *(step for at, value in enumerate((None, '', 0, False, UNDEFINED), 1) for step in (
                ['let', f'c{at}', 'new net.Socket'],
                ['call', f'c{at}.connect', {
                    'port': 1, 'host': value, 'lookup': fn(f'lookup{at}')}],
            )),
        ]),
    *(
        Scenario(
            f'connect arguments/look-up with {name}', 'net.Socket: connect',
            [
                ['let', 'c', 'new net.Socket'],
                ['call', 'c.connect', {
                    'port': 1, 'host': 'name.test', **options,
                    'lookup': fn('lookup', ['callback', 2, error('not here')])}],
                ['await', 'c close'],
            ])
        for name, options in ASKED_FOR
    ),
    form('form options', 'net.connect, net.createConnection', 'net.connect', HERE),
    form('form options, callback', 'net.connect, net.createConnection', 'net.connect', HERE,
         CALLBACK),
    form('form port', 'net.connect, net.createConnection', 'net.connect', port()),
    form('form port, callback', 'net.connect, net.createConnection', 'net.connect', port(),
         CALLBACK),
    form('form port, host', 'net.connect, net.createConnection', 'net.connect', port(),
         '127.0.0.1'),
    form('form port, host, callback', 'net.connect, net.createConnection', 'net.connect', port(),
         '127.0.0.1', CALLBACK),
    form('form port, no host, callback', 'net.connect, net.createConnection', 'net.connect', port(),
         None, CALLBACK),
    form('form port, host, no callback', 'net.connect, net.createConnection', 'net.connect', port(),
         '127.0.0.1', 'callback'),
    form('form port, IPv6 host', 'net.connect, net.createConnection', 'net.connect', port(), '::1'),
    form('form options without host', 'net.connect, net.createConnection', 'net.connect',
         {'port': port()}, CALLBACK),
    form('form path', 'net.connect, net.createConnection', 'net.connect', tmp('path'), path=True),
    form('form path, callback', 'net.connect, net.createConnection', 'net.connect', tmp('path'),
         CALLBACK, path=True),
    form('form options with path', 'net.connect, net.createConnection', 'net.connect',
         {'path': tmp('path')}, CALLBACK, path=True),
    form('path wins over port and host', 'net.connect, net.createConnection', 'net.connect',
         {'path': tmp('path'), 'port': 'x', 'host': 5}, CALLBACK, path=True),
    form('createConnection', 'net.connect, net.createConnection', 'net.createConnection', HERE,
         CALLBACK),
    form('createConnection, port, host', 'net.connect, net.createConnection',
         'net.createConnection', port(), '127.0.0.1', CALLBACK),
    Scenario(
        'connect arguments/forms of the method', 'net.Socket: connect',
        [
            ['let', 'server', 'net.createServer'],
            ['call', 'server.listen', 0],
            ['await', 'server listening'],
            *(step for at, arguments in enumerate((
                [HERE], [HERE, fn('a')], [port()], [port(), fn('b')], [port(), '127.0.0.1'],
                [port(), '127.0.0.1', fn('c')],
            ), 1) for step in (
                ['let', f'c{at}', 'new net.Socket'],
                ['call', f'c{at}.connect', *arguments],
                ['await', f'c{at} ready'],
            )),
        ],
        ignore=['lookup', 'connectionAttempt', 'connectionAttemptFailed', 'connection']),
    Scenario(
        'connect arguments/timeout of net.connect', "net.Socket: 'timeout', setTimeout",
        [
            *listening(),
            *(step for at, value in enumerate((20, 0, None, number('NaN'), ''), 1) for step in (
                ['let', f'c{at}', 'net.connect', {**HERE, 'timeout': value}],
                ['get', f'c{at}.timeout'],
            )),
            ['await', 'c1 timeout'],
            *(['await', f'c{at} ready'] for at in range(1, 6)),
            ['call', 'c1.setTimeout', 0],
        ], ignore=['connection', 'timeout']),
    Scenario(
        'connect arguments/timeout of connect is not looked at',
        "net.Socket: 'timeout', setTimeout",
        [
            *listening(),
            ['let', 'c', 'new net.Socket'],
            ['call', 'c.connect', {**HERE, 'timeout': 20}],
            ['get', 'c.timeout'],
            ['await', 'c ready'],
            ['get', 'c.timeout'],
        ]),
]
