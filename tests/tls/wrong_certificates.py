"""Certificates that are wrong, in each way in which one can be: the rows of the tests of refusals.

Each is for a server and for a client alike (:class:`Wrong`), and the good one beside them, which is
made in the same way and must be let in, shows that it is the one thing that is refused.
"""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID as Purposes
from cryptography.x509.oid import NameOID

from ..harness.authority import NAMES, Certified

__all__ = ['WRONG', 'Chain', 'Wrong', 'chain_of']

_NOW = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
_DAY = datetime.timedelta(days=1)

_PURPOSE = {'server': Purposes.SERVER_AUTH, 'client': Purposes.CLIENT_AUTH}
_OTHER = {'server': 'client', 'client': 'server'}


@dataclass(frozen=True)
class Chain:
    """What a peer shows, and by what it is judged."""

    #: The key and the whole chain that is shown.
    own: Certified
    #: Options of the context of whom it is shown to.
    judge: dict[str, Any]
    #: Whether the peer itself has to be lenient to show it.
    is_weak: bool = False


@dataclass(frozen=True)
class Wrong:
    """One way to be wrong.

    Attributes:
        make: returns the chain for ``'server'`` or ``'client'``.
        codes: of the failure; one of them, as OpenSSL may look at things in another order.
        alerts: what the peer is told, in Python's words; one of them.
    """

    make: Callable[[str], Chain]
    codes: Sequence[str]
    alerts: Sequence[str] = field(default=('TLSV1_ALERT_UNKNOWN_CA',))


class _Made:
    """A key and its certificate."""

    def __init__(
        self, name: str, issuer: _Made | None = None, *, ca: bool | None = None,
        usage: Sequence[str] | None = None, purposes: Sequence[Any] = (),
        names: Sequence[str] = (), days: tuple[int, int] = (-10, 30), length: int | None = None,
        key: Any = None, digest: Any = None, more: Sequence[tuple[Any, bool]] = (),
    ) -> None:
        self.key = key or ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        by = issuer or self
        builder = (
            x509.CertificateBuilder().subject_name(self.name).issuer_name(by.name)
            .public_key(self.key.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(_NOW + days[0] * _DAY).not_valid_after(_NOW + days[1] * _DAY))
        extensions: list[tuple[Any, bool]] = list(more)
        if ca is not None:
            extensions.append((x509.BasicConstraints(ca=ca, path_length=length), True))
        if usage is not None:
            extensions.append((_usage(usage), True))
        if purposes:
            extensions.append((x509.ExtendedKeyUsage(list(purposes)), False))
        if names:
            extensions.append((x509.SubjectAlternativeName(list(map(_alternative, names))), False))
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        self.cert = builder.sign(by.key, digest or hashes.SHA256())

    @property
    def pem(self) -> str:
        return self.cert.public_bytes(serialization.Encoding.PEM).decode()

    def shown(self, *others: _Made) -> Certified:
        """Return it as a peer shows it, with the rest of its chain."""
        key = self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption()).decode()
        return Certified(key, ''.join(each.pem for each in (self, *others)))

    def revoke(self, *certs: _Made, days: tuple[int, int] = (-1, 30)) -> str:
        """Return a list of these as revoked."""
        builder = (
            x509.CertificateRevocationListBuilder().issuer_name(self.name)
            .last_update(_NOW + days[0] * _DAY).next_update(_NOW + days[1] * _DAY))
        for each in certs:
            builder = builder.add_revoked_certificate(
                x509.RevokedCertificateBuilder().serial_number(each.cert.serial_number)
                .revocation_date(_NOW - _DAY).build())
        made = builder.sign(self.key, hashes.SHA256())
        return made.public_bytes(serialization.Encoding.PEM).decode()


def _usage(which: Sequence[str]) -> x509.KeyUsage:
    names = (
        'digital_signature', 'content_commitment', 'key_encipherment', 'data_encipherment',
        'key_agreement', 'key_cert_sign', 'crl_sign', 'encipher_only', 'decipher_only')
    return x509.KeyUsage(**{name: name in which for name in names})


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


# --- the chain that is good, of which each wrong one differs in one thing -------------------------

_SIGNS = ('key_cert_sign', 'crl_sign')


@cache
def _root() -> _Made:
    return _Made('root', ca=True, usage=_SIGNS)


@cache
def _between() -> _Made:
    return _Made('between', _root(), ca=True, usage=_SIGNS)


def _leaf(end: str, issuer: _Made | None = None, **changes: Any) -> _Made:
    given: dict[str, Any] = {
        'ca': False, 'usage': ['digital_signature'], 'purposes': [_PURPOSE[end]], 'names': NAMES,
        **changes}
    return _Made(NAMES[0], issuer or _between(), **given)


def _chain(leaf: _Made, *others: _Made, is_weak: bool = False, **judge: Any) -> Chain:
    return Chain(leaf.shown(*others), {'ca': _root().pem, **judge}, is_weak)


def _good(end: str) -> Chain:
    return _chain(_leaf(end), _between())


def _good_and_not_revoked(end: str) -> Chain:
    return _chain(_leaf(end), _between(), crl=[_root().revoke(), _between().revoke(_leaf(end))])


#: ``sha256WithRSAEncryption`` and ``sha1WithRSAEncryption`` as DER: they differ in the last byte.
_SHA256_WITH_RSA = bytes.fromhex('2a864886f70d01010b')
_SHA1_WITH_RSA = bytes.fromhex('2a864886f70d010105')


# --- each way to be wrong -------------------------------------------------------------------------


def _unknown_issuer(end: str) -> Chain:
    return _chain(_leaf(end, _Made('stranger', ca=True, usage=_SIGNS)))


def _same_name_other_key(end: str) -> Chain:
    return _chain(_leaf(end, _Made('root', ca=True, usage=_SIGNS)))


def _chain_to_nobody(end: str) -> Chain:
    stranger = _Made('stranger', ca=True, usage=_SIGNS)
    between = _Made('its', stranger, ca=True, usage=_SIGNS)
    return _chain(_leaf(end, between), between)


def _root_is_shown(end: str) -> Chain:
    stranger = _Made('stranger', ca=True, usage=_SIGNS)
    return _chain(_leaf(end, stranger), stranger)


def _self_signed(end: str) -> Chain:
    leaf = _Made(
        NAMES[0], ca=False, usage=['digital_signature'], purposes=[_PURPOSE[end]], names=NAMES)
    return _chain(leaf)


def _link_is_missing(end: str) -> Chain:
    return _chain(_leaf(end))


def _expired(end: str) -> Chain:
    return _chain(_leaf(end, days=(-10, -1)), _between())


def _not_yet_valid(end: str) -> Chain:
    return _chain(_leaf(end, days=(1, 10)), _between())


def _issuer_expired(end: str) -> Chain:
    between = _Made('old', _root(), ca=True, usage=_SIGNS, days=(-10, -1))
    return _chain(_leaf(end, between), between)


def _root_expired(end: str) -> Chain:
    root = _Made('old root', ca=True, usage=_SIGNS, days=(-10, -1))
    return _chain(_leaf(end, root), ca=root.pem)


def _other_purpose(end: str) -> Chain:
    return _chain(_leaf(end, purposes=[_PURPOSE[_OTHER[end]]]), _between())


def _purpose_is_no_tls(end: str) -> Chain:
    return _chain(_leaf(end, purposes=[Purposes.CODE_SIGNING]), _between())


def _issuers_purpose(end: str) -> Chain:
    between = _Made(
        'of others', _root(), ca=True, usage=_SIGNS, purposes=[_PURPOSE[_OTHER[end]]])
    return _chain(_leaf(end, between), between)


def _key_may_not_sign(end: str) -> Chain:
    return _chain(_leaf(end, usage=['crl_sign']), _between())


def _issuer_is_no_ca(end: str) -> Chain:
    issuer = _Made('any', _between(), ca=False, usage=['digital_signature'], names=['any'])
    return _chain(_leaf(end, issuer), issuer, _between())


def _issuer_may_not_certify(end: str) -> Chain:
    between = _Made('weak', _root(), ca=True, usage=['digital_signature'])
    return _chain(_leaf(end, between), between)


def _chain_is_too_long(end: str) -> Chain:
    first = _Made('first', _root(), ca=True, usage=_SIGNS, length=0)
    second = _Made('second', first, ca=True, usage=_SIGNS)
    return _chain(_leaf(end, second), second, first)


def _outside_of_its_constraints(end: str) -> Chain:
    between = _Made('narrow', _root(), ca=True, usage=_SIGNS, more=[(
        x509.NameConstraints([x509.DNSName('example')], None), True)])
    return _chain(_leaf(end, between), between)


def _unknown_critical_extension(end: str) -> Chain:
    unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier('1.3.6.1.4.1.55555.1'), b'\x05\0')
    return _chain(_leaf(end, more=[(unknown, True)]), _between())


def _revoked(end: str) -> Chain:
    leaf = _leaf(end)
    return _chain(leaf, _between(), crl=[_root().revoke(), _between().revoke(leaf)])


def _issuer_revoked(end: str) -> Chain:
    between = _Made('withdrawn', _root(), ca=True, usage=_SIGNS)
    return _chain(
        _leaf(end, between), between, crl=[_root().revoke(between), between.revoke()])


def _list_is_missing(end: str) -> Chain:
    return _chain(_leaf(end), _between(), crl=_root().revoke())


def _list_is_old(end: str) -> Chain:
    return _chain(
        _leaf(end), _between(), crl=[_root().revoke(), _between().revoke(days=(-10, -1))])


def _list_is_forged(end: str) -> Chain:
    forged = _Made('between', ca=True, usage=_SIGNS)
    return _chain(_leaf(end), _between(), crl=[_root().revoke(), forged.revoke()])


def _short_key(end: str) -> Chain:
    key = rsa.generate_private_key(65537, 1024)
    usage = ['digital_signature', 'key_encipherment']
    return _chain(_leaf(end, key=key, usage=usage), _between(), is_weak=True)


def _weak_digest(end: str) -> Chain:
    # It is made with SHA-256 and then signed once more, as no package signs with SHA-1 any more.
    root = _Made('root', ca=True, usage=_SIGNS, key=rsa.generate_private_key(65537, 2048))
    leaf = _leaf(end, root)
    signature = root.key.sign(
        leaf.cert.tbs_certificate_bytes.replace(_SHA256_WITH_RSA, _SHA1_WITH_RSA),
        padding.PKCS1v15(), hashes.SHA1())
    der = leaf.cert.public_bytes(serialization.Encoding.DER)
    weak = der[:-len(signature)].replace(_SHA256_WITH_RSA, _SHA1_WITH_RSA) + signature
    leaf.cert = x509.load_der_x509_certificate(weak)
    return _chain(leaf, is_weak=True, ca=root.pem)


def _signature_is_damaged(end: str) -> Chain:
    return _damaged(end, -1)


def _content_is_damaged(end: str) -> Chain:
    # The name in the certificate: shown as somebody else's.
    return _damaged(end, None)


def _damaged(end: str, place: int | None) -> Chain:
    leaf = _leaf(end)
    der = bytearray(leaf.cert.public_bytes(serialization.Encoding.DER))
    if place is None:
        place = der.index(b'localhost', der.index(b'localhost') + 1)
    der[place] ^= 1
    leaf.cert = x509.load_der_x509_certificate(bytes(der))
    return _chain(leaf, _between())


_BAD, _EXPIRED = 'SSLV3_ALERT_BAD_CERTIFICATE', 'SSLV3_ALERT_CERTIFICATE_EXPIRED'
_UNSUPPORTED, _REVOKED = 'SSLV3_ALERT_UNSUPPORTED_CERTIFICATE', 'SSLV3_ALERT_CERTIFICATE_REVOKED'
_UNKNOWN_CA, _DECRYPT = 'TLSV1_ALERT_UNKNOWN_CA', 'TLSV1_ALERT_DECRYPT_ERROR'
_UNKNOWN, _INTERNAL = 'SSLV3_ALERT_CERTIFICATE_UNKNOWN', 'TLSV1_ALERT_INTERNAL_ERROR'

_NO_ISSUER = ('UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY')

#: What they are called in the tests.
WRONG: dict[str, Wrong] = {
    'unknown issuer': Wrong(_unknown_issuer, _NO_ISSUER),
    "an authority's name, another key": Wrong(
        _same_name_other_key, (*_NO_ISSUER, 'CERT_SIGNATURE_FAILURE'), (_UNKNOWN_CA, _DECRYPT)),
    'a chain to nobody': Wrong(_chain_to_nobody, _NO_ISSUER),
    'the root is shown, and unknown': Wrong(_root_is_shown, ('SELF_SIGNED_CERT_IN_CHAIN',)),
    'self-signed': Wrong(_self_signed, ('DEPTH_ZERO_SELF_SIGNED_CERT',)),
    'a link is missing': Wrong(_link_is_missing, _NO_ISSUER),
    'expired': Wrong(_expired, ('CERT_HAS_EXPIRED',), (_EXPIRED,)),
    'not yet valid': Wrong(_not_yet_valid, ('CERT_NOT_YET_VALID',), (_BAD,)),
    'issuer expired': Wrong(_issuer_expired, ('CERT_HAS_EXPIRED',), (_EXPIRED,)),
    'root expired': Wrong(_root_expired, ('CERT_HAS_EXPIRED',), (_EXPIRED,)),
    'for the other end': Wrong(_other_purpose, ('INVALID_PURPOSE',), (_UNSUPPORTED,)),
    'for something else': Wrong(_purpose_is_no_tls, ('INVALID_PURPOSE',), (_UNSUPPORTED,)),
    'issuer for the other end': Wrong(_issuers_purpose, ('INVALID_PURPOSE',), (_UNSUPPORTED,)),
    'key usage': Wrong(_key_may_not_sign, ('INVALID_PURPOSE',), (_UNSUPPORTED,)),
    'issuer is no CA': Wrong(_issuer_is_no_ca, ('INVALID_CA',), (_UNKNOWN_CA, _BAD)),
    'issuer may not certify': Wrong(
        _issuer_may_not_certify, (*_NO_ISSUER, 'INVALID_CA', 'UNSPECIFIED'),
        (_UNKNOWN_CA, _BAD, _UNKNOWN)),
    'the chain is too long': Wrong(
        _chain_is_too_long, ('PATH_LENGTH_EXCEEDED',), (_UNKNOWN_CA,)),
    'outside of the constraints': Wrong(
        _outside_of_its_constraints, ('UNSPECIFIED',), (_UNKNOWN,)),
    'unknown critical extension': Wrong(
        _unknown_critical_extension, ('UNSPECIFIED',), (_UNKNOWN,)),
    'revoked': Wrong(_revoked, ('CERT_REVOKED',), (_REVOKED,)),
    'issuer revoked': Wrong(_issuer_revoked, ('CERT_REVOKED',), (_REVOKED,)),
    'the list is missing': Wrong(_list_is_missing, ('UNABLE_TO_GET_CRL',), (_UNKNOWN_CA,)),
    'the list is old': Wrong(_list_is_old, ('CRL_HAS_EXPIRED',), (_EXPIRED,)),
    'the list is forged': Wrong(
        _list_is_forged, ('CRL_SIGNATURE_FAILURE', 'UNABLE_TO_GET_CRL'),
        (_DECRYPT, _UNKNOWN_CA)),
    'a short key': Wrong(_short_key, ('UNSPECIFIED',), (_BAD,)),
    'a weak digest': Wrong(_weak_digest, ('UNSPECIFIED',), (_BAD,)),
    'the signature is damaged': Wrong(
        _signature_is_damaged, ('CERT_SIGNATURE_FAILURE',), (_DECRYPT,)),
    'the content is damaged': Wrong(
        _content_is_damaged, ('CERT_SIGNATURE_FAILURE',), (_DECRYPT,)),
}

_GOOD = {'good': _good, 'good, and in no list': _good_and_not_revoked}


@cache
def chain_of(name: str, end: str) -> Chain:
    """Return the chain of a row of :data:`WRONG`, or ``'good'``, for one of the two ends."""
    return _GOOD[name](end) if name in _GOOD else WRONG[name].make(end)
