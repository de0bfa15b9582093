"""What a ``SocketAddress`` is made of, and how it is read."""

from __future__ import annotations

from ..form import UNDEFINED, Form, Scenario, Step, encoded, fn, number, ref

__all__ = ['SCENARIOS']

_CHAPTER = 'net.SocketAddress'
_FLOW_LABEL = 'a flow label above 1048575 ends the process'
_NUL = 'an address with a NUL is read up to there'

_OTHER_DIGITS = '`SocketAddress.parse` reads digits of other scripts (`１.2.3.4`)'

_IPV6 = {'family': 'ipv6'}

#: A title, and options.
_MADE: list[tuple[str, list[Form]]] = [
    ('no options', [{}, {'unknown': 1}]),
    ('family alone', [{'family': 'ipv4'}, {'family': 'ipv6'}]),
    ('IPv4', [
        {'address': '1.2.3.4'}, {'address': '255.255.255.255', 'port': 65535},
        {'address': '0.0.0.0', 'family': 'ipv4', 'port': 80}]),
    ('letters of the family', [
        {'address': '1.2.3.4', 'family': 'IPV4'}, {'address': '1.2.3.4', 'family': 'IPv4'},
        {'address': '::1', 'port': 80, 'family': 'IPv6', 'flowlabel': 7}, {'family': 'IPv6'}]),
    ('port', [{'port': value} for value in (0, 80, 65535, 80.0, -0.0, '80', '0x50', ' 80 ', '8e1',
                                            '+1')]),
    ('flowlabel of IPv4', [{'flowlabel': 7}, {'flowlabel': 0}, {'flowlabel': 1048575}]),
    ('flowlabel of IPv6', [{**_IPV6, 'flowlabel': value} for value in (0, 7, 1048575, 7.0)]),
    ('canonical IPv6', [
        {**_IPV6, 'address': address} for address in (
            '2001:DB8:0:0:0:0:0:1', '0:0:0:0:0:0:0:0', '::0001', '1:0:0:2:0:0:0:3',
            '1:0:2:0:3:0:4:0', '0:0:1:2:3:4:5:6', '1:2:3:4:5:6:0:0', '1:0:0:2:3:0:0:4',
            '1:2:3:0:4:5:6:7', 'FFFF::')]),
    ('IPv6 with a dotted end', [
        {**_IPV6, 'address': address} for address in (
            '::ffff:1.2.3.4', '::ffff:102:304', '::1.2.3.4', '::0.0.0.1', '::0.1.0.0', '::1:0',
            '64:ff9b::1.2.3.4', '::ffff:0:1.2.3.4', '1::1.2.3.4', '::ffff:0.0.0.0')]),
    ('zone', [
        {**_IPV6, 'address': address} for address in (
            'fe80::1%eth0', 'fe80::1%1', '::1%lo')]),
]

#: Options for which the constructor raises.
_REFUSED: list[tuple[str, list[Form]]] = [
    ('options', [None, 1, 'x', '', True, [], fn('no options')]),
    ('family', [{'family': value} for value in (
        'x', 4, None, '', {}, 'ipv5', 'inet', True, [], ' ipv4')]),
    ('default address in capitals', [{'family': 'IPV4'}, {'family': 'IPv4'}]),
    ('address of a wrong type', [
        {'address': value} for value in (1, None, {}, [], True, encoded(b'1.2.3.4'))]),
    ('address that is none', [
        {'address': value} for value in (
            '', 'x', '1.2.3', '01.2.3.4', '1.2.3.4 ', '1.2.3.4/8', '256.1.1.1', 'localhost',
            '0x7f.0.0.1', '١.2.3.4', '1.2.3.4%lo')]),
    ('address that is no IPv6 one', [
        {**_IPV6, 'address': value} for value in (
            '', '[::1]', '::1/64', ':::', '::1 ', '1:2:3', 'g::', '12345::', '::ffff:1.2.3.400')]),
    ('address of the other family', [
        {'address': '::1'}, {'address': '1.2.3.4', 'family': 'ipv6'},
        {'address': '::ffff:1.2.3.4', 'family': 'ipv4'}]),
    ('port', [{'port': value} for value in (
        -1, 65536, 1.5, None, True, '', ' ', 'x', '65536', {}, number('NaN'))]),
    ('flowlabel', [{**_IPV6, 'flowlabel': value} for value in (
        -1, 4294967296, 1.5, number('NaN'), number('Infinity'), '1', None, True, {})]),
    ('which of several is told', [
        {'family': 'x', 'address': 1, 'port': -1, 'flowlabel': -1},
        {'address': 1, 'port': -1, 'flowlabel': -1},
        {'address': 'x', 'port': -1, 'flowlabel': -1},
        {'address': 'x', 'flowlabel': -1}]),
]

#: Texts, as addresses or not.
_PARSED: list[tuple[str, list[str]]] = [
    ('IPv4', ['123.1.2.3:1234', '123.1.2.3', '123.1.2.3:', '123.1.2.3:0', '1.2.3.4:65535',
              '1.2.3.4:080', '1.2.3.4:00001']),
    ('IPv6', ['[1::1]:1234', '[1::1]', '[::ffff:1.2.3.4]:5', '[::]:', '[2001:DB8::0:A]:9']),
    ('the port of http', ['123.1.2.3:80', '[::1]:80', '1.2.3.4:0080']),
    ('IPv4 in short', ['0x7f.1:90', '127.1', '1', '1.2', '1.2.3:4', '0177.0.0.1', '4294967295',
                       '0x7f000001', '1.2.3.4.', '0', '1.65535']),
    ('more of a URL', ['1.2.3.4:5/path', 'user@1.2.3.4:5', 'user:pass@1.2.3.4:5', '1.2.3.4?query',
                       '1.2.3.4#hash', '1.2.3.4\\x', '%31.2.3.4', '1.2.\t3.4', '/1.2.3.4']),
]

_NOT_PARSED: list[tuple[str, list[str]]] = [
    ('nothing', ['', ' ', ':', ':80', '/', '@', '[]', '[]:80', '[', '[::1', '::1]']),
    ('names', ['foo.com:80', 'localhost', 'x', '1.2.3.x', '1.2.3.4.com', 'a@b']),
    ('IPv6 without brackets', ['1::1', '::1', '1:2:3:4:5:6:7:8', '::ffff:1.2.3.4']),
    ('bad addresses', ['256.1.1.1:5', '1.2.3.256', '4294967296', '1.2.3.4.5', '1..2', '08.1.1.1',
                       '[:::]', '[1:2]', '[g::]', '[::1.2.3]', '[1.2.3.4]', '[fe80::1%25lo]:5',
                       '[fe80::1%lo]']),
    ('bad ports', ['1.2.3.4:x', '1.2.3.4:99999', '1.2.3.4:65536', '1.2.3.4:-1', '1.2.3.4:+1',
                   '1.2.3.4:1.5', '1.2.3.4:1:2', '[::1]80', '[::1]:x']),
    ('blanks', [' 1.2.3.4:5 ', ' 1.2.3.4', '1.2.3.4 :5', '1.2.3.4: 5', '1.2. 3.4']),
]


def _shown(name: str) -> list[Step]:
    return [
        ['get', *(f'{name}.{member}' for member in ('address', 'port', 'family', 'flowlabel'))],
        ['call', f'{name}.toJSON'],
    ]


def _made(title: str, rows: list[Form], row: str | None = None) -> Scenario:
    steps: list[Step] = []
    for place, options in enumerate(rows, 1):
        name = f'address{place}'
        steps += [['let', name, 'new net.SocketAddress', options], *_shown(name)]
    return Scenario(f'SocketAddress/{title}', _CHAPTER, steps, on_purpose=row)


def _refused(title: str, rows: list[Form], row: str | None = None) -> Scenario:
    return Scenario(
        f'SocketAddress/refused: {title}', _CHAPTER,
        [['let', 'address', 'new net.SocketAddress', options] for options in rows], on_purpose=row)


def _parsed(title: str, texts: list[str]) -> Scenario:
    steps: list[Step] = []
    for place, text in enumerate(texts, 1):
        name = f'address{place}'
        steps += [
            ['note', f'-- {text!a}', name],
            ['let', name, 'net.SocketAddress.parse', text],
            *_shown(name),
        ]
    return Scenario(f'SocketAddress/parse: {title}', _CHAPTER, steps)


def _not_parsed(title: str, texts: list[str]) -> Scenario:
    steps: list[Step] = []
    for text in texts:
        steps += [['note', f'-- {text!a}'], ['call', 'net.SocketAddress.parse', text]]
    return Scenario(f'SocketAddress/parse none: {title}', _CHAPTER, steps)


SCENARIOS = [
    Scenario(
        'SocketAddress/no argument', _CHAPTER,
        [['let', 'address', 'new net.SocketAddress'], *_shown('address')]),
    *(_made(*row) for row in _MADE),
    *(_refused(*row) for row in _REFUSED),
    *(_parsed(*row) for row in _PARSED),
    *(_not_parsed(*row) for row in _NOT_PARSED),
    _refused('an address with a NUL', [{'address': '1.2.3.4\0x'}], _NUL),
    Scenario(
        'SocketAddress/parse digits of other scripts', _CHAPTER,
        [['call', 'net.SocketAddress.parse', text] for text in ('\uff11.2.3.4', '1.2.3.4:\uff15')],
        on_purpose=_OTHER_DIGITS),
    Scenario(
        'SocketAddress/flowlabel of more than 20 bits', _CHAPTER,
        [['let', 'address', 'new net.SocketAddress', {**_IPV6, 'flowlabel': 1048576}]],
        program=True, on_purpose=_FLOW_LABEL),
    Scenario(
        'SocketAddress/parse what is no text', _CHAPTER,
        [['call', 'net.SocketAddress.parse', value]
         for value in (1, None, {}, [], True, 1.5, encoded(b'1.2.3.4'), fn('no text'))]),
    Scenario(
        'SocketAddress/isSocketAddress', _CHAPTER,
        [
            ['let', 'address', 'new net.SocketAddress'],
            ['let', 'parsed', 'net.SocketAddress.parse', '[::1]:5'],
            ['let', 'list', 'new net.BlockList'],
            *(['call', 'net.SocketAddress.isSocketAddress', value] for value in (
                ref('address'), ref('parsed'), ref('list'), None, UNDEFINED, 1, '1.2.3.4', {}, [],
                {'address': '127.0.0.1', 'port': 0, 'family': 'ipv4', 'flowlabel': 0})),
        ]),
]
