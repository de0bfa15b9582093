"""Options of a socket: its high-water marks."""

from __future__ import annotations

import pytest

from gnet.errors import CodedTypeError
from gnet.node.values import UNDEFINED
from gnet.options.shared import high_water_mark

from ..harness.refusals import INF, NAN, VALUE, refusal


@pytest.mark.parametrize(('options', 'readable', 'writable'), [
    ({}, 65536, 65536),
    ({'high_water_mark': None}, 65536, 65536),
    ({'high_water_mark': UNDEFINED, 'writable_high_water_mark': None}, 65536, 65536),
    ({'high_water_mark': None, 'readable_high_water_mark': 3}, 3, 65536),
    ({'high_water_mark': 5, 'readable_high_water_mark': 10}, 5, 5),
    ({'high_water_mark': 5, 'readable_high_water_mark': -1}, 5, 5),
    ({'high_water_mark': 0}, 0, 0),
    ({'high_water_mark': 7.0}, 7, 7),
    ({'high_water_mark': 2**60}, 2**60, 2**60),
    ({'readable_high_water_mark': 1, 'writable_high_water_mark': 2}, 1, 2),
])
def test_a_socket_has_a_high_water_mark_for_each_side(options, readable, writable):
    assert high_water_mark(options, 'readable') == readable
    assert high_water_mark(options, 'writable') == writable


@pytest.mark.parametrize(('value', 'shown'), [
    (-1, '-1'), ('a', "'a'"), ('5', "'5'"), (1.5, '1.5'), (NAN, 'NaN'), (INF, 'Infinity'),
    (True, 'true'),
])
@pytest.mark.parametrize('side', ['readable', 'writable'])
def test_the_high_water_mark_of_a_socket_is_an_integer_from_zero_on(side, value, shown):
    message = f"The property 'options.{side}HighWaterMark' is invalid. Received {shown}"
    expected = (CodedTypeError, VALUE, message)
    assert refusal(high_water_mark, {'high_water_mark': value}, side) == expected
    assert refusal(high_water_mark, {f'{side}_high_water_mark': value}, side) == expected
