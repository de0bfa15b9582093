"""Writing to stderr from where nothing can be asked for."""

from __future__ import annotations

import os
import sys
from typing import Any

import pytest

from gnet.observing import plain_stderr
from gnet.observing.plain_stderr import write_to_stderr


@pytest.mark.parametrize('text', ['short\n' * 40_000, 'x' * 200_000 + '\n'])
def test_a_reader_who_takes_nothing_costs_the_text_and_not_more(
    native: Any, monkeypatch: Any, text: str,
) -> None:
    """However long its lines are: the program would wait, perhaps in a signal handler."""
    monkeypatch.setattr(plain_stderr, 'PATIENCE', 0.05)
    readable, writable = os.pipe()
    with os.fdopen(readable, 'rb') as reader, os.fdopen(writable, 'w') as writer:
        monkeypatch.setattr(sys, 'stderr', writer)
        call = native.start(write_to_stderr, text)
        try:
            assert call.get(timeout=5) is False
        finally:
            reader.close()  # who is still blocked has an error
    assert write_to_stderr('nobody') is False
