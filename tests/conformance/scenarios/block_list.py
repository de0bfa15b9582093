"""The rules of a ``BlockList``, what falls under them, and what is refused.

Node lists the addresses in no fixed order, so no list here has two of them.
"""

from __future__ import annotations

from ..form import UNDEFINED, Form, Scenario, Step, encoded, fn, number, ref

__all__ = ['SCENARIOS']

_CHAPTER = 'net.BlockList'
_FROM_JSON = (
    '`fromJSON` misreads mapped addresses (`::ffff:1.2.3.4`), drops mapped subnets, and finds rules'
    ' within other text')
_NO_JSON = 'text that is no JSON is a `SyntaxError` (`BlockList.fromJSON`)'
_PORTS = (
    'subnets and ranges that were added with a `SocketAddress` are only removed by one with the'
    ' same port')

_V6 = 'ipv6'

#: What stands for a name in calls: the arguments of ``new net.SocketAddress``.
_ADDRESSES: dict[str, Form] = {
    'four': {'address': '1.2.3.4', 'port': 80},
    'five': {'address': '1.2.3.5'},
    'six': {'address': '::6', 'family': 'ipv6', 'port': 1, 'flowlabel': 2},
    'mapped': {'address': '::ffff:1.2.3.4', 'family': 'ipv6'},
}
_FOUR, _FIVE, _SIX, _MAPPED = map(ref, _ADDRESSES)

Call = tuple[Form, ...]
#: A title, the calls that make rules, and the arguments with which ``check`` is called then.
Rules = tuple[str, list[Call], list[Call]]

_NEAR_FOUR: list[Call] = [
    ('1.2.3.4',), ('1.2.3.4', 'ipv4'), ('1.2.3.4', 'IPv4'), ('1.2.3.3',), ('1.2.3.5',),
    ('::ffff:1.2.3.4', _V6), ('::FFFF:102:304', 'IPV6'), ('::ffff:1.2.3.5', _V6),
    ('::1.2.3.4', _V6), ('::ffff:1.2.3.4',), ('1.2.3.4', _V6), (_FOUR,), (_FIVE,), (_MAPPED,),
    ('01.2.3.4',), ('1.2.3.4 ',)]

_AROUND_RANGE: list[Call] = [
    *((f'10.0.0.{last}',) for last in (0, 1, 5, 10, 11)), ('9.255.255.255',), ('10.0.1.5',),
    ('::ffff:10.0.0.1', _V6), ('::ffff:a00:a', _V6), ('::ffff:10.0.0.11', _V6),
    ('::10.0.0.5', _V6)]

_AROUND_SUBNET: list[Call] = [
    ('192.168.0.0',), ('192.168.255.255',), ('192.168.1.77',), ('192.167.255.255',),
    ('192.169.0.0',), ('::ffff:192.168.9.9', _V6), ('::ffff:192.169.0.0', _V6),
    ('::192.168.0.1', _V6)]

_ANYWHERE: list[Call] = [
    ('0.0.0.0',), ('255.255.255.255',), ('::', _V6), ('::1', _V6), ('::ffff:1.2.3.4', _V6),
    ('ffff::', _V6)]

_RULES: list[Rules] = [
    ('no rule', [], [*_ANYWHERE, (_FOUR,), (_SIX,)]),
    ('IPv4 address', [('addAddress', '1.2.3.4')], _NEAR_FOUR),
    ('IPv4 address, family given', [('addAddress', '1.2.3.4', 'IPV4')], _NEAR_FOUR),
    ('IPv4 SocketAddress', [('addAddress', _FOUR)], _NEAR_FOUR),
    ('mapped address', [('addAddress', '::ffff:1.2.3.4', _V6)], _NEAR_FOUR),
    ('mapped address in hexadecimal digits', [('addAddress', '::ffff:102:304', _V6)], _NEAR_FOUR),
    ('mapped SocketAddress', [('addAddress', _MAPPED)], _NEAR_FOUR),
    ('both notations of one address', [
        ('addAddress', '1.2.3.4'), ('addAddress', '1.2.3.4'), ('removeAddress', '1.2.3.4')],
     _NEAR_FOUR),
    ('IPv6 address', [('addAddress', '2001:DB8:0::0:1', _V6)], [
        ('2001:db8::1', _V6), ('2001:DB8:0:0:0:0:0:1', 'IPv6'), ('2001:db8::2', _V6),
        ('2001:db8::1',), ('2001:db8::1%lo', _V6)]),
    ('IPv6 address with a zone', [('addAddress', 'fe80::1%eth0', _V6)], [
        ('fe80::1', _V6), ('fe80::1%eth0', _V6), ('fe80::1%eth1', _V6)]),
    ('IPv6 SocketAddress', [('addAddress', _SIX, 'ipv4')], [(_SIX,), ('::6', _V6), ('::7', _V6)]),
    ('IPv4 range', [('addRange', '10.0.0.1', '10.0.0.10')], _AROUND_RANGE),
    ('IPv4 range of one', [('addRange', '10.0.0.5', '10.0.0.5')], _AROUND_RANGE),
    ('mapped range', [('addRange', '::ffff:10.0.0.1', '::ffff:10.0.0.10', _V6)], _AROUND_RANGE),
    ('range of SocketAddresses', [('addRange', _FOUR, _FIVE)], _NEAR_FOUR),
    ('range of text and SocketAddress', [('addRange', '1.2.3.4', _FIVE)], _NEAR_FOUR),
    ('IPv6 range', [('addRange', '::5', '::A', _V6)], [
        *((f'::{last}', _V6) for last in ('4', '5', '7', 'a', 'b')), ('::5',), (_SIX,), (_FOUR,)]),
    ('IPv6 range around the mapped addresses', [('addRange', '::', '::1:0:0:0', _V6)], _NEAR_FOUR),
    ('range of all', [
        ('addRange', '0.0.0.0', '255.255.255.255')], _ANYWHERE),
    ('IPv4 subnet', [('addSubnet', '192.168.0.0', 16)], _AROUND_SUBNET),
    ('IPv4 subnet with bits of the host', [('addSubnet', '192.168.1.77', 16)], _AROUND_SUBNET),
    ('mapped subnet', [('addSubnet', '::ffff:192.168.0.0', 112, _V6)], _AROUND_SUBNET),
    ('subnet of one', [('addSubnet', '1.2.3.4', 32)], _NEAR_FOUR),
    ('subnet of a SocketAddress', [('addSubnet', _FOUR, 31)], _NEAR_FOUR),
    ('subnet of all IPv4', [('addSubnet', '1.2.3.4', 0)], _ANYWHERE),
    ('subnet of all IPv6', [('addSubnet', '::', 0, _V6)], _ANYWHERE),
    ('IPv6 subnet', [('addSubnet', '8592:757c:efae:4e45::', 64, _V6)], [
        ('8592:757c:efae:4e45:fb5d:d62a:0d00:8e17', _V6), ('8592:757c:efae:4e45::', _V6),
        ('8592:757c:efae:4e46::', _V6), ('8592:757c:efae:4f45:fb5d:d62a:0d00:8e17', _V6)]),
    ('IPv6 subnet of an odd length', [('addSubnet', 'fc00::', 7, _V6)], [
        ('fd12::1', _V6), ('fc00::', _V6), ('fe00::', _V6), ('fbff::', _V6)]),
    ('IPv6 subnet of one', [('addSubnet', '::6', 128, _V6)], [(_SIX,), ('::7', _V6), (_FOUR,)]),
    ('addAddresses', [('addAddresses', ['1.2.3.4'])], _NEAR_FOUR),
    ('addAddresses of IPv6', [('addAddresses', ['::6'], 'IPv6')], [(_SIX,), (_FOUR,)]),
    ('addAddresses with a SocketAddress', [('addAddresses', [_FOUR])], _NEAR_FOUR),
    ('addAddresses of none', [('addAddresses', [])], _NEAR_FOUR),
    ('addCIDR of IPv4', [('addCIDR', '192.168.0.0/16')], _AROUND_SUBNET),
    ('addCIDR of IPv6', [('addCIDR', 'FC00::/7')], [('fd12::1', _V6), ('fe00::', _V6)]),
    ('addCIDR of all', [('addCIDR', '0.0.0.0/0')], _ANYWHERE),
    ('addCIDRs', [('addCIDRs', ['192.168.0.0/16', '::/128'])], _AROUND_SUBNET),
    ('one rule of each kind', [
        ('addRange', '10.0.0.1', '10.0.0.10'), ('addAddress', '1.2.3.4'),
        ('addSubnet', '192.168.0.0', 16)], [*_NEAR_FOUR, *_AROUND_RANGE, *_AROUND_SUBNET]),
    ('removed address', [('addAddress', '1.2.3.4'), ('removeAddress', '1.2.3.4')], _NEAR_FOUR),
    ('removed range', [
        ('addRange', '10.0.0.1', '10.0.0.10'), ('removeRange', '10.0.0.1', '10.0.0.10')],
     _AROUND_RANGE),
    ('removed subnet', [
        ('addSubnet', '192.168.0.0', 16), ('removeSubnet', '192.168.0.0', 16)], _AROUND_SUBNET),
    ('removed CIDR', [('addCIDR', '192.168.0.0/16'), ('removeCIDR', '192.168.0.0/16')],
     _AROUND_SUBNET),
    ('subnet removed as CIDR', [
        ('addSubnet', '192.168.0.0', 16), ('removeCIDR', '192.168.0.0/16')], _AROUND_SUBNET),
    ('what is not there is removed', [
        ('addAddress', '1.2.3.4'), ('addRange', '10.0.0.1', '10.0.0.10'),
        ('addSubnet', '192.168.0.0', 16), ('removeAddress', '1.2.3.5'),
        ('removeRange', '10.0.0.1', '10.0.0.9'), ('removeSubnet', '192.168.0.0', 17),
        ('removeCIDR', '10.0.0.0/8'), ('removeAddress', '::6', _V6)],
     [('1.2.3.4',), ('10.0.0.10',), ('192.168.0.1',)]),
    ('clear', [
        ('addAddress', '1.2.3.4'), ('addRange', '10.0.0.1', '10.0.0.10'),
        ('addSubnet', '192.168.0.0', 16), ('clear',)],
     [('1.2.3.4',), ('10.0.0.10',), ('192.168.0.1',)]),
    ('a removed range leaves others', [
        ('addRange', '1.2.3.1', '1.2.3.9'), ('addRange', '1.2.3.4', '1.2.3.4'),
        ('removeRange', '1.2.3.1', '1.2.3.9')], _NEAR_FOUR),
]

#: Several of each kind, some of them twice: Node keeps equal subnets and ranges, not addresses.
_SEVERAL: list[Call] = [
    *(('addAddress', f'1.0.0.{last}') for last in (1, 2, 3, 1, 5)),
    ('addAddresses', ['2.0.0.1', '2.0.0.5', '1.0.0.1']),
    *(('addSubnet', network, prefix) for network, prefix in (
        ('3.0.0.0', 24), ('3.0.0.0', 24), ('4.0.0.0', 29), ('3.0.0.0', 30))),
    *(('addRange', start, end) for start, end in (
        ('5.0.0.0', '5.0.0.9'), ('5.0.0.4', '5.0.0.6'), ('6.0.0.1', '6.0.0.4'),
        ('5.0.0.0', '5.0.0.9'))),
]

#: Rules that are read: the argument of ``fromJSON``, and what is asked then.
_READ: list[tuple[str, Form, list[Call]]] = [
    ('a list', ['Address: IPv4 1.2.3.4', 'Range: IPv4 10.0.0.1-10.0.0.10',
                'Subnet: IPv4 192.168.0.0/16'],
     [('1.2.3.4',), ('10.0.0.5',), ('192.168.1.1',), ('::ffff:1.2.3.4', _V6), ('1.2.3.5',)]),
    ('a text', '["Address: IPv6 ::6", "Range: IPv6 ::a-::c", "Subnet: IPv6 fc00::/7"]',
     [('::6', _V6), ('::b', _V6), ('fd00::', _V6), ('::7', _V6)]),
    ('nothing', [], [('1.2.3.4',)]),
    ('no rules', '[]', [('1.2.3.4',)]),
    ('texts that are no rules', ['', 'Address: ', 'Address: IPv5 1.2.3.4', 'x', '1.2.3.4'],
     [('1.2.3.4',)]),
]

#: A method, and arguments for which it raises.
_REFUSED: list[tuple[str, str, list[Call]]] = [
    ('addresses of a wrong type', 'addAddress', [
        (1,), (None,), ({},), ([],), (True,), (encoded(b'1.2.3.4'),), (fn('no address'),)]),
    ('addresses that are none', 'addAddress', [
        ('',), ('x',), ('1.2.3',), ('01.2.3.4',), ('::1',), ('1.2.3.4/8',), (' 1.2.3.4',),
        ('1.2.3.4', _V6), ('1.2.3.4%lo',), ('[::1]', _V6), ('::g', _V6), ('', _V6)]),
    ('families that are none', 'addAddress', [
        ('1.2.3.4', family) for family in ('ipv5', '', 'inet', 'IPv 4', '4')]),
    ('families of a wrong type', 'addAddress', [
        ('1.2.3.4', family) for family in (4, None, {}, [], True)]),
    ('ends of a range of a wrong type', 'addRange', [
        (1, '1.2.3.4'), ('1.2.3.4', 1), (None, None), ('1.2.3.4', None), ({}, '1.2.3.4'),
        ('1.2.3.4', '1.2.3.5', 4)]),
    ('ends of a range that are none', 'addRange', [
        ('', '1.2.3.4'), ('1.2.3.4', ''), ('1.2.3.4', '::1'), ('::1', '::2'),
        ('1.2.3.4', '1.2.3.5', _V6), ('1.2.3.4', '1.2.3.5', 'ipv5')]),
    ('ends of a range that are reversed', 'addRange', [
        ('1.2.3.5', '1.2.3.4'), ('::2', '::1', _V6), (_FIVE, _FOUR)]),
    ('networks', 'addSubnet', [
        (1, 8), (None, 8), ({}, 8), ('', 8), ('x', 8), ('::1', 8), ('10.0.0.0', 8, _V6),
        ('10.0.0.0', 8, 'ipv5'), ('10.0.0.0', 8, 4), ('10.0.0.0/8', 8)]),
    ('prefixes of a wrong type', 'addSubnet', [
        ('10.0.0.0', prefix) for prefix in ('8', '', None, {}, [], True)]),
    ('prefixes out of range', 'addSubnet', [
        *(('10.0.0.0', prefix) for prefix in (
            33, -1, 1.5, 128, number('NaN'), number('Infinity'))),
        *(('::1', prefix, _V6) for prefix in (129, -1, 64.5, number('NaN'))), (_SIX, 129),
        (_FOUR, 33)]),
    ('CIDRs of a wrong type', 'addCIDR', [(1,), (None,), ({},), ([],), (True,)]),
    ('CIDRs without a prefix', 'addCIDR', [('10.0.0.0',), ('',), ('::1',), ('x',)]),
    ('CIDRs with a bad prefix', 'addCIDR', [
        (f'10.0.0.0/{prefix}',) for prefix in (
            '08', ' 8', '8 ', '', 'x', '1.5', '0x8', '1e1', '+8', '33', '-1', '00', '99999', '١')]),
    ('CIDRs with a bad IPv6 prefix', 'addCIDR', [
        (f'::1/{prefix}',) for prefix in ('129', '-1', '064', '')]),
    ('CIDRs of a bad network', 'addCIDR', [
        ('x/8',), ('/8',), ('1.2.3/8',), ('01.2.3.4/8',), (':::/8',), ('10.0.0.0/8/8',),
        ('[::1]/8',), ('1:2/8',)]),
    ('lists of addresses', 'addAddresses', [
        ('x',), (None,), ({},), (1,), ([1],), (['1.2.3.4', None],), (['x'],), (['1.2.3.4', 'x'],),
        (['1.2.3.4'], 'ipv5'), (['1.2.3.4'], 4), (['1.2.3.4', '::1'],)]),
    ('lists of CIDRs', 'addCIDRs', [
        ('10.0.0.0/8',), (None,), ({},), (1,), ([1],), (['10.0.0.0/8', 1],), (['10.0.0.0'],),
        (['10.0.0.0/8', '10.0.0.0'],), (['10.0.0.0/8', '10.0.0.0/08'],)]),
    ('what is removed', 'removeAddress', [(1,), (None,), ('x',), ('1.2.3.4', 'ipv5'), ('::1',)]),
    ('ranges that are removed', 'removeRange', [
        (1, '1.2.3.4'), ('1.2.3.4', 1), ('x', '1.2.3.4'), ('1.2.3.4', '1.2.3.5', 'ipv5')]),
    ('subnets that are removed', 'removeSubnet', [
        (1, 8), ('x', 8), ('10.0.0.0', '8'), ('10.0.0.0', 33), ('10.0.0.0', 1.5),
        ('10.0.0.0', 8, 'ipv5')]),
    ('CIDRs that are removed', 'removeCIDR', [(1,), ('10.0.0.0',), ('10.0.0.0/33',), ('x/8',)]),
    ('what is checked', 'check', [
        (1,), (None,), ({},), ([],), (True,), ('1.2.3.4', 4), ('1.2.3.4', None), ('1.2.3.4', {})]),
    ('what is read', 'fromJSON', [
        (1,), (None,), ({},), ('{}',), ([1],), ('[1]',), ('1',), ('null',), (True,),
        (['Address: IPv4 1.2.3.4', 1],), ('"Address: IPv4 1.2.3.4"',)]),
    ('rules with a bad address', 'fromJSON', [
        (['Address: IPv4 256.1.1.1'],), (['Subnet: IPv4 10.0.0.0/33'],),
        (['Range: IPv4 1.2.3.5-1.2.3.4'],), (['Address: IPv6 1::2::3'],)]),
]


def _named() -> list[Step]:
    return [['let', name, 'new net.SocketAddress', options] for name, options in _ADDRESSES.items()]


def _checked(calls: list[Call]) -> list[Step]:
    steps: list[Step] = []
    for args in calls:
        told = [arg['path'] if isinstance(arg, dict) else arg for arg in args]
        steps += [['note', f'-- {" ".join(told)}', 'list'], ['call', 'list.check', *args]]
    return steps


def _rules(title: str, made: list[Call], checked: list[Call]) -> Scenario:
    return Scenario(
        f'BlockList/{title}', _CHAPTER,
        [
            *_named(),
            ['let', 'list', 'new net.BlockList'],
            *(['call', f'list.{method}', *args] for method, *args in made),
            ['get', 'list.rules', 'list.size'],
            ['call', 'list.toJSON'],
            *_checked(checked),
        ])


def _read(title: str, data: Form, checked: list[Call], row: str | None = None) -> Scenario:
    return Scenario(
        f'BlockList/fromJSON: {title}', _CHAPTER,
        [
            ['let', 'list', 'new net.BlockList'],
            ['call', 'list.fromJSON', data],
            ['get', 'list.rules', 'list.size'],
            *_checked(checked),
        ], on_purpose=row)


def _refused(title: str, method: str, calls: list[Call], row: str | None = None) -> Scenario:
    return Scenario(
        f'BlockList/refused: {title}', _CHAPTER,
        [
            *_named(),
            ['let', 'list', 'new net.BlockList'],
            *(['call', f'list.{method}', *args] for args in calls),
            ['get', 'list.rules', 'list.size'],
        ], on_purpose=row)


SCENARIOS = [
    *(_rules(*row) for row in _RULES),
    *(_read(*row) for row in _READ),
    *(_refused(*row) for row in _REFUSED),
    _refused('text that is no JSON', 'fromJSON', [('x',), ('',), ('[',)], _NO_JSON),
    *(
        _read(title, [text], [('1.2.3.4',), ('::ffff:1.2.3.4', _V6)], _FROM_JSON)
        for title, text in (
            ('a mapped address', 'Address: IPv6 ::ffff:1.2.3.4'),
            ('a mapped subnet', 'Subnet: IPv6 ::ffff:1.2.3.4/120'),
            ('a rule within other text', 'no Address: IPv4 1.2.3.4 at all'))
    ),
    Scenario(
        'BlockList/several rules of each kind', _CHAPTER,
        [
            ['let', 'list', 'new net.BlockList'],
            *(['call', f'list.{method}', *args] for method, *args in _SEVERAL),
            ['get', 'list.size'],
            *_checked([(f'{first}.0.0.{last}',) for first in range(1, 8) for last in (1, 5, 200)]),
            ['call', 'list.removeAddress', '1.0.0.1'],
            ['call', 'list.removeSubnet', '3.0.0.0', 24],
            ['call', 'list.removeRange', '5.0.0.0', '5.0.0.9'],
            ['get', 'list.size'],
            *_checked([(f'{first}.0.0.{last}',) for first in range(1, 8) for last in (1, 5, 200)]),
        ]),
    Scenario(
        'BlockList/subnet of a SocketAddress is removed by another port', _CHAPTER,
        [
            ['let', 'list', 'new net.BlockList'],
            ['let', 'one', 'new net.SocketAddress', {'address': '10.0.0.0', 'port': 1}],
            ['let', 'two', 'new net.SocketAddress', {'address': '10.0.0.0', 'port': 2}],
            ['call', 'list.addSubnet', ref('one'), 8],
            ['call', 'list.removeSubnet', ref('two'), 8],
            ['get', 'list.size'],
        ], on_purpose=_PORTS),
    Scenario(
        'BlockList/fromJSON adds to what is there', _CHAPTER,
        [
            ['let', 'list', 'new net.BlockList'],
            ['let', 'copy', 'new net.BlockList'],
            ['call', 'list.addAddress', '1.2.3.4'],
            ['call', 'list.addSubnet', '192.168.0.0', 16],
            ['call', 'copy.addRange', '10.0.0.1', '10.0.0.10'],
            ['call', 'copy.fromJSON', ref('list.rules')],
            ['get', 'copy.rules', 'copy.size', 'list.rules', 'list.size'],
        ]),
    Scenario(
        'BlockList/isBlockList', _CHAPTER,
        [
            ['let', 'list', 'new net.BlockList'],
            *(['call', 'net.BlockList.isBlockList', value] for value in (
                ref('list'), None, UNDEFINED, 1, 'x', {}, [], True, {'rules': []})),
        ]),
    Scenario(
        'BlockList/PRIVATE_RANGES', _CHAPTER,
        [
            ['get', 'net.BlockList.PRIVATE_RANGES'],
            ['let', 'list', 'new net.BlockList'],
            ['call', 'list.addCIDRs', ref('net.BlockList.PRIVATE_RANGES')],
            ['get', 'list.size'],
            *_checked([
                *((address,) for address in (
                    '10.1.2.3', '172.16.0.1', '172.32.0.1', '192.168.1.1', '127.0.0.1',
                    '169.254.1.1', '8.8.8.8')),
                *((address, _V6) for address in ('::1', 'fe80::1', 'fd00::1', '2001:db8::1'))]),
        ]),
]
