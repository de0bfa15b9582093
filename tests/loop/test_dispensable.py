"""What is open for politeness only gives way to what is wanted."""

from __future__ import annotations

import errno
from collections.abc import Iterator

import pytest

from gnet.loop.dispensable import Dispensable
from gnet.loop.loop import get_loop

from ..harness.dispensed import Dispensed


@pytest.fixture
def dispensable() -> Iterator[Dispensable]:
    dispensable = get_loop().dispensable
    assert len(dispensable) == 0
    yield dispensable
    dispensable.clear()


def test_beyond_so_many_the_oldest_is_closed(dispensable: Dispensable) -> None:
    first, *others = (Dispensed(3) for _ in range(4))
    assert first.number is None
    assert list(dispensable) == others


def test_what_was_closed_by_itself_does_not_count(dispensable: Dispensable) -> None:
    first, second, third = (Dispensed(3) for _ in range(3))
    second.close()
    fourth = Dispensed(3)
    assert list(dispensable) == [first, third, fourth]


def test_one_is_closed_at_each_attempt_that_finds_no_descriptor(dispensable: Dispensable) -> None:
    things = [Dispensed() for _ in range(3)]
    errors = [OSError(errno.EMFILE, ''), OSError(errno.ENFILE, '')]

    def opener(word: str) -> str:
        if errors:
            raise errors.pop()
        return word

    assert dispensable.open(opener, 'opened') == 'opened'
    assert list(dispensable) == things[2:]


def test_when_none_is_left_the_error_is_the_callers(dispensable: Dispensable) -> None:
    def opener() -> None:
        raise OSError(errno.EMFILE, 'Too many open files')

    Dispensed()
    with pytest.raises(OSError, match='Too many open files'):
        dispensable.open(opener)
    assert len(dispensable) == 0


@pytest.mark.parametrize('error', [
    OSError(errno.ECONNREFUSED, ''), OSError('of no number'), ValueError(errno.EMFILE)])
def test_other_errors_cost_nothing(dispensable: Dispensable, error: Exception) -> None:
    thing = Dispensed()
    assert not dispensable.give_way_to(error)
    assert list(dispensable) == [thing]
