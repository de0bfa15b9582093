"""Which address a server gets for a host, and what is said when it can not have it."""

from __future__ import annotations

from ..form import UNDEFINED, Form, Scenario, Step, fn, port, ref

__all__ = ['SCENARIOS']

LISTEN = 'net.Server: listen'
ERROR = "net.Server: 'error'"

STATE: Step = ['get', 'server.listening', 'server._connectionKey']

#: What happens | the host.
HOSTS: list[tuple[str, Form]] = [
    ('IPv4 address', '127.0.0.1'),
    ('IPv6 address', '::1'),
    ('every IPv4 address', '0.0.0.0'),
    ('every address, as IPv6', '::'),
    ('an IPv4 address in short', '127.1'),
    ('a mapped IPv4 address is an IPv6 one', '::ffff:127.0.0.1'),
    ('a zone stays in the key only', '::1%lo'),
    ('no host', None),
    ('undefined is no host', UNDEFINED),
    ('an empty host is none', ''),
]

#: What happens | the host | the port: it can not be bound.
FOREIGN: list[tuple[str, str, Form]] = [
    ('IPv4 with a port', '192.0.2.1', port('first')),
    ('IPv4 without a port', '192.0.2.1', 0),
    ('IPv6 with a port', '2001:db8::1', port('first')),
    ('IPv6 without a port', '2001:db8::1', 0),
    ('a number is an IPv4 address', '10', port('first')),
    ('a link-local address without its zone', 'fe80::1', 0),
]

#: What the first server listens on | the second: on the same port.
CONFLICTS: list[tuple[Form, Form]] = [
    ({}, {}),
    ({'host': '0.0.0.0'}, {}),
    ({'host': '127.0.0.1'}, {}),
    ({'host': '127.0.0.1'}, {'host': '127.0.0.1'}),
    ({'host': '::1'}, {'host': '::1'}),
    ({}, {'host': '127.0.0.1'}),
    ({}, {'host': '0.0.0.0'}),
    ({'ipv6Only': True}, {'host': '0.0.0.0'}),
    ({'host': '::', 'ipv6Only': True}, {'host': '0.0.0.0'}),
    ({'host': '::', 'ipv6Only': 1}, {'host': '0.0.0.0'}),
    ({'host': '::', 'ipv6Only': True}, {'host': '127.0.0.1'}),
    ({'host': '::', 'ipv6Only': True}, {}),
    ({'host': '127.0.0.1', 'ipv6Only': True}, {'host': '::1'}),
    ({'reusePort': True}, {'reusePort': True}),
    ({'reusePort': True}, {}),
    ({}, {'reusePort': True}),
    ({'reusePort': 1}, {'reusePort': 1}),
    ({'host': '127.0.0.1', 'reusePort': True}, {'host': '127.0.0.1', 'reusePort': True}),
]


def of_host(what: str, host: Form) -> Scenario:
    return Scenario(
        f'listen addresses/{what}', LISTEN,
        [
            ['let', 'server', 'net.createServer'],
            ['call', 'server.listen', 0, host, fn('listening')],
            STATE,
            ['await', 'server listening'],
            STATE,
            ['call', 'server.address'],
        ],
    )


def of_foreign(what: str, host: str, wanted: Form) -> Scenario:
    return Scenario(
        f'listen addresses/can not be bound: {what}', ERROR,
        [
            ['let', 'first', 'net.createServer'],
            ['call', 'first.listen', 0],
            ['let', 'server', 'net.createServer'],
            ['call', 'server.listen', wanted, host, fn('listening')],
            ['await', 'server error'],
            STATE,
            ['call', 'server.address'],
        ],
    )


def _text(options: dict[str, Form]) -> str:
    return ' '.join(f'{name} {value}' for name, value in options.items()) or 'no host'


def of_conflict(first: dict[str, Form], second: dict[str, Form]) -> Scenario:
    wanted: Form = 0
    before: list[Step] = []
    after: list[Step] = []
    if first.get('ipv6Only') is True and first.get('host') != '127.0.0.1':
        # Of any free port for IPv6, IPv4 may be in use by another program.
        wanted = port('guard')
        before = [['let', 'guard', 'net.createServer'], ['call', 'guard.listen', 0, '0.0.0.0'],
                  ['await', 'guard listening']]
        after = [['call', 'guard.close']]
    return Scenario(
        f'listen addresses/the same port: {_text(first)}, then {_text(second)}', ERROR,
        [
            *before,
            ['let', 'first', 'net.createServer'],
            ['call', 'first.listen', {'port': wanted, **first}],
            ['await', 'first listening'],
            *after,
            ['let', 'server', 'net.createServer'],
            ['call', 'server.listen', {'port': port('first'), **second}, fn('listening')],
            ['get', 'server.listening'],
            ['settle'],
            STATE,
        ],
    )


SCENARIOS = [
    *(of_host(*row) for row in HOSTS),
    *(of_foreign(*row) for row in FOREIGN),
    *(of_conflict(*row) for row in CONFLICTS),
    Scenario(
        'listen addresses/the option lookup means nothing', LISTEN,
        [
            ['let', 'server', 'net.createServer'],
            ['call', 'server.listen', {'port': 0, 'host': '127.0.0.1', 'lookup': fn('lookup')}],
            ['await', 'server listening'],
            STATE,
        ],
    ),
    Scenario(
        'listen addresses/a name that can not be', ERROR,
        [
            ['let', 'server', 'net.createServer'],
            # One that no name server is asked for.
            ['call', 'server.listen', 0, 'no..name', fn('listening')],
            ['get', 'server.listening'],
            ['await', 'server error'],
            STATE,
        ],
    ),
    Scenario(
        'listen addresses/a name is looked up', LISTEN,
        [
            ['let', 'server', 'net.createServer'],
            ['call', 'server.listen', 0, 'localhost', fn('listening')],
            # The address and the key depend on the machine.
            ['get', 'server.listening'],
            ['await', 'server listening'],
            ['get', 'server.listening'],
        ],
    ),
    Scenario(
        'listen addresses/the port again while old connections wait for their end', LISTEN,
        [
            ['let', 'server', 'net.createServer', fn('accepted', ['call', '$0.end'])],
            ['call', 'server.listen', 0, '127.0.0.1'],
            ['await', 'server listening'],
            ['let', 'c', 'net.connect', port(), '127.0.0.1'],
            ['call', 'c.resume'],
            ['await', 's1 close'],
            ['await', 'c close'],
            ['call', 'server.close'],
            ['await', 'server close'],
            ['call', 'server.listen', ref('s1.localPort'), '127.0.0.1', fn('listening')],
            ['await', 'server listening', 2],
            ['call', 'server.address'],
        ],
        ignore=['readable', 'data'],
    ),
]
