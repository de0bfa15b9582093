"""Connections that do not come about: what is emitted, and what the errors say."""

from __future__ import annotations

from typing import Any

from ..form import Form, Scenario, Step, error, fn, port, ref, tmp
from ._peers import HERE, NOBODY, listening, looked_up

__all__ = ['SCENARIOS']

#: What the socket is like in each listener.
STATES = ['readyState', 'connecting', 'destroyed', 'pending']

CONNECT = "net.Socket: 'connect', 'connectionAttempt', 'lookup'"


def answering(*answer: Form) -> Form:
    """Return a look-up function that answers this."""
    return fn('lookup', ['callback', 2, *answer])


def named(lookup: Form, **more: Any) -> dict[str, Any]:
    return {'port': 1, 'host': 'name.test', 'lookup': lookup, **more}


#: A name, and options of ``connect`` that come to nothing.
FAILING: list[tuple[str, dict[str, Any]]] = [
    ('refused, IPv4', NOBODY),
    ('refused, IPv6', {'port': 1, 'host': '::1'}),
    ('refused, mapped', {'port': 1, 'host': '::ffff:127.0.0.1'}),
    ('refused, other spelling of IPv6', {'port': 1, 'host': '0:0:0:0:0:0:0:1'}),
    ('refused, port 0', {'port': 0, 'host': '127.0.0.1'}),
    ('refused, port 0, IPv6', {'port': 0, 'host': '::1'}),
    ('refused, port 0 of a path that is empty', {'path': '', 'host': '127.0.0.1'}),
    ('refused, localAddress', {**NOBODY, 'localAddress': '127.0.0.1'}),
    ('refused, localPort, several addresses',
     named(looked_up('127.0.0.1', '127.0.0.2'), localPort=5004)),
    ('refused, a name', named(looked_up('127.0.0.1'))),
    ('refused, a name, IPv6', named(looked_up('::1'))),
    ('refused, a name, autoSelectFamily false',
     named(answering(None, '127.0.0.1', 4), autoSelectFamily=False)),
    ('no route, IPv4', {'port': 80, 'host': '255.255.255.255'}),
    ('no route, a name', named(looked_up('255.255.255.255'))),
    ('path that is missing', {'path': tmp('missing')}),
    ('path in a directory that is missing', {'path': tmp('missing/path')}),
    ('path that is a file', {'path': tmp('file')}),
    ('path that is a directory', {'path': tmp('directory')}),
    ('path that is too long', {'path': '/' + 'x' * 108}),
    ('path that is much too long', {'path': '/' + 'x' * 300}),
    ('path with a NUL', {'path': 'a\0b'}),
    ('path that is abstract', {'path': '\0nobody is there'}),
    ('bind, address of nobody', {**NOBODY, 'localAddress': '203.0.113.9'}),
    ('bind, address of nobody, port', {**NOBODY, 'localAddress': '203.0.113.9', 'localPort': 5000}),
    ('bind, other family', {**NOBODY, 'localAddress': '::1'}),
    ('bind, other family, IPv6', {'port': 1, 'host': '::1', 'localAddress': '127.0.0.1'}),
    ('bind, a name', named(answering(None, '127.0.0.1', 4), localAddress='203.0.113.9')),
    ('name that is none', {'port': 1, 'host': 'a..b'}),
    ('name that is none, family 4', {'port': 1, 'host': 'a..b', 'family': 4}),
    ('name that is none, one address', {'port': 1, 'host': 'a..b', 'autoSelectFamily': False}),
    ('look-up fails', named(answering(error('not here')))),
    ('look-up fails, one address', named(answering(error('not here')), family=4)),
    ('look-up gives no address', named(looked_up('nope'))),
    ('look-up gives no address, one address', named(answering(None, 'nope', 4), family=4)),
    ('look-up gives an address of an unknown family',
     named(answering(None, [{'address': '127.0.0.1', 'family': 100}]))),
    ('look-up gives one address of an unknown family',
     named(answering(None, '127.0.0.1', 100), autoSelectFamily=False)),
    ('look-up gives only wrong addresses', named(answering(None, [
        {'address': 'a', 'family': 4}, {'address': '::1', 'family': 5}]))),
    ('look-up gives wrong families and then an address', named(answering(None, [
        {'address': '::1', 'family': 5}, {'address': 'b', 'family': 6}]))),
    ('look-up gives one right and two wrong addresses', named(answering(None, [
        {'address': 'a', 'family': 4}, {'address': '127.0.0.1', 'family': 4},
        {'address': '::1', 'family': 5}]))),
]


def prepare(options: dict[str, Any]) -> list[Step]:
    path = options.get('path')
    if path == tmp('file'):
        return [['file', 'file']]
    return [['mkdir', 'directory']] if path == tmp('directory') else []


def failing(
    name: str, options: Form, *before: Step, made_with: Form = None, **more: Any,
) -> Scenario:
    """Return a scenario in which ``connect(options)`` fails."""
    return Scenario(
        f'connect failures/{name}', CONNECT,
        [
            *before,
            ['let', 'c', 'new net.Socket', *([] if made_with is None else [made_with])],
            ['call', 'c.connect', options, fn('connected')],
            ['get', *(f'c.{state}' for state in STATES)],
            ['tick', fn('tick', of='c')],
            ['await', 'c close'],
            ['get', 'c.errored', 'c.autoSelectFamilyAttemptedAddresses', 'c.bytesWritten'],
        ],
        watch={'sockets': STATES}, **more)


#: Calls before the failure, of which callbacks are told.
PENDING: list[tuple[str, list[Step]]] = [
    ('a write', [['call', 'c.write', 'one', fn('one')]]),
    ('three writes', [
        ['call', 'c.write', name, fn(name)] for name in ('one', 'two', 'three')]),
    ('end', [['call', 'c.end', fn('ended')]]),
    ('end with data', [['call', 'c.end', 'one', fn('ended')]]),
    ('writes and end', [
        ['call', 'c.write', 'one', fn('one')], ['call', 'c.write', 'two', fn('two')],
        ['call', 'c.end', 'three', fn('ended')]]),
    ('corked writes', [
        ['call', 'c.cork'], ['call', 'c.write', 'one', fn('one')],
        ['call', 'c.write', 'two', fn('two')]]),
    ('corked and uncorked writes', [
        ['call', 'c.cork'], ['call', 'c.write', 'one', fn('one')],
        ['call', 'c.write', 'two', fn('two')], ['call', 'c.uncork'],
        ['call', 'c.write', 'three', fn('three')]]),
]

SCENARIOS = [
    *(failing(name, options, *prepare(options)) for name, options in FAILING),
    failing('bind, port taken', {**NOBODY, 'localPort': port()}, *listening()),
    failing('bind, address and port taken',
            {**NOBODY, 'localAddress': '127.0.0.1', 'localPort': port()}, *listening()),
    failing(
        'localPort -1', {**NOBODY, 'localPort': -1},
        on_purpose='`localPort` that is no port: a number modulo 65536'),
    failing(
        'path of 108 bytes', {'path': '/' + 'x' * 107},
        on_purpose='unix socket paths of 108 bytes'),
    Scenario(
        'connect failures/look-up gives nothing', CONNECT,
        [
            ['let', 'c', 'new net.Socket'],
            ['call', 'c.connect', named(answering(None, []))],
            ['settle'],
            ['get', 'c.readyState'],
        ], on_purpose='a look-up without any address hangs'),
    failing(
        'blocked address', HERE, *listening(), ['let', 'rules', 'new net.BlockList'],
        ['call', 'rules.addAddress', '127.0.0.1'], made_with={'blockList': ref('rules')}),
    failing(
        'blocked name', named(looked_up('127.0.0.1')), ['let', 'rules', 'new net.BlockList'],
        ['call', 'rules.addAddress', '127.0.0.1'], made_with={'blockList': ref('rules')}),
    failing(
        'blocked IPv6 subnet', {'port': 1, 'host': '::1'}, ['let', 'rules', 'new net.BlockList'],
        ['call', 'rules.addSubnet', '::', 64, 'ipv6'], made_with={'blockList': ref('rules')}),
    failing(
        'blocked by the option of connect is not looked at', {**NOBODY, 'blockList': ref('rules')},
        ['let', 'rules', 'new net.BlockList'], ['call', 'rules.addAddress', '127.0.0.1']),
    Scenario(
        'connect failures/blocked, net.connect', 'net.connect, net.createConnection',
        [
            ['let', 'rules', 'new net.BlockList'],
            ['call', 'rules.addAddress', '127.0.0.1'],
            ['let', 'c', 'net.connect', {**NOBODY, 'blockList': ref('rules')}],
            ['await', 'c close'],
        ]),
    Scenario(
        'connect failures/paths, net.connect', 'net.connect, net.createConnection',
        [
            *(step for at, path in enumerate((tmp('missing'), '/' + 'x' * 108, 'a\0b'), 1)
              for step in (
                ['let', f'c{at}', 'net.connect', path, fn('connected')],
                ['get', f'c{at}.readyState', f'c{at}.destroyed'],
                ['await', f'c{at} close'])),
        ]),
    *(
        Scenario(
            f'connect failures/{name} pending, {how}', 'net.Socket: write, cork, uncork',
            [
                ['let', 'c', 'new net.Socket'],
                ['call', 'c.connect', options],
                *steps,
                ['get', 'c.writableLength', 'c.bytesWritten'],
                ['await', 'c close'],
                ['get', 'c.writableLength', 'c.bytesWritten', 'c.writableEnded'],
            ])
        for name, steps in PENDING
        for how, options in (
            ('refused', NOBODY), ('no path', {'path': tmp('missing')}),
            ('bad name', named(looked_up('nope'))))
    ),
    Scenario(
        'connect failures/nobody listens', 'process: exit and uncaught exceptions',
        [['let', 'c', 'net.connect', NOBODY]],
        program=True, deaf=['c'], ignore=['error']),
    Scenario(
        'connect failures/nobody listens, path too long', 'process: exit and uncaught exceptions',
        [['let', 'c', 'net.connect', '/' + 'x' * 108]],
        program=True, deaf=['c'], ignore=['error']),
    Scenario(
        'connect failures/a listener of the failed attempt destroys',
        "net.Socket: 'close', 'error'",
        [
            ['let', 'c', 'new net.Socket'],
            ['call', 'c.on', 'connectionAttemptFailed', fn('failed', ['call', 'c.destroy'])],
            ['call', 'c.connect', NOBODY],
            ['await', 'c close'],
        ]),
    Scenario(
        'connect failures/a listener of the failed attempt destroys with an error',
        "net.Socket: 'close', 'error'",
        [
            ['let', 'c', 'new net.Socket'],
            ['call', 'c.on', 'connectionAttemptFailed', fn(
                'failed', ['call', 'c.destroy', error('mine')])],
            ['call', 'c.connect', NOBODY],
            ['await', 'c close'],
        ]),
    Scenario(
        "connect failures/properties in 'error'", 'net.Socket: properties',
        [
            ['let', 'c', 'new net.Socket'],
            ['call', 'c.on', 'error', fn('failed', ['get', *(f'c.{name}' for name in (
                'connecting', 'pending', 'destroyed', 'closed', 'readyState', 'readable',
                'writable', 'localAddress', 'remoteAddress', 'remotePort', 'bytesWritten'))])],
            ['call', 'c.connect', NOBODY],
            ['await', 'c close'],
        ]),
]
