"""The end of a server: ``close``, its callback, and the event."""

from __future__ import annotations

from ..form import Form, Scenario, Step, error, fn, port, tmp

__all__ = ['SCENARIOS']

CLOSE = 'net.Server: close'
EVENT = "net.Server: 'close'"

SERVER: Step = ['let', 'server', 'net.createServer']

STATE: Step = ['get', 'server.listening', 'server._connections']

#: What the server listens on | what clients connect to.
PLACES: list[tuple[str, list[Form], list[Form]]] = [
    ('IPv4', [0, '127.0.0.1'], [port(), '127.0.0.1']),
    ('IPv6', [0, '::1'], [port(), '::1']),
    ('a unix socket', [tmp('socket')], [tmp('socket')]),
]

#: Callbacks that are none: they are ignored.
NO_CALLBACKS: list[Form] = [None, 5, 'text', {}, False]

#: In which state the server is | the steps that bring it there.
STATES: list[tuple[str, list[Step]]] = [
    ('it never listened', []),
    ('it is closed', [
        ['call', 'server.listen', 0],
        ['await', 'server listening'],
        ['call', 'server.close', fn('closed before')],
        ['await', 'server close'],
    ]),
    ('its listen has failed', [
        ['let', 'taker', 'net.createServer'],
        ['call', 'taker.listen', 0],
        ['call', 'server.listen', port('taker')],
        ['await', 'server error'],
    ]),
]

#: How the last connection ends. The client neither ends nor is destroyed before the server is
#: closed.
ENDS: list[tuple[str, Step]] = [
    ('the client ends', ['call', 'c.end']),
    ('the client is destroyed', ['call', 'c.destroy']),
    ('the client resets it', ['call', 'c.resetAndDestroy']),
    ('the server ends it', ['call', 's1.end']),
    ('the server destroys it', ['call', 's1.destroy']),
    ('the server destroys it with an error', ['call', 's1.destroy', error('enough')]),
    ('the server resets it', ['call', 's1.resetAndDestroy']),
    ('the server writes and ends softly', ['call', 's1.destroySoon']),
]


def scenario(
    name: str, chapter: str, *steps: Step, on_purpose: str | None = None,
) -> Scenario:
    return Scenario(
        f'server close/{name}', chapter, [*steps], ignore=['data', 'readable'],
        watch={'servers': ['listening', '_connections'], 'sockets': []},
        together={'server and sockets': ['server', 's1', 's2']}, on_purpose=on_purpose)


def listen(*at: Form) -> list[Step]:
    return [['call', 'server.listen', *(at or (0, '127.0.0.1'))], ['await', 'server listening']]


def connect(name: str, number: int, *to: Form) -> list[Step]:
    return [
        ['let', name, 'net.connect', *(to or (port(), '127.0.0.1'))],
        ['call', f'{name}.resume'],
        ['await', f'{name} connect'],
        ['await', 'server connection', number],
    ]


#: A server whose connections are read, so that they end when their peer does.
READING: Step = ['let', 'server', 'net.createServer', fn('accepted', ['call', '$0.resume'])]


def without_connections(what: str, at: list[Form], _to: list[Form]) -> list[Scenario]:
    return [
        scenario(
            f'{what}: no connections', CLOSE,
            SERVER,
            ['call', 'server.on', 'close', fn('listener')],
            *listen(*at),
            ['tick', fn('tick before', of='server')],
            ['call', 'server.close', fn('callback')],
            ['tick', fn('tick after', STATE, of='server')],
            STATE,
            ['await', 'server close'],
            ['settle'],
            ['call', 'server.listenerCount', 'close'],
        ),
        scenario(
            f'{what}: twice, no connections', CLOSE,
            SERVER,
            *listen(*at),
            ['call', 'server.close', fn('first')],
            ['call', 'server.close', fn('second')],
            ['await', 'server close'],
            ['settle'],
        ),
    ]


def with_connection(what: str, at: list[Form], to: list[Form]) -> list[Scenario]:
    return [
        scenario(
            f'{what}: twice, with a connection', CLOSE,
            READING,
            *listen(*at),
            *connect('c', 1, *to),
            ['call', 'server.close', fn('first')],
            ['call', 'server.close', fn('second')],
            ['settle'],
            STATE,
            ['call', 'c.end'],
            ['await', 's1 close'],
            ['await', 'c close'],
            ['settle'],
        ),
        *(
            scenario(
                f'{what}: {how}', EVENT,
                READING,
                *listen(*at),
                *connect('c', 1, *to),
                ['call', 'server.close', fn('closed', STATE)],
                ['settle'],
                STATE,
                end,
                ['await', 's1 close'],
                ['await', 'c close'],
                ['settle'],
            )
            for how, end in ENDS
            # Unix sockets know no resets.
            if what != 'a unix socket' or 'resets' not in how
        ),
    ]


def again(what: str, before: list[Step]) -> Scenario:
    return scenario(
        f'{what}', CLOSE,
        SERVER,
        ['call', 'server.on', 'close', fn('listener')],
        *before,
        ['call', 'server.close', fn('callback')],
        ['call', 'server.listenerCount', 'close'],
        ['settle'],
        ['call', 'server.close', fn('another callback')],
        ['settle'],
        ['call', 'server.close'],
        ['settle'],
    )


SCENARIOS = [
    *(made for place in PLACES for made in without_connections(*place)),
    *(made for place in PLACES for made in with_connection(*place)),
    *(again(*row) for row in STATES),
    scenario(
        'callbacks that are none', CLOSE,
        SERVER,
        *(
            step for callback in NO_CALLBACKS
            for step in (['call', 'server.close', callback], ['settle'])
        ),
    ),
    scenario(
        'two connections, and the server is closed by a listener', CLOSE,
        ['let', 'server', 'net.createServer', fn('accepted', ['call', '$0.resume'])],
        *listen(),
        *connect('c1', 1), *connect('c2', 2),
        ['call', 's1.on', 'end', fn('ended', ['call', 'server.close', fn('closed')])],
        ['call', 'c1.end'],
        ['await', 's1 close'],
        STATE,
        ['call', 'c2.end'],
        ['await', 's2 close'],
    ),
    scenario(
        'close in a connection listener', CLOSE,
        ['let', 'server', 'net.createServer', fn(
            'accepted', ['call', 'server.close', fn('closed')], ['call', '$0.end', 'good bye'])],
        *listen(),
        ['let', 'c', 'net.connect', port(), '127.0.0.1'],
        ['call', 'c.resume'],
        ['await', 'c close'],
        ['await', 'server close'],
        ['await', 's1 close'],
    ),
    scenario(
        'a connection listener destroys the connection, then closes', EVENT,
        ['let', 'server', 'net.createServer', fn(
            'accepted', ['call', '$0.destroy'], ['call', 'server.close', fn('closed')])],
        *listen(),
        ['let', 'c', 'net.connect', port(), '127.0.0.1'],
        ['call', 'c.resume'],
        ['await', 'c close'],
        ['await', 's1 close'],
    ),
    scenario(
        'a connection listener closes, then destroys the connection', EVENT,
        ['let', 'server', 'net.createServer', fn(
            'accepted', ['call', 'server.close', fn('closed')], ['call', '$0.destroy'])],
        *listen(),
        ['let', 'c', 'net.connect', port(), '127.0.0.1'],
        ['call', 'c.resume'],
        ['await', 'c close'],
        ['await', 's1 close'],
    ),
    scenario(
        'connections go on after close', CLOSE,
        ['let', 'server', 'net.createServer', fn('accepted', ['call', '$0.pipe', {
            '$': 'arg', 'position': 0}])],
        *listen(),
        ['let', 'c', 'net.connect', port(), '127.0.0.1'],
        ['await', 'c connect'],
        ['await', 'server connection'],
        ['call', 'server.close', fn('closed')],
        ['call', 'c.setEncoding', 'utf8'],
        ['call', 'c.once', 'data', fn('echoed', ['call', 'c.end'])],
        ['call', 'c.write', 'still there'],
        ['await', 'c close'],
        ['await', 'server close'],
    ),
    scenario(
        'the callback listens again', CLOSE,
        SERVER,
        *listen(),
        ['call', 'server.close', fn('closed', ['call', 'server.listen', 0, fn('listening')])],
        ['await', 'server listening', 2],
        ['call', 'server.close', fn('closed again')],
        ['await', 'server close', 2],
    ),
    scenario(
        'it listens again while an old connection is open', CLOSE,
        READING,
        *listen(),
        *connect('c1', 1),
        ['call', 'server.close', fn('closed')],
        ['call', 'server.listen', 0, '127.0.0.1'],
        ['await', 'server listening', 2],
        ['call', 'c1.end'],
        ['await', 's1 close'],
        ['await', 'c1 close'],
        ['settle'],
        STATE,
        *connect('c2', 2),
        ['call', 'server.close', fn('closed again')],
        ['call', 'c2.end'],
        ['await', 's2 close'],
        ['settle'],
    ),
    scenario(
        'the callback throws', CLOSE,
        SERVER,
        *listen(),
        ['call', 'server.close', fn('closed', throws=error('in the callback'))],
        ['await', 'uncaught'],
        STATE,
        *listen(),
        ['call', 'server.close', fn('closed again')],
        ['settle'],
    ),
    scenario(
        'the callback is a listener', CLOSE,
        SERVER,
        ['call', 'server.on', 'newListener', fn('new')],
        *listen(),
        ['call', 'server.close', fn('callback')],
        ['call', 'server.listeners', 'close'],
        ['call', 'server.off', 'close', fn('callback')],
        ['call', 'server.listeners', 'close'],
        ['await', 'server close'],
        # Now it is wrapped, and not found.
        ['call', 'server.close', fn('callback')],
        ['call', 'server.off', 'close', fn('callback')],
        ['call', 'server.listenerCount', 'close'],
        ['await', 'server close', 2],
    ),
    scenario(
        'listeners that are put before the callback', CLOSE,
        SERVER,
        *listen(),
        ['call', 'server.close', fn('callback')],
        ['call', 'server.prependListener', 'close', fn('before')],
        ['call', 'server.prependOnceListener', 'close', fn('before, once')],
        ['await', 'server close'],
    ),
    scenario(
        'close by hand calls the callback, and comes again', EVENT,
        SERVER,
        *listen(),
        *connect('c', 1),
        ['call', 'server.close', fn('callback')],
        ['call', 'server.emit', 'close'],
        ['call', 's1.destroy'],
        ['settle'],
    ),
    scenario(
        'the server lets its side of a connection open', EVENT,
        ['let', 'server', 'net.createServer', {'allowHalfOpen': True}, fn(
            'accepted', ['call', '$0.resume'])],
        *listen(),
        *connect('c', 1),
        ['call', 'c.end'],
        ['await', 's1 end'],
        ['call', 'server.close', fn('closed')],
        ['settle'],
        STATE,
        ['call', 's1.end'],
        ['await', 's1 close'],
    ),
    scenario(
        'a connection that was paused from the start', EVENT,
        ['let', 'server', 'net.createServer', {'pauseOnConnect': True}],
        *listen(),
        *connect('c', 1),
        ['call', 'c.end'],
        ['call', 'server.close', fn('closed')],
        ['settle'],
        STATE,
        ['call', 's1.resume'],
        ['await', 's1 close'],
    ),
    scenario(
        'a listener of end listens again', EVENT,
        READING,
        *listen(),
        *connect('c', 1),
        ['call', 's1.once', 'end', fn('ended', ['call', 'server.listen', 0, fn('listening')])],
        ['call', 'server.close', fn('closed')],
        ['call', 'c.end'],
        ['await', 's1 close'],
        ['await', 'server listening', 2],
        ['settle'],
        STATE,
        ['call', 'server.close'],
        ['await', 'server close'],
    ),
    scenario(
        '_emitCloseIfDrained by hand', EVENT,
        SERVER,
        ['call', 'server._emitCloseIfDrained'],
        ['await', 'server close'],
        *listen(),
        ['call', 'server._emitCloseIfDrained'],
        ['settle'],
    ),
]
