"""The random scenarios: that they are repeatable and get small, and what they say of gnet."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator

import pytest

from .form import Scenario
from .fuzz import is_explained, make_scenario
from .fuzz_tls import make_tls_scenario
from .live import compare, fails_each_time
from .node import PROGRAM, Node
from .outcome import Outcome, Verdict, judge, on_gnet
from .shrink import shrink

#: Seeds that are run where there is a Node to compare with; ``python -m tests.conformance fuzz``
#: runs any number of them.
_SEEDS = 300

#: Of TLS.
_TLS_SEEDS = 100

#: Seeds of one test.
_AT_ONCE = 50


@pytest.fixture(scope='module')
def node() -> Iterator[Node]:
    """A Node of the version that the recorded traces are from: ``GNET_NODE``, or on PATH."""
    if shutil.which(PROGRAM) is None:
        pytest.skip(f'there is no {PROGRAM} to compare with')
    with Node() as node:
        if not node.version.startswith('v24.'):
            pytest.skip(f'{PROGRAM} is {node.version}; GNET_NODE=… names a Node 24')
        yield node


@pytest.mark.parametrize('make', [make_scenario, make_tls_scenario])
def test_a_seed_is_the_same_scenario_each_time(make: Callable[[int], Scenario]) -> None:
    assert [make(seed).to_json() for seed in range(20)] == [
        make(seed).to_json() for seed in range(20)]
    assert len({make(seed).digest for seed in range(200)}) == 200


@pytest.mark.parametrize('make', [make_scenario, make_tls_scenario])
def test_no_end_waits_by_nagles_rule(make: Callable[[int], Scenario]) -> None:
    # How many turns an ACK takes is the kernel's affair: seeds were not the same each time.
    for seed in range(50):
        server, *others = map(str, make(seed).steps)
        assert "'noDelay': True" in server
        assert any("'noDelay': True" in step or "'c.setNoDelay', True" in step for step in others)


@pytest.mark.parametrize('seed', range(40))
def test_a_random_scenario_is_the_same_on_gnet_each_time(seed: int) -> None:
    scenario = make_scenario(seed)
    lanes = on_gnet(scenario)
    assert 'waited in vain' not in repr(lanes)
    assert on_gnet(scenario) == lanes


@pytest.mark.parametrize('seed', range(40))
def test_a_random_scenario_of_tls_is_the_same_on_gnet_again(seed: int) -> None:
    # Both ends talk without being asked (tickets, the announced end): on a busy machine, the kernel
    # may have what they say a turn later, and one of some hundred runs is another one. The run that
    # nothing came between must be among the first ones, twice.
    scenario = make_tls_scenario(seed)
    seen: list[object] = []
    for _ in range(8):
        lanes = on_gnet(scenario)
        assert 'waited in vain' not in repr(lanes)
        if lanes in seen:
            return
        seen.append(lanes)
    pytest.fail(f'{len(seen)} runs, and no two of them are the same')


def test_a_difference_is_found_and_shrunk_to_what_it_takes() -> None:
    """A gnet whose ``isPaused`` is wrong, in front of a Node that is played by gnet itself."""
    asks = next(
        scenario for scenario in map(make_scenario, range(1000))
        if ['call', 's1.isPaused'] in scenario.steps and len(scenario.steps) > 20)

    def outcome(candidate: object) -> Outcome:
        of_node = on_gnet(candidate)  # type: ignore[arg-type]
        of_gnet = {
            lane: [line.replace('.isPaused -> false', '.isPaused -> wrong') for line in lines]
            for lane, lines in of_node.items()
        }
        return judge(candidate, of_node, of_gnet)  # type: ignore[arg-type]

    assert outcome(asks).verdict is Verdict.FAILS
    small = shrink(asks, lambda candidate: outcome(candidate).verdict is Verdict.FAILS)
    assert outcome(small).verdict is Verdict.FAILS
    needed = ['let', 'await', 'settle']
    rest = [step[1] for step in small.steps if step[0] not in needed]
    assert rest[0] == 'server.listen'
    # (The socket may have been made first and connected then.)
    assert [name.rpartition('.')[2] for name in rest[1:] if name != 'c.connect'] == ['isPaused']


def test_only_what_is_meant_is_explained() -> None:
    def explained(of_node: list[str], of_gnet: list[str]) -> bool:
        return is_explained({'c': of_node}, {'c': of_gnet})

    failed = 'written1(Error[EPIPE] "write EPIPE")'
    forgotten = 'ended2(Error[ERR_STREAM_DESTROYED] "Cannot call end after a stream was destroyed")'
    assert explained(["'close' true", failed], [failed, "'close' true", forgotten])
    assert not explained([failed], [])
    assert not explained(["'end'", "'close' false"], ["'close' false", "'end'"])
    assert explained(['on_close3()'], ['on_close3(true)'])
    late = ["'data' b", 'written1()'], ['written1()', "'data' b"]
    assert not explained(*late)
    assert is_explained({'c': late[0]}, {'c': late[1]}, tls=True)
    assert not is_explained({'c': late[0]}, {'c': ["'data' b"]}, tls=True)
    assert not explained(['on_end3()'], ['on_end3(true)'])
    unheard = ["'resume'", failed, "'close' true", "'end'"], ["'close' true", failed]
    assert not explained(*unheard)
    assert is_explained({'c': unheard[0]}, {'c': unheard[1]}, quick=True)
    assert not is_explained({'c': unheard[0]}, {'c': ["'close' true"]}, quick=True)


@pytest.mark.timeout(120)
@pytest.mark.parametrize(('make', 'option', 'first'), [
    *((make_scenario, '', first) for first in range(0, _SEEDS, _AT_ONCE)),
    *((make_tls_scenario, '--tls ', first) for first in range(0, _TLS_SEEDS, _AT_ONCE)),
])
def test_random_scenarios_are_the_same_on_node(
    node: Node, make: Callable[[int], Scenario], option: str, first: int,
) -> None:
    for seed in range(first, first + _AT_ONCE):
        scenario = make(seed)
        quick = seed % 2 == 1  # of each second one, for the time that it takes
        outcome = compare(scenario, node, quick)
        if outcome.verdict is Verdict.FAILS and fails_each_time(scenario, node, quick):
            pytest.fail(
                f'{outcome}\n\npython -m tests.conformance fuzz --quick {option}1 --first {seed} '
                'makes it smaller', pytrace=False)
