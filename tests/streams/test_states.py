"""The states as they are told: docs/states.md and its picture say what the code says."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from enum import Enum
from pathlib import Path
from typing import Any

import pytest

from ..harness import ROOT

#: A class that is an Enum, and the comment above it, if there is one.
_ENUM = re.compile(r'^((?:# .*\n)*)class (\w+)\((?:\w+, )*Enum\):', re.MULTILINE)


def drawing(*arguments: str) -> tuple[int, str]:
    """Run ``scripts/draw_states``; return its status and what it has said."""
    finished = subprocess.run(
        [sys.executable, 'scripts/draw_states', *arguments], cwd=ROOT, capture_output=True,
        text=True, check=False)
    return finished.returncode, finished.stdout + finished.stderr


def machines() -> dict[str, list[str]]:
    """Return the files of gnet that have Enums which are machines, and the names of these."""
    found: dict[str, list[str]] = {}
    for path in sorted(Path(ROOT, 'gnet').rglob('*.py')):
        for comment, name in _ENUM.findall(path.read_text('utf-8')):
            if not comment.startswith('# no state: '):
                found.setdefault(path.relative_to(ROOT).as_posix(), []).append(name)
    return found


def test_the_page_and_the_picture_of_the_states_are_up_to_date() -> None:
    assert drawing('--check') == (0, '')


def test_what_draws_them_says_how_it_is_used() -> None:
    status, said = drawing('--help')
    assert (status, '--check' in said) == (0, True)


def test_each_enum_has_a_table_which_is_drawn_or_says_that_it_is_no_state() -> None:
    drawn = re.findall(
        r'^## `(\w+)`\n\n`([\w/]+\.py)`: \w', Path(ROOT, 'docs/states.md').read_text('utf-8'),
        re.MULTILINE)
    assert sorted(drawn) == sorted(
        (name, file) for file, names in machines().items() for name in names)


@pytest.mark.parametrize('file', machines())
def test_each_state_is_in_the_table_and_leads_to_states_of_its_own_kind(file: str) -> None:
    module: Any = importlib.import_module(file[:-len('.py')].replace('/', '.'))
    kinds: list[type[Enum]] = [getattr(module, name) for name in machines()[file]]
    assert {state for kind in kinds for state in kind} == {*module.FOLLOWS}
    assert [(state, after) for state, those in module.FOLLOWS.items() for after in those
            if type(after) is not type(state)] == []


@pytest.fixture(scope='module')
def watching() -> list[str]:
    """The texts of the tests, and of the programs in them, that watch states."""
    texts = (path.read_text('utf-8') for path in Path(ROOT, 'tests').rglob('*.py'))
    return [text for text in texts if re.search(r'watch(ed)?\(|^MACHINES = ', text, re.M)]


@pytest.mark.parametrize('file', machines())
def test_each_table_is_watched(file: str, watching: list[str]) -> None:
    room, _, name = file[:-len('.py')].replace('/', '.').rpartition('.')
    imported = re.compile(
        rf'from {room}(?: import .*\b{name}(?: as (\w+))?\b|\.{name} import (FOLLOWS)\b)')
    used = (
        (match[2] or f'{match[1] or name}.FOLLOWS', text)
        for text in watching for match in imported.finditer(text))
    by_tests = [table for table, text in used
                if re.search(rf", '\w+', {table}\b|= {table}\b", text)]
    # (Or it looks at its table itself, in any run.)
    by_itself = 'not in FOLLOWS[' in Path(ROOT, file).read_text('utf-8')
    assert by_tests or by_itself
