"""Secure contexts: what they are made of, in which forms, and what is refused with which words."""

from __future__ import annotations

import copy
import os
import pickle
import ssl
import sys
import tempfile
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from gnet.tls import pem
from gnet.tls.ciphers import DEFAULTS, get_ciphers
from gnet.tls.errors import TLSError
from gnet.tls.secure_context import (
    SecureContext,
    create_secure_context,
)

from ..harness.authority import NAMES, authority, stranger
from .common import meet, refusal

TYPE, VALUE = 'ERR_INVALID_ARG_TYPE', 'ERR_INVALID_ARG_VALUE'
UNAVAILABLE = 'ERR_FEATURE_UNAVAILABLE_ON_PLATFORM'
VERSION = 'ERR_TLS_INVALID_PROTOCOL_VERSION'
TEXT = 'of type string or an instance of Buffer, TypedArray, or DataView'

OWN = authority().certify(*NAMES)
OTHER = authority().certify('other.example')
SUITES = 'TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256'


def wrong_type(name, expected, shown):
    return 'CodedTypeError', TYPE, (
        f'The "options.{name}" property must be {expected}. Received {shown}')


@pytest.mark.parametrize(('options', 'expected'), [
    ({'key': 5}, wrong_type('key', TEXT, 'type number (5)')),
    ({'key': [5]}, wrong_type('key', TEXT, 'type number (5)')),
    ({'key': [{'pem': True}]}, wrong_type('key', TEXT, 'type boolean (true)')),
    ({'key': [{}]}, wrong_type('key', TEXT, 'an instance of Object')),
    ({'cert': 5}, wrong_type('cert', TEXT, 'type number (5)')),
    ({'ca': 5}, wrong_type('ca', TEXT, 'type number (5)')),
    ({'ca': [None]}, wrong_type('ca', TEXT, 'null')),
    ({'crl': 5}, wrong_type('crl', TEXT, 'type number (5)')),
    ({'dhparam': 5}, wrong_type('dhparam', TEXT, 'type number (5)')),
    ({'ciphers': 5}, wrong_type('ciphers', 'of type string', 'type number (5)')),
    ({'ecdh_curve': 5}, wrong_type('ecdhCurve', 'of type string', 'type number (5)')),
    ({'ecdh_curve': None}, wrong_type('ecdhCurve', 'of type string', 'null')),
    ({'sigalgs': 5}, wrong_type('sigalgs', 'of type string', 'type number (5)')),
    ({'session_id_context': 5}, wrong_type(
        'sessionIdContext', 'of type string', 'type number (5)')),
    ({'session_timeout': 'x'}, wrong_type('sessionTimeout', 'of type number', "type string ('x')")),
    ({'ticket_keys': 5}, wrong_type(
        'ticketKeys', 'an instance of Buffer, TypedArray, or DataView', 'type number (5)')),
    ({'certificate_compression': 5}, wrong_type(
        'certificateCompression', 'an instance of Array', 'type number (5)')),
    ({'allow_partial_trust_chain': 1}, wrong_type(
        'allowPartialTrustChain', 'of type boolean', 'type number (1)')),
    # A passphrase is not shown, whatever it is.
    ({'passphrase': 123456}, wrong_type('passphrase', 'of type string', 'type number')),
    ({'key': [{'pem': OWN.key, 'passphrase': 123456}]}, wrong_type(
        'passphrase', 'of type string', 'type number')),
    ({'secure_options': 'x'}, (
        'CodedTypeError', TYPE, 'The "secureOptions" argument must be of type number. '
        "Received type string ('x')")),
    ({'session_timeout': -1}, (
        'CodedValueError', 'ERR_OUT_OF_RANGE', 'The value of "options.sessionTimeout" is out of '
        'range. It must be >= 0 && <= 2147483647. Received -1')),
    ({'session_timeout': 1.5}, (
        'CodedValueError', 'ERR_OUT_OF_RANGE', 'The value of "options.sessionTimeout" is out of '
        'range. It must be an integer. Received 1.5')),
    ({'ticket_keys': bytes(47)}, (
        'CodedTypeError', VALUE,
        "The property 'options.ticketKeys' must be exactly 48 bytes. Received 47")),
    ({'sigalgs': ''}, (
        'CodedTypeError', VALUE, "The property 'options.sigalgs' is invalid. Received ''")),
    ({'certificate_compression': ['bogus']}, (
        'CodedTypeError', VALUE, "The property 'options.certificateCompression[0]' must be 'zlib', "
        "'brotli', or 'zstd'. Received 'bogus'")),
    ({'ca': []}, (
        'CodedTypeError', VALUE,
        "The property 'options.ca' must hold a certificate. Received []")),
    ({'ca': ''}, (
        'CodedTypeError', VALUE,
        "The property 'options.ca' must hold a certificate. Received ''")),
    ({'min_version': 'x'}, (
        'CodedTypeError', VERSION, '"x" is not a valid minimum TLS protocol version')),
    ({'max_version': 'x'}, (
        'CodedTypeError', VERSION, '"x" is not a valid maximum TLS protocol version')),
    ({'min_version': 5}, (
        'CodedTypeError', VERSION, '5 is not a valid minimum TLS protocol version')),
    ({'min_version': {}}, (
        'CodedTypeError', VERSION, '{} is not a valid minimum TLS protocol version')),
    ({'min_version': 'TLSv1.3', 'max_version': 'TLSv1.2'}, (
        'CodedTypeError', VERSION, 'The minimum TLS protocol version is above the maximum: '
        'no handshake could succeed')),
    ({'secure_options': ssl.OP_NO_TLSv1_2 | ssl.OP_NO_TLSv1_3}, (
        'CodedTypeError', VERSION, 'The minimum TLS protocol version is above the maximum: '
        'no handshake could succeed')),
    ({'secure_protocol': 'bogus'}, (
        'CodedTypeError', 'ERR_TLS_INVALID_PROTOCOL_METHOD', 'Unknown method: bogus')),
    ({'secure_protocol': 'SSLv3_method'}, (
        'CodedTypeError', 'ERR_TLS_INVALID_PROTOCOL_METHOD', 'SSLv3 methods disabled')),
    ({'secure_protocol': 'SSLv2_client_method'}, (
        'CodedTypeError', 'ERR_TLS_INVALID_PROTOCOL_METHOD', 'SSLv2 methods disabled')),
    ({'secure_protocol': 'TLSv1_2_method', 'min_version': 'TLSv1.2'}, (
        'CodedTypeError', 'ERR_TLS_PROTOCOL_VERSION_CONFLICT', 'TLS protocol version "TLSv1.2" '
        'conflicts with secureProtocol "TLSv1_2_method"')),
    ({'cert': 'x'}, ('TLSError', 'ERR_OSSL_PEM_NO_START_LINE', 'no start line')),
    ({'ca': 'x'}, ('TLSError', 'ERR_OSSL_PEM_NO_START_LINE', 'no start line')),
    ({'key': 'x'}, ('TLSError', 'ERR_OSSL_UNSUPPORTED', 'unsupported')),
    ({'key': 'x', 'cert': OWN.cert}, ('TLSError', 'ERR_OSSL_UNSUPPORTED', 'unsupported')),
    ({'key': OTHER.key, 'cert': OWN.cert}, (
        'TLSError', 'ERR_OSSL_X509_KEY_VALUES_MISMATCH', 'key values mismatch')),
    ({'key': OWN.encrypted_key('secret'), 'cert': OWN.cert}, (
        'TLSError', 'ERR_OSSL_BAD_DECRYPT', 'bad decrypt')),
    ({'key': OWN.encrypted_key('secret')}, ('TLSError', 'ERR_OSSL_BAD_DECRYPT', 'bad decrypt')),
    ({'key': OWN.encrypted_key('secret'), 'cert': OWN.cert, 'passphrase': 'wrong'}, (
        'TLSError', 'ERR_OSSL_BAD_DECRYPT', 'bad decrypt')),
    ({'key': OWN.encrypted_key('secret'), 'cert': OWN.cert, 'passphrase': 'x' * 2000}, (
        'TLSError', 'ERR_OSSL_BAD_DECRYPT', 'bad decrypt')),
    ({'ciphers': 'bogus'}, ('TLSError', 'ERR_SSL_NO_CIPHER_MATCH', 'no cipher match')),
    ({'ciphers': 'TLS_BOGUS'}, ('TLSError', 'ERR_SSL_NO_CIPHER_MATCH', 'no cipher match')),
    ({'ciphers': ' '}, ('TLSError', 'ERR_SSL_NO_CIPHER_MATCH', 'no cipher match')),
    ({'ciphers': ':'}, ('TLSError', 'ERR_SSL_NO_CIPHER_MATCH', 'no cipher match')),
    ({'ecdh_curve': 'bogus'}, (
        'CodedRuntimeError', 'ERR_CRYPTO_OPERATION_FAILED', 'Failed to set ECDH curve')),
    ({'crl': 'x'}, ('CodedRuntimeError', 'ERR_CRYPTO_OPERATION_FAILED', 'Failed to parse CRL')),
    ({'crl': '-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n'}, (
        'CodedRuntimeError', 'ERR_CRYPTO_OPERATION_FAILED', 'Failed to parse CRL')),
    ({'dhparam': 'x'}, (
        'CodedRuntimeError', 'ERR_CRYPTO_OPERATION_FAILED', 'Failed to parse DH parameters')),
    ({'pfx': 5}, (
        'CodedRuntimeError', 'ERR_CRYPTO_OPERATION_FAILED', 'Unable to load PFX certificate')),
    ({'pfx': b'x'}, (
        'CodedRuntimeError', 'ERR_CRYPTO_OPERATION_FAILED',
        'mac verify failure: no PKCS#12, or a wrong passphrase')),
    ({'pfx': OWN.pfx('secret'), 'passphrase': 'wrong'}, (
        'CodedRuntimeError', 'ERR_CRYPTO_OPERATION_FAILED',
        'mac verify failure: no PKCS#12, or a wrong passphrase')),
])
def test_what_cannot_be_used_is_refused_at_the_call(options, expected):
    assert refusal(create_secure_context, options) == expected
    assert refusal(SecureContext, options) == expected
    assert refusal(create_secure_context, **options) == expected


@pytest.mark.parametrize('options', [
    {'sigalgs': 'rsa_pss_rsae_sha256'}, {'session_timeout': 300}, {'session_id_context': 'x'},
    {'ticket_keys': bytes(48)}, {'certificate_compression': ['zlib']}, {'dhparam': 'auto'},
    {'client_cert_engine': 'x'}, {'private_key_engine': 'x'}, {'private_key_identifier': 'x'},
    {'ecdh_curve': 'X25519:P-256'}, {'ciphers': 'TLS_AES_128_GCM_SHA256'},
    {'ciphers': ':'.join(reversed(SUITES.split(':')))}, {'min_version': 'TLSv1.1'},
    {'max_version': 'TLSv1'}, {'secure_protocol': 'TLSv1_1_method'},
], ids=str)
def test_what_ssl_cannot_do_is_not_passed_over(options):
    kind, code, text = refusal(create_secure_context, options)
    assert (kind, code) == ('CodedTypeError', UNAVAILABLE)
    assert text.startswith('The feature ')


@pytest.mark.parametrize('options', ['x', 5, True, [1]])
def test_options_are_a_mapping(options):
    kind, code, text = refusal(create_secure_context, options)
    assert (kind, code) == ('CodedTypeError', TYPE)
    assert text.startswith('The "options" argument must be of type object. Received ')


def test_a_misspelt_keyword_is_an_error_and_an_unknown_option_is_none():
    with pytest.raises(TypeError, match="Did you mean 'passphrase'"):
        create_secure_context(pass_phrase='x')
    with pytest.raises(TypeError, match="Did you mean 'minVersion'"):
        create_secure_context(minVersions='x')
    create_secure_context({'what': 5, 'minVersion': 'TLSv1.3'})


# --- what they are made of ----------------------------------------------------------------------


def leaf_of(met):
    return met.client.getpeercert()['subjectAltName'][0][1]


@pytest.mark.parametrize('options', [
    OWN.options,
    {'key': OWN.key.encode(), 'cert': bytearray(OWN.cert.encode())},
    {'key': memoryview(OWN.key.encode()), 'cert': [OWN.cert]},
    {'key': [OWN.key], 'cert': 'text around it\n' + OWN.cert + 'more: é\n'},
    {'key': OWN.encrypted_key('sécret'), 'cert': OWN.cert, 'passphrase': 'sécret'},
    {'key': [{'pem': OWN.encrypted_key('a')}], 'cert': OWN.cert, 'passphrase': b'a'},
    {'key': [{'pem': OWN.encrypted_key('a'), 'passphrase': 'a'}], 'cert': OWN.cert,
     'passphrase': 'b'},
    {'pfx': OWN.pfx('secret'), 'passphrase': 'secret'},
    {'pfx': [{'buf': OWN.pfx('secret'), 'passphrase': 'secret'}]},
    {'pfx': [OWN.pfx('secret', authority().cert)], 'passphrase': 'secret'},
], ids=range(10))
def test_a_key_and_its_certificate_come_in_many_forms(options):
    server = create_secure_context(options).server_context()
    met = meet(create_secure_context(ca=authority().cert).client_context(), server)
    assert (met.client_error, met.server_error) == (None, None)
    assert leaf_of(met) == 'localhost'


def test_they_may_be_in_files(tmp_path):
    key, cert, ca = tmp_path / 'key.pem', tmp_path / 'cert.pem', tmp_path / 'ca.pem'
    key.write_text(OWN.key, 'ascii')
    cert.write_text(OWN.cert, 'ascii')
    ca.write_text(authority().cert, 'ascii')
    made = create_secure_context(key=key, cert=cert)
    assert made.paths == (str(cert), str(key))
    met = meet(create_secure_context(ca=[ca]).client_context(), made.server_context())
    assert (met.client_error, met.server_error) == (None, None)
    with pytest.raises(FileNotFoundError):
        create_secure_context(key=tmp_path / 'none.pem')


def test_keys_of_several_kinds_find_their_certificates_in_any_order():
    kinds = [ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(65537, 2048)]
    elliptic, other = (authority().certify(*NAMES, key=key) for key in kinds)
    server = create_secure_context(
        key=[other.key, elliptic.key], cert=[elliptic.cert, other.cert]).server_context()
    for cipher, own in (('ECDHE-ECDSA-AES128-GCM-SHA256', elliptic),
                        ('ECDHE-RSA-AES128-GCM-SHA256', other)):
        client = create_secure_context(
            ca=authority().cert, ciphers=cipher, max_version='TLSv1.2').client_context()
        met = meet(client, server)
        assert met.client.cipher()[0] == cipher
        assert met.client.getpeercert(True) == ssl.PEM_cert_to_DER_cert(own.cert)
    assert refusal(create_secure_context, key=other.key, cert=elliptic.cert) == (
        'TLSError', 'ERR_OSSL_X509_KEY_TYPE_MISMATCH', 'key type mismatch')
    create_secure_context(key=other.key)


@pytest.mark.parametrize('options', [
    {}, {'key': '', 'cert': ''}, {'key': OWN.key}, {'cert': OWN.cert}, {'key': None, 'pfx': None},
    {'key': [], 'cert': []}], ids=range(6))
def test_without_a_key_or_a_certificate_handshakes_fail(options):
    server = create_secure_context(options).server_context()
    met = meet(create_secure_context(ca=authority().cert).client_context(), server)
    assert met.server_error.reason == 'NO_SHARED_CIPHER'


def test_a_short_key_is_refused():
    short = authority().certify(*NAMES, key=rsa.generate_private_key(65537, 1024))
    assert refusal(create_secure_context, short.options)[1] == 'ERR_SSL_EE_KEY_TOO_SMALL'
    # Who insists may have it.
    create_secure_context(short.options, ciphers='DEFAULT@SECLEVEL=0')


def test_no_key_is_ever_on_a_disk(monkeypatch, tmp_path):
    opened = []
    monkeypatch.setattr(tempfile, 'mkstemp', lambda **keywords: opened.append(keywords))
    create_secure_context(OWN.options)
    if not hasattr(os, 'memfd_create'):
        pytest.skip('this system has no files without a name')
    assert opened == []


def test_where_there_are_only_named_files_they_are_private_and_removed(monkeypatch, tmp_path):
    monkeypatch.delattr(os, 'memfd_create', raising=False)
    monkeypatch.setattr(tempfile, 'tempdir', str(tmp_path))
    seen = []
    load = pem.as_file

    def look(content):
        shown = load(content)
        path = shown.__enter__()
        seen.append((path, os.stat(path).st_mode & 0o777, Path(path).read_bytes() == content))
        shown.__exit__(None, None, None)
        return load(content)

    monkeypatch.setattr('gnet.tls.identities.as_file', look)
    made = create_secure_context(OWN.options)
    assert seen
    assert {each[1:] for each in seen} == {(0o600, True)}
    assert {os.path.dirname(path) for path, *_ in seen} == {str(tmp_path)}
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(TLSError):
        create_secure_context(key='x', cert=OWN.cert)
    assert list(tmp_path.iterdir()) == []
    assert made.certificates == (ssl.PEM_cert_to_DER_cert(OWN.cert),)


def test_no_secret_is_shown():
    made = create_secure_context(
        key=OWN.encrypted_key('open sesame'), cert=OWN.cert, passphrase='open sesame')
    # inside: what a debugger or a traceback with locals would show
    texts = [repr(made), repr(made._options), repr(made._options.identities),
             repr(made._options.identities[0].key), str(made)]
    assert not [text for text in texts if 'sesame' in text or 'PRIVATE' in text]
    for call in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match='holds keys'):
            call(made)


# --- what they do -------------------------------------------------------------------------------


@pytest.mark.parametrize('context', [
    create_secure_context(OWN.options).server_context(),
    create_secure_context(ca=authority().cert).client_context(),
    create_secure_context(ca=authority().cert).client_context(verify=False),
], ids=['server', 'client', 'lenient client'])
def test_settings_are_safe(context):
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert context.maximum_version is ssl.TLSVersion.TLSv1_3
    assert context.options & ssl.OP_NO_RENEGOTIATION
    assert context.options & ssl.OP_NO_COMPRESSION
    # A connection that is cut off must not look like one that has ended.
    assert not context.options & 0x80
    # Neither VERIFY_X509_STRICT nor PARTIAL_CHAIN, which Python 3.13 has by default.
    assert context.verify_flags == ssl.VERIFY_X509_TRUSTED_FIRST
    names = {cipher['name'] for cipher in context.get_ciphers()}
    assert set(SUITES.split(':')) <= names
    assert not [name for name in names if 'NULL' in name or 'RC4' in name or 'PSK' in name]


def test_clients_verify_and_servers_do_if_they_ask():
    made = create_secure_context(OWN.options, ca=authority().cert)
    assert made.context.verify_mode is ssl.CERT_REQUIRED
    assert made.client_context().verify_mode is ssl.CERT_REQUIRED
    assert made.client_context(verify=False).verify_mode is ssl.CERT_NONE
    assert made.server_context().verify_mode is ssl.CERT_NONE
    assert made.server_context(request_cert=True).verify_mode is ssl.CERT_REQUIRED


def test_a_context_is_made_once():
    made = create_secure_context(OWN.options, ca=authority().cert)
    assert made.client_context() is made.context
    assert made.client_context(alpn=('a',)) is made.client_context(alpn=['a'])
    assert made.client_context(alpn=('a',)) is not made.context
    # Whatever clients offer and a callback chooses: memory has an end.
    first = made.server_context(alpn=('p0',))
    for number in range(100):
        made.server_context(alpn=(f'p{number}',))
    assert len(made._variants) <= 32  # inside: that is what it is about
    assert made.server_context(alpn=('p0',)) is not first


@pytest.mark.parametrize(('name', 'value', 'code'), [
    ('min_version', 'x', VERSION), ('max_version', 5, VERSION), ('ciphers', 5, TYPE),
    ('ecdh_curve', 5, TYPE), ('ciphers', 'bogus', 'ERR_SSL_NO_CIPHER_MATCH')])
def test_a_wrong_default_shows_when_a_context_is_made(monkeypatch, name, value, code):
    monkeypatch.setattr(DEFAULTS, name, value)
    assert refusal(create_secure_context)[1] == code


@pytest.mark.parametrize(('options', 'version'), [
    ({}, 'TLSv1.3'), ({'max_version': 'TLSv1.2'}, 'TLSv1.2'),
    ({'min_version': 'TLSv1.3'}, 'TLSv1.3'),
    ({'secure_protocol': 'TLSv1_2_client_method'}, 'TLSv1.2'),
    ({'secure_protocol': 'TLS_method'}, 'TLSv1.3'), ({'secure_protocol': ''}, 'TLSv1.3'),
    ({'min_version': None, 'max_version': None}, 'TLSv1.3'), ({'ciphers': SUITES}, 'TLSv1.3'),
    ({'ciphers': 'ECDHE-ECDSA-AES128-GCM-SHA256'}, 'TLSv1.3'),
    ({'ciphers': ''}, 'TLSv1.3'), ({'ecdh_curve': 'P-521'}, 'TLSv1.3'),
    ({'ecdh_curve': 'P-384'}, 'TLSv1.3'), ({'ecdh_curve': ''}, 'TLSv1.3'),
    ({'secure_options': ssl.OP_NO_TLSv1_3 | ssl.OP_NO_TLSv1_1}, 'TLSv1.2'),
    ({'secure_options': int(ssl.OP_NO_TLSv1_2)}, 'TLSv1.3'),
], ids=str)
def test_versions_ciphers_and_curves_are_those_that_were_asked_for(options, version):
    server = create_secure_context(OWN.options).server_context()
    met = meet(create_secure_context(options, ca=authority().cert).client_context(), server)
    assert met.client.version() == version


@pytest.mark.parametrize('curve', ['X25519', 'X448'])
def test_curves_that_older_pythons_do_not_take_are_unavailable_there(curve):
    if sys.version_info >= (3, 11):
        create_secure_context(ecdh_curve=curve)
    else:
        assert refusal(create_secure_context, ecdh_curve=curve)[1] == UNAVAILABLE


def test_a_list_of_suites_of_1_3_leaves_1_2_out():
    made = create_secure_context(ciphers=SUITES, ca=authority().cert)
    assert made.context.minimum_version is ssl.TLSVersion.TLSv1_3


@pytest.mark.parametrize(('honor', 'chosen'), [
    (None, 'server'), (True, 'server'), (False, 'client'), (0, 'client')])
def test_whose_order_of_ciphers_counts(honor, chosen):
    first, second = 'ECDHE-ECDSA-AES128-GCM-SHA256', 'ECDHE-ECDSA-AES256-GCM-SHA384'
    order = {} if honor is None else {'honor_cipher_order': honor}
    server = create_secure_context(
        OWN.options, ciphers=f'{first}:{second}', max_version='TLSv1.2', **order)
    client = create_secure_context(ca=authority().cert, ciphers=f'{second}:{first}')
    met = meet(client.client_context(), server.server_context())
    assert met.client.cipher()[0] == (first if chosen == 'server' else second)


def test_protocols_are_offered_and_chosen():
    server = create_secure_context(OWN.options).server_context(alpn=('b', 'a'))
    client = create_secure_context(ca=authority().cert).client_context(alpn=('a', 'b'))
    assert meet(client, server).client.selected_alpn_protocol() == 'b'


def test_there_are_ciphers():
    names = get_ciphers()
    assert len(names) > 20
    assert names == [name.lower() for name in names]
    assert 'tls_aes_128_gcm_sha256' in names
    assert get_ciphers() is not names


def test_whom_a_context_trusts_are_those_it_was_given():
    server = create_secure_context(OWN.options).server_context()
    met = meet(create_secure_context(ca=stranger().cert).client_context(), server)
    assert met.client_error.verify_code == 20
    # The server is told why.
    assert met.server_error.reason == 'TLSV1_ALERT_UNKNOWN_CA'
    both = create_secure_context(ca=[stranger().cert, authority().cert])
    assert meet(both.client_context(), server).client_error is None
    joined = create_secure_context(ca=stranger().cert + authority().cert)
    assert meet(joined.client_context(), server).client_error is None
    by_pfx = create_secure_context(
        pfx=OWN.pfx('x', authority().cert), passphrase='x', ca=stranger().cert)
    assert meet(by_pfx.client_context(), server).client_error is None
