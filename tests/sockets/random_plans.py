"""Random sequences of calls on both ends of a connection, as plain data: the same for each seed.

A :class:`Plan` has *lanes*: lists of calls that one greenlet makes, one after another. Each end has
two, which run at the same time. Lane 0 of end ``'b'`` is the 'connection' listener itself. What is
in a call, :mod:`.random_calls` knows.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import Any

__all__ = ['Call', 'Plan', 'make_plan']

#: The name of what is called, and its arguments.
Call = tuple[Any, ...]

#: Bytes of a write. The last ones are more than all buffers on the way together take: those of the
#: sockets are made small.
_SIZES = (0, 1, 1, 2, 10, 10, 100, 100, 1000, 1000, 5000, 20000, 70000, 300_000)

_EVENTS = (
    'data', 'data', 'data', 'readable', 'readable', 'end', 'end', 'drain', 'finish', 'close',
    'error', 'connect', 'ready', 'timeout', 'pause', 'resume',
)

#: How often each call comes, in relation to the others.
_WEIGHTS = {
    'write': 12, 'end': 4, 'destroy': 1, 'destroy_soon': 1, 'reset_and_destroy': 1,
    'pause': 3, 'resume': 4, 'read': 5, 'unshift': 2, 'set_encoding': 1, 'cork': 2, 'uncork': 3,
    'pipe': 2, 'unpipe': 2, 'on': 10, 'off': 4, 'set_timeout': 2, 'ref': 1, 'unref': 1,
    'set_no_delay': 1, 'set_keep_alive': 1, 'connect': 3, 'recv': 8, 'recv_into': 2, 'peek': 2,
    'send': 3, 'sendall': 6, 'makefile': 3, 'shutdown': 1, 'close': 1, 'settimeout': 3,
    'iterate': 4, 'detach': 0.4, 'to_socket': 0.5, 'look': 1, 'kill': 0.5, 'raise': 0.5,
    'sleep': 4, 'turn': 8,
}

#: A plain socket has fewer.
_PLAIN_WEIGHTS = {
    'sendall': 10, 'recv': 10, 'shutdown': 2, 'close': 1, 'reset': 0.5, 'sleep': 4, 'turn': 4,
}

#: What a stream does not emit where nobody listens.
_FOLDED = ('resume', 'end', 'prefinish', 'finish')


@dataclass(frozen=True)
class Plan:
    """A connection's ends, and what is called on them."""

    seed: int
    #: ``'tcp'`` or ``'unix'``.
    family: str
    #: ``'gnet'`` or ``'plain'``, for the end that connects and the one that accepts.
    kinds: dict[str, str]
    #: Options of the gnet sockets.
    options: dict[str, Any]
    #: Whether the ends ``'a'`` and ``'b'`` have a listener of 'error' from the beginning.
    hears_errors: dict[str, bool]
    #: How the sockets are watched: see ``random_ends.RecordedSocket``.
    traced: bool
    #: Which events have a listener from the beginning, where nobody but listeners is told.
    hears: tuple[str, ...]
    #: Whether the ends are ended, and read to their ends, before they are destroyed.
    ends_gracefully: bool
    lanes: dict[tuple[str, int], tuple[Call, ...]]

    def without(self, lane: tuple[str, int], position: int) -> Plan:
        """Return this plan with one call fewer."""
        calls = self.lanes[lane]
        rest = calls[:position] + calls[position + 1:]
        return replace(self, lanes={**self.lanes, lane: rest})

    def __str__(self) -> str:
        lines = [
            f'seed {self.seed}: {self.family}, {self.kinds}, {self.options}, '
            f'hears errors: {self.hears_errors}, traced: {self.traced}, '
            f'hears: {self.hears}, ends gracefully: {self.ends_gracefully}',
        ]
        for (end, number), calls in self.lanes.items():
            lines += [f'  {end}{number}: {call}' for call in calls]
        return '\n'.join(lines)


def make_plan(seed: int) -> Plan:
    """Return the plan of *seed*."""
    dice = random.Random(seed)
    kinds = dice.choice([
        {'a': 'gnet', 'b': 'gnet'}, {'a': 'gnet', 'b': 'gnet'}, {'a': 'gnet', 'b': 'gnet'},
        {'a': 'plain', 'b': 'gnet'}, {'a': 'gnet', 'b': 'plain'},
    ])
    # What is called often differs from plan to plan, or all would look alike.
    weights = {
        name: weight * dice.choice([0.1, 1, 1, 3]) for name, weight in _WEIGHTS.items()}
    style = dice.choice(['both', 'both', 'events', 'blocking'])
    if style == 'events':
        weights.update(dict.fromkeys(('recv', 'recv_into', 'peek', 'iterate', 'to_socket'), 0.02))
    elif style == 'blocking':
        weights.update(dict.fromkeys(('on', 'pipe', 'resume', 'read', 'unshift'), 0.02))
    count = dice.randint(1, 30)
    lanes: dict[tuple[str, int], list[Call]] = {
        (end, number): [] for end in 'ab' for number in (0, 1)}
    busy = dice.sample(sorted(lanes), dice.randint(1, 4))
    for _ in range(count):
        end, number = dice.choice(busy)
        if kinds[end] == 'plain':
            lanes[end, 0].append(_plain_call(dice))  # it is no object for two greenlets
        else:
            lanes[end, number].append(_call(dice, weights))
    # What comes before is called on a socket without a connection.
    first = lanes['a', 0]
    first.insert(dice.choice([0, 0, 0, 1, 2, 5]), ('connect', 'port'))
    options = {
        'allow_half_open': dice.random() < 0.4,
        'high_water_mark': dice.choice([65536, 65536, 0, 1, 100, 16384]),
        'pause_on_connect': dice.random() < 0.2,
    }
    return Plan(
        seed, dice.choice(['tcp', 'tcp', 'unix']), kinds, options,
        {end: dice.random() < 0.85 for end in 'ab'}, traced=dice.random() < 0.6,
        ends_gracefully=dice.random() < 0.6,
        lanes={lane: tuple(calls) for lane, calls in lanes.items()},
        hears=tuple(event for event in _FOLDED if dice.random() < 0.3),
    )


def _choose(dice: random.Random, weights: dict[str, float]) -> str:
    return dice.choices(list(weights), list(weights.values()))[0]


def _plain_call(dice: random.Random) -> Call:
    name = _choose(dice, _PLAIN_WEIGHTS)
    if name == 'sendall':
        return name, dice.choice(_SIZES)
    if name == 'recv':
        return name, dice.choice([1, 10, 65536])
    return (name,)


def _call(dice: random.Random, weights: dict[str, float], depth: int = 0) -> Call:
    name = _choose(dice, weights)
    make = _ARGUMENTS.get(name)
    if name == 'on':
        return name, *_listener(dice, weights, depth)
    return (name, *make(dice)) if make else (name,)


def _listener(dice: random.Random, weights: dict[str, float], depth: int) -> tuple[Any, ...]:
    """An event, what its listener does, and whether it is there once."""
    event = dice.choice(_EVENTS)
    does = dice.choice(['note', 'note', 'block', 'block', 'raise', 'act', 'act', 'act'])
    if does == 'raise' and dice.random() < 0.5:
        does = 'note'
    arguments: Any = None
    if does == 'act':
        arguments = _call(dice, {**weights, 'raise': 0}, depth + 1) if depth < 2 else ('turn',)
    elif does == 'block':
        arguments = dice.choice(['turn', 0.002, 0.01])
    return event, does, arguments, dice.random() < 0.4


def _data(dice: random.Random) -> tuple[Any, ...]:
    """Size and form of a chunk, and whether there is a callback, and what that does."""
    return (
        dice.choice(_SIZES), dice.choice(['bytes', 'bytes', 'bytearray', 'utf8', 'latin1', 'hex']),
        dice.choice([None, 'note', 'note', 'block', 'raise']),
    )


_ARGUMENTS: dict[str, Any] = {
    'write': _data,
    'end': lambda dice: (dice.choice(['nothing', 'chunk', 'chunk']), *_data(dice)),
    'destroy': lambda dice: (dice.choice([None, None, 'error']),),
    'read': lambda dice: (dice.choice([None, None, 0, 1, 10, 1000]),),
    'unshift': lambda dice: (dice.choice(['read', 'read', 'foreign']), dice.choice([1, 10])),
    'set_encoding': lambda dice: (dice.choice(['utf8', 'latin1', 'ascii']),),
    'pipe': lambda dice: (dice.choice(['self', 'other']), dice.random() < 0.5),
    'unpipe': lambda dice: (dice.choice(['all', 'self', 'other']),),
    'off': lambda dice: (dice.choice(_EVENTS),),
    'set_timeout': lambda dice: (
        dice.choice([0, 1, 3, 20]), dice.choice([None, 'note', 'destroy'])),
    'set_no_delay': lambda dice: (dice.random() < 0.7,),
    'set_keep_alive': lambda dice: (dice.random() < 0.7, dice.choice([0, 1000])),
    'connect': lambda dice: (
        dice.choice(['port', 'port', 'callback', 'blocking', 'lookup', 'late lookup', 'refused']),),
    'recv': lambda dice: (dice.choice([0, 1, 10, 1000, 65536]),),
    'recv_into': lambda dice: (dice.choice([1, 10, 1000]),),
    'peek': lambda dice: (dice.choice([1, 10, 1000]),),
    'send': lambda dice: (dice.choice(_SIZES),),
    'sendall': lambda dice: (dice.choice(_SIZES),),
    'makefile': lambda dice: (
        dice.choice(['rb', 'wb', 'rwb', 'r', 'w', 'rw']), dice.choice([-1, -1, 0, 10]),
        dice.choice([1, 10, 1000])),
    'shutdown': lambda dice: (dice.choice(['RD', 'WR', 'WR', 'RDWR']),),
    'settimeout': lambda dice: (dice.choice([None, None, 0, 0.001, 0.005, 0.02]),),
    'iterate': lambda dice: (dice.choice([1, 2, 5, 1000]),),
    'to_socket': lambda dice: (dice.choice([1, 1000]),),
    'sleep': lambda dice: (dice.choice([0.001, 0.003, 0.01]),),
    'turn': lambda dice: (dice.choice([1, 1, 2, 5]),),
}
