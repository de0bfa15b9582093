"""The defaults of ``autoSelectFamily`` and of the time of its attempts."""

from __future__ import annotations

from ..form import Form, Scenario, Step, fn, number

__all__ = ['SCENARIOS']

_CHAPTER = 'net: autoSelectFamily'
_FAMILY = 'DefaultAutoSelectFamily'
_TIMEOUT = 'DefaultAutoSelectFamilyAttemptTimeout'

#: A title, the name behind get and set, values.
_VALUES: list[tuple[str, str, list[Form]]] = [
    ('family', _FAMILY, [False, True]),
    ('family of a wrong type', _FAMILY, [
        1, 0, 'true', '', None, {}, [], number('NaN'), fn('no boolean')]),
    ('time', _TIMEOUT, [10, 11, 300, 60000, 2147483647, 250.0]),
    ('time of less than 10', _TIMEOUT, [1, 5, 9]),
    ('time out of range', _TIMEOUT, [
        0, -1, 2147483648, 1.5, 0.5, number('NaN'), number('Infinity'), number('-Infinity')]),
    ('time of a wrong type', _TIMEOUT, ['10', '', None, {}, [], True, False, fn('no number')]),
]


def _set(title: str, name: str, values: list[Form]) -> Scenario:
    steps: list[Step] = [['call', f'net.get{name}']]
    for value in values:
        steps += [['call', f'net.set{name}', value], ['call', f'net.get{name}']]
    return Scenario(f'auto-select defaults/{title}', _CHAPTER, steps)


SCENARIOS = [
    *(_set(*row) for row in _VALUES),
    # The drivers set these after each scenario; so it is a program of its own.
    Scenario(
        'auto-select defaults/of a new process', _CHAPTER,
        [['call', f'net.get{_FAMILY}'], ['call', f'net.get{_TIMEOUT}'],
         ['get', 'events.defaultMaxListeners', 'events.captureRejections']], program=True),
]
