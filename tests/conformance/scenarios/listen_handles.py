"""Servers that are given what others have made: descriptors, and other servers."""

from __future__ import annotations

from ..form import Form, Scenario, Step, descriptor, fn, number, port, ref, tmp

__all__ = ['SCENARIOS']

LISTEN = 'net.Server: listen'
ERROR = "net.Server: 'error'"

SERVER: Step = ['let', 'server', 'net.createServer']

STATE: Step = ['get', 'server.listening', 'server._connectionKey', 'server._listeningId']

#: What is no listening socket | the descriptor.
NO_SOCKETS: list[tuple[str, Form]] = [
    ('a device', descriptor('null')),
    ('a file', descriptor('file')),
    ('one that is not open', 987654),
    ('a fraction', 1.5),
    ('no 32-bit number', 2**31),
    ('Infinity', number('Infinity')),
]


def scenario(name: str, chapter: str, *steps: Step, on_purpose: str | None = None) -> Scenario:
    return Scenario(
        f'listen handles/{name}', chapter, [SERVER, *steps],
        watch={'servers': ['listening'], 'sockets': []}, ignore=['data', 'readable'],
        on_purpose=on_purpose)


def no_socket(what: str, fd: Form) -> Scenario:
    return scenario(
        f'a descriptor that is no listening socket: {what}', ERROR,
        ['file', 'file'],
        ['call', 'server.listen', {'fd': fd}, fn('listening')],
        STATE,
        ['await', 'server error'],
        ['settle'],
        STATE,
        ['call', 'server.address'],
        ['call', 'server.listenerCount', 'listening'],
        ['call', 'server.listen', 0],
        ['await', 'server listening'],
    )


def taken_over(what: str, *close: Step) -> Scenario:
    """Another server takes the one over that listens; then *close*."""
    return scenario(
        f'another server: {what}', LISTEN,
        ['call', 'server.listen', 0, '127.0.0.1'],
        ['await', 'server listening'],
        ['let', 'newer', 'net.createServer'],
        ['call', 'newer.listen', ref('server'), fn('newer listens')],
        ['get', 'newer.listening', 'newer._connectionKey', 'server._connectionKey'],
        ['await', 'newer listening'],
        *close,
    )


CONNECT: list[Step] = [
    ['let', 'c', 'net.connect', port(), '127.0.0.1'],
    ['await', 'c connect'],
    ['settle'],
    ['get', 'server._connections', 'newer._connections'],
    ['call', 'c.destroy'],
    ['await', 'c close'],
]

SCENARIOS = [
    *(no_socket(*row) for row in NO_SOCKETS),
    taken_over('the newer one has the connections', *CONNECT),
    taken_over('both have the address', ['call', 'server.address'], ['call', 'newer.address']),
    taken_over(
        'the newer one is closed',
        ['call', 'newer.close', fn('newer is closed')],
        ['await', 'newer close'],
        ['get', 'server.listening', 'newer.listening'],
        ['call', 'server.address'],
        ['call', 'newer.address'],
        ['call', 'server.close', fn('closed')],
        ['await', 'server close'],
        STATE,
    ),
    taken_over(
        'the older one is closed',
        ['call', 'server.close', fn('closed')],
        ['await', 'server close'],
        ['get', 'server.listening', 'newer.listening'],
        ['call', 'newer.address'],
        ['call', 'newer.close', fn('newer is closed')],
        ['await', 'newer close'],
    ),
    scenario(
        'a server that listens takes no other over', LISTEN,
        ['call', 'server.listen', 0],
        ['await', 'server listening'],
        ['let', 'newer', 'net.createServer'],
        ['call', 'newer.listen', 0],
        ['await', 'newer listening'],
        ['call', 'newer.listen', ref('server'), fn('never')],
    ),
    scenario(
        'another server, of a path', LISTEN,
        ['call', 'server.listen', tmp('socket')],
        ['await', 'server listening'],
        ['let', 'newer', 'net.createServer'],
        ['call', 'newer.listen', ref('server'), fn('listening')],
        ['settle'],
        ['get', 'server.listening', 'newer.listening'],
        on_purpose='`listen(server)` of a unix server is EEXIST',
    ),
]
