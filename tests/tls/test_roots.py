"""Whom a client trusts if it is not told."""

from __future__ import annotations

import ssl

import pytest

from gnet.tls import roots
from gnet.tls.roots import (
    get_ca_certificates,
    root_certificates,
    set_default_ca_certificates,
)
from gnet.tls.secure_context import create_secure_context
from gnet.tls.shared_contexts import shared_context
from gnet.tls.verdict import verdict

from ..harness.authority import NAMES, authority, stranger
from .common import meet, refusal

OWN = authority().certify(*NAMES)


@pytest.fixture(autouse=True)
def fresh_roots(monkeypatch):
    """Have nothing read or set, in each test."""
    monkeypatch.setattr(roots, '_roots', type(roots._roots)())  # inside: as in a new process


@pytest.fixture
def system(monkeypatch, tmp_path):
    """Return the file of the system's authorities, which has that of the tests."""
    file = tmp_path / 'roots.pem'
    file.write_text('# comment: é\n' + authority().cert, 'utf-8')
    folder = tmp_path / 'folder'
    folder.mkdir()
    (folder / '0123abcd.0').write_text(stranger().cert + authority().cert, 'ascii')
    (folder / '0123abcd.1').symlink_to(tmp_path / 'nowhere')
    (folder / 'readme').write_text(OWN.cert, 'ascii')
    monkeypatch.setenv('SSL_CERT_FILE', str(file))
    monkeypatch.setenv('SSL_CERT_DIR', str(folder))
    return file


def is_accepted(context):
    return meet(context.client_context(), create_secure_context(OWN.options).server_context()
                ).client_error is None


def test_the_system_is_trusted(system):
    assert is_accepted(create_secure_context())
    listed = get_ca_certificates()
    assert listed == (authority().cert.strip(), stranger().cert.strip())
    assert get_ca_certificates('system') is get_ca_certificates('default') is listed
    assert get_ca_certificates('bundled') is root_certificates() is listed
    assert get_ca_certificates('extra') == ()


def test_a_context_that_names_an_authority_trusts_no_other(system):
    assert not is_accepted(create_secure_context(ca=stranger().cert))


@pytest.mark.parametrize('certs', [
    [authority().cert], [authority().cert.encode()], (stranger().cert + authority().cert,),
    [memoryview(authority().cert.encode()), authority().cert],
], ids=range(4))
def test_the_default_may_be_set(monkeypatch, tmp_path, certs):
    monkeypatch.setenv('SSL_CERT_FILE', str(tmp_path / 'none'))
    monkeypatch.setenv('SSL_CERT_DIR', str(tmp_path))
    before, shared = create_secure_context(), shared_context({})
    set_default_ca_certificates(certs)
    assert is_accepted(create_secure_context())
    assert is_accepted(shared_context({}))
    assert authority().cert.strip() in get_ca_certificates()
    assert len(set(get_ca_certificates())) == len(get_ca_certificates())
    # What was made before keeps what it had.
    assert not is_accepted(before)
    assert not is_accepted(shared)


def test_what_was_let_through_is_judged_by_the_same_authorities():
    good, bad = (
        [ssl.PEM_cert_to_DER_cert(each.certify(*NAMES).cert)] for each in (authority(), stranger()))
    set_default_ca_certificates([authority().cert])
    context = create_secure_context()
    set_default_ca_certificates([stranger().cert])
    assert verdict(context, good) is None
    assert verdict(context, bad) is not None


def test_an_empty_default_trusts_nobody(system):
    set_default_ca_certificates([])
    assert get_ca_certificates() == ()
    assert not is_accepted(create_secure_context())
    assert get_ca_certificates('system') != ()


@pytest.mark.parametrize(('certs', 'expected'), [
    ('x', ('CodedTypeError', 'ERR_INVALID_ARG_TYPE',
           'The "certs" argument must be an instance of Array. '
           "Received type string ('x')")),
    (None, ('CodedTypeError', 'ERR_INVALID_ARG_TYPE',
            'The "certs" argument must be an instance of Array. Received null')),
    ([5], ('CodedTypeError', 'ERR_INVALID_ARG_TYPE',
           'The "certs[0]" argument must be of type string or an instance of ArrayBufferView. '
           'Received type number (5)')),
    (['x'], ('CodedRuntimeError', 'ERR_CRYPTO_OPERATION_FAILED',
             'No valid certificates found in the provided array')),
    ([authority().cert, 'x'], ('CodedRuntimeError', 'ERR_CRYPTO_OPERATION_FAILED',
                               'No valid certificates found in the provided array')),
    ([authority().cert.replace('MII', 'AAA', 1)], (
        'CodedRuntimeError', 'ERR_CRYPTO_OPERATION_FAILED',
        'No valid certificates found in the provided array')),
])
def test_what_is_no_list_of_certificates_is_refused_and_changes_nothing(system, certs, expected):
    assert refusal(set_default_ca_certificates, certs) == expected
    assert get_ca_certificates() is get_ca_certificates('system')


@pytest.mark.parametrize(('kind', 'code'), [
    ('x', 'ERR_INVALID_ARG_VALUE'), (None, 'ERR_INVALID_ARG_TYPE'), (5, 'ERR_INVALID_ARG_TYPE')])
def test_there_are_four_kinds(kind, code):
    assert refusal(get_ca_certificates, kind)[1] == code


def test_reading_waits_until_it_is_needed(system, monkeypatch):
    def never(*arguments):
        raise AssertionError('the authorities of the system were read')

    monkeypatch.setattr(ssl.SSLContext, 'load_default_certs', never)
    create_secure_context(OWN.options).server_context()
    create_secure_context(OWN.options).client_context(verify=False)
    create_secure_context(ca=authority().cert).client_context()
    with pytest.raises(AssertionError):
        create_secure_context().client_context()
