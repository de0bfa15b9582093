"""resetAndDestroy(), and what a reset by the peer does to a socket in each state."""

from __future__ import annotations

from ..form import Scenario, Step, data, fn, port
from ._families import FAMILIES, QUIET, connection, listening, target

__all__ = ['SCENARIOS']

_CHAPTER = 'net.Socket: destroy, destroySoon, resetAndDestroy'
_CLOSING = "net.Socket: 'close', 'error'"

_WATCH = {'sockets': ['readyState', 'destroyed', 'errored']}
_LOOK: list[Step] = [['get', *(f'c.{name}' for name in (
    'destroyed', 'readyState', 'errored', 'readableLength', 'readableAborted', 'bytesRead'))]]

_RESET = ['call', 'c.resetAndDestroy']

#: The row of docs/differences.md about a reset while the FIN is being sent.
_NO_RESET = "`resetAndDestroy()` right after `end()`: `EINVAL`, no reset, and no `'close'`"

#: How a state is reached in which c is reset.
_STATES: dict[str, list[Step]] = {
    'new': [['let', 'c', 'new net.Socket'], _RESET],
    'connecting': [
        *listening(), ['let', 'c', 'net.connect', target('IPv4')], _RESET,
        ['get', 'c.destroyed', 'c.readyState'], ['await', 's1 close']],
    'connecting, and destroyed': [
        *listening(), ['let', 'c', 'net.connect', target('IPv4')], _RESET,
        ['call', 'c.destroy'], ['await', 'c close']],
    'connecting, with a write': [
        *listening(), ['let', 'c', 'net.connect', target('IPv4')],
        ['call', 'c.write', 'hello', fn('written')], _RESET, ['await', 'c close']],
    'destroyed': [*connection(), ['call', 'c.destroy'], _RESET],
    'closed': [*connection(), ['call', 'c.destroy'], ['await', 'c close'], _RESET],
    'ended': [*connection(), ['call', 'c.end', fn('ended')], _RESET],
    'half open': [
        *connection(client={'allowHalfOpen': True}), ['call', 's1.end'], ['await', 'c end'],
        _RESET],
    'reset': [*connection(), _RESET, _RESET],
    'in connect': [
        *listening(), ['let', 'c', 'net.connect', target('IPv4'), fn('connected', _RESET)],
        ['await', 's1 close']],
    'a write in flight': [
        *connection(server={'pauseOnConnect': True}),
        ['call', 'c.write', data(20 << 20), fn('first')], ['call', 'c.write', 'b', fn('second')],
        _RESET],
}

_AT_EVERY_STATE = [
    # What the peer gets is in the scenarios below.
    Scenario(
        f'resets/own, {name}', _CHAPTER, [*steps, ['settle'], ['get', 'c.destroyed']],
        quiet=QUIET, watch={'sockets': ['readyState', 'destroyed']},
        on_purpose=_NO_RESET if name == 'ended' else None)
    for name, steps in _STATES.items()
]

_BY_EITHER = [
    Scenario(
        f'resets/{side} resets, {family}', _CHAPTER,
        [*connection(family), ['call', f'{peer}.resume'], ['call', f'{side}.resetAndDestroy'],
         *([['get', f'{side}.readyState'], ['call', f'{side}.destroy']]
           if family == 'unix' else []),
         ['await', 'c close'], ['await', 's1 close'],
         ['get', f'{peer}.errored', f'{peer}.readableEnded', f'{side}.errored']],
        quiet=QUIET, watch=_WATCH)
    for family in FAMILIES
    for side, peer in (('c', 's1'), ('s1', 'c'))
]

_BY_PEER: list[Step] = [['call', 's1.resetAndDestroy'], ['await', 's1 close'], ['settle']]

#: What c does before the peer resets, and after it.
_AS_IT_READS: dict[str, tuple[list[Step], list[Step]]] = {
    'it flows': ([['call', 'c.resume']], []),
    'it has a listener of readable': ([['call', 'c.on', 'readable', fn('readable')]], []),
    'nobody reads': ([], []),
    'it is paused': ([['call', 'c.pause']], []),
    'data was not read': (
        [['call', 's1.write', 'hello'], ['settle']], [['call', 'c.read'], *_LOOK]),
    'paused data was not read': (
        [['call', 'c.pause'], ['call', 's1.write', 'hello'], ['settle']],
        [['call', 'c.read'], *_LOOK]),
    'it has ended': ([['call', 'c.end', fn('ended')], ['settle']], []),
    'it is corked': (
        [['call', 'c.cork'], ['call', 'c.write', 'hello', fn('written')]], [['call', 'c.uncork']]),
    'it destroys itself when told': (
        [['call', 'c.on', 'error', fn('told', ['call', 'c.destroy'])]], []),
    'it writes when told': (
        [['call', 'c.on', 'error', fn('told', ['call', 'c.write', 'x', fn('written')])]], []),
    'it resets itself when told': (
        [['call', 'c.on', 'error', fn('told', ['call', 'c.resetAndDestroy'])]], []),
}

_BY_THE_PEER = [
    Scenario(
        f'resets/by the peer, {name}', _CLOSING,
        [*connection(server={'allowHalfOpen': True}), *before, *_BY_PEER, *_LOOK, *after],
        quiet=QUIET, watch=_WATCH)
    for name, (before, after) in _AS_IT_READS.items()
]

#: What c does after a reset that it has not noticed, as it does not read.
_UNNOTICED: dict[str, list[Step]] = {
    'write': [['call', 'c.write', 'x', fn('written')]],
    'write twice': [
        ['call', 'c.write', 'x', fn('written')], ['call', 'c.write', 'y', fn('written too')]],
    'end': [['call', 'c.end', fn('ended')]],
    'end with data': [['call', 'c.end', 'x', fn('ended')]],
    'resume': [['call', 'c.resume']],
    'read': [['call', 'c.read']],
    'destroy': [['call', 'c.destroy']],
    'resetAndDestroy': [_RESET],
}

_NOT_READING = [
    Scenario(
        f'resets/unnoticed, {name}', _CLOSING,
        # Here it is the client that resets: s1 does not read.
        [*connection(server={'pauseOnConnect': True}), ['call', 'c.resetAndDestroy'],
         ['await', 'c close'], ['settle'], ['get', 's1.readyState', 's1.errored'],
         *[[verb, 's1' + path[1:], *rest] for verb, path, *rest in steps],
         ['settle'], ['get', 's1.readyState', 's1.errored', 's1.destroyed']],
        quiet=QUIET, watch=_WATCH)
    for name, steps in _UNNOTICED.items()
]

_GONE = [
    Scenario(
        f'resets/written to a peer that is gone, {family}', _CLOSING,
        [*connection(family, client={'allowHalfOpen': True}),
         ['call', 's1.destroy'], ['await', 'c end'], ['await', 's1 close'],
         ['call', 'c.write', 'first', fn('first')], ['settle'], ['get', 'c.readyState'],
         ['call', 'c.write', 'second', fn('second')], ['await', 'c close']],
        quiet=QUIET, watch=_WATCH)
    for family in FAMILIES
]

_GONE += [
    Scenario(
        f'resets/with a big write under way, {said}', _CLOSING,
        [*connection(server={'pauseOnConnect': True}),
         ['call', 'c.write', data(20 << 20), fn('first')],
         ['call', 'c.write', 'b', fn('second')], ['call', 'c.write', 'c', fn('third')], *last,
         ['settle'], ['call', 's1.resetAndDestroy'], ['await', 'c close'], ['settle']],
        quiet=QUIET, watch={'sockets': ['readyState', 'destroyed']})
    for said, last in (('ended', [['call', 'c.end', fn('ended')]]), ('not ended', []))
]

_GONE += [
    Scenario(
        f'resets/while {word} sockets of the server are open', "net.Server: 'close'",
        [*listening(),
         *(step for at in range(count) for step in (
             ['let', f'c{at + 1}', 'net.connect', {'port': port(), 'host': '127.0.0.1'}],
             ['await', f'c{at + 1} ready'], ['await', 'server connection', at + 1])),
         ['call', 'server.close', fn('closed')],
         *(['call', f's{at + 1}.resetAndDestroy'] for at in range(count)),
         *(['await', f'c{at + 1} close'] for at in range(count)), ['await', 'server close']],
        # Which of two sockets that are closed at once emits 'close' first, is not fixed.
        quiet=QUIET, watch=_WATCH, together={'both': ['server', 's1']} if count == 1 else {})
    for count, word in ((1, 'one'), (2, 'two'))
]

SCENARIOS = [*_AT_EVERY_STATE, *_BY_EITHER, *_BY_THE_PEER, *_NOT_READING, *_GONE]
