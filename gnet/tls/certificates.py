"""Certificates as Node shows them: an object with texts, of the DER that the peer has sent.

Python's own ``getpeercert()`` has half of it, and nothing at all of a certificate that was not
verified; and it does not know the own one, nor those above. So the DER is read here, for all.
Reading says nothing about whether it is to be trusted.
"""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from .alternative_names import name_text
from .der import BIT_STRING, BOOLEAN, OCTET_STRING, SEQUENCE, BadDER, Value, read_value

__all__ = [
    'certificate_object',
    'detailed_certificate',
    'peer_chain',
]

#: Certificates that are remembered as read: a client meets the same ones again and again.
_REMEMBERED = 64

_MONTHS = ('Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec')

#: OpenSSL's short names of what names consist of.
_ATTRIBUTES = {
    '2.5.4.3': 'CN', '2.5.4.4': 'SN', '2.5.4.5': 'serialNumber', '2.5.4.6': 'C', '2.5.4.7': 'L',
    '2.5.4.8': 'ST', '2.5.4.9': 'street', '2.5.4.10': 'O', '2.5.4.11': 'OU', '2.5.4.12': 'title',
    '2.5.4.13': 'description', '2.5.4.15': 'businessCategory', '2.5.4.16': 'postalAddress',
    '2.5.4.17': 'postalCode', '2.5.4.20': 'telephoneNumber', '2.5.4.41': 'name', '2.5.4.42': 'GN',
    '2.5.4.43': 'initials', '2.5.4.44': 'generationQualifier', '2.5.4.46': 'dnQualifier',
    '2.5.4.65': 'pseudonym', '2.5.4.97': 'organizationIdentifier',
    '0.9.2342.19200300.100.1.1': 'UID', '0.9.2342.19200300.100.1.25': 'DC',
    '1.2.840.113549.1.9.1': 'emailAddress', '1.2.840.113549.1.9.2': 'unstructuredName',
    '1.3.6.1.4.1.311.60.2.1.1': 'jurisdictionL', '1.3.6.1.4.1.311.60.2.1.2': 'jurisdictionST',
    '1.3.6.1.4.1.311.60.2.1.3': 'jurisdictionC',
}

_RSA, _EC = '1.2.840.113549.1.1.1', '1.2.840.10045.2.1'

#: Curves: OpenSSL's name, NIST's, and the bits.
_CURVES = {
    '1.2.840.10045.3.1.7': ('prime256v1', 'P-256', 256),
    '1.3.132.0.33': ('secp224r1', 'P-224', 224),
    '1.3.132.0.34': ('secp384r1', 'P-384', 384),
    '1.3.132.0.35': ('secp521r1', 'P-521', 521),
    '1.3.132.0.10': ('secp256k1', None, 256),
    '1.3.36.3.3.2.8.1.1.7': ('brainpoolP256r1', None, 256),
    '1.3.36.3.3.2.8.1.1.11': ('brainpoolP384r1', None, 384),
    '1.3.36.3.3.2.8.1.1.13': ('brainpoolP512r1', None, 512),
}

_KEY_USAGE, _ALTERNATIVE_NAMES, _BASIC_CONSTRAINTS = '2.5.29.15', '2.5.29.17', '2.5.29.19'
_EXTENDED_KEY_USAGE, _INFO_ACCESS = '2.5.29.37', '1.3.6.1.5.5.7.1.1'
_ACCESS = {'1.3.6.1.5.5.7.48.1': 'OCSP', '1.3.6.1.5.5.7.48.2': 'CA Issuers'}

#: The bit of a key usage that lets sign certificates (RFC 5280 §4.2.1.3), in its first byte.
_MAY_SIGN = 0x04

_VERSION, _EXTENSIONS = 0xA0, 0xA3


def certificate_object(der: bytes) -> dict[str, Any]:
    """Return a certificate as Node shows it, in a new dict.

    Its keys are Node's, always all of them: ``subject``, ``issuer`` (dicts), ``subjectaltname``,
    ``infoAccess``, ``ca``, ``modulus``, ``exponent``, ``pubkey``, ``bits``, ``valid_from``,
    ``valid_to``, ``fingerprint``, ``fingerprint256``, ``fingerprint512``, ``ext_key_usage``,
    ``serialNumber``, ``raw``, ``asn1Curve``, ``nistCurve``. What it does not have is None.

    Raises:
        ValueError: it is no certificate.
    """
    return {
        name: (dict(value) if isinstance(value, dict) else
               list(value) if isinstance(value, list) else value)
        for name, value in _read(der).items()
    }


def detailed_certificate(chain: Sequence[bytes]) -> dict[str, Any]:
    """Return the first certificate with those that have issued it, as ``issuerCertificate``.

    A root is its own issuer there. Of one whose issuer is not in the chain it is None.

    Args:
        chain: each as DER, the peer's own first.

    Raises:
        ValueError: one of them is no certificate.
    """
    objects = [certificate_object(each) for each in chain]
    for certificate in objects:
        certificate['issuerCertificate'] = next(
            (other for other in objects if other['subject'] == certificate['issuer']
             and (other is not certificate or certificate['subject'] == certificate['issuer'])),
            None)
    return objects[0]


def peer_chain(connection: ssl.SSLObject) -> list[bytes] | None:
    """Return the certificates that the peer has sent, each as DER; None if Python does not tell.

    Works after a failed handshake, too. Public since Python 3.13; 3.9 does not have it at all.
    """
    ask = getattr(connection, 'get_unverified_chain', None)
    if ask is not None:
        return [bytes(each) for each in ask() or ()]
    inner = getattr(connection, '_sslobj', None)
    ask = getattr(inner, 'get_unverified_chain', None)
    if ask is None:
        return None
    # Python 3.10 to 3.12 return objects that know their forms: 2 is DER.
    return [each.public_bytes(2) for each in ask() or ()]


@lru_cache(_REMEMBERED)
def _read(der: bytes) -> dict[str, Any]:
    signed = read_value(der).expect(SEQUENCE)
    fields = read_value(signed.content).expect(SEQUENCE).items()
    if fields and fields[0].tag == _VERSION:
        del fields[0]
    if len(fields) < 6:
        raise BadDER('a field is missing')
    serial, _, issuer, validity, subject, key = fields[:6]
    begin, end = validity.expect(SEQUENCE).items()
    extensions = _extensions(fields[6:])
    made: dict[str, Any] = dict.fromkeys((
        'subject', 'issuer', 'subjectaltname', 'infoAccess', 'ca', 'modulus', 'exponent', 'pubkey',
        'bits', 'valid_from', 'valid_to', 'fingerprint', 'fingerprint256', 'fingerprint512',
        'ext_key_usage', 'serialNumber', 'raw', 'asn1Curve', 'nistCurve'))
    names = extensions.get(_ALTERNATIVE_NAMES)
    usages = extensions.get(_EXTENDED_KEY_USAGE)
    made.update(
        subject=_name(subject), issuer=_name(issuer),
        subjectaltname=None if names is None else ', '.join(
            name_text(each, attribute_name) for each in names.expect(SEQUENCE).items()),
        infoAccess=_info_access(extensions.get(_INFO_ACCESS)),
        ca=_is_authority(extensions),
        valid_from=_time_text(begin.time()), valid_to=_time_text(end.time()),
        fingerprint=_fingerprint(hashlib.sha1(der, usedforsecurity=False).hexdigest()),
        fingerprint256=_fingerprint(hashlib.sha256(der).hexdigest()),
        fingerprint512=_fingerprint(hashlib.sha512(der).hexdigest()),
        ext_key_usage=None if usages is None else [
            each.oid() for each in usages.expect(SEQUENCE).items()],
        serialNumber=_hexadecimal(serial.integer()),
        raw=der,
    )
    made.update(_key(key))
    return made


def attribute_name(oid: str) -> str:
    """Return OpenSSL's short name of a part of a name, or the number of one that has none."""
    return _ATTRIBUTES.get(oid, oid)


def _name(value: Value) -> dict[str, Any]:
    parts: dict[str, Any] = {}
    for group in value.expect(SEQUENCE).items():
        for part in group.items():
            oid, content = part.expect(SEQUENCE).items()
            name, text = attribute_name(oid.oid()), content.text()
            if name not in parts:
                parts[name] = text
            elif isinstance(parts[name], list):
                parts[name].append(text)
            else:
                parts[name] = [parts[name], text]
    return parts


def _extensions(fields: Sequence[Value]) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for field in fields:
        if field.tag != _EXTENSIONS:
            continue
        for extension in read_value(field.content).expect(SEQUENCE).items():
            oid, *rest = extension.expect(SEQUENCE).items()
            if not rest or oid.oid() in found:
                # RFC 5280 §4.2: none twice. Whoever reads the other one would see another name.
                raise BadDER('an extension twice, or an empty one')
            found[oid.oid()] = read_value(rest[-1].expect(OCTET_STRING).content)
    return found


def _info_access(value: Value | None) -> dict[str, list[str]] | None:
    if value is None:
        return None
    found: dict[str, list[str]] = {}
    for each in value.expect(SEQUENCE).items():
        method, place = each.expect(SEQUENCE).items()
        kind, text = name_text(place, attribute_name, quoted=False).split(':', 1)
        name = _ACCESS.get(method.oid(), method.oid())
        found.setdefault(f'{name} - {kind}', []).append(text)
    return found


def _is_authority(extensions: dict[str, Value]) -> bool:
    constraints = extensions.get(_BASIC_CONSTRAINTS)
    if constraints is None:
        return False
    items = constraints.expect(SEQUENCE).items()
    if not items or items[0].tag != BOOLEAN or items[0].content in (b'', b'\0'):
        return False
    usage = extensions.get(_KEY_USAGE)
    if usage is None:
        return True
    bits = usage.expect(BIT_STRING).content
    return len(bits) > 1 and bool(bits[1] & _MAY_SIGN)


def _key(value: Value) -> dict[str, Any]:
    algorithm, content = value.expect(SEQUENCE).items()
    kind, *parameters = algorithm.expect(SEQUENCE).items()
    if kind.oid() == _RSA:
        modulus, exponent = (
            each.integer() for each in read_value(content.bits()).expect(SEQUENCE).items())
        return {
            'modulus': _hexadecimal(modulus), 'exponent': f'{exponent:#x}',
            'bits': modulus.bit_length(), 'pubkey': value.whole,
        }
    if kind.oid() == _EC and parameters:
        # A curve whose equation is written out has no name.
        oid = parameters[0].oid() if parameters[0].tag == 0x06 else ''
        name, nist, bits = _CURVES.get(oid, (oid or None, None, None))
        return {'pubkey': content.bits(), 'bits': bits, 'asn1Curve': name, 'nistCurve': nist}
    return {}


def _hexadecimal(number: int) -> str:
    text = f'{abs(number):X}'
    sign = '-' if number < 0 else ''
    return sign + (text if len(text) % 2 == 0 or not number else '0' + text)


def _fingerprint(digest: str) -> str:
    upper = digest.upper()
    return ':'.join(upper[place:place + 2] for place in range(0, len(upper), 2))


def _time_text(time: datetime) -> str:
    month = _MONTHS[time.month - 1]
    return f'{month} {time.day:2} {time:%H:%M:%S} {time.year} GMT'
