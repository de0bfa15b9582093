"""What ``listen`` takes, and what it refuses."""

from __future__ import annotations

from ..form import UNDEFINED, Form, Scenario, Step, descriptor, fn, number, ref, tmp

__all__ = ['SCENARIOS']

_CHAPTER = 'net.Server: listen'
_SIGNAL = '`AbortSignal`'
_UNDEFINED = '`undefined`, arguments left out'
_OWN_WORDS = 'texts show an object with its members (`Received Server { _events: …`)'

#: Arguments with which a server listens on any free port: a title, lists of arguments.
_ANY_PORT: list[tuple[str, list[list[Form]]]] = [
    ('no port', [[], [fn('listening1')], [UNDEFINED], [None], [None, fn('listening2')]]),
    ('port 0', [[0], [-0.0], ['0'], ['0x0'], [' 0 '], ['0b0'], ['0o0'], ['+0'], ['0.0'], ['0e5'],
                ['-0']]),
    ('port 0 with other arguments', [
        [0, {}], [0, 5], [0, UNDEFINED, 5], [0, 5, '127.0.0.1'], [0, None, None], [0, True],
        [0, fn('ignored'), 5]]),
    ('port 0 in options', [
        [{'port': value}] for value in (0, '0', '0x0', ' 0 ', None, UNDEFINED)]),
    ('port in options that wins over a path', [
        [{'port': UNDEFINED, 'path': '/x'}], [{'port': 0, 'path': '/x'}],
        [{'port': None, 'path': '/x'}]]),
    ('host that is false', [
        [{'port': 0, 'host': host}] for host in ('', None, UNDEFINED, False, 0, number('NaN'))]),
    ('handle that is false', [
        [{'_handle': value, 'port': 0}] for value in (None, UNDEFINED, 0, '', False)]),
    ('backlog by position', [
        [0, 5], [0, -1], [0, 0], [0, 1.9], [0, 1e10], [0, None, 7], [0, UNDEFINED, '11'],
        [0, 0, 'abc'], [0, number('NaN')], [0, number('Infinity')]]),
    ('backlog in options', [
        [{'port': 0, 'backlog': value}]
        for value in (7, '12', 1.9, 0, -1, 'abc', {}, None, UNDEFINED, number('NaN'), 1e10, True)]),
    ('backlog twice', [[{'port': 0, 'backlog': 3}, 8], [{'port': 0}, 8], [{'port': 0}, '8']]),
    ('flags', [
        [{'port': 0, option: value}]
        for option in ('exclusive', 'ipv6Only', 'reusePort', 'readableAll', 'writableAll')
        for value in (False, 0, 'yes')]),
    ('callback behind all', [
        [0, fn('listening1')], [0, 5, fn('listening2')], [{'port': 0}, fn('listening3')],
        [{'port': 0}, 5, fn('listening4')]]),
]

#: Arguments with a host.
_WITH_HOST: list[tuple[str, list[list[Form]]]] = [
    ('host behind no port', [
        [UNDEFINED, '127.0.0.1'], [None, '127.0.0.1'], [fn('no port'), '127.0.0.1']]),
    ('host behind port', [
        [0, '127.0.0.1'], ['0', '127.0.0.1', 5], [0, '127.0.0.1', fn('listening1')],
        [0, '127.0.0.1', 5, fn('listening2')], [0, '127.0.0.1', 'abc', fn('listening3')]]),
    ('IPv6 host behind port', [
        [0, '::1'], ['0', '::1', 5], [0, '::1', fn('listening1')], [0, '::', fn('listening2')]]),
    ('host in options', [
        [{'port': 0, 'host': '127.0.0.1'}], [{'host': '127.0.0.1', 'port': '0'}, fn('listening1')],
        [{'port': 0, 'host': '127.0.0.1', 'backlog': 5}, fn('listening2')]]),
    ('IPv6 host in options', [
        [{'port': 0, 'host': '::1'}], [{'host': '::', 'port': '0'}, fn('listening1')],
        [{'port': 0, 'host': '::1', 'ipv6Only': True}, fn('listening2')]]),
]

#: Arguments for which ``listen`` raises.
_REFUSED: list[tuple[str, list[list[Form]]]] = [
    ('port out of range', [
        [-1], [65536], [1.5], [number('NaN')], [number('Infinity')], [number('-Infinity')]]),
    ('port without digits', [[''], [' '], ['\t\n']]),
    ('port out of range as text', [
        ['65536'], ['1.5'], ['65536.1'], ['0x10000'], ['Infinity'], ['1e5']]),
    ('port that is a boolean', [[True], [False]]),
    ('port out of range in options', [
        [{'port': value}] for value in (
            -1, 65536, 1.5, number('NaN'), number('Infinity'), '-1', '65536', '1.5')]),
    ('port that is no number in options', [
        [{'port': value}] for value in ('abc', '', ' ', '/x', '1_000', '0x', '\u0661', '0x1g')]),
    ('port of a wrong type in options', [
        [{'port': value}] for value in (True, False, {}, [], {'a': 1}, fn('no port'))]),
    ('bad port beside a path', [
        [{'port': -1, 'path': '/x'}], [{'port': True, 'path': ''}]]),
    ('options without a target', [
        [{}], [[]], [{'host': '127.0.0.1'}], [{'backlog': 5}], [{'exclusive': True}],
        [{}, fn('ignored')], [{'host': '::1', 'ipv6Only': True, 'unknown': [1, 'a', None]}]]),
    ('long options without a target', [
        [{'host': 'h' * 60, 'backlog': 511, 'exclusive': False, 'readableAll': True,
          'unknown': 'u' * 60}],
        [{'alpha': [1, 2, 3], 'beta': {'gamma': {'delta': {'epsilon': 1}}}}]]),
    ('path that is none', [
        [{'path': value}] for value in (
            None, '', 1, 0, '123', ' ', '0x1', True, False, {}, [])]),
    ('host of a wrong type', [
        [{'port': 0, 'host': value}] for value in (1, True, {}, [], fn('no host'))]),
    ('fd that is none', [
        [{'fd': value}] for value in (-1, '0', 'x', None, number('NaN'), True, {})]),
    ('handle that is none', [
        [{'handle': {}}], [{'handle': None}], [{'_handle': {}}], [{'handle': {'a': 1}}]]),
    ('signal of a wrong type', [
        [{'port': 0, 'signal': value}] for value in (1, 'x', {}, None, True, fn('no signal'))]),
    ('signal is looked at first', [
        [{'port': -1, 'signal': 1}], [{'signal': 1}], [{'fd': 99999, 'signal': 1}]]),
]

#: Options of a descriptor that cannot be listened on.
_BAD_DESCRIPTORS: list[tuple[str, Form]] = [
    ('with a fraction', 1.5),
    ('that is closed', 99999),
    ('of a device', descriptor('null')),
    ('of a file', descriptor('f')),
]

#: Texts that are no numbers, so that they name a socket file in the current directory.
_FILE_NAMES = ['abc', '-1', '1e3x', '0x', '1_000', '12 3', '+', '\u0661']


def _listening(title: str, rows: list[list[Form]]) -> Scenario:
    steps: list[Step] = []
    for place, args in enumerate(rows, 1):
        name = f'server{place}'
        steps += [
            ['let', name, 'net.createServer'],
            ['call', f'{name}.listen', *args],
            ['get', f'{name}.listening'],
            ['await', f'{name} listening'],
            ['call', f'{name}.address'],
            ['call', f'{name}.listenerCount', 'listening'],
        ]
    # All listen until the end, so that no two have the same port.
    for place in range(1, len(rows) + 1):
        steps += [['call', f'server{place}.close'], ['await', f'server{place} close']]
    return Scenario(f'listen arguments/{title}', _CHAPTER, steps)


def _refused(title: str, rows: list[list[Form]]) -> Scenario:
    return Scenario(
        f'listen arguments/{title}', _CHAPTER,
        [
            ['let', 'server', 'net.createServer'],
            *(['call', 'server.listen', *args] for args in rows),
            ['get', 'server.listening'],
            ['call', 'server.address'],
            ['settle'],
        ])


def _bad_descriptor(title: str, fd: Form) -> Scenario:
    return Scenario(
        f'listen arguments/fd {title}', "net.Server: 'error'",
        [
            ['file', 'f'],
            ['let', 'server', 'net.createServer'],
            ['call', 'server.listen', {'fd': fd}, fn('listening')],
            ['get', 'server.listening'],
            ['await', 'server error'],
            ['call', 'server.address'],
            ['call', 'server.listenerCount', 'listening'],
        ])


def _file_name(name: str) -> list[Step]:
    return [
        ['note', f'-- {name!a}', 'server'],
        ['call', 'server.listen', name, fn('listening')],
        ['await', 'listening', _FILE_NAMES.index(name) + 1],
        ['call', 'server.address'],
        ['exists', name],
        ['call', 'server.close'],
        ['await', 'server close', _FILE_NAMES.index(name) + 1],
        ['exists', name],
    ]


SCENARIOS = [
    *(_listening(*row) for row in _ANY_PORT),
    *(_listening(*row) for row in _WITH_HOST),
    *(_refused(*row) for row in _REFUSED),
    *(_bad_descriptor(*row) for row in _BAD_DESCRIPTORS),
    Scenario(
        'listen arguments/path in the current directory', _CHAPTER,
        [
            ['enter'],
            ['let', 'server', 'net.createServer'],
            *(step for name in _FILE_NAMES for step in _file_name(name)),
        ]),
    _listening('path', [
        [tmp('a')], [tmp('b'), fn('listening1')], [tmp('c'), 5], [tmp('d'), 5, fn('listening2')],
        [tmp('e'), 'no host', fn('listening3')], [{'path': tmp('f')}],
        [{'path': tmp('g')}, fn('listening4')], [{'path': tmp('h'), 'backlog': 5}, 8],
        [{'path': tmp('i'), 'host': '127.0.0.1', 'ipv6Only': True, 'exclusive': True}],
    ]),
    Scenario(
        'listen arguments/signal that can only say it is not aborted', _CHAPTER,
        [
            ['let', 'server', 'net.createServer'],
            ['call', 'server.listen', {'port': 0, 'signal': {'aborted': False}}],
        ], on_purpose=_SIGNAL),
    Scenario(
        'listen arguments/path undefined', _CHAPTER,
        [
            ['let', 'server', 'net.createServer'],
            ['call', 'server.listen', {'path': UNDEFINED}],
        ], on_purpose=_UNDEFINED),
    Scenario(
        'listen arguments/host that is a number as text', "net.Server: 'error'",
        [
            ['let', 'server', 'net.createServer'],
            ['call', 'server.listen', 0, '10', fn('listening')],
            ['get', 'server.listening'],
            ['await', 'server error'],
            ['call', 'server.address'],
        ]),
    Scenario(
        'listen arguments/a server or socket without a handle', _CHAPTER,
        [
            ['let', 'idle', 'net.createServer'],
            ['let', 'c', 'new net.Socket'],
            ['let', 'server', 'net.createServer'],
            ['call', 'server.listen', ref('idle')],
            ['call', 'server.listen', ref('c')],
            ['call', 'server.listen', {'handle': ref('idle')}],
            ['get', 'server.listening'],
        ], on_purpose=_OWN_WORDS),
    Scenario(
        'listen arguments/already listening comes before all validation', _CHAPTER,
        [
            ['let', 'server', 'net.createServer'],
            ['call', 'server.listen', 0],
            *(['call', 'server.listen', *args, fn('ignored')]
              for args in ([], [0], [-1], [True], [{}], [{'signal': 1}], [{'fd': 99999}], ['/x'])),
            ['call', 'server.listenerCount', 'listening'],
            ['await', 'server listening'],
        ]),
    Scenario(
        'listen arguments/close makes room for another listen', 'net.Server: close',
        [
            ['let', 'server', 'net.createServer'],
            ['call', 'server.listen', 0, fn('first')],
            ['await', 'first'],
            ['call', 'server.close', fn('closed')],
            ['call', 'server.listen', 0, '127.0.0.1', fn('second')],
            ['await', 'second'],
            ['await', 'closed'],
            ['call', 'server.address'],
        ]),
    Scenario(
        'listen arguments/callbacks of refused calls stay', "net.Server: 'listening'",
        [
            ['let', 'server', 'net.createServer'],
            ['call', 'server.listen', -1, fn('first')],
            ['call', 'server.listen', {}, fn('second')],
            ['call', 'server.listen', {'signal': 1}, fn('third')],
            ['call', 'server.listen', {'port': 0, 'host': 1}, fn('fourth')],
            ['call', 'server.listenerCount', 'listening'],
            ['call', 'server.listen', 0, fn('fifth')],
            ['await', 'server listening'],
            ['call', 'server.listenerCount', 'listening'],
        ]),
    Scenario(
        'listen arguments/not running', 'net.Server: close',
        [
            ['let', 'server', 'net.createServer'],
            ['call', 'server.listen', -1],
            ['call', 'server.close', fn('closed')],
            ['await', 'closed'],
        ]),
]
