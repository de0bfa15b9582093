"""Which texts are IP addresses."""

from __future__ import annotations

from ..form import UNDEFINED, Form, Scenario, Step, encoded, fn, number

__all__ = ['SCENARIOS']

_CHAPTER = 'net.isIP, isIPv4, isIPv6'
_LISTS = "a list is read as its text where an address is wanted (`isIP(['::1'])` is 6)"

#: A title, and the texts that are asked for.
_TEXTS: list[tuple[str, list[str]]] = [
    ('IPv4', ['127.0.0.1', '0.0.0.0', '255.255.255.255', '1.2.3.4', '10.0.0.10']),
    ('IPv4 out of range or length', [
        '256.0.0.1', '1.2.3', '1.2.3.4.5', '1.2.3.256', '1.2.3.1000', '1.2.3.', '.1.2.3', '1..2.3',
        '-1.2.3.4', '+1.2.3.4', '1', '127.1', '4294967295']),
    ('IPv4 with leading zeros', [
        '01.2.3.4', '127.000.000.001', '1.2.3.04', '00.0.0.0', '1.2.3.00']),
    ('IPv4 with something around', [
        '1.2.3.4 ', ' 1.2.3.4', '1.2.3.4\n', '\n1.2.3.4', '1.2.3.4\0', '1.2.3.4\0.5', '1. 2.3.4',
        '127.0.0.1/24', '1.2.3.4%eth0', '1.2.3.4:80', '[1.2.3.4]', '1.2.3.4.']),
    ('IPv4 in other digits', [
        '0x7f.0.0.1', '0x7f000001', '1e1.0.0.1', '١.2.3.4', '１.2.3.4', '1。2。3。4', '1_0.0.0.1']),
    ('no address at all', ['', ' ', '.', ':', 'fhqwhgads', 'localhost', '/', '%', '%eth0', '\0']),
    ('IPv6', [
        '::', '::1', '1::', '1:2:3:4:5:6:7:8', '2001:db8::a', '2001:DB8::A', '0:0:0:0:0:0:0:0',
        'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', '0001:0002::0003', '1::3:4:5:6:7:8',
        '1:2:3:4:5:6:7::', '::2:3:4:5:6:7:8', '1:2:3:4:5:6::8', '1::8', '1:2::7:8']),
    ('IPv6 with a dotted end', [
        '::ffff:127.0.0.1', '::ffff:7f00:1', '::127.0.0.1', '::1.2.3.4', '1:2:3:4:5:6:1.2.3.4',
        '1::1.2.3.4', '64:ff9b::1.2.3.4', '::FFFF:1.2.3.4', '1:2:3:4:5::1.2.3.4']),
    ('IPv6 with a wrong dotted end', [
        '::ffff:256.0.0.1', '::ffff:01.2.3.4', '1:2:3:4:5:6:7:1.2.3.4', '::1:2:3:4:5:6:1.2.3.4',
        '::1.2.3', '::1.2.3.4.5', '1.2.3.4::', '::1.2.3.4:5', '1.2.3.4::1', '::ffff:1.2.3.4 ']),
    ('IPv6 of too few or too many groups', [
        '1:2:3:4:5:6:7', '1:2:3:4:5:6:7:8:9', '1:2:3::4:5:6:7:8', '1:2:3:4:5:6:7:8::',
        '::1:2:3:4:5:6:7:8', '1:2', '1:', ':1', '1:2:3:4:5:6:7:', ':2:3:4:5:6:7:8']),
    ('IPv6 with too many colons', [':::', '1:::2', '::1::', '1::2::3', '::::', ':::1', '1:::']),
    ('IPv6 with wrong groups', [
        '12345::', 'g::1', '00000::', '::00001', '1:g:3:4:5:6:7:8', '::-1', '::+1', '::0x1', ':: 1',
        '::١', '2001:db8:::1', '::1_0']),
    ('IPv6 with a zone', [
        'fe80::1%eth0', 'fe80::1%1', 'fe80::1%a-b.c:d', '::%x', '1:2:3:4:5:6:7:8%x',
        '::ffff:1.2.3.4%x', 'fe80::1%' + 'x' * 40, '::1%Z9', 'FE80::1%LO']),
    ('IPv6 with a zone that is none', [
        'fe80::1%', 'fe80::1%a b', 'fe80::1%a_b', 'fe80::1%%', 'fe80::1%a%b', 'fe80::1%a/b',
        'fe80::1%ä', 'fe80::1%١', 'fe80::1%x\n', '%fe80::1', 'fe80%x::1', 'fe80::1%x\0', 'g::%x']),
    ('IPv6 with something around', [
        '[::1]', '::1/128', '::1 ', ' ::1', '::1\n', '::1\0', '[::1]:80', '::1.', 'http://[::1]']),
]

_VALUES: list[tuple[str, list[Form]]] = [
    ('numbers', [0, 1, 4, 6, 127.0, 1.2, -1, 1e10, number('NaN'), number('Infinity')]),
    ('nothing', [None, UNDEFINED]),
    ('booleans', [True, False]),
    ('objects', [{}, {'address': '::1'}, [], fn('no address')]),
    ('bytes', [encoded(text) for text in (b'1.2.3.4', b'::1', b'1.2.3', b'', b'1.2.3.4\xff')]),
]


def _asked(title: str, values: list[Form], row: str | None = None) -> Scenario:
    steps: list[Step] = []
    for value in values:
        if isinstance(value, str):
            steps.append(['note', f'-- {value!a}'])
        steps += [['call', f'net.{name}', value] for name in ('isIP', 'isIPv4', 'isIPv6')]
    return Scenario(f'isIP/{title}', _CHAPTER, steps, on_purpose=row)


SCENARIOS = [
    *(_asked(f'text: {title}', [*texts]) for title, texts in _TEXTS),
    *(_asked(f'no text: {title}', values) for title, values in _VALUES),
    _asked('no text: lists of an address', [['1.2.3.4'], ['::1'], [['::1']]], _LISTS),
]
