"""What ``write`` and ``end`` take, and what they refuse."""

from __future__ import annotations

from ..form import UNDEFINED, Form, Scenario, Step, data, encoded, fn, number, text
from ._pairs import QUIET, connection

__all__ = ['SCENARIOS']

_WRITING = 'net.Socket: write, cork, uncork'
_ENDING = 'net.Socket: end'

_OBSERVED = ['c.writableLength', 'c.bytesWritten', 'c.destroyed']

_DONE = fn('done')

#: What is no chunk.
_NO_CHUNKS: dict[str, Form] = {
    'null': None,
    'number': 1,
    'fraction': 1.5,
    'NaN': number('NaN'),
    'true': True,
    'false': False,
    'array': [1],
    'empty array': [],
    'object': {'length': 1},
    'function': fn('chunk'),
}

#: The states in which a wrong chunk is refused, and how a socket gets there.
_STATES: dict[str, list[Step]] = {
    'new': [['let', 'c', 'new net.Socket']],
    'connected': connection(),
    'ended': [*connection(server={'allowHalfOpen': True}), ['call', 'c.end']],
    'destroyed': [['let', 'c', 'new net.Socket'], ['call', 'c.destroy']],
}

_REFUSED = [
    Scenario(
        f'write arguments/wrong chunks, {state} socket', _WRITING,
        [
            *way,
            *(['call', 'c.write', chunk] for name, chunk in _NO_CHUNKS.items()),
            ['call', 'c.write', None, 'bogus'],
            ['call', 'c.write', 1, 'bogus'],
            ['get', *_OBSERVED],
        ], quiet=QUIET)
    for state, way in _STATES.items()
]

#: Calls that are taken, or refused for another reason than the chunk.
_CALLS: dict[str, list[list[Form]]] = {
    'chunk': [['a'], [encoded(b'a')], [text(3)], [data(50)]],
    'empty chunk': [['', _DONE], [encoded(b''), _DONE], ['', 'utf8', _DONE]],
    'chunk and callback': [['abc', _DONE], [encoded(b'abc'), _DONE]],
    'callback after no encoding': [['abc', no, _DONE] for no in (None, '', False, 0)],
    'callback that is none': [['a', 'utf8', none] for none in (5, 'b', {}, None, True)],
    'unknown encoding': [
        ['a', 'bogus'], ['a', 'bogus', _DONE], [encoded(b'a'), 'bogus', _DONE], ['', 'bogus'],
        ['a', 'utf-7'], ['a', 'utf 8'], ['a', ' utf8']],
    'encoding of another type': [
        ['a', 5], ['a', True], ['a', {}], ['a', []], ['a', 1.5, _DONE], [encoded(b'a'), 5]],
    'encoding buffer': [
        [encoded(b'a'), 'buffer'], [encoded(b'a'), 'BUFFER'], ['a', 'buffer'], ['', 'buffer']],
    'encoding of bytes': [
        [encoded(b'61'), 'hex', _DONE], [encoded(b'YQ=='), 'base64'], [encoded(b'a'), 'utf16le']],
}

_TAKEN = [
    Scenario(
        f'write arguments/{name}', _WRITING,
        [
            *connection(),
            *(step for call in calls for step in (
                ['call', 'c.write', *call], ['get', 'c.writableLength', 'c.bytesWritten'])),
            ['call', 'c.end'],
            ['await', 'c finish'],
            ['settle'],
            ['call', 's1.read'],
            ['await', 'c close'],
            ['get', *_OBSERVED],
        ], ignore=['readable'], quiet=QUIET)
    for name, calls in _CALLS.items()
]

#: The arguments of one ``end``; what the peer gets is read afterwards.
_ENDS: dict[str, list[Form]] = {
    'nothing': [],
    'callback': [_DONE],
    'null': [None],
    'undefined': [UNDEFINED],
    'null and callback': [None, _DONE],
    'null, null and callback': [None, None, _DONE],
    'chunk': ['abc'],
    'chunk and callback': ['abc', _DONE],
    'bytes and callback': [encoded(b'abc'), _DONE],
    'chunk and encoding': ['616263', 'hex'],
    'chunk, encoding and callback': ['616263', 'hex', _DONE],
    'chunk, null and callback': ['abc', None, _DONE],
    'empty chunk': ['', _DONE],
    'empty bytes': [encoded(b''), _DONE],
    'null and unknown encoding': [None, 'bogus', _DONE],
    'callback that is none': ['abc', None, 5],
}

_ENDED = [
    Scenario(
        f'write arguments/end: {name}', _ENDING,
        [
            *connection(),
            ['call', 'c.end', *arguments],
            ['get', 'c.writableEnded', 'c.writableFinished', 'c.readyState'],
            ['await', 'c finish'],
            ['await', 's1 readable'],
            ['call', 's1.read'],
            ['call', 's1.read'],
            ['await', 's1 end'],
            ['await', 'c close'],
            ['get', *_OBSERVED],
        ], quiet=QUIET)
    for name, arguments in _ENDS.items()
]

_REFUSED_ENDS = [
    Scenario(
        f'write arguments/end with wrong chunks, {state} socket', _ENDING,
        [
            *way,
            *(['call', 'c.end', chunk] for chunk in (1, True, [1], {'length': 1})),
            ['call', 'c.end', 5, _DONE],
            ['call', 'c.end', 'a', 'bogus'],
            ['get', 'c.writableEnded', *_OBSERVED],
            ['settle'],
            ['get', 'c.writableEnded', *_OBSERVED],
        ], quiet=QUIET)
    for state, way in _STATES.items()
]

_AGAIN = [
    Scenario(
        'write arguments/end without data again and again', _ENDING,
        [
            *connection(server={'allowHalfOpen': True}),
            ['call', 'c.end', 'abc', fn('first')],
            ['call', 'c.end', fn('second')],
            ['call', 'c.end'],
            ['call', 'c.end', None, fn('third')],
            ['await', 'c finish'],
            ['call', 'c.end', fn('late')],
            ['settle'],
            ['get', 'c.destroyed', 'c.writableFinished'],
            ['call', 'c.end'],
            ['call', 's1.resume'],
            ['call', 's1.end'],
            ['await', 'c close'],
        ], quiet=QUIET),
    Scenario(
        'write arguments/end with data again', _ENDING,
        [
            *connection(server={'allowHalfOpen': True}),
            ['call', 'c.end', fn('first')],
            ['call', 'c.end', 'late', fn('second')],
            ['get', 'c.destroyed', 'c.errored'],
            ['await', 'c close'],
        ], quiet=QUIET),
]

_DEFAULT_ENCODING = [
    Scenario(
        'write arguments/default encoding', _WRITING,
        [
            *connection(),
            ['call', 'c.setDefaultEncoding', 'bogus'],
            ['call', 'c.setDefaultEncoding', 'HEX'],
            ['call', 'c.write', '6162'],
            ['call', 'c.write', 'yz', 'latin1'],
            ['call', 'c.write', encoded(b'78')],
            ['call', 'c.setDefaultEncoding', 'base64'],
            ['call', 'c.write', 'YWI='],
            ['call', 'c.end', 'YWI'],
            ['await', 'c finish'],
            ['settle'],
            ['call', 's1.read'],
        ], ignore=['readable'], quiet=QUIET),
    Scenario(
        'write arguments/default encoding, wrong ones', _WRITING,
        [
            ['let', 'c', 'new net.Socket'],
            *(['call', 'c.setDefaultEncoding', name] for name in (
                'bogus', 'buffer', '', None, 5, True, {'a': 1}, [1])),
        ]),
]

SCENARIOS = [
    *_REFUSED, *_TAKEN, *_ENDED, *_REFUSED_ENDS, *_AGAIN, *_DEFAULT_ENCODING,
]
