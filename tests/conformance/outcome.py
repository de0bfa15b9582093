"""One scenario on gnet, and what came of it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from . import driver, node
from .agreement import as_heard, as_python, differing_lanes, without_raw_sockets
from .driver import Lanes
from .form import Scenario
from .records import Recorded, load

__all__ = [
    'Outcome', 'Verdict', 'judge', 'judge_quickly', 'on_gnet', 'recorded', 'side_by_side',
]

#: In a scenario that looks at the sockets below those of TLS, before they are secure or without.
_ABOUT_RAW_SOCKETS = re.compile(r"'server connection'|'connection', {|'s\d\.")


class Verdict(Enum):
    """What the comparison says."""

    AGREES = 'agree'
    ON_PURPOSE = 'differ on purpose'
    FAILS = 'fail'


@dataclass
class Outcome:
    """The verdict on a scenario, and both traces."""

    scenario: Scenario
    verdict: Verdict
    reason: str
    of_node: Lanes
    of_gnet: Lanes

    def __str__(self) -> str:
        lines = [f'{self.scenario.name}: {self.reason}']
        for lane in differing_lanes(self.of_node, self.of_gnet):
            lines += ['', f'  --- {lane}: Node | gnet']
            lines += side_by_side(self.of_node.get(lane, []), self.of_gnet.get(lane, []))
        return '\n'.join(lines)


def on_gnet(scenario: Scenario) -> Lanes:
    """Return the trace of *scenario* on gnet."""
    if scenario.program:
        return node.run_program_on_gnet(scenario)
    # What a driver gets is what it would read.
    return driver.run(scenario.to_driver())


class _Records:
    """What was recorded, read once."""

    def __init__(self) -> None:
        self._read: dict[tuple[str, str], dict[str, Recorded]] = {}

    def of(self, scenario: Scenario, of: str) -> Recorded | None:
        key = scenario.group, of
        if key not in self._read:
            self._read[key] = load(*key)[1]
        return self._read[key].get(scenario.name)


_RECORDS = _Records()


def recorded(scenario: Scenario, of: str = 'node') -> Recorded | None:
    """Return what was recorded of *scenario*, for Node or gnet."""
    return _RECORDS.of(scenario, of)


def judge(scenario: Scenario, of_node: Lanes, of_gnet: Lanes) -> Outcome:
    """Compare what Node and gnet have done."""
    differing = differing_lanes(of_node, of_gnet)

    def outcome(verdict: Verdict, reason: str) -> Outcome:
        return Outcome(scenario, verdict, reason, of_node, of_gnet)

    row = scenario.on_purpose
    if row is None:
        if not differing:
            return outcome(Verdict.AGREES, 'the same')
        return outcome(Verdict.FAILS, f'differs in {", ".join(differing)}')
    if not differing:
        return outcome(Verdict.FAILS, f'does not differ any more as on_purpose says: {row}')
    meant = recorded(scenario, 'gnet')
    if meant is None or meant.digest != scenario.digest:
        return outcome(Verdict.FAILS, 'what it is meant to do is not recorded: record --gnet')
    if meant.lanes != of_gnet:
        return Outcome(
            scenario, Verdict.FAILS,
            'differs from Node on purpose, but not as it was recorded (left: as recorded)',
            meant.lanes, of_gnet)
    return outcome(Verdict.ON_PURPOSE, row)


def judge_quickly(
    scenario: Scenario, meant: Lanes, explained: Callable[[Lanes, Lanes], bool] | None = None,
) -> Outcome:
    """Run *scenario* on gnet as it goes outside of tests, and compare.

    Nobody listens but the scenario, and what nobody listens to is missing (see ``driver.run``). TLS
    servers make one socket of a connection, where the scenario looks at none below.

    Args:
        meant: what Node has done or, where it differs on purpose, what gnet is to do.
        explained: whether two traces differ in nothing but what is documented.
    """
    raw = 'tls.createServer' not in str(scenario.steps) or (
        _ABOUT_RAW_SOCKETS.search(str(scenario.steps)) is not None)
    lanes = driver.run(scenario.to_driver(), quick=True, raw=raw)
    if not raw:
        meant, lanes = without_raw_sockets(meant), without_raw_sockets(lanes)
    heard = as_heard(meant, lanes)
    differing = differing_lanes(heard, lanes)
    if not differing:
        return Outcome(scenario, Verdict.AGREES, 'the same', heard, lanes)
    verdict = Verdict.FAILS
    if explained is not None and explained(meant, lanes):
        verdict = Verdict.ON_PURPOSE
    return Outcome(
        scenario, verdict, f'the quick way differs in {", ".join(differing)}', heard, lanes)


def side_by_side(of_node: list[str], of_gnet: list[str], width: int = 70) -> list[str]:
    """Return two lists of lines as one of two columns."""
    spelt = [as_python(line) for line in of_node]
    lines = []
    matcher = difflib.SequenceMatcher(None, spelt, of_gnet, autojunk=False)
    for kind, i1, i2, j1, j2 in matcher.get_opcodes():
        for row in range(max(i2 - i1, j2 - j1)):
            left = spelt[i1 + row] if i1 + row < i2 else ''
            right = of_gnet[j1 + row] if j1 + row < j2 else ''
            mark = ' ' if kind == 'equal' else '|'
            if len(left) > width or len(right) > width:
                lines += [f'  {mark} {left}'] if left else []
                lines += [f'  {mark}     {right}'] if right else []
            else:
                lines.append(f'  {mark} {left:{width}} {mark} {right}')
    return lines
