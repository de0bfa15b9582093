"""Node's encodings. The tables were recorded on Node 24: ``Buffer.from`` and ``string_decoder``."""

from __future__ import annotations

import pytest

from gnet.errors import CodedTypeError
from gnet.streams.encodings import StreamDecoder, canonical, encode

#: Encoding, text, and the bytes of ``Buffer.from(text, encoding)``. A socket sends the same ones.
ENCODED = [
    ('utf8', '\xe9', 'c3a9'),
    ('latin1', '\xe9', 'e9'),
    ('ascii', '\xe9', 'e9'),
    ('utf16le', '\xe9', 'e900'),
    ('utf8', '\u20ac', 'e282ac'),
    ('latin1', '\u20ac', 'ac'),
    ('ascii', '\u20ac', 'ac'),
    ('utf16le', '\u20ac', 'ac20'),
    ('utf8', '\U0001f600', 'f09f9880'),
    ('latin1', '\U0001f600', '3d00'),
    ('ascii', '\U0001f600', '3d00'),
    ('utf16le', '\U0001f600', '3dd800de'),
    ('utf8', '\ud800', 'efbfbd'),
    ('latin1', '\ud800', '00'),
    ('ascii', '\ud800', '00'),
    ('utf16le', '\ud800', '00d8'),
    ('utf8', 'a\ud800b', '61efbfbd62'),
    ('latin1', 'a\ud800b', '610062'),
    ('ascii', 'a\ud800b', '610062'),
    ('utf16le', 'a\ud800b', '610000d86200'),
    ('utf8', '\udc00\ud800', 'efbfbdefbfbd'),
    ('latin1', '\udc00\ud800', '0000'),
    ('ascii', '\udc00\ud800', '0000'),
    ('utf16le', '\udc00\ud800', '00dc00d8'),
    ('utf8', '\ud83d\ude00', 'f09f9880'),
    ('latin1', '\ud83d\ude00', '3d00'),
    ('ascii', '\ud83d\ude00', '3d00'),
    ('utf16le', '\ud83d\ude00', '3dd800de'),
    ('utf8', '', ''),
    ('latin1', '', ''),
    ('ascii', '', ''),
    ('utf16le', '', ''),
    ('hex', '', ''),
    ('hex', '616', '61'),
    ('hex', 'zz', ''),
    ('hex', '61zz62', '61'),
    ('hex', '6', ''),
    ('hex', '61 62', '61'),
    ('hex', '6\xe9', ''),
    ('hex', '61\u20ac2', '61'),
    ('hex', 'ABcd', 'abcd'),
    ('hex', '6\u0131', '61'),
    ('hex', '\uff16\uff11', ''),
    ('hex', '\xe9161', ''),
    ('hex', '0x61', ''),
    ('hex', '00ff7F', '00ff7f'),
    ('base64', '', ''),
    ('base64', 'Y', ''),
    ('base64', 'YQ', '61'),
    ('base64', 'YQ=', '61'),
    ('base64', 'YQ==', '61'),
    ('base64', 'YWI', '6162'),
    ('base64', 'YWI=', '6162'),
    ('base64', 'YWJj', '616263'),
    ('base64', 'YW\nJj\r\n', '616263'),
    ('base64', '-_-_', 'fbffbf'),
    ('base64', '+/+/', 'fbffbf'),
    ('base64', '-_+/', 'fbffbf'),
    ('base64', 'YQ==YQ==', '61'),
    ('base64', 'Y=Q=', ''),
    ('base64', '=YQ', ''),
    ('base64', 'Y!Q=', '61'),
    ('base64', 'YWJ*j', '616263'),
    ('base64', 'YW\u20acJj', '616263'),
    ('base64', 'YWJjZ', '616263'),
    ('base64', 'YWJ=ZZZ', '6162'),
    ('base64', 'Y Q = =', '61'),
    ('base64', '====', ''),
    ('base64', '!!!!', ''),
    ('base64', 'YW\x00Jj', '616263'),
    ('base64', 'YR', '61'),
    ('base64', 'YWJjZR==', '61626365'),
    ('base64', 'YW\u0159Jj', '616609'),
    ('base64', '\U0001f600YQ', ''),
    ('base64', 'YW\U0001f600Jj', '61'),
    ('base64url', 'YQ', '61'),
    ('base64url', 'YQ==', '61'),
    ('base64url', '-_-_', 'fbffbf'),
    ('base64url', '+/+/', 'fbffbf'),
    ('base64url', 'Y=Q=', ''),
    ('base64url', 'YWJjZ', '616263'),
    ('base64url', 'YW Jj', '616263'),
    ('base64url', 'A-_', '03ef'),
    ('base64', 'XVLTkBOV\xe9/ gUnuEoIfT', '5d52d3901395fe0527b84a087d'),
    ('base64', 'ijLTpQh\nfRdn8pX3fE54Lpw', '8a32d3a5085f45d9fca57ddf139e0ba7'),
    ('base64', '0cvrICB1yivBCIdb\nGKD+qNO-', 'd1cbeb202075ca2bc108875b18a0fea8d3be'),
    ('base64', '/n6wTYXrdR', 'fe7eb04d85eb75'),
    ('base64', 'e7b86TWYcjeh8Dl', '7bb6fce935987237a1f039'),
    ('base64url', 'd_J4550ND!Iu\nOb', '77f278e79d0d0c8b8e'),
    ('base64url', 'v5USCJA+\xe9ds Wd\n1g\xe97nf\nA\n', 'bf951208903e76c59dd60ee77c'),
    ('base64url', 'f5oV8Qr2 l\nb3dOB0AXlh\n3SM', '7f9a15f10af695bddd381d005e587748'),
    ('base64url', '\n/Ej\xe98k3UmMBS4E', 'fc48fc9375263014b8'),
    ('base64url', 'XzPgtptSe\n1Nz!aj', '5f33e0b69b527b53736a'),
    ('hex', '6eEa5EC012', '6eea5ec012'),
    ('hex', 'CaE2F53B-12', 'cae2f53b'),
    ('hex', 'F76bACe7Eg12', 'f76bace7'),
    ('utf8', '\U00067e01\xd6\ud542\udb3dQ', 'f1a7b881c396ed9582efbfbd51'),
    ('utf8', '\uddcc\U00017f66\x12\ud0d6\u01ba', 'efbfbdf097bda612ed8396c6ba'),
    ('utf8', '\U00028fb6\udd04l\u0260\ud4a5', 'f0a8beb6efbfbd6cc9a0ed92a5'),
    ('latin1', '\uda85\U000f030c\ud054\x13;', '85800c54133b'),
    ('latin1', "\u016c'\x05^\ud05a", '6c27055e5a'),
    ('latin1', '\u0532\ud63b\u04af\U000c2d8c\U00084161', '323bafcb8cd061'),
    ('ascii', '\U000504da\U000222da\U0003b93f\U000f8523\U00028913', '01da48daae3fa1236213'),
    ('ascii', '\udbf1*\ud84d4P', 'f12a4d3450'),
    ('ascii', '\ud573\udf20\ud656\u0407\\', '732056075c'),
    ('utf16le', '\u01f4\ud014\U000cbe20\U000a37c6r', 'f40114d0efda20de4ddac6df7200'),
    ('utf16le', '\ud892b\ud08d\u06df\U00049798', '92d862008dd0df06e5d898df'),
    ('utf16le', "\U000fcc3eP\U000c71a4'\udaed", 'b3db3edc5000dcdaa4dd2700edda'),
]

#: Encoding, bytes, and the text of all pieces, which Node returns wherever the bytes are cut.
DECODED = [
    ('utf8', '', ''),
    ('utf8', 'e282ac', '\u20ac'),
    ('utf8', 'f09f9880', '\U0001f600'),
    ('utf8', 'efbbbf41', '\ufeffA'),
    ('utf8', 'e282', '\ufffd'),
    ('utf8', 'e28241', '\ufffdA'),
    ('utf8', 'f09f98', '\ufffd'),
    ('utf8', 'f09f41', '\ufffdA'),
    ('utf8', 'c080', '\ufffd\ufffd'),
    ('utf8', 'eda080', '\ufffd\ufffd\ufffd'),
    ('utf8', 'f08080', '\ufffd\ufffd\ufffd'),
    ('utf8', 'f4908080', '\ufffd\ufffd\ufffd\ufffd'),
    ('utf8', 'f58080', '\ufffd\ufffd\ufffd'),
    ('utf8', 'e08080', '\ufffd\ufffd\ufffd'),
    ('utf8', 'ff41fe', '\ufffdA\ufffd'),
    ('utf8', '80', '\ufffd'),
    ('utf8', 'e2e2e282ac', '\ufffd\ufffd\u20ac'),
    ('utf8', 'f09f98f09f9880', '\ufffd\U0001f600'),
    ('utf16le', '3dd800de', '\U0001f600'),
    ('utf16le', '3dd8', '\ud83d'),
    ('utf16le', '3dd841', '\ud83d'),
    ('utf16le', '3dd84100', '\ud83dA'),
    ('utf16le', '00de4100', '\ude00A'),
    ('utf16le', '3dd83dd800de', '\ud83d\U0001f600'),
    ('utf16le', '41', ''),
    ('utf16le', 'e900ac20', '\xe9\u20ac'),
    ('utf16le', 'fffe4100', '\ufeffA'),
    ('utf16le', '3dd83dd8', '\ud83d\ud83d'),
    ('utf16le', '00de3dd8', '\ude00\ud83d'),
    ('latin1', '41e9ff80', 'A\xe9\xff\x80'),
    ('latin1', 'fb', '\xfb'),
    ('latin1', 'fbff', '\xfb\xff'),
    ('latin1', 'fbfffe', '\xfb\xff\xfe'),
    ('latin1', 'fbfffeff7f', '\xfb\xff\xfe\xff\x7f'),
    ('ascii', '41e9ff80', 'Ai\x7f\x00'),
    ('ascii', 'fb', '{'),
    ('ascii', 'fbff', '{\x7f'),
    ('ascii', 'fbfffe', '{\x7f~'),
    ('ascii', 'fbfffeff7f', '{\x7f~\x7f\x7f'),
    ('hex', '41e9ff80', '41e9ff80'),
    ('hex', 'fb', 'fb'),
    ('hex', 'fbff', 'fbff'),
    ('hex', 'fbfffe', 'fbfffe'),
    ('hex', 'fbfffeff7f', 'fbfffeff7f'),
    ('base64', '41e9ff80', 'Qen/gA=='),
    ('base64', 'fb', '+w=='),
    ('base64', 'fbff', '+/8='),
    ('base64', 'fbfffe', '+//+'),
    ('base64', 'fbfffeff7f', '+//+/38='),
    ('base64url', '41e9ff80', 'Qen_gA'),
    ('base64url', 'fb', '-w'),
    ('base64url', 'fbff', '-_8'),
    ('base64url', 'fbfffe', '-__-'),
    ('base64url', 'fbfffeff7f', '-__-_38'),
    ('utf8', 'bfe2bfeda0419f9f', '\ufffd\ufffd\ufffd\ufffdA\ufffd\ufffd'),
    ('utf8', 'ef9fefbbf5c2e0f4', '\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd'),
    ('utf8', 'ff98edc0a04141f0', '\ufffd\ufffd\ufffd\ufffd\ufffdAA\ufffd'),
    ('utf8', 'efffbb8facedefac', '\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd'),
    ('utf8', 'c098ed80f4f5edf4', '\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd'),
    ('utf8', 'a09f909fbff4e28f', '\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd'),
    ('utf8', 'c2809fffac8fbb90', '\x80\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd'),
    ('utf8', 'f4bbacf5bbf0f482', '\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd'),
    ('utf8', 'e2c0acac8f9f82f4', '\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd'),
    ('utf8', '9ff0e280e09ff4a0', '\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd'),
    ('utf8', 'c2f590acbbedf090', '\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd'),
    ('utf8', '8f41ed9ff5f5bf41', '\ufffdA\ufffd\ufffd\ufffd\ufffdA'),
    ('utf8', '9fc2c2c2f4acf0c0', '\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd'),
    ('utf8', '98808298ac82e280', '\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd'),
    ('utf16le', 'dc004100dc4100dcd8dcd8', '\xdcA\u41dc\udc00\udcd8'),
    ('utf16le', '0041d8dc41dcd83d', '\u4100\udcd8\udc41\u3dd8'),
    ('utf16le', '4141003dd841413d', '\u4141\u3d00\u41d8\u3d41'),
    ('utf16le', '41dc003dd8dc3d41dcdcdc', '\udc41\u3d00\udcd8\u413d\udcdc'),
    ('utf16le', 'd8dcd83dd841dcdc', '\udcd8\u3dd8\u41d8\udcdc'),
    ('utf16le', 'd8d8dc3d00d83dd8dc3d', '\ud8d8\u3ddc\ud800\ud83d\u3ddc'),
    ('latin1', '1091f5004c47c480', '\x10\x91\xf5\x00LG\xc4\x80'),
    ('ascii', 'd27c7991c963a585', 'R|y\x11Ic%\x05'),
    ('hex', 'b7463dbdf1355443', 'b7463dbdf1355443'),
    ('base64', '638b91c1ff90f11e', 'Y4uRwf+Q8R4='),
    ('base64url', 'c354f3a5437b6f69', 'w1TzpUN7b2k'),
]

#: Encoding, pieces, and what Node returns for each of them and for the end.
PIECES = [
    ('utf8', '61 c3a9e282ac f09f98807a', ['a', '\xe9\u20ac', '\U0001f600z', '']),
    ('utf8', '61 c3a9e2 82acf09f98807a', ['a', '\xe9', '\u20ac\U0001f600z', '']),
    ('utf8', '61 c3 a9e282ac f09f98807a', ['a', '', '\xe9\u20ac', '\U0001f600z', '']),
    ('utf8', 'e282ac e282 ace282 ac', ['\u20ac', '', '\u20ac', '\u20ac', '']),
    ('utf8', 'e282 ace2 82ace2 82ac', ['', '\u20ac', '\u20ac', '\u20ac', '']),
    ('utf8', 'e282 ace282ac e282 ac', ['', '\u20ac\u20ac', '', '\u20ac', '']),
    ('utf8', 'f09f 9880 f09f98 80', ['', '\U0001f600', '', '\U0001f600', '']),
    ('utf8', 'f09f98 80 f09f9880', ['', '\U0001f600', '\U0001f600', '']),
    ('utf8', 'f09f9880 f09f 98 80', ['\U0001f600', '', '', '\U0001f600', '']),
    ('utf8', 'e2 82 ac', ['', '', '\u20ac', '']),
    ('utf8', 'e282', ['', '\ufffd']),
    ('utf8', '41e2 8241', ['A', '\ufffdA', '']),
    ('utf16le', 'e9 00 ac 20', ['', '\xe9', '', '\u20ac', '']),
    ('utf16le', 'e9', ['', '']),
    ('utf16le', '3dd8 00de', ['', '\U0001f600', '']),
    ('utf16le', '3dd8', ['', '\ud83d']),
    ('utf16le', '41 00e9 0041', ['', 'A', '\xe9', '']),
    ('utf16le', '3dd8 41', ['', '', '\ud83d']),
    ('base64', '01 02 03 04', ['', '', 'AQID', '', 'BA==']),
    ('base64', '0102030405', ['AQID', 'BAU=']),
    ('base64', 'fbff fffe 01', ['', '+///', '', '/gE=']),
    ('base64', 'fb', ['', '+w==']),
    ('base64url', '01 02 03 04', ['', '', 'AQID', '', 'BA']),
    ('base64url', '0102030405', ['AQID', 'BAU']),
    ('base64url', 'fbff fffe 01', ['', '-___', '', '_gE']),
    ('base64url', 'fb', ['', '-w']),
    ('hex', '01 ff', ['01', 'ff', '']),
    ('latin1', '41 e9', ['A', '\xe9', '']),
    ('ascii', '41 e9', ['A', 'i', '']),
]

NAMES = {
    'utf8': ['utf8', 'utf-8', 'UTF8', 'Utf-8'],
    'latin1': ['latin1', 'binary', 'BINARY', 'Latin1'],
    'ascii': ['ascii', 'ASCII'],
    'utf16le': ['utf16le', 'utf-16le', 'ucs2', 'ucs-2', 'UTF16LE', 'UCS-2'],
    'hex': ['hex', 'HEX'],
    'base64': ['base64', 'Base64'],
    'base64url': ['base64url', 'BASE64URL'],
}

#: What is no name, and how the error text of Node shows it.
NO_NAMES = [
    ('bogus', 'bogus'), ('buffer', 'buffer'), ('', ''), (' utf8', ' utf8'), ('utf_8', 'utf_8'),
    ('latin-1', 'latin-1'), ('iso-8859-1', 'iso-8859-1'), ('utf16-le', 'utf16-le'),
    ('utf-16be', 'utf-16be'), ('us-ascii', 'us-ascii'),
    (5, '5'), (True, 'true'), (None, 'null'), ({}, '{}'),
]


def decode(encoding: str, pieces: list[bytes]) -> list[str]:
    decoder = StreamDecoder(encoding)
    return [decoder.decode(piece) for piece in pieces] + [decoder.flush()]


@pytest.mark.parametrize(
    ('name', 'expected'), [(name, known) for known, names in NAMES.items() for name in names],
)
def test_names_are_known_in_any_case(name, expected):
    assert canonical(name) == expected
    assert StreamDecoder(name).encoding == expected
    assert encode('61', name) == encode('61', expected)


@pytest.mark.parametrize(('name', 'shown'), NO_NAMES)
def test_other_names_are_refused_as_node_refuses_them(name, shown):
    attempts = [canonical, StreamDecoder]
    if isinstance(name, str):
        attempts.append(lambda name: encode('', name))
    for attempt in attempts:
        with pytest.raises(CodedTypeError) as caught:
            attempt(name)
        assert caught.value.code == 'ERR_UNKNOWN_ENCODING'
        assert str(caught.value) == f'Unknown encoding: {shown}'


@pytest.mark.parametrize(('encoding', 'text', 'expected'), ENCODED)
def test_text_is_encoded_as_node_encodes_it(encoding, text, expected):
    assert encode(text, encoding).hex() == expected


def test_text_is_utf8_unless_said_otherwise():
    assert encode('\u20ac') == b'\xe2\x82\xac'


def test_halves_of_a_pair_that_meet_are_one_character():
    assert encode('\ud83d' + '\ude00', 'utf8') == '\U0001f600'.encode()


@pytest.mark.parametrize(('encoding', 'data', 'expected'), DECODED)
def test_text_does_not_depend_on_where_the_bytes_are_cut(encoding, data, expected):
    data = bytes.fromhex(data)
    for first in range(len(data) + 1):
        for second in range(first, len(data) + 1):
            pieces = [data[:first], data[first:second], data[second:]]
            assert ''.join(decode(encoding, pieces)) == expected, pieces
    assert ''.join(decode(encoding, [bytes([byte]) for byte in data])) == expected


@pytest.mark.parametrize(('encoding', 'pieces', 'expected'), PIECES)
def test_what_is_incomplete_is_held_back_as_node_holds_it_back(encoding, pieces, expected):
    assert decode(encoding, [bytes.fromhex(piece) for piece in pieces.split()]) == expected


def test_a_surrogate_pair_is_not_cut_in_two_where_node_cuts_it():
    # Node returns D83D and DE00: one character in JavaScript once they are joined.
    assert decode('utf16le', [b'\x3d\xd8\x00', b'\xde']) == ['', '\U0001f600', '']


def test_wrong_bytes_may_be_replaced_before_node_replaces_them():
    # Node returns '', '', '', and U+FFFD three times at the end: F0 announces four bytes.
    pieces = [b'\xf0', b'\x80', b'\x80']
    assert decode('utf8', pieces) == ['', '\ufffd\ufffd', '\ufffd', '']


@pytest.mark.parametrize(
    ('encoding', 'cut', 'rest'),
    [('utf8', b'\xe2\x82', '\ufffd'), ('utf16le', b'\xe9', ''), ('base64', b'\x01', 'AQ==')],
)
def test_a_decoder_is_as_new_after_the_flush(encoding, cut, rest):
    decoder = StreamDecoder(encoding)
    assert decoder.decode(cut) == ''
    assert decoder.flush() == rest
    assert decoder.flush() == ''
    assert decoder.decode(b'abc\x00\x00\x00') == StreamDecoder(encoding).decode(b'abc\x00\x00\x00')
