"""``stream.finished``: what of a socket it waits for, and what it says.

The socket is ``s1``, or ``c`` where it has to connect first; the callback is ``done``.
"""

from __future__ import annotations

from typing import Any

from ..form import Form, Scenario, Step, data, error, fn, port, ref
from ._pairs import QUIET, connection, listening

__all__ = ['SCENARIOS']

_CHAPTER = 'stream.finished'
_QUIET = [*QUIET, 'write', 'end', 'destroy', 'resume', 'pause', 'setEncoding', 'resetAndDestroy']
_DONE = fn('done', of='s1')
_HALF_OPEN = {'allowHalfOpen': True}


def _finished(options: dict[str, Any] | None = None) -> Step:
    return [
        'let', 'cleanup', 'stream.finished', ref('s1'),
        *([] if options is None else [options]), _DONE]


_OPTIONS: dict[str, dict[str, Any] | None] = {
    'both': None,
    'reading': {'writable': False},
    'writing': {'readable': False},
    'neither': {'readable': False, 'writable': False},
}

_ENDS: dict[str, list[Step]] = {
    'the peer ends': [['call', 'c.end'], ['await', 's1 end'], ['settle']],
    'it ends': [['call', 's1.end'], ['await', 's1 finish'], ['settle']],
    'both end': [['call', 's1.end'], ['call', 'c.end'], ['await', 's1 close'], ['settle']],
    'destroyed': [['call', 's1.destroy'], ['await', 's1 close'], ['settle']],
    'destroyed with an error': [
        ['call', 's1.destroy', error('off')], ['await', 's1 close'], ['settle']],
    'the peer resets': [['call', 'c.resetAndDestroy'], ['await', 's1 close'], ['settle']],
    'the peer ends, then destroyed': [
        ['call', 'c.end'], ['await', 's1 end'], ['call', 's1.destroy'], ['settle']],
    'it ends, then destroyed': [
        ['call', 's1.end'], ['await', 's1 finish'], ['call', 's1.destroy'], ['settle']],
    'ended and destroyed in one turn': [
        ['call', 's1.end', 'bye'], ['call', 's1.destroy'], ['settle']],
    'written after the end': [
        ['call', 's1.end'], ['call', 's1.write', 'x'], ['await', 's1 close'], ['settle']],
    "'error' is emitted": [['call', 's1.emit', 'error', error('by hand')], ['settle']],
    "'close' is emitted": [['call', 's1.emit', 'close'], ['settle']],
    "'end' is emitted": [['call', 's1.emit', 'end'], ['settle']],
    "'finish' is emitted": [['call', 's1.emit', 'finish'], ['settle']],
    'cleaned up': [['call', 'cleanup'], ['call', 's1.destroy'], ['settle']],
}

_LIVES = [
    Scenario(
        f'finished/{what}, {ends}{half}', _CHAPTER, [
            *connection(client=_HALF_OPEN, server=_HALF_OPEN if half else {}),
            ['call', 'c.resume'], ['call', 's1.resume'], ['settle'],
            _finished(options), *steps, ['note', 'over', 's1'],
        ], quiet=_QUIET)
    for ends, steps in _ENDS.items()
    for what, options in _OPTIONS.items()
    for half in ('', ', half open')
]

_AFTERWARDS = [
    Scenario(
        f'finished/{what}, after: {ends}{half}', _CHAPTER, [
            *connection(client=_HALF_OPEN, server=_HALF_OPEN if half else {}),
            ['call', 'c.resume'], ['call', 's1.resume'], ['settle'],
            *steps, _finished(options), ['note', 'called', 's1'],
            ['call', 's1.on', 'data', fn('data')], ['settle'],
        ], quiet=_QUIET)
    for ends, steps in _ENDS.items() if 'emitted' not in ends and ends != 'cleaned up'
    for what, options in _OPTIONS.items()
    for half in ('', ', half open')
]

_CANCELLED = (
    'after `destroy()`, `writableLength` counts what is dropped until the callbacks have run, and '
    '`errored` becomes the error of a write that was cancelled')
#: More than the kernel takes while the peer does not read.
_MUCH = 8 << 20

#: Called in an event, or right after what causes it; and what else may happen.
_MOMENTS: dict[str, list[Step]] = {
    **{
        f'in {event!r}': [
            ['call', 's1.on', event, fn(f'heard {event}', _finished())],
            ['call', 's1.end'], ['call', 'c.end'], ['await', 's1 close']]
        for event in ('prefinish', 'finish', 'end', 'close')
    },
    "in 'error'": [
        ['call', 's1.on', 'error', fn('heard error', _finished())],
        ['call', 's1.destroy', error('off')], ['await', 's1 close']],
    'right after destroy': [['call', 's1.destroy'], _finished(), ['note', 'called', 's1']],
    'right after destroy with an error': [
        ['call', 's1.destroy', error('off')], _finished(), ['note', 'called', 's1']],
    'right after end': [
        ['call', 's1.end', 'bye'], _finished(_OPTIONS['writing']), ['note', 'called', 's1']],
    'right after end and destroy': [
        ['call', 's1.end', 'bye'], ['call', 's1.destroy'], _finished(_OPTIONS['writing']),
        ['note', 'called', 's1']],
    'right after the end of much, and destroy': [
        ['call', 'c.pause'], ['call', 's1.end', data(_MUCH)], ['call', 's1.destroy'],
        _finished(_OPTIONS['writing']), ['note', 'called', 's1']],
    'before the end of much, and destroy': [
        ['call', 'c.pause'], _finished(_OPTIONS['writing']), ['call', 's1.end', data(_MUCH)],
        ['call', 's1.destroy']],
    'before the end of corked, and destroy': [
        _finished(_OPTIONS['writing']), ['call', 's1.cork'], ['call', 's1.write', 'x'],
        ['call', 's1.end'], ['call', 's1.destroy']],
    'while corked, and destroy': [
        _finished(_OPTIONS['writing']), ['call', 's1.cork'], ['call', 's1.write', 'x'],
        ['call', 's1.destroy']],
    'destroyed in prefinish': [
        _finished(_OPTIONS['writing']),
        ['call', 's1.on', 'prefinish', fn('prefinish', ['call', 's1.destroy'])],
        ['call', 's1.end']],
    'destroyed in data': [
        _finished(_OPTIONS['reading']),
        ['call', 's1.on', 'data', fn('data', ['call', 's1.destroy'])], ['call', 'c.end', 'abc']],
    "destroyed in the 'readable' of the end": [
        _finished(_OPTIONS['reading']), ['call', 's1.on', 'readable', fn(
            'readable', ['call', 's1.read'], ['call', 's1.destroy'])], ['call', 'c.end']],
    'never read': [['call', 's1.pause'], _finished(), ['call', 'c.end', 'abc'], ['call', 's1.end']],
    'never read, then destroyed': [
        ['call', 's1.pause'], _finished(), ['call', 'c.end', 'abc'], ['settle'],
        ['call', 's1.destroy']],
    'error: false': [
        _finished({'error': False}), ['call', 's1.emit', 'error', error('by hand')],
        ['call', 's1.destroy', error('off')]],
    'error: null': [
        _finished({'error': None}), ['call', 's1.emit', 'error', error('by hand')]],
    'readable: null': [_finished({'readable': None}), ['call', 's1.end']],
    "readable: ''": [_finished({'readable': ''}), ['call', 's1.end']],
    'twice': [_finished(), _finished(), ['call', 's1.destroy']],
    'the callback fails': [
        ['call', 'stream.finished', ref('s1'), fn(
            'fails', of='s1', throws=error('in the callback'))], ['call', 's1.destroy']],
    'a late error': [
        _finished(_OPTIONS['reading']), ['call', 'c.end'], ['await', 's1 end'],
        ['call', 's1.emit', 'error', error('late')]],
    'cleaned up afterwards': [
        _finished(), ['call', 's1.destroy'], ['await', 's1 close'], ['call', 'cleanup'],
        ['call', 'cleanup'], ['get', 's1.destroyed']],
    'a signal': [
        ['let', 'signal', 'signal'], _finished({'signal': ref('signal')}), ['abort', 'signal'],
        ['settle'], ['call', 's1.destroy']],
    'a signal that is set already': [
        ['let', 'signal', 'signal'], ['abort', 'signal'], _finished({'signal': ref('signal')}),
        ['note', 'called', 's1'], ['settle'], ['call', 's1.destroy']],
    'a signal that comes too late': [
        ['let', 'signal', 'signal'], _finished({'signal': ref('signal')}),
        ['call', 's1.destroy'], ['await', 's1 close'], ['abort', 'signal']],
    'a signal after the cleanup': [
        ['let', 'signal', 'signal'], _finished({'signal': ref('signal')}), ['call', 'cleanup'],
        ['abort', 'signal']],
}

_AT_MOMENTS = [
    Scenario(
        f'finished/{what}', _CHAPTER, [
            *connection(client=_HALF_OPEN, server=_HALF_OPEN),
            ['call', 'c.resume'], ['call', 's1.resume'], ['settle'], *steps, ['settle'],
            ['note', 'over', 's1'],
        ], quiet=[*_QUIET, 'cork'],
        on_purpose=_CANCELLED if what == 'before the end of much, and destroy' else None)
    for what, steps in _MOMENTS.items()
]

#: No connection, not yet or never.
_UNCONNECTED: dict[str, list[Step]] = {
    'a new one is destroyed': [
        ['let', 'c', 'new net.Socket'], ['call', 'stream.finished', ref('c'), fn('done', of='c')],
        ['settle'], ['call', 'c.destroy']],
    'a new one ends and is destroyed': [
        ['let', 'c', 'new net.Socket'], ['call', 'stream.finished', ref('c'), {
            'readable': False}, fn('done', of='c')], ['call', 'c.end'], ['call', 'c.destroy']],
    'connecting fails': [
        *listening(), ['let', 'number', 'server.address'], ['call', 'server.close'],
        ['let', 'c', 'net.connect', ref('number.port'), '127.0.0.1'],
        ['call', 'stream.finished', ref('c'), fn('done', of='c')], ['await', 'c close']],
    **{
        f'connecting, ended{with_data} and destroyed': [
            *listening(), ['let', 'c', 'net.connect', port(), '127.0.0.1'],
            ['call', 'stream.finished', ref('c'), {'readable': False}, fn('done', of='c')],
            ['call', 'c.end', *chunks], ['call', 'c.destroy'], ['await', 'c close']]
        for with_data, chunks in (('', []), (' with data', ['x']))
    },
    'connected again': [
        *listening({}, fn('accepted', ['call', '$0.end'])),
        ['let', 'c', 'net.connect', port(), '127.0.0.1'], ['call', 'c.resume'],
        ['call', 'stream.finished', ref('c'), fn('done', of='c')], ['await', 'c close'],
        ['call', 'c.connect', port(), '127.0.0.1'], ['call', 'c.resume'],
        ['call', 'stream.finished', ref('c'), fn('done again', of='c')], ['await', 'c close', 2]],
}

_NO_CONNECTION = [
    Scenario(
        f'finished/{what}', _CHAPTER, [*steps, ['settle']], quiet=_QUIET,
        ignore=['connectionAttempt', 'connectionAttemptFailed', 'readable'])
    for what, steps in _UNCONNECTED.items()
]

_GIVEN: dict[str, list[Form]] = {
    'a number for options': [ref('s1'), 5, _DONE],
    'text for options': [ref('s1'), 'x', _DONE],
    'null for options': [ref('s1'), None, _DONE],
    'a list for options': [ref('s1'), [], _DONE],
    'a function for options': [ref('s1'), _DONE, _DONE],
    'a number for the callback': [ref('s1'), 5],
    'a number for the callback, after options': [ref('s1'), {}, 5],
    'null for the callback': [ref('s1'), {}, None],
    'a number for the signal': [ref('s1'), {'signal': 5}, _DONE],
    'null for the signal': [ref('s1'), {'signal': None}, _DONE],
    'text for the stream': ['x', _DONE],
    'null for the stream': [None, _DONE],
    'an object for the stream': [{}, _DONE],
    'an emitter for the stream': [{'$': 'emitter'}, _DONE],
    'a server for the stream': [ref('server'), _DONE],
}

_ARGUMENTS = [
    Scenario(
        f'finished/with {what}', _CHAPTER, [
            *connection(), ['call', 'stream.finished', *arguments], ['call', 's1.destroy'],
            ['settle']], quiet=_QUIET)
    for what, arguments in _GIVEN.items()
]

SCENARIOS = [*_LIVES, *_AFTERWARDS, *_AT_MOMENTS, *_NO_CONNECTION, *_ARGUMENTS]
