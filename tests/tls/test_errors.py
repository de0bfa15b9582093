"""What Python's ``ssl`` raises, and Node's errors that are made of it."""

from __future__ import annotations

import pickle
import ssl

import pytest

from gnet.errors import CodedError, CodedRuntimeError, CodedTypeError
from gnet.tls.errors import (
    VERIFY_FAILURES,
    TLSCertificateError,
    TLSError,
    alpn_not_offered,
    certificate_error,
    handshake_timeout,
    library_error,
    state_error,
    tls_error,
    unavailable,
)
from gnet.tls.secure_context import create_secure_context

from ..harness.authority import NAMES, authority
from .common import meet

OWN = authority().certify(*NAMES)


def ssl_error(text, kind=ssl.SSLError, **attributes):
    """Return an error as ``_ssl`` makes them."""
    error = kind(1, text)
    error.library = error.reason = None
    for name, value in attributes.items():
        setattr(error, name, value)
    return error


@pytest.mark.parametrize(('reason', 'code', 'words'), [
    ('HTTP_REQUEST', 'ERR_SSL_HTTP_REQUEST', 'http request'),
    ('WRONG_VERSION_NUMBER', 'ERR_SSL_WRONG_VERSION_NUMBER', 'wrong version number'),
    ('NO_SHARED_CIPHER', 'ERR_SSL_NO_SHARED_CIPHER', 'no shared cipher'),
    ('PACKET_LENGTH_TOO_LONG', 'ERR_SSL_DATA_LENGTH_TOO_LONG', 'data length too long'),
    ('SSLV3_ALERT_HANDSHAKE_FAILURE', 'ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE',
     'ssl/tls alert handshake failure'),
    ('SSLV3_ALERT_BAD_RECORD_MAC', 'ERR_SSL_SSL/TLS_ALERT_BAD_RECORD_MAC',
     'ssl/tls alert bad record mac'),
    ('TLSV1_ALERT_UNKNOWN_CA', 'ERR_SSL_TLSV1_ALERT_UNKNOWN_CA', 'tlsv1 alert unknown ca'),
    ('TLSV13_ALERT_CERTIFICATE_REQUIRED', 'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED',
     'tlsv13 alert certificate required'),
])
def test_a_reason_is_that_of_node(reason, code, words):
    cause = ssl_error(f'[SSL: {reason}] some text (_ssl.c:1006)', library='SSL', reason=reason)
    error = tls_error(cause)
    assert type(error) is TLSError
    assert (error.code, error.reason, str(error)) == (code, words, words)
    assert error.library == 'SSL routines'
    assert error.errno == 1
    assert error.__cause__ is cause


@pytest.mark.parametrize(('text', 'first_read', 'code'), [
    ('[SSL] record layer failure (_ssl.c:1006)', True, 'ERR_SSL_WRONG_VERSION_NUMBER'),
    ('[SSL] record layer failure (_ssl.c:1006)', False, 'ERR_SSL_RECORD_LAYER_FAILURE'),
    ('[SSL] unknown error (_ssl.c:1006)', True, 'ERR_SSL_WRONG_VERSION_NUMBER'),
    ('unknown error (_ssl.c:1006)', False, 'ERR_SSL_RECORD_LAYER_FAILURE'),
    ('', False, 'ERR_SSL_RECORD_LAYER_FAILURE'),
    ('[SSL] ssl/tls alert bad certificate (_ssl.c:1006)', False,
     'ERR_SSL_SSL/TLS_ALERT_BAD_CERTIFICATE'),
    ('[ASN1] nested asn1 error (_ssl.c:1006)', False, 'ERR_OSSL_ASN1_NESTED_ASN1_ERROR'),
])
def test_a_reason_that_python_does_not_know_is_read_from_the_text(text, first_read, code):
    assert tls_error(ssl_error(text), first_read=first_read).code == code


def test_an_end_within_something_has_a_code():
    error = tls_error(ssl.SSLEOFError(8, 'EOF occurred in violation of protocol (_ssl.c:1006)'))
    assert error.code == 'ERR_SSL_UNEXPECTED_EOF_WHILE_READING'
    assert error.errno == 8


def test_an_error_is_one_of_python_too():
    error = library_error('SSL', 'NO_SHARED_CIPHER')
    assert isinstance(error, (ssl.SSLError, OSError))
    assert isinstance(error, CodedError)
    assert tls_error(error) is error
    refused = certificate_error(10)
    assert isinstance(refused, ssl.SSLCertVerificationError)
    assert isinstance(refused, ValueError)


@pytest.mark.parametrize('error', [
    library_error('SSL', 'NO_SHARED_CIPHER'), certificate_error(10), handshake_timeout()],
    ids=str)
def test_an_error_survives_pickling(error):
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert vars(again) == vars(error)


@pytest.mark.parametrize('number', VERIFY_FAILURES)
def test_each_failed_verification_has_a_code_and_a_text(number):
    error = certificate_error(number, 'whatever Python says', certificates=2)
    assert (error.code, str(error)) == VERIFY_FAILURES[number]
    assert error.code == error.code.upper()
    assert error.verify_code == number


def test_a_lone_certificate_without_an_issuer_has_a_code_of_its_own():
    assert certificate_error(20, certificates=2).code == 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY'
    for count in (1, None):
        error = certificate_error(20, certificates=count)
        assert (error.code, error.verify_code) == ('UNABLE_TO_VERIFY_LEAF_SIGNATURE', 21)
        assert str(error) == 'unable to verify the first certificate'


def test_a_failure_that_node_has_no_code_for_keeps_its_text():
    error = certificate_error(66, 'EE certificate key too weak')
    assert (error.code, str(error)) == ('UNSPECIFIED', 'EE certificate key too weak')


# --- those of true handshakes -------------------------------------------------------------------


def contexts(client=(), server=(), *, own=OWN, request_cert=False, alpn=()):
    return (
        create_secure_context(dict(client), ca=authority().cert).client_context(alpn=alpn),
        create_secure_context(own.options if own else {}, ca=authority().cert, **dict(server))
        .server_context(request_cert=request_cert),
    )


@pytest.mark.parametrize(('both', 'server_code', 'client_code'), [
    (contexts({'max_version': 'TLSv1.2'}, {'min_version': 'TLSv1.3'}),
     'ERR_SSL_UNSUPPORTED_PROTOCOL', 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION'),
    (contexts({'max_version': 'TLSv1.2', 'ciphers': 'ECDHE-ECDSA-AES128-GCM-SHA256'},
              {'ciphers': 'ECDHE-ECDSA-AES256-GCM-SHA384'}),
     'ERR_SSL_NO_SHARED_CIPHER', 'ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE'),
    (contexts({'ecdh_curve': 'P-256', 'min_version': 'TLSv1.3'}, {'ecdh_curve': 'P-384'}),
     'ERR_SSL_NO_SUITABLE_KEY_SHARE', 'ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE'),
    (contexts({'max_version': 'TLSv1.2'}, own=None),
     'ERR_SSL_NO_SHARED_CIPHER', 'ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE'),
    (contexts(request_cert=True),
     'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE', 'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED'),
    (contexts({'max_version': 'TLSv1.2'}, request_cert=True),
     'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE', 'ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE'),
], ids=['version', 'cipher', 'group', 'no certificate', 'client certificate 1.3',
        'client certificate 1.2'])
def test_both_ends_of_a_failed_handshake_have_nodes_codes(both, server_code, client_code):
    met = meet(*both)
    assert tls_error(met.server_error).code == server_code
    assert tls_error(met.client_error).code == client_code


@pytest.mark.parametrize(('sent', 'code'), [
    (b'GET / HTTP/1.1\r\n\r\n', 'ERR_SSL_HTTP_REQUEST'),
    (b'CONNECT a:443 HTTP/1.1\r\n\r\n', 'ERR_SSL_HTTPS_PROXY_REQUEST'),
    (b'\xff' * 64, 'ERR_SSL_WRONG_VERSION_NUMBER'),
    (b'\x16\x03\x01\xff\xff' + bytes(64), 'ERR_SSL_DATA_LENGTH_TOO_LONG'),
    (b'\x16\x03\x01\0\x05\x63\0\0\1\0', 'ERR_SSL_UNEXPECTED_MESSAGE'),
])
def test_what_is_no_tls_has_nodes_codes(sent, code):
    _, context = contexts()
    incoming = ssl.MemoryBIO()
    server = context.wrap_bio(incoming, ssl.MemoryBIO(), server_side=True)
    incoming.write(sent)
    with pytest.raises(ssl.SSLError) as caught:
        server.do_handshake()
    assert tls_error(caught.value, first_read=True).code == code


# --- gnet's own ---------------------------------------------------------------------------------


@pytest.mark.parametrize(('code', 'kind', 'text'), [
    ('ERR_TLS_INVALID_CONTEXT', CodedTypeError, 'context must be a SecureContext'),
    ('ERR_TLS_ALPN_CALLBACK_WITH_PROTOCOLS', CodedTypeError,
     'The ALPNCallback and ALPNProtocols TLS options are mutually exclusive'),
    ('ERR_TLS_INVALID_STATE', CodedRuntimeError,
     'TLS socket connection must be securely established'),
    ('ERR_TLS_SNI_FROM_SERVER', CodedRuntimeError,
     'Cannot issue SNI from a TLS server-side socket'),
    ('ERR_MULTIPLE_CALLBACK', CodedRuntimeError, 'Callback called multiple times'),
])
def test_errors_of_calls_have_one_text(code, kind, text):
    error = state_error(code)
    assert (type(error), error.code, str(error)) == (kind, code, text)


def test_a_protocol_that_was_not_offered_is_named():
    error = alpn_not_offered('zzz', ['b', 'c'])
    assert (type(error), error.code) == (CodedTypeError, 'ERR_TLS_ALPN_CALLBACK_INVALID_RESULT')
    assert str(error) == (
        "ALPN callback returned a value (zzz) that did not match any of the client's offered "
        'protocols (b,c)')


def test_a_time_out_of_a_handshake_is_one_of_tls():
    error = handshake_timeout()
    assert (error.code, str(error)) == ('ERR_TLS_HANDSHAKE_TIMEOUT', 'TLS handshake timeout')
    assert not isinstance(error, TLSCertificateError)


def test_what_is_unavailable_says_why():
    error = unavailable('options.x', 'it rains')
    assert error.code == 'ERR_FEATURE_UNAVAILABLE_ON_PLATFORM'
    assert str(error) == (
        'The feature options.x is unavailable on the current platform: it rains')
