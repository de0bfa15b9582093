"""Whose certificate it is: the table of what Node accepts and what it refuses, and why."""

from __future__ import annotations

import ssl

import pytest

from gnet.errors import CodedError
from gnet.node.values import UNDEFINED
from gnet.tls.errors import TLSCertificateError
from gnet.tls.identity import check_server_identity

NO_NAME = 'Cert does not contain a DNS name'
ODD = 'Host is a non-canonical IP address'
OK = None


def other_name(host, text):
    return f"Host: {host}. is not in the cert's altnames: {text}"


def other_address(host, listed=''):
    return f"IP: {host} is not in the cert's list: {listed}"


def dns(*names):
    return {'subjectaltname': ', '.join(f'DNS:{name}' for name in names)}


def address(*addresses):
    return {'subjectaltname': ', '.join(f'IP Address:{each}' for each in addresses)}


def common_name(name, text=None):
    cert = {'subject': {'CN': name}}
    return cert if text is None else {**cert, 'subjectaltname': text}


@pytest.mark.parametrize(('host', 'cert', 'reason'), [
    ('a.com', dns('a.com'), OK),
    ('A.COM', dns('a.com'), OK),
    ('a.com', dns('A.COM'), OK),
    ('a.com.', dns('a.com'), OK),
    ('a.com', dns('a.com.'), OK),
    ('b.com', dns('a.com'), other_name('b.com', 'DNS:a.com')),
    ('b.com.', dns('a.com'), other_name('b.com', 'DNS:a.com')),
    ('x.a.com', dns('*.a.com'), OK),
    ('a.com', dns('*.a.com'), other_name('a.com', 'DNS:*.a.com')),
    ('y.x.a.com', dns('*.a.com'), other_name('y.x.a.com', 'DNS:*.a.com')),
    ('x.a.com', dns('*.*.com'), other_name('x.a.com', 'DNS:*.*.com')),
    ('a.com', dns('*.com'), other_name('a.com', 'DNS:*.com')),
    ('-a.com', dns('*.com'), other_name('-a.com', 'DNS:*.com')),
    ('com', dns('*'), other_name('com', 'DNS:*')),
    ('a.com', dns('*'), other_name('a.com', 'DNS:*')),
    ('foo.a.com', dns('f*.a.com'), OK),
    ('foo.a.com', dns('*o.a.com'), OK),
    ('foo.a.com', dns('f*o.a.com'), OK),
    ('fo.a.com', dns('f*o.a.com'), OK),
    ('f.a.com', dns('f*f.a.com'), other_name('f.a.com', 'DNS:f*f.a.com')),
    ('foo.a.com', dns('f*o*.a.com'), other_name('foo.a.com', 'DNS:f*o*.a.com')),
    ('x.y.a.com', dns('x.*.a.com'), other_name('x.y.a.com', 'DNS:x.*.a.com')),
    ('xn--foo.a.com', dns('*.a.com'), OK),
    ('xn--foo.a.com', dns('xn--*.a.com'), other_name('xn--foo.a.com', 'DNS:xn--*.a.com')),
    ('xn--bcher-kva.a.com', dns('xn--bcher-kva.a.com'), OK),
    ('bücher.a.com', dns('xn--bcher-kva.a.com'), OK),
    ('bücher.a.com', dns('bücher.a.com'), other_name('bücher.a.com', 'DNS:bücher.a.com')),
    ('_x.a.com', dns('*.a.com'), OK),
    ('a.com', common_name('a.com', 'DNS:b.com'), other_name('a.com', 'DNS:b.com')),
    ('a.com', common_name('a.com'), OK),
    ('A.com', common_name('a.com'), OK),
    ('x.a.com', common_name('*.a.com'), OK),
    ('a.com', common_name('a.com', 'IP Address:1.2.3.4'), OK),
    ('a.com', common_name('a.com', 'URI:http://a.com/'), OK),
    ('a.com', {'subjectaltname': 'URI:http://a.com/'}, NO_NAME),
    ('a.com', common_name('a.com', 'email:x@a.com'), OK),
    ('a.com', common_name(['b.com', 'a.com']), OK),
    ('x.com', common_name(['b.com', 'a.com']), "Host: x.com. is not cert's CN: b.com,a.com"),
    ('b.com', common_name('a.com'), "Host: b.com. is not cert's CN: a.com"),
    ('a.com', {}, NO_NAME),
    ('a.com', {'subject': {}}, NO_NAME),
    ('a.com', {'subjectaltname': ''}, NO_NAME),
    ('1.2.3.4', address('1.2.3.4'), OK),
    ('1.2.3.5', address('1.2.3.4', '1.2.3.6'), other_address('1.2.3.5', '1.2.3.4, 1.2.3.6')),
    ('1.2.3.4', dns('1.2.3.4'), other_address('1.2.3.4')),
    ('1.2.3.4', common_name('1.2.3.4'), other_address('1.2.3.4')),
    ('1.2.3.4', dns('*.2.3.4'), other_address('1.2.3.4')),
    ('1.2.3.4', address('8.8.8.0/24'), other_address('1.2.3.4')),
    ('::1', address('0:0:0:0:0:0:0:1'), OK),
    ('0:0:0:0:0:0:0:1', address('::1'), OK),
    ('2001:DB8::1', address('2001:db8:0:0:0:0:0:1'), OK),
    ('fe80::1%eth0', address('FE80:0:0:0:0:0:0:1'), OK),
    ('[::1]', address('::1'), NO_NAME),
    ('::ffff:1.2.3.4', address('1.2.3.4'), other_address('::ffff:1.2.3.4', '1.2.3.4')),
    ('127.0.0.1.', address('127.0.0.1'), OK),
    ('127.1', address('127.0.0.1'), ODD),
    ('1', address('0.0.0.1'), ODD),
    ('0x7f.0.0.1', dns('0x7f.0.0.1'), ODD),
    ('0177.0.0.1', dns('0177.0.0.1'), ODD),
    ('2130706433', dns('2130706433'), ODD),
    ('4294967296', dns('4294967296'), other_name('4294967296', 'DNS:4294967296')),
    ('1.2.3.4.5', dns('1.2.3.4.5'), other_name('1.2.3.4.5', 'DNS:1.2.3.4.5')),
    ('1.2.3.a', dns('a.com'), other_name('1.2.3.a', 'DNS:a.com')),
    ('localhost', dns('a.com', 'localhost'), OK),
    ('a.com', {'subjectaltname': 'DNS:"a.com"'}, OK),
    ('a.com', {'subjectaltname': 'DNS:"evil.com, DNS:a.com"'},
     other_name('a.com', 'DNS:"evil.com, DNS:a.com"')),
    ('', dns('a.com'), other_name('', 'DNS:a.com')),
    ('a.com\0.evil.com', dns('a.com'), other_name('a.com\0.evil.com', 'DNS:a.com')),
    ('a.com', dns('a.com\0.evil.com'), other_name('a.com', 'DNS:a.com\0.evil.com')),
    ('a..com', dns('a..com'), other_name('a..com', 'DNS:a..com')),
    ('a.com', {'subjectaltname': 'dns:a.com'}, NO_NAME),
    (UNDEFINED, dns('a.com'), other_name('undefined', 'DNS:a.com')),
    (5, dns('a.com'), ODD),
])
def test_a_certificate_is_that_of_a_host(host, cert, reason):
    error = check_server_identity(host, cert)
    assert (None if error is None else error.reason) == reason


def test_the_error_says_what_was_asked_for_and_what_was_found():
    cert = dns('a.com')
    error = check_server_identity('b.com', cert)
    assert isinstance(error, TLSCertificateError)
    assert isinstance(error, ssl.CertificateError)
    assert error.code == 'ERR_TLS_CERT_ALTNAME_INVALID'
    assert error.host == 'b.com'
    assert error.cert is cert
    assert error.verify_code == 62
    assert str(error) == (
        "Hostname/IP does not match certificate's altnames: "
        "Host: b.com. is not in the cert's altnames: DNS:a.com")
    assert check_server_identity('1.2.3.4', cert).verify_code == 64


@pytest.mark.parametrize('text', [
    'DNS:a.com, "', 'DNS:"a.com', 'DNS:"a\\x.com"', 'DNS:"a\n.com"', 'DNS:"\\ud80"'])
def test_names_that_cannot_be_read_are_an_error_of_their_own(text):
    with pytest.raises(CodedError) as caught:
        check_server_identity('a.com', {'subjectaltname': text})
    assert caught.value.code == 'ERR_TLS_CERT_ALTNAME_FORMAT'
    assert str(caught.value) == 'Invalid subject alternative name string'


@pytest.mark.parametrize('cert', [None, 'a.com', 5])
def test_what_is_no_certificate_is_refused(cert):
    with pytest.raises(TypeError, match='The "cert" argument must be of type object'):
        check_server_identity('a.com', cert)
