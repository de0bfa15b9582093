"""gnet against the recorded traces of Node."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable

import pytest

from ..harness.scripts import Finished
from . import records
from .agreement import SPELLINGS, as_heard, differing_lanes, rows
from .driver import Lanes
from .form import CHAPTERS, Scenario
from .node import lanes_of
from .outcome import Verdict, judge, judge_quickly, on_gnet, recorded
from .scenarios import SCENARIOS

#: What a process runs that is one scenario.
_PROGRAM = """
    from tests.conformance.driver import run_program

    run_program()
"""


#: A scenario in which something is read or ends, or is secure: what gnet does there is done another
#: way where nobody listens. Programs, which are dear, go the long way only.
_HAS_A_QUICK_WAY = re.compile(
    r"\.(pipe|resume|end|destroySoon|sendall|read)'"
    r"|'(data|readable|end|finish|prefinish|resume|tls\.createServer)'")


def _is_as_recorded(scenario: Scenario, lanes: Lanes) -> None:
    of_node = recorded(scenario)
    assert of_node is not None, 'record it: python -m tests.conformance record'
    assert of_node.digest == scenario.digest, 'it has changed since it was recorded'
    outcome = judge(scenario, of_node.lanes, lanes)
    if outcome.verdict is Verdict.FAILS:
        pytest.fail(str(outcome), pytrace=False)


@pytest.mark.parametrize(
    'scenario',
    [scenario for scenario in SCENARIOS if scenario.is_possible and not scenario.program],
    ids=lambda scenario: scenario.name)
def test_gnet_does_what_node_does(scenario: Scenario) -> None:
    _is_as_recorded(scenario, on_gnet(scenario))
    if _HAS_A_QUICK_WAY.search(str(scenario.steps)) is None:
        return
    meant = recorded(scenario, 'node' if scenario.on_purpose is None else 'gnet')
    assert meant is not None
    outcome = judge_quickly(scenario, meant.lanes)
    if outcome.verdict is Verdict.FAILS:
        pytest.fail(str(outcome), pytrace=False)


@pytest.mark.parametrize(
    'scenario', [scenario for scenario in SCENARIOS if scenario.program],
    ids=lambda scenario: scenario.name)
def test_a_program_does_what_it_does_with_node(
    scenario: Scenario, run_script: Callable[..., Finished],
) -> None:
    ended = run_script(
        _PROGRAM, stdin=scenario.to_json(), imported=('tests.conformance.driver',))
    _is_as_recorded(scenario, lanes_of(*ended))


@pytest.mark.parametrize(('of_node', 'of_gnet', 'same'), [
    ('.timeout = undefined', '.timeout = null', True),
    ('.on "undefined" undefined', '.on "undefined" null', True),
    ('written(undefined)', 'written("undefined")', False),
    ('Error[EPIPE] "write EPIPE" {errno: -32}', 'Error[EPIPE] "write EPIPE" {errno: 32}', True),
    ('Error[EPIPE] "write EPIPE" {errno: -32}', 'Error[EPIPE] "write EPIPE" {errno: 104}', False),
    ("'unpipe' <s1> {hasUnpiped: false}", "'unpipe' <s1>", True),
    ("'close' {\"closed\"}", "'close' false {\"closed\"}", True),
    ("'close' {\"closed\"}", "'close' true {\"closed\"}", False),
    ("'close' false", "'close' true", False),
    ("'close' true", "'close'", False),
])
def test_only_spelling_is_overlooked(of_node: str, of_gnet: str, same: bool) -> None:
    assert differing_lanes({'c': [of_node]}, {'c': [of_gnet]}) == ([] if same else ['c'])


def test_close_of_what_never_had_a_connection_tells_whether_there_was_an_error() -> None:
    of_node = ["c: 'error' 3", "c: 'close'", "d: 'close'"]
    assert not differing_lanes(
        {'both': of_node}, {'both': ["c: 'error' 3", "c: 'close' true", "d: 'close' false"]})
    assert differing_lanes(
        {'both': of_node}, {'both': ["c: 'error' 3", "c: 'close' false", "d: 'close' false"]})
    assert differing_lanes(
        {'both': of_node}, {'both': ["c: 'error' 3", "c: 'close' true", "d: 'close' true"]})


@pytest.mark.parametrize(('of_node', 'of_gnet'), [
    (["'resume'", "'data' b\"a\"", 'got(b"a")', "'end'", "'close' false"], ['got(b"a")']),
    (["'end' {\"open\"}", 'ended()'], ["'end' {\"open\"}", 'ended()']),
    (["c: 'end'", "c: 'finish'", "d: 'end'"], ["c: 'finish'"]),
])
def test_what_nobody_hears_may_be_missing(of_node: list[str], of_gnet: list[str]) -> None:
    assert not differing_lanes(as_heard({'c': of_node}, {'c': of_gnet}), {'c': of_gnet})


@pytest.mark.parametrize(('of_node', 'of_gnet'), [
    (["'end'", 'ended()'], ["'end'"]),
    (["'end'", 'ended()'], ['ended()', "'end'"]),
    (['ended()'], ["'end'", 'ended()']),
    (["'end' {\"open\"}"], ["'end' {\"closed\"}"]),
    (["'pause'"], []),
    (["'close'"], ["'end'"]),
    (["server: 'close'"], []),
])
def test_nothing_else_may_be_missing(of_node: list[str], of_gnet: list[str]) -> None:
    assert differing_lanes(as_heard({'c': of_node}, {'c': of_gnet}), {'c': of_gnet}) == ['c']


def test_a_server_is_heard_in_its_own_lane_too() -> None:
    assert differing_lanes(as_heard({'server': ["'close'"]}, {}), {}) == ['server']


def test_each_scenario_has_a_name_of_its_own() -> None:
    names = Counter(scenario.name for scenario in SCENARIOS)
    assert [name for name, count in names.items() if count > 1] == []


def test_nothing_is_recorded_that_is_no_scenario() -> None:
    directory = records.DIRECTORY
    groups = {scenario.group.replace(' ', '_'): scenario.group for scenario in SCENARIOS}
    for path in (*directory.glob('*.json'), *directory.glob('gnet/*.json')):
        of = 'gnet' if path.parent.name == 'gnet' else 'node'
        group = groups[path.stem]
        version, traces = records.load(group, of)
        known = {scenario.name for scenario in SCENARIOS if scenario.group == group}
        assert set(traces) <= known, path.name
        assert version.startswith('v24.'), path.name


def test_each_difference_that_is_meant_has_a_row_in_the_document() -> None:
    documented = rows()
    assert {row for row, _ in SPELLINGS} <= documented
    assert [
        scenario.name for scenario in SCENARIOS
        if scenario.on_purpose is not None and scenario.on_purpose not in documented
    ] == []


def test_each_chapter_of_nodes_documentation_is_compared() -> None:
    covered = {scenario.chapter for scenario in SCENARIOS}
    assert [chapter for chapter in CHAPTERS if chapter not in covered] == []
