"""Arguments of ``create_server`` and ``listen``: what Node accepts, stores and refuses.

Codes and texts were recorded from Node 24. Rows about symbols and bigints have no counterpart in
Python and are left out; None plays ``null``, and ``UNDEFINED`` an explicit ``undefined``.
"""

from __future__ import annotations

import math
import socket
import types
from pathlib import Path

import pytest
from gevent.event import Event
from gevent.server import StreamServer

from gnet.addresses.block_list import BlockList
from gnet.errors import CodedTypeError, CodedValueError
from gnet.node.validators import (
    validate_boolean,
    validate_function,
    validate_integer,
    validate_msecs,
    validate_number,
    validate_port,
    validate_signal,
)
from gnet.node.values import UNDEFINED, js_number, to_int32, truthy
from gnet.options.listen import ListenTarget, listen_request
from gnet.options.server import server_options
from gnet.options.shapes import normalize_arguments, split_server_arguments
from gnet.options.shared import high_water_mark

NAN = math.nan
INF = math.inf
TYPE = 'ERR_INVALID_ARG_TYPE'
VALUE = 'ERR_INVALID_ARG_VALUE'
RANGE = 'ERR_OUT_OF_RANGE'
PORT = 'ERR_SOCKET_BAD_PORT'
MISSING_TARGET = (
    'The argument \'options\' must have the property "port" or "path". Received '
)


def fn():
    """The callback of the tests; its name appears in error texts."""


def listen(*args, **keywords):
    """Do what ``Server.listen`` does with its arguments."""
    options, _ = normalize_arguments(args, keywords)
    return listen_request(options, args)


def create(*args, **keywords):
    """Do what the constructor of ``Server`` does with its arguments."""
    options, _ = split_server_arguments(args, keywords)
    return server_options(options)


def refusal(call, *args, **keywords):
    """Return class, code and text of the error that the call raises."""
    with pytest.raises((CodedTypeError, CodedValueError)) as caught:
        call(*args, **keywords)
    return type(caught.value), caught.value.code, str(caught.value)


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


# --- create_server: values ----------------------------------------------------------------------


def test_a_server_without_options_has_the_defaults_of_node():
    assert create() == (False, False, False, False, 0, 65536, None)


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


# --- listen: the input table --------------------------------------------------------------------


@pytest.mark.parametrize('args', [
    (), (fn,), (None,), (UNDEFINED,), (None, fn), (0,), ('0',), (-0.0,), ('0x0',), (' 0 ',), (0.0,),
    (0, {}), (0, 5), (0, None, 5), (0, 5, '127.0.0.1'), (0, fn, 5), (fn, 5),
    ({'port': '0'},), ({'port': '0x0'},), ({'port': None},), ({'port': UNDEFINED},),
    ({'port': None, 'path': '/x'},), ({'port': UNDEFINED, 'path': '/x'},),
    ({'port': 0, 'path': 5},),
    ({'port': 0, 'host': ''},), ({'port': 0, 'host': None},), ({'port': 0, 'host': UNDEFINED},),
    ({'port': 0, 'host': False},), ({'port': 0, 'host': 0},), ({'port': 0, 'host': NAN},),
    ({'port': 0}, '127.0.0.1'),
    ({'fd': -1, 'port': 0},), ({'fd': '0', 'port': 0},), ({'fd': None, 'port': 0},),
    ({'_handle': None, 'port': 0},), ({'handle': 0, 'port': 0},), ({'handle': {'port': 0}},),
    ({'port': 0, 'signal': UNDEFINED},),
])
def test_these_calls_listen_on_any_port_of_every_address(args):
    request = listen(*args)
    assert (request.target, request.port, request.host) == (ListenTarget.PORT, 0, None)
    assert (request.path, request.fd, request.handle, request.signal) == (None, None, None, None)


@pytest.mark.parametrize(('args', 'port', 'host'), [
    ((None, '127.0.0.1'), 0, '127.0.0.1'),
    ((UNDEFINED, '127.0.0.1'), 0, '127.0.0.1'),
    ((fn, '127.0.0.1'), 0, '127.0.0.1'),
    ((0, '10'), 0, '10'),
    ((8000.0, '::1'), 8000, '::1'),
    (('0x50', 'localhost', 7, fn), 80, 'localhost'),
    (('1e3',), 1000, None),
    ((' +80 ',), 80, None),
    ((65535,), 65535, None),
    (({'port': 80, 'path': '/x'},), 80, None),
])
def test_a_port_is_an_int_and_a_host_is_text(args, port, host):
    request = listen(*args)
    assert (request.target, request.port, request.host) == (ListenTarget.PORT, port, host)
    assert type(request.port) is int


@pytest.mark.parametrize(('value', 'text'), [
    (-1, 'type number (-1)'), (65536, 'type number (65536)'), (1.5, 'type number (1.5)'),
    (NAN, 'type number (NaN)'), (INF, 'type number (Infinity)'),
    (-INF, 'type number (-Infinity)'), ('', "type string ('')"), (' ', "type string (' ')"),
    ('65536', "type string ('65536')"), ('1.5', "type string ('1.5')"),
    ('65536.1', "type string ('65536.1')"),
])
def test_a_bad_port_is_refused_in_every_form_of_the_call(value, text):
    message = f'options.port should be >= 0 and < 65536. Received {text}.'
    assert refusal(listen, value) == (CodedValueError, PORT, message)
    assert refusal(listen, {'port': value}) == (CodedValueError, PORT, message)
    assert refusal(listen, port=value) == (CodedValueError, PORT, message)


@pytest.mark.parametrize('value', ['-1', 'abc', '1e3x', '1_000', '\u0661', '\u0668\u0660'])
def test_as_an_option_a_text_that_is_no_number_is_a_bad_port_and_no_path(value):
    message = f"options.port should be >= 0 and < 65536. Received type string ('{value}')."
    assert refusal(listen, {'port': value}) == (CodedValueError, PORT, message)


@pytest.mark.parametrize(('options', 'shown'), [
    ({'port': True}, '{ port: true }'),
    ({'port': False}, '{ port: false }'),
    ({'port': {}}, '{ port: {} }'),
    ({'port': []}, '{ port: [] }'),
    ({'port': fn}, '{ port: [Function: fn] }'),
    ({'path': UNDEFINED}, '{ path: undefined }'),
    ({'path': None}, '{ path: null }'),
    ({'path': ''}, "{ path: '' }"),
    ({'path': ' '}, "{ path: ' ' }"),
    ({'path': 1}, '{ path: 1 }'),
    ({'path': 0}, '{ path: 0 }'),
    ({'path': '123'}, "{ path: '123' }"),
    ({'path': '1e3'}, "{ path: '1e3' }"),
    ({'path': 'Infinity'}, "{ path: 'Infinity' }"),
    ({'path': True}, '{ path: true }'),
    ({'path': {}}, '{ path: {} }'),
    ({'host': 'h', 'path': None}, "{ host: 'h', path: null }"),
    ({'fd': -1, 'path': None}, '{ fd: -1, path: null }'),
    ({'port': True, 'ipv6_only': True, 'readableAll': 1},
     '{ port: true, ipv6Only: true, readableAll: 1 }'),
])
def test_options_with_a_port_or_path_of_the_wrong_kind_are_invalid(options, shown):
    message = f"The argument 'options' is invalid. Received {shown}"
    assert refusal(listen, options) == (CodedTypeError, VALUE, message)
    assert refusal(listen, **options) == (CodedTypeError, VALUE, message)


@pytest.mark.parametrize('value', [True, False])
def test_a_bool_is_no_port(value):
    message = f"The argument 'options' is invalid. Received {{ port: {str(value).lower()} }}"
    assert refusal(listen, value) == (CodedTypeError, VALUE, message)


@pytest.mark.parametrize(('first', 'shown'), [
    ({}, '{}'),
    ([], '[]'),
    ([1], '[ 1 ]'),
    ({'host': 'h'}, "{ host: 'h' }"),
    ({'backlog': 5}, '{ backlog: 5 }'),
    ({'exclusive': True}, '{ exclusive: true }'),
    ({'signal': UNDEFINED}, '{ signal: undefined }'),
    ({'fd': -1}, '{ fd: -1 }'),
    ({'fd': '0'}, "{ fd: '0' }"),
    ({'fd': 'x'}, "{ fd: 'x' }"),
    ({'fd': None}, '{ fd: null }'),
    ({'fd': NAN}, '{ fd: NaN }'),
    ({'fd': True}, '{ fd: true }'),
    ({'handle': {}}, '{}'),
    ({'handle': None}, '{ handle: null }'),
    ({'_handle': {}}, '{}'),
    ({'_handle': {}, 'handle': {'port': 0}}, '{}'),
    ({'_handle': {'_handle': {'port': 0}}}, '{ _handle: { port: 0 } }'),
    ({'handle': {'handle': {'port': 0}}}, '{ handle: { port: 0 } }'),
    # Node's own check fails on these three with an accidental TypeError.
    ({'handle': 5}, '5'),
    ({'handle': 'x'}, "'x'"),
    ({'handle': True}, 'true'),
])
def test_options_without_anything_to_listen_on_are_refused(first, shown):
    message = MISSING_TARGET + shown
    assert refusal(listen, first) == (CodedTypeError, VALUE, message)


@pytest.mark.parametrize(('keywords', 'shown'), [
    ({'host': '::1'}, "{ host: '::1' }"),
    ({'backlog': 5}, '{ backlog: 5 }'),
    ({'handle': {}}, '{}'),
    ({'handle': None}, '{ handle: null }'),
])
def test_keywords_alone_are_an_options_object(keywords, shown):
    assert refusal(listen, **keywords) == (CodedTypeError, VALUE, MISSING_TARGET + shown)


@pytest.mark.parametrize(('host', 'text'), [
    (1, 'type number (1)'), (True, 'type boolean (true)'), ({}, 'an instance of Object'),
    ([], 'an instance of Array'), (fn, 'function fn'), (b'::1', 'an instance of Buffer'),
])
def test_a_host_that_is_no_text_is_refused(host, text):
    message = f'The "hostname" argument must be of type string. Received {text}'
    assert refusal(listen, port=0, host=host) == (CodedTypeError, TYPE, message)


def test_a_host_with_a_nul_is_refused():
    message = "The argument 'hostname' must be a string without null bytes. Received 'a\\x00b'"
    assert refusal(listen, 0, 'a\0b') == (CodedTypeError, VALUE, message)


def test_the_port_is_checked_before_the_host():
    assert refusal(listen, port=-1, host=1)[1] == PORT


# --- listen: paths ------------------------------------------------------------------------------


@pytest.mark.parametrize(('args', 'path'), [
    (('/tmp/x.sock',), '/tmp/x.sock'), (('-1',), '-1'), (('abc',), 'abc'), (('1e3x',), '1e3x'),
    (('p', 'h'), 'p'), (('a\0b',), 'a\0b'), (('\0name',), '\0name'),
    (({'path': '-1'},), '-1'), (({'path': 'a', 'port': True},), 'a'),
    (({'path': 'a', 'port': False},), 'a'), (({'path': 'a', 'host': 5},), 'a'),
    ((b'/tmp/x.sock',), '/tmp/x.sock'), ((Path('a') / 'b',), str(Path('a') / 'b')),
    ((b'\0name',), '\0name'), (({'path': b'x'},), 'x'), (({'path': Path('x')},), 'x'),
    # Only a str may be meant as a number.
    ((Path('123'),), '123'), ((b'123',), '123'),
])
def test_a_path_is_the_text_of_a_file_name_or_abstract_name(args, path):
    request = listen(*args)
    assert (request.target, request.path) == (ListenTarget.PATH, path)
    assert (request.port, request.host, request.fd, request.handle) == (None, None, None, None)


def test_bytes_of_no_encoding_survive_in_a_path():
    assert listen(b'\xff\xfe').path.encode('utf-8', 'surrogateescape') == b'\xff\xfe'


def test_an_empty_bytes_path_is_invalid():
    assert refusal(listen, b'')[:2] == (CodedTypeError, VALUE)


def test_a_bad_port_is_refused_although_there_is_a_path():
    assert refusal(listen, {'path': 'a', 'port': -1})[1] == PORT


@pytest.mark.parametrize(('modes', 'shown'), [
    ({'readableAll': True}, 'readableAll: true'),
    ({'writable_all': 1}, 'writableAll: 1'),
    ({'readableAll': {}}, 'readableAll: {}'),
])
def test_an_abstract_name_has_no_mode(modes, shown):
    message = (
        "The argument 'options' can not set readableAll or writableAllt to true when path is "
        f"abstract unix socket. Received {{ path: '\\x00abc', {shown} }}"
    )
    assert refusal(listen, {'path': '\0abc', **modes}) == (CodedTypeError, VALUE, message)
    assert refusal(listen, '\0abc', **modes) == (CodedTypeError, VALUE, message)


def test_an_abstract_name_may_come_with_modes_that_are_off():
    assert listen({'path': '\0abc', 'readableAll': 0, 'writableAll': False}).path == '\0abc'


# --- listen: switches ---------------------------------------------------------------------------


@pytest.mark.parametrize('name', ['ipv6_only', 'reuse_port', 'readable_all', 'writable_all'])
@pytest.mark.parametrize(('value', 'stored'), [
    (True, True), (1, False), ('true', False), ({}, False), (False, False), (None, False),
])
def test_only_true_itself_switches_this_on(name, value, stored):
    assert getattr(listen(0, **{name: value}), name) is stored


@pytest.mark.parametrize(('options', 'exclusive'), [
    ({}, False), ({'exclusive': 1}, True), ({'exclusive': 0}, False), ({'reuse_port': True}, True),
    ({'reuse_port': 1}, False), ({'reusePort': True, 'exclusive': False}, True),
])
def test_a_shared_port_is_exclusive_to_a_worker(options, exclusive):
    assert listen(0, **options).exclusive is exclusive


# --- listen: backlog ----------------------------------------------------------------------------


@pytest.mark.parametrize(('args', 'backlog'), [
    ((0,), 511), ((0, 5), 5), ((0, '127.0.0.1', '11'), 11), ((0, -1), 511), ((0, 0), 511),
    ((0, True), 1), ((0, '127.0.0.1', True), 1), ((0, INF), 0), ((0, 5.7), 5), ((0, 0.5), 0),
    ((0, fn, 5), 5), ((0, fn), 511), ((0, None, 6), 6), ((0, '10.5'), 10), ((0, -1, 6), 6),
    ((0, '127.0.0.1', 6), 6), ((0, 4294967297), 1), ((fn, 5), 5), ((0, 'h', NAN), 511),
    ((0, 'h', None, 7), 511), (('/x', 9, fn), 9),
    (({'port': 0, 'backlog': 3}, 8), 3), (({'port': 0}, 8), 8), (({'port': 0}, '8'), 8),
    (({'port': 0}, 0, 9), 9), (({'port': 0, 'backlog': 0}, 8), 8),
    (({'port': 0, 'backlog': 'abc'}, 8), 0),
])
def test_the_backlog_may_be_given_by_position(args, backlog):
    assert listen(*args).backlog == backlog


@pytest.mark.parametrize(('given', 'backlog'), [
    (None, 511), (UNDEFINED, 511), (0, 511), ('', 511), (False, 511), (NAN, 511), ('0', 0),
    (7, 7), ('12', 12), (' 0x10 ', 16), (1.9, 1), (-1, -1), ('-3', -3), ('abc', 0), ({}, 0),
    ([], 0), (True, 1), (INF, 0), (-INF, 0), (4294967297, 1), (2147483648, -2147483648),
    (1e21, -559939584), (10**400, 0), (fn, 0),
])
def test_the_backlog_option_is_converted_and_never_refused(given, backlog):
    assert listen(0, backlog=given).backlog == backlog


# --- listen: signals ----------------------------------------------------------------------------


@pytest.mark.parametrize(('value', 'text'), [
    (1, 'type number (1)'), ({}, 'an instance of Object'), (None, 'null'),
])
@pytest.mark.parametrize('options', [
    {}, {'port': 0}, {'port': -1}, {'port': True}, {'fd': 99999},
    {'path': '\0abc', 'readableAll': True},
])
def test_a_wrong_signal_is_refused_before_anything_else(options, value, text):
    message = (
        'The "options.signal" property must be an instance of AbortSignal. '
        f'Received {text}'
    )
    assert refusal(listen, {**options, 'signal': value}) == (CodedTypeError, TYPE, message)


@pytest.mark.parametrize('options', [{'port': 0}, {'path': '/x'}, {'fd': 3}])
def test_an_event_of_gevent_is_a_signal(options):
    event = Event()
    assert listen(options, signal=event).signal is event


# --- listen: descriptors and handles ------------------------------------------------------------


@pytest.mark.parametrize('fd', [0, 3, 99999, 1.5, INF, 3.0])
def test_a_number_from_zero_on_is_a_descriptor_and_wins_over_a_port(fd):
    for request in (listen({'fd': fd}), listen(fd=fd, port=0), listen({'handle': {'fd': fd}})):
        assert (request.target, request.fd, request.port) == (ListenTarget.FD, fd, None)


class Wrapper:
    """What a gnet server or socket looks like from here."""

    def __init__(self, handle):
        self._handle = handle

    def fileno(self):
        """Answer like a closed socket."""
        return -1

    def __repr__(self):
        return 'Wrapper {}'


@pytest.fixture
def listener():
    """A listening stdlib socket."""
    with socket.create_server(('127.0.0.1', 0)) as sock:
        yield sock


def test_a_socket_can_be_adopted_in_every_form(listener):
    for request in (
        listen(listener), listen(listener, fn), listen(handle=listener), listen(_handle=listener),
        listen({'handle': listener}), listen(Wrapper(listener)), listen(handle=Wrapper(listener)),
        listen(fn, handle=listener), listen({'_handle': listener, 'port': -1, 'signal': 1}),
    ):
        assert (request.target, request.handle) == (ListenTarget.HANDLE, listener)
        assert (request.port, request.fd, request.signal) == (None, None, None)
        assert request.exclusive is True
        assert request.backlog == 511


def test_a_handle_may_come_with_a_backlog(listener):
    assert listen(listener, 7).backlog == 7
    assert listen(listener, backlog=7).backlog == 7
    assert listen({'fd': 3}, 9).backlog == 9
    assert listen(fd=3, backlog=9).backlog == 9


def test_a_gevent_server_is_adopted_itself_and_not_its_connection_handler(listener):
    server = StreamServer(listener, handle=fn)
    assert listen(server).handle is server
    assert listen(Wrapper(server)).handle is server


def test_a_server_that_does_not_listen_has_nothing_to_share():
    expected = (CodedTypeError, VALUE, MISSING_TARGET + 'Wrapper {}')
    assert refusal(listen, Wrapper(None)) == expected
    assert refusal(listen, handle=Wrapper(None)) == expected
    assert refusal(listen, Wrapper(print)) == expected


def test_the_attributes_of_another_object_are_options():
    request = listen(types.SimpleNamespace(port='80', ipv6Only=True), backlog=5)
    assert (request.port, request.ipv6_only, request.backlog) == (80, True, 5)


def test_a_long_inspection_is_cut_after_128_characters():
    text = refusal(listen, {'host': 'x' * 200})[2]
    assert text == MISSING_TARGET + "{\n  host: '" + 'x' * 117 + '...'


# --- options of sockets -------------------------------------------------------------------------


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


# --- validators ---------------------------------------------------------------------------------


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


@pytest.mark.parametrize(('value', 'port'), [
    (0, 0), (80, 80), (80.0, 80), ('80', 80), ('0x50', 80), (' +80 ', 80), ('8e1', 80),
    (65535, 65535), (-0.0, 0),
])
def test_a_port_is_a_number_or_its_text(value, port):
    assert validate_port('Port', value) == port


@pytest.mark.parametrize(('value', 'text'), [
    (None, 'null'), (True, 'type boolean (true)'), ({}, 'an instance of Object'),
    ('80x', "type string ('80x')"), ('  ', "type string ('  ')"), (-1, 'type number (-1)'),
    (65536, 'type number (65536)'), (10**400, f'type number ({10**400})'),
])
def test_anything_else_is_no_port(value, text):
    message = f'Port should be >= 0 and < 65536. Received {text}.'
    assert refusal(validate_port, 'Port', value) == (CodedValueError, PORT, message)


@pytest.mark.parametrize('value', [0, -0.0, 1.5, 100, 2**40])
def test_a_timeout_is_any_finite_number_that_is_not_negative(value):
    assert validate_msecs(value) == value


@pytest.mark.parametrize(('value', 'text'), [
    ('100', "type string ('100')"), (None, 'null'), (UNDEFINED, 'undefined'),
    (True, 'type boolean (true)'), ({}, 'an instance of Object'), (lambda: 1, 'function '),
])
def test_a_timeout_that_is_no_number_is_refused(value, text):
    message = f'The "msecs" argument must be of type number. Received {text}'
    assert refusal(validate_msecs, value) == (CodedTypeError, TYPE, message)


@pytest.mark.parametrize(('value', 'text'), [
    (-1, '-1'), (NAN, 'NaN'), (INF, 'Infinity'), (-INF, '-Infinity'),
])
def test_a_timeout_out_of_range_is_refused(value, text):
    message = (
        'The value of "msecs" is out of range. It must be a non-negative finite number. '
        f'Received {text}'
    )
    assert refusal(validate_msecs, value) == (CodedValueError, RANGE, message)


@pytest.mark.parametrize(('value', 'error', 'code', 'text'), [
    (NAN, CodedValueError, RANGE, 'It must be an integer. Received NaN'),
    (1.5, CodedValueError, RANGE, 'It must be an integer. Received 1.5'),
    (INF, CodedValueError, RANGE, 'It must be an integer. Received Infinity'),
    (0, CodedValueError, RANGE, 'It must be >= 1 && <= 2147483647. Received 0'),
    (2**31, CodedValueError, RANGE, 'It must be >= 1 && <= 2147483647. Received 2147483648'),
])
def test_an_integer_has_no_fraction_and_keeps_to_its_limits(value, error, code, text):
    message = f'The value of "value" is out of range. {text}'
    assert refusal(validate_integer, 'value', value, 1, 2**31 - 1) == (error, code, message)


def test_an_integer_within_its_limits_is_returned_as_an_int():
    values = [validate_integer('value', value, 1, 5) for value in (1, 5, 2.0)]
    assert [(value, type(value)) for value in values] == [(1, int), (5, int), (2, int)]


@pytest.mark.parametrize(('validate', 'value', 'expected', 'text'), [
    (validate_number, '1', 'of type number', "type string ('1')"),
    (validate_number, False, 'of type number', 'type boolean (false)'),
    (validate_boolean, 1, 'of type boolean', 'type number (1)'),
    (validate_boolean, None, 'of type boolean', 'null'),
    (validate_function, {}, 'of type function', 'an instance of Object'),
    (validate_function, None, 'of type function', 'null'),
    (validate_signal, {}, 'an instance of AbortSignal', 'an instance of Object'),
    (lambda name, value: validate_integer(name, value, 0, 1), 'x', 'of type number',
     "type string ('x')"),
])
def test_an_argument_of_the_wrong_type_is_refused(validate, value, expected, text):
    argument = f'The "value" argument must be {expected}. Received {text}'
    option = f'The "options.value" property must be {expected}. Received {text}'
    assert refusal(validate, 'value', value) == (CodedTypeError, TYPE, argument)
    assert refusal(validate, 'options.value', value) == (CodedTypeError, TYPE, option)


def test_a_valid_argument_is_returned():
    event = Event()
    assert validate_number('value', NAN) is NAN
    assert validate_boolean('value', False) is False
    assert validate_function('value', fn) is fn
    assert validate_signal('value', event) is event
