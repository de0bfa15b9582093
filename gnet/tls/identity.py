"""Whose certificate it is: the name check of a client, by Node's rules, which follow RFC 6125.

The chain has been verified before; this is about the name alone. It works on the certificate's
texts, as Node's does, so that programs may replace it by their own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ..addresses.ip import canonical, is_ip, parse_number
from ..node.coded_errors import invalid_arg_type
from ..node.inspection import inspect
from ..node.records import NamedTuple
from .errors import TLSCertificateError, state_error, wrong_name

__all__ = [
    'check_server_identity',
]

#: A string of JSON, as which Node shows a name that has special characters.
_QUOTED = re.compile(r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"')

#: What a label may consist of; a name with anything else matches nothing.
_LABEL = re.compile(r'[!-\x7e]+')

_IPV4_PARTS = 4
_NUMBERS = (
    (re.compile(r'0[xX]([0-9a-fA-F]*)'), 16),
    (re.compile(r'0([0-7]+)'), 8),
    (re.compile(r'(0|[1-9][0-9]*)'), 10),
)

#: The last label of what is no name, whatever else it may be.
_NO_DOMAIN = re.compile(r'[0-9]+|0[xX][0-9a-fA-F]*')

#: Labels of a pattern with a wildcard: '*.com' is nobody's name.
_FEWEST_LABELS = 3


def check_server_identity(host: Any, cert: Mapping[str, Any]) -> TLSCertificateError | None:
    """Return None if *cert* is that of *host*, and otherwise the error that says why it is not.

    Args:
        host: the name or the IP address that was asked for.
        cert: the certificate, as ``get_peer_certificate()`` returns it: ``subject`` and
            ``subjectaltname`` count. DNS names decide if it has any, else the common name does; for
            an IP address, only its IP addresses.

    Returns:
        The error is not raised. Its code is ``ERR_TLS_CERT_ALTNAME_INVALID``, and it has
        ``reason``, ``host`` and ``cert``.

    Raises:
        CodedTypeError: ``ERR_INVALID_ARG_TYPE``: *cert* is no mapping.
        CodedRuntimeError: ``ERR_TLS_CERT_ALTNAME_FORMAT``: its names cannot be read.
    """
    if not isinstance(cert, Mapping):
        raise invalid_arg_type('cert', 'of type object', cert)
    asked = host if isinstance(host, str) else inspect(host)
    reason = _mismatch(asked, cert)
    return None if reason is None else wrong_name(reason, asked, cert)


def _mismatch(asked: str, cert: Mapping[str, Any]) -> str | None:
    subject, text = cert.get('subject'), cert.get('subjectaltname') or ''
    names = _alternative_names(text)
    # With one dot at its end it is the same address, and the same name.
    shown = asked[:-1] if asked.endswith('.') else asked
    if is_ip(shown):
        address = _canonical(shown)
        if address is not None and address in names.addresses:
            return None
        return f"IP: {shown} is not in the cert's list: {', '.join(names.addresses)}"
    host = _to_ascii(shown)
    if _is_odd_address(host):
        return 'Host is a non-canonical IP address'
    if names.hosts:
        if any(_matches(host, pattern) for pattern in names.hosts):
            return None
        return f"Host: {shown}. is not in the cert's altnames: {text}"
    common = subject.get('CN') if isinstance(subject, Mapping) else None
    if not common:
        return 'Cert does not contain a DNS name'
    patterns = list(common) if isinstance(common, (list, tuple)) else [common]
    if any(isinstance(each, str) and _matches(host, each) for each in patterns):
        return None
    return f"Host: {shown}. is not cert's CN: {','.join(map(str, patterns))}"


class _Names(NamedTuple):
    hosts: list[str]
    addresses: list[str]


def _alternative_names(text: str) -> _Names:
    names = _Names([], [])
    for entry in _entries(text):
        kind, colon, value = entry.partition(':')
        if not colon:
            continue
        if kind == 'DNS':
            names.hosts.append(value)
        elif kind == 'IP Address':
            # What is none is shown as nothing, and is nobody's.
            names.addresses.append(_canonical(value) or '')
    return names


def _entries(text: str) -> Iterator[str]:
    """Split at commas, but not within quotes: whoever has ', DNS:' in a name shall gain nothing."""
    if '"' not in text:
        yield from text.split(', ')
        return
    entry, position = '', 0
    while position < len(text):
        if text[position] == '"':
            quoted = _QUOTED.match(text, position)
            if quoted is None:
                raise state_error('ERR_TLS_CERT_ALTNAME_FORMAT')
            entry += json.loads(quoted[0])
            position = quoted.end()
        elif text[position] == ',':
            yield entry
            entry, position = '', position + 2
        else:
            entry += text[position]
            position += 1
    yield entry


def _to_ascii(host: str) -> str:
    """Return the name as the resolver asks for it: international ones in Punycode."""
    if host.isascii():
        return host
    try:
        return host.encode('idna').decode('ascii')
    except UnicodeError:
        # It matches no pattern, as it cannot be looked up either.
        return host


def _canonical(address: str) -> str | None:
    """Return an address in its one spelling, without its zone; None if it is none."""
    kind = is_ip(address)
    if not kind:
        return None
    family = 'ipv4' if kind == 4 else 'ipv6'
    number = parse_number(address, family)
    return None if number is None else canonical(number, family)


def _is_odd_address(host: str) -> bool:
    """Return whether resolvers take *host* for an IPv4 address, though it is not written as one.

    Those are ``'127.1'``, ``'0x7f000001'`` and the like; and what IDNA makes an address.
    """
    parts = host.split('.')
    if len(parts) > _IPV4_PARTS:
        return False
    numbers = [_number(part) for part in parts]
    *first, last = numbers
    if last is None or not all(number is not None and number <= 0xFF for number in first):
        return False
    return last < 1 << 8 * (_IPV4_PARTS - len(first))


def _number(part: str) -> int | None:
    """Read a part of an IPv4 address as C does: decimal, octal or hexadecimal."""
    for pattern, base in _NUMBERS:
        match = pattern.fullmatch(part)
        if match is not None:
            return int(match[1] or '0', base)
    return None


def _matches(host: str, pattern: str) -> bool:
    if not host or not pattern:
        return False
    asked, there = _labels(host), _labels(pattern)
    if asked is None or there is None or len(asked) != len(there) or asked[1:] != there[1:]:
        return False
    if _NO_DOMAIN.fullmatch(asked[-1]):
        return False
    first, wild = asked[0], there[0]
    if first == wild or '*' not in wild:
        return first == wild
    head, _, tail = wild.partition('*')
    if '*' in tail or len(there) < _FEWEST_LABELS or 'xn--' in wild:
        return False
    return len(first) >= len(head) + len(tail) and first.startswith(head) and first.endswith(tail)


def _labels(name: str) -> list[str] | None:
    """Return the labels of a name in lower case, or None if it is none."""
    labels = (name[:-1] if name.endswith('.') else name).lower().split('.')
    return labels if all(map(_LABEL.fullmatch, labels)) else None
