"""allowHalfOpen: what a socket does when its peer has ended, and who has to end it."""

from __future__ import annotations

from ..form import Scenario, Step, fn
from ._families import FAMILIES, QUIET, connection

__all__ = ['SCENARIOS']

_CHAPTER = 'net.createServer'
_ENDING = 'net.Socket: end'

_BOTH_CLOSED: list[Step] = [['await', 'c close'], ['await', 's1 close']]
_LOOK: list[Step] = [['get', *(f'{name}.{what}' for name in ('c', 's1') for what in (
    'readyState', 'readable', 'writable', 'destroyed', 'allowHalfOpen'))]]

_WATCH = {'sockets': ['readyState', 'readable', 'writable', 'destroyed']}


def _allowing(who: str) -> dict[str, dict[str, bool]]:
    return {
        'client': {'allowHalfOpen': 'client' in who or who == 'both'},
        'server': {'allowHalfOpen': 'server' in who or who == 'both'},
    }


#: Whoever allows it; whoever ends first; and what the other does then.
_TABLE = [
    Scenario(
        f'half open/allowed by {who}, {first} ends first', _CHAPTER,
        [*connection(**_allowing(who)), ['call', f'{other}.resume'],
         ['call', f'{first}.end', 'first', fn('ended first')],
         ['await', f'{other} end'], ['settle'], *_LOOK,
         # Nothing happens where it has ended by itself.
         ['call', f'{first}.resume'], ['call', f'{other}.end', fn('ended last')],
         *_BOTH_CLOSED, *_LOOK],
        quiet=QUIET, watch=_WATCH)
    for who in ('neither', 'the client', 'the server', 'both')
    for first, other in (('c', 's1'), ('s1', 'c'))
]

#: The request ends before the answer, which comes late.
_ANSWERS = [
    Scenario(
        f'half open/{side} answers after the end, {family}', _CHAPTER,
        [*connection(family, **_allowing('both')),
         ['call', f'{asks}.on', 'data', fn('answered')],
         ['call', f'{side}.on', 'data', fn('asked')],
         ['call', f'{asks}.end', 'request', fn('request ended')],
         ['await', f'{side} end'], ['settle'], *_LOOK,
         ['call', f'{side}.write', 'late', fn('written')], ['await', 'answered'], ['settle'],
         ['call', f'{side}.end', 'last', fn('answer ended')], *_BOTH_CLOSED],
        quiet=QUIET, watch=_WATCH)
    for family in FAMILIES
    for side, asks in (('s1', 'c'), ('c', 's1'))
]

#: What a listener of 'end' does.
_IN_END: dict[str, list[Step]] = {
    'writes': [['get', 's1.writable'], ['call', 's1.write', 'late', fn('written')]],
    'writes on a tick': [
        ['tick', fn('tick', ['call', 's1.write', 'late', fn('written')], of='s1')]],
    'ends': [['call', 's1.end', 'late', fn('s1 ended')]],
    'ends without data': [['call', 's1.end', fn('s1 ended')]],
    'destroys': [['call', 's1.destroy']],
    'allows it': [['set', 's1.allowHalfOpen', True]],
    'forbids it': [['set', 's1.allowHalfOpen', False]],
}

_LISTENERS = [
    Scenario(
        f"half open/a listener of 'end' {name}, {'' if allowed else 'not '}allowed", _ENDING,
        [*connection(server={'allowHalfOpen': allowed}), ['call', 'c.resume'],
         ['call', 's1.on', 'end', fn('peer ended', *steps)], ['call', 's1.resume'],
         ['call', 'c.end', fn('c ended')], ['await', 's1 end'], ['settle'], *_LOOK],
        quiet=QUIET, watch=_WATCH)
    for name, steps in _IN_END.items() for allowed in (False, True)
]

_LATER = [
    Scenario(
        f'half open/it is set to {value} while connected', _CHAPTER,
        [*connection(server={'allowHalfOpen': not value}), ['call', 's1.resume'],
         ['set', 's1.allowHalfOpen', value], ['call', 'c.end'], ['await', 's1 end'], ['settle'],
         *_LOOK],
        quiet=QUIET, watch=_WATCH)
    for value in (True, False)
]

_LATER += [
    Scenario(
        'half open/own end does not stop reading', _ENDING,
        [*connection(server={'allowHalfOpen': True}), ['call', 'c.on', 'data', fn('got')],
         ['call', 's1.resume'], ['call', 'c.end', fn('c ended')], ['await', 's1 end'],
         ['call', 's1.write', 'one'], ['await', 'got'],
         ['call', 's1.write', 'two'], ['await', 'got', 2],
         ['get', 'c.readyState'], ['call', 's1.end'], *_BOTH_CLOSED],
        quiet=QUIET, watch=_WATCH),
    Scenario(
        'half open/ended before the peer, who never ends', _ENDING,
        [*connection(server={'allowHalfOpen': True}), ['call', 's1.resume'], ['call', 'c.resume'],
         ['call', 'c.end', fn('c ended')], ['await', 's1 end'], ['settle'], *_LOOK,
         ['call', 's1.destroy'], *_BOTH_CLOSED],
        quiet=QUIET, watch=_WATCH),
]

SCENARIOS = [*_TABLE, *_ANSWERS, *_LISTENERS, *_LATER]
