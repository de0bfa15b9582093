"""``is_ip`` and ``SocketAddress``. All expectations without a remark were measured on Node 24."""

from __future__ import annotations

import copy
import pickle
import random
from enum import Enum
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import pytest

from gnet.addresses.ip import is_ip, is_ipv4, is_ipv6
from gnet.addresses.socket_address import SocketAddress
from gnet.errors import CodedRuntimeError, CodedTypeError, CodedValueError
from gnet.node.values import UNDEFINED

IPV4 = [
    '127.0.0.1', '0.0.0.0', '255.255.255.255', '8.8.8.8',
]
IPV6 = [
    '::', '::1', '1::', '::ffff:127.0.0.1', '::ffff:7f00:1', '::127.0.0.1', '::1.2.3.4',
    '1:2:3:4:5:6:7:8', '1:2:3:4:5:6:7::', '::2:3:4:5:6:7:8', '1::3:4:5:6:7:8',
    '1:2:3:4:5:6:1.2.3.4', '2001:DB8::A', '2001:252:0:1::2008:6', '0000:0000::0001',
    'fe80::1%eth0', 'fe80::1%1', 'fe80::1%a-b.c:d', '::%x', '::ffff:1.2.3.4%eth0', 'fe80::1%25lo',
    pytest.param('fe80::1%' + 'a' * 1000, id='long zone'),
]
NO_IP = [
    '256.0.0.1', '1.2.3', '1.2.3.4.5', '01.2.3.4', '127.000.000.001', '1.2.3.4 ', ' 1.2.3.4',
    '1.2.3.4\n', '1.2.3.4\0', '0x7f.0.0.1', '127.0.0.1/24', '1.2.3.4%eth0', '', 'fhqwhgads',
    '.1.2.3.4', '1..3.4', '١.2.3.4', '１.2.3.4', '1.2.3.4\ud800',
    '::ffff:256.0.0.1', '::ffff:01.2.3.4', '1:2:3:4:5:6:7', '1:2:3:4:5:6:7:8:9', '1:2:3:4:5:6:7:8:',
    '1:2:3::4:5:6:7:8', '1::2:3:4:5:6:7:8', ':::', '1:::2', '::1::', '12345::', 'g::1', '00000::',
    'fe80::1%', 'fe80::1%a b', 'fe80::1%a_b', '::1%a%b', 'fe80::1%é', 'fe80::1%eth0\n', '%eth0',
    '[::1]', '::1/128', '::1 ', '::1\n', '1:2:3:4:5:6:7:1.2.3.4', '::1:2:3:4:5:6:1.2.3.4',
    '::1.2.3', ':', '1', '::ffff:1.2.3.4.5',
]


class Named:
    def __init__(self, text: str) -> None:
        self.text = text

    def __str__(self) -> str:
        return self.text


class Shown:
    """Has a view for programmers and no text form, as most objects."""

    def __repr__(self) -> str:
        return '1.2.3.4'


class Host(str, Enum):
    LOCAL = '127.0.0.1'


@pytest.mark.parametrize('text', IPV4)
def test_an_ipv4_address_is_told_from_the_rest(text: str) -> None:
    assert (is_ip(text), is_ipv4(text), is_ipv6(text)) == (4, True, False)


@pytest.mark.parametrize('text', IPV6)
def test_an_ipv6_address_is_told_from_the_rest(text: str) -> None:
    assert (is_ip(text), is_ipv4(text), is_ipv6(text)) == (6, False, True)


@pytest.mark.parametrize('text', NO_IP)
def test_other_text_is_no_address(text: str) -> None:
    assert (is_ip(text), is_ipv4(text), is_ipv6(text)) == (0, False, False)


@pytest.mark.parametrize('value', [
    0, 1, 127, -1, 1.5, float('nan'), True, None, UNDEFINED, {}, [], (), ['1.2.3.4'],
    {'1.2.3.4': 1}, object(), Shown(), str, IPv4Address, b'', b'\xff', b'1.2.3', Named('x'),
    memoryview(b'1.2.3.4'), pytest.param(10**5000, id='huge'),
])
def test_a_value_without_the_text_of_an_address_is_none_and_no_error(value: object) -> None:
    assert (is_ip(value), is_ipv4(value), is_ipv6(value)) == (0, False, False)


@pytest.mark.parametrize(('value', 'kind'), [
    (Named('1.2.3.4'), 4), (Named('::1'), 6), (IPv4Address('1.2.3.4'), 4), (IPv6Address('::1'), 6),
    (Host.LOCAL, 4), (b'1.2.3.4', 4), (bytearray(b'::1'), 6),
])
def test_an_object_counts_by_its_text_form(value: object, kind: int) -> None:
    assert (is_ip(value), is_ipv4(value), is_ipv6(value)) == (kind, kind == 4, kind == 6)


# --- SocketAddress ------------------------------------------------------------------------------


def fields(address: SocketAddress) -> tuple[Any, ...]:
    return address.address, address.port, address.family, address.flowlabel


@pytest.mark.parametrize(('options', 'expected'), [
    ({}, ('127.0.0.1', 0, 'ipv4', 0)),
    ({'family': 'ipv6'}, ('::', 0, 'ipv6', 0)),
    ({'family': 'IPV6'}, ('::', 0, 'ipv6', 0)),
    ({'address': '::1', 'port': 80, 'family': 'IPv6', 'flowlabel': 7}, ('::1', 80, 'ipv6', 7)),
    ({'family': 'IPV4', 'address': '1.1.1.1'}, ('1.1.1.1', 0, 'ipv4', 0)),
    ({'flowlabel': 7}, ('127.0.0.1', 0, 'ipv4', 0)),
    ({'family': 'ipv6', 'flowlabel': 1048575}, ('::', 0, 'ipv6', 1048575)),
    ({'family': 'ipv6', 'flowlabel': 7.0}, ('::', 0, 'ipv6', 7)),
    ({'port': '80'}, ('127.0.0.1', 80, 'ipv4', 0)),
    ({'port': '0x50'}, ('127.0.0.1', 80, 'ipv4', 0)),
    ({'port': 80.0}, ('127.0.0.1', 80, 'ipv4', 0)),
    ({'port': 65535}, ('127.0.0.1', 65535, 'ipv4', 0)),
    ({'address': '1.1.1.1', 'Port': 5, 'more': 1}, ('1.1.1.1', 0, 'ipv4', 0)),
    (
        {'address': UNDEFINED, 'port': UNDEFINED, 'family': UNDEFINED, 'flowlabel': UNDEFINED},
        ('127.0.0.1', 0, 'ipv4', 0),
    ),
])
def test_options_give_the_properties(
    options: dict[str, Any], expected: tuple[Any, ...],
) -> None:
    before = dict(options)
    assert fields(SocketAddress(options)) == expected
    assert options == before


def test_without_arguments_it_is_the_ipv4_loopback() -> None:
    assert fields(SocketAddress()) == ('127.0.0.1', 0, 'ipv4', 0)


def test_keywords_do_what_options_do_and_win_over_them() -> None:
    address = SocketAddress(address='::1', family='ipv6', port=1, flowlabel=2)
    assert fields(address) == ('::1', 1, 'ipv6', 2)
    assert fields(SocketAddress({'address': '1.1.1.1', 'port': 1}, port=2)) == (
        '1.1.1.1', 2, 'ipv4', 0,
    )


def test_another_socket_address_will_do_as_options() -> None:
    address = SocketAddress(address='::1', family='ipv6', port=1, flowlabel=2)
    assert SocketAddress(address) == address
    assert SocketAddress(address, port=5).port == 5


@pytest.mark.parametrize(('text', 'canonical'), [
    ('2001:DB8:0:0:0:0:0:1', '2001:db8::1'),
    ('fe80::1%lo', 'fe80::1'),
    ('fe80::1%', 'fe80::1'),
    ('fe80::1%a_b', 'fe80::1'),
    ('::ffff:1.2.3.4', '::ffff:1.2.3.4'),
    ('::ffff:102:304', '::ffff:1.2.3.4'),
    ('::ffff:0:0', '::ffff:0.0.0.0'),
    ('::1.2.3.4', '::1.2.3.4'),
    ('::1:2', '::0.1.0.2'),
    ('0:0:0:0:0:0:1:0', '::0.1.0.0'),
    ('::2', '::2'),
    ('::ffff', '::ffff'),
    ('::ffff:0:1.2.3.4', '::ffff:0:102:304'),
    ('64:ff9b::1.2.3.4', '64:ff9b::102:304'),
    ('1:0:0:2:0:0:0:3', '1:0:0:2::3'),
    ('1:0:0:2:3:0:0:4', '1::2:3:0:0:4'),
    ('1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0'),
    ('1:2:3:4:5:6:0:0', '1:2:3:4:5:6::'),
    ('1:0:3:4:5:6:7:8', '1:0:3:4:5:6:7:8'),
])
def test_an_ipv6_address_is_given_back_in_nodes_canonical_form(text: str, canonical: str) -> None:
    assert SocketAddress(address=text, family='ipv6').address == canonical


@pytest.mark.parametrize(('text', 'family'), [
    ('', 'ipv4'), ('x', 'ipv4'), ('::1', 'ipv4'), ('01.1.1.1', 'ipv4'), ('1.2.3', 'ipv4'),
    ('1.2.3.4/8', 'ipv4'), ('1.2.3.4%lo', 'ipv4'), (' 1.2.3.4', 'ipv4'), ('[::1]', 'ipv6'),
    ('1.1.1.1', 'ipv6'), ('00000::', 'ipv6'), ('::ffff:01.2.3.4', 'ipv6'), ('', 'ipv6'),
    # Node cuts these at the NUL; gnet does not.
    ('1.2.3.4\0x', 'ipv4'), ('::1\0', 'ipv6'),
])
def test_text_that_is_no_address_of_the_family_is_refused(text: str, family: str) -> None:
    with pytest.raises(CodedRuntimeError) as caught:
        SocketAddress(address=text, family=family)
    assert caught.value.code == 'ERR_INVALID_ADDRESS'
    assert str(caught.value) == 'Invalid socket address'


@pytest.mark.parametrize('family', ['IPV4', 'IPv4'])
def test_the_default_address_does_not_know_ipv4_in_capital_letters(family: str) -> None:
    with pytest.raises(CodedRuntimeError) as caught:
        SocketAddress({'family': family})
    assert caught.value.code == 'ERR_INVALID_ADDRESS'


@pytest.mark.parametrize(('options', 'code', 'text'), [
    (None, 'ERR_INVALID_ARG_TYPE',
     'The "options" argument must be of type object. Received null'),
    ([], 'ERR_INVALID_ARG_TYPE',
     'The "options" argument must be of type object. Received an instance of Array'),
    (lambda: 1, 'ERR_INVALID_ARG_TYPE',
     'The "options" argument must be of type object. Received function '),
    (1, 'ERR_INVALID_ARG_TYPE',
     'The "options" argument must be of type object. Received type number (1)'),
    ('x', 'ERR_INVALID_ARG_TYPE',
     'The "options" argument must be of type object. Received type string (\'x\')'),
    ({'family': 'x'}, 'ERR_INVALID_ARG_VALUE',
     "The property 'options.family' is invalid. Received 'x'"),
    ({'family': 4}, 'ERR_INVALID_ARG_VALUE',
     "The property 'options.family' is invalid. Received 4"),
    ({'family': None}, 'ERR_INVALID_ARG_VALUE',
     "The property 'options.family' is invalid. Received null"),
    ({'family': ''}, 'ERR_INVALID_ARG_VALUE',
     "The property 'options.family' is invalid. Received ''"),
    ({'family': {}}, 'ERR_INVALID_ARG_VALUE',
     "The property 'options.family' is invalid. Received {}"),
    ({'address': 1}, 'ERR_INVALID_ARG_TYPE',
     'The "options.address" property must be of type string. Received type number (1)'),
    ({'address': None}, 'ERR_INVALID_ARG_TYPE',
     'The "options.address" property must be of type string. Received null'),
    ({'flowlabel': '1'}, 'ERR_INVALID_ARG_TYPE',
     'The "options.flowlabel" property must be of type number. Received type string (\'1\')'),
    ({'flowlabel': None}, 'ERR_INVALID_ARG_TYPE',
     'The "options.flowlabel" property must be of type number. Received null'),
    # What is wrong first: the family, the address' type, the port, the flow label, the address.
    ({'family': 'x', 'address': 1}, 'ERR_INVALID_ARG_VALUE',
     "The property 'options.family' is invalid. Received 'x'"),
    ({'address': 1, 'port': 'x'}, 'ERR_INVALID_ARG_TYPE',
     'The "options.address" property must be of type string. Received type number (1)'),
])
def test_an_option_of_the_wrong_kind_is_a_type_error(options: Any, code: str, text: str) -> None:
    with pytest.raises(CodedTypeError) as caught:
        SocketAddress(options)
    assert (caught.value.code, str(caught.value)) == (code, text)


@pytest.mark.parametrize(('options', 'code', 'text'), [
    ({'port': None}, 'ERR_SOCKET_BAD_PORT',
     'options.port should be >= 0 and < 65536. Received null.'),
    ({'port': 1.5}, 'ERR_SOCKET_BAD_PORT',
     'options.port should be >= 0 and < 65536. Received type number (1.5).'),
    ({'port': 65536}, 'ERR_SOCKET_BAD_PORT',
     'options.port should be >= 0 and < 65536. Received type number (65536).'),
    ({'port': True}, 'ERR_SOCKET_BAD_PORT',
     'options.port should be >= 0 and < 65536. Received type boolean (true).'),
    ({'port': 'x', 'flowlabel': 'x'}, 'ERR_SOCKET_BAD_PORT',
     "options.port should be >= 0 and < 65536. Received type string ('x')."),
    ({'flowlabel': -1, 'address': 'x'}, 'ERR_OUT_OF_RANGE',
     'The value of "options.flowlabel" is out of range. It must be >= 0 && <= 4294967295. '
     'Received -1'),
    ({'flowlabel': 2**32}, 'ERR_OUT_OF_RANGE',
     'The value of "options.flowlabel" is out of range. It must be >= 0 && <= 4294967295. '
     'Received 4294967296'),
    ({'flowlabel': 2**33}, 'ERR_OUT_OF_RANGE',
     'The value of "options.flowlabel" is out of range. It must be >= 0 && <= 4294967295. '
     'Received 8_589_934_592'),
    ({'flowlabel': 1.5}, 'ERR_OUT_OF_RANGE',
     'The value of "options.flowlabel" is out of range. It must be an integer. Received 1.5'),
    # gnet's own: Node ends the process.
    ({'family': 'ipv6', 'flowlabel': 1048576}, 'ERR_OUT_OF_RANGE',
     'The value of "options.flowlabel" is out of range. It must be >= 0 && <= 1048575. '
     'Received 1048576'),
    ({'family': 'ipv6', 'flowlabel': 4294967295}, 'ERR_OUT_OF_RANGE',
     'The value of "options.flowlabel" is out of range. It must be >= 0 && <= 1048575. '
     'Received 4294967295'),
])
def test_a_number_out_of_its_range_is_a_value_error(
    options: dict[str, Any], code: str, text: str,
) -> None:
    with pytest.raises(CodedValueError) as caught:
        SocketAddress(options)
    assert (caught.value.code, str(caught.value)) == (code, text)


@pytest.mark.parametrize('name', ['address', 'port', 'family', 'flowlabel'])
def test_its_properties_cannot_be_written(name: str) -> None:
    address = SocketAddress()
    before = fields(address)
    with pytest.raises(AttributeError):
        setattr(address, name, before[0])
    assert fields(address) == before


def test_equality_is_that_of_all_properties() -> None:
    same = [
        SocketAddress(address='2001:DB8::1', family='IPv6', port='80', flowlabel=1),
        SocketAddress(address='2001:db8:0::1', family='ipv6', port=80, flowlabel=1),
    ]
    assert same[0] == same[1]
    assert hash(same[0]) == hash(same[1])
    different = [
        SocketAddress(address='2001:db8::2', family='ipv6', port=80, flowlabel=1),
        SocketAddress(address='2001:db8::1', family='ipv6', port=81, flowlabel=1),
        SocketAddress(address='2001:db8::1', family='ipv6', port=80, flowlabel=2),
        SocketAddress(address='1.2.3.4'),
        SocketAddress(address='::ffff:1.2.3.4', family='ipv6'),
    ]
    assert len({same[0], same[1], *different}) == 1 + len(different)
    assert same[0] != '2001:db8::1'
    assert same[0] != same[0].to_json()


@pytest.mark.parametrize('duplicate', [
    copy.copy, copy.deepcopy, lambda address: pickle.loads(pickle.dumps(address)),
])
def test_a_copy_equals_the_original(duplicate: Any) -> None:
    address = SocketAddress(address='::1', family='ipv6', port=1, flowlabel=2)
    assert fields(duplicate(address)) == ('::1', 1, 'ipv6', 2)
    assert duplicate(address) == address


def test_to_json_gives_the_four_properties_in_order() -> None:
    assert list(SocketAddress().to_json().items()) == [
        ('address', '127.0.0.1'), ('port', 0), ('family', 'ipv4'), ('flowlabel', 0),
    ]


def test_its_repr_is_nodes_inspection_text() -> None:
    assert repr(SocketAddress()) == (
        "SocketAddress { address: '127.0.0.1', port: 0, family: 'ipv4', flowlabel: 0 }"
    )
    address = SocketAddress(address='::ffff:102:304', family='ipv6', flowlabel=1048575)
    assert repr(address) == (
        'SocketAddress {\n'
        "  address: '::ffff:1.2.3.4',\n"
        '  port: 0,\n'
        "  family: 'ipv6',\n"
        '  flowlabel: 1048575\n'
        '}'
    )


def test_is_socket_address_is_safe_with_anything() -> None:
    assert SocketAddress.is_socket_address(SocketAddress()) is True
    for value in (None, UNDEFINED, {}, '127.0.0.1', SocketAddress, SocketAddress().to_json()):
        assert SocketAddress.is_socket_address(value) is False


def test_nodes_spellings_work() -> None:
    node: Any = SocketAddress
    assert node.isSocketAddress(SocketAddress()) is True
    assert node().toJSON() == SocketAddress().to_json()


# --- SocketAddress.parse ------------------------------------------------------------------------


@pytest.mark.parametrize(('text', 'address', 'port'), [
    ('123.1.2.3:1234', '123.1.2.3', 1234),
    ('123.1.2.3', '123.1.2.3', 0),
    ('123.1.2.3:', '123.1.2.3', 0),
    ('1.2.3.4:0', '1.2.3.4', 0),
    ('1.2.3.4:65535', '1.2.3.4', 65535),
    ('1.2.3.4:00000081', '1.2.3.4', 81),
    # The default port of http is left out of a URL.
    ('123.1.2.3:80', '123.1.2.3', 0),
    ('1.2.3.4:0080', '1.2.3.4', 0),
    ('[::1]:80', '::1', 0),
    ('[1::1]:1234', '1::1', 1234),
    ('[1::1]', '1::1', 0),
    ('[::1]:', '::1', 0),
    ('[::ffff:1.2.3.4]:5', '::ffff:1.2.3.4', 5),
    ('[::ffff:102:304]:5', '::ffff:1.2.3.4', 5),
    ('[0:0:0:0:0:0:0:1]:9', '::1', 9),
    ('[FE80::A]:9', 'fe80::a', 9),
    ('[::1.2.3.4]', '::1.2.3.4', 0),
    ('[1:2:3:4:5:6:1.2.3.4]:5', '1:2:3:4:5:6:102:304', 5),
    # The numbers of an IPv4 address in a URL.
    ('0x7f.1:90', '127.0.0.1', 90),
    ('127.1', '127.0.0.1', 0),
    ('1', '0.0.0.1', 0),
    ('0', '0.0.0.0', 0),
    ('0x', '0.0.0.0', 0),
    ('0377.0.0.1', '255.0.0.1', 0),
    ('0x.0X.0.0x10', '0.0.0.16', 0),
    ('4294967295', '255.255.255.255', 0),
    ('1.16777215', '1.255.255.255', 0),
    ('1.2.65535', '1.2.255.255', 0),
    ('1.2.3.4.', '1.2.3.4', 0),
    ('1.2.3.:5', '1.2.0.3', 5),
    ('%31.2.3%2e4', '1.2.3.4', 0),
    # What else a URL has.
    ('1.2.3.4:5/path', '1.2.3.4', 5),
    ('1.2.3.4:/x', '1.2.3.4', 0),
    ('1.2.3.4\\x', '1.2.3.4', 0),
    ('1.2.3.4:5?q', '1.2.3.4', 5),
    ('1.2.3.4:5#h', '1.2.3.4', 5),
    ('1.2.3.4?@x', '1.2.3.4', 0),
    ('user@1.2.3.4:5', '1.2.3.4', 5),
    ('user:pw@1.2.3.4:5', '1.2.3.4', 5),
    ('a@b@1.2.3.4:5', '1.2.3.4', 5),
    ('@1.2.3.4:5', '1.2.3.4', 5),
    ('1.2.3.4@5.6.7.8:9', '5.6.7.8', 9),
    ('5.6.7.8:9@[::1]', '::1', 0),
    ('//1.2.3.4', '1.2.3.4', 0),
    ('\\\\/1.2.3.4:5', '1.2.3.4', 5),
    ('1.2.3.4:5 ', '1.2.3.4', 5),
    ('1.2.3.4:5\0', '1.2.3.4', 5),
    ('1.2\t.3.4\n:5\r', '1.2.3.4', 5),
])
def test_parse_reads_an_address_as_a_url_does(text: str, address: str, port: int) -> None:
    parsed = SocketAddress.parse(text)
    assert parsed is not None
    assert fields(parsed) == (address, port, 'ipv6' if ':' in address else 'ipv4', 0)


@pytest.mark.parametrize('text', [
    '', ' ', '1::1', '::1', 'foo.com:80', '1.2.3.4:99999', '1.2.3.4:65536', '256.1.1.1:5',
    '1.2.3.4:x', '1.2.3.4:+5', '1.2.3.4: 5', '1.2.3.4:5:6', ':5', ':99999', ' 1.2.3.4:5 ',
    ' 1.2.3.4:5', '\x001.2.3.4:5', '[fe80::1%25lo]:5', '[fe80::1%lo]:5', '08.0.0.1', '4294967296',
    pytest.param('1' + '0' * 5000, id='huge'), '0xFFFFFFFFF', '1.16777216', '1.2.65536',
    '1.2.3.256', '1.2.3.4.5',
    '1.2.3.4..:5', '.1.2.3.4', '1..2', '.', '+1.2.3.4', '-1.2.3.4', '1e3', '0b1', '1.2.3.4%00',
    '1.2.3.4%2F5', '?1.2.3.4', '#', 'a@', 'a@:5', '[::1', '[::1]x', '[::1]]', '[]', '[1.2.3.4]',
    '[::01.2.3.4]', '[:1]', '[::1::]', '[12345::]', '[1:2:3:4:5:6:7:8:9]', '[1:2:3::4:5:6:7:8]',
    '[::%31]', '1.2.3.4:٥',
    # Node reads these: URLs may be written in other digits and dots than those of ASCII.
    '１.2.3.4:5', '1。2。3。4:5', '①.2.3.4', '%EF%BC%91.2.3.4',
])
def test_parse_gives_none_for_anything_else(text: str) -> None:
    assert SocketAddress.parse(text) is None


@pytest.mark.parametrize(('value', 'shown'), [
    (1, 'type number (1)'), (None, 'null'), (UNDEFINED, 'undefined'), (b'1.2.3.4',
     'an instance of Buffer'),
])
def test_parse_refuses_what_is_no_text(value: Any, shown: str) -> None:
    with pytest.raises(CodedTypeError) as caught:
        SocketAddress.parse(value)
    assert caught.value.code == 'ERR_INVALID_ARG_TYPE'
    assert str(caught.value) == f'The "input" argument must be of type string. Received {shown}'


def test_parse_reads_back_what_an_address_and_port_look_like() -> None:
    rng = random.Random(4)
    for _ in range(500):
        port = rng.choice([0, 1, 443, 65535])
        four = str(IPv4Address(rng.getrandbits(32)))
        six = str(IPv6Address(rng.getrandbits(128) & rng.getrandbits(128) & rng.getrandbits(128)))
        assert SocketAddress.parse(f'{four}:{port}') == SocketAddress(address=four, port=port)
        assert SocketAddress.parse(f'[{six}]:{port}') == SocketAddress(
            address=six, family='ipv6', port=port,
        )
