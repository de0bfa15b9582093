"""Servers on unix sockets: their files, and what stands in the way of them."""

from __future__ import annotations

from ..form import Form, Scenario, Step, abstract, fn, tmp

__all__ = ['SCENARIOS']

LISTEN = 'net.Server: listen'
ERROR = "net.Server: 'error'"

SERVER: Step = ['let', 'server', 'net.createServer']

#: What is asked for besides the path. Only True counts.
MODES: list[dict[str, Form]] = [
    {},
    {'readableAll': True},
    {'writableAll': True},
    {'readableAll': True, 'writableAll': True},
    {'readableAll': False, 'writableAll': True},
    {'readableAll': 1, 'writableAll': 'yes'},
]

UMASKS = [0o22, 0o77, 0o777]

#: What is at the path | the steps that bring it there | what is asked for.
OBSTACLES: list[tuple[str, list[Step], Form]] = [
    ('a server', [
        ['let', 'other', 'net.createServer'],
        ['call', 'other.listen', tmp('at')],
        ['await', 'other listening'],
    ], tmp('at')),
    ('a file', [['file', 'at']], tmp('at')),
    ('a directory', [['mkdir', 'at']], tmp('at')),
    ('a server with that abstract name', [
        ['let', 'other', 'net.createServer'],
        ['call', 'other.listen', abstract('at')],
        ['await', 'other listening'],
    ], abstract('at')),
    ('no directory', [], tmp('at/socket')),
    ('a file instead of a directory', [['file', 'at']], tmp('at/socket')),
    ('a path that is too long', [], tmp('x' * 150)),
    ('an abstract name that is too long', [], abstract('x' * 150)),
    ('a path with a NUL', [], tmp('at\0socket')),
]

#: What is given to listen.
SHAPES: list[tuple[str, list[Form]]] = [
    ('a path', [tmp('socket')]),
    ('a path and a backlog', [tmp('socket'), 5]),
    ('an option', [{'path': tmp('socket')}]),
    ('an abstract name', [abstract('socket')]),
    ('an abstract name as option', [{'path': abstract('socket')}]),
]


def scenario(name: str, chapter: str, *steps: Step, on_purpose: str | None = None) -> Scenario:
    return Scenario(
        f'listen unix/{name}', chapter, [SERVER, *steps],
        watch={'servers': ['listening']}, ignore=['data', 'readable'], on_purpose=on_purpose)


def modes(umask: int) -> Scenario:
    steps: list[Step] = [['umask', umask]]
    for number, options in enumerate(MODES):
        server, file = f'server{number}', f'socket{number}'
        steps += [
            ['let', server, 'net.createServer'],
            ['call', f'{server}.listen', {'path': tmp(file), **options}],
            ['mode', file],
            ['await', f'{server} listening'],
        ]
    return scenario(f'modes with the umask {umask:o}', LISTEN, *steps)


def obstacle(what: str, before: list[Step], path: Form) -> Scenario:
    return scenario(
        f'in the way: {what}', ERROR,
        *before,
        ['call', 'server.listen', path, fn('listening')],
        ['get', 'server.listening', 'server._pipeName', 'server._connectionKey'],
        ['await', 'server error'],
        ['settle'],
        ['exists', 'at'],
        ['call', 'server.address'],
        ['call', 'server.close', fn('closed')],
        ['await', 'server close'],
        ['exists', 'at'],
    )


def shape(what: str, args: list[Form]) -> Scenario:
    return scenario(
        f'life of a server: {what}', LISTEN,
        ['call', 'server.listen', *args, fn('listening')],
        ['get', 'server.listening', 'server._pipeName', 'server._connectionKey'],
        ['call', 'server.address'],
        ['exists', 'socket'],
        ['await', 'server listening'],
        ['call', 'server.close', fn('closed')],
        ['exists', 'socket'],
        ['get', 'server.listening', 'server._pipeName', 'server._connectionKey'],
        ['call', 'server.address'],
        ['await', 'server close'],
        ['call', 'server.listen', *args],
        ['await', 'server listening', 2],
    )


def connected(what: str, path: Form) -> Scenario:
    ends = ('remoteAddress', 'remotePort', 'remoteFamily', 'localAddress', 'localPort')
    return scenario(
        f'connections: {what}', "net.Server: 'connection'",
        ['call', 'server.listen', path],
        ['call', 'server.on', 'connection', fn('accepted', [
            'call', '$0.on', 'data', fn('received', ['call', 's1.end', 'answer'])])],
        ['await', 'server listening'],
        ['let', 'c', 'net.connect', path, fn(
            'connected', ['get', *(f'c.{end}' for end in ends)])],
        ['call', 'c.setEncoding', 'utf8'],
        ['call', 'c.on', 'data', fn('answered')],
        ['call', 'c.write', 'question'],
        ['await', 'c close'],
        ['await', 's1 close'],
        ['get', *(f's1.{end}' for end in ends)],
    )


def abstract_mode(options: dict[str, Form]) -> Scenario:
    asked = ', '.join(f'{name} {value}' for name, value in options.items())
    return scenario(
        f'an abstract name has no mode: {asked}', LISTEN,
        ['call', 'server.listen', {'path': '\0a', **options}, fn('listening')],
        ['get', 'server.listening', 'server._pipeName'],
        ['call', 'server.listenerCount', 'listening'],
    )


SCENARIOS = [
    *map(modes, UMASKS),
    *(obstacle(*row) for row in OBSTACLES),
    *(shape(*row) for row in SHAPES),
    connected('a path', tmp('socket')),
    connected('an abstract name', abstract('socket')),
    *map(abstract_mode, MODES[1:]),
    scenario(
        'the file was removed before close', LISTEN,
        ['call', 'server.listen', tmp('socket')],
        ['await', 'server listening'],
        ['unlink', 'socket'],
        ['call', 'server.close', fn('closed')],
        ['await', 'server close'],
    ),
    scenario(
        'another file took its place before close', LISTEN,
        ['call', 'server.listen', tmp('socket')],
        ['await', 'server listening'],
        ['unlink', 'socket'],
        ['file', 'socket'],
        ['call', 'server.close', fn('closed')],
        ['exists', 'socket'],
        ['await', 'server close'],
        on_purpose='`close()` of a unix server removes what has the name of its path then, in the '
                   'working directory of then',
    ),
    scenario(
        'another server took its place before close', LISTEN,
        ['call', 'server.listen', tmp('socket')],
        ['await', 'server listening'],
        ['unlink', 'socket'],
        ['let', 'other', 'net.createServer'],
        ['call', 'other.listen', tmp('socket')],
        ['await', 'other listening'],
        ['call', 'server.close', fn('closed')],
        ['exists', 'socket'],
        ['await', 'server close'],
        ['call', 'other.close'],
        ['exists', 'socket'],
        ['await', 'other close'],
        on_purpose='`close()` of a unix server removes what has the name of its path then, in the '
                   'working directory of then',
    ),
    scenario(
        'close removes the file while a connection is open', "net.Server: 'close'",
        ['call', 'server.listen', tmp('socket')],
        ['await', 'server listening'],
        ['let', 'c', 'net.connect', tmp('socket')],
        ['await', 'c connect'],
        ['await', 'server connection'],
        ['call', 'server.close', fn('closed')],
        ['exists', 'socket'],
        ['get', 'server.listening', 'server._connections'],
        ['settle'],
        ['call', 's1.destroy'],
        ['await', 'server close'],
        ['await', 'c end'],
        ['call', 'c.destroy'],
    ),
    scenario(
        'two servers on one path, one after the other', LISTEN,
        ['call', 'server.listen', tmp('socket')],
        ['await', 'server listening'],
        ['let', 'other', 'net.createServer'],
        ['call', 'server.close'],
        ['call', 'other.listen', tmp('socket')],
        ['await', 'other listening'],
        ['await', 'server close'],
        ['let', 'c', 'net.connect', tmp('socket')],
        ['await', 'other connection'],
    ),
]
