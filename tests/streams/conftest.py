"""Fixtures of the tests of streams."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ..harness.stream_states import watched_streams
from ..harness.transitions import taken_from


@pytest.fixture(scope='package')
def _wrong_steps() -> Iterator[list[str]]:
    with watched_streams() as wrong:
        yield wrong


@pytest.fixture(autouse=True)
def _states_follow_the_table(_wrong_steps: list[str]) -> Iterator[None]:
    """Fail a test in which a stream or a wire takes a step that is not in the table of states."""
    yield
    assert taken_from(_wrong_steps) == []
