"""destroy(), destroy(err) and destroySoon(), at every stage, and the order of what follows."""

from __future__ import annotations

from ..form import UNDEFINED, Form, Scenario, Step, data, error, fn
from ._families import FAMILIES, QUIET, connection, listening, target

__all__ = ['SCENARIOS']

_CHAPTER = 'net.Socket: destroy, destroySoon, resetAndDestroy'
_CLOSING = "net.Socket: 'close', 'error'"

_WATCH = {'sockets': ['readyState', 'destroyed']}
_LOOK: list[Step] = [['get', *(f'c.{name}' for name in (
    'destroyed', 'closed', 'readyState', 'readable', 'writable', 'readableAborted'))]]

_TICKS: list[Step] = [['tick', fn('a tick', ['tick', fn('the next tick', of='c')], of='c')]]

#: How a stage is reached; c is destroyed right after.
_STAGES: dict[str, list[Step]] = {
    'new': [['let', 'c', 'new net.Socket']],
    'connecting': [*listening(), ['let', 'c', 'net.connect', target('IPv4')]],
    'connected': connection(),
    'ended': [*connection(), ['call', 'c.end', fn('ended')]],
    'finished': [
        *connection(server={'allowHalfOpen': True}), ['call', 'c.end', fn('ended')],
        ['await', 'c finish']],
    'half open': [
        *connection(client={'allowHalfOpen': True}), ['call', 's1.end'], ['await', 'c end']],
    'paused with data': [
        *connection('IPv4', ['call', 'c.pause']), ['call', 's1.write', 'hello'],
        ['settle'], ['call', 'c.read', 0], ['settle']],
    'corked': [
        *connection(), ['call', 'c.cork'], ['call', 'c.write', 'a', fn('first')],
        ['call', 'c.write', 'b', fn('second')], ['call', 'c.end', fn('ended')]],
    'corked, not ended': [
        *connection(), ['call', 'c.cork'], ['call', 'c.write', 'a', fn('first')],
        ['call', 'c.write', 'b', fn('second')]],
    'written': [*connection(), ['call', 'c.write', 'a', fn('first')]],
    'a write in flight': [
        *connection(server={'pauseOnConnect': True}),
        ['call', 'c.write', data(20 << 20), fn('first')], ['call', 'c.write', 'b', fn('second')],
        ['call', 'c.end', fn('ended')]],
    'a write in flight, and then': [
        *connection(server={'pauseOnConnect': True}),
        ['call', 'c.write', data(20 << 20), fn('first')], ['call', 'c.write', 'b', fn('second')],
        ['settle']],
    'a write while connecting': [
        *listening(), ['let', 'c', 'net.connect', target('IPv4')],
        ['call', 'c.write', 'a', fn('first')], ['call', 'c.write', 'b', fn('second')],
        ['call', 'c.end', fn('ended')]],
    'closed': [*connection(), ['call', 'c.destroy'], ['await', 'c close']],
}

#: The row of docs/differences.md about what a destroyed socket says of its writes.
_LEFT = (
    'after `destroy()`, `writableLength` counts what is dropped until the callbacks have run, and '
    '`errored` becomes the error of a write that was cancelled')

#: What destroys it.
_WAYS: dict[str, list[Step]] = {
    'destroy': [['call', 'c.destroy']],
    'destroy(err)': [['call', 'c.destroy', error('mine')]],
    'destroySoon': [['call', 'c.destroySoon']],
}

_AT_EVERY_STAGE = [
    Scenario(
        f'destroying/{way}, {stage}', _CHAPTER,
        [*reached, *steps, *_LOOK, *_TICKS, ['settle'], *_LOOK],
        quiet=QUIET, watch=_WATCH)
    for way, steps in _WAYS.items()
    for stage, reached in _STAGES.items()
    # There the socket waits until it is read at the other end; see below.
    if way != 'destroySoon' or 'in flight' not in stage
]

#: What it says of itself then, apart, as it is not the same where a write is under way.
_AT_EVERY_STAGE += [
    Scenario(
        f'destroying/{way}, {stage}, what is left', _CHAPTER,
        [*reached, *steps, ['get', 'c.errored', 'c.writableLength'], ['settle'],
         ['get', 'c.errored', 'c.writableLength']],
        quiet=QUIET,
        on_purpose=_LEFT if 'write ' in stage or stage == 'corked, not ended' else None)
    for way, steps in _WAYS.items() if way != 'destroySoon'
    for stage, reached in _STAGES.items()
]

#: Whether an end() that comes then still counts: not where a write was cut short by it.
_ENDED_AFTER: dict[str, list[Step]] = {
    'a write in flight': [*_STAGES['a write in flight, and then']],
    'a write while connecting': [
        *listening(), ['let', 'c', 'net.connect', target('IPv4')],
        ['call', 'c.write', 'a'], ['call', 'c.write', 'b']],
    'a write for a connection whose listener destroys it': [
        *listening(), ['let', 'c', 'net.connect', target('IPv4')],
        ['call', 'c.on', 'connect', fn('connected', ['call', 'c.destroy'])],
        ['call', 'c.write', 'a'], ['await', 'c close']],
    'corked': [*connection(), ['call', 'c.cork'], ['call', 'c.write', 'a']],
    'nothing to send': [*connection()],
    'never connected': [['let', 'c', 'new net.Socket']],
}

_AT_EVERY_STAGE += [
    Scenario(
        f'destroying/{name}, and {word} after it', _CHAPTER,
        [*steps, ['call', 'c.destroy'], *between, *last, ['get', 'c.writableEnded'], ['settle'],
         ['get', 'c.writableEnded', 'c.writable']],
        quiet=QUIET)
    for name, steps in _ENDED_AFTER.items()
    for word, between, last in (
        ('end() right', [], [['call', 'c.end']]),
        ('end()', [['settle']], [['call', 'c.end']]),
        ('end(chunk)', [['settle']], [
            ['call', 'c.end', 'x'], ['call', 'c.write', 'y', fn('late')]]))
]

#: Whoever destroys it, the peer gets an end.
_SEEN_BY_THE_PEER = [
    Scenario(
        f'destroying/{side} is destroyed{said}, {family}', _CLOSING,
        [*connection(family), ['call', f'{peer}.resume'], ['call', f'{side}.destroy', *args],
         ['await', 'c close'], ['await', 's1 close'],
         ['get', f'{peer}.errored', f'{peer}.readableEnded', f'{side}.errored']],
        quiet=QUIET, watch=_WATCH)
    for family in FAMILIES
    for side, peer in (('c', 's1'), ('s1', 'c'))
    for said, args in (('', []), (' with an error', [error('mine')]))
]

#: With something in the kernel that nobody has read, it is a reset; not so for a unix socket.
_SEEN_BY_THE_PEER += [
    Scenario(
        f'destroying/the accepted socket has not read, {family}', _CLOSING,
        [*connection(family, server={'pauseOnConnect': True}), ['call', 'c.resume'],
         ['call', 'c.write', 'hello', fn('written')], ['await', 'written'],
         ['call', 's1.destroy'], ['await', 'c close'], ['get', 'c.errored']],
        quiet=QUIET, watch=_WATCH)
    for family in FAMILIES
]

#: What destroy may be given, and whether it counts as an error.
_VALUES: dict[str, Form] = {
    'a text': 'oops', 'an object': {'a': 1}, '0': 0, 'null': None, 'an empty text': '',
    'undefined': UNDEFINED, 'false': False, 'true': True, 'a number': 3,
}

_VALUED = [
    Scenario(
        f'destroying/with {name}', _CHAPTER,
        [*connection(), ['call', 'c.destroy', value], *_LOOK, ['await', 'c close']],
        quiet=QUIET, watch=_WATCH)
    for name, value in _VALUES.items()
]

_MINE, _OTHER = [['call', 'c.destroy', error('mine')], ['call', 'c.destroy', error('other')]]

#: More than one destroy.
_TWICE: dict[str, list[Step]] = {
    'destroy, destroy': [['call', 'c.destroy'], ['call', 'c.destroy']],
    'destroy, destroy(err)': [['call', 'c.destroy'], _MINE],
    'destroy(err), destroy(err)': [_MINE, _OTHER],
    'destroy(err), destroy': [_MINE, ['call', 'c.destroy']],
    'destroy(err), and again when it is told': [
        ['call', 'c.on', 'error', fn('told', _OTHER)], _MINE],
    "destroy(err), and again in 'close'": [['call', 'c.on', 'close', fn('over', _OTHER)], _MINE],
    'destroySoon, destroySoon': [['call', 'c.destroySoon'], ['call', 'c.destroySoon']],
    'destroySoon, destroy': [['call', 'c.destroySoon'], ['call', 'c.destroy']],
    'destroySoon, destroy(err)': [['call', 'c.destroySoon'], _MINE],
    'destroy, destroySoon': [['call', 'c.destroy'], ['call', 'c.destroySoon']],
    'end, destroySoon': [['call', 'c.end', fn('ended')], ['call', 'c.destroySoon']],
    'destroySoon, end': [['call', 'c.destroySoon'], ['call', 'c.end', fn('ended')]],
    'end, destroy': [['call', 'c.end', 'x', fn('ended')], ['call', 'c.destroy']],
    'end, destroy(err)': [['call', 'c.end', 'x', fn('ended')], _MINE],
}

_REPEATED = [
    Scenario(
        f'destroying/{name}', _CHAPTER,
        [*connection('IPv4'), *steps, *_LOOK, *_TICKS, ['await', 'c close'], ['settle'], *_LOOK],
        quiet=QUIET, watch=_WATCH)
    for name, steps in _TWICE.items()
]

_SOON = [
    Scenario(
        f'destroying/destroySoon sends all first, {family}', _CHAPTER,
        [*connection(family, server={'pauseOnConnect': True, 'allowHalfOpen': True}),
         ['call', 'c.write', data(20 << 20), fn('written')], ['call', 'c.destroySoon'],
         ['settle'], *_LOOK[:1], ['call', 's1.resume'],
         ['await', 'c close'], ['await', 's1 end'], ['get', 's1.bytesRead', 'c.bytesWritten']],
        quiet=QUIET, watch={'sockets': ['readyState', 'destroyed']}, ignore=['data', 'readable'])
    for family in FAMILIES
]

#: A listener that destroys, in the course of a connection.
_IN_EVENTS = [
    Scenario(
        f'destroying/in {event} of {side}', _CLOSING,
        [*listening(accepted=fn('accepted', *(
            [['call', '$0.on', event, fn('listener', ['call', 's1.destroy'], of='s1')]]
            if side == 's1' and event != 'connection' else []), *(
            [['call', '$0.destroy']] if event == 'connection' else []))),
         ['let', 'c', 'net.connect', target('IPv4')],
         *([['call', 'c.on', event, fn('listener', ['call', 'c.destroy'])]]
           if side == 'c' else []),
         ['call', 'c.end', fn('ended')], ['call', 'c.resume'],
         ['await', 'server connection'], ['settle']],
        quiet=QUIET, watch=_WATCH)
    for side, events in {
        'c': ('connect', 'ready', 'finish', 'close'), 's1': ('connection', 'close'),
    }.items()
    for event in events
]

_IN_EVENTS += [
    Scenario(
        f'destroying/in {event}, with {writes} that waited for it', _CHAPTER,
        [*listening(), ['let', 'c', 'net.connect', target('IPv4')],
         ['call', 'c.on', event, fn('listener', ['call', 'c.destroy', *args])],
         ['call', 'c.write', 'a', fn('first')],
         *([['call', 'c.write', 'b', fn('second')]] if writes == 'two writes' else []),
         ['call', 'c.end', fn('ended')], ['await', 'c close'], ['settle'],
         ['get', 'c.bytesWritten']],
        quiet=QUIET, watch=_WATCH)
    for event in ('connect', 'ready')
    for writes, args in (('one write', []), ('two writes', [error('mine')]))
]

def _writes(*chunks: Form, count: int = 1) -> list[Step]:
    """Return writes, each with a callback that notes what counts as written then."""
    return [
        ['call', 'c.write', chunk, fn(f'callback {at}', ['get', 'c.bytesWritten'])]
        for at, chunk in enumerate(chunks, count)]


_DESTROY, _LARGE = ['call', 'c.destroy'], data(20 << 20)

#: What counts as written when it was destroyed: what was begun with, and not what was queued.
_UNSENT: dict[str, list[Step]] = {
    'a write in flight': [*_writes(_LARGE), _DESTROY],
    'a write in flight, and one behind it': [*_writes(_LARGE, data(200000)), _DESTROY],
    'a write in flight, and two behind it': [*_writes(_LARGE, 'one', 'tw\xf6'), _DESTROY],
    'a write in flight, and an end with data': [
        *_writes(_LARGE), ['call', 'c.end', 'the end'], _DESTROY],
    'a write in flight, and a corked one': [
        *_writes(_LARGE), ['call', 'c.cork'], *_writes('a', count=2), _DESTROY],
    'with an error': [*_writes(_LARGE, 'b'), ['call', 'c.destroy', error('mine')]],
    'corked': [['call', 'c.cork'], *_writes('a', 'b'), _DESTROY],
    'uncorked': [
        ['call', 'c.cork'], *_writes(_LARGE, 'b'), ['call', 'c.uncork'],
        *_writes('c', count=3), _DESTROY],
    'reset': [*_writes(_LARGE, 'b'), ['call', 'c.resetAndDestroy']],
    'reset by the peer': [*_writes(_LARGE, 'b'), ['call', 's1.resetAndDestroy']],
    'reset by the peer, corked': [
        *_writes(_LARGE), ['call', 'c.cork'], *_writes('b', count=2),
        ['call', 's1.resetAndDestroy']],
}

_COUNTED = [
    Scenario(
        f'destroying/what counts as written, {name}', _CHAPTER,
        [*connection('IPv4', server={'pauseOnConnect': True}), *steps, ['get', 'c.bytesWritten'],
         ['await', 'c close'], ['get', 'c.bytesWritten']],
        quiet=QUIET)
    for name, steps in _UNSENT.items()
]

#: The peer has gone, of which the client has not read: the first part of a large write is answered
#: with a reset, of which the rest of it learns.
_AFTER_THE_PEER = [
    Scenario(
        f'destroying/the peer has gone, {name}', _CLOSING,
        [*connection('IPv4', ['call', 'c.pause'], client={'allowHalfOpen': True}),
         ['call', 's1.destroy'], ['await', 's1 close'], ['settle'],
         *steps, ['get', 'c.destroyed', 'c.bytesWritten'], ['await', 'c close'],
         ['get', 'c.bytesWritten']],
        quiet=QUIET)
    for name, steps in {
        'a write': _writes(_LARGE),
        'a write, destroy': [*_writes(_LARGE), _DESTROY],
        'a write of 1 MB, destroy': [*_writes(data(1000000)), _DESTROY],
        'two writes, destroy': [*_writes(_LARGE, 'b'), _DESTROY],
        'a write, destroy with an error': [
            *_writes(_LARGE), ['call', 'c.destroy', error('mine')]],
        'an end, destroy': [
            ['call', 'c.end', _LARGE, fn('ended', ['get', 'c.bytesWritten'])], _DESTROY],
        'uncorked, destroy': [
            ['call', 'c.cork'], *_writes(_LARGE, 'b'), ['call', 'c.uncork'], _DESTROY],
    }.items()
]

_REVERSED = (
    "sockets that are destroyed in one turn emit `'close'` in the reverse order")

_TOGETHER = [
    Scenario(
        f'destroying/two in one turn, {name}', _CLOSING,
        [*steps,
         *(['call', f'{each}.on', 'close', fn(f'{each} is closed', of='server')] for each in 'cd'),
         ['call', 'c.destroy'], ['call', 'd.destroy'], ['await', 'c close'], ['await', 'd close']],
        quiet=QUIET, on_purpose=_REVERSED)
    for name, steps in {
        'connecting': [
            *listening(), ['let', 'c', 'net.connect', target('IPv4')],
            ['let', 'd', 'net.connect', target('IPv4')]],
        'connected': [
            *connection('IPv4'), ['let', 'd', 'net.connect', target('IPv4')],
            ['await', 'd connect'], ['await', 'server connection', 2]],
    }.items()
]

SCENARIOS = [
    *_AT_EVERY_STAGE, *_SEEN_BY_THE_PEER, *_VALUED, *_REPEATED, *_SOON, *_IN_EVENTS, *_COUNTED,
    *_AFTER_THE_PEER, *_TOGETHER]
