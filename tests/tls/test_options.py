"""The options of ``tls.connect`` and ``tls.create_server``: what they become, what is refused."""

from __future__ import annotations

import math
import ssl

import pytest

from gnet.node.values import UNDEFINED
from gnet.tls.identity import check_server_identity
from gnet.tls.options import server_name_to_send, tls_connect_options, tls_server_options
from gnet.tls.secure_context import create_secure_context
from gnet.tls.sessions import Session

from ..harness.authority import NAMES, authority
from .common import meet, refusal

TYPE, VALUE = 'ERR_INVALID_ARG_TYPE', 'ERR_INVALID_ARG_VALUE'
UNAVAILABLE = 'ERR_FEATURE_UNAVAILABLE_ON_PLATFORM'
OWN = authority().certify(*NAMES).options


def wrong_type(name, expected, shown):
    return 'CodedTypeError', TYPE, (
        f'The "options.{name}" property must be {expected}. Received {shown}')


def test_defaults_of_a_server():
    options = tls_server_options({})
    assert options.request_cert is False
    assert options.handshake_timeout == 120_000
    assert options.sni_callback is options.alpn_callback is None
    assert options.alpn_protocols == ()
    assert options.strict_end is False
    assert options.context.server_context().verify_mode is ssl.CERT_NONE


def test_defaults_of_a_client():
    options = tls_connect_options({})
    assert options.reject_unauthorized is True
    assert options.check_server_identity is check_server_identity
    assert (options.identity, options.servername) == ('localhost', '')
    assert options.alpn_protocols == ()
    assert options.session is None
    assert options.context.client_context().verify_mode is ssl.CERT_REQUIRED


NOT_BOOLEAN = [
    (0, 'type number (0)'), (1, 'type number (1)'), ('', "type string ('')"),
    ('no', "type string ('no')"), ([], 'an instance of Array')]


@pytest.mark.parametrize(('value', 'shown'), NOT_BOOLEAN)
@pytest.mark.parametrize(('name', 'spelling', 'checks'), [
    ('request_cert', 'requestCert', [tls_server_options]),
    ('reject_unauthorized', 'rejectUnauthorized', [tls_server_options, tls_connect_options]),
    ('strict_end', 'strictEnd', [tls_server_options, tls_connect_options]),
    ('enable_trace', 'enableTrace', [tls_server_options, tls_connect_options]),
])
def test_what_secures_is_true_or_false_and_nothing_else(name, spelling, checks, value, shown):
    for check in checks:
        assert refusal(check, {name: value}) == wrong_type(spelling, 'of type boolean', shown)


@pytest.mark.parametrize('value', [None, UNDEFINED])
def test_what_was_not_given_is_the_safe_default(value):
    assert tls_connect_options({'reject_unauthorized': value}).reject_unauthorized is True
    assert tls_server_options({'request_cert': value, 'reject_unauthorized': value}) is not None


@pytest.mark.parametrize(('options', 'expected'), [
    ({'handshake_timeout': 'x'}, wrong_type(
        'handshakeTimeout', 'of type number', "type string ('x')")),
    ({'handshake_timeout': True}, wrong_type(
        'handshakeTimeout', 'of type number', 'type boolean (true)')),
    ({'handshake_timeout': {}}, wrong_type(
        'handshakeTimeout', 'of type number', 'an instance of Object')),
    ({'sni_callback': 5}, wrong_type('SNICallback', 'of type function', 'type number (5)')),
    ({'alpn_callback': 5}, wrong_type('ALPNCallback', 'of type function', 'type number (5)')),
    ({'alpn_callback': print, 'alpn_protocols': ['a']}, (
        'CodedTypeError', 'ERR_TLS_ALPN_CALLBACK_WITH_PROTOCOLS',
        'The ALPNCallback and ALPNProtocols TLS options are mutually exclusive')),
    ({'alpn_protocols': 'h2'}, wrong_type(
        'ALPNProtocols', 'an instance of Array, Buffer, TypedArray, or DataView',
        "type string ('h2')")),
    ({'psk_callback': 5}, wrong_type('pskCallback', 'of type function', 'type number (5)')),
    ({'psk_identity_hint': 5}, wrong_type('pskIdentityHint', 'of type string', 'type number (5)')),
    ({'secure_context': 5}, (
        'CodedTypeError', 'ERR_TLS_INVALID_CONTEXT', 'context must be a SecureContext')),
    ({'key': 5}, wrong_type(
        'key', 'of type string or an instance of Buffer, TypedArray, or DataView',
        'type number (5)')),
])
def test_what_a_server_refuses(options, expected):
    assert refusal(tls_server_options, options) == expected


@pytest.mark.parametrize(('options', 'expected'), [
    ({'check_server_identity': None}, wrong_type(
        'checkServerIdentity', 'of type function', 'null')),
    ({'check_server_identity': 5}, wrong_type(
        'checkServerIdentity', 'of type function', 'type number (5)')),
    ({'min_dh_size': 'x'}, wrong_type('minDHSize', 'of type number', "type string ('x')")),
    ({'min_dh_size': 0}, (
        'CodedValueError', 'ERR_OUT_OF_RANGE',
        'The value of "options.minDHSize" is out of range. It must be >= 1. Received 0')),
    ({'min_dh_size': math.nan}, (
        'CodedValueError', 'ERR_OUT_OF_RANGE',
        'The value of "options.minDHSize" is out of range. It must be >= 1. Received NaN')),
    ({'servername': 5}, (
        'CodedTypeError', TYPE,
        'The "name" argument must be of type string. Received type number (5)')),
    ({'servername': 'a\0b'}, (
        'CodedTypeError', VALUE,
        "The property 'options.servername' is invalid. Received 'a\\x00b'")),
    ({'session': 5}, ('CodedTypeError', TYPE, 'Session must be what get_session() has returned')),
    ({'session': b'x'}, (
        'CodedTypeError', TYPE, 'Session must be what get_session() has returned')),
    ({'secure_context': {}}, (
        'CodedTypeError', 'ERR_TLS_INVALID_CONTEXT', 'context must be a SecureContext')),
    ({'alpn_protocols': 5}, wrong_type(
        'ALPNProtocols', 'an instance of Array, Buffer, TypedArray, or DataView',
        'type number (5)')),
    ({'psk_callback': 'x'}, wrong_type('pskCallback', 'of type function', "type string ('x')")),
])
def test_what_a_client_refuses(options, expected):
    assert refusal(tls_connect_options, options) == expected


@pytest.mark.parametrize(('check', 'options'), [
    (tls_server_options, {'request_cert': True, 'reject_unauthorized': False}),
    (tls_server_options, {'psk_callback': print}),
    (tls_server_options, {'psk_identity_hint': 'x'}),
    (tls_server_options, {'enable_trace': True}),
    (tls_server_options, {'ticket_keys': bytes(48)}),
    (tls_connect_options, {'request_ocsp': True}),
    (tls_connect_options, {'min_dh_size': 4096}),
    (tls_connect_options, {'psk_callback': print}),
    (tls_connect_options, {'enable_trace': True}),
])
def test_what_ssl_cannot_do_is_not_passed_over(check, options):
    assert refusal(check, options)[:2] == ('CodedTypeError', UNAVAILABLE)


@pytest.mark.parametrize(('value', 'msecs'), [
    (0, 120_000), (None, 120_000), (math.nan, 120_000), ('', 120_000), (5, 5), (1.5, 1.5),
    (-1, None), (math.inf, None), (2**31, None)])
def test_the_time_for_a_handshake(value, msecs):
    assert tls_server_options({'handshake_timeout': value}).handshake_timeout == msecs


def test_a_ready_context_excludes_what_is_part_of_it():
    made = create_secure_context(OWN)
    assert tls_server_options({'secure_context': made}).context is made
    assert tls_connect_options({'secure_context': made, 'cert': None}).context is made
    for check in (tls_server_options, tls_connect_options):
        kind, code, text = refusal(check, {'secure_context': made, 'min_version': 'TLSv1.3'})
        assert (kind, code) == ('CodedTypeError', VALUE)
        assert 'options.minVersion' in text


def test_a_context_of_python_has_to_verify():
    given = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    assert tls_connect_options({'secure_context': given}).context.given is given
    given.check_hostname = False
    given.verify_mode = ssl.CERT_NONE
    options = {'secure_context': given}
    assert refusal(tls_connect_options, options)[1] == 'ERR_TLS_INVALID_CONTEXT'
    options['reject_unauthorized'] = False
    assert tls_connect_options(options).context.given is given
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    options = {'secure_context': server, 'request_cert': True}
    assert refusal(tls_server_options, options)[1] == 'ERR_TLS_INVALID_CONTEXT'


@pytest.mark.parametrize(('options', 'sent', 'expected'), [
    ({'host': 'a.example'}, 'a.example', 'a.example'),
    ({'host': 'a.example.'}, 'a.example', 'a.example.'),
    ({'host': 'bücher.example'}, 'xn--bcher-kva.example', 'bücher.example'),
    ({'host': '127.0.0.1'}, '', '127.0.0.1'),
    ({'host': '::1'}, '', '::1'),
    ({'host': 'fe80::1%eth0'}, '', 'fe80::1%eth0'),
    ({'host': 'localhost'}, 'localhost', 'localhost'),
    ({'host': 'a.example', 'servername': 'b.example'}, 'b.example', 'b.example'),
    ({'host': 'a.example', 'servername': '127.0.0.1'}, '', '127.0.0.1'),
    ({'host': 'a.example', 'servername': ''}, '', 'a.example'),
    ({'host': 'a.example', 'servername': None}, 'a.example', 'a.example'),
    ({'path': '/x'}, '', 'localhost'),
    ({'path': '/x', 'servername': 'b.example'}, 'b.example', 'b.example'),
    ({'path': '/x', 'host': 'a.example'}, '', 'a.example'),
    ({}, '', 'localhost'),
], ids=str)
def test_which_name_is_sent_and_which_is_expected(options, sent, expected):
    made = tls_connect_options(options)
    assert (made.servername, made.identity) == (sent, expected)


def test_the_host_of_a_socket_counts_if_there_is_no_other():
    assert tls_connect_options({}, 'a.example').identity == 'a.example'
    assert tls_connect_options({'host': 'b.example'}, 'a.example').identity == 'b.example'
    assert tls_connect_options({'servername': 'c'}, 'a.example').identity == 'c'


@pytest.mark.parametrize('host', [
    '', '.', '.a', 'a..b', 'a\0b', 'x' * 64 + '.example', '.'.join(['x' * 60] * 5), '1.2.3.4.'])
def test_what_is_no_name_is_not_sent(host):
    assert server_name_to_send(host) == ''


def test_a_session_is_good_for_the_same_context_and_name():
    context = create_secure_context(ca=authority().cert).client_context()
    server = create_secure_context(OWN, max_version='TLSv1.2').server_context()
    met = meet(context, server)
    session = Session(context, met.client.session, 'localhost')
    assert tls_connect_options({'session': session}).session is session
    assert session.fitting(context, 'localhost') is met.client.session or (
        session.fitting(context, 'localhost') == met.client.session)
    assert session.fitting(context, 'other.example') is None
    other = create_secure_context(ca=authority().cert).client_context()
    assert session.fitting(other, 'localhost') is None
