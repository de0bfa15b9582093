"""Options of ``listen``: what Node accepts, stores and refuses.

Codes and texts were recorded from Node 24. Rows about symbols and bigints have no counterpart in
Python and are left out; None plays ``null``, and ``UNDEFINED`` an explicit ``undefined``.
"""

from __future__ import annotations

import socket
import types
from pathlib import Path

import pytest
from gevent.event import Event
from gevent.server import StreamServer

from gnet.errors import CodedTypeError, CodedValueError
from gnet.node.values import UNDEFINED
from gnet.options.listen import ListenTarget

from ..harness.refusals import INF, NAN, PORT, TYPE, VALUE, fn, refusal
from .common import listen

MISSING_TARGET = (
    'The argument \'options\' must have the property "port" or "path". Received '
)


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
