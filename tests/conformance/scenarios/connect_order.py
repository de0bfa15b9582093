"""What happens inside ``connect``, and what after it; and unusual sequences of calls."""

from __future__ import annotations

from typing import Any

from ..form import Scenario, Step, error, fn, port, tmp
from ._peers import HERE, listening, listening_on_path, looked_up

__all__ = ['SCENARIOS']

#: Properties that change on the way to a connection.
STATES = [
    'connecting', 'pending', 'readyState', 'destroyed', 'readable', 'writable', 'bufferSize',
    'remoteAddress', 'remotePort', 'timeout', 'autoSelectFamilyAttemptedAddresses',
]

ADDRESSES = ['localAddress', 'localPort', 'localFamily', 'remoteAddress', 'remotePort',
             'remoteFamily', 'bytesRead', 'bytesWritten', 'server']


def get_states(name: str = 'c') -> Step:
    return ['get', *(f'{name}.{state}' for state in STATES)]


#: Where to connect to, and whether that is a path.
TARGETS: list[tuple[str, dict[str, Any], bool]] = [
    ('an address', HERE, False),
    ('a path', {'path': tmp('path')}, True),
    ('a name, found at once',
     {'port': port(), 'host': 'name.test', 'lookup': looked_up('127.0.0.1')}, False),
    ('a name, found at once as one of a kind',
     {'port': port(), 'host': 'name.test', 'family': 4,
      'lookup': fn('lookup', ['callback', 2, None, '127.0.0.1', 4])}, False),
    ('a name, two addresses',
     {'port': port(), 'host': 'name.test', 'lookup': looked_up('127.0.0.1', '::1')}, False),
    ('a name, twice the same address',
     {'port': port(), 'host': 'name.test', 'lookup': looked_up('127.0.0.1', '127.0.0.1')}, False),
]


def serving(is_path: bool) -> list[Step]:
    return listening_on_path() if is_path else listening()


def step_by_step(name: str, options: dict[str, Any], is_path: bool) -> Scenario:
    return Scenario(
        f'connect order/{name}', "net.Socket: 'connect', 'connectionAttempt', 'lookup'",
        [
            *serving(is_path),
            ['let', 'c', 'new net.Socket'],
            get_states(),
            ['tick', fn('tick before', of='c')],
            ['call', 'c.connect', options, fn('connected', get_states())],
            get_states(),
            ['tick', fn('tick after', of='c')],
            ['await', 'c ready'],
            get_states(),
            ['call', 'c.destroy'],
            ['await', 'c close'],
            get_states(),
        ],
        watch={'sockets': ['readyState', 'connecting', 'pending']},
        quiet=['on', 'once'])


def in_listener(
    event: str, call: str, options: dict[str, Any], name: str, **more: Any,
) -> Scenario:
    """Return a scenario where a listener of *event* calls ``c.destroy`` or another method."""
    return Scenario(
        f'connect order/{call} in {event}, {name}', "net.Socket: 'connect', 'connectionAttempt', "
        "'lookup'",
        [
            *serving('path' in options),
            ['let', 'c', 'new net.Socket'],
            ['call', 'c.on', event, fn('listener', ['call', f'c.{call}'], ['get', 'c.readyState'])],
            ['call', 'c.connect', options],
            ['await', 'c close'],
        ], **more)


SCENARIOS = [
    *(step_by_step(*row) for row in TARGETS),
    Scenario(
        'connect order/a name, found later', "net.Socket: 'connect', 'connectionAttempt', 'lookup'",
        [
            *listening(),
            ['let', 'c', 'new net.Socket'],
            ['call', 'c.connect', {'port': port(), 'host': 'name.test', 'lookup': fn(
                'lookup', ['tick', fn('answer', of='c')])}],
            get_states(),
            ['await', 'answer'],
            get_states(),
            ['call', 'c.destroy'],
            ['await', 'c close'],
        ]),
    Scenario(
        'connect order/addresses of both sides', 'net.Socket: properties',
        [
            *listening(),
            ['let', 'c', 'net.connect', HERE],
            ['await', 'c ready'],
            ['await', 'server connection'],
            ['get', *(f'c.{name}' for name in ADDRESSES)],
            ['get', *(f's1.{name}' for name in ADDRESSES)],
            ['call', 'c.address'],
            ['call', 's1.address'],
            ['call', 'c.destroy'],
            ['await', 'c close'],
            ['get', 'c.remoteAddress', 'c.remotePort', 'c.remoteFamily', 'c.localAddress',
             'c.localPort', 'c.localFamily'],
        ]),
    Scenario(
        'connect order/addresses, IPv6', 'net.Socket: properties',
        [
            ['let', 'server', 'net.createServer'],
            ['call', 'server.listen', 0, '::1'],
            ['await', 'server listening'],
            ['let', 'c', 'net.connect', port(), '::1'],
            ['await', 'c ready'],
            ['await', 'server connection'],
            ['get', *(f'c.{name}' for name in ADDRESSES)],
            ['get', *(f's1.{name}' for name in ADDRESSES)],
            ['call', 'c.address'],
        ]),
    Scenario(
        'connect order/addresses, IPv4 at an IPv6 server', 'net.Socket: properties',
        [
            ['let', 'server', 'net.createServer'],
            ['call', 'server.listen', 0, '::'],
            ['await', 'server listening'],
            ['let', 'c', 'net.connect', port(), '127.0.0.1'],
            ['await', 'c ready'],
            ['await', 'server connection'],
            ['get', *(f'c.{name}' for name in ADDRESSES)],
            ['get', *(f's1.{name}' for name in ADDRESSES)],
            ['call', 's1.address'],
        ]),
    Scenario(
        'connect order/addresses, path', 'net.Socket: properties',
        [
            *listening_on_path(),
            ['let', 'c', 'net.connect', tmp('path')],
            ['await', 'c ready'],
            ['await', 'server connection'],
            ['get', *(f'c.{name}' for name in ADDRESSES)],
            ['get', *(f's1.{name}' for name in ADDRESSES)],
        ]),
    Scenario(
        'connect order/local address before there is a connection', 'net.Socket: properties',
        [
            *listening(),
            ['let', 'c', 'new net.Socket'],
            ['call', 'c.connect', TARGETS[2][1]],
            ['get', 'c.localAddress', 'c.localFamily', 'c.remoteAddress'],
            ['await', 'c ready'],
            ['get', 'c.localAddress', 'c.localFamily', 'c.remoteAddress'],
        ],
        on_purpose="`localAddress` and its like may be known before `'connect'`, depending on when "
        'they were first asked for'),
    Scenario(
        'connect order/local address after close', 'net.Socket: properties',
        [
            *listening(),
            ['let', 'c', 'net.connect', HERE],
            ['await', 'c ready'],
            ['call', 'c.destroy'],
            ['await', 'c close'],
            ['get', 'c.localAddress', 'c.localPort', 'c.localFamily'],
        ]),
    Scenario(
        'connect order/twice', 'net.Socket: connect',
        [
            *listening(),
            ['let', 'c', 'new net.Socket'],
            ['call', 'c.connect', HERE, fn('first')],
            ['call', 'c.connect', HERE, fn('second')],
            ['get', 'c.readyState'],
            ['await', 'c close'],
            ['get', 'c.errored.code', 'c.errored.syscall', 'c.errored.port'],
        ],
        # Its text has the number of the local port.
        ignore=['connection', 'error']),
    Scenario(
        'connect order/twice to a path', 'net.Socket: connect',
        [
            *listening_on_path(),
            ['let', 'c', 'new net.Socket'],
            ['call', 'c.connect', tmp('path'), fn('first')],
            ['call', 'c.connect', tmp('path'), fn('second')],
            ['get', 'c.readyState'],
            ['await', 'c close'],
        ],
        on_purpose='`connect()` twice to a path, at once: the second is `EISCONN`'),
    Scenario(
        'connect order/again when connected', 'net.Socket: connect',
        [
            *listening(),
            ['let', 'c', 'new net.Socket'],
            ['call', 'c.connect', HERE, fn('first')],
            ['await', 'c ready'],
            ['call', 'c.connect', HERE, fn('second')],
            ['get', 'c.readyState'],
            ['settle'],
        ],
        on_purpose="`connect()` of a socket that is connected emits `'connect'` again, whatever it "
        'was asked for'),
    Scenario(
        "connect order/again after 'close'", 'net.Socket: connect',
        [
            *listening(),
            ['let', 'c', 'new net.Socket'],
            ['call', 'c.on', 'connect', fn('listener')],
            ['call', 'c.connect', HERE, fn('first')],
            ['await', 'c ready'],
            ['call', 'c.write', 'hello'],
            ['call', 'c.destroy'],
            ['await', 'c close'],
            ['get', 'c.bytesWritten', 'c.destroyed'],
            ['call', 'c.connect', HERE, fn('second')],
            get_states(),
            ['get', 'c.bytesWritten', 'c.destroyed', 'c.writableEnded', 'c.readableEnded'],
            ['await', 'c ready', 2],
            ['get', 'c.bytesWritten', 'c.destroyed', 'c.errored'],
            ['call', 'c.end', 'bye'],
            ['await', 'c finish'],
            ['get', 'c.bytesWritten'],
        ]),
    Scenario(
        "connect order/again in 'close'", 'net.Socket: connect',
        [
            *listening(),
            ['let', 'c', 'new net.Socket'],
            ['call', 'c.once', 'close', fn('again', ['call', 'c.connect', HERE, fn('second')])],
            ['call', 'c.connect', {'port': 1, 'host': '127.0.0.1'}, fn('first')],
            ['await', 'c ready'],
            ['get', 'c.errored', 'c.destroyed', 'c.readyState'],
        ]),
    Scenario(
        'connect order/again after both have ended', 'net.Socket: connect',
        [
            *listening(fn('accepted', ['call', '$0.end', 'bye'])),
            ['let', 'c', 'new net.Socket'],
            ['call', 'c.setEncoding', 'latin1'],
            ['call', 'c.on', 'data', fn('received')],
            ['call', 'c.connect', HERE],
            ['await', 'c close'],
            ['get', 'c.readableEnded', 'c.writableEnded', 'c.writableFinished', 'c.bytesRead'],
            ['call', 'c.connect', HERE],
            ['get', 'c.readableEnded', 'c.writableEnded', 'c.writableFinished', 'c.bytesRead'],
            ['await', 'c close', 2],
            ['get', 'c.readableEnded', 'c.writableEnded', 'c.writableFinished', 'c.bytesRead'],
        ]),
    Scenario(
        'connect order/again after it was refused', 'net.Socket: connect',
        [
            *listening(),
            ['let', 'c', 'new net.Socket'],
            ['call', 'c.connect', {'port': 1, 'host': '127.0.0.1'}, fn('first')],
            ['await', 'c close'],
            ['call', 'c.connect', HERE, fn('second')],
            ['await', 'c ready'],
            ['get', 'c.errored'],
        ]),
    Scenario(
        'connect order/after destroy of a new socket', 'net.Socket: connect',
        [
            *listening(),
            ['let', 'c', 'new net.Socket'],
            ['call', 'c.destroy'],
            ['await', 'c close'],
            ['call', 'c.connect', HERE, fn('connected')],
            ['await', 'c ready'],
            ['get', 'c.destroyed'],
        ]),
    Scenario(
        'connect order/an answer comes twice', 'net.Socket: connect',
        [
            *listening(),
            ['let', 'c', 'new net.Socket'],
            ['call', 'c.connect', {'port': port(), 'host': 'name.test', 'family': 4, 'lookup': fn(
                'lookup', ['callback', 2, None, '127.0.0.1', 4],
                ['callback', 2, None, '127.0.0.1', 4])}],
            ['settle'],
            ['get', 'c.readyState'],
        ],
        ignore=['connection', 'error'],
        on_purpose='a look-up function that calls back twice begins a second attempt on the same '
        'descriptor (`EALREADY`)'),
    Scenario(
        'connect order/a look-up that throws', 'net.Socket: connect',
        [
            ['let', 'c', 'new net.Socket'],
            ['call', 'c.connect', {'port': 1, 'host': 'name.test', 'lookup': fn(
                'lookup', throws=error('no look-up'))}],
        ],
        on_purpose="a look-up function that throws leaves the socket `'opening'` for ever"),
    in_listener('lookup', 'destroy', TARGETS[2][1], 'one address'),
    in_listener('lookup', 'destroy', TARGETS[3][1], 'one of a kind'),
    in_listener('lookup', 'destroy', TARGETS[4][1], 'two addresses'),
    in_listener('connect', 'destroy', HERE, 'address'),
    in_listener('connect', 'destroy', {'path': tmp('path')}, 'path'),
    in_listener('connect', 'resetAndDestroy', HERE, 'address'),
    in_listener('connect', 'destroySoon', HERE, 'address'),
    in_listener('ready', 'destroy', HERE, 'address'),
    in_listener(
        'connectionAttempt', 'destroy', HERE, 'address',
        on_purpose="`destroy()` in a listener of `'connectionAttempt'` throws in Node's own code"),
    Scenario(
        'connect order/destroy with an error in connect', "net.Socket: 'close', 'error'",
        [
            *listening(),
            ['let', 'c', 'net.connect', HERE, fn(
                'connected', ['call', 'c.destroy', error('enough')])],
            ['await', 'c close'],
        ]),
    Scenario(
        'connect order/end in connect', 'net.Socket: end',
        [
            *listening(fn('accepted', ['call', '$0.resume'])),
            ['let', 'c', 'net.connect', HERE, fn(
                'connected', ['call', 'c.end', 'bye', fn('ended')])],
            ['call', 'c.resume'],
            ['await', 'c close'],
        ]),
    Scenario(
        'connect order/callbacks and listeners', "net.Socket: 'connect', 'connectionAttempt', "
        "'lookup'",
        [
            *listening(),
            ['let', 'c', 'new net.Socket'],
            ['call', 'c.on', 'ready', fn('ready listener')],
            ['call', 'c.on', 'connect', fn('listener before', ['tick', fn('tick', of='c')])],
            ['call', 'c.connect', HERE, fn('callback')],
            ['call', 'c.on', 'connect', fn('listener after')],
            ['call', 'c.listenerCount', 'connect'],
            ['await', 'c ready'],
            ['call', 'c.listenerCount', 'connect'],
        ]),
    Scenario(
        'connect order/callback after a failure', 'net.Socket: connect',
        [
            *listening(),
            ['let', 'c', 'new net.Socket'],
            ['call', 'c.connect', {'port': 1, 'host': '127.0.0.1'}, fn('first')],
            ['await', 'c close'],
            ['call', 'c.listenerCount', 'connect'],
            ['call', 'c.connect', HERE],
            ['await', 'c ready'],
        ]),
    *(
        Scenario(
            f'connect order/{call} right after connect to {name}', chapter,
            [
                *serving(is_path),
                ['let', 'c', 'new net.Socket'],
                ['call', 'c.connect', options, fn('connected')],
                ['call', f'c.{call}'],
                get_states(),
                ['tick', fn('tick', of='c')],
                ['settle'],
                ['get', 'c.readyState'],
            ])
        for call, chapter in (
            ('destroy', 'net.Socket: destroy, destroySoon, resetAndDestroy'),
            ('destroySoon', 'net.Socket: destroy, destroySoon, resetAndDestroy'),
            ('resetAndDestroy', 'net.Socket: destroy, destroySoon, resetAndDestroy'),
            ('end', 'net.Socket: end'),
            ('pause', 'net.Socket: pause, resume, read, unshift, setEncoding'),
            ('read', 'net.Socket: pause, resume, read, unshift, setEncoding'),
        )
        for name, options, is_path in TARGETS[:3]
    ),
]
