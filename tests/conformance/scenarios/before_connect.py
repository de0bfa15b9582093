"""What is called before there is a connection: on the way to one, or without one."""

from __future__ import annotations

from typing import Any

from ..form import Scenario, Step, data, error, fn, tmp
from ._peers import HERE, listening, listening_on_path

__all__ = ['SCENARIOS']

WRITE = 'net.Socket: write, cork, uncork'
DESTROY = 'net.Socket: destroy, destroySoon, resetAndDestroy'

#: Properties that tell what waits; ``bufferSize`` is ``writableLength``, but for destroyed sockets.
WAITING = [
    'bytesWritten', 'bufferSize', 'writableNeedDrain', 'readyState',
    'writableEnded', 'writableFinished', 'writable', 'destroyed',
]


def get_waiting() -> Step:
    return ['get', *(f'c.{name}' for name in WAITING)]


def write(*chunks: str) -> list[Step]:
    return [['call', 'c.write', chunk, fn(chunk)] for chunk in chunks]


#: A name, and what is called while the socket connects.
CALLED: list[tuple[str, str, list[Step]]] = [
    ('nothing', "net.Socket: 'connect', 'connectionAttempt', 'lookup'", []),
    ('a write', WRITE, write('one')),
    ('an empty write', WRITE, [['call', 'c.write', '', fn('empty')]]),
    ('three writes', WRITE, write('one', 'two', 'three')),
    ('a write of text', WRITE, [['call', 'c.write', 'h\xe9llo', 'latin1', fn('text')]]),
    ('corked writes', WRITE, [['call', 'c.cork'], *write('one', 'two')]),
    ('corked and uncorked writes', WRITE,
     [['call', 'c.cork'], *write('one', 'two'), ['call', 'c.uncork']]),
    ('a write, then corked writes', WRITE, [*write('one'), ['call', 'c.cork'], *write('two')]),
    ('end', 'net.Socket: end', [['call', 'c.end', fn('ended')]]),
    ('end twice', 'net.Socket: end',
     [['call', 'c.end', fn('ended')], ['call', 'c.end', fn('ended again')]]),
    ('end with data', 'net.Socket: end', [['call', 'c.end', 'one', fn('ended')]]),
    ('writes and end', 'net.Socket: end', [
        *write('one', 'two'), ['call', 'c.end', 'three', fn('ended')]]),
    ('corked writes and end', 'net.Socket: end',
     [['call', 'c.cork'], *write('one', 'two'), ['call', 'c.end', fn('ended')]]),
    ('a write after end', 'net.Socket: end',
     [['call', 'c.end', 'one', fn('ended')], *write('late')]),
    ('pause and resume', 'net.Socket: pause, resume, read, unshift, setEncoding',
     [['call', 'c.pause'], ['call', 'c.resume']]),
    ('setEncoding', 'net.Socket: pause, resume, read, unshift, setEncoding',
     [['call', 'c.setEncoding', 'latin1'], ['get', 'c.readableEncoding']]),
    ('settings', 'net.Socket: setKeepAlive, setNoDelay, setTypeOfService', [
        ['call', 'c.setNoDelay'], ['call', 'c.setNoDelay', False],
        ['call', 'c.setKeepAlive', True, 1000], ['call', 'c.setKeepAlive', False]]),
    ('ref and unref', 'net.Socket: ref, unref', [
        ['call', 'c.unref'], ['call', 'c.ref'], ['call', 'c.unref']]),
]

#: The same, where the socket is destroyed then.
DESTROYED: list[tuple[str, list[Step]]] = [
    ('nothing', []),
    ('a write', write('one')),
    ('three writes', write('one', 'two', 'three')),
    ('corked writes', [['call', 'c.cork'], *write('one', 'two')]),
    ('end', [['call', 'c.end', fn('ended')]]),
    ('end with data', [['call', 'c.end', 'one', fn('ended')]]),
    ('writes and end', [*write('one', 'two'), ['call', 'c.end', fn('ended')]]),
]

#: What is called of a socket that never connects.
NEVER: list[tuple[str, str, list[Step]]] = [
    ('a write', WRITE, write('one')),
    ('an empty write', WRITE, [['call', 'c.write', '', fn('empty')]]),
    ('two writes', WRITE, write('one', 'two')),
    ('corked writes', WRITE, [['call', 'c.cork'], *write('one', 'two'), ['call', 'c.uncork']]),
    ('end', 'net.Socket: end', [['call', 'c.end', fn('ended')]]),
    ('end twice', 'net.Socket: end',
     [['call', 'c.end', fn('ended')], ['call', 'c.end', fn('ended again')]]),
    ('end with data', 'net.Socket: end', [['call', 'c.end', 'one', fn('ended')]]),
    ('destroy', DESTROY, [['call', 'c.destroy']]),
    ('destroy twice', DESTROY, [['call', 'c.destroy'], ['call', 'c.destroy', error('late')]]),
    ('destroy with an error', DESTROY, [['call', 'c.destroy', error('enough')]]),
    ('destroySoon', DESTROY, [['call', 'c.destroySoon']]),
    ('resetAndDestroy', DESTROY, [['call', 'c.resetAndDestroy']]),
    ('a write after destroy', DESTROY, [['call', 'c.destroy'], *write('late')]),
    ('end after destroy', DESTROY, [['call', 'c.destroy'], ['call', 'c.end']]),
    ('pause, resume, read', 'net.Socket: pause, resume, read, unshift, setEncoding', [
        ['call', 'c.pause'], ['call', 'c.isPaused'], ['call', 'c.resume'], ['call', 'c.isPaused'],
        ['call', 'c.read'], ['call', 'c.read', 0], ['call', 'c.read', 5]]),
    ('settings', 'net.Socket: setKeepAlive, setNoDelay, setTypeOfService', [
        ['call', 'c.setNoDelay'], ['call', 'c.setKeepAlive', True, 1000],
        ['call', 'c.setTypeOfService', 16], ['call', 'c.getTypeOfService']]),
    ('ref and unref', 'net.Socket: ref, unref', [['call', 'c.unref'], ['call', 'c.ref']]),
    ('a listener of data', "net.Socket: 'data', 'end', 'readable'",
     [['call', 'c.on', 'data', fn('received')], ['get', 'c.readableFlowing']]),
    ('a listener of readable', "net.Socket: 'data', 'end', 'readable'",
     [['call', 'c.on', 'readable', fn('readable')], ['get', 'c.readableFlowing']]),
]


def connecting(
    name: str, chapter: str, options: dict[str, Any], calls: list[Step], *after: Step,
    **more: Any,
) -> Scenario:
    """Return a scenario in which *calls* come after ``connect``."""
    path = 'path' in options
    return Scenario(
        f'before connect/{name}{", path" if path else ""}', chapter,
        [
            *(listening_on_path if path else listening)(fn('accepted', ['call', '$0.resume'])),
            ['let', 'c', 'new net.Socket'],
            ['call', 'c.on', 'connect', fn('listener before', get_waiting())],
            ['call', 'c.connect', options, fn('connected')],
            *calls,
            ['call', 'c.on', 'connect', fn('listener after', get_waiting())],
            get_waiting(),
            *after,
        ],
        # How chunks arrive is the kernel's affair.
        ignore=['data', 'readable'], **more)


SCENARIOS = [
    *(
        connecting(name, chapter, options, calls, ['settle'], get_waiting())
        for name, chapter, calls in CALLED
        for options in (HERE, {'path': tmp('path')})
    ),
    *(
        connecting(
            f'{name}, then {call[0]}destroy{call[1]}', DESTROY, HERE, calls,
            ['call', 'c.destroy', *call[2]], get_waiting(), ['tick', fn('tick', of='c')],
            ['await', 'c close'], ['settle'], get_waiting())
        for name, calls in DESTROYED
        for call in (('', '', []), ('', ' with an error', [error('enough')]))
    ),
    *(
        Scenario(
            f'before connect/{name}, never connected', chapter,
            [
                ['let', 'c', 'new net.Socket'], *calls,
                ['get', 'c.writableEnded', 'c.destroyed', 'c.readyState'], ['settle'],
                ['get', *(f'c.{name}' for name in WAITING[1:])],
            ])
        for name, chapter, calls in NEVER
    ),
    connecting(
        'more than the high-water mark', "net.Socket: 'drain', 'finish'", HERE,
        [['call', 'c.write', data(65536), fn('first')],
         ['call', 'c.write', data(10), fn('second')]],
        ['await', 'second'], ['settle'], get_waiting()),
    Scenario(
        'before connect/exactly the high-water mark', "net.Socket: 'drain', 'finish'",
        [
            *listening(fn('accepted', ['call', '$0.resume'])),
            ['let', 'c', 'net.connect', {**HERE, 'highWaterMark': 10}],
            ['call', 'c.write', data(9), fn('first')],
            ['get', 'c.writableNeedDrain'],
            ['call', 'c.write', data(1), fn('second')],
            ['get', 'c.writableNeedDrain'],
            ['await', 'c ready'],
            ['settle'],
            ['get', 'c.writableNeedDrain'],
        ], ignore=['data', 'readable']),
    Scenario(
        'before connect/paused, the peer ends', 'net.Socket: pause, resume, read, unshift, '
        'setEncoding',
        [
            *listening(fn('accepted', ['call', '$0.end', 'bye'])),
            ['let', 'c', 'net.connect', HERE],
            ['call', 'c.pause'],
            ['await', 's1 finish'],
            ['settle'],
            ['get', 'c.bytesRead', 'c.readableFlowing', 'c.readyState'],
            ['call', 'c.resume'],
            ['await', 'c close'],
            ['get', 'c.bytesRead'],
        ]),
    Scenario(
        'before connect/write, then connect', WRITE,
        [
            *listening(),
            ['let', 'c', 'new net.Socket'],
            *write('early'),
            ['await', 'c close'],
            ['call', 'c.connect', HERE],
            ['await', 'c ready'],
        ]),
    Scenario(
        'before connect/end, then connect', 'net.Socket: end',
        [
            *listening(fn('accepted', ['call', '$0.resume'])),
            ['let', 'c', 'new net.Socket'],
            ['call', 'c.end', fn('ended')],
            ['settle'],
            ['call', 'c.connect', HERE],
            ['call', 'c.resume'],
            ['settle'],
            get_waiting(),
        ]),
    *(
        Scenario(
            f'before connect/{side} false', 'net.Socket: new',
            [
                *listening(fn('accepted', ['call', '$0.end', 'bye'])),
                ['let', 'c', 'net.connect', {**HERE, side: False}],
                ['get', 'c.readable', 'c.writable', 'c.readyState'],
                ['await', 'c ready'],
                ['get', 'c.readable', 'c.writable', 'c.readyState'],
                ['await', 's1 finish'],
                ['settle'],
                ['get', 'c.readable', 'c.writable', 'c.readyState', 'c.bytesRead'],
            ], ignore=['readable'])
        for side in ('readable', 'writable')
    ),
]
