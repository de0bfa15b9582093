"""States are watched: what follows which is in the table beside them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gnet.observing import blocked_hub

from ..harness.transitions import watch


@pytest.fixture(autouse=True)
def _states() -> Iterator[None]:
    wrong: list[str] = []
    undo = watch(blocked_hub.HubWatch, '_state', blocked_hub.FOLLOWS, wrong.append)
    yield
    undo()
    assert wrong == []
