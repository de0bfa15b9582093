"""Certificates as Node shows them. Of some it was recorded, in certificates_of_node.json."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

import pytest

from gnet.tls.certificates import certificate_object, detailed_certificate, peer_chain
from gnet.tls.identity import check_server_identity
from gnet.tls.pem import certificate_blocks, der_of
from gnet.tls.secure_context import create_secure_context

from ..harness.authority import NAMES, Authority, authority, stranger
from .common import meet

RECORDED = json.loads(Path(__file__).with_name('certificates_of_node.json').read_text('utf-8'))


def ders(*pems):
    return [der_of(block) for pem in pems for block in certificate_blocks(pem.encode())]


@pytest.mark.parametrize('name', RECORDED)
def test_a_certificate_is_shown_as_by_node(name):
    pem, expected = RECORDED[name]['pem'], RECORDED[name]['node']
    der, = ders(pem)
    found = certificate_object(der)
    assert found.pop('raw') == der
    shown = {
        key: value.hex() if isinstance(value, bytes) else value for key, value in found.items()}
    # What Node has as undefined is None.
    assert shown == {**dict.fromkeys(shown), **expected}
    assert [key for key in shown if shown[key] is not None] == list(expected)


def test_each_call_returns_another_object():
    der, = ders(RECORDED['rich']['pem'])
    first = certificate_object(der)
    first['subject']['CN'] = 'evil'
    first['ext_key_usage'].clear()
    del first['ca']
    again = certificate_object(der)
    assert again['subject']['CN'] == 'rich.example'
    assert len(again['ext_key_usage']) == 3
    assert again['ca'] is True


def test_names_are_those_that_openssl_finds():
    names = ('a.example', '*.b.example', '10.1.2.3', '2001:db8::1', '::ffff:1.2.3.4')
    certified = authority().certify(*names)
    client = create_secure_context(ca=authority().cert).client_context()
    server = create_secure_context(**certified.options).server_context()
    met = meet(client, server)
    python = met.client.getpeercert()
    der = met.client.getpeercert(True)
    found = certificate_object(der)
    pairs = [tuple(each.split(':', 1)) for each in found['subjectaltname'].split(', ')]
    assert pairs == [tuple(each) for each in python['subjectAltName']]
    assert found['valid_from'] == python['notBefore']
    assert found['valid_to'] == python['notAfter']
    assert found['serialNumber'] == python['serialNumber']
    for host in ('a.example', 'x.b.example', '10.1.2.3', '2001:DB8:0::1', '::ffff:1.2.3.4'):
        assert check_server_identity(host, found) is None
    for host in ('b.example', '10.1.2.4', '2001:db8::2', '1.2.3.4'):
        assert check_server_identity(host, found) is not None


def test_a_name_that_looks_like_two_is_one():
    der, = ders(RECORDED['rich']['pem'])
    found = certificate_object(der)
    assert 'evil' in found['subjectaltname']
    assert check_server_identity('evil', found) is not None
    assert check_server_identity('localhost', found) is None


def test_names_in_two_places_are_none():
    # Whoever reads the other one would see another name.
    der, = ders(authority().certify('a.example').cert)
    purpose, names = b'\x55\x1d\x25', b'\x55\x1d\x11'
    assert der.count(purpose) == der.count(names) == 1
    with pytest.raises(ValueError, match='an extension twice'):
        certificate_object(der.replace(purpose, names))


def test_the_chain_leads_to_a_root_that_is_its_own_issuer():
    middle = Authority('middle', authority())
    leaf = middle.certify(*NAMES)
    found = detailed_certificate(ders(leaf.cert, middle.cert, authority().cert))
    assert found['subject']['CN'] == 'localhost'
    assert found['issuerCertificate']['subject']['CN'] == 'middle'
    root = found['issuerCertificate']['issuerCertificate']
    assert root['issuerCertificate'] is root
    alone = detailed_certificate(ders(leaf.cert))
    assert alone['issuerCertificate'] is None


@pytest.mark.skipif(sys.version_info < (3, 10), reason='this Python does not tell')
@pytest.mark.parametrize('trusted', [authority, stranger])
def test_the_chain_of_the_peer_is_known_whether_it_was_accepted_or_not(trusted):
    middle = Authority('middle', authority())
    leaf = middle.certify(*NAMES)
    server = create_secure_context(key=leaf.key, cert=leaf.cert + middle.cert).server_context()
    met = meet(create_secure_context(ca=trusted().cert).client_context(), server)
    assert (met.client_error is None) == (trusted is authority)
    assert peer_chain(met.client) == ders(leaf.cert, middle.cert)


def test_random_damage_is_an_error_of_one_kind():
    chance = random.Random(21)
    originals = [der for each in RECORDED.values() for der in ders(each['pem'])]
    read = refused = 0
    for _ in range(4_000):
        data = bytearray(chance.choice(originals))
        for _ in range(chance.randint(1, 3)):
            place = chance.randrange(len(data))
            kind = chance.randrange(3)
            if kind == 0:
                data[place] = chance.randrange(256)
            elif kind == 1:
                del data[place:place + chance.randint(1, 9)]
            else:
                data[place:place] = chance.randbytes(chance.randint(1, 9))
            data = data or bytearray(1)
        try:
            certificate_object(bytes(data))
        except ValueError:
            refused += 1
        else:
            read += 1
    assert read > 100
    assert refused > 100


@pytest.mark.parametrize('data', [
    b'', b'0', b'0\x00', b'0\x02\x05\x00', b'0\x80\x00\x00', b'x' * 99])
def test_what_is_no_certificate_is_an_error(data):
    with pytest.raises(ValueError):  # noqa: PT011  # whichever it is
        certificate_object(data)
