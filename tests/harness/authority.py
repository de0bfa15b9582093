"""Certificates of the tests, made by the package ``cryptography``."""

from __future__ import annotations

import datetime
import ipaddress
from dataclasses import dataclass
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

__all__ = ['NAMES', 'Authority', 'Certified', 'authority', 'self_signed', 'stranger']

#: What the server of the tests is called.
NAMES = ('localhost', '127.0.0.1', '::1')

_NOW = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
_DAY = datetime.timedelta(days=1)
_PURPOSES = {'server': ExtendedKeyUsageOID.SERVER_AUTH, 'client': ExtendedKeyUsageOID.CLIENT_AUTH}


@dataclass(frozen=True)
class Certified:
    """A private key and its certificate, as PEM."""

    key: str
    cert: str

    @property
    def options(self) -> dict[str, str]:
        """Return them as options of a context."""
        return {'key': self.key, 'cert': self.cert}

    def encrypted_key(self, passphrase: str) -> str:
        """Return the key as PEM that needs *passphrase*."""
        return _key_pem(
            _load_key(self.key), serialization.BestAvailableEncryption(passphrase.encode()))

    def pfx(self, passphrase: str, *others: str) -> bytes:
        """Return both as PKCS#12, with *others*, which are certificates as PEM."""
        return pkcs12.serialize_key_and_certificates(
            b'gnet', _load_key(self.key), x509.load_pem_x509_certificate(self.cert.encode()),
            [x509.load_pem_x509_certificate(each.encode()) for each in others],
            serialization.BestAvailableEncryption(passphrase.encode()))


class Authority:
    """Signs certificates; ``cert`` is its own, as PEM. With *above*, that one has signed it."""

    def __init__(self, name: str, above: Authority | None = None) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _common_name(name)
        signer = above or self
        self._cert = signer._sign(self._name, self._key, [
            (x509.BasicConstraints(ca=True, path_length=None), True),
            (x509.KeyUsage(
                digital_signature=True, content_commitment=False, key_encipherment=False,
                data_encipherment=False, key_agreement=False, key_cert_sign=True, crl_sign=True,
                encipher_only=False, decipher_only=False), True),
            (x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), False),
        ])
        self.cert = _pem(self._cert)

    @classmethod
    def pretend(cls, own: Certified) -> Authority:
        """Return one that signs with a certificate that is none of an authority."""
        made = cls.__new__(cls)
        made._key = _load_key(own.key)
        made._cert = x509.load_pem_x509_certificate(own.cert.encode())
        made._name = made._cert.subject
        made.cert = own.cert
        return made

    def certify(
        self, *names: str, purpose: str = 'server', days: tuple[int, int] = (-1, 30),
        key: Any = None,
    ) -> Certified:
        """Return a key and its certificate for *names*: host names or IP addresses.

        Args:
            names: the first is the common name.
            purpose: ``'server'`` or ``'client'``.
            days: from when until when it is valid, from now on.
            key: the private key, by default a new one of P-256.
        """
        key = key or ec.generate_private_key(ec.SECP256R1())
        cert = self._sign(_common_name(names[0]), key, [
            (x509.SubjectAlternativeName([_alternative(name) for name in names]), False),
            (x509.ExtendedKeyUsage([_PURPOSES[purpose]]), False),
            (x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), False),
        ], days)
        return Certified(_key_pem(key, serialization.NoEncryption()), _pem(cert))

    def revoke(self, *certs: str) -> str:
        """Return the list of those that were revoked, as PEM."""
        builder = (
            x509.CertificateRevocationListBuilder().issuer_name(self._name)
            .last_update(_NOW - _DAY).next_update(_NOW + 30 * _DAY))
        for each in certs:
            serial = x509.load_pem_x509_certificate(each.encode()).serial_number
            builder = builder.add_revoked_certificate(
                x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(_NOW)
                .build())
        made = builder.sign(self._key, hashes.SHA256())
        return made.public_bytes(serialization.Encoding.PEM).decode()

    def _sign(
        self, subject: x509.Name, key: Any, extensions: list[tuple[Any, bool]],
        days: tuple[int, int] = (-1, 30),
    ) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder().subject_name(subject).issuer_name(self._name)
            .public_key(key.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(_NOW + days[0] * _DAY).not_valid_after(_NOW + days[1] * _DAY))
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        return builder.sign(self._key, hashes.SHA256())


def _common_name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def self_signed(*names: str) -> Certified:
    """Return a key and a certificate that nobody else has signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _common_name(names[0])
    cert = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name)
        .public_key(key.public_key()).serial_number(x509.random_serial_number())
        .not_valid_before(_NOW - _DAY).not_valid_after(_NOW + 30 * _DAY)
        .add_extension(x509.SubjectAlternativeName([_alternative(each) for each in names]), False)
        .sign(key, hashes.SHA256()))
    return Certified(_key_pem(key, serialization.NoEncryption()), _pem(cert))


def _load_key(pem: str) -> Any:
    return serialization.load_pem_private_key(pem.encode(), None)


def _key_pem(key: Any, encryption: Any) -> str:
    made: bytes = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
    return made.decode()


def _pem(cert: x509.Certificate) -> str:
    return cert.public_bytes(serialization.Encoding.PEM).decode()


@cache
def authority() -> Authority:
    """Return the one that the tests trust."""
    return Authority('gnet tests')


@cache
def stranger() -> Authority:
    """Return one that they do not."""
    return Authority('somebody else')
