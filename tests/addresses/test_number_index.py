"""The look-up structures of ``BlockList`` on their own."""

from __future__ import annotations

import random

import pytest

from gnet.addresses.number_index import BITS, RangeIndex, SubnetIndex
from gnet.addresses.rule_texts import RuleTexts


def test_an_empty_index_contains_nothing() -> None:
    for number in (0, 1, 2**BITS - 1):
        assert number not in RangeIndex()
        assert number not in SubnetIndex()


def test_the_limits_of_a_range_belong_to_it() -> None:
    ranges = RangeIndex()
    ranges.add(0, 0)
    ranges.add(5, 7)
    ranges.add(2**BITS - 1, 2**BITS - 1)
    assert [number for number in range(10) if number in ranges] == [0, 5, 6, 7]
    assert 2**BITS - 2 not in ranges
    assert 2**BITS - 1 in ranges


def test_a_reversed_range_is_empty_and_can_be_removed() -> None:
    ranges = RangeIndex()
    ranges.add(3, 5)
    ranges.add(9, 4)
    assert [number for number in range(12) if number in ranges] == [3, 4, 5]
    ranges.remove(9, 4)
    assert [number for number in range(12) if number in ranges] == [3, 4, 5]


def test_equal_ranges_and_subnets_are_counted() -> None:
    ranges, subnets = RangeIndex(), SubnetIndex()
    for index, arguments in ((ranges, (16, 31)), (subnets, (20, BITS - 4))):
        index.add(*arguments)
        assert 25 in index
        index.add(*arguments)
        index.remove(*arguments)
        assert 25 in index
        index.remove(*arguments)
        assert 25 not in index


@pytest.mark.parametrize('seed', range(6))
def test_ranges_agree_with_a_walk_through_all_of_them(seed: int) -> None:
    rng = random.Random(seed)
    ranges = RangeIndex()
    present: list[tuple[int, int]] = []

    def add() -> None:
        low = rng.randrange(20_000)
        pair = (low, low + rng.choice([0, 1, 5, 30, 300 if rng.random() < 0.05 else 2]))
        ranges.add(*pair)
        present.append(pair)

    # Enough of them that a few new ones are inserted rather than sorted in with the rest.
    for _ in range(600):
        add()
    answers = []
    for _ in range(150):
        if rng.random() < 0.8:
            for _ in range(rng.choice([1, 2, 5])):
                add()
        else:
            ranges.remove(*present.pop(rng.randrange(len(present))))
        low, high = present[-1]
        for number in (low - 1, low, high, high + 1, *(rng.randrange(20_400) for _ in range(5))):
            answer = number in ranges
            assert answer == any(first <= number <= last for first, last in present), number
            answers.append(answer)
    assert 0.1 < sum(answers) / len(answers) < 0.95


def test_texts_come_newest_first_and_equal_ones_leave_in_that_order() -> None:
    texts = RuleTexts()
    for text in 'abacab':
        texts.add(text)
    assert texts.newest_first() == list('bacaba')
    assert len(texts) == 6
    assert texts.remove('a') is True
    assert texts.newest_first() == list('bcaba')
    texts.add('a')
    assert texts.newest_first() == list('abcaba')
    assert [texts.remove('b') for _ in range(3)] == [True, True, False]
    assert texts.remove('x') is False
    assert texts.newest_first() == list('acaa')
    texts.clear()
    assert texts.newest_first() == []
    assert texts.remove('a') is False
