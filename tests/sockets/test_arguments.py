"""Arguments of the constructor of ``Socket``: what it accepts, and how it refuses the rest.

The texts were recorded from Node 24, of the kind that its documentation does not promise.
"""

from __future__ import annotations

import math
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import gnet
from gnet.node.values import UNDEFINED

from ..harness.connections import both_spellings, refused
from ..harness.naming import spelled
from ..harness.waiting import PATIENCE

TYPE = 'ERR_INVALID_ARG_TYPE'
VALUE = 'ERR_INVALID_ARG_VALUE'
RANGE = 'ERR_OUT_OF_RANGE'
TOS = 'The value of "options.typeOfService" is out of range. It must be '
FD = 'The value of "fd" is out of range. It must be '


def fn() -> None:
    """A callback."""


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two connected sockets of the system; the first may be detached."""
    first, second = socket.socketpair()
    second.settimeout(PATIENCE)
    yield first, second
    first.close()
    second.close()


CONSTRUCTOR: list[tuple[dict[str, Any], type, str, str]] = [
    ({'object_mode': True}, TypeError, VALUE,
     "The property 'options.objectMode' is not supported. Received true"),
    ({'readable_object_mode': True}, TypeError, VALUE,
     "The property 'options.readableObjectMode' is not supported. Received true"),
    ({'writable_object_mode': 1}, TypeError, VALUE,
     "The property 'options.writableObjectMode' is not supported. Received 1"),
    ({'keep_alive_initial_delay': 'x'}, TypeError, TYPE,
     'The "options.keepAliveInitialDelay" property must be of type number. '
     "Received type string ('x')"),
    ({'keep_alive_initial_delay': None}, TypeError, TYPE,
     'The "options.keepAliveInitialDelay" property must be of type number. Received null'),
    ({'type_of_service': -1}, ValueError, RANGE, f'{TOS}>= 0 && <= 255. Received -1'),
    ({'type_of_service': 256}, ValueError, RANGE, f'{TOS}>= 0 && <= 255. Received 256'),
    ({'type_of_service': 1.5}, ValueError, RANGE, f'{TOS}an integer. Received 1.5'),
    ({'type_of_service': math.nan}, ValueError, RANGE, f'{TOS}an integer. Received NaN'),
    ({'type_of_service': '3'}, TypeError, TYPE,
     'The "options.typeOfService" property must be of type number. '
     "Received type string ('3')"),
    ({'type_of_service': None}, TypeError, TYPE,
     'The "options.typeOfService" property must be of type number. Received null'),
    ({'fd': -1}, ValueError, RANGE, f'{FD}>= 0 && <= 2147483647. Received -1'),
    ({'fd': 2**31}, ValueError, RANGE, f'{FD}>= 0 && <= 2147483647. Received 2147483648'),
    ({'fd': 1.5}, ValueError, RANGE, f'{FD}an integer. Received 1.5'),
    ({'fd': '1'}, TypeError, TYPE,
     'The "fd" argument must be of type number. Received type string (\'1\')'),
    ({'fd': True}, TypeError, TYPE,
     'The "fd" argument must be of type number. Received type boolean (true)'),
    ({'fd': 2**31 - 1}, TypeError, 'ERR_INVALID_FD_TYPE', 'Unsupported fd type: UNKNOWN'),
    ({'signal': {}}, TypeError, TYPE,
     'The "signal" argument must be an instance of AbortSignal. '
     'Received an instance of Object'),
    ({'signal': 5}, TypeError, TYPE,
     'The "signal" argument must be an instance of AbortSignal. Received type number (5)'),
    ({'block_list': {}}, TypeError, TYPE,
     'The "options.blockList" property must be an net.BlockList. '
     'Received an instance of Object'),
    ({'high_water_mark': -1}, TypeError, VALUE,
     "The property 'options.readableHighWaterMark' is invalid. Received -1"),
    ({'high_water_mark': 'a'}, TypeError, VALUE,
     "The property 'options.readableHighWaterMark' is invalid. Received 'a'"),
    ({'high_water_mark': 1.5}, TypeError, VALUE,
     "The property 'options.readableHighWaterMark' is invalid. Received 1.5"),
    ({'high_water_mark': True}, TypeError, VALUE,
     "The property 'options.readableHighWaterMark' is invalid. Received true"),
    ({'writable_high_water_mark': math.nan}, TypeError, VALUE,
     "The property 'options.writableHighWaterMark' is invalid. Received NaN"),
    ({'default_encoding': 'bogus'}, TypeError, 'ERR_UNKNOWN_ENCODING', 'Unknown encoding: bogus'),
    ({'encoding': 'bogus'}, TypeError, 'ERR_UNKNOWN_ENCODING', 'Unknown encoding: bogus'),
    ({'encoding': 5}, TypeError, 'ERR_UNKNOWN_ENCODING', 'Unknown encoding: 5'),
]


@pytest.mark.parametrize(('options', 'kind', 'code', 'text'), CONSTRUCTOR, ids=spelled)
def test_the_constructor_refuses_as_in_node(
    options: dict[str, Any], kind: type, code: str, text: str,
) -> None:
    for given in both_spellings(options):
        assert refused(gnet.Socket, given) == (kind, code, text)
        assert refused(gnet.Socket, **given) == (kind, code, text)
        # And so does the function that makes one to connect it.
        assert refused(gnet.connect, {'port': 1, 'host': '127.0.0.1', **given}) == (
            kind, code, text)


@pytest.mark.parametrize(('options', 'code'), [
    ({'object_mode': True, 'keep_alive_initial_delay': 'x'}, VALUE),
    ({'keep_alive_initial_delay': 'x', 'type_of_service': -1}, TYPE),
], ids=spelled)
def test_the_constructor_checks_in_nodes_order(options: dict[str, Any], code: str) -> None:
    assert refused(gnet.Socket, options)[1] == code


def test_a_descriptor_is_adopted_once(pair: tuple[socket.socket, socket.socket]) -> None:
    fd = pair[0].detach()
    first = gnet.Socket(fd)
    with pytest.raises(FileExistsError) as caught:
        gnet.Socket(fd=fd)
    error: Any = caught.value
    assert (str(error), error.code, error.syscall, error.errno) == (
        'open EEXIST', 'EEXIST', 'open', 17)
    first.destroy()


@pytest.mark.parametrize('form', [
    lambda fd: gnet.Socket(fd), lambda fd: gnet.Socket({'fd': fd}), lambda fd: gnet.Socket(fd=fd),
    lambda fd: gnet.Socket(float(fd)),
])
def test_a_number_is_the_descriptor_of_a_connected_socket(
    form: Callable[[int], gnet.Socket], pair: tuple[socket.socket, socket.socket],
) -> None:
    sock = form(pair[0].detach())
    assert (sock.pending, sock.connecting, sock.ready_state) == (False, False, 'open')
    pair[1].sendall(b'in')
    assert sock.recv(10) == b'in'
    sock.sendall(b'out')
    assert pair[1].recv(10) == b'out'
    sock.close()
    assert pair[1].recv(10) == b''


@pytest.mark.parametrize('given', [None, UNDEFINED, 'abc', '', [], (), object(), True, b'x'])
def test_what_is_neither_options_nor_a_number_makes_a_plain_socket(given: Any) -> None:
    sock = gnet.Socket(given)
    assert (sock.pending, sock.connecting, sock.destroyed, sock.ready_state) == (
        True, False, False, 'open')
    assert sock.readable_high_water_mark == 65536
    assert sock.listener_count('connect') == 0


@pytest.mark.parametrize(('options', 'marks'), [
    ({'high_water_mark': 0}, (0, 0)),
    ({'high_water_mark': None}, (65536, 65536)),
    ({'readable_high_water_mark': 10, 'writable_high_water_mark': 20}, (10, 20)),
    ({'high_water_mark': 5, 'readable_high_water_mark': 10}, (5, 5)),
])
def test_high_water_marks(options: dict[str, Any], marks: tuple[int, int]) -> None:
    for given in both_spellings(options):
        sock = gnet.Socket(given)
        assert (sock.readable_high_water_mark, sock.writable_high_water_mark) == marks


@pytest.mark.parametrize('options', [
    {'onread': {}}, {'onread': {'buffer': 1, 'callback': 1}}, {'onread': 5},
    {'onread': {'buffer': b'constant', 'callback': fn}}, {'signal': None}, {'block_list': None},
    {'object_mode': 0}, {'timeout': 'x'}, {'encoding': ''}, {'fd': None},
    {'keep_alive_initial_delay': -5}, {'an_option_that_is_none': 1},
], ids=spelled)
def test_options_without_effect_are_accepted(options: dict[str, Any]) -> None:
    for given in both_spellings(options):
        sock = gnet.Socket(given)
        assert (sock.ready_state, sock.destroyed, sock.timeout) == ('open', False, None)


def test_the_options_of_a_mapping_are_not_changed_and_keywords_win() -> None:
    options = {'highWaterMark': 5, 'allowHalfOpen': 'yes'}
    sock = gnet.Socket(options, high_water_mark=7)
    assert (sock.readable_high_water_mark, sock.allow_half_open) == (7, True)
    assert options == {'highWaterMark': 5, 'allowHalfOpen': 'yes'}


@pytest.mark.parametrize(('options', 'state'), [
    ({'readable': False}, 'writeOnly'), ({'writable': False}, 'readOnly'),
    ({'readable': False, 'writable': False}, 'closed'), ({'readable': None, 'writable': 0}, 'open'),
], ids=spelled)
def test_only_false_switches_a_side_off(
    options: dict[str, Any], state: str, pair: tuple[socket.socket, socket.socket],
) -> None:
    sock = gnet.Socket(fd=pair[0].detach(), **options)
    assert sock.ready_state == state
    sock.destroy()
