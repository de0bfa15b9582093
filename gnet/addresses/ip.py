"""What an IP address is, and its number."""

from __future__ import annotations

import re
import socket

__all__ = [
    'is_ip',
    'is_ipv4',
    'is_ipv6',
]

#: The first of the IPv4-mapped addresses, ``::ffff:0.0.0.0``, as a number.
IPV4_MAPPED_FIRST = 0xFFFF << 32

#: The last of them, ``::ffff:255.255.255.255``.
IPV4_MAPPED_LAST = IPV4_MAPPED_FIRST | 0xFFFF_FFFF

#: A zone (``%eth0``) as Node's isIP takes it. RFC 4007 §11.2 would allow more characters.
_ZONE = r'[0-9A-Za-z.:-]+'


def is_ip(value: object) -> int:
    """Tell which kind of IP address *value* is: 4, 6, or 0 for none.

    The whole text must be the address: no blanks, brackets, ports, prefix lengths, or leading zeros
    in an IPv4 part. An IPv6 address may name a zone (``'fe80::1%eth0'``).

    Args:
        value: text, or an object with a text form of its own, such as an
            ``ipaddress.IPv4Address``. Bytes are read as ASCII (Node does so with a Buffer).
            Anything else (None, a number, a list) is no address.
    """
    text = _text_of(value)
    if number_or_none('ipv4', text) is not None:
        return 4
    return 6 if _is_ipv6_text(text) else 0


def is_ipv4(value: object) -> bool:
    """Tell whether *value* is an IPv4 address, by the rules of :func:`is_ip`."""
    return number_or_none('ipv4', _text_of(value)) is not None


def is_ipv6(value: object) -> bool:
    """Tell whether *value* is an IPv6 address, by the rules of :func:`is_ip`."""
    return _is_ipv6_text(_text_of(value))


def _text_of(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, (bytes, bytearray)):
        # No address has a byte above 127, so any superset of ASCII that takes every byte will do.
        return value.decode('latin-1')
    # Without a __str__ of its own, str() would only give the programmer's view, and of a list or
    # an int it can be very long.
    return '' if type(value).__str__ is object.__str__ else str(value)


def _is_ipv6_text(text: str) -> bool:
    address, percent, zone = text.partition('%')
    if percent and not re.fullmatch(_ZONE, zone):
        return False
    return number_or_none('ipv6', address) is not None


def number_or_none(family: str, text: str) -> int | None:
    try:
        if family == 'ipv4':
            return IPV4_MAPPED_FIRST | int.from_bytes(socket.inet_pton(socket.AF_INET, text), 'big')
        return int.from_bytes(socket.inet_pton(socket.AF_INET6, text), 'big')
    # ValueError: a NUL inside, or half of a surrogate pair.
    except (OSError, ValueError):
        return None


def parse_number(text: str, family: str) -> int | None:
    """Return the place of an address among the IPv6 addresses, or None when *text* is none.

    Args:
        text: the address. Of an IPv6 address the zone, whatever it is, is left out.
        family: ``'ipv4'`` or ``'ipv6'``; for any other family there are no addresses.
    """
    if family == 'ipv4':
        return number_or_none(family, text)
    if family == 'ipv6':
        return number_or_none(family, text.partition('%')[0])
    return None


def canonical(number: int, family: str) -> str:
    # inet_ntop(3) would do on glibc, but macOS and musl write some IPv6 addresses differently from
    # Node. So does ipaddress, depending on its version, with those that end in a dotted address.
    high, low = number >> 32, number & 0xFFFF_FFFF
    dotted = '.'.join(map(str, low.to_bytes(4, 'big')))
    if family == 'ipv4':
        return dotted
    if high == 0xFFFF:
        return '::ffff:' + dotted
    # The old IPv4-compatible form (RFC 4291 §2.5.5.1), except for the likes of '::1'.
    if high == 0 and low >> 16:
        return '::' + dotted
    from ipaddress import IPv6Address  # few programs have an address written anew

    return str(IPv6Address(number))
