"""The events of a server: when they come, with what, and to whom."""

from __future__ import annotations

from ..form import Form, Scenario, Step, arg, error, fn, port, ref, tmp

__all__ = ['SCENARIOS']

CONNECTION = "net.Server: 'connection'"
CLOSE = "net.Server: 'close'"
ERROR = "net.Server: 'error'"

SERVER: Step = ['let', 'server', 'net.createServer']

#: What the server listens on | what clients connect to.
PLACES: list[tuple[str, list[Form], list[Form]]] = [
    ('IPv4', [0, '127.0.0.1'], [port(), '127.0.0.1']),
    ('IPv6', [0, '::1'], [port(), '::1']),
    ('IPv4 to any address', [0], [port(), '127.0.0.1']),
    ('a unix socket', [tmp('socket')], [tmp('socket')]),
]

LISTEN: list[Step] = [
    ['call', 'server.listen', 0, '127.0.0.1'],
    ['await', 'server listening'],
]


def connect(name: str) -> list[Step]:
    return [['let', name, 'net.connect', port(), '127.0.0.1'], ['call', f'{name}.resume']]


def scenario(
    name: str, chapter: str, *steps: Step, on_purpose: str | None = None,
    together: dict[str, list[str]] | None = None, watch: dict[str, list[str]] | None = None,
    deaf: list[str] | None = None,
) -> Scenario:
    return Scenario(
        f'server events/{name}', chapter, [*steps], ignore=['data', 'readable'],
        watch=watch or {'servers': ['listening', '_connections'], 'sockets': []},
        on_purpose=on_purpose, together=together or {}, deaf=deaf or [])


def life(what: str, at: list[Form], to: list[Form]) -> Scenario:
    return scenario(
        f'a whole life: {what}', CONNECTION,
        ['let', 'server', 'net.createServer', fn(
            'accepted', ['get', '$0.readyState', '$0.connecting', '$0.pending'],
            ['call', '$0.resume'])],
        ['call', 'server.listen', *at, fn('listening')],
        ['await', 'server listening'],
        ['let', 'c', 'net.connect', *to],
        ['await', 'server connection'],
        ['await', 'c connect'],
        ['call', 'server.close', fn('closed')],
        ['settle'],
        ['call', 'c.end'],
        ['await', 'server close'],
        ['await', 's1 close'],
        together={'server and socket': ['server', 's1']},
        watch={'servers': ['listening', '_connections'], 'sockets': ['readyState', 'remoteFamily']},
    )


def failing(name: str, event: str, *steps: Step) -> Scenario:
    return scenario(
        f'a listener of {event} throws: {name}', f"net.Server: '{event}'",
        SERVER,
        ['call', 'server.on', event, fn('failing', throws=error('in a listener'))],
        ['call', 'server.on', event, fn('next listener')],
        *steps,
    )


SCENARIOS = [
    *(life(*row) for row in PLACES),
    scenario(
        'connection listeners, in their order', CONNECTION,
        ['let', 'server', 'net.createServer', fn('of the constructor')],
        ['call', 'server.on', 'connection', fn('added')],
        ['call', 'server.prependListener', 'connection', fn('put before')],
        ['call', 'server.once', 'connection', fn('once')],
        *LISTEN,
        *connect('c1'),
        ['await', 'server connection'],
        ['call', 'server.listenerCount', 'connection'],
        *connect('c2'),
        ['await', 'server connection', 2],
    ),
    scenario(
        'ticks come between connections of one turn', CONNECTION,
        ['let', 'server', 'net.createServer', fn(
            'accepted', ['tick', fn('tick', of='server')])],
        *LISTEN,
        *connect('c1'),
        *connect('c2'),
        *connect('c3'),
        ['await', 'tick', 3],
    ),
    scenario(
        'no connection has a listener', CONNECTION,
        SERVER,
        *LISTEN,
        *connect('c'),
        ['await', 'server connection'],
        ['call', 'c.end'],
        ['settle'],
        # Nobody reads what it gets: it never ends.
        ['get', 's1.readyState', 'server._connections'],
    ),
    scenario(
        'connection by hand', CONNECTION,
        ['let', 'server', 'net.createServer', fn('accepted', ['get', '$0.readyState'])],
        ['let', 'c', 'new net.Socket'],
        ['call', 'server.emit', 'connection', ref('c')],
        ['get', 'server._connections'],
    ),
    scenario(
        'a client that connects in the turn of close, after it', CONNECTION,
        SERVER,
        *LISTEN,
        *connect('first'),
        ['await', 'first connect'],
        ['await', 'server connection'],
        ['call', 'server.close'],
        ['let', 'c', 'net.connect', ref('first.remotePort'), '127.0.0.1'],
        ['await', 'c close'],
        ['call', 's1.destroy'],
        ['await', 'server close'],
    ),
    scenario(
        'a connection listener throws', CONNECTION,
        ['let', 'server', 'net.createServer'],
        ['call', 'server.once', 'connection', fn('failing', throws=error('in a listener'))],
        ['call', 'server.on', 'connection', fn('next listener')],
        *LISTEN,
        *connect('c1'),
        ['await', 'uncaught'],
        ['settle'],
        ['get', 'server.listening', 'server._connections', 's1.destroyed'],
        *connect('c2'),
        ['await', 'server connection', 2],
        deaf=['s1'],
        on_purpose='an exception in a listener leaves its socket open, if the process survives',
    ),
    failing('it serves on', 'listening', *LISTEN, ['get', 'server.listening']),
    failing('it is closed', 'close', *LISTEN, ['call', 'server.close', fn('closed')],
            ['settle'], ['get', 'server.listening']),
    failing('it can listen elsewhere', 'error',
            ['let', 'taker', 'net.createServer'],
            ['call', 'taker.listen', 0],
            ['call', 'server.listen', port('taker')],
            ['await', 'uncaught'],
            ['call', 'server.listen', 0],
            ['await', 'server listening']),
    scenario(
        'listen in a connection listener', CONNECTION,
        ['let', 'server', 'net.createServer', fn('accepted', ['call', 'server.listen', 0])],
        *LISTEN,
        *connect('c'),
        ['await', 'server connection'],
    ),
    scenario(
        'all listeners of listening are removed', "net.Server: 'listening'",
        SERVER,
        ['call', 'server.listen', 0, fn('never')],
        ['call', 'server.removeAllListeners', 'listening'],
        ['await', 'server listening'],
        ['call', 'server.close', fn('never, too')],
        ['call', 'server.removeAllListeners'],
        ['await', 'server close'],
    ),
    scenario(
        'error by hand', ERROR,
        SERVER,
        *LISTEN,
        ['call', 'server.emit', 'error', error('by hand')],
        ['settle'],
        ['get', 'server.listening'],
    ),
    scenario(
        'error by hand, and nobody listens', ERROR,
        SERVER,
        *LISTEN,
        ['call', 'server.emit', 'error', error('by hand')],
        ['settle'],
        ['get', 'server.listening'],
        deaf=['server'],
    ),
    scenario(
        'how many listen', "net.Server: 'listening'",
        ['let', 'server', 'net.createServer', fn('accepted')],
        *(['call', 'server.listenerCount', event]
          for event in ('connection', 'listening', 'close', 'drop')),
        ['call', 'server.listen', 0, '127.0.0.1', fn('listening')],
        ['call', 'server.listenerCount', 'listening'],
        ['await', 'server listening'],
        ['call', 'server.listenerCount', 'listening'],
        ['call', 'server.close', fn('closed')],
        ['call', 'server.listenerCount', 'close'],
        ['await', 'server close'],
        ['call', 'server.listenerCount', 'close'],
    ),
    scenario(
        'listeners are told of and taken away', "events: 'newListener', 'removeListener'",
        SERVER,
        ['call', 'server.on', 'newListener', fn('new')],
        ['call', 'server.on', 'removeListener', fn('removed')],
        ['call', 'server.listen', 0, fn('listening')],
        ['await', 'server listening'],
        ['call', 'server.on', 'connection', fn('accepted')],
        ['call', 'server.off', 'connection', fn('accepted')],
        ['call', 'server.eventNames'],
    ),
    scenario(
        'a listener hands the connection on', CONNECTION,
        ['let', 'other', 'net.createServer', fn(
            'taken', ['call', '$0.end', 'from the other'])],
        ['let', 'server', 'net.createServer', fn(
            'accepted', ['call', 'other.emit', 'connection', arg(0)])],
        *LISTEN,
        *connect('c'),
        ['await', 'c close'],
        ['await', 's1 close'],
        ['get', 'server._connections', 'other._connections'],
        together={'servers': ['server', 'other']},
    ),
]
