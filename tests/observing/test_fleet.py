"""Values of several processes: sent, checked, and added up."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gnet.observing.catalogue import CATALOGUE
from gnet.observing.fleet import Fleet
from gnet.observing.histogram import Histogram
from gnet.observing.snapshot import Snapshot

ACCEPTED, OPEN = 'gnet_connections_accepted', 'gnet_connections_open'
LAG = 'gnet_hub_lag_seconds'
BOUNDS = CATALOGUE[LAG].bounds


def counts(accepted: int, now_open: int, *lags: float) -> list[Any]:
    """Return what a worker sends that has counted this, as it arrives."""
    snapshot = Snapshot()
    snapshot.put(ACCEPTED, (':80',), accepted)
    snapshot.put(OPEN, (':80',), now_open)
    values = Histogram(BOUNDS)
    for lag in lags:
        values.observe(lag)
    snapshot.put(LAG, (), values)
    return json.loads(json.dumps(snapshot.packed()))


def total(fleet: Fleet) -> dict[str, Any]:
    snapshot = Snapshot()
    fleet.write(snapshot)
    return {
        metric.name: value.count if isinstance(value, Histogram) else value
        for metric, _, value in snapshot.samples()}


def test_what_is_sent_is_what_arrives() -> None:
    sent = counts(3, 1, 0.0001, 7.0)
    arrived = Snapshot.unpacked(sent)
    assert arrived is not None
    assert arrived.packed() == sent


def test_a_process_without_workers_says_nothing_of_workers() -> None:
    assert total(Fleet()) == {}


def test_workers_are_added_up() -> None:
    fleet = Fleet()
    for worker in (1, 2):
        fleet.forked(worker)
        assert fleet.reported(worker, counts(worker, 1, 0.1))
    assert total(fleet) == {
        ACCEPTED: 3, OPEN: 2, LAG: 2, 'gnet_workers': 2, 'gnet_worker_restarts': 0}
    assert fleet.reported(1, counts(10, 4, 0.1, 0.2)), 'each report takes the place of the last'
    assert total(fleet) == {
        ACCEPTED: 12, OPEN: 5, LAG: 3, 'gnet_workers': 2, 'gnet_worker_restarts': 0}


def test_no_total_falls_when_a_worker_dies_but_what_was_open_is_gone() -> None:
    fleet = Fleet()
    for worker in (1, 2):
        fleet.forked(worker)
        fleet.reported(worker, counts(5, 2, 0.1))
    fleet.exited(1, False)
    assert total(fleet) == {
        ACCEPTED: 10, OPEN: 2, LAG: 2, 'gnet_workers': 1, 'gnet_worker_restarts': 0}
    fleet.forked(3)
    fleet.reported(3, counts(1, 1))
    assert total(fleet) == {
        ACCEPTED: 11, OPEN: 3, LAG: 2, 'gnet_workers': 2, 'gnet_worker_restarts': 1}


def test_who_takes_the_place_of_one_that_was_told_to_end_is_no_restart() -> None:
    fleet = Fleet()
    fleet.forked(1)
    fleet.exited(1, True)
    fleet.forked(2)
    assert total(fleet)['gnet_worker_restarts'] == 0


def test_a_report_that_comes_after_the_end_is_too_late() -> None:
    fleet = Fleet()
    fleet.forked(1)
    fleet.reported(1, counts(5, 2))
    fleet.exited(1, True)
    assert fleet.reported(1, counts(6, 2))
    assert total(fleet) == {
        ACCEPTED: 5, OPEN: 0, LAG: 0, 'gnet_workers': 0, 'gnet_worker_restarts': 0}


def test_what_was_taken_does_not_change_with_what_counts_on() -> None:
    values = Histogram(BOUNDS)
    snapshot, total = Snapshot(), Snapshot()
    snapshot.put(LAG, (), values)
    total.add(snapshot)
    total.add(snapshot)
    values.observe(1)
    assert [value.count for _, _, value in snapshot.samples()] == [0]


@pytest.mark.parametrize('nonsense', [
    None, 5, 'values', {}, [None], [[]], [['gnet_workers', []]], [['gnet_workers', [], 1, 1]],
    [[['gnet_workers'], [], 1]],
    [['no_such_metric', [], 1]],
    [['gnet_workers', [], -1]], [['gnet_workers', [], float('inf')]],
    [['gnet_workers', [], float('nan')]], [['gnet_workers', [], True]],
    [['gnet_workers', [], '1']], [['gnet_workers', [], None]], [['gnet_workers', [], [[1], 1]]],
    [['gnet_workers', ['label'], 1]], [['gnet_workers', None, 1]],
    [[ACCEPTED, [], 1]], [[ACCEPTED, [5], 1]], [[ACCEPTED, ['x' * 257], 1]],
    [[LAG, [], 1]], [[LAG, [], []]], [[LAG, [], [[1], 1]]],
    [[LAG, [], [[0] * len(BOUNDS), 0]]], [[LAG, [], [[0] * (len(BOUNDS) + 2), 0]]],
    [[LAG, [], [[0.5] * (len(BOUNDS) + 1), 0]]], [[LAG, [], [[-1] * (len(BOUNDS) + 1), 0]]],
    [[LAG, [], [[0] * (len(BOUNDS) + 1), 'x']]],
    [['gnet_workers', [], 1]] * 20_001,
])
def test_what_makes_no_sense_is_refused(nonsense: Any) -> None:
    fleet = Fleet()
    fleet.forked(1)
    fleet.reported(1, counts(1, 1))
    assert not fleet.reported(1, nonsense)
    assert total(fleet)[ACCEPTED] == 1
