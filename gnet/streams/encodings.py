"""Node's ``Buffer`` encodings, both ways: text that is written, and bytes that are read as text.

Eight encodings with their usual other names, in any case: ``utf8`` (``utf-8``), ``latin1``
(``binary``), ``ascii``, ``utf16le`` (``utf-16le``, ``ucs2``, ``ucs-2``), ``hex``, ``base64`` and
``base64url``. They differ from Python's codecs of the same names in that nothing is an error: what
cannot be encoded or decoded is replaced, cut or skipped. All rules were measured on Node 24.

The one difference in kind is the text itself. A JavaScript string is made of UTF-16 code units, so
that two surrogate halves become one character as soon as they stand side by side; in Python they
stay two. Where Node emits the halves of a pair in two chunks, :class:`StreamDecoder` therefore
holds the first one back and emits the character; and :func:`encode` joins halves that meet.
"""

from __future__ import annotations

import binascii
import codecs
import re
from collections.abc import Callable
from typing import Any

from ..node import coded_errors

__all__ = [
    'StreamDecoder',
    'as_bytes',
    'canonical',
    'encode',
]

_CANONICAL = {
    'ascii': 'ascii',
    'base64': 'base64',
    'base64url': 'base64url',
    'binary': 'latin1',
    'hex': 'hex',
    'latin1': 'latin1',
    'ucs-2': 'utf16le',
    'ucs2': 'utf16le',
    'utf-16le': 'utf16le',
    'utf-8': 'utf8',
    'utf16le': 'utf16le',
    'utf8': 'utf8',
}
_NOT_HEX = rb'[^0-9A-Fa-f]'
_URL_TO_STANDARD = bytes.maketrans(b'-_', b'+/')
_STANDARD_TO_URL = str.maketrans('+/', '-_')
_BASE64_ALPHABET = frozenset(
    b'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_'
)
_NOT_BASE64 = bytes(byte for byte in range(256) if byte not in _BASE64_ALPHABET)
_WITHOUT_HIGH_BIT = bytes(byte & 0x7F for byte in range(256))


def canonical(name: object) -> str:
    """Return Node's own name of an encoding: what ``readable_encoding`` shows after set_encoding.

    Args:
        name: a name in any case. None and the empty string are no names; where Node takes them for
            "the default" (``write``, ``set_encoding``), the caller has to.

    Raises:
        CodedTypeError: ``ERR_UNKNOWN_ENCODING``. ``'buffer'`` is unknown too.
    """
    known = _CANONICAL.get(name.lower()) if isinstance(name, str) else None
    if known is None:
        raise coded_errors.unknown_encoding(name)
    return known


def encode(text: str, encoding: str = 'utf8') -> bytes:
    """Return the bytes that Node sends for *text*; no text is an error.

    - ``utf8``: a surrogate half without its partner becomes U+FFFD.
    - ``latin1``, ``ascii``: the low byte of each UTF-16 code unit, so ``'€'`` is ``AC`` and a
      character beyond U+FFFF is two bytes.
    - ``utf16le``: the code units, surrogate halves included.
    - ``hex``: the pairs of digits before the first character that is none; an odd digit is cut.
    - ``base64``, ``base64url``: both alphabets in either one, padding optional, all other
      characters skipped; ``=`` ends the data wherever it stands, and an incomplete byte is cut.

    ``hex`` and ``base64`` see the low bytes that ``latin1`` would send: U+0131 is a ``'1'``.

    Raises:
        CodedTypeError: ``ERR_UNKNOWN_ENCODING``.
    """
    encoder = _ENCODERS.get(encoding)
    if encoder is None:
        encoder = _ENCODERS[canonical(encoding)]
    return encoder(text)


def _to_utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        # The way over UTF-16 joins halves that meet and replaces those that are alone.
        return _to_utf16(text).decode('utf-16-le', 'replace').encode()


def _to_utf16(text: str) -> bytes:
    return text.encode('utf-16-le', 'surrogatepass')


def _to_latin1(text: str) -> bytes:
    try:
        return text.encode('latin-1')
    except UnicodeEncodeError:
        return _to_utf16(text)[::2]


def _from_hex(text: str) -> bytes:
    digits = _to_latin1(text)
    other = re.search(_NOT_HEX, digits)
    length = other.start() if other else len(digits)
    return binascii.unhexlify(digits[:length - length % 2])


def _from_base64(text: str) -> bytes:
    data = _to_latin1(text).partition(b'=')[0]
    digits = data.translate(_URL_TO_STANDARD, _NOT_BASE64)
    surplus = len(digits) % 4
    if surplus == 1:  # six bits, no byte
        return binascii.a2b_base64(digits[:-1])
    return binascii.a2b_base64(digits + b'=' * (-surplus % 4))


_ENCODERS: dict[str, Callable[[str], bytes]] = {
    'ascii': _to_latin1,
    'base64': _from_base64,
    'base64url': _from_base64,
    'hex': _from_hex,
    'latin1': _to_latin1,
    'utf16le': _to_utf16,
    'utf8': _to_utf8,
}


class StreamDecoder:
    """Bytes that come in pieces, decoded as Node's ``string_decoder`` does for ``set_encoding``.

    What the end of a piece cuts in two is held back until the rest has come: characters of ``utf8``
    and ``utf16le``, surrogate pairs, groups of three bytes in ``base64``. No bytes are an error:

    - ``utf8``: one U+FFFD for each ill-formed part, counted as the WHATWG Encoding Standard does.
      A byte order mark is text. Node waits for as many bytes as the first one announces before it
      looks at the others; here a U+FFFD may come with an earlier piece. The whole is the same.
    - ``ascii``: the high bit of each byte is dropped, so ``E9`` is ``'i'``.
    - ``utf16le``: surrogate halves without a partner are kept as they are.

    Args:
        encoding: a name that :func:`canonical` knows.

    Attributes:
        encoding: its canonical name.

    Raises:
        CodedTypeError: ``ERR_UNKNOWN_ENCODING``.
    """

    __slots__ = ('_decode', '_held', 'encoding')

    def __init__(self, encoding: str) -> None:
        self.encoding: str = canonical(encoding)
        self._decode = _DECODERS[self.encoding]
        self._held = b''

    def decode(self, data: bytes) -> str:
        """Return the text that *data* completes; ``''`` when all of it has to be held back."""
        if self._held:
            data = self._held + data
        text, used = self._decode(data, False)
        self._held = data[used:]
        return text

    def flush(self) -> str:
        """Return what is held back, now that nothing follows: call it at the end of the stream.

        An incomplete character of ``utf8`` is U+FFFD, a group of ``base64`` is padded (that of
        ``base64url`` is not), the odd byte of ``utf16le`` is dropped. The decoder is then as new.
        """
        text, _ = self._decode(self._held, True)
        self._held = b''
        return text

    def take_held(self) -> bytes:
        """Return the bytes that are held back: somebody else will decode them."""
        held, self._held = self._held, b''
        return held


def _utf8(data: bytes, final: bool) -> tuple[str, int]:
    return codecs.utf_8_decode(data, 'replace', final)


def _utf16(data: bytes, final: bool) -> tuple[str, int]:
    length = len(data) - len(data) % 2
    if length and not final and 0xD8 <= data[length - 1] <= 0xDB:  # a first half: its other follows
        length -= 2
    return data[:length].decode('utf-16-le', 'surrogatepass'), length


def _latin1(data: bytes, final: bool) -> tuple[str, int]:
    return data.decode('latin-1'), len(data)


def _ascii(data: bytes, final: bool) -> tuple[str, int]:
    return data.translate(_WITHOUT_HIGH_BIT).decode('ascii'), len(data)


def _hex(data: bytes, final: bool) -> tuple[str, int]:
    return data.hex(), len(data)


def _base64(data: bytes, final: bool) -> tuple[str, int]:
    length = len(data) if final else len(data) - len(data) % 3
    return binascii.b2a_base64(data[:length], newline=False).decode('ascii'), length


def _base64url(data: bytes, final: bool) -> tuple[str, int]:
    text, length = _base64(data, final)
    return text.rstrip('=').translate(_STANDARD_TO_URL), length


_DECODERS: dict[str, Callable[[bytes, bool], tuple[str, int]]] = {
    'ascii': _ascii,
    'base64': _base64,
    'base64url': _base64url,
    'hex': _hex,
    'latin1': _latin1,
    'utf16le': _utf16,
    'utf8': _utf8,
}


def as_bytes(chunk: Any) -> bytes:
    """Return a copy of the bytes-like *chunk*: its owner may go on to change or resize it.

    Raises:
        CodedTypeError: ``ERR_INVALID_ARG_TYPE`` for anything else.
    """
    if isinstance(chunk, bytes):
        return chunk
    try:
        return bytes(memoryview(chunk))
    except TypeError:
        raise coded_errors.invalid_arg_type(
            'chunk', 'of type string or an instance of Buffer, TypedArray, or DataView', chunk,
        ) from None
