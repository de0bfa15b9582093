"""Fixtures of the tests of streams."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ..harness.stream_states import watched_streams


@pytest.fixture(autouse=True)
def _states_follow_the_table() -> Iterator[None]:
    """Fail a test in which a stream or a wire takes a step that is not in the table of states."""
    with watched_streams() as wrong:
        yield
    assert wrong == []
