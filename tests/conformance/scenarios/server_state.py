"""What a server says about itself: its address, its connections, and underscored members."""

from __future__ import annotations

from ..form import UNDEFINED, Form, Scenario, Step, fn, port, tmp

__all__ = ['SCENARIOS']

ADDRESS = 'net.Server: address'
COUNT = 'net.Server: getConnections'
STATE = 'net.Server: listening, maxConnections'

SERVER: Step = ['let', 'server', 'net.createServer']

MEMBERS: Step = ['get', *(f'server.{name}' for name in (
    'listening', '_connections', '_connectionKey', '_pipeName', '_unref', '_usingWorkers',
    '_workers', '_listeningId',
))]

#: What the server listens on.
PLACES: list[tuple[str, list[Form]]] = [
    ('no host', [0]),
    ('IPv4', [0, '127.0.0.1']),
    ('IPv6', [0, '::1']),
    ('a unix socket', [tmp('socket')]),
]

#: No callbacks of getConnections. (Without an argument gnet returns the number.)
NO_CALLBACKS: list[Form] = [5, 'text', True, {}]


def scenario(
    name: str, chapter: str, *steps: Step, on_purpose: str | None = None,
) -> Scenario:
    return Scenario(
        f'server state/{name}', chapter, [*steps], ignore=['data', 'readable'],
        watch={'servers': [], 'sockets': []}, on_purpose=on_purpose)


def life(what: str, at: list[Form]) -> Scenario:
    return scenario(
        f'from birth to a second life: {what}', STATE,
        SERVER,
        MEMBERS, ['call', 'server.address'],
        ['call', 'server.listen', *at],
        MEMBERS, ['call', 'server.address'],
        ['await', 'server listening'],
        MEMBERS, ['call', 'server.address'],
        ['call', 'server.close'],
        MEMBERS, ['call', 'server.address'],
        ['await', 'server close'],
        MEMBERS, ['call', 'server.address'],
        ['call', 'server.listen', *at],
        ['await', 'server listening', 2],
        MEMBERS,
    )


def listen(*at: Form) -> list[Step]:
    return [['call', 'server.listen', *(at or (0, '127.0.0.1'))], ['await', 'server listening']]


def connect(name: str, number: int) -> list[Step]:
    return [
        ['let', name, 'net.connect', port(), '127.0.0.1'],
        ['call', f'{name}.resume'],
        ['await', f'{name} connect'],
        ['await', 'server connection', number],
    ]


def count(name: str) -> Step:
    return ['call', 'server.getConnections', fn(name)]


SCENARIOS = [
    *(life(*row) for row in PLACES),
    scenario(
        'the address after a failed listen', ADDRESS,
        ['let', 'taker', 'net.createServer'],
        ['call', 'taker.listen', 0],
        SERVER,
        ['call', 'server.listen', port('taker')],
        ['call', 'server.address'],
        ['await', 'server error'],
        ['call', 'server.address'],
        MEMBERS,
    ),
    scenario(
        'the address of a server that was at a path before', ADDRESS,
        SERVER,
        *listen(tmp('socket')),
        ['call', 'server.close'],
        ['await', 'server close'],
        ['call', 'server.listen', 0],
        ['call', 'server.address'],
        ['await', 'server listening', 2],
        ['call', 'server.close'],
        ['call', 'server.address'],
        MEMBERS,
    ),
    scenario(
        'count before, while and after', COUNT,
        SERVER,
        count('before listen'),
        ['settle'],
        *listen(),
        count('none yet'),
        *connect('c1', 1),
        count('one'),
        *connect('c2', 2),
        count('two'),
        ['call', 's1.destroy'],
        ['get', 'server._connections'],
        count('one again'),
        ['call', 'server.close'],
        count('closed'),
        ['settle'],
        ['call', 's2.destroy'],
        ['await', 'server close'],
        count('after close'),
        ['settle'],
    ),
    scenario(
        'the count is that of the call', COUNT,
        SERVER,
        *listen(),
        *connect('c', 1),
        ['tick', fn('tick before', of='server')],
        count('counted'),
        ['call', 's1.destroy'],
        ['get', 'server._connections'],
        ['tick', fn('tick after', of='server')],
        ['settle'],
    ),
    scenario(
        'count in a connection listener', COUNT,
        ['let', 'server', 'net.createServer', fn(
            'accepted', ['call', 'server.getConnections', fn('counted')])],
        *listen(),
        *connect('c1', 1), *connect('c2', 2),
        ['await', 'counted', 2],
    ),
    scenario(
        'count in the callback of close', COUNT,
        SERVER,
        *listen(),
        *connect('c', 1),
        ['call', 'server.close', fn('closed', count('after close'))],
        ['call', 's1.destroy'],
        ['await', 'after close'],
    ),
    scenario(
        'callbacks of getConnections that are none', COUNT,
        SERVER,
        *(['call', 'server.getConnections', value] for value in NO_CALLBACKS),
    ),
    scenario(
        'getConnections without a callback', COUNT,
        SERVER,
        ['call', 'server.getConnections'],
        ['call', 'server.getConnections', UNDEFINED],
        on_purpose='`getConnections` needs a callback',
    ),
    scenario(
        'the callback of getConnections throws', COUNT,
        SERVER,
        ['call', 'server.getConnections', fn('failing', throws={
            '$': 'error', 'message': 'in the callback'})],
        ['await', 'uncaught'],
        count('next'),
        ['settle'],
    ),
    scenario(
        'ref and unref', 'net.Server: ref, unref',
        SERVER,
        ['call', 'server.ref'], ['get', 'server._unref'],
        ['call', 'server.unref'], ['get', 'server._unref'],
        ['call', 'server.unref'], ['get', 'server._unref'],
        *listen(),
        ['get', 'server._unref'],
        ['call', 'server.ref'], ['get', 'server._unref'],
        ['call', 'server.unref'], ['get', 'server._unref'],
        ['call', 'server.close', fn('closed')],
        ['await', 'server close'],
        ['get', 'server._unref'],
        ['call', 'server.ref'], ['get', 'server._unref'],
    ),
    scenario(
        'what an accepted socket knows of its server', "net.Server: 'connection'",
        ['let', 'server', 'net.createServer', fn(
            'accepted', ['get', '$0.server', '$0.readyState', '$0.connecting', '$0.pending'])],
        *listen(),
        *connect('c', 1),
        ['get', 's1.localAddress', 's1.localPort', 's1.localFamily',
         's1.remoteAddress', 's1.remoteFamily'],
        ['call', 's1.destroy'],
        ['await', 's1 close'],
        ['get', 's1.server'],
    ),
]
