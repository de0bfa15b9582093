"""Scenarios that are run on both at the same time, without a record."""

from __future__ import annotations

from .form import Scenario
from .fuzz import is_explained
from .node import Node
from .outcome import Outcome, Verdict, judge, on_gnet

__all__ = ['compare', 'fails_each_time']

#: How often a difference must come to count: others are a matter of timing.
_TIMES = 4


def compare(scenario: Scenario, node: Node) -> Outcome:
    """Run a random scenario on both; what is meant to differ does not count."""
    outcome = judge(scenario, node.run(scenario), on_gnet(scenario))
    if outcome.verdict is Verdict.FAILS and is_explained(
        outcome.of_node, outcome.of_gnet, tls=scenario.chapter.startswith('tls'),
    ):
        outcome.verdict = Verdict.ON_PURPOSE
    return outcome


def fails_each_time(scenario: Scenario, node: Node) -> bool:
    """Whether both sides differ, and in the same way each time."""
    outcomes = [compare(scenario, node) for _ in range(_TIMES)]
    return all(
        one.verdict is Verdict.FAILS
        and (one.of_node, one.of_gnet) == (outcomes[0].of_node, outcomes[0].of_gnet)
        for one in outcomes)
