"""When ``listen`` takes effect and says so, and what comes of it together with other calls."""

from __future__ import annotations

from ..form import Form, Scenario, Step, error, fn, port, ref, tmp

__all__ = ['SCENARIOS']

LISTEN = 'net.Server: listen'
LISTENING = "net.Server: 'listening'"
ERROR = "net.Server: 'error'"

STATE: Step = ['get', 'server.listening', 'server._listeningId']

SERVER: Step = ['let', 'server', 'net.createServer']

ANY: Form = {'port': 0}
LOOPBACK: Form = {'port': 0, 'host': '127.0.0.1'}
PATH: Form = {'path': tmp('socket')}

#: What the server listens on.
TARGETS: list[tuple[str, Form]] = [
    ('no host', ANY), ('an address as host', LOOPBACK), ('a path', PATH),
]

#: The same, taken already by the server called *taker*.
TAKEN: list[tuple[str, Form]] = [
    ('no host', {'port': port('taker')}),
    ('an address as host', {'port': port('taker'), 'host': '::1'}),
    ('a path', {'path': tmp('taken')}),
]

#: A server that has a port, and a file.
TAKER: list[Step] = [
    ['file', 'taken'],
    ['let', 'taker', 'net.createServer'],
    ['call', 'taker.listen', 0],
    ['await', 'taker listening'],
]


def tick(name: str, *do: Step) -> Step:
    return ['tick', fn(name, *do, of='server')]


def on(event: str, name: str, *do: Step) -> Step:
    return ['call', 'server.on', event, fn(name, *do)]


def scenario(
    name: str, chapter: str, *steps: Step, signal: bool = False, deaf: bool = False,
    on_purpose: str | None = None,
) -> Scenario:
    before: list[Step] = [['let', 'signal', 'signal']] if signal else []
    return Scenario(
        f'listen order/{name}', chapter, [*before, SERVER, *steps],
        watch={'servers': ['listening']}, deaf=['server'] if deaf else [], on_purpose=on_purpose,
    )


def successes(on_what: str, target: Form) -> list[Scenario]:
    return [
        scenario(
            f'{on_what}: ticks, listeners and the callback', LISTENING,
            tick('tick before', STATE),
            on('listening', 'listener before'),
            ['call', 'server.listen', target, fn('callback')],
            on('listening', 'listener after'),
            STATE,
            ['call', 'server.listenerCount', 'listening'],
            tick('tick after', STATE, tick('tick of a tick', STATE)),
            ['await', 'server listening'],
            ['call', 'server.listenerCount', 'listening'],
        ),
        scenario(
            f'{on_what}: close at once', "net.Server: 'close'",
            ['call', 'server.listen', target, fn('listening')],
            ['call', 'server.close', fn('closed')],
            tick('tick', STATE),
            ['await', 'server close'],
            ['settle'],
            STATE,
            # Its callback is still registered.
            ['call', 'server.listenerCount', 'listening'],
        ),
        scenario(
            f'{on_what}: close in a listener of listening', LISTENING,
            on('listening', 'first', ['call', 'server.close', fn('closed')]),
            ['call', 'server.listen', target, fn('second')],
            ['await', 'server close'],
        ),
        scenario(
            f'{on_what}: close, and listen again at once', LISTEN,
            ['call', 'server.listen', target, fn('listening')],
            ['await', 'server listening'],
            ['call', 'server.close', fn('closed')],
            ['call', 'server.listen', target, fn('listening again')],
            STATE,
            ['await', 'server listening', 2],
            STATE,
        ),
        scenario(
            f'{on_what}: listen in a listener of close', LISTEN,
            ['call', 'server.once', 'close', fn(
                'closed', ['call', 'server.listen', target, fn('listening again')])],
            ['call', 'server.listen', target, fn('listening')],
            ['await', 'server listening'],
            ['call', 'server.close'],
            ['await', 'server listening', 2],
            STATE,
        ),
        scenario(
            f'{on_what}: a second listen when it listens', LISTEN,
            ['call', 'server.listen', target],
            ['await', 'server listening'],
            ['call', 'server.listen', target, fn('never')],
            ['call', 'server.listenerCount', 'listening'],
            STATE,
        ),
        scenario(
            f'{on_what}: a listener of listening throws', LISTENING,
            on('listening', 'failing', ['throw', error('in a listener')]),
            ['call', 'server.listen', target, fn('callback')],
            ['await', 'uncaught'],
            STATE,
        ),
    ]


def failures(on_what: str, target: Form) -> list[Scenario]:
    return [
        scenario(
            f'{on_what}: taken', ERROR,
            *TAKER,
            tick('tick before', STATE),
            ['call', 'server.listen', target, fn('callback')],
            STATE,
            tick('tick after', STATE, tick('tick of a tick', STATE)),
            ['await', 'server error'],
            ['settle'],
            STATE,
            # After a failure, too.
            ['call', 'server.listenerCount', 'listening'],
            ['call', 'server.listen', 0, fn('next callback')],
            ['await', 'server listening'],
        ),
        scenario(
            f'{on_what}: taken, and close at once', ERROR,
            *TAKER,
            ['call', 'server.listen', target, fn('listening')],
            ['call', 'server.close', fn('closed')],
            ['await', 'server close'],
            ['settle'],
            STATE,
        ),
        scenario(
            f'{on_what}: taken, and another try in the listener of error', ERROR,
            *TAKER,
            ['call', 'server.once', 'error', fn(
                'failed', ['call', 'server.listen', 0, fn('callback of the second')])],
            ['call', 'server.listen', target, fn('callback of the first')],
            ['await', 'server listening'],
            STATE,
        ),
        scenario(
            f'{on_what}: taken, and nobody listens to error', ERROR,
            *TAKER,
            ['call', 'server.listen', target],
            ['await', 'uncaught'],
            STATE,
            deaf=True,
        ),
    ]


def signals(on_what: str, target: dict[str, Form]) -> list[Scenario]:
    listen: Step = [
        'call', 'server.listen', {**target, 'signal': ref('signal')},
        fn('listening')]
    return [
        scenario(
            f'{on_what}: the signal is set later', LISTEN,
            listen,
            ['await', 'server listening'],
            ['call', 'server.listenerCount', 'close'],
            ['abort', 'signal'],
            ['await', 'server close'],
            ['call', 'server.listenerCount', 'close'],
            STATE,
            signal=True,
        ),
        scenario(
            f'{on_what}: the signal is set already', LISTEN,
            ['abort', 'signal'],
            listen,
            STATE,
            ['await', 'server close'],
            ['settle'],
            STATE,
            signal=True,
        ),
        scenario(
            f'{on_what}: the signal is set after close, when it listens again', LISTEN,
            listen,
            ['await', 'server listening'],
            ['call', 'server.close'],
            ['await', 'server close'],
            ['call', 'server.listen', target],
            ['await', 'server listening', 2],
            ['abort', 'signal'],
            ['settle'],
            STATE,
            signal=True,
        ),
    ]


SCENARIOS = [
    *(made for target in TARGETS for made in successes(*target)),
    *(made for target in TAKEN for made in failures(*target)),
    *(made for target in TARGETS for made in signals(*target)),
    scenario(
        'the signal closes inside abort', LISTEN,
        ['call', 'server.listen', {**ANY, 'signal': ref('signal')}],
        ['await', 'server listening'],
        ['abort', 'signal'],
        STATE,
        ['await', 'server close'],
        signal=True,
        on_purpose='a signal closes the server inside `abort()`',
    ),
    scenario(
        'the signal is set in the turn of listen', LISTEN,
        ['call', 'server.listen', {**ANY, 'signal': ref('signal')}, fn('listening')],
        ['abort', 'signal'],
        ['await', 'server close'],
        ['settle'],
        STATE,
        signal=True,
        on_purpose='a signal closes the server inside `abort()`',
    ),
    scenario(
        'each listen has its own signal', LISTEN,
        ['let', 'next signal', 'signal'],
        ['call', 'server.listen', {**ANY, 'signal': ref('signal')}],
        ['await', 'server listening'],
        ['call', 'server.close'],
        ['call', 'server.listen', {**ANY, 'signal': ref('next signal')}],
        ['await', 'server listening', 2],
        ['abort', 'signal'],
        ['settle'],
        STATE,
        ['abort', 'next signal'],
        ['settle'],
        STATE,
        signal=True,
    ),
    scenario(
        'the same callback twice', LISTENING,
        ['call', 'server.listen', 0, '127.0.0.1', fn('listening')],
        ['call', 'server.listen', 0, '::1', fn('listening')],
        ['await', 'server listening'],
        ['call', 'server.address'],
    ),
    scenario(
        'a failure, close and listen in one turn', LISTEN,
        *TAKER,
        ['call', 'server.listen', port('taker'), fn('callback of the first')],
        ['call', 'server.close', fn('closed')],
        ['call', 'server.listen', 0, fn('callback of the second')],
        ['settle'],
        STATE,
    ),
    scenario(
        'the signal outlives a failed listen', LISTEN,
        *TAKER,
        ['call', 'server.listen', {
            'port': port('taker'), 'signal': ref('signal')}],
        ['await', 'server error'],
        ['call', 'server.listen', 0],
        ['await', 'server listening'],
        ['abort', 'signal'],
        ['await', 'server close'],
        signal=True,
    ),
    scenario(
        'the signal ends no connection', LISTEN,
        ['call', 'server.listen', {**LOOPBACK, 'signal': ref('signal')}],
        ['await', 'server listening'],
        ['let', 'c', 'net.connect', port(), '127.0.0.1'],
        ['await', 'c connect'],
        ['await', 'server connection'],
        ['abort', 'signal'],
        ['settle'],
        ['get', 'server.listening', 'server._connections', 'c.readyState'],
        ['call', 'c.destroy'],
        ['call', 's1.destroy'],
        ['await', 'server close'],
        signal=True,
    ),
    scenario(
        'a second listen while the host is looked up', LISTEN,
        ['call', 'server.listen', LOOPBACK, fn('callback of the first')],
        ['call', 'server.listen', {'port': 0, 'host': '::1'}, fn('callback of the second')],
        STATE,
        ['await', 'server listening'],
        ['settle'],
        ['call', 'server.address'],
    ),
    scenario(
        'a second listen without host while the host is looked up', LISTEN,
        ['call', 'server.listen', LOOPBACK, fn('callback of the first')],
        ['call', 'server.listen', 0, fn('callback of the second')],
        STATE,
        ['await', 'server listening'],
        ['settle'],
        ['call', 'server.address'],
    ),
    scenario(
        'close while a name is looked up', "net.Server: 'close'",
        ['call', 'server.listen', 0, 'localhost', fn('listening')],
        ['call', 'server.close', fn('closed')],
        ['await', 'server close'],
        ['settle'],
        STATE,
    ),
    scenario(
        'the same port again in the turn of close', LISTEN,
        ['call', 'server.listen', 0],
        ['await', 'server listening'],
        ['let', 'c', 'net.connect', port(), '127.0.0.1'],
        ['await', 'c connect'],
        ['await', 'server connection'],
        ['call', 'server.close', fn('closed')],
        ['call', 'server.listen', ref('c.remotePort'), fn('listening again')],
        ['call', 'server.address'],
        ['await', 'server listening', 2],
        ['call', 's1.destroy'],
        ['await', 'c close'],
        ['call', 'server.close', fn('closed again')],
        ['await', 'server close'],
    ),
    Scenario(
        'listen order/two servers in one turn', LISTENING,
        [
            SERVER,
            ['let', 'other', 'net.createServer'],
            ['call', 'other.listen', 0, fn('second')],
            ['call', 'server.listen', 0, fn('first')],
            ['await', 'server listening'],
        ],
        together={'both': ['server', 'other']},
    ),
]
