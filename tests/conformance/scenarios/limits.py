"""Connections that a server refuses: because of ``maxConnections``, or of a block list."""

from __future__ import annotations

from ..form import UNDEFINED, Form, Scenario, Step, error, fn, number, port, ref, tmp

__all__ = ['SCENARIOS']

LIMIT = 'net.Server: listening, maxConnections'
DROP = "net.Server: 'drop'"

SERVER: Step = ['let', 'server', 'net.createServer']

#: ``maxConnections``.
LIMITS: list[tuple[str, Form]] = [
    ('undefined', UNDEFINED),
    ('null', None),
    ('NaN', number('NaN')),
    ('Infinity', number('Infinity')),
    ('0', 0),
    ('-1', -1),
    ('false', False),
    ('true', True),
    ('text 0', '0'),
    ('text 1', '1'),
    ('no text', ''),
    ('text that is no number', 'many'),
    ('1', 1),
    ('2', 2),
    ('1.5', 1.5),
    ('0.5', 0.5),
]

#: Where the server listens | where the client connects to.
PLACES: list[tuple[str, list[Form], list[Form]]] = [
    ('IPv4', [0, '127.0.0.1'], [port(), '127.0.0.1']),
    ('IPv6', [0, '::1'], [port(), '::1']),
    ('IPv4 to any address', [0], [port(), '127.0.0.1']),
    ('a unix socket', [tmp('socket')], [tmp('socket')]),
]

#: What the list has | where the server listens | where the client connects to.
RULES: list[tuple[str, Step, list[Form], list[Form]]] = [
    ('the address', ['addAddress', '127.0.0.1'], [0, '127.0.0.1'], [port(), '127.0.0.1']),
    ('the address, seen as a mapped one', ['addAddress', '127.0.0.1'], [0], [port(), '127.0.0.1']),
    ('another address', ['addAddress', '127.0.0.2'], [0, '127.0.0.1'], [port(), '127.0.0.1']),
    ('an IPv6 address', ['addAddress', '::1', 'ipv6'], [0, '::1'], [port(), '::1']),
    ('another family', ['addAddress', '::1', 'ipv6'], [0], [port(), '127.0.0.1']),
    ('a subnet', ['addSubnet', '127.0.0.0', 8], [0, '127.0.0.1'], [port(), '127.0.0.1']),
    ('a range', ['addRange', '127.0.0.0', '127.0.0.9'], [0], [port(), '127.0.0.1']),
    ('everything, but it is a unix socket', ['addSubnet', '::', 0, 'ipv6'],
     [tmp('socket')], [tmp('socket')]),
]


def scenario(
    name: str, chapter: str, *steps: Step, on_purpose: str | None = None,
) -> Scenario:
    return Scenario(
        f'limits/{name}', chapter, [*steps], ignore=['data', 'readable'],
        watch={'servers': ['_connections'], 'sockets': []}, on_purpose=on_purpose)


def listen(*at: Form) -> list[Step]:
    return [['call', 'server.listen', *at], ['await', 'server listening']]


def connect(name: str, *to: Form) -> list[Step]:
    """Connect, and wait until the server has said yes or no."""
    return [
        ['let', name, 'net.connect', *(to or (port(), '127.0.0.1'))],
        ['call', f'{name}.resume'],
        ['await', f'{name} connect'],
        ['settle'],
    ]


def limit(what: str, value: Form) -> Scenario:
    return scenario(
        f'maxConnections is {what}', LIMIT,
        SERVER,
        ['set', 'server.maxConnections', value],
        ['get', 'server.maxConnections'],
        *listen(0, '127.0.0.1'),
        *connect('c1'), *connect('c2'), *connect('c3'),
        ['get', 'server._connections', 'c1.readyState', 'c2.readyState', 'c3.readyState'],
    )


def dropped(what: str, at: list[Form], to: list[Form]) -> Scenario:
    return scenario(
        f'what drop says: {what}', DROP,
        ['let', 'server', 'net.createServer', fn('accepted')],
        ['set', 'server.maxConnections', 0],
        ['call', 'server.on', 'drop', fn('dropped')],
        *listen(*at),
        *connect('c', *to),
        ['await', 'c close'],
        ['get', 'server._connections'],
    )


def blocked(what: str, rule: Step, at: list[Form], to: list[Form]) -> Scenario:
    method, *of_rule = rule
    return scenario(
        f'the block list has {what}', 'net.BlockList',
        ['let', 'list', 'new net.BlockList'],
        ['call', f'list.{method}', *of_rule],
        ['let', 'server', 'net.createServer', {'blockList': ref('list')}, fn('accepted')],
        ['get', 'server.blockList'],
        *listen(*at),
        *connect('c', *to),
        ['get', 'server._connections', 'c.readyState'],
    )


SCENARIOS = [
    *(limit(*row) for row in LIMITS),
    *(dropped(*row) for row in PLACES),
    *(blocked(*row) for row in RULES),
    scenario(
        'maxConnections is an option', LIMIT,
        ['let', 'server', 'net.createServer', {'maxConnections': 1}],
        ['get', 'server.maxConnections'],
        *listen(0, '127.0.0.1'),
        *connect('c1'), *connect('c2'),
        ['get', 'server._connections', 'c1.readyState', 'c2.readyState'],
        on_purpose='`maxConnections` is a property only',
    ),
    scenario(
        'a connection that ends makes room', LIMIT,
        SERVER,
        ['set', 'server.maxConnections', 1],
        *listen(0, '127.0.0.1'),
        *connect('c1'), *connect('c2'),
        ['call', 's1.destroy'],
        *connect('c3'), *connect('c4'),
        ['get', 'c1.readyState', 'c2.readyState', 'c3.readyState', 'c4.readyState'],
    ),
    scenario(
        'the limit is lowered and raised while there are connections', LIMIT,
        SERVER,
        *listen(0, '127.0.0.1'),
        *connect('c1'), *connect('c2'),
        ['set', 'server.maxConnections', 1],
        *connect('c3'),
        ['get', 'server._connections', 'c1.readyState', 'c2.readyState', 'c3.readyState'],
        ['set', 'server.maxConnections', 3],
        *connect('c4'), *connect('c5'),
        ['get', 'server._connections', 'c4.readyState', 'c5.readyState'],
    ),
    scenario(
        'four clients in one turn', LIMIT,
        SERVER,
        ['set', 'server.maxConnections', 2],
        *listen(0, '127.0.0.1'),
        *(step for name in ('c1', 'c2', 'c3', 'c4') for step in connect(name)[:2]),
        ['await', 'server drop', 2],
        ['settle'],
        ['get', 'server._connections', 'c1.readyState', 'c4.readyState'],
    ),
    scenario(
        'three clients in one turn, each destroyed at once', LIMIT,
        ['let', 'server', 'net.createServer', fn('accepted', ['call', '$0.destroy'])],
        ['set', 'server.maxConnections', 1],
        *listen(0, '127.0.0.1'),
        *(step for name in ('c1', 'c2', 'c3') for step in connect(name)[:2]),
        ['await', 'server connection', 3],
        ['settle'],
        ['get', 'server._connections'],
    ),
    scenario(
        'a listener of drop raises the limit', DROP,
        SERVER,
        ['set', 'server.maxConnections', 0],
        ['call', 'server.on', 'drop', fn('dropped', ['set', 'server.maxConnections', 1])],
        *listen(0, '127.0.0.1'),
        *connect('c1'), *connect('c2'), *connect('c3'),
        ['get', 'server._connections'],
    ),
    scenario(
        'a listener of connection lowers the limit', LIMIT,
        ['let', 'server', 'net.createServer', fn('accepted', ['set', 'server.maxConnections', 1])],
        *listen(0, '127.0.0.1'),
        *connect('c1'), *connect('c2'),
        ['get', 'server._connections'],
    ),
    scenario(
        'close in a listener of drop', DROP,
        SERVER,
        ['set', 'server.maxConnections', 0],
        ['call', 'server.on', 'drop', fn('dropped', ['call', 'server.close', fn('closed')])],
        *listen(0, '127.0.0.1'),
        *connect('c'),
        ['await', 'server close'],
        ['await', 'c close'],
    ),
    scenario(
        'a listener of drop throws', DROP,
        SERVER,
        ['set', 'server.maxConnections', 0],
        ['call', 'server.on', 'drop', fn('failing', throws=error('in a listener'))],
        *listen(0, '127.0.0.1'),
        ['let', 'c', 'net.connect', port(), '127.0.0.1'],
        ['call', 'c.resume'],
        ['await', 'uncaught'],
        ['set', 'server.maxConnections', 1],
        *connect('next'),
        ['get', 'server.listening', 'server._connections'],
        on_purpose="an exception in a `'drop'` listener ends the process",
    ),
    scenario(
        'a dropped connection does not hold up close', 'net.Server: close',
        SERVER,
        ['set', 'server.maxConnections', 0],
        *listen(0, '127.0.0.1'),
        *connect('c'),
        ['await', 'server drop'],
        ['call', 'server.close', fn('closed')],
        ['await', 'server close'],
    ),
    scenario(
        'the limit comes before the block list', DROP,
        ['let', 'list', 'new net.BlockList'],
        ['call', 'list.addAddress', '127.0.0.1'],
        ['let', 'server', 'net.createServer', {'blockList': ref('list')}],
        ['set', 'server.maxConnections', 0],
        *listen(0, '127.0.0.1'),
        *connect('c'),
    ),
    scenario(
        'the block list is set, filled and taken away later', 'net.BlockList',
        ['let', 'list', 'new net.BlockList'],
        SERVER,
        *listen(0, '127.0.0.1'),
        ['set', 'server.blockList', ref('list')],
        *connect('c1'),
        ['call', 'list.addAddress', '127.0.0.1'],
        *connect('c2'),
        ['set', 'server.blockList', None],
        *connect('c3'),
        ['get', 'server._connections', 'c1.readyState', 'c2.readyState', 'c3.readyState'],
    ),
    scenario(
        'a listener of connection blocks the peer', 'net.BlockList',
        ['let', 'list', 'new net.BlockList'],
        ['let', 'server', 'net.createServer', {'blockList': ref('list')}, fn(
            'accepted', ['call', 'list.addAddress', '127.0.0.1'])],
        *listen(0, '127.0.0.1'),
        *connect('c1'), *connect('c2'),
        ['get', 'server._connections', 'c1.readyState', 'c2.readyState'],
    ),
    scenario(
        'a blocked connection does not hold up close', 'net.Server: close',
        ['let', 'list', 'new net.BlockList'],
        ['call', 'list.addAddress', '127.0.0.1'],
        ['let', 'server', 'net.createServer', {'blockList': ref('list')}],
        *listen(0, '127.0.0.1'),
        *connect('c'),
        ['call', 'server.close', fn('closed')],
        ['await', 'server close'],
    ),
]
