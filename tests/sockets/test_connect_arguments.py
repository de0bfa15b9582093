"""Arguments of ``connect`` and the defaults of happy eyeballs: accepted and refused.

The texts were recorded from Node 24, of the kind that its documentation does not promise.
"""

from __future__ import annotations

import math
import os
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gevent
import pytest
from gevent.event import Event

import gnet
from gnet.loop.loop import get_loop
from gnet.node.values import UNDEFINED
from gnet.options.connect import connect_request

from ..harness.connections import both_spellings, refused
from ..harness.naming import spelled
from ..harness.waiting import PATIENCE, turn

TYPE = 'ERR_INVALID_ARG_TYPE'
VALUE = 'ERR_INVALID_ARG_VALUE'
RANGE = 'ERR_OUT_OF_RANGE'
PORT = 'ERR_SOCKET_BAD_PORT'
MISSING = 'The "options" or "port" or "path" argument must be specified'
NO_PORT = 'The "options.port" property must be one of type number or string. Received '
NO_HOST = 'The "options.host" property must be of type string. Received '
NO_LOCAL_PORT = 'The "options.localPort" property must be of type number. Received '
NO_PATH = 'The "options.path" property must be of type string. Received '
AUTO = 'The "options.autoSelectFamily" property must be of type boolean. Received '
DELAY = 'The value of "options.autoSelectFamilyAttemptTimeout" is out of range. It must be '
INT32 = '>= 1 && <= 2147483647. Received '


def fn() -> None:
    """A callback; its name appears in error texts."""


# --- connect: what it refuses -------------------------------------------------------------------

NAME = {'port': 1, 'host': 'x.test'}

REFUSED: list[tuple[dict[str, Any], type, str, str]] = [
    ({}, TypeError, 'ERR_MISSING_ARGS', MISSING),
    ({'port': UNDEFINED}, TypeError, 'ERR_MISSING_ARGS', MISSING),
    ({'path': None}, TypeError, 'ERR_MISSING_ARGS', MISSING),
    ({'host': 'x.test'}, TypeError, 'ERR_MISSING_ARGS', MISSING),
    ({'port': None}, TypeError, TYPE, f'{NO_PORT}null'),
    ({'port': True}, TypeError, TYPE, f'{NO_PORT}type boolean (true)'),
    ({'port': {}}, TypeError, TYPE, f'{NO_PORT}an instance of Object'),
    ({'port': fn}, TypeError, TYPE, f'{NO_PORT}function fn'),
    ({'port': lambda: None}, TypeError, TYPE, f'{NO_PORT}function '),
    ({'port': b'80'}, TypeError, TYPE, f'{NO_PORT}an instance of Buffer'),
    *(({'port': port}, ValueError, PORT, f'Port should be >= 0 and < 65536. Received type {shown}.')
      for port, shown in [
          ('', "string ('')"), ('  ', "string ('  ')"), ('80x', "string ('80x')"),
          ('65536', "string ('65536')"), ('-1', "string ('-1')"), (-1, 'number (-1)'),
          (65536, 'number (65536)'), (1.5, 'number (1.5)'), (math.nan, 'number (NaN)'),
          (math.inf, 'number (Infinity)')]),
    ({'port': 1, 'host': 1}, TypeError, TYPE, f'{NO_HOST}type number (1)'),
    ({'port': 1, 'host': {}}, TypeError, TYPE, f'{NO_HOST}an instance of Object'),
    ({'port': 1, 'host': True}, TypeError, TYPE, f'{NO_HOST}type boolean (true)'),
    ({'port': 1, 'host': []}, TypeError, TYPE, f'{NO_HOST}an instance of Array'),
    ({'port': 1, 'host': 'a\0b'}, TypeError, VALUE,
     "The property 'options.host' must be a string without null bytes. Received 'a\\x00b'"),
    ({'port': 1, 'local_address': 'nope'}, TypeError, 'ERR_INVALID_IP_ADDRESS',
     'Invalid IP address: nope'),
    ({'port': 1, 'local_address': 5}, TypeError, 'ERR_INVALID_IP_ADDRESS',
     'Invalid IP address: 5'),
    ({'port': 1, 'local_address': True}, TypeError, 'ERR_INVALID_IP_ADDRESS',
     'Invalid IP address: true'),
    ({'port': 1, 'local_port': '80'}, TypeError, TYPE, f"{NO_LOCAL_PORT}type string ('80')"),
    ({'port': 1, 'local_port': True}, TypeError, TYPE, f'{NO_LOCAL_PORT}type boolean (true)'),
    ({'port': 1, 'auto_select_family': ''}, TypeError, TYPE, f"{AUTO}type string ('')"),
    ({'port': 1, 'auto_select_family': 1}, TypeError, TYPE, f'{AUTO}type number (1)'),
    *(({'port': 1, 'auto_select_family_attempt_timeout': value}, ValueError, RANGE, DELAY + text)
      for value, text in [
          (0, f'{INT32}0'), (-1, f'{INT32}-1'), (2147483648, f'{INT32}2147483648'),
          (1.5, 'an integer. Received 1.5'), (math.nan, 'an integer. Received NaN')]),
    ({'port': 1, 'auto_select_family_attempt_timeout': 'x'}, TypeError, TYPE,
     'The "options.autoSelectFamilyAttemptTimeout" property must be of type number. '
     "Received type string ('x')"),
    ({**NAME, 'lookup': 'x'}, TypeError, TYPE,
     'The "options.lookup" property must be of type function. Received type string (\'x\')'),
    ({**NAME, 'lookup': {}}, TypeError, TYPE,
     'The "options.lookup" property must be of type function. Received an instance of Object'),
    *(({**NAME, 'family': value}, TypeError, VALUE,
       f"The property 'options.family' must be one of: 0, 4, 6. Received {shown}")
      for value, shown in [
          (5, '5'), ('ipv4', "'ipv4'"), ('4', "'4'"), (True, 'true'), ({}, '{}')]),
    ({**NAME, 'hints': 1}, TypeError, VALUE, "The argument 'hints' is invalid. Received 1"),
    ({**NAME, 'hints': 1.5}, TypeError, VALUE, "The argument 'hints' is invalid. Received 1"),
    ({**NAME, 'hints': 9999}, TypeError, VALUE, "The argument 'hints' is invalid. Received 9999"),
    ({**NAME, 'hints': 'x'}, TypeError, TYPE,
     'The "options.hints" property must be of type number. Received type string (\'x\')'),
    ({**NAME, 'hints': True}, TypeError, TYPE,
     'The "options.hints" property must be of type number. Received type boolean (true)'),
    ({'path': 5}, TypeError, TYPE, f'{NO_PATH}type number (5)'),
    ({'path': True}, TypeError, TYPE, f'{NO_PATH}type boolean (true)'),
    ({'path': {}}, TypeError, TYPE, f'{NO_PATH}an instance of Object'),
    ({'path': []}, TypeError, TYPE, f'{NO_PATH}an instance of Array'),
]


@pytest.mark.parametrize(('options', 'kind', 'code', 'text'), REFUSED, ids=spelled)
def test_connect_refuses_as_in_node_and_changes_nothing(
    options: dict[str, Any], kind: type, code: str, text: str,
) -> None:
    for given in both_spellings(options):
        sock = gnet.Socket()
        assert refused(sock.connect, given, fn) == (kind, code, text)
        assert refused(sock.connect, **given, callback=fn) == (kind, code, text)
        assert (sock.connecting, sock.pending, sock.destroyed, sock.ready_state) == (
            False, True, False, 'open')
        assert sock.listener_count('connect') == 0
        assert refused(gnet.connect, given) == (kind, code, text)
        assert refused(gnet.create_connection, **given) == (kind, code, text)


@pytest.mark.parametrize(('args', 'code'), [
    ((), 'ERR_MISSING_ARGS'), ((UNDEFINED,), 'ERR_MISSING_ARGS'), (([],), 'ERR_MISSING_ARGS'),
    (({},), 'ERR_MISSING_ARGS'), ((None,), TYPE), ((True,), TYPE), ((fn,), TYPE), (('',), PORT),
    (('  ',), PORT), ((-1,), PORT), ((1.5, '127.0.0.1'), PORT),
], ids=spelled)
def test_positional_arguments_that_make_no_sense(args: tuple[Any, ...], code: str) -> None:
    sock = gnet.Socket()
    assert refused(sock.connect, *args)[1] == code
    assert refused(gnet.connect, *args)[1] == code
    assert (sock.connecting, sock.listener_count('connect')) == (False, 0)


@pytest.mark.parametrize(('options', 'text'), [
    ({'port': -1, 'local_address': 'nope', 'host': 5, 'local_port': 'x'}, 'options.host'),
    ({'port': None, 'host': 5}, 'options.host'),
    ({'port': -1, 'host': 'a\0b', 'local_address': 'nope'}, 'options.host'),
    ({'port': -1, 'local_address': 'nope', 'local_port': 'x'}, 'Invalid IP address'),
    ({'port': -1, 'local_port': 'x'}, 'options.localPort'),
    ({'port': -1, 'auto_select_family': 1}, 'Port should be'),
    ({'port': 1, 'auto_select_family': 1, 'auto_select_family_attempt_timeout': 0},
     'options.autoSelectFamily"'),
    ({**NAME, 'auto_select_family_attempt_timeout': 0, 'lookup': 1}, 'AttemptTimeout'),
    ({**NAME, 'lookup': 1, 'hints': 1}, 'options.lookup'),
    ({**NAME, 'hints': 1, 'family': 5}, "'hints'"),
    ({'path': 5, 'host': 5}, 'options.path'),
], ids=spelled)
def test_connect_checks_in_nodes_order(options: dict[str, Any], text: str) -> None:
    assert text in refused(gnet.Socket().connect, options)[2]


@pytest.mark.parametrize(('timeout', 'kind', 'code', 'text'), [
    ('x', TypeError, TYPE,
     'The "msecs" argument must be of type number. Received type string (\'x\')'),
    (True, TypeError, TYPE,
     'The "msecs" argument must be of type number. Received type boolean (true)'),
    (-1, ValueError, RANGE,
     'The value of "msecs" is out of range. It must be a non-negative finite number. Received -1'),
    (math.inf, ValueError, RANGE,
     'The value of "msecs" is out of range. It must be a non-negative finite number. '
     'Received Infinity'),
])
def test_a_timeout_that_is_none_is_refused(
    timeout: Any, kind: type, code: str, text: str,
) -> None:
    assert refused(gnet.connect, port=1, host='127.0.0.1', timeout=timeout) == (kind, code, text)


def test_a_refused_call_leaves_neither_a_timer_nor_a_link_to_its_signal() -> None:
    links: list[Any] = []
    signal = SimpleNamespace(
        ready=lambda: False, rawlink=links.append, unlink=links.remove)
    refused(gnet.connect, port=-1, timeout=60_000, signal=signal)
    assert links == []
    # What was cancelled has nobody to call any more.
    assert [timer for _, _, timer in get_loop().idle_timers._heap if timer.expired] == []


def test_a_socket_can_connect_after_a_call_that_was_refused(
    serve: Callable[..., gnet.Server],
) -> None:
    server = serve()
    sock = gnet.Socket()
    called: list[str] = []
    refused(sock.connect, -1, lambda: called.append('refused'))
    sock.connect(server.address().port, '127.0.0.1', lambda: called.append('accepted'))
    gnet.once(sock, 'ready', timeout=PATIENCE)
    assert called == ['accepted']
    sock.destroy()


def test_for_an_address_the_options_of_the_look_up_are_not_even_checked() -> None:
    for host in ('127.0.0.1', '::1'):
        request = connect_request(
            {'port': 1, 'host': host, 'lookup': 5, 'family': 5, 'hints': 'x'})
        assert (request.host, request.lookup) == (host, None)


def test_with_a_path_the_options_for_hosts_are_not_checked() -> None:
    request = connect_request({
        'path': '/x', 'port': 'q', 'host': 5, 'local_address': 'nope', 'auto_select_family': 1})
    assert request.path == '/x'


@pytest.mark.parametrize(('options', 'expected'), [
    ({'port': '0x50'}, {'port': 80}), ({'port': ' +80 '}, {'port': 80}),
    ({'port': 80.0}, {'port': 80}), ({'port': 0}, {'port': 0}), ({'port': 65535}, {'port': 65535}),
    ({'port': 1, 'host': None}, {'host': 'localhost'}),
    ({'port': 1, 'host': ''}, {'host': 'localhost'}), ({'port': 1}, {'host': 'localhost'}),
    ({'path': ''}, {'path': None, 'port': 0, 'host': 'localhost'}),
    ({'path': False}, {'path': None, 'port': 0}),
    ({'path': b'/tmp/x'}, {'path': '/tmp/x'}), ({'path': Path('/tmp/x')}, {'path': '/tmp/x'}),
    ({'path': b'/tmp/\xff'}, {'path': os.fsdecode(b'/tmp/\xff')}),
    ({'path': '/x', 'port': 5, 'host': 'y'}, {'path': '/x'}),
    ({'port': 1, 'local_address': ''}, {'local_address': None}),
    ({'port': 1, 'local_port': ''}, {'local_port': 0}),
    ({'port': 1, 'local_port': 70000}, {'local_port': 70000}),
    ({'port': 1, 'auto_select_family': None}, {'auto_select_family': True}),
    ({'port': 1, 'auto_select_family_attempt_timeout': None}, {'attempt_timeout': 250}),
    ({'port': 1, 'auto_select_family_attempt_timeout': 1}, {'attempt_timeout': 10}),
    ({'port': 1, 'auto_select_family_attempt_timeout': 11}, {'attempt_timeout': 11}),
    ({**NAME, 'lookup': None}, {'lookup': None}), ({**NAME, 'lookup': fn}, {'lookup': fn}),
    ({**NAME, 'family': None}, {'family': 0, 'hints': socket.AI_ADDRCONFIG}),
    ({**NAME, 'family': 0}, {'family': 0, 'hints': socket.AI_ADDRCONFIG}),
    ({**NAME, 'family': 4}, {'family': 4, 'hints': 0}),
    ({**NAME, 'family': 'IPv4'}, {'family': 4, 'hints': 0}),
    ({**NAME, 'family': 'IPv6'}, {'family': 6, 'hints': 0}),
    ({**NAME, 'hints': None}, {'hints': socket.AI_ADDRCONFIG}),
    ({**NAME, 'hints': math.nan}, {'hints': socket.AI_ADDRCONFIG}),
    ({**NAME, 'hints': 32.5}, {'hints': 32}),
    ({**NAME, 'hints': 8, 'family': 4}, {'hints': 8}),
], ids=spelled)
def test_values_are_read_as_in_node(options: dict[str, Any], expected: dict[str, Any]) -> None:
    request = connect_request(options)
    assert {name: getattr(request, name) for name in expected} == expected


# --- connect: its forms -------------------------------------------------------------------------


TCP_FORMS: dict[str, Callable[..., Any]] = {
    'port, host': lambda connect, port, callback: connect(port, '127.0.0.1', callback),
    'text, host': lambda connect, port, callback: connect(str(port), '127.0.0.1', callback),
    'hexadecimal': lambda connect, port, callback: connect(hex(port), '127.0.0.1', callback),
    'mapping': lambda connect, port, callback: connect(
        {'port': port, 'host': '127.0.0.1'}, callback),
    'keywords': lambda connect, port, callback: connect(
        port=port, host='127.0.0.1', callback=callback),
    'keywords and a callback': lambda connect, port, callback: connect(
        callback, port=port, host='127.0.0.1'),
    'mapping and keywords': lambda connect, port, callback: connect(
        {'port': 1, 'host': 'x.test'}, callback, port=port, host='127.0.0.1'),
    'attributes': lambda connect, port, callback: connect(
        SimpleNamespace(port=port, host='127.0.0.1'), callback),
    'port': lambda connect, port, callback: connect(port, callback),
    'empty host': lambda connect, port, callback: connect(port, '', callback),
    'host that is no text': lambda connect, port, callback: connect(port, None, callback),
}


@pytest.mark.parametrize('maker', ['gnet.connect', 'Socket().connect', 'create_connection'])
@pytest.mark.parametrize('form', TCP_FORMS)
def test_forms_of_a_call_for_tcp(
    serve: Callable[..., gnet.Server], maker: str, form: str,
) -> None:
    port = serve().address().port
    called = Event()

    def callback(*args: Any) -> None:
        assert args == ()
        called.set()

    made = gnet.Socket()
    connect = {
        'gnet.connect': gnet.connect, 'Socket().connect': made.connect,
        'create_connection': gnet.createConnection,  # type: ignore[attr-defined]  # Node's name
    }[maker]
    sock = TCP_FORMS[form](connect, port, callback)
    assert isinstance(sock, gnet.Socket)
    assert (sock is made) is (maker == 'Socket().connect')
    assert sock.connecting
    assert called.wait(PATIENCE)
    assert (sock.remote_port, sock.remote_address) == (port, '127.0.0.1')
    assert sock.listener_count('connect') == 0
    sock.destroy()


PATH_FORMS: dict[str, Callable[..., Any]] = {
    'str': lambda path: gnet.connect(path),
    'bytes': lambda path: gnet.connect(os.fsencode(path)),
    'PathLike': lambda path: gnet.connect(Path(path)),
    'mapping': lambda path: gnet.connect({'path': path}),
    'bytes in a mapping': lambda path: gnet.connect({'path': os.fsencode(path), 'port': 1}),
    'keyword': lambda path: gnet.connect(path=Path(path)),
    'method': lambda path: gnet.Socket().connect(path),
    'wins over a port': lambda path: gnet.connect(path=path, port=1, host='127.0.0.1'),
}


@pytest.mark.parametrize('form', PATH_FORMS)
def test_forms_of_a_call_for_a_path(serve: Callable[..., gnet.Server], form: str) -> None:
    with tempfile.TemporaryDirectory(prefix='gnet-') as directory:
        path = str(Path(directory, 'socket'))
        accepted = Event()
        server = serve(lambda sock: accepted.set(), target={'path': path})
        sock = PATH_FORMS[form](path)
        gnet.once(sock, 'connect', timeout=PATIENCE)
        assert accepted.wait(PATIENCE)
        assert sock.family == socket.AF_UNIX
        sock.destroy()
        server.stop(PATIENCE)


def test_the_blocking_form_takes_the_tuple_of_the_standard_library(
    serve: Callable[..., gnet.Server],
) -> None:
    port = serve().address().port
    sock = gnet.Socket()
    with gevent.Timeout(PATIENCE):
        assert sock.connect(('127.0.0.1', port)) is None
        assert (sock.ready_state, sock.remote_port) == ('open', port)
        sock.close()
        assert refused(gnet.Socket().connect, ('127.0.0.1',))[1] == 'ERR_MISSING_ARGS'
        assert refused(gnet.connect, ('127.0.0.1', port))[1] == 'ERR_MISSING_ARGS'
        assert refused(gnet.Socket().connect, ('127.0.0.1', -1))[1] == PORT


def test_what_is_no_callback_is_not_registered() -> None:
    sock = gnet.Socket()
    assert refused(sock.connect, port=1, callback='x')[1] == TYPE
    assert sock.listener_count('connect') == 0
    turn()
    assert not sock.connecting


# --- the defaults -------------------------------------------------------------------------------


@pytest.fixture
def _defaults() -> Iterator[None]:
    yield
    gnet.set_default_auto_select_family(True)
    gnet.set_default_auto_select_family_attempt_timeout(250)


@pytest.mark.usefixtures('_defaults')
def test_the_default_of_auto_select_family() -> None:
    assert gnet.get_default_auto_select_family() is True
    assert gnet.set_default_auto_select_family(False) is None
    assert gnet.get_default_auto_select_family() is False
    assert connect_request(NAME).auto_select_family is False
    assert connect_request({**NAME, 'auto_select_family': True}).auto_select_family is True
    for value, shown in [
        ('x', "type string ('x')"), (1, 'type number (1)'), (None, 'null'),
        (UNDEFINED, 'undefined'),
    ]:
        assert refused(gnet.set_default_auto_select_family, value) == (
            TypeError, TYPE, f'The "value" argument must be of type boolean. Received {shown}')
    assert gnet.get_default_auto_select_family() is False


@pytest.mark.usefixtures('_defaults')
def test_the_default_of_the_attempt_timeout() -> None:
    assert gnet.get_default_auto_select_family_attempt_timeout() == 250
    for value, stored in [(5, 10), (1, 10), (10, 10), (11, 11), (500.0, 500), (2**31 - 1,) * 2]:
        gnet.set_default_auto_select_family_attempt_timeout(value)  # type: ignore[arg-type]
        assert gnet.get_default_auto_select_family_attempt_timeout() == stored
        assert connect_request(NAME).attempt_timeout == stored
    out = 'The value of "value" is out of range. It must be '
    for wrong, kind, code, text in [
        (0, ValueError, RANGE, f'{out}{INT32}0'), (-1, ValueError, RANGE, f'{out}{INT32}-1'),
        (2**31, ValueError, RANGE, f'{out}{INT32}2147483648'),
        (1.5, ValueError, RANGE, f'{out}an integer. Received 1.5'),
        ('x', TypeError, TYPE,
         'The "value" argument must be of type number. Received type string (\'x\')'),
        (None, TypeError, TYPE, 'The "value" argument must be of type number. Received null'),
    ]:
        assert refused(gnet.set_default_auto_select_family_attempt_timeout, wrong) == (
            kind, code, text)
    assert gnet.get_default_auto_select_family_attempt_timeout() == 2**31 - 1


def test_the_defaults_have_nodes_names_too() -> None:
    names: Any = gnet
    assert names.getDefaultAutoSelectFamily is gnet.get_default_auto_select_family
    assert names.setDefaultAutoSelectFamily is gnet.set_default_auto_select_family
    assert names.getDefaultAutoSelectFamilyAttemptTimeout is (
        gnet.get_default_auto_select_family_attempt_timeout)
    assert names.setDefaultAutoSelectFamilyAttemptTimeout is (
        gnet.set_default_auto_select_family_attempt_timeout)
