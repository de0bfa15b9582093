"""Text: how it is encoded by ``write``, and decoded after ``setEncoding``."""

from __future__ import annotations

from ..form import UNDEFINED, Form, Scenario, Step, encoded, fn, number
from ._pairs import QUIET, connection

__all__ = ['SCENARIOS']

_WRITING = 'net.Socket: write, cork, uncork'
_READING = 'net.Socket: pause, resume, read, unshift, setEncoding'

# --- to bytes -------------------------------------------------------------------------------------

_LETTERS = 'a\xe9\u0161\u20ac\U0001f600\0\x7f\x80\xff'
_HEX = (
    '616263', '61624', '6', 'zz', '61zz62', '6g61', 'aBcDeF', '', ' 61', '61 62', '\uff16\uff11')
_BASE64 = (
    'YWJj', 'YWI=', 'YWI', 'YQ==', 'YQ', 'Y', '', '=', 'YW Jj', 'YW\nJj', '-_-_', '+/+/',
    'YWI=YWI=', 'YWJ\xe9j', '*YWJj', 'YQ=a', '/w', '_w',
)

#: Encodings, each in some spellings, and what is written in them.
_WRITTEN: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    'utf8': (('utf8', 'UTF-8', 'Utf8', 'utf-8'), (_LETTERS,)),
    'latin1': (('latin1', 'binary', 'LATIN1', 'Binary'), (_LETTERS,)),
    'ascii': (('ascii', 'ASCII'), (_LETTERS,)),
    'utf16le': (
        ('utf16le', 'utf-16le', 'ucs2', 'ucs-2', 'UCS2', 'UTF-16LE'), (_LETTERS,)),
    'hex': (('hex', 'Hex'), _HEX),
    'base64': (('base64', 'BASE64'), _BASE64),
    'base64url': (('base64url', 'Base64URL'), _BASE64),
}

_TO_BYTES = [
    Scenario(
        f'encodings/write in {name}', _WRITING,
        [
            *connection(),
            *(step for spelling in spellings for text in texts for step in (
                ['call', 'c.write', text, spelling], ['settle'], ['get', 'c.bytesWritten'],
                ['call', 's1.read'])),
        ], ignore=['readable', 'data'], quiet=QUIET)
    for name, (spellings, texts) in _WRITTEN.items()
]

_END = [
    Scenario(
        f'encodings/end in {name}', 'net.Socket: end',
        [
            *connection(), ['call', 'c.end', texts[0], spellings[-1], fn('done')],
            ['await', 'done'], ['settle'], ['call', 's1.read'], ['await', 'c close'],
        ], ignore=['readable'], quiet=QUIET)
    for name, (spellings, texts) in _WRITTEN.items()
]

# --- to text --------------------------------------------------------------------------------------

_ARGUMENTS: dict[str, list[Form]] = {
    'nothing': [],
    'null': [None],
    'undefined': [UNDEFINED],
    'empty': [''],
    'unknown': ['bogus'],
    'buffer': ['buffer'],
    'number': [5],
    'zero': [0],
    'true': [True],
    'false': [False],
    'NaN': [number('NaN')],
    'object': [{'a': 1}],
    'empty array': [[]],
    **{spelling: [spelling] for spellings, _ in _WRITTEN.values() for spelling in spellings},
}

_ACCEPTED = [
    Scenario(
        'encodings/setEncoding, what it takes', _READING,
        [
            step for at, arguments in enumerate(_ARGUMENTS.values()) for step in (
                ['let', f'c{at}', 'new net.Socket'], ['get', f'c{at}.readableEncoding'],
                ['call', f'c{at}.setEncoding', *arguments], ['get', f'c{at}.readableEncoding'])
        ]),
]

_HALVES = 'a string is UTF-16: the halves of a surrogate pair may arrive in two chunks'

_SMILE = '\U0001f600'.encode()

#: An encoding, and the pieces in which bytes arrive.
_PIECES: dict[str, tuple[str, list[bytes]]] = {
    'utf8, whole': ('utf8', [b'abc', b'\xc3\xa9']),
    'utf8, two bytes in two': ('utf8', [b'a\xc3', b'\xa9b']),
    'utf8, three bytes in three': ('utf8', [b'\xe2', b'\x82', b'\xac']),
    'utf8, four bytes in two, at the end': ('utf8', [_SMILE[:3], _SMILE[3:]]),
    'utf8, broken off by a letter': ('utf8', [b'a\xe2\x82', b'b']),
    'utf8, wrong bytes': ('utf8', [b'\xff\xfe', b'a\x80\xc0\xafb']),
    'utf8, cut at the end': ('utf8', [b'a\xe2\x82']),
    'utf8, only a piece': ('utf8', [b'\xe2']),
    'utf8, mark at the start': ('utf8', [b'\xef\xbb\xbfa']),
    'utf8, surrogate': ('utf8', [b'\xed\xa0\x80a']),
    'latin1': ('latin1', [b'a\xe9', b'\xff']),
    'ascii': ('ascii', [b'a\xe9', b'\xff']),
    'hex': ('hex', [b'ab', b'\xff', b'']),
    'base64, by threes': ('base64', [b'abc', b'def']),
    'base64, by ones': ('base64', [b'a', b'b', b'c', b'd']),
    'base64, by twos': ('base64', [b'ab', b'cd']),
    'base64, one left': ('base64', [b'abcd']),
    'base64, two left': ('base64', [b'ab']),
    'base64url, two left': ('base64url', [b'\xff\xfe']),
    'base64url, one left': ('base64url', [b'\xfb\xff\xfe\xff']),
    'utf16le': ('utf16le', [b'a\0b\0', b'\xe9\0']),
    'utf16le, cut in a letter': ('utf16le', [b'a\0b', b'\0']),
    'utf16le, one byte left': ('utf16le', [b'a\0b']),
}


def _comes(pieces: list[bytes]) -> list[Step]:
    return [step for piece in pieces for step in (
        ['call', 'c.write', encoded(piece)], ['settle'])]


_TO_TEXT = [
    Scenario(
        f'encodings/setEncoding {name}', _READING,
        [
            *connection(),
            ['call', 's1.setEncoding', encoding],
            ['call', 's1.on', 'data', fn('data')],
            *_comes(pieces),
            ['get', 's1.bytesRead', 's1.readableLength'],
            ['call', 'c.end'],
            ['await', 's1 close'],
        ], quiet=[*QUIET, 'write', 'end'])
    for name, (encoding, pieces) in _PIECES.items()
]

_BUFFERED = [
    Scenario(
        f'encodings/setEncoding late, {name}', _READING,
        [
            *connection(),
            *_comes(pieces),
            ['get', 's1.readableLength'],
            ['call', 's1.setEncoding', encoding],
            ['get', 's1.readableLength', 's1.bytesRead'],
            ['call', 's1.read', 1],
            ['get', 's1.readableLength'],
            ['call', 's1.read'],
            *_comes(pieces),
            ['call', 's1.read'],
            ['call', 'c.end'],
            ['settle'],
            ['call', 's1.read'],
            ['await', 's1 close'],
        ], quiet=[*QUIET, 'write', 'end'],
        # Here read(1) takes half a letter.
        on_purpose=_HALVES if 'four bytes' in name else None)
    for name, (encoding, pieces) in _PIECES.items()
]

_CHANGED = [
    Scenario(
        f'encodings/setEncoding twice, {first} and {second}', _READING,
        [
            *connection(),
            ['call', 's1.setEncoding', first],
            *_comes([b'ab\xc3']),
            ['get', 's1.readableLength'],
            ['call', 's1.setEncoding', second],
            ['get', 's1.readableLength', 's1.readableEncoding'],
            *_comes([b'\xa9c']),
            ['call', 's1.read'],
            ['call', 'c.end'],
            ['settle'],
            ['call', 's1.read'],
        ], quiet=[*QUIET, 'write', 'end'])
    for first, second in (('utf8', 'hex'), ('hex', 'utf8'), ('latin1', 'latin1'), ('utf8', 'utf8'))
]

_MORE = [
    Scenario(
        'encodings/setEncoding after the end came', _READING,
        [
            *connection(), *_comes([b'ab\xe2']), ['call', 'c.end'], ['settle'],
            ['call', 's1.setEncoding', 'utf8'], ['get', 's1.readableLength'],
            ['call', 's1.read'], ['settle'], ['call', 's1.read'],
        ], quiet=[*QUIET, 'write', 'end']),
    Scenario(
        'encodings/setEncoding on a server, in its listener', _READING,
        [
            *connection(accepted=fn(
                'accepted', ['call', '$0.setEncoding', 'latin1'],
                ['call', '$0.on', 'data', fn('data', of='s1')])),
            *_comes([b'a\xe9']), ['get', 's1.readableEncoding'],
        ], quiet=[*QUIET, 'write', 'end']),
    Scenario(
        'encodings/setEncoding counts letters against the mark', _READING,
        [
            *connection(server={'highWaterMark': 4}),
            ['call', 's1.setEncoding', 'hex'],
            *_comes([b'ab', b'cd']),
            ['get', 's1.readableLength', 's1.bytesRead'],
            ['call', 's1.read'],
            ['settle'],
            ['get', 's1.readableLength', 's1.bytesRead'],
            ['call', 's1.read', 3],
        ], quiet=[*QUIET, 'write', 'end']),
    Scenario(
        'encodings/setEncoding after a destroy', _READING,
        [
            ['let', 'c', 'new net.Socket'], ['call', 'c.destroy'],
            ['call', 'c.setEncoding', 'hex'], ['get', 'c.readableEncoding'],
        ]),
]

SCENARIOS = [*_TO_BYTES, *_END, *_ACCEPTED, *_TO_TEXT, *_BUFFERED, *_CHANGED, *_MORE]
