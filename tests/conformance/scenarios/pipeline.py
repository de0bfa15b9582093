"""``stream.pipeline``: streams that are joined, and one end of which dies.

The source is ``s1``, which the client ``c`` writes to; the destination is ``d``, a second client,
whose peer is ``s2``; ``e``, a third one, has ``s3``. The callback is ``done``.
"""

from __future__ import annotations

from ..form import Form, Scenario, Step, data, encoded, error, fn, port, ref
from ._pairs import QUIET, connection

__all__ = ['SCENARIOS']

_CHAPTER = 'stream.pipeline'
_QUIET = [
    *QUIET, 'write', 'end', 'destroy', 'resume', 'pause', 'setEncoding', 'resetAndDestroy',
    'pipeline', 'pipe']
#: Of the ends of several sockets, each of Node's has its ticks before the next one.
_IGNORE = ['prefinish']
_DONE = fn('done', of='s1')
_HALF_OPEN = {'allowHalfOpen': True}
_PIPELINE: Step = ['call', 'stream.pipeline', ref('s1'), ref('d'), _DONE]
_STATE: Step = [
    'get', 's1.destroyed', 's1.readableEnded', 's1.readableFlowing', 'd.destroyed',
    'd.writableEnded', 'd.writableFinished']
_SETTLE: Step = ['settle']
_RESUMED: Step = ['call', 's2.resume']
_ENDS: list[Step] = [['call', 'c.end'], _SETTLE]


def _client(name: str, count: int, half_open: bool) -> list[Step]:
    return [
        ['let', name, 'net.connect', {
            'port': port(), 'host': '127.0.0.1', 'allowHalfOpen': half_open}],
        ['await', f'{name} ready'], ['await', 'server connection', count]]


def _two(half_open: bool = True) -> list[Step]:
    options = {'allowHalfOpen': half_open}
    return [*connection(server=options, client=_HALF_OPEN), *_client('d', 2, half_open)]


def _comes(*chunks: bytes) -> list[Step]:
    return [step for chunk in chunks for step in (['call', 'c.write', encoded(chunk)], _SETTLE)]


#: What happens to one end or the other.
_DEATHS: dict[str, list[Step]] = {
    'the source ends': _ENDS,
    'the source is destroyed': [['call', 's1.destroy'], _SETTLE],
    'the source is destroyed with an error': [['call', 's1.destroy', error('off')], _SETTLE],
    "the source's peer resets": [['call', 'c.resetAndDestroy'], ['await', 's1 close'], _SETTLE],
    'the destination is destroyed': [['call', 'd.destroy'], _SETTLE],
    'the destination is destroyed with an error': [['call', 'd.destroy', error('off')], _SETTLE],
    'the destination ends': [['call', 'd.end'], _SETTLE],
    "the destination's peer resets": [
        ['call', 's2.resetAndDestroy'], ['await', 'd close'], _SETTLE],
    "the destination's peer ends": [['call', 'd.resume'], ['call', 's2.end'], _SETTLE],
    "the destination's peer is destroyed": [
        ['call', 'd.resume'], ['call', 's2.destroy'], _SETTLE, *_comes(b'x'), _SETTLE,
        *_comes(b'y'), _SETTLE],
    'the source is ended': [['call', 's1.end'], _SETTLE],
    'both are destroyed': [['call', 's1.destroy'], ['call', 'd.destroy'], _SETTLE],
    'both are destroyed with errors': [
        ['call', 's1.destroy', error('one')], ['call', 'd.destroy', error('two')], _SETTLE],
    'the destination is destroyed when the source has ended': [
        ['call', 's1.once', 'end', fn('end', ['call', 'd.destroy'])], *_ENDS],
    'the destination has finished and fails': [*_ENDS, ['call', 'd.destroy', error('late')]],
    'the source has ended and fails': [*_ENDS, ['call', 's1.destroy', error('late')]],
}

_HALVES = (('', True), (', not half open', False))

#: Both close in one turn.
_CLOSED_TOGETHER = (
    'both are destroyed', 'both are destroyed, not half open',
    'the destination is destroyed when the source has ended, not half open')
_REVERSED = "sockets that are destroyed in one turn emit `'close'` in the reverse order"

_LIVES = [
    Scenario(
        f'pipeline/{what}{half}', _CHAPTER, [
            *_two(half_open), _RESUMED, _PIPELINE, *_comes(b'ab'), *steps, _STATE, *_ENDS, _STATE,
        ], quiet=_QUIET, ignore=_IGNORE,
        on_purpose=_REVERSED if f'{what}{half}' in _CLOSED_TOGETHER else None)
    for what, steps in _DEATHS.items()
    for half, half_open in _HALVES
]

_BEFORE = [
    Scenario(
        f'pipeline/before: {what}{half}', _CHAPTER, [
            *_two(half_open), _RESUMED, ['call', 's1.resume'], _SETTLE, *steps,
            ['note', 'called', 's1'], _PIPELINE, ['note', 'called', 's1'], _SETTLE,
            *_comes(b'ab'), _STATE, *_ENDS, _STATE,
        ], quiet=_QUIET, ignore=_IGNORE)
    for what, steps in _DEATHS.items()
    for half, half_open in _HALVES
]

#: With nobody else to hear of an 'error'.
_ALONE = [
    Scenario(
        f'pipeline/alone, {what}', _CHAPTER, [
            *_two(), _RESUMED, _PIPELINE, *_comes(b'ab'), *steps, _STATE,
        ], quiet=_QUIET, ignore=[*_IGNORE, 'error'], deaf=['s1', 'd'])
    for what, steps in _DEATHS.items() if what != 'both are destroyed'
]

_JOINED: Step = ['call', 'stream.pipeline', ref('s1'), ref('d'), ref('e'), _DONE]
_THREE: list[Step] = [*_two(), *_client('e', 3, True), ['call', 's3.resume']]
_MORE: dict[str, list[Step]] = {
    'three': [['call', 's2.pipe', ref('s2')], _JOINED, *_comes(b'ab'), *_ENDS],
    'three, the first dies': [_JOINED, *_comes(b'ab'), ['call', 's1.destroy']],
    'three, the second dies': [_JOINED, *_comes(b'ab'), ['call', 'd.destroy', error('off')]],
    'three, the third dies': [_JOINED, *_comes(b'ab'), ['call', 'e.destroy', error('off')]],
    'three, the third dies when the first has ended': [
        _JOINED, *_comes(b'ab'), *_ENDS, ['call', 'e.destroy', error('off')]],
    'three, the first has ended and fails': [
        _JOINED, *_comes(b'ab'), *_ENDS, ['call', 's1.destroy', error('off')]],
    'three, the first has ended and is closed': [
        _JOINED, *_comes(b'ab'), *_ENDS, ['call', 's1.destroy']],
    'three, the third has finished and fails': [
        _JOINED, ['call', 'e.end'], _SETTLE, ['call', 'e.destroy', error('off')]],
    'three, the second is done and closes': [
        _JOINED, ['call', 'd.end'], ['call', 's2.end']],
    "three, 'error' is emitted": [
        _JOINED, ['call', 'd.emit', 'error', error('by hand')]],
    'a list': [['call', 'stream.pipeline', [ref('s1'), ref('d')], _DONE], *_comes(b'ab'), *_ENDS],
    'an echo': [
        ['call', 'stream.pipeline', ref('s1'), ref('s1'), _DONE], *_comes(b'ab', b'cd'), *_ENDS],
    'an echo that dies': [
        ['call', 'stream.pipeline', ref('s1'), ref('s1'), _DONE], *_comes(b'ab'),
        ['call', 's1.destroy']],
    'both ways': [
        _PIPELINE, ['call', 'stream.pipeline', ref('d'), ref('s1'), fn('back', of='d')],
        *_comes(b'ab'), ['call', 's2.write', 'cd'], _SETTLE, *_ENDS, ['call', 's2.end', 'ef']],
    'both ways, one end dies': [
        _PIPELINE, ['call', 'stream.pipeline', ref('d'), ref('s1'), fn('back', of='d')],
        *_comes(b'ab'), ['call', 'c.resetAndDestroy'], ['await', 'd close']],
    'twice': [
        _PIPELINE, ['call', 'stream.pipeline', ref('s1'), ref('e'), fn('other', of='s1')],
        *_comes(b'ab'), *_ENDS],
    'twice, one destination dies': [
        _PIPELINE, ['call', 'stream.pipeline', ref('s1'), ref('e'), fn('other', of='s1')],
        *_comes(b'ab'), ['call', 'd.destroy', error('off')]],
    'the callback fails': [
        ['call', 'stream.pipeline', ref('s1'), ref('d'), fn(
            'fails', of='s1', throws=error('in the callback'))], *_comes(b'ab'), *_ENDS],
    'unpiped': [_PIPELINE, *_comes(b'ab'), ['call', 's1.unpipe', ref('d')], *_comes(b'cd'), *_ENDS],
}

_SEVERAL = [
    Scenario(
        f'pipeline/{what}', _CHAPTER, [*_THREE, _RESUMED, *steps, _SETTLE, _STATE],
        quiet=_QUIET, ignore=_IGNORE)
    for what, steps in _MORE.items()
]

_MUCH = 8 << 20

_PRESSURE = Scenario(
    'pipeline/back-pressure', _CHAPTER, [
        *_two(), ['call', 's2.pause'],
        ['call', 'c.write', data(_MUCH)], ['call', 'c.write', data(_MUCH)], ['call', 'c.end'],
        _PIPELINE, ['await', 's1 pause'], ['get', 'd.writableNeedDrain', 's1.readableFlowing'],
        ['call', 's2.resume'], ['await', 's2 end'], ['await', 'done'],
        ['get', 's2.bytesRead', 'd.bytesWritten'],
    ], quiet=_QUIET, ignore=[*_IGNORE, 'data', 'readable', 'pause', 'resume', 'drain'])

_RETURNED = Scenario(
    'pipeline/what is returned', _CHAPTER, [
        *_THREE, _PIPELINE, ['call', 'stream.pipeline', ref('s2'), ref('e'), ref('c'), _DONE],
    ], quiet=[each for each in _QUIET if each != 'pipeline'], ignore=_IGNORE)

_NO_STREAMS: dict[str, list[Form]] = {
    'no stream': [_DONE],
    'one stream': [ref('s1'), _DONE],
    'a list of one': [[ref('s1')], _DONE],
    'an empty list': [[], _DONE],
    'a number for the callback': [ref('s1'), ref('d'), 5],
    'null for the callback': [ref('s1'), ref('d'), None],
}

#: Node would take many a thing that gnet does not, and says so in its text.
_NONE_OF_GNET = '`pipeline` joins streams of all kinds, iterables, generator functions, promises'

_OTHER_KINDS: dict[str, list[Form]] = {
    'a number': [ref('s1'), 5, _DONE],
    'a number at first': [5, ref('d'), _DONE],
    'null': [ref('s1'), None, _DONE],
    'an object': [ref('s1'), {}, _DONE],
    'options': [ref('s1'), ref('d'), {'end': False}, _DONE],
    'an emitter': [ref('s1'), {'$': 'emitter'}, _DONE],
    'a server': [ref('server'), ref('d'), _DONE],
}

_ARGUMENTS = [
    Scenario(
        f'pipeline/with {what}', _CHAPTER,
        [*_two(), ['call', 'stream.pipeline', *arguments], _SETTLE, _STATE],
        quiet=_QUIET, ignore=_IGNORE, on_purpose=reason)
    for reason, kinds in ((None, _NO_STREAMS), (_NONE_OF_GNET, _OTHER_KINDS))
    for what, arguments in kinds.items()
]

SCENARIOS = [*_LIVES, *_BEFORE, *_ALONE, *_SEVERAL, _PRESSURE, _RETURNED, *_ARGUMENTS]
