"""The reading modes: when data is buffered, flows, or waits for ``read``, and when 'end' comes.

The client writes, ``s1`` reads. Between two writes all that the first one set off is over, so that
the chunks stay apart.
"""

from __future__ import annotations

from typing import Any

from ..form import UNDEFINED, Form, Scenario, Step, data, encoded, error, fn, number
from ._pairs import QUIET, connection

__all__ = ['SCENARIOS']

_CHAPTER = 'net.Socket: pause, resume, read, unshift, setEncoding'
_EVENTS = "net.Socket: 'data', 'end', 'readable'"

_DATA = fn('data', of='s1')
_READ_ALL = fn('readable', ['call', 's1.read'], of='s1')

_LOOK: list[Step] = [
    ['get', 's1.readableFlowing', 's1.readableLength'], ['call', 's1.isPaused']]


def _comes(*chunks: Form) -> list[Step]:
    """The peer sends; each chunk is there before the next."""
    return [step for chunk in chunks for step in (
        ['call', 'c.write', chunk if isinstance(chunk, dict) else encoded(chunk)], ['settle'])]


def _scenario(
    name: str, *steps: Step, chapter: str = _CHAPTER, server: dict[str, Any] | None = None,
    **more: Any,
) -> Scenario:
    return Scenario(
        f'reading/{name}', chapter,
        [*connection(server={'allowHalfOpen': True, **(server or {})}), *steps],
        **{'quiet': [*QUIET, 'write', 'end'], **more})


#: What one does with a connected socket that nobody has touched, and then data comes twice.
_STARTS: dict[str, list[Step]] = {
    'nothing': [],
    "'data'": [['call', 's1.on', 'data', _DATA]],
    "once('data')": [['call', 's1.once', 'data', _DATA]],
    "'readable'": [['call', 's1.on', 'readable', _READ_ALL]],
    "'readable' without read": [['call', 's1.on', 'readable', fn('readable')]],
    "'readable' and 'data'": [
        ['call', 's1.on', 'readable', _READ_ALL], ['call', 's1.on', 'data', _DATA]],
    "'data' and 'readable'": [
        ['call', 's1.on', 'data', _DATA], ['call', 's1.on', 'readable', _READ_ALL]],
    'resume': [['call', 's1.resume']],
    'pause': [['call', 's1.pause']],
    'pause twice': [['call', 's1.pause'], ['call', 's1.pause']],
    'resume twice': [['call', 's1.resume'], ['call', 's1.resume']],
    'pause and resume': [['call', 's1.pause'], *_LOOK, ['call', 's1.resume']],
    'resume and pause': [['call', 's1.resume'], *_LOOK, ['call', 's1.pause']],
    "pause, then 'data'": [['call', 's1.pause'], ['call', 's1.on', 'data', _DATA]],
    "'data', then pause": [['call', 's1.on', 'data', _DATA], ['call', 's1.pause']],
    "'data', pause, resume": [
        ['call', 's1.on', 'data', _DATA], ['call', 's1.pause'], ['call', 's1.resume']],
    "'readable', then resume": [
        ['call', 's1.on', 'readable', _READ_ALL], ['call', 's1.resume']],
    "'readable', then pause": [['call', 's1.on', 'readable', _READ_ALL], ['call', 's1.pause']],
    "'end'": [['call', 's1.on', 'end', fn('end')]],
    'read': [['call', 's1.read']],
    'read(0)': [['call', 's1.read', 0]],
    "'data', and it is removed": [
        ['call', 's1.on', 'data', _DATA], ['call', 's1.off', 'data', _DATA]],
    "'readable', and it is removed": [
        ['call', 's1.on', 'readable', _READ_ALL], ['call', 's1.off', 'readable', _READ_ALL]],
    "'readable' and 'data', and the first is removed": [
        ['call', 's1.on', 'readable', _READ_ALL], ['call', 's1.on', 'data', _DATA], ['settle'],
        ['call', 's1.off', 'readable', _READ_ALL], *_LOOK],
    "'readable', and all listeners are removed": [
        ['call', 's1.on', 'readable', _READ_ALL], ['settle'],
        ['call', 's1.removeAllListeners', 'readable']],
}

_MODES = [
    _scenario(
        f'{name}, then two chunks and the end', *steps, *_LOOK, ['settle'], *_LOOK,
        *_comes(b'abc'), *_LOOK, *_comes(b'def'), *_LOOK,
        ['call', 'c.end'], ['settle'], *_LOOK, ['get', 's1.readableEnded', 's1.bytesRead'],
        ['call', 's1.read'], ['settle'], ['get', 's1.readableEnded', 's1.readableDidRead'],
        chapter=_EVENTS)
    for name, steps in _STARTS.items()
]

_LATE = [
    _scenario(
        f'two chunks, then {name}', *_comes(b'abc', b'def'), *_LOOK, *steps, *_LOOK, ['settle'],
        *_LOOK, *_comes(b'ghi'), *_LOOK, chapter=_EVENTS)
    for name, steps in _STARTS.items()
]

_PAUSED_ON_CONNECT = [
    _scenario(
        f'pauseOnConnect, then {name}', *_LOOK, ['get', 's1.bytesRead'], *steps, *_LOOK,
        *_comes(b'abc'), *_LOOK, ['get', 's1.bytesRead'], server={'pauseOnConnect': True})
    for name, steps in {
        'nothing': [],
        "'data'": [['call', 's1.on', 'data', _DATA]],
        'resume': [['call', 's1.resume']],
        'read': [['call', 's1.read']],
        "'readable'": [['call', 's1.on', 'readable', _READ_ALL]],
        "'data' and resume": [['call', 's1.on', 'data', _DATA], ['call', 's1.resume']],
    }.items()
]

# --- the end --------------------------------------------------------------------------------------

_ENDS = [
    _scenario(
        f'end, {name}', *steps, ['call', 'c.end'], ['settle'], *_LOOK,
        ['get', 's1.readableEnded', 's1.readable'], *after, ['settle'],
        ['get', 's1.readableEnded', 's1.readable'], chapter=_EVENTS)
    for name, steps, after in (
        ('nobody listens', [], []),
        ('paused and empty', [['call', 's1.pause']], []),
        ('paused with data', [['call', 's1.pause'], *_comes(b'abc')], [['call', 's1.resume']]),
        ('paused with data that is read', [['call', 's1.pause'], *_comes(b'abc')],
         [['call', 's1.read', 2], ['settle'], ['call', 's1.read', 2]]),
        ('with data that is read in two', _comes(b'abc'),
         [['call', 's1.read', 1], ['call', 's1.read', 2], ['call', 's1.read']]),
        ('flowing', [['call', 's1.on', 'data', _DATA], *_comes(b'abc')], []),
        ('right after data', [['call', 's1.on', 'data', _DATA], ['call', 'c.write', 'abc']], []),
        ("paused in 'data'", [
            ['call', 's1.on', 'data', fn('data', ['call', 's1.pause'], of='s1')],
            ['call', 'c.write', 'abc']], [['call', 's1.resume']]),
        ("late 'end' listener", [], [['call', 's1.on', 'end', fn('late')], ['settle']]),
        ("late 'readable' listener", _comes(b'abc'), [['call', 's1.on', 'readable', _READ_ALL]]),
    )
]

# --- read(n) --------------------------------------------------------------------------------------

_SIZES: dict[str, list[Form]] = {
    '1, 2 and more': [1, 2, 10, 3],
    'null': [None],
    'undefined': [UNDEFINED],
    '0': [0],
    'negative': [-1, -5],
    'NaN': [number('NaN')],
    'fractions': [1.5, 0.5, 2.9],
    'infinite': [number('Infinity')],
    'more than a gibibyte': [1073741825, 2147483648],
    'a gibibyte': [1073741824],
    'all and again': [6, 6],
    'above the mark': [100000, 6],
}

_SIZED = [
    _scenario(
        f'read({name})', *_comes(b'abc', b'def'), *(step for size in sizes for step in (
            ['call', 's1.read', size],
            ['get', 's1.readableLength', 's1.readableHighWaterMark'])),
        ['settle'], ['call', 'c.end'], ['settle'], ['call', 's1.read', 10],
        ['call', 's1.read', 10], ['settle'])
    for name, sizes in _SIZES.items()
]

_READS = [
    _scenario(
        "read(n) in 'readable' until there is enough",
        ['call', 's1.on', 'readable', fn('readable', ['call', 's1.read', 5], of='s1')],
        *_comes(b'ab', b'cd', b'efg', b'h'), ['call', 'c.end'], ['settle'], ['settle']),
    _scenario(
        'read(n) while flowing', ['call', 's1.on', 'data', _DATA], ['settle'],
        ['call', 's1.pause'], *_comes(b'ab', b'cd'), ['call', 's1.resume'],
        ['call', 's1.read', 3], ['settle']),
    _scenario(
        'read() while flowing gives one chunk', ['call', 's1.on', 'data', _DATA], ['settle'],
        ['call', 's1.pause'], *_comes(b'ab', b'cd'), ['call', 's1.resume'],
        ['call', 's1.read'], ['settle']),
    _scenario(
        'chunks keep their bounds', ['call', 's1.pause'],
        *_comes(data(40000), data(10), data(20)), ['call', 's1.on', 'data', _DATA],
        ['call', 's1.resume'], ['settle']),
    _scenario(
        'the buffer is full', ['call', 's1.pause'],
        *_comes(data(5), data(7)), *_LOOK, *_comes(data(11)), *_LOOK, ['get', 's1.bytesRead'],
        ['call', 's1.read', 6], ['settle'], ['get', 's1.readableLength', 's1.bytesRead'],
        ['call', 's1.read'], ['settle'], ['get', 's1.readableLength', 's1.bytesRead'],
        server={'highWaterMark': 10}),
    _scenario(
        'the buffer is full, with a mark of 0', *_comes(b'ab', b'cd'), *_LOOK,
        ['get', 's1.bytesRead'], ['call', 's1.read'], ['settle'], *_LOOK, ['call', 's1.read'],
        ['settle'], server={'highWaterMark': 0}),
    _scenario(
        '3 MB come, nobody reads', ['call', 'c.write', data(3 << 20)],
        ['settle'], ['settle'], ['settle'], ['settle'],
        ['get', 's1.readableLength', 's1.bytesRead', 's1.readableFlowing'],
        chapter=_EVENTS, ignore=['drain']),
    _scenario(
        "pause in 'data'",
        ['call', 's1.on', 'data', fn('data', ['call', 's1.pause'], of='s1')],
        *_comes(b'abc', b'def'), *_LOOK, ['call', 's1.resume'], ['settle'], *_LOOK),
    _scenario(
        "read in 'data'",
        ['call', 's1.pause'], *_comes(b'abc', b'def', b'ghi'),
        ['call', 's1.once', 'data', fn('data', ['call', 's1.read'], of='s1')],
        ['call', 's1.resume'], ['settle']),
    _scenario(
        'a client before its connection: pause, and data', ['let', 'd', 'new net.Socket'],
        ['call', 'd.pause'], ['call', 'd.on', 'data', fn('data')], ['call', 'd.isPaused'],
        ['call', 'd.connect', {'$': 'port', 'of': 'server'}, '127.0.0.1'],
        ['await', 'd ready'], ['await', 'server connection', 2],
        ['call', 's2.write', 'abc'], ['settle'], ['get', 'd.bytesRead', 'd.readableLength'],
        ['call', 'd.resume'], ['settle'], ['get', 'd.bytesRead', 'd.readableLength']),
]

# --- unshift --------------------------------------------------------------------------------------

_UNSHIFTED = [
    _scenario(f'unshift, {name}', *steps, *_LOOK, ['settle'])
    for name, steps in {
        'nothing buffered': [['call', 's1.unshift', encoded(b'ab')], *_LOOK, ['settle'],
                             ['call', 's1.read']],
        'something buffered': [*_comes(b'cd'), ['call', 's1.unshift', encoded(b'ab')],
                               ['call', 's1.read']],
        'part of a read': [*_comes(b'abcd'), ['call', 's1.read'],
                           ['call', 's1.unshift', encoded(b'cd')], *_comes(b'ef'),
                           ['call', 's1.read']],
        'text': [['call', 's1.unshift', '\xe9'], ['call', 's1.unshift', '6162', 'hex'],
                 ['call', 's1.read']],
        'empty': [['call', 's1.unshift', ''], ['call', 's1.unshift', encoded(b'')],
                  ['call', 's1.read']],
        'while flowing': [['call', 's1.on', 'data', _DATA], *_comes(b'ab'),
                          ['call', 's1.unshift', encoded(b'cd')]],
        "in 'data'": [
            ['call', 's1.once', 'data', fn(
                'first', ['call', 's1.unshift', encoded(b'cd')], ['call', 's1.on', 'data', _DATA],
                of='s1')], *_comes(b'ab')],
        "with 'readable'": [['call', 's1.on', 'readable', _READ_ALL], ['settle'],
                            ['call', 's1.unshift', encoded(b'ab')]],
        'wrong types': [['call', 's1.unshift', 5], ['call', 's1.destroy']],
        'after the end': [['call', 's1.resume'], ['call', 'c.end'], ['await', 's1 end'],
                          ['call', 's1.unshift', encoded(b'ab')]],
        'after a destroy': [['call', 's1.destroy'], ['call', 's1.unshift', encoded(b'ab')]],
        'before the end is told': [
            *_comes(b'ab'), ['call', 'c.end'], ['settle'], ['call', 's1.read', 1],
            ['call', 's1.unshift', encoded(b'cd')], ['call', 's1.read']],
        'text, with an encoding set': [
            ['call', 's1.setEncoding', 'latin1'], ['call', 's1.unshift', 'a\xe9'],
            ['get', 's1.readableLength'], *_comes(b'\xe8'), ['call', 's1.read']],
    }.items()
]

_DIFFERENT = [
    _scenario(
        'unshift, bytes with an encoding set', ['call', 's1.setEncoding', 'latin1'],
        ['call', 's1.unshift', encoded(b'\xe9')], *_comes(b'\xe8'), ['call', 's1.read'],
        on_purpose='`unshift` of bytes to a socket with an encoding puts them among its text'),
    _scenario(
        'a listener throws',
        ['call', 's1.on', 'data', fn('first', of='s1', throws=error('thrown'))],
        ['call', 's1.on', 'data', fn('second', of='s1')], *_comes(b'ab'),
        ['get', 's1.destroyed', 's1.bytesRead'], *_comes(b'cd'), ['get', 's1.destroyed'],
        chapter=_EVENTS,
        on_purpose='an exception in a listener leaves its socket open, if the process survives'),
]

_RESETS = [
    _scenario(
        f'the peer resets, {name}', *steps, ['call', 'c.resetAndDestroy'], ['await', 's1 close'],
        ['get', 's1.readableLength', 's1.bytesRead', 's1.readableEnded'], ['call', 's1.read'],
        chapter=_EVENTS)
    for name, steps in {
        'paused': [['call', 's1.pause'], ['settle']],
        'paused with data': [['call', 's1.pause'], *_comes(b'ab')],
        'nobody listens': _comes(b'ab'),
        'flowing': [['call', 's1.on', 'data', _DATA], *_comes(b'ab')],
    }.items()
]

_UNSHIFTED_EARLY = [
    Scenario(
        f'reading/unshift on a new socket, then {name}', _CHAPTER,
        [
            ['let', 'c', 'new net.Socket'], ['call', 'c.unshift', encoded(b'ab')],
            ['get', 'c.readableLength', 'c.readableFlowing'], *steps,
            ['settle'], ['get', 'c.readableLength', 'c.readableFlowing'],
        ], quiet=QUIET)
    for name, steps in {
        'nothing': [],
        "'data'": [['call', 'c.on', 'data', fn('data')]],
        'resume': [['call', 'c.resume']],
        'read': [['call', 'c.read']],
        "'readable'": [['call', 'c.on', 'readable', fn('readable')]],
        'a turn and data': [['settle'], ['call', 'c.on', 'data', fn('data')]],
    }.items()
]

SCENARIOS = [
    *_MODES, *_LATE, *_PAUSED_ON_CONNECT, *_ENDS, *_SIZED, *_READS, *_UNSHIFTED, *_DIFFERENT,
    *_RESETS, *_UNSHIFTED_EARLY,
]
