"""What ``new net.Socket`` takes and refuses, and what a socket is like that was just made."""

from __future__ import annotations

from typing import Any

from ..form import Scenario, Step, descriptor, fn, number, ref

__all__ = ['SCENARIOS']

#: An option, and values that the constructor refuses.
REFUSED: list[tuple[str, list[Any]]] = [
    ('objectMode', [True, 1, 'a']),
    ('readableObjectMode', [True]),
    ('writableObjectMode', [True]),
    ('keepAliveInitialDelay', ['x', True, {}, None]),
    ('typeOfService', [-1, 256, 1.5, number('NaN'), '3', True, None]),
    ('fd', [
        -1, 1.5, 2**31, number('NaN'), number('Infinity'), '1', True, False, 'a', {},
        fn('function'), 1_000_000, descriptor('null'), descriptor('file'),
    ]),
    ('signal', [{}, 'a', 1, True, fn('signal')]),
    ('blockList', [{}, 'a', 1, True]),
    ('highWaterMark', [-1, 'a', 1.5, number('NaN'), number('Infinity'), True, {}]),
    ('readableHighWaterMark', [-1, 'a', 1.5, number('NaN')]),
    ('writableHighWaterMark', [-1, 'a', 1.5, number('NaN')]),
    ('defaultEncoding', ['bogus', 'UTF-9', 'latin-1', '', 0, False, 5]),
    ('encoding', ['bogus', 'UTF-9', 'latin-1', 5, True]),
]

#: An option, values that are taken, and the properties that show it.
TAKEN: list[tuple[str, list[Any], list[str]]] = [
    ('objectMode', [False, 0, '', None], ['readableObjectMode', 'writableObjectMode']),
    ('keepAliveInitialDelay', [0, -5, 1500, 0.5, number('NaN')], ['readyState']),
    ('typeOfService', [0, 255, 16], ['readyState']),
    ('allowHalfOpen', [True, False, 0, '', 'yes', 1, None], ['allowHalfOpen']),
    ('highWaterMark', [0, 1, 10, None, 5_000_000],
     ['readableHighWaterMark', 'writableHighWaterMark']),
    ('readableHighWaterMark', [0, 10, None], ['readableHighWaterMark', 'writableHighWaterMark']),
    ('writableHighWaterMark', [0, 20, None], ['readableHighWaterMark', 'writableHighWaterMark']),
    ('noDelay', [True, 'a', None], ['readyState']),
    ('keepAlive', [True, 'a', None], ['readyState']),
    ('defaultEncoding', ['latin1', 'HEX', 'utf-16le', None], ['readableEncoding']),
    ('encoding', ['latin1', 'hex', 'utf8', 'base64url', '', 0, None],
     ['readableEncoding']),
    ('readable', [True, False, None, 0], ['readable', 'writable', 'readyState']),
    ('writable', [True, False, None, 0], ['readable', 'writable', 'readyState']),
    ('onread', [None, {}, 'a', {'buffer': 1, 'callback': 1}, {'callback': fn('got')}],
     ['readyState', 'readableFlowing']),
    ('timeout', [100, 'x', -1], ['timeout']),
    ('captureRejections', [True, False], ['readyState']),
    ('unknown', [True], ['readyState']),
]

#: What counts as no options at all.
NO_OPTIONS: list[Any] = [None, 'a', '', '5', True, False]

#: The properties of a socket, but for those that have a scenario of their own.
PROPERTIES = [
    'connecting', 'pending', 'readyState', 'destroyed', 'closed', 'readable', 'writable',
    'readableEnded', 'writableEnded', 'writableFinished', 'readableFlowing', 'bufferSize',
    'localAddress', 'localPort', 'localFamily', 'remoteAddress', 'remotePort', 'remoteFamily',
    'timeout', 'bytesRead', 'bytesWritten', 'server', 'autoSelectFamilyAttemptedAddresses',
    'readableHighWaterMark', 'writableHighWaterMark', 'readableObjectMode', 'writableObjectMode',
    'readableEncoding', 'readableLength', 'writableLength', 'writableCorked', 'writableNeedDrain',
    'readableDidRead', 'readableAborted', 'errored', 'allowHalfOpen',
]


def make_each(values: list[tuple[Any, ...]], watched: list[str]) -> list[Step]:
    """Return steps that make a socket with each of the arguments, and look at its properties."""
    steps: list[Step] = []
    for at, arguments in enumerate(values, 1):
        steps.append(['let', f'c{at}', 'new net.Socket', *arguments])
        if watched:
            steps.append(['get', *(f'c{at}.{name}' for name in watched)])
    return steps


def files(values: list[Any]) -> list[Step]:
    return [['file', 'file']] if descriptor('file') in values else []


SCENARIOS = [
    *(
        Scenario(
            f'Socket arguments/{option} refused', 'net.Socket: new',
            files(values) + make_each([({option: value},) for value in values], []))
        for option, values in REFUSED
    ),
    *(
        Scenario(
            f'Socket arguments/{option} taken', 'net.Socket: new',
            make_each([({option: value},) for value in values], watched))
        for option, values, watched in TAKEN
    ),
    Scenario(
        'Socket arguments/no options', 'net.Socket: new',
        make_each([(), *((value,) for value in NO_OPTIONS)], ['readyState', 'allowHalfOpen'])),
    Scenario(
        'Socket arguments/a number is a descriptor', 'net.Socket: new',
        make_each([(1_000_000,), (-1,), (1.5,), (descriptor('null'),)], [])),
    Scenario(
        'Socket arguments/two wrong options', 'net.Socket: new',
        make_each([
            ({'objectMode': True, 'keepAliveInitialDelay': 'x'},),
            ({'keepAliveInitialDelay': 'x', 'typeOfService': -1},),
            ({'typeOfService': -1, 'highWaterMark': -1},),
            ({'typeOfService': -1, 'fd': -1},),
            ({'typeOfService': -1, 'signal': {}},),
            ({'typeOfService': -1, 'blockList': {}},),
            ({'readableHighWaterMark': -1, 'writableHighWaterMark': -1},),
            ({'highWaterMark': -1, 'defaultEncoding': 'bogus'},),
            ({'highWaterMark': -1, 'encoding': 'bogus'},),
            ({'encoding': 'bogus', 'defaultEncoding': 'bogus'},),
            ({'writableHighWaterMark': -1, 'encoding': 'bogus'},),
            ({'signal': {}, 'encoding': 'bogus'},),
            ({'encoding': 'bogus', 'fd': -1},),
            ({'fd': -1, 'signal': {}},),
            ({'fd': -1, 'blockList': {}},),
            ({'signal': {}, 'blockList': {}},),
        ], [])),
    Scenario(
        'Socket arguments/side marks win over the common one', 'net.Socket: new',
        make_each([
            ({'highWaterMark': 5, 'readableHighWaterMark': 10, 'writableHighWaterMark': 20},),
        ], ['readableHighWaterMark', 'writableHighWaterMark'])),
    Scenario(
        'Socket arguments/how an encoding was spelt', 'net.Socket: new',
        [
            *make_each(
                [({'encoding': name},) for name in ('HEX', 'UTF-8', 'ucs2', 'binary')],
                ['readableEncoding']),
            ['call', 'c1.setEncoding', 'UTF-8'],
            ['get', 'c1.readableEncoding'],
        ],
        on_purpose='`readableEncoding` is the option `encoding` as it was spelt'),
    Scenario(
        'Socket arguments/a list of blocked addresses', 'net.Socket: new',
        [
            ['let', 'rules', 'new net.BlockList'],
            ['let', 'c', 'new net.Socket', {'blockList': ref('rules')}],
            ['get', 'c.readyState'],
        ]),
    Scenario(
        'Socket arguments/without new', 'net.Socket: new',
        [
            ['let', 'a', 'net.Socket', {'allowHalfOpen': True}],
            ['let', 'b', 'net.Stream'],
            ['get', 'a.allowHalfOpen', 'b.allowHalfOpen'],
        ]),
    Scenario(
        'Socket arguments/onread has no data to read', 'net.Socket: new',
        [
            ['let', 'c', 'new net.Socket', {
                'onread': {'buffer': {'$': 'buffer', 'size': 8}, 'callback': fn('got')}}],
            ['get', 'c.readyState', 'c.readableFlowing'],
            ['call', 'c.read'],
        ]),
    Scenario(
        'Socket arguments/properties of a new socket', 'net.Socket: properties',
        [['let', 'c', 'new net.Socket'], ['get', *(f'c.{name}' for name in PROPERTIES)]]),
    Scenario(
        'Socket arguments/address of a new socket', 'net.Socket: properties',
        [['let', 'c', 'new net.Socket'], ['call', 'c.address']],
        on_purpose='`server.address()` and `socket.address()` return an object, or `{}`'),
    Scenario(
        'Socket arguments/listeners of a new socket', 'net.Socket: new',
        [
            ['let', 'c', 'new net.Socket'],
            *(['call', 'c.listenerCount', event] for event in (
                'close', 'connect', 'data', 'drain', 'timeout', 'ready', 'lookup')),
        ], deaf=['c']),
    Scenario(
        "Socket arguments/'end' has a listener", 'net.Socket: new',
        [['let', 'c', 'new net.Socket'], ['call', 'c.listenerCount', 'end']],
        on_purpose="`'end'` has one listener on a fresh socket, Node's own"),
    Scenario(
        'Socket arguments/properties after destroy', 'net.Socket: properties',
        [
            ['let', 'c', 'new net.Socket'],
            ['call', 'c.destroy'],
            ['get', *(f'c.{name}' for name in PROPERTIES if name != 'errored')],
            ['await', 'c close'],
            ['get', *(f'c.{name}' for name in PROPERTIES if name != 'errored')],
        ]),
]
