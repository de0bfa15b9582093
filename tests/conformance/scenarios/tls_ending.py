"""How TLS connections end, what each end sees of it; and how they are read and written."""

from __future__ import annotations

from typing import Any

from ..form import Scenario, Step, data, encoded, error, fn
from ._tls import (
    AFTERWARDS,
    BOTH_CLOSED,
    CANCELLED,
    UNSEEN_RELAY,
    VERSIONS,
    relay,
    scenario,
    secure,
    version,
)

__all__ = ['SCENARIOS']

_CHAPTER = "tls.TLSSocket: 'data', 'end', 'close', 'error'"

_RESUMED: list[Step] = [['call', 'c.resume'], ['call', 't1.resume']]
_LOOK: list[Step] = [['settle'], ['get', *(
    f'{name}.{what}' for name in ('c', 't1')
    for what in ('destroyed', 'readableEnded', 'writableFinished', 'bytesRead', 'bytesWritten'))]]

_ENDS: dict[str, list[Step]] = {
    'end': [['call', 'E.end', fn('ended')]],
    'end with data': [['call', 'E.end', 'bye', fn('ended')]],
    'destroy': [['call', 'E.destroy']],
    'destroy with an error': [['call', 'E.destroy', error('enough')]],
    'write and destroy': [['call', 'E.write', 'bye', fn('written')], ['call', 'E.destroy']],
    'destroySoon': [['call', 'E.write', 'bye', fn('written')], ['call', 'E.destroySoon']],
    'write after end': [['call', 'E.end', fn('ended')], ['call', 'E.write', 'x', fn('written')]],
    'end twice': [['call', 'E.end', fn('ended')], ['call', 'E.end', fn('again')]],
    'cork, two writes, end': [
        ['call', 'E.cork'], ['call', 'E.write', 'one', fn('one')],
        ['call', 'E.write', 'two', fn('two')], ['call', 'E.end', fn('ended')]],
}


def _by(name: str, steps: list[Step]) -> list[Step]:
    return [[word.replace('E.', f'{name}.') if isinstance(word, str) else word for word in step]
            for step in steps]


_BY_EITHER = [
    scenario(
        f'tls ending/{what} by {name}, {number}', _CHAPTER,
        [*secure(client=version(number)), *_RESUMED, ['settle'], *_by(name, steps), *BOTH_CLOSED,
         *_LOOK],
        on_purpose=CANCELLED if what == 'write and destroy' else None)
    for number in VERSIONS for name in ('c', 't1') for what, steps in _ENDS.items()
]

_HALF_OPEN = [
    scenario(
        f'tls ending/half open, {first} ends first, {number}', _CHAPTER,
        [*secure(client={**version(number), 'allowHalfOpen': True},
                 server={'allowHalfOpen': True}), *_RESUMED,
         ['call', f'{first}.end', 'first', fn('first')], ['await', f'{other} end'], ['settle'],
         ['get', f'{other}.readyState', f'{first}.readyState'],
         ['call', f'{other}.write', 'late', fn('late')], ['await', f'{first} data'],
         ['call', f'{other}.end', fn('other')], *BOTH_CLOSED, *_LOOK])
    for number in VERSIONS for first, other in (('c', 't1'), ('t1', 'c'))
]

#: A descriptor that lingered would take what the server still has to say.
_DESTROYED = [
    scenario(
        f'tls ending/destroy behind a write, and the server says more, {number}', _CHAPTER,
        [*secure(client=version(number), server={'allowHalfOpen': True}), *_RESUMED,
         ['call', 'c.write', 'hello', fn('written')], ['await', 't1 data'], ['settle'],
         ['call', 'c.destroy'], ['await', 't1 end'], ['settle'],
         ['call', 't1.write', 'late', fn('late')], ['settle'],
         ['call', 't1.write', 'later', fn('later')], ['await', 't1 close'], *_LOOK])
    for number in VERSIONS
]

#: What the relay does between the two.
_ON_THE_WIRE: dict[str, list[Step]] = {
    'FIN': [['call', 'up.end'], ['await', 't1 close']],
    'FIN after data': [
        ['call', 'c.write', 'hello', fn('written')], ['await', 't1 data'], ['call', 'up.end'],
        ['await', 't1 close']],
    'RST': [['call', 'up.resetAndDestroy'], ['await', 't1 close']],
    'FIN to the client': [['call', 's1.end'], ['await', 'c close']],
    'RST to the client': [['call', 's1.resetAndDestroy'], ['await', 'c close']],
}

_CUT = [
    scenario(
        f'tls ending/{what}, {number}', _CHAPTER,
        [*relay(client=version(number), ends=False), *_RESUMED, ['settle'], *steps, ['settle'],
         ['call', 'server.getConnections', fn('counted')], ['await', 'counted']],
        unseen=UNSEEN_RELAY)
    for number in VERSIONS for what, steps in _ON_THE_WIRE.items()
]

#: What is no record of this connection.
_GARBAGE = {
    'a damaged record': b'\x17\x03\x03\x00\x20' + b'\x5a' * 32,
    'no record': b'hello, is anybody there?',
}

_DAMAGED = [
    scenario(
        f'tls ending/{what} {where}, {number}', _CHAPTER,
        [*relay(client=version(number)), *_RESUMED, ['settle'],
         ['call', f'{end}.write', encoded(octets)], ['await', f'{name} error'], ['settle'],
         ['get', 't1.destroyed', 'c.destroyed'],
         ['call', 'server.getConnections', fn('counted')], ['await', 'counted']],
        unseen=UNSEEN_RELAY, on_purpose=AFTERWARDS)
    for number in VERSIONS for what, octets in _GARBAGE.items()
    for where, end, name in (('to the server', 'up', 't1'), ('to the client', 's1', 'c'))
]

_FAREWELL = [
    scenario(
        f'tls ending/a farewell, and the connection stays, {first}, {number}', _CHAPTER,
        [*relay(client=version(number), ends=False), *_RESUMED, ['settle'],
         ['call', f'{first}.end', fn('ended')], ['await', f'{other} close'],
         ['await', f'{first} end'], ['settle']],
        unseen=UNSEEN_RELAY)
    for number in VERSIONS for first, other in (('c', 't1'), ('t1', 'c'))
]

_BIG = 300_000


def _reading(name: str, *steps: Step, ignore: tuple[str, ...] | list[str] = (),
             **more: Any) -> Scenario:
    return scenario(f'tls ending/{name}', _CHAPTER, [*secure(**more), *steps], ignore=ignore)


_READING = [
    _reading('pause and resume', ['call', 'c.pause'], ['call', 't1.write', 'hello'],
             ['await', 'c readable'], ['settle'],
             ['get', 'c.readableLength', 'c.readableFlowing'], ['call', 'c.on', 'data', fn('got')],
             ['settle'], ['call', 'c.isPaused'], ['call', 'c.resume'], ['await', 'c data'],
             ['call', 'c.end'], ['call', 't1.resume'], *BOTH_CLOSED),
    _reading('read', ['call', 't1.write', 'hello world'], ['await', 'c readable'],
             ['call', 'c.read', 5], ['call', 'c.read'], ['call', 'c.read'], ['call', 'c.end'],
             ['call', 'c.resume'], ['call', 't1.resume'], *BOTH_CLOSED),
    _reading('an encoding', ['call', 'c.setEncoding', 'hex'], ['call', 'c.on', 'data', fn('got')],
             ['call', 't1.write', 'hello'], ['await', 'c data'], ['call', 'c.end'],
             ['call', 't1.resume'], *BOTH_CLOSED),
    _reading('one record is one chunk', ['call', 'c.resume'],
             ['call', 't1.write', data(40_000), fn('written')], ['await', 'c data', 3],
             ['get', 'c.bytesRead', 't1.bytesWritten'], ['call', 'c.end'], ['call', 't1.resume'],
             *BOTH_CLOSED, ignore=['readable']),
    _reading('pauseOnConnect', ['call', 'c.write', 'hello'], ['settle'],
             ['call', 't1.isPaused'], ['get', 't1.readableFlowing', 't1.readableLength'],
             ['call', 't1.resume'], ['await', 't1 data'], ['call', 'c.end'], ['call', 'c.resume'],
             *BOTH_CLOSED, server={'pauseOnConnect': True}),
    _reading('nobody reads', ['call', 'c.end', 'hello', fn('ended')], ['settle'],
             ['get', 't1.readableLength', 't1.readableEnded', 't1.destroyed'],
             ['call', 'server.getConnections', fn('counted')], ['await', 'counted'],
             ['call', 't1.resume'], ['call', 'c.resume'], *BOTH_CLOSED,
             ['call', 'server.getConnections', fn('counted')], ['await', 'counted', 2]),
    _reading('pipe', ['call', 't1.pipe', {'$': 'ref', 'path': 't1'}],
             ['call', 'c.on', 'data', fn('got')], ['call', 'c.write', 'one'], ['await', 'c data'],
             ['call', 'c.write', 'two'], ['await', 'c data', 2], ['call', 'c.end', 'three'],
             *BOTH_CLOSED),
    _reading('write nothing', ['call', 'c.write', '', fn('written')], ['settle'],
             ['get', 'c.bytesWritten'], ['call', 'c.end'], ['call', 'c.resume'],
             ['call', 't1.resume'], *BOTH_CLOSED),
    _reading('many writes', ['call', 't1.resume'],
             *(['call', 'c.write', f'{at}', fn(f'written{at}')] for at in range(5)),
             ['settle'], ['get', 't1.bytesRead'], ['call', 'c.end'], ['call', 'c.resume'],
             *BOTH_CLOSED,
             # Whether they are one record is decided by how busy the loop is.
             ignore=['data', 'readable']),
]

_PAUSED = [
    scenario(
        f'tls ending/paused before the handshake, {what}, {number}', _CHAPTER,
        [*secure(['call', 'c.pause'], client=version(number)), ['settle'], *steps, ['settle'],
         ['get', 'c.destroyed', 't1.destroyed']])
    for number in VERSIONS for what, steps in {
        'the peer ends': [['call', 't1.end', fn('ended')]],
        'the peer is destroyed': [['call', 't1.destroy']],
        'it is destroyed': [['call', 'c.destroy']],
        'it ends': [['call', 't1.resume'], ['call', 'c.end', fn('ended')]],
    }.items()
]

_FLOOD = [
    scenario(
        f'tls ending/much to somebody who reads later, {number}', _CHAPTER,
        [*secure(client=version(number)), ['call', 'c.pause'],
         # Whether it is False depends on what the kernel takes.
         ['call', 't1.write', data(_BIG), fn('written')], ['settle'], ['settle'],
         ['call', 'c.on', 'end', fn('ended')], ['call', 't1.end'], ['settle'], ['call', 'c.resume'],
         ['await', 'c close'], ['get', 'c.bytesRead', 't1.bytesWritten']],
        ignore=['data', 'readable', 'drain'],
        quiet=['on', 'once', 'listen', 'write'])
    for number in VERSIONS
]

SCENARIOS = [
    *_BY_EITHER, *_HALF_OPEN, *_DESTROYED, *_CUT, *_DAMAGED, *_FAREWELL, *_READING,
    *_PAUSED, *_FLOOD]
