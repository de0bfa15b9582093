"""Options of ``create_server``: what Node stores and refuses. Recorded from Node 24."""

from __future__ import annotations

import math

import pytest

from gnet.addresses.block_list import BlockList
from gnet.errors import CodedTypeError
from gnet.node.values import UNDEFINED
from gnet.options.limits import NO_LIMITS, FullPolicy

from ..harness.refusals import INF, NAN, TYPE, fn, refusal
from .common import create


def test_a_server_without_options_has_the_defaults_of_node():
    assert create() == (
        False, False, False, False, 0, 65536, None, None, None, FullPolicy.DROP, NO_LIMITS, None)


@pytest.mark.parametrize('name', ['allow_half_open', 'pause_on_connect', 'no_delay', 'keep_alive'])
@pytest.mark.parametrize(('value', 'stored'), [
    (True, True), (1, True), ('false', True), ([], True), ({}, True), (-1.5, True),
    (False, False), (0, False), ('', False), (None, False), (NAN, False), (UNDEFINED, False),
])
def test_a_switch_of_a_server_is_stored_as_its_truth_in_javascript(name, value, stored):
    assert getattr(create({name: value}), name) is stored


@pytest.mark.parametrize(('milliseconds', 'seconds'), [
    (UNDEFINED, 0), (-5, 0), (-0.5, 0), (0, 0), (999, 0), (1000, 1), (1999, 1), (1999.9, 1),
    (65537, 65), (NAN, 0), (INF, 0), (-INF, 0), (2147483647999, 2147483647),
    (2147483648000, -2147483648), (12884901893000, 5), (1e21, -1486618624), (1e30, 0),
    (10**400, 0),
])
def test_the_keep_alive_delay_is_stored_in_whole_seconds_of_32_bits(milliseconds, seconds):
    stored = create(keep_alive_initial_delay=milliseconds).keep_alive_initial_delay
    assert (stored, type(stored)) == (seconds, int)


@pytest.mark.parametrize(('given', 'stored'), [
    (UNDEFINED, 65536), (-1, 65536), (-0.5, 65536), (-INF, 65536), (0, 0), (10, 10), (1.5, 1.5),
    (INF, INF),
])
def test_the_high_water_mark_of_a_server_is_any_number_that_is_not_negative(given, stored):
    assert create(highWaterMark=given).high_water_mark == stored


def test_a_high_water_mark_of_nan_is_stored_untouched():
    assert math.isnan(create(high_water_mark=NAN).high_water_mark)


def test_a_block_list_is_stored_even_when_it_is_empty():
    blocked = BlockList()
    assert create(block_list=blocked).block_list is blocked


@pytest.mark.parametrize('value', [None, 0, '', False, NAN, UNDEFINED])
def test_a_false_block_list_is_none(value):
    assert create(blockList=value).block_list is None


@pytest.mark.parametrize(('options', 'name', 'expected', 'text'), [
    ({'keepAliveInitialDelay': '1'}, 'keepAliveInitialDelay', 'of type number',
     "type string ('1')"),
    ({'keepAliveInitialDelay': None}, 'keepAliveInitialDelay', 'of type number', 'null'),
    ({'keepAliveInitialDelay': {}}, 'keepAliveInitialDelay', 'of type number',
     'an instance of Object'),
    ({'keepAliveInitialDelay': []}, 'keepAliveInitialDelay', 'of type number',
     'an instance of Array'),
    ({'keepAliveInitialDelay': lambda: 1}, 'keepAliveInitialDelay', 'of type number', 'function '),
    ({'keepAliveInitialDelay': True}, 'keepAliveInitialDelay', 'of type number',
     'type boolean (true)'),
    ({'highWaterMark': True}, 'highWaterMark', 'of type number', 'type boolean (true)'),
    ({'highWaterMark': None}, 'highWaterMark', 'of type number', 'null'),
    ({'highWaterMark': '2'}, 'highWaterMark', 'of type number', "type string ('2')"),
    ({'blockList': {}}, 'blockList', 'an net.BlockList', 'an instance of Object'),
    ({'blockList': 1}, 'blockList', 'an net.BlockList', 'type number (1)'),
    ({'blockList': fn}, 'blockList', 'an net.BlockList', 'function fn'),
    # Checked in this order, whatever the order in the mapping.
    ({'blockList': {}, 'highWaterMark': '2', 'keepAliveInitialDelay': '1'},
     'keepAliveInitialDelay', 'of type number', "type string ('1')"),
    ({'blockList': {}, 'highWaterMark': '2'}, 'highWaterMark', 'of type number',
     "type string ('2')"),
])
def test_a_wrong_option_of_a_server_is_refused_in_nodes_words(options, name, expected, text):
    message = f'The "options.{name}" property must be {expected}. Received {text}'
    assert refusal(create, options) == (CodedTypeError, TYPE, message)
