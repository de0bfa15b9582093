"""The queue of what is written: back-pressure, 'drain', corking, the order of callbacks."""

from __future__ import annotations

from ..form import Scenario, Step, data, encoded, fn, port, text
from ._pairs import QUIET, connection, listening

__all__ = ['SCENARIOS']

_WRITING = 'net.Socket: write, cork, uncork'
_DRAIN = "net.Socket: 'drain', 'finish'"

#: More than the kernel takes while the peer does not read.
_MUCH = 8 << 20

_QUEUE = ['c.writableLength', 'c.writableNeedDrain', 'c.bufferSize', 'c.bytesWritten']

#: The peer reads what it is sent only when told to; how it is cut up is the kernel's business.
_UNREAD = {'pauseOnConnect': True}
_CUT_UP = ['data', 'readable', 'pause', 'resume']


def _unread(*steps: Step, client: dict | None = None) -> list[Step]:
    return [*connection(client=client, server=_UNREAD), *steps]


# --- before there is a connection -----------------------------------------------------------------

#: High-water marks, and what is written until the connection is there.
_MARKS: dict[str, tuple[dict, list[str]]] = {
    'default': ({}, ['abc', 'def']),
    'of 5': ({'highWaterMark': 5}, ['ab', 'cd', 'e', 'f']),
    'of 5 for writing': ({'writableHighWaterMark': 5}, ['abcd', 'e', 'f']),
    'of 5 for reading': ({'readableHighWaterMark': 5}, ['abcd', 'e', 'f']),
    'of 5 for both, but 3 for writing': (
        {'highWaterMark': 5, 'writableHighWaterMark': 3}, ['ab', 'c', 'd']),
    'of 0': ({'highWaterMark': 0}, ['', 'a']),
    'of 1': ({'highWaterMark': 1}, ['', 'a', 'b']),
    'of 3, letters of two bytes': ({'highWaterMark': 3}, ['\xe9', '\xe9', '\xe9']),
    'of null': ({'highWaterMark': None}, ['abc']),
}

_BEFORE = [
    Scenario(
        f'writing/before the connection, high-water mark {name}', _WRITING,
        [
            *connection(
                ['get', 'c.writableHighWaterMark', 'c.readableHighWaterMark'],
                *(step for at, chunk in enumerate(chunks) for step in (
                    ['call', 'c.write', chunk, fn(f'wrote {at}')], ['get', *_QUEUE])),
                client=options),
            ['settle'],
            ['get', *_QUEUE],
        ], quiet=QUIET)
    for name, (options, chunks) in _MARKS.items()
]

_ENCODED_BEFORE = [
    Scenario(
        f'writing/before the connection, {name} counts until it is sent', _WRITING,
        [
            *connection(
                ['call', 'c.write', *arguments], ['get', *_QUEUE], client={'highWaterMark': 5}),
            ['settle'],
            ['get', *_QUEUE],
            ['call', 's1.read'],
        ], quiet=QUIET)
    for name, arguments in {
        'hex': ['616263', 'hex'], 'base64': ['YWJj', 'base64'], 'utf16le': ['abc', 'utf16le'],
        'latin1': ['\xe9\xe9\xe9', 'latin1'], 'utf8': ['\u20ac\u20ac'], 'bytes': [encoded(b'abcd')],
    }.items()
]

_NEVER_CONNECTED = [
    Scenario(
        'writing/to a socket that never connects', _WRITING,
        [
            ['let', 'c', 'new net.Socket'],
            ['call', 'c.write', 'abc', fn('wrote')],
            ['get', *_QUEUE],
            ['settle'],
            ['get', *_QUEUE, 'c.destroyed'],
        ], quiet=QUIET),
    Scenario(
        'writing/corked, then connected', _WRITING,
        [
            *listening(),
            ['let', 'c', 'new net.Socket'],
            ['call', 'c.cork'],
            ['call', 'c.connect', port(), '127.0.0.1'],
            ['call', 'c.write', 'ab', fn('first')],
            ['call', 'c.write', 'cd', fn('second')],
            ['get', *_QUEUE],
            ['await', 'c ready'],
            ['settle'],
            ['get', *_QUEUE],
            ['call', 'c.uncork'],
            ['get', *_QUEUE],
            ['settle'],
            ['call', 's1.read'],
        ], quiet=QUIET),
]

# --- callbacks ------------------------------------------------------------------------------------

_CALLBACKS = [
    Scenario(
        'writing/callbacks in order, never at once', _WRITING,
        [
            *connection(),
            *(['call', 'c.write', chunk, fn(f'wrote {chunk}')] for chunk in 'abcd'),
            ['note', 'all are called', 'c'],
            ['call', 'c.end', 'e', fn('ended')],
            ['get', *_QUEUE],
            ['await', 'c finish'],
        ], quiet=QUIET, ignore=['readable']),
    Scenario(
        'writing/in a callback', _WRITING,
        [
            *connection(),
            ['call', 'c.write', 'a', fn(
                'first', ['call', 'c.write', 'b', fn('second', ['call', 'c.end', fn('third')])],
                ['note', 'after', 'c'])],
            ['await', 'third'],
        ], quiet=QUIET),
    Scenario(
        'writing/a tick and a callback', _WRITING,
        [
            *connection(),
            ['tick', fn('before', of='c')],
            ['call', 'c.write', 'a', fn('wrote')],
            ['tick', fn('after', of='c')],
            ['settle'],
        ], quiet=QUIET),
    Scenario(
        'writing/much, callbacks in order', _WRITING,
        [
            *_unread(),
            ['call', 'c.write', 'a', fn('first')],
            ['call', 'c.write', data(_MUCH), fn('second')],
            ['call', 'c.write', 'b', fn('third')],
            ['call', 'c.write', text(70000), fn('fourth')],
            ['call', 'c.end', fn('ended')],
            ['get', 'c.bytesWritten', 'c.writableLength'],
            ['call', 's1.resume'],
            ['await', 'c close'],
            ['get', 'c.bytesWritten', 'c.writableLength', 's1.bytesRead'],
        ], ignore=_CUT_UP, quiet=QUIET),
]

# --- back-pressure --------------------------------------------------------------------------------

_PRESSURE = [
    Scenario(
        'writing/200 000 bytes that the kernel takes', _DRAIN,
        [
            *_unread(['call', 'c.write', data(200000), fn('wrote')], ['get', *_QUEUE]),
            ['settle'],
        ], ignore=_CUT_UP, quiet=QUIET),
    Scenario(
        "writing/more than the kernel takes, 'drain' before the callback", _DRAIN,
        [
            *_unread(
                ['call', 'c.write', data(_MUCH), fn('wrote')], ['get', *_QUEUE], ['settle'],
                ['note', 'the peer reads', 'c']),
            ['call', 's1.resume'],
            ['await', 'wrote'],
            ['get', *_QUEUE],
            ['await', 'c drain'],
        ], ignore=_CUT_UP, quiet=QUIET),
    *(Scenario(
        f"writing/'drain' before the callback of a write before it, {how}", _DRAIN,
        [
            *connection(),
            ['call', 's1.resume'],
            ['call', 'c.write', 'a', fn('wrote a')],
            ['call', 'c.cork'],
            ['call', 'c.write', data(70000), *callback],
            ['call', 'c.uncork'],
            ['get', *_QUEUE],
            ['settle'],
            ['get', *_QUEUE],
        ], ignore=_CUT_UP, quiet=QUIET)
      for how, callback in (('with one of its own', [fn('wrote much')]), ('without', []))),
    Scenario(
        "writing/one 'drain' for many refusals", _DRAIN,
        [
            *_unread(
                *(['call', 'c.write', data(_MUCH), fn(f'wrote {at}')] for at in range(3)),
                ['get', *_QUEUE]),
            ['call', 's1.resume'],
            ['await', 'c drain'],
            ['await', 'wrote 2'],
            ['settle'],
            ['get', *_QUEUE],
        ], ignore=_CUT_UP, quiet=QUIET),
    Scenario(
        "writing/until it returns false, 'drain', and again", _DRAIN,
        [
            *_unread(
                ['fill', 'c.write', data(100000)], ['get', 'c.writableNeedDrain'],
                ['call', 'c.once', 'drain', fn('drained')],
                ['call', 's1.resume']),
            ['await', 'drained'],
            ['get', *_QUEUE[:3]],
            ['call', 's1.pause'],
            ['fill', 'c.write', data(100000)],
            ['get', 'c.writableNeedDrain'],
            ['call', 's1.resume'],
            ['await', 'c drain', 2],
            ['get', *_QUEUE[:3]],
        ], ignore=_CUT_UP, quiet=QUIET),
    Scenario(
        "writing/end before it is empty: no 'drain'", _DRAIN,
        [
            *_unread(
                ['call', 'c.write', data(_MUCH), fn('wrote')],
                ['call', 'c.end', fn('ended')], ['get', *_QUEUE]),
            ['call', 's1.resume'],
            ['await', 'c close'],
            ['get', *_QUEUE],
        ], ignore=_CUT_UP, quiet=QUIET),
    Scenario(
        "writing/in a listener of 'drain'", _DRAIN,
        [
            *_unread(
                ['call', 'c.write', data(_MUCH), fn('wrote')],
                ['call', 'c.once', 'drain', fn(
                    'drained', ['call', 'c.write', 'more', fn('wrote more')], ['get', *_QUEUE],
                    ['call', 'c.end', fn('ended')])]),
            ['call', 's1.resume'],
            ['await', 'c close'],
        ], ignore=_CUT_UP, quiet=QUIET),
    Scenario(
        "writing/much before the connection, in a listener of 'connect'", _DRAIN,
        [
            *listening(_UNREAD),
            ['let', 'c', 'net.connect', {'port': port(), 'host': '127.0.0.1'}, fn(
                'connected', ['call', 'c.write', data(_MUCH), fn('wrote later')],
                ['get', *_QUEUE])],
            ['call', 'c.write', data(_MUCH), fn('wrote')],
            ['get', *_QUEUE],
            ['await', 'server connection'],
            ['call', 's1.resume'],
            ['await', 'c drain'],
            ['await', 'wrote later'],
            ['get', *_QUEUE],
        ], ignore=_CUT_UP, quiet=QUIET),
    Scenario(
        'writing/a high-water mark above what is queued', _DRAIN,
        [
            *_unread(
                ['call', 'c.write', data(_MUCH), fn('wrote')], ['get', *_QUEUE],
                client={'writableHighWaterMark': 2 * _MUCH}),
            ['call', 's1.resume'],
            ['await', 'wrote'],
            ['get', *_QUEUE],
            ['settle'],
        ], ignore=_CUT_UP, quiet=QUIET),
    Scenario(
        'writing/high-water mark of accepted sockets', _DRAIN,
        [
            *connection(server={'highWaterMark': 5}),
            ['get', 's1.writableHighWaterMark', 's1.readableHighWaterMark'],
            ['call', 's1.write', 'abcdef', fn('wrote')],
            ['get', 's1.writableLength', 's1.writableNeedDrain'],
            ['settle'],
        ], quiet=QUIET),
]

# --- corking --------------------------------------------------------------------------------------

_CORKED = [*_QUEUE, 'c.writableCorked']

_TWO: list[Step] = [
    ['call', 'c.write', 'ab', fn('first')], ['get', *_CORKED],
    ['call', 'c.write', 'cd', fn('second')], ['get', *_CORKED],
]

#: What is done to a connected socket that has written two chunks since a first ``cork()``.
_CORKING: dict[str, list[Step]] = {
    'uncork': [['call', 'c.uncork'], ['get', *_CORKED]],
    'twice': [
        ['call', 'c.cork'], ['call', 'c.write', 'ef', fn('third')], ['get', *_CORKED],
        ['call', 'c.uncork'], ['get', *_CORKED], ['settle'],
        ['call', 'c.uncork'], ['get', *_CORKED]],
    'end uncorks all': [
        ['call', 'c.cork'], ['call', 'c.cork'], ['call', 'c.end', 'ef', fn('ended')],
        ['get', *_CORKED], ['await', 'c finish'], ['call', 'c.uncork'], ['get', *_CORKED]],
    'uncork too often': [
        ['call', 'c.uncork'], ['call', 'c.uncork'], ['get', *_CORKED],
        ['call', 'c.cork'], ['call', 'c.write', 'ef', fn('third')], ['get', *_CORKED]],
    'uncork in a tick': [['tick', fn('later', ['call', 'c.uncork'], of='c')]],
    'cork again in a callback': [
        ['call', 'c.write', 'ef', fn('third', ['call', 'c.cork'], ['call', 'c.write', 'g'])],
        ['call', 'c.uncork'], ['settle'], ['get', *_CORKED], ['call', 'c.uncork']],
    'never uncorked': [['settle'], ['get', *_CORKED]],
    'destroyed': [['call', 'c.destroy']],
    'above the high-water mark': [
        ['call', 'c.write', text(70000), fn('third')], ['get', *_CORKED], ['settle'],
        ['call', 'c.uncork'], ['get', *_CORKED]],
}

_CORKS = [
    Scenario(
        f'writing/cork, {name}', _WRITING,
        [
            *connection(), ['call', 'c.cork'], ['get', 'c.writableCorked'], *_TWO, *steps,
            ['settle'],
            ['get', *_CORKED],
            ['call', 's1.read'],
        ], quiet=QUIET, ignore=['readable'])
    for name, steps in _CORKING.items()
]

_MORE_CORKS = [
    Scenario(
        "writing/corked above the high-water mark, 'drain' after uncork", _DRAIN,
        [
            *connection(client={'highWaterMark': 3}),
            ['call', 'c.cork'], *_TWO, ['settle'], ['call', 'c.uncork'], ['get', *_CORKED],
            ['settle'], ['get', *_CORKED],
        ], quiet=QUIET),
    Scenario(
        'writing/uncork without cork', _WRITING,
        [
            *connection(), ['call', 'c.uncork'], ['get', 'c.writableCorked'], *_TWO, ['settle'],
        ], quiet=QUIET),
    Scenario(
        'writing/cork while a chunk is on its way', _WRITING,
        [
            *_unread(
                ['call', 'c.write', data(_MUCH), fn('much')], ['call', 'c.cork'], *_TWO,
                ['call', 's1.resume']),
            ['await', 'much'],
            ['settle'],
            ['get', *_CORKED],
            ['call', 'c.uncork'],
            ['await', 'c drain'],
            ['await', 'second'],
            ['get', *_CORKED],
        ], ignore=_CUT_UP, quiet=QUIET),
]

SCENARIOS = [
    *_BEFORE, *_ENCODED_BEFORE, *_NEVER_CONNECTED, *_CALLBACKS, *_PRESSURE, *_CORKS, *_MORE_CORKS,
]
