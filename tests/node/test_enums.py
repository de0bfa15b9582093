"""The Enums of states, which are made quickly: what of ``enum.Enum`` they have."""

from __future__ import annotations

import copy
import pickle

from gnet.streams.states import FLOWING, Flow, Stage


def test_members_are_what_is_written_in_capitals_in_this_order() -> None:
    assert [each.name for each in Flow] == ['UNDECIDED', 'FLOWING', 'PAUSED']
    assert [each.value for each in Flow] == [None, True, False]
    assert all(type(each) is Flow and getattr(Flow, each.name) is each for each in Flow)


def test_a_member_says_which_it_is() -> None:
    assert str(Stage.OPEN) == 'Stage.OPEN'
    assert repr(Stage.OPEN) == "<Stage.OPEN: 'connected'>"


def test_there_is_one_of_each() -> None:
    for made in (copy.copy(FLOWING), copy.deepcopy(FLOWING), pickle.loads(pickle.dumps(FLOWING))):
        assert made is FLOWING
