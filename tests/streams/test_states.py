"""The states as they are told: docs/states.md and its picture say what the code says."""

from __future__ import annotations

import subprocess
import sys
from enum import Enum

from gnet.streams import states
from gnet.streams.states import FOLLOWS

from ..harness import ROOT


def drawing(*arguments: str) -> tuple[int, str]:
    """Run ``scripts/draw_states``; return its status and what it has said."""
    finished = subprocess.run(
        [sys.executable, 'scripts/draw_states', *arguments], cwd=ROOT, capture_output=True,
        text=True, check=False)
    return finished.returncode, finished.stdout + finished.stderr


def test_the_page_and_the_picture_of_the_states_are_up_to_date() -> None:
    assert drawing('--check') == (0, '')


def test_what_draws_them_says_how_it_is_used() -> None:
    status, said = drawing('--help')
    assert (status, '--check' in said) == (0, True)


def test_each_state_is_in_the_table_and_leads_to_states_of_its_own_kind() -> None:
    kinds = [kind for kind in vars(states).values()
             if isinstance(kind, type) and issubclass(kind, Enum) and kind is not Enum]
    assert [state for kind in kinds for state in kind] == [*FOLLOWS]
    assert [(state, after) for state, those in FOLLOWS.items() for after in those
            if type(after) is not type(state)] == []
