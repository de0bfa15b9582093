"""Values as JavaScript sees them: numbers, and what is true."""

from __future__ import annotations

import math

import pytest

from gnet.addresses.block_list import BlockList
from gnet.node.values import js_number, to_int32, truthy

from ..harness.refusals import INF, NAN, fn


@pytest.mark.parametrize(('text', 'number'), [
    ('0x50', 80), ('0X1f', 31), ('0b0', 0), ('0B101', 5), ('0o7', 7), ('0O17', 15), (' 1e3 ', 1000),
    ('+0', 0), ('', 0), (' \t\n\v\f\r\ufeff\u00a0\u2028\u3000', 0), ('010', 10), ('5.', 5),
    ('.5', 0.5), ('-1', -1), ('Infinity', INF), ('-Infinity', -INF), ('1e400', INF),
    ('0x' + 'f' * 400, INF), ('\ufeff1', 1),
])
def test_text_is_read_as_javascript_reads_a_number(text, number):
    assert js_number(text) == number


@pytest.mark.parametrize('text', [
    '1_000', '\u0661', 'inf', 'infinity', 'nan', 'NaN', '+0x5', '-0x0', '0x', '0b2', '0o8', '1e',
    '.', '+', '1 2', '1n', 'abc', '\x1c1', '\x851', '\u180e1', '0x1_0', '1\0', '0x 1', '0x-1',
])
def test_text_that_is_no_number_of_javascript_is_nan(text):
    assert math.isnan(js_number(text))


@pytest.mark.parametrize(('value', 'truncated'), [
    (1.9, 1), (-1.9, -1), (2**31 - 1, 2**31 - 1), (2**31, -2**31), (-2**31 - 1, 2**31 - 1),
    (2.0**32, 0), (NAN, 0), (INF, 0), (-INF, 0), (1e21, -559939584),
])
def test_numbers_are_truncated_to_32_bits_as_in_javascript(value, truncated):
    assert to_int32(value) == truncated


def test_every_object_is_true_even_when_it_is_empty():
    assert all(truthy(value) for value in ([], {}, (), b'', BlockList(), object(), fn, '0', -1))
