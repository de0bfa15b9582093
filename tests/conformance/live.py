"""Scenarios that are run on both at the same time, without a record."""

from __future__ import annotations

from functools import partial

from .form import Scenario
from .fuzz import is_explained
from .node import Node
from .outcome import Outcome, Verdict, judge, judge_quickly, on_gnet

__all__ = ['compare', 'fails_each_time']

#: How often a difference must come to count: others are a matter of timing.
_TIMES = 4


def compare(scenario: Scenario, node: Node, quick: bool = False) -> Outcome:
    """Run a random scenario on both; what is meant to differ does not count.

    With *quick* gnet runs it a second time, the quick way; Node does not.
    """
    of_node = node.run(scenario)
    is_tls = scenario.chapter.startswith('tls')
    outcome = judge(scenario, of_node, on_gnet(scenario))
    if outcome.verdict is Verdict.FAILS and is_explained(of_node, outcome.of_gnet, is_tls):
        outcome.verdict = Verdict.ON_PURPOSE
    if quick and outcome.verdict is not Verdict.FAILS:
        return judge_quickly(
            scenario, of_node, partial(is_explained, tls=is_tls, quick=True))
    return outcome


def fails_each_time(scenario: Scenario, node: Node, quick: bool = False) -> bool:
    """Whether both sides differ, and in the same way each time."""
    outcomes = [compare(scenario, node, quick) for _ in range(_TIMES)]
    return all(
        one.verdict is Verdict.FAILS
        and (one.of_node, one.of_gnet) == (outcomes[0].of_node, outcomes[0].of_gnet)
        for one in outcomes)
