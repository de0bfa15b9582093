"""The smallest scenario that still fails."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from .form import Scenario, Step

__all__ = ['shrink']

#: What a random scenario cannot do without: its objects, and their connection.
_NEEDED = (['let'], ['await'], ['call', 'server.listen'], ['call', 'c.connect'])


def shrink(scenario: Scenario, fails: Callable[[Scenario], bool]) -> Scenario:
    """Return *scenario* with as little as possible in it such that *fails* is still true.

    Steps are left out, many at once and then single ones; so are the steps of functions, and
    options; and chunks get smaller.
    """
    smaller = True
    while smaller:
        smaller = False
        for candidate in _candidates(scenario):
            if fails(candidate):
                scenario = candidate
                smaller = True
                break
    return scenario


def _candidates(scenario: Scenario) -> Iterator[Scenario]:
    steps = scenario.steps
    size = len(steps) // 2
    while size:
        for start in range(0, len(steps), size):
            part = steps[start:start + size]
            rest = [
                *steps[:start],
                *(step for place, step in enumerate(part, start) if _is_needed(steps, place)),
                *steps[start + size:],
            ]
            if len(rest) < len(steps):
                yield replace(scenario, steps=rest)
        size //= 2
    for position, step in enumerate(steps):
        for simpler in _simpler(step):
            yield replace(scenario, steps=[*steps[:position], simpler, *steps[position + 1:]])


def _is_needed(steps: list[Step], place: int) -> bool:
    step = steps[place]
    if step[0] == 'settle':
        # What was called before connect() is over by then: a socket may have been destroyed. And
        # what comes after it finds a connection.
        return ['call', 'c.connect'] in (
            step[:2] for step in steps[place + 1:place + 2]
        ) or not any(step[0] == 'settle' for step in steps[:place])
    return step[:1] in _NEEDED or step[:2] in _NEEDED


def _simpler(step: Step) -> Iterator[Step]:
    if step[0] == 'get' and len(step) > 2:
        for item in step[1:]:
            yield [word for word in step if word is not item]
    for path, value in _inside(step, ()):
        if isinstance(value, dict) and value.get('do'):
            for position in range(len(value['do'])):
                simpler = copy.deepcopy(step)
                del _at(simpler, path)['do'][position]
                yield simpler
        elif isinstance(value, dict) and '$' not in value:
            for key in value:
                if key not in ('host', 'port', 'path', 'key', 'cert', 'ca'):
                    simpler = copy.deepcopy(step)
                    del _at(simpler, path)[key]
                    yield simpler
        elif isinstance(value, dict) and value.get('size', 0) > 1:
            simpler = copy.deepcopy(step)
            _at(simpler, path)['size'] = 1 if value['size'] < 20 else value['size'] // 10
            yield simpler


def _inside(value: Any, path: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], Any]]:
    yield path, value
    if isinstance(value, list):
        for position, item in enumerate(value):
            yield from _inside(item, (*path, position))
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _inside(item, (*path, key))


def _at(value: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        value = value[key]
    return value
