"""Arguments by position, by name and in a mapping, as ``create_server`` and ``listen`` take them.

Recorded from Node 24.
"""

from __future__ import annotations

import types

import pytest

from gnet.errors import CodedTypeError
from gnet.node.values import UNDEFINED
from gnet.options.shapes import normalize_arguments, split_server_arguments

from ..harness.refusals import NAN, TYPE, fn, refusal
from .common import create, listen

# --- create_server: shapes ----------------------------------------------------------------------


@pytest.mark.parametrize(('args', 'keywords', 'options', 'listener'), [
    ((), {}, {}, None),
    ((fn,), {}, {}, fn),
    ((fn, print), {}, {}, fn),
    ((None, fn), {}, {}, fn),
    (({}, fn), {}, {}, fn),
    (([], fn), {}, {}, fn),
    ((object(), fn), {}, {}, fn),
    ((UNDEFINED, fn), {}, {}, fn),
    (({'noDelay': True}, 'text'), {}, {'no_delay': True}, None),
    (({'noDelay': True}, 5), {}, {'no_delay': True}, None),
    (({'noDelay': True, 'keepAlive': 1},), {'no_delay': 0}, {'no_delay': 0, 'keep_alive': 1}, None),
    ((fn,), {'pauseOnConnect': 1}, {'pause_on_connect': 1}, fn),
    ((), {'options': {'noDelay': 1}, 'listener': fn, 'keep_alive': 2},
     {'no_delay': 1, 'keep_alive': 2}, fn),
    ((types.SimpleNamespace(noDelay=True),), {}, {'no_delay': True}, None),
])
def test_arguments_of_create_server_are_options_and_a_listener(args, keywords, options, listener):
    assert split_server_arguments(args, keywords) == (options, listener)


@pytest.mark.parametrize(('value', 'text'), [
    ('str', "type string ('str')"),
    ('', "type string ('')"),
    ('x' * 40, f"type string ('{'x' * 25}...')"),
    (0, 'type number (0)'),
    (5, 'type number (5)'),
    (NAN, 'type number (NaN)'),
    (True, 'type boolean (true)'),
    (False, 'type boolean (false)'),
])
def test_options_of_create_server_that_are_no_object_are_refused(value, text):
    message = f'The "options" argument must be of type object. Received {text}'
    assert refusal(create, value, fn) == (CodedTypeError, TYPE, message)


# --- listen: shapes -----------------------------------------------------------------------------


@pytest.mark.parametrize(('args', 'options', 'callback'), [
    ((), {}, None),
    ((1,), {'port': 1}, None),
    (('1',), {'port': '1'}, None),
    ((1, 'h'), {'port': 1, 'host': 'h'}, None),
    ((1, ''), {'port': 1, 'host': ''}, None),
    ((1, 5), {'port': 1}, None),
    ((1, None), {'port': 1}, None),
    ((-1, 'h'), {'port': -1, 'host': 'h'}, None),
    (('/x',), {'path': '/x'}, None),
    (('p', 'h'), {'path': 'p'}, None),
    ((None,), {'port': None}, None),
    ((None, 'h'), {'port': None, 'host': 'h'}, None),
    ((UNDEFINED, 'h'), {'port': UNDEFINED, 'host': 'h'}, None),
    ((True,), {'port': True}, None),
    ((fn,), {'port': fn}, fn),
    ((fn, 'h'), {'port': fn, 'host': 'h'}, None),
    ((1, 'h', 5, fn), {'port': 1, 'host': 'h'}, fn),
    ((1, fn, 5), {'port': 1}, None),
    (({'port': 1, 'ipv6Only': True}, fn), {'port': 1, 'ipv6_only': True}, fn),
    (({'port': 1}, 'h'), {'port': 1}, None),
])
def test_positional_arguments_of_listen_become_options_and_a_callback(args, options, callback):
    assert normalize_arguments(args) == (options, callback)


@pytest.mark.parametrize('text', [
    '', ' ', '0x0', '0b0', '0o7', ' 0 ', '+0', '-0', '0.0', '.5', '5.', '1e3', '1e+3', '010',
    '65536', 'Infinity', '+Infinity', '1e400', '0X1F', '0B1', '0O17', '\ufeff1', '\u00a01', '\v1',
    '\u20281\u2029',
])
def test_a_first_argument_that_javascript_reads_as_a_number_is_a_port(text):
    assert normalize_arguments((text,)) == ({'port': text}, None)


@pytest.mark.parametrize('text', [
    'abc', '-1', '1e3x', '/a', '\0x', '.', '1_000', '+0x5', '-0x0', '\u0661', 'infinity', 'inf',
    'NaN', 'nan', '\u180e1', '\x1c1', '\x851', '0x', '0b2', '1e', '+', '++1', 'true', '-Infinity',
])
def test_a_first_argument_that_is_no_number_of_javascript_is_a_path(text):
    assert normalize_arguments((text,)) == ({'path': text}, None)


@pytest.mark.parametrize(('args', 'keywords', 'options', 'callback'), [
    ((), {'port': 0, 'host': '::1', 'backlog': 5}, {'port': 0, 'host': '::1', 'backlog': 5}, None),
    ((8000, '127.0.0.1'), {'backlog': 5}, {'port': 8000, 'host': '127.0.0.1', 'backlog': 5}, None),
    ((0,), {'ipv6Only': True}, {'port': 0, 'ipv6_only': True}, None),
    (({'port': 0, 'readableAll': 1},), {'readable_all': 2}, {'port': 0, 'readable_all': 2}, None),
    ((0, fn), {'host': 'h'}, {'port': 0, 'host': 'h'}, fn),
    ((0,), {'callback': fn}, {'port': 0}, fn),
    ((0, fn), {'callback': print}, {'port': 0}, print),
    ((), {'callback': fn}, {}, fn),
    ((), {'callback': None}, {}, None),
    # A callback in the place of the port does not stand in the way of what keywords name.
    ((fn,), {'path': '/x'}, {'path': '/x'}, fn),
    ((fn,), {'port': 5}, {'port': 5}, fn),
    ((fn,), {'fd': 3}, {'fd': 3}, fn),
    ((fn,), {'backlog': 5}, {'port': fn, 'backlog': 5}, fn),
])
def test_keywords_are_added_to_what_is_given_by_position(args, keywords, options, callback):
    assert normalize_arguments(args, keywords) == (options, callback)


def test_a_callback_keyword_that_cannot_be_called_is_refused():
    message = 'The "callback" argument must be of type function. Received type number (5)'
    assert refusal(listen, 0, callback=5) == (CodedTypeError, TYPE, message)


def test_the_mapping_of_the_caller_is_never_modified():
    given = {'port': None, 'reusePort': True}
    request = listen(types.MappingProxyType(given), exclusive=False)
    assert (request.port, request.exclusive) == (0, True)
    assert given == {'port': None, 'reusePort': True}
    server = {'keepAliveInitialDelay': -1}
    create(server, no_delay=True)
    assert server == {'keepAliveInitialDelay': -1}
