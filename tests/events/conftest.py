"""Fixtures of the tests of events."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from gnet import events
from gnet.events import EventEmitter

from .common import Hooked


@pytest.fixture
def emitter() -> EventEmitter:
    return EventEmitter()


@pytest.fixture
def log() -> list[Any]:
    return []


@pytest.fixture
def settings() -> Iterator[None]:
    limit, capture = events.get_default_max_listeners(), events.get_capture_rejections()
    yield
    events.set_default_max_listeners(limit)
    events.set_capture_rejections(capture)


@pytest.fixture
def hooked() -> Hooked:
    return Hooked()
