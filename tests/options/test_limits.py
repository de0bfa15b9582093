"""The limits of a server, as options: what is one, and what raises."""

from __future__ import annotations

import math

import pytest

from gnet.errors import CodedTypeError, CodedValueError
from gnet.node.values import UNDEFINED
from gnet.options.limits import NO_LIMITS, FullPolicy, LimitOptions

from ..harness.refusals import refusal
from .common import create

COUNTS = ('max_connections_per_address', 'connection_burst', 'connection_burst_per_address')
RATES = ('connection_rate', 'connection_rate_per_address')


@pytest.mark.parametrize('name', [*COUNTS, *RATES])
def test_none_and_nothing_are_no_limit(name):
    assert create({name: None}).limits == NO_LIMITS == create({name: UNDEFINED}).limits


@pytest.mark.parametrize('name', [*COUNTS, *RATES])
@pytest.mark.parametrize('value', ['3', True, [3]])
def test_a_limit_is_a_number(name, value):
    assert refusal(create, {name: value})[:2] == (CodedTypeError, 'ERR_INVALID_ARG_TYPE')


@pytest.mark.parametrize(('name', 'value'), [
    *((name, value) for name in COUNTS for value in (0, -1, 1.5, math.nan, math.inf, 2**31)),
    *((name, value) for name in RATES for value in (
        0, -0.5, 5e-324, 10 ** 400, math.nan, math.inf)),
    ('ipv4_prefix', 0), ('ipv4_prefix', 33), ('ipv6_prefix', 0), ('ipv6_prefix', 129),
    ('ipv6_prefix', 1.5),
])
def test_what_is_beyond_its_range_is_none(name, value):
    assert refusal(create, {name: value})[:2] == (CodedValueError, 'ERR_OUT_OF_RANGE')


def test_the_text_of_an_error_names_the_option_as_nodes_would():
    text = refusal(create, {'ipv6_prefix': 129})[2]
    assert text == (
        'The value of "options.ipv6Prefix" is out of range. It must be >= 1 && <= 128. '
        'Received 129')


@pytest.mark.parametrize('spelling', ['connection_rate_per_address', 'connectionRatePerAddress'])
def test_a_rate_may_be_less_than_one(spelling):
    assert create({spelling: 0.25}).limits.connection_rate_per_address == 0.25


@pytest.mark.parametrize(('given', 'stored'), [
    (UNDEFINED, FullPolicy.DROP), ('drop', FullPolicy.DROP), ('wait', FullPolicy.WAIT),
])
def test_what_becomes_of_those_beyond_the_limit(given, stored):
    assert create(max_connections_policy=given).max_connections_policy is stored


@pytest.mark.parametrize('value', [None, 'WAIT', True, 0])
def test_another_policy_is_none(value):
    kind, code, text = refusal(create, max_connections_policy=value)
    assert (kind, code) == (CodedTypeError, 'ERR_INVALID_ARG_VALUE')
    assert "must be one of: 'drop', 'wait'" in text


@pytest.mark.parametrize('fields', [
    None, {}, [], [None] * 6, [None] * 8, [0, *NO_LIMITS[1:]], [*NO_LIMITS[:5], 32, '64'],
])
def test_what_another_process_sends_is_checked(fields):
    assert LimitOptions.of(fields) is None


def test_limits_go_to_another_process_and_back():
    limits = LimitOptions(3, 2.5, None, 10, None, 24, 48)
    assert LimitOptions.of(list(limits)) == limits
