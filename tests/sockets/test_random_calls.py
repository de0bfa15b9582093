"""Random sequences of calls on both ends of a connection.

Whatever is called in whatever state: only documented errors are raised, no byte is lost or comes
twice, every event and every callback comes as often as it may, nobody is blocked for ever, and
nothing is left. ``GNET_RANDOM_SEEDS=first:last`` in the environment runs other seeds.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from time import monotonic

import gevent
import pytest

from ..harness.leaks import holds
from .random_plans import Plan, make_plan
from .random_runs import Bench, bench

#: Seeds of one test.
_CHUNK = 200

#: Connections at the same time.
_SLOTS = 20

#: Seconds to find a shorter list of calls that fails as well.
_TIME_TO_SHRINK = 8


def _chunks() -> list[tuple[int, int]]:
    """The ranges of seeds: ``GNET_RANDOM_SEEDS=first:last`` names others (last included)."""
    first, last = map(int, os.environ.get('GNET_RANDOM_SEEDS', '1:4000').split(':'))
    return [
        (start, min(start + _CHUNK - 1, last)) for start in range(first, last + 1, _CHUNK)]


@pytest.fixture
def a_bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    with bench(_SLOTS) as made:
        monkeypatch.setattr(gevent.get_hub(), 'print_exception', made.reported)
        yield made


@pytest.mark.parametrize(('first', 'last'), _chunks())
def test_random_calls_on_both_ends_keep_all_promises(
    a_bench: Bench, first: int, last: int,
) -> None:
    held = holds()
    failed = a_bench.execute([make_plan(seed) for seed in range(first, last + 1)])
    assert not failed, _story(a_bench, *failed[0], seeds=[plan.seed for plan, *_ in failed])
    assert not a_bench.strays
    assert holds() == held
    # Or the check would be worth little: some ends were read to their end, and had brought data.
    assert a_bench.checked[True, True] or last - first < _CHUNK - 1


def _story(
    made: Bench, plan: Plan, failures: list[str], log: list[str], seeds: list[int],
) -> str:
    short, short_failures, short_log = _shrunk(made, plan, failures, log)
    return '\n'.join([
        f'failed: seeds {seeds}; of seed {plan.seed}:', *failures, '',
        'the calls, as far as needed:', str(short), *short_failures, '', 'in this order:',
        *short_log[-150:]])


def _shrunk(
    made: Bench, plan: Plan, failures: list[str], log: list[str],
) -> tuple[Plan, list[str], list[str]]:
    """Drop calls for as long as it fails without them."""
    deadline = monotonic() + _TIME_TO_SHRINK
    while monotonic() < deadline:
        for shorter in _shorter(plan):
            failed = made.execute([shorter]) or made.execute([shorter])
            if failed:
                [(plan, failures, log)] = failed
                break
            if monotonic() > deadline:
                break
        else:
            break
    return plan, failures, log


def _shorter(plan: Plan) -> Iterator[Plan]:
    for lane, calls in plan.lanes.items():
        for position in range(len(calls)):
            yield plan.without(lane, position)
