"""The hub's reports, where they cannot be written, and where others have taken their place."""

from __future__ import annotations

import io
import sys
from typing import Any

import pytest

from gnet.loop.reports import outlive_lost_reports


class Hub:
    """What is asked of a hub here."""

    def print_exception(self, context: Any, t: Any, v: Any, tb: Any) -> None:
        raise v


@pytest.fixture
def hub() -> Any:
    return Hub()


FAILURE = (None, OSError, OSError('no space left'), None)


def test_a_report_that_cannot_be_written_is_counted(hub: Any) -> None:
    outlive_lost_reports(hub)
    hub.print_exception(*FAILURE)
    context, t, v, tb = FAILURE
    hub.print_exception(context, t=t, v=v, tb=tb)
    assert hub.print_exception.lost == 2


def test_a_closed_stderr_is_no_reason_to_fail_and_another_mistake_is_one(
    hub: Any, monkeypatch: pytest.MonkeyPatch,
) -> None:
    outlive_lost_reports(hub)
    failure = (None, ValueError, ValueError('I/O operation on closed file.'), None)
    with pytest.raises(ValueError, match='closed file'):
        hub.print_exception(*failure)
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, 'stderr', closed)
    hub.print_exception(*failure)
    assert hub.print_exception.lost == 1


def test_what_takes_the_place_of_the_class_s_later_is_heard(
    hub: Any, monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[Any] = []
    outlive_lost_reports(hub)
    monkeypatch.setattr(Hub, 'print_exception', lambda self, *failure: seen.append((self, failure)))
    hub.print_exception(*FAILURE)
    assert seen == [(hub, FAILURE)]


def test_a_program_s_own_is_left_alone(hub: Any) -> None:
    hub.print_exception = own = lambda *_failure: None
    outlive_lost_reports(hub)
    assert hub.print_exception is own
