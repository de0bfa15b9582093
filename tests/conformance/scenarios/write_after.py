"""write() and end() after end(), after destroy(), and after the peer has ended."""

from __future__ import annotations

from ..form import Scenario, Step, error, fn
from ._families import FAMILIES, QUIET, connection

__all__ = ['SCENARIOS']

_WRITING = 'net.Socket: write, cork, uncork'
_ENDING = 'net.Socket: end'

_WATCH = {'sockets': ['readyState', 'destroyed', 'errored']}
_LOOK: list[Step] = [['get', *(f'c.{name}' for name in (
    'destroyed', 'readyState', 'errored', 'writableEnded', 'writableFinished', 'bytesWritten'))]]

_WRITE: Step = ['call', 'c.write', 'more', fn('written')]
_END: Step = ['call', 'c.end', fn('ended late')]
_END_MORE: Step = ['call', 'c.end', 'more', fn('ended late')]

#: What is called too late.
_LATE: dict[str, list[Step]] = {
    'write': [_WRITE],
    'write twice': [_WRITE, ['call', 'c.write', 'even more', fn('written too')]],
    'write of nothing': [['call', 'c.write', '', fn('written')]],
    'write without a callback': [['call', 'c.write', 'more']],
    'write of no chunk': [['call', 'c.write', 5, fn('written')]],
    'end': [_END],
    'end with data': [_END_MORE],
    'end, write': [_END, _WRITE],
    'end twice': [_END, ['call', 'c.end', fn('ended later')]],
}

#: After what. The peer stays open, so that c does, too.
_AFTER: dict[str, list[Step]] = {
    'end': [['call', 'c.end', 'bye', fn('ended')]],
    'end without data': [['call', 'c.end', fn('ended')]],
    'finish': [['call', 'c.end', 'bye', fn('ended')], ['await', 'c finish']],
    'destroy': [['call', 'c.destroy']],
    'destroy(err)': [['call', 'c.destroy', error('mine')]],
    'close': [['call', 'c.destroy'], ['await', 'c close']],
    'close with an error': [['call', 'c.destroy', error('mine')], ['await', 'c close']],
    'end and destroy': [['call', 'c.end', 'bye', fn('ended')], ['call', 'c.destroy']],
    'destroySoon': [['call', 'c.destroySoon']],
}

#: The row of docs/differences.md about end() after a plain destroy().
_NEVER = '`end(callback)` after `destroy()` never calls back'

_MATRIX = [
    Scenario(
        f'write after/{after}, {late}', _WRITING if late.startswith('write') else _ENDING,
        [*connection(server={'allowHalfOpen': True}), *before, *steps, *_LOOK, ['settle'], *_LOOK],
        quiet=QUIET, watch={'sockets': ['readyState', 'destroyed']}, ignore=['data', 'readable'],
        on_purpose=_NEVER if (
            late in ('end', 'end, write', 'end twice') and after in ('destroy', 'close')) else None)
    for after, before in _AFTER.items() for late, steps in _LATE.items()
]

_FAMILY = [
    Scenario(
        f'write after/end, over {family}', _WRITING,
        [*connection(family, server={'allowHalfOpen': True}), ['call', 's1.on', 'data', fn('got')],
         ['call', 'c.end', 'bye', fn('ended')], _WRITE, ['await', 'c close'], ['await', 's1 end']],
        quiet=QUIET, watch=_WATCH)
    for family in FAMILIES
]

#: What c does when the peer has ended: in which event, and what.
_PEER_ENDED = [
    Scenario(
        f"write after/the peer's end, in '{event}', {late}, {family}", _WRITING,
        [*connection(family, server={'allowHalfOpen': True}), ['call', 's1.on', 'data', fn('got')],
         ['call', 'c.on', event, fn('listener', ['get', 'c.writable', 'c.writableEnded'], *steps)],
         ['call', 's1.end'], ['await', 'c close'], ['settle'], *_LOOK],
        quiet=QUIET, watch=_WATCH)
    for event in ('end', 'prefinish', 'finish', 'close')
    for late, steps in _LATE.items() if late in ('write', 'write twice', 'end', 'end with data')
    for family in (FAMILIES if late == 'write' and event in ('end', 'finish') else ('IPv4',))
    if event != 'close' or late.startswith('write')
]

_ON_A_TICK = [
    Scenario(
        f"write after/the peer's end, {said}", _WRITING,
        [*connection(server={'allowHalfOpen': True}), ['call', 's1.on', 'data', fn('got')],
         *before,
         ['call', 'c.on', 'end', fn('listener', ['tick', fn('a tick', _WRITE, of='c')])],
         ['call', 's1.end'], ['await', 'c close'], ['settle'], *_LOOK],
        quiet=QUIET, watch=_WATCH)
    for said, before in {
        'on the next tick': [],
        'without the listener of its own': [['call', 'c.removeAllListeners', 'end']],
    }.items()
]

SCENARIOS = [*_MATRIX, *_FAMILY, *_PEER_ENDED, *_ON_A_TICK]
