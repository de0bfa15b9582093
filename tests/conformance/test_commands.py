"""``python -m tests.conformance``, as a user sees it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from gevent import monkey

_subprocess_run = monkey.get_original('subprocess', 'run')

_ROOT = Path(__file__).resolve().parents[2]


def _command(*words: str) -> tuple[int, str]:
    """Return the exit status, and what it said."""
    # tests/conftest.py switches the exit hook off; nobody does so for a user.
    environment = {name: value for name, value in os.environ.items() if name != 'GNET_STAY_ALIVE'}
    done = _subprocess_run(
        [sys.executable, '-m', 'tests.conformance', *words], cwd=_ROOT, env=environment,
        capture_output=True, text=True, timeout=25)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize('pattern', ['emitter errors/', 'server events/'])
def test_a_report_of_what_agrees_has_status_0(pattern: str) -> None:
    """Also where scenarios leave failures uncaught, as those of server events do."""
    status, said = _command('report', pattern)
    assert status == 0, said
    last = next(line for line in said.splitlines() if line.startswith('all '))
    agree, on_purpose, fail = map(int, last.split()[1:])
    assert agree + on_purpose > 10
    assert fail == 0


def test_a_pattern_that_matches_nothing_is_an_error() -> None:
    status, said = _command('report', 'no such scenario')
    assert status != 0
    assert 'no such scenario' in said


def test_a_node_that_is_not_there_is_an_error() -> None:
    status, said = _command('compare', '--node', str(_ROOT / 'no-such-node'), 'echo/')
    assert status != 0
    assert 'Traceback' not in said
