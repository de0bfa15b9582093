"""``pipe`` and ``unpipe``: between sockets, and to other objects.

The source is ``s1``, which the client ``c`` writes to; the destination is ``d``, a second client,
whose peer is ``s2``.
"""

from __future__ import annotations

from ..form import Form, Scenario, Step, data, encoded, error, fn, port, ref
from ._pairs import QUIET, connection, listening

__all__ = ['SCENARIOS']

_CHAPTER = 'net.Socket: pipe, unpipe'
_QUIET = [*QUIET, 'write', 'setEncoding']

_PIPE = ['call', 's1.pipe', ref('d')]
_FLOW = ['get', 's1.readableFlowing', 's1.readableLength']
#: What a pipe has left at both ends.
_LEFT: list[Step] = [
    ['call', f'{which}.listenerCount', event]
    for which, events in (('s1', ('data',)), ('d', ('finish', 'close', 'error', 'unpipe')))
    for event in events]


def _two(*, first: dict | None = None) -> list[Step]:
    """Two connections; all ends but that of *first* stay half open when their peer ends."""
    half_open = {'allowHalfOpen': True}
    return [
        *connection(server={**half_open, **(first or {})}, client=half_open),
        ['let', 'd', 'net.connect', {'port': port(), 'host': '127.0.0.1', **half_open}],
        ['await', 'd ready'], ['await', 'server connection', 2],
    ]


def _comes(*chunks: bytes) -> list[Step]:
    return [step for chunk in chunks for step in (
        ['call', 'c.write', encoded(chunk)], ['settle'])]


#: What happens to ``s1.pipe(d)``.
_LIVES: dict[str, list[Step]] = {
    'data': [_PIPE, _FLOW, *_comes(b'ab', b'cd'), ['call', 's2.read']],
    'data that was there': [*_comes(b'ab', b'cd'), _FLOW, _PIPE, ['settle'], ['call', 's2.read']],
    'the source ends': [
        _PIPE, *_comes(b'ab'), ['call', 'c.end'], ['await', 's1 end'], ['settle'],
        ['get', 'd.writableEnded', 'd.destroyed']],
    'the source ends, end: false': [
        ['call', 's1.pipe', ref('d'), {'end': False}], *_comes(b'ab'), ['call', 'c.end'],
        ['await', 's1 end'], ['settle'], ['get', 'd.writableEnded', 'd.destroyed']],
    'the source has ended': [
        ['call', 's1.resume'], ['call', 'c.end'], ['await', 's1 end'], _PIPE, ['settle'],
        ['get', 'd.writableEnded'], _FLOW],
    'the source has ended, end: false': [
        ['call', 's1.resume'], ['call', 'c.end'], ['await', 's1 end'],
        ['call', 's1.pipe', ref('d'), {'end': False}], ['settle'], ['get', 'd.writableEnded'],
        _FLOW],
    'the source is destroyed': [
        _PIPE, *_comes(b'ab'), ['call', 's1.destroy'], ['settle'],
        ['get', 'd.writableEnded', 'd.destroyed']],
    'the source is destroyed with an error': [
        _PIPE, *_comes(b'ab'), ['call', 's1.destroy', error('off')], ['settle'],
        ['get', 'd.writableEnded', 'd.destroyed']],
    'the destination is destroyed': [
        _PIPE, *_comes(b'ab'), ['call', 'd.destroy'], ['settle'], _FLOW, *_comes(b'cd'), _FLOW,
        ['get', 's1.destroyed']],
    'the destination is destroyed with an error': [
        _PIPE, *_comes(b'ab'), ['call', 'd.destroy', error('off')], ['settle'], _FLOW,
        ['get', 's1.destroyed']],
    'the destination ends': [
        _PIPE, *_comes(b'ab'), ['call', 'd.end'], ['settle'], _FLOW, ['get', 's1.destroyed']],
    'the destination has ended': [
        ['call', 'd.end'], ['settle'], _PIPE, ['settle'], _FLOW, *_comes(b'ab'), _FLOW,
        ['get', 'd.destroyed']],
    'the destination has been destroyed': [
        ['call', 'd.destroy'], ['settle'], _PIPE, ['settle'], _FLOW, *_comes(b'ab'), _FLOW],
    'unpipe': [
        _PIPE, *_comes(b'ab'), ['call', 's1.unpipe'], _FLOW, *_comes(b'cd'), _FLOW,
        ['call', 's1.on', 'data', fn('data')], ['settle'], _FLOW, ['call', 's1.resume'],
        ['settle'], _FLOW],
    'unpipe of the destination': [
        _PIPE, *_comes(b'ab'), ['call', 's1.unpipe', ref('d')], _FLOW, ['settle'], _FLOW],
    'unpipe of another': [_PIPE, ['call', 's1.unpipe', ref('s2')], *_comes(b'ab'), _FLOW],
    'unpipe at once': [_PIPE, ['call', 's1.unpipe', ref('d')], _FLOW, *_comes(b'ab'), _FLOW],
    'unpipe twice': [_PIPE, ['settle'], ['call', 's1.unpipe'], ['call', 's1.unpipe'], _FLOW],
    'unpipe of nothing': [['call', 's1.unpipe'], _FLOW, ['call', 's1.unpipe', ref('d')], _FLOW],
    'unpipe in its data': [
        _PIPE, ['call', 's1.on', 'data', fn('data', ['call', 's1.unpipe', ref('d')])],
        *_comes(b'ab', b'cd'), _FLOW],
    'piped twice to the same': [_PIPE, _PIPE, *_comes(b'ab'), ['call', 's2.read']],
    'piped twice to the same, unpipe once': [
        _PIPE, _PIPE, ['settle'], ['call', 's1.unpipe', ref('d')], *_comes(b'ab'), _FLOW],
    'piped again after unpipe': [
        _PIPE, ['settle'], ['call', 's1.unpipe'], _PIPE, *_comes(b'ab'), _FLOW,
        ['call', 's2.read']],
    'a pause in between': [
        _PIPE, ['settle'], ['call', 's1.pause'], _FLOW, *_comes(b'ab'), _FLOW,
        ['call', 's1.resume'], ['settle'], _FLOW],
    'paused before': [['call', 's1.pause'], _PIPE, _FLOW, *_comes(b'ab'), _FLOW],
    "with 'readable'": [
        ['call', 's1.on', 'readable', fn('readable', ['call', 's1.read'])], ['settle'], _PIPE,
        _FLOW, *_comes(b'ab'), _FLOW, ['call', 's2.read']],
    "with 'data'": [
        ['call', 's1.on', 'data', fn('data')], _PIPE, *_comes(b'ab'), ['call', 's2.read']],
    'text': [['call', 's1.setEncoding', 'hex'], _PIPE, *_comes(b'ab'), ['call', 's2.read']],
    'the source has ended, end: false, piped again after unpipe': [
        ['call', 's1.resume'], ['call', 'c.end'], ['await', 's1 end'],
        ['call', 's1.pipe', ref('d'), {'end': False}], ['call', 's1.unpipe'],
        ['call', 's1.pipe', ref('d'), {'end': False}], ['settle'],
        ['call', 'd.listenerCount', 'unpipe'], _FLOW],
    'the source has ended, unpipe at once': [
        ['call', 's1.resume'], ['call', 'c.end'], ['await', 's1 end'], _PIPE,
        ['call', 's1.unpipe', ref('d')], ['settle'], ['get', 'd.writableEnded']],
    "unpipe in an earlier listener of its 'end'": [
        ['call', 's1.on', 'end', fn('ended', ['call', 's1.unpipe', ref('d')])], _PIPE,
        *_comes(b'ab'), ['call', 'c.end'], ['await', 's1 end'], ['settle'],
        ['get', 'd.writableEnded']],
    "end: false, piped again in an earlier listener of its 'end'": [
        ['call', 's1.on', 'end', fn(
            'ended', ['call', 's1.unpipe'], ['call', 's1.pipe', ref('d'), {'end': False}])],
        ['call', 's1.pipe', ref('d'), {'end': False}], ['call', 'c.end'], ['await', 's1 end'],
        ['settle'], ['call', 'd.listenerCount', 'unpipe'], _FLOW],
    "removeAllListeners('unpipe')": [
        _PIPE, ['call', 'd.removeAllListeners', 'unpipe'], ['call', 's1.unpipe', ref('d')],
        *_LEFT, _PIPE, ['call', 's1.unpipe'], *_LEFT],
    "'unpipe' that the program emits": [_PIPE, ['call', 'd.emit', 'unpipe', ref('s1')], *_LEFT],
    'its listeners come and go': [
        *(['call', f'{which}.on', event, fn(f'{which} {event}')] for which in ('s1', 'd')
          for event in ('newListener', 'removeListener')),
        _PIPE, ['call', 's1.unpipe', ref('d')], _PIPE, ['call', 'd.emit', 'finish'], _PIPE,
        ['call', 'd.emit', 'close'], *_LEFT],
    'with a wrong options argument': [
        ['call', 's1.pipe', ref('d'), {'end': None}], ['call', 'c.end'], ['settle'],
        ['get', 'd.writableEnded']],
}

_SOCKETS = [
    Scenario(
        f'pipes/{name}', _CHAPTER, [*_two(), *steps], quiet=_QUIET, together={'pipe': ['s1', 'd']})
    for name, steps in _LIVES.items()
]

_ECHOES = [
    Scenario(
        f'pipes/echo, {name}', _CHAPTER,
        [
            *listening({'allowHalfOpen': half_open}, fn('accepted', ['call', '$0.pipe', {
                '$': 'arg', 'position': 0}])),
            ['let', 'c', 'net.connect', port(), '127.0.0.1'],
            ['call', 'c.on', 'data', fn('data')],
            *_comes(b'ab', b'cd'),
            ['call', 'c.end', 'ef'],
            ['await', 'c close'],
            ['await', 's1 close'],
        ], quiet=_QUIET)
    for name, half_open in (('half open', True), ('not half open', False))
]

#: More than the kernel takes while the peer does not read.
_MUCH = 8 << 20

_PRESSURE = [
    Scenario(
        'pipes/back-pressure', _CHAPTER,
        [
            *_two(),
            ['call', 's2.pause'],
            ['call', 'c.write', data(_MUCH)],
            ['call', 'c.write', data(_MUCH)],
            ['call', 'c.end'],
            _PIPE,
            ['await', 's1 pause'],
            ['get', 'd.writableNeedDrain', 's1.readableFlowing'],
            ['call', 's2.resume'],
            ['await', 's2 end'],
            ['await', 'd finish'],
            ['get', 's2.bytesRead', 'd.bytesWritten'],
        ], quiet=_QUIET, ignore=['data', 'readable', 'pause', 'resume', 'drain']),
    Scenario(
        'pipes/to a destination that has to drain', _CHAPTER,
        [
            *_two(),
            ['call', 's2.pause'],
            ['call', 'd.write', data(_MUCH)],
            ['get', 'd.writableNeedDrain'],
            _PIPE,
            _FLOW,
            *_comes(b'ab'),
            _FLOW,
            ['call', 's2.resume'],
            ['await', 'd drain'],
            ['settle'],
            _FLOW,
            ['get', 'd.bytesWritten'],
        ], quiet=_QUIET, ignore=['readable', 'connection', 'data'], together={'pipe': ['s1', 'd']},
        watch={'sockets': ['readableFlowing'], 's2': []}),
]

# --- to an emitter with write() and end() ---------------------------------------------------------


def _sink(*steps: Step, takes: Form = None) -> list[Step]:
    return [
        *connection(server={'allowHalfOpen': True}),
        ['let', 'd', 'new events.EventEmitter'],
        ['set', 'd.write', fn('d.write', returns=takes, of='d')],
        ['set', 'd.end', fn('d.end', of='d')],
        *steps,
    ]


_EMITTED: dict[str, list[Step]] = {
    'it takes all': _sink(
        _PIPE, *_comes(b'ab', b'cd'), _FLOW, ['call', 'c.end'], ['settle'], takes=True),
    'it returns nothing': _sink(_PIPE, *_comes(b'ab', b'cd'), _FLOW),
    'it is full, and drains': _sink(
        _PIPE, *_comes(b'ab', b'cd'), _FLOW, ['call', 'd.emit', 'drain'], ['settle'], _FLOW,
        ['call', 'd.emit', 'drain'], ['settle'], _FLOW, takes=False),
    'it drains without being full': _sink(
        _PIPE, *_comes(b'ab'), ['call', 's1.pause'], ['call', 'd.emit', 'drain'], ['settle'],
        _FLOW, takes=True),
    'it was full, and drains again': _sink(
        _PIPE, *_comes(b'ab'), ['call', 'd.emit', 'drain'], ['settle'],
        ['call', 's1.pause'], ['call', 'd.emit', 'drain'], ['settle'], _FLOW, takes=False),
    "it is full, unpipe, and there is a listener of 'data'": _sink(
        _PIPE, ['call', 's1.on', 'data', fn('data')], *_comes(b'ab'), _FLOW,
        ['call', 's1.unpipe', ref('d')], _FLOW, ['settle'], _FLOW, takes=False),
    'it is full, unpipe of all': _sink(
        _PIPE, ['call', 's1.on', 'data', fn('data')], *_comes(b'ab'), _FLOW,
        ['call', 's1.unpipe'], _FLOW, ['settle'], _FLOW, takes=False),
    'it finishes': _sink(
        _PIPE, *_comes(b'ab'), ['call', 'd.emit', 'finish'], ['settle'], _FLOW, takes=True),
    'it closes': _sink(
        _PIPE, *_comes(b'ab'), ['call', 'd.emit', 'close'], ['settle'], _FLOW, takes=True),
    'it fails': _sink(
        _PIPE, ['call', 'd.on', 'error', fn('failed')], *_comes(b'ab'),
        ['call', 'd.emit', 'error', error('full')], ['settle'], _FLOW, takes=True),
    'it fails, and nobody listens': _sink(
        _PIPE, *_comes(b'ab'), ['call', 'd.emit', 'error', error('full')], ['settle'], _FLOW,
        takes=True),
    'its listeners': _sink(
        *(['call', 'd.listenerCount', event] for event in (
            'drain', 'finish', 'close', 'error', 'unpipe', 'end')),
        _PIPE, *_comes(b'ab'), ['call', 's1.unpipe'],
        *(['call', 'd.listenerCount', event] for event in (
            'drain', 'finish', 'close', 'error', 'unpipe', 'end')),
        takes=False),
    'two of them, one is full': _sink(
        ['let', 'e', 'new events.EventEmitter'],
        ['set', 'e.write', fn('e.write', returns=True, of='e')],
        ['set', 'e.end', fn('e.end', of='e')],
        _PIPE, ['call', 's1.pipe', ref('e')], *_comes(b'ab', b'cd'), _FLOW,
        ['call', 's1.unpipe', ref('d')], ['settle'], _FLOW, *_comes(b'ef'), _FLOW,
        ['call', 'c.end'], ['settle'], takes=False),
    'two of them, both are full': _sink(
        ['let', 'e', 'new events.EventEmitter'],
        ['set', 'e.write', fn('e.write', returns=False, of='e')],
        ['set', 'e.end', fn('e.end', of='e')],
        _PIPE, ['call', 's1.pipe', ref('e')], *_comes(b'ab', b'cd'), _FLOW,
        ['call', 'd.emit', 'drain'], ['settle'], _FLOW,
        ['call', 'e.emit', 'drain'], ['settle'], _FLOW, takes=False),
    'two of them, unpipe of all': _sink(
        ['let', 'e', 'new events.EventEmitter'],
        ['set', 'e.write', fn('e.write', returns=True, of='e')],
        ['set', 'e.end', fn('e.end', of='e')],
        _PIPE, ['call', 's1.pipe', ref('e')], ['settle'], ['call', 's1.unpipe'], _FLOW,
        *_comes(b'ab'), takes=True),
}

_EMITTERS = [
    Scenario(f'pipes/to an emitter, {name}', _CHAPTER, steps, quiet=_QUIET,
             together={'pipe': ['s1', 'd', 'e']})
    for name, steps in _EMITTED.items()
]

SCENARIOS = [*_SOCKETS, *_ECHOES, *_PRESSURE, *_EMITTERS]
