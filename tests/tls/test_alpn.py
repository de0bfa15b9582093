"""ALPN: the forms in which protocols are given, and which one a server chooses."""

from __future__ import annotations

import types

import pytest

from gnet.errors import CodedTypeError, CodedValueError
from gnet.tls.alpn import alpn_protocols, convert_alpn_protocols, select_alpn

from .common import refusal


@pytest.mark.parametrize(('protocols', 'wire'), [
    (['a', 'bc'], b'\x01a\x02bc'),
    (('h2',), b'\x02h2'),
    (['é'], b'\x02\xc3\xa9'),
    ([], b''),
    (b'\x02h2', b'\x02h2'),
    (bytearray(b'\x01x'), b'\x01x'),
    (memoryview(b'\x01x'), b'\x01x'),
    (['x' * 255], b'\xff' + b'x' * 255),
])
def test_protocols_on_the_wire_have_their_length_before_them(protocols, wire):
    out = {}
    assert convert_alpn_protocols(protocols, out) == wire
    assert out == {'ALPNProtocols': wire}
    thing = types.SimpleNamespace()
    convert_alpn_protocols(protocols, thing)
    assert thing.ALPNProtocols == wire


@pytest.mark.parametrize('protocols', [None, 'h2', 5, True, {}])
def test_what_is_no_list_sets_nothing(protocols):
    out = {}
    assert convert_alpn_protocols(protocols, out) is None
    assert out == {}


@pytest.mark.parametrize(('protocols', 'kind', 'code', 'text'), [
    ([''], CodedTypeError, 'ERR_INVALID_ARG_VALUE',
     "The argument 'protocols[0]' must be a non-empty string. Received ''"),
    (['a', 'x' * 256], CodedValueError, 'ERR_OUT_OF_RANGE',
     'The byte length of the protocol at index 1 exceeds the maximum length. It must be <= 255. '
     'Received 256'),
    ([b'h2'], CodedTypeError, 'ERR_INVALID_ARG_TYPE', 'argument must be a string'),
    ([1], CodedTypeError, 'ERR_INVALID_ARG_TYPE',
     'The "string" argument must be of type string or an instance of Buffer or ArrayBuffer. '
     'Received type number (1)'),
])
def test_wrong_protocols_are_refused(protocols, kind, code, text):
    for call in (convert_alpn_protocols, alpn_protocols):
        assert refusal(call, protocols) == (kind.__name__, code, text)


@pytest.mark.parametrize('wire', [b'bad!', b'\x03h2', b'\x02h2\x01'])
def test_bytes_that_end_within_a_name_are_refused(wire):
    assert refusal(convert_alpn_protocols, wire)[1:] == (
        'ERR_INVALID_ARG_VALUE',
        f"The argument 'ALPNProtocols' contains truncated protocol. Received {wire!r}")


@pytest.mark.parametrize(('given', 'protocols'), [
    (None, ()), ([], ()), (['h2', 'http/1.1'], ('h2', 'http/1.1')), (b'\x02h2\x01x', ('h2', 'x'))])
def test_the_option_is_a_list_of_names(given, protocols):
    assert alpn_protocols(given) == protocols


@pytest.mark.parametrize('given', ['h2', 5, True, {}])
def test_the_option_of_a_wrong_type_is_not_passed_over(given):
    assert refusal(alpn_protocols, given)[:2] == ('CodedTypeError', 'ERR_INVALID_ARG_TYPE')


@pytest.mark.parametrize('given', [['é'], b'\x01\xff', b'\x00', b'\x02h2\x00'])
def test_the_option_has_names_that_openssl_takes(given):
    assert refusal(alpn_protocols, given)[:2] == ('CodedTypeError', 'ERR_INVALID_ARG_VALUE')


@pytest.mark.parametrize(('own', 'offered', 'chosen'), [
    (('b', 'a'), ('a', 'b'), 'b'), (('x', 'a'), ('a',), 'a'), (('x',), ('a',), None),
    ((), ('a',), None)])
def test_the_server_chooses_by_its_own_order(own, offered, chosen):
    assert select_alpn(own, offered) == chosen
