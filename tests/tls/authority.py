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
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

__all__ = ['NAMES', 'Authority', 'Certified', 'authority', 'stranger']

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


class Authority:
    """Signs certificates; ``cert`` is its own, as PEM."""

    def __init__(self, name: str) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _common_name(name)
        self._cert = self._sign(self._name, self._key, [
            (x509.BasicConstraints(ca=True, path_length=None), True),
            (x509.KeyUsage(
                digital_signature=True, content_commitment=False, key_encipherment=False,
                data_encipherment=False, key_agreement=False, key_cert_sign=True, crl_sign=True,
                encipher_only=False, decipher_only=False), True),
            (x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), False),
        ])
        self.cert = _pem(self._cert)

    def certify(
        self, *names: str, purpose: str = 'server', days: tuple[int, int] = (-1, 30),
    ) -> Certified:
        """Return a key and its certificate for *names*: host names or IP addresses.

        Args:
            names: the first is the common name.
            purpose: ``'server'`` or ``'client'``.
            days: from when until when it is valid, from now on.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        cert = self._sign(_common_name(names[0]), key, [
            (x509.SubjectAlternativeName([_alternative(name) for name in names]), False),
            (x509.ExtendedKeyUsage([_PURPOSES[purpose]]), False),
            (x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), False),
        ], days)
        return Certified(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption()).decode(),
            _pem(cert))

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
