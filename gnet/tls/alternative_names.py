"""One name of a certificate as text: ``DNS:example.org``, ``IP Address:127.0.0.1``.

The text can be read back without doubt: what has a comma, a quote or a backslash in it, or what is
not ASCII, is written as a string of JSON. Else a certificate for ``'a, DNS:bank.example'`` would
be one for the bank.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable

from .der import SEQUENCE, BadDER, Value, read_value

__all__ = [
    'name_text',
]

#: Tags of a GeneralName (RFC 5280 §4.2.1.6), those of compound ones with their bit set.
_OTHER, _EMAIL, _DNS, _X400, _DIRECTORY, _EDI, _URI, _ADDRESS, _REGISTERED = (
    0xA0, 0x81, 0x82, 0xA3, 0xA4, 0xA5, 0x86, 0x87, 0x88)

_TEXTS = {_EMAIL: 'email', _DNS: 'DNS', _URI: 'URI'}
_UNSUPPORTED = {_OTHER: 'othername', _X400: 'X400Name', _EDI: 'EdiPartyName'}

#: What makes that a name is quoted.
_SPECIAL = re.compile(r"""[^ -~]|[",'\\]""")
#: What is escaped in it then.
_ESCAPED = re.compile(r'[^ -~]|[",\\]')

#: What RFC 4514 has a backslash before.
_RFC_4514 = re.compile(r'[,+"\\<>;]|^[# ]| $')


def name_text(
    name: Value, attribute_name: Callable[[str], str], *, quoted: bool = True,
) -> str:
    """Return one name.

    Args:
        name: a GeneralName.
        attribute_name: returns how a part of a directory's name is called, by its number.
        quoted: False for a place where there is but one name.

    Raises:
        BadDER: it is none.
    """
    if name.tag in _TEXTS:
        text = name.content.decode('latin-1')
        return f'{_TEXTS[name.tag]}:{_quote(text) if quoted else text}'
    if name.tag == _ADDRESS:
        return f'IP Address:{_address(name.content)}'
    if name.tag == _DIRECTORY:
        text = _directory(name, attribute_name)
        return f'DirName:{_quote(text) if quoted else text}'
    if name.tag == _REGISTERED:
        number = Value(0x06, name.content, name.whole)
        return f'Registered ID:{number.oid()}'
    if name.tag in _UNSUPPORTED:
        return f'{_UNSUPPORTED[name.tag]}:<unsupported>'
    raise BadDER(f'no name: tag {name.tag:#x}')


def _quote(text: str) -> str:
    if not _SPECIAL.search(text):
        return text
    return '"' + _ESCAPED.sub(_escape, text) + '"'


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    if character in '"\\':
        return '\\' + character
    return f'\\u{ord(character):04x}'


def _address(content: bytes) -> str:
    if len(content) == 4:
        return str(ipaddress.IPv4Address(content))
    if len(content) == 16:
        # Every part of it is written, without leading zeros.
        return ':'.join(
            f'{content[place] << 8 | content[place + 1]:X}' for place in range(0, 16, 2))
    return '<invalid>'


def _directory(name: Value, attribute_name: Callable[[str], str]) -> str:
    parts = []
    for group in read_value(name.content).expect(SEQUENCE).items():
        texts = []
        for part in group.items():
            oid, value = part.expect(SEQUENCE).items()
            escaped = _RFC_4514.sub(lambda match: '\\' + match[0], value.text())
            texts.append(f'{attribute_name(oid.oid())}={escaped}')
        parts.append('+'.join(texts))
    return ','.join(reversed(parts))
