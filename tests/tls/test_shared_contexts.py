"""Contexts of clients that bring the same options again."""

from __future__ import annotations

import pytest

from gnet.node.values import UNDEFINED
from gnet.tls import shared_contexts
from gnet.tls.ciphers import DEFAULTS
from gnet.tls.options import tls_connect_options, tls_server_options
from gnet.tls.roots import set_default_ca_certificates
from gnet.tls.shared_contexts import shared_context

from ..harness.authority import NAMES, authority, stranger
from .common import refusal

OWN = authority().certify(*NAMES)
CA = {'ca': authority().cert}


@pytest.fixture(autouse=True)
def nothing_shared(monkeypatch):
    monkeypatch.setattr(shared_contexts, '_shared', {})  # inside: as in a new process


@pytest.mark.parametrize('options', [
    {}, CA, {**CA, 'ciphers': 'ECDHE-ECDSA-AES128-GCM-SHA256'}, OWN.options,
    {'ca': [authority().cert, stranger().cert.encode()]}, {'crl': None, **CA},
], ids=range(6))
def test_the_same_options_have_the_same_context(options):
    first = shared_context({**options, 'host': 'a.example'})
    assert shared_context({**dict(reversed(options.items())), 'port': 5}) is first
    assert shared_context({**options, 'max_version': UNDEFINED}) is first
    assert shared_context({**options, 'max_version': 'TLSv1.2'}) is not first
    assert tls_connect_options(options).context is first


@pytest.mark.parametrize(('one', 'other'), [
    (CA, {}), (CA, {'ca': stranger().cert}), (CA, {'ca': [authority().cert]}),
    ({**CA, 'honor_cipher_order': False}, {**CA, 'honor_cipher_order': True}),
    ({**CA, 'honor_cipher_order': 1}, {**CA, 'honor_cipher_order': True}),
    ({**CA, 'ca': authority().cert.encode()}, CA),
], ids=range(6))
def test_other_options_have_another_one(one, other):
    assert shared_context(one) is not shared_context(other)


def test_what_is_refused_is_refused_though_it_equals_what_is_not():
    shared_context({**CA, 'allow_partial_trust_chain': True})
    assert refusal(shared_context, {**CA, 'allow_partial_trust_chain': 1})[1] == (
        'ERR_INVALID_ARG_TYPE')


def test_what_may_have_changed_is_read_again(tmp_path):
    file = tmp_path / 'ca.pem'
    file.write_text(authority().cert)
    for ca in (file, bytearray(authority().cert.encode()), [file]):
        assert shared_context({'ca': ca}) is not shared_context({'ca': ca})


def test_new_defaults_make_new_contexts(monkeypatch):
    first = shared_context({})
    monkeypatch.setattr(DEFAULTS, 'min_version', 'TLSv1.3')
    assert shared_context({}) is not first


def test_new_roots_make_new_contexts(monkeypatch):
    monkeypatch.setattr('gnet.tls.roots._roots.chosen', None)
    first = shared_context({})
    set_default_ca_certificates([authority().cert])
    second = shared_context({})
    assert second is not first
    set_default_ca_certificates([stranger().cert])
    assert shared_context({}) is not second


def test_few_are_remembered():
    first = shared_context(CA)
    for number in range(40):
        shared_context({**CA, 'passphrase': str(number)})
        assert shared_context(CA) is first
    assert len(shared_contexts._shared) == 16  # inside: that is what it is about


def test_servers_share_nothing():
    one, other = (tls_server_options(OWN.options).context for _ in range(2))
    assert one is not other
    assert tls_server_options({}).context is not tls_server_options({}).context
    assert shared_contexts._shared == {}  # inside: as above
