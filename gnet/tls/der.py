"""DER, the form in which certificates are: just enough of it to read one. Never trusts a length."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

from ..node.records import NamedTuple

__all__ = [
    'BIT_STRING',
    'BOOLEAN',
    'INTEGER',
    'OBJECT_ID',
    'OCTET_STRING',
    'SEQUENCE',
    'SET',
    'BadDER',
    'Value',
    'read_value',
]

BOOLEAN, INTEGER, BIT_STRING, OCTET_STRING, OBJECT_ID = 0x01, 0x02, 0x03, 0x04, 0x06
SEQUENCE, SET = 0x30, 0x31
_UTC_TIME, _GENERALIZED_TIME = 0x17, 0x18

#: Bytes of a length at most: no certificate has 4 GB.
_LONGEST_LENGTH = 4

#: Kinds of text, and how Python calls their bytes. T.61 is taken for Latin-1, as everybody does.
_TEXTS = {
    0x0C: 'utf-8', 0x12: 'ascii', 0x13: 'ascii', 0x14: 'latin-1', 0x16: 'latin-1', 0x1A: 'latin-1',
    0x1C: 'utf-32-be', 0x1E: 'utf-16-be',
}


class BadDER(ValueError):  # noqa: N818  # named after what it says
    """It is no certificate, or is damaged."""


class Value(NamedTuple):
    """A tag and its content."""

    tag: int
    content: bytes
    #: With tag and length.
    whole: bytes

    def items(self) -> list[Value]:
        """Return what it consists of."""
        return list(_values(self.content))

    def expect(self, tag: int) -> Value:
        """Return itself, which has to have this tag."""
        if self.tag != tag:
            raise BadDER(f'tag {self.tag:#x} where {tag:#x} belongs')
        return self

    def integer(self) -> int:
        if not self.expect(INTEGER).content:
            raise BadDER('no number')
        return int.from_bytes(self.content, 'big', signed=True)

    def oid(self) -> str:
        """Return an object identifier as ``'1.2.840'``."""
        content = self.expect(OBJECT_ID).content
        numbers, number = [], 0
        for byte in content:
            number = number << 7 | byte & 0x7F
            if not byte & 0x80:
                numbers.append(number)
                number = 0
        if not content or content[-1] & 0x80:
            raise BadDER('no object identifier')
        first = min(numbers[0] // 40, 2)
        return '.'.join(map(str, [first, numbers[0] - 40 * first, *numbers[1:]]))

    def text(self) -> str:
        """Return a text of whatever kind; what cannot be read has U+FFFD in it."""
        encoding = _TEXTS.get(self.tag)
        if encoding is None:
            raise BadDER(f'no text: tag {self.tag:#x}')
        return self.content.decode(encoding, 'replace')

    def bits(self) -> bytes:
        """Return a bit string of whole bytes."""
        content = self.expect(BIT_STRING).content
        if not content or content[0]:
            raise BadDER('no whole bytes')
        return content[1:]

    def time(self) -> datetime:
        content = self.content.decode('ascii', 'replace')
        try:
            if self.tag == _UTC_TIME:
                # Two digits of a year: 1950 to 2049 (RFC 5280 §4.1.2.5.1).
                century = '19' if int(content[:2]) >= 50 else '20'
                content = century + content
            elif self.tag != _GENERALIZED_TIME:
                raise BadDER('no time')
            return _parse_time(content)
        except (ValueError, OverflowError) as error:
            raise BadDER('no time') from error


def _parse_time(text: str) -> datetime:
    digits, zone = text[:14], text[14:]
    if zone == 'Z':
        offset = timedelta()
    elif zone[:1] in ('+', '-') and len(zone) == 5:
        offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[3:]))
        offset = -offset if zone[0] == '-' else offset
    else:
        raise BadDER('no time')
    return datetime.strptime(digits, '%Y%m%d%H%M%S').replace(tzinfo=timezone.utc) - offset


def read_value(data: bytes) -> Value:
    """Return the value at the beginning of *data*; what follows is passed over.

    Raises:
        BadDER: there is none.
    """
    for value in _values(data):
        return value
    raise BadDER('nothing')


def _values(data: bytes) -> Iterator[Value]:
    position = 0
    while position < len(data):
        start = position
        if len(data) - position < 2:
            raise BadDER('cut off')
        tag, length = data[position], data[position + 1]
        position += 2
        if tag & 0x1F == 0x1F:
            raise BadDER('a long tag')
        if length & 0x80:
            size = length & 0x7F
            # 0x80 would be a length that is not known yet, which DER does not have.
            if not 0 < size <= _LONGEST_LENGTH or position + size > len(data):
                raise BadDER('no length')
            length = int.from_bytes(data[position:position + size], 'big')
            position += size
        end = position + length
        if end > len(data):
            raise BadDER('cut off')
        yield Value(tag, data[position:end], data[start:end])
        position = end
