"""Certificates that are wrong in each way: what a client says of them, by itself and afterwards.

Each is shown to a client that verifies, in a handshake; and to :func:`.verdict`, which is asked by
one that lets everything through. Both have to find the same.
"""

from __future__ import annotations

import ssl
import sys
from typing import Any, NamedTuple

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from gnet.tls.certificates import peer_chain
from gnet.tls.errors import TLSCertificateError, tls_error
from gnet.tls.pem import certificate_blocks, der_of
from gnet.tls.secure_context import as_secure_context, create_secure_context
from gnet.tls.verdict import verdict

from ..harness.authority import NAMES, Authority, Certified, authority, self_signed, stranger
from .common import meet, refusal


class Case(NamedTuple):
    own: Certified
    #: What the server sends besides.
    above: str
    #: Options of the client.
    options: dict[str, Any]
    code: str | None


def cases():
    trusted = authority()
    ca = {'ca': trusted.cert}
    middle = Authority('middle', trusted)
    lonely = self_signed(*NAMES)
    by_middle = middle.certify(*NAMES)
    plain = trusted.certify(*NAMES)
    # One that has signed without being allowed to.
    pretender = trusted.certify('pretender')
    revoked = trusted.certify(*NAMES)
    lists = trusted.revoke(revoked.cert)
    return {
        'good': Case(plain, '', ca, None),
        'good, RSA': Case(
            trusted.certify(*NAMES, key=rsa.generate_private_key(65537, 2048)), '', ca, None),
        'good, P-384': Case(
            trusted.certify(*NAMES, key=ec.generate_private_key(ec.SECP384R1())), '', ca, None),
        'good chain': Case(by_middle, middle.cert, ca, None),
        'chain with its root': Case(by_middle, middle.cert + trusted.cert, ca, None),
        'issuer unknown': Case(
            plain, '', {'ca': stranger().cert}, 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'),
        'an intermediate is missing': Case(by_middle, '', ca, 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'),
        'chain of somebody else': Case(
            by_middle, middle.cert, {'ca': stranger().cert}, 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY'),
        'root of somebody else': Case(
            plain, trusted.cert, {'ca': stranger().cert}, 'SELF_SIGNED_CERT_IN_CHAIN'),
        'self-signed': Case(lonely, '', ca, 'DEPTH_ZERO_SELF_SIGNED_CERT'),
        'self-signed and trusted': Case(lonely, '', {'ca': lonely.cert}, None),
        'expired': Case(
            trusted.certify(*NAMES, days=(-20, -10)), '', ca, 'CERT_HAS_EXPIRED'),
        'not yet valid': Case(
            trusted.certify(*NAMES, days=(10, 20)), '', ca, 'CERT_NOT_YET_VALID'),
        'purpose': Case(trusted.certify(*NAMES, purpose='client'), '', ca, 'INVALID_PURPOSE'),
        'issuer that is none': Case(
            Authority.pretend(pretender).certify(*NAMES), pretender.cert, ca, 'INVALID_CA'),
        'intermediate as authority': Case(
            by_middle, '', {'ca': middle.cert}, 'UNABLE_TO_GET_ISSUER_CERT'),
        'intermediate as authority, allowed': Case(
            by_middle, '', {'ca': middle.cert, 'allow_partial_trust_chain': True}, None),
        'revoked': Case(revoked, '', {**ca, 'crl': lists}, 'CERT_REVOKED'),
        'not revoked': Case(plain, '', {**ca, 'crl': lists}, None),
        'no list of its issuer': Case(
            by_middle, middle.cert, {**ca, 'crl': [lists]}, 'UNABLE_TO_GET_CRL'),
        'no list of the one above': Case(
            by_middle, middle.cert, {**ca, 'crl': middle.revoke()}, 'UNABLE_TO_GET_CRL'),
        'its issuer was revoked': Case(
            by_middle, middle.cert,
            {**ca, 'crl': [trusted.revoke(middle.cert), middle.revoke()]}, 'CERT_REVOKED'),
        'lists of all': Case(
            by_middle, middle.cert, {**ca, 'crl': [lists, middle.revoke()]}, None),
        'list of somebody else': Case(
            plain, '', {**ca, 'crl': stranger().revoke()}, 'UNABLE_TO_GET_CRL'),
    }


CASES = cases()


def server_of(case, **options):
    return create_secure_context(
        key=case.own.key, cert=case.own.cert + case.above, **options).server_context()


def ders(pem):
    return [der_of(block) for block in certificate_blocks(pem.encode())]


@pytest.mark.parametrize('version', ['TLSv1.2', 'TLSv1.3'])
@pytest.mark.parametrize('name', CASES)
def test_a_certificate_is_verified_in_the_handshake(name, version):
    case = CASES[name]
    client = create_secure_context(case.options).client_context()
    met = meet(client, server_of(case, max_version=version, min_version=version))
    if case.code is None:
        assert (met.client_error, met.server_error) == (None, None)
        assert met.client.version() == version
        return
    if case.code == 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY' and sys.version_info < (3, 10):
        pytest.skip('this Python does not tell how many certificates there were')
    chain = peer_chain(met.client)
    error = tls_error(met.client_error, certificates=None if chain is None else len(chain))
    assert isinstance(error, TLSCertificateError)
    assert error.code == case.code
    assert error.verify_message == str(error) != ''
    # The server is told, and told the truth.
    assert '_ALERT_' in met.server_error.reason


@pytest.mark.parametrize('name', CASES)
def test_what_was_let_through_is_judged_alike(name):
    case = CASES[name]
    context = create_secure_context(case.options)
    met = meet(context.client_context(verify=False), server_of(case))
    assert (met.client_error, met.server_error) == (None, None)
    chain = ders(case.own.cert + case.above)
    if sys.version_info >= (3, 10):
        assert peer_chain(met.client) == chain
    error = verdict(context, chain)
    assert (None if error is None else error.code) == case.code


def test_servers_verify_their_clients_in_the_same_way():
    server = create_secure_context(authority().certify(*NAMES).options, ca=authority().cert)
    asking = server.server_context(request_cert=True)
    trust = {'ca': authority().cert}
    good = authority().certify('client', purpose='client')
    assert meet(
        create_secure_context(good.options, **trust).client_context(), asking
    ).server_error is None
    for own, code in (
        (stranger().certify('client', purpose='client'), 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'),
        (authority().certify('client'), 'INVALID_PURPOSE'),
        (authority().certify('client', purpose='client', days=(-9, -3)), 'CERT_HAS_EXPIRED'),
        (self_signed('client'), 'DEPTH_ZERO_SELF_SIGNED_CERT'),
    ):
        met = meet(create_secure_context(own.options, **trust).client_context(), asking)
        assert tls_error(met.server_error, certificates=1).code == code
    missing = meet(create_secure_context(trust).client_context(), asking)
    error = tls_error(missing.server_error)
    assert error.code == 'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE'
    assert error.reason == 'peer did not return a certificate'


def test_a_certificate_among_the_revoked_is_not_trusted():
    lists = authority().revoke() + stranger().revoke()
    own = stranger().certify(*NAMES)
    for crl in (stranger().cert + lists, lists + stranger().cert):
        context = create_secure_context(ca=authority().cert, crl=crl)
        met = meet(
            context.client_context(), create_secure_context(own.options).server_context())
        assert met.client_error.verify_code == 20
        assert verdict(context, ders(own.cert)).code == 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'
    assert refusal(create_secure_context, crl=stranger().cert)[1] == 'ERR_CRYPTO_OPERATION_FAILED'


# --- verdicts ------------------------------------------------------------------------------------


def test_what_cannot_be_judged_is_not_good():
    context = create_secure_context(ca=authority().cert)
    leaf = ders(CASES['good'].own.cert)[0]
    given = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    given.load_verify_locations(cadata=authority().cert)
    for made, chain in (
        (context, []), (context, [b'']), (context, [b'0\x03\x02\x01\x01']), (context, [leaf[:-1]]),
        (as_secure_context(given), [leaf]),
        (context, [leaf[:60] + bytes([leaf[60] ^ 1]) + leaf[61:]]),
    ):
        error = verdict(made, chain)
        assert isinstance(error, TLSCertificateError)
        assert error.code


@pytest.mark.parametrize('name', CASES)
def test_of_a_certificate_alone_nothing_is_said_that_others_could_change(name):
    """As on Python 3.9, which shows no others."""
    case = CASES[name]
    context = create_secure_context(case.options)
    chain = ders(case.own.cert + case.above)
    whole, alone = (
        None if error is None else error.code
        for error in (verdict(context, chain), verdict(context, chain[:1], is_whole=False)))
    assert alone in ('UNVERIFIED', whole)
    # What needs no other is judged: who trusts the issuer, or who issued itself.
    if not case.above and whole not in (
        'UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'UNABLE_TO_GET_ISSUER_CERT',
    ):
        assert alone == whole


def test_no_changed_byte_of_a_certificate_is_overlooked():
    context = create_secure_context(ca=authority().cert)
    leaf = ders(CASES['good'].own.cert)[0]
    assert verdict(context, [leaf]) is None
    accepted = [
        place for place in range(0, len(leaf), 3)
        if verdict(context, [leaf[:place] + bytes([leaf[place] ^ 4]) + leaf[place + 1:]]) is None]
    assert accepted == []


def test_a_key_of_another_kind_is_judged_or_refused_but_never_passed_over():
    key = ed25519.Ed25519PrivateKey.generate()
    good, bad = (each.certify(*NAMES, key=key) for each in (authority(), stranger()))
    context = create_secure_context(ca=authority().cert)
    assert verdict(context, ders(good.cert)) is None
    assert verdict(context, ders(bad.cert)).code == 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'


def test_a_long_chain_takes_several_records():
    context = create_secure_context(ca=authority().cert)
    filler = [der for der in ders(CASES['expired'].own.cert) for _ in range(60)]
    assert verdict(context, [*ders(CASES['good'].own.cert), *filler]) is None
    assert verdict(context, [*ders(CASES['purpose'].own.cert), *filler]).code == 'INVALID_PURPOSE'


@pytest.mark.parametrize('options', [
    {'ciphers': 'TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256'},
    {'min_version': 'TLSv1.3'}, {'ecdh_curve': 'P-384'}, {'secure_options': ssl.OP_NO_TLSv1_2},
], ids=str)
def test_settings_of_the_connection_do_not_matter_to_it(options):
    context = create_secure_context(options, ca=authority().cert)
    assert verdict(context, ders(CASES['good'].own.cert)) is None
    assert verdict(context, ders(CASES['self-signed'].own.cert)) is not None
