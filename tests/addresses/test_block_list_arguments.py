"""The arguments of ``BlockList``, single, several and as JSON: measured on Node 24."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from gnet.addresses.block_list import BlockList
from gnet.addresses.socket_address import SocketAddress
from gnet.errors import CodedError, CodedRuntimeError, CodedTypeError, CodedValueError
from gnet.node.values import UNDEFINED

Change = Callable[[BlockList], object]


def ipv4(address: str, port: int = 0) -> SocketAddress:
    return SocketAddress(address=address, port=port)


def ipv6(address: str) -> SocketAddress:
    return SocketAddress(address=address, family='ipv6')


# --- many at once -------------------------------------------------------------------------------


def test_add_addresses_adds_text_and_socket_addresses() -> None:
    block_list = BlockList()
    block_list.add_addresses(['1.1.1.1', ipv6('::1')])
    block_list.add_addresses(('::2',), 'IPv6')
    block_list.add_addresses([], 'x')
    assert block_list.rules == [
        'Address: IPv6 ::2', 'Address: IPv6 ::1', 'Address: IPv4 1.1.1.1',
    ]


def test_add_addresses_adds_none_when_one_is_invalid() -> None:
    block_list = BlockList()
    with pytest.raises(CodedRuntimeError) as caught:
        block_list.add_addresses(['1.1.1.1', 'x'])
    assert caught.value.code == 'ERR_INVALID_ADDRESS'
    assert block_list.rules == []


@pytest.mark.parametrize('malformed', ['1.1.1.1', '1.1.1.1/ 3', 1])
def test_add_cidrs_looks_at_the_form_of_all_texts_first(malformed: Any) -> None:
    block_list = BlockList()
    with pytest.raises(CodedTypeError):
        block_list.add_cidrs(['10.0.0.0/8', malformed])
    assert block_list.rules == []


@pytest.mark.parametrize('invalid', ['1.1.1.1/33', '::1/129', 'x/3'])
def test_add_cidrs_keeps_what_came_before_an_invalid_network(invalid: str) -> None:
    block_list = BlockList()
    with pytest.raises(CodedError):
        block_list.add_cidrs(['10.0.0.0/8', invalid, '11.0.0.0/8'])
    assert block_list.rules == ['Subnet: IPv4 10.0.0.0/8']


def test_private_ranges_are_these_and_cannot_be_changed() -> None:
    assert BlockList.PRIVATE_RANGES == (
        '10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '127.0.0.0/8', '::1/128',
        '169.254.0.0/16', 'fe80::/10', 'fc00::/7',
    )


# --- wrong arguments ----------------------------------------------------------------------------

TYPE_ERRORS = [
    (lambda b: b.add_address(1), 'address', 'type number (1)'),
    (lambda b: b.add_address(None), 'address', 'null'),
    (lambda b: b.add_address(UNDEFINED), 'address', 'undefined'),
    (lambda b: b.add_address({}), 'address', 'an instance of Object'),
    (lambda b: b.add_address(1, 'x'), 'address', 'type number (1)'),
    (lambda b: b.add_address('1.2.3.4', 4), 'family', 'type number (4)'),
    (lambda b: b.add_address('1.2.3.4', None), 'family', 'null'),
    (lambda b: b.remove_address(1), 'address', 'type number (1)'),
    (lambda b: b.check(1, 4), 'address', 'type number (1)'),
    (lambda b: b.check(None), 'address', 'null'),
    (lambda b: b.check('x', 4), 'family', 'type number (4)'),
    (lambda b: b.check('1.1.1.1', None), 'family', 'null'),
    (lambda b: b.add_range(1, 2), 'start', 'type number (1)'),
    (lambda b: b.add_range('1.1.1.1', 2), 'end', 'type number (2)'),
    (lambda b: b.add_range('1.1.1.1', 5, 4), 'family', 'type number (4)'),
    (lambda b: b.remove_range(1, '1.1.1.1'), 'start', 'type number (1)'),
    (lambda b: b.remove_range('1.1.1.1', 1), 'end', 'type number (1)'),
    (lambda b: b.add_subnet(1, 'x'), 'network', 'type number (1)'),
    (lambda b: b.add_subnet('1.1.1.1', 8, 4), 'family', 'type number (4)'),
    (lambda b: b.remove_subnet(1, 33), 'network', 'type number (1)'),
    (lambda b: b.add_addresses([1]), 'addresses[0]', 'type number (1)'),
    (lambda b: b.add_addresses(['1.1.1.1', 2]), 'addresses[1]', 'type number (2)'),
    (lambda b: b.add_addresses([], 5), 'family', 'type number (5)'),
    (lambda b: b.add_addresses([1], 5), 'family', 'type number (5)'),
    (lambda b: b.add_cidr(1), 'cidr', 'type number (1)'),
    (lambda b: b.add_cidr(['10.0.0.0/8']), 'cidr', 'an instance of Array'),
    (lambda b: b.remove_cidr(None), 'cidr', 'null'),
    (lambda b: b.add_cidrs([1]), 'cidrs[0]', 'type number (1)'),
    (lambda b: b.add_cidrs(['10.0.0.0/8', 1]), 'cidrs[1]', 'type number (1)'),
    (lambda b: b.add_cidrs([ipv4('1.1.1.1')]), 'cidrs[0]', 'an instance of SocketAddress'),
]


@pytest.mark.parametrize(('call', 'name', 'shown'), TYPE_ERRORS)
def test_what_should_be_text_must_be_text(call: Change, name: str, shown: str) -> None:
    block_list = BlockList()
    with pytest.raises(CodedTypeError) as caught:
        call(block_list)
    assert caught.value.code == 'ERR_INVALID_ARG_TYPE'
    assert str(caught.value) == (
        f'The "{name}" argument must be of type string. Received {shown}'
    )
    assert block_list.rules == []


@pytest.mark.parametrize(('call', 'name', 'shown'), [
    (lambda b: b.add_addresses('x'), 'addresses', "type string ('x')"),
    (lambda b: b.add_addresses('x', 5), 'addresses', "type string ('x')"),
    (lambda b: b.add_addresses(None), 'addresses', 'null'),
    (lambda b: b.add_addresses({'1.1.1.1': 1}), 'addresses', 'an instance of Object'),
    (lambda b: b.add_cidrs('x'), 'cidrs', "type string ('x')"),
    (lambda b: b.add_cidrs(UNDEFINED), 'cidrs', 'undefined'),
])
def test_several_must_come_in_a_list_or_tuple(call: Change, name: str, shown: str) -> None:
    with pytest.raises(CodedTypeError) as caught:
        call(BlockList())
    assert caught.value.code == 'ERR_INVALID_ARG_TYPE'
    assert str(caught.value) == (
        f'The "{name}" argument must be an instance of Array. Received {shown}'
    )


@pytest.mark.parametrize('call', [
    lambda b: b.add_address('1.2.3.4', 'ipv5'),
    lambda b: b.add_addresses(['1.2.3.4'], 'ipv5'),
    lambda b: b.remove_address('1.2.3.4', 'ipv5'),
    lambda b: b.add_range('1.1.1.2', '1.1.1.5', 'ipv5'),
    lambda b: b.remove_range('1.1.1.2', '1.1.1.5', 'ipv5'),
    lambda b: b.add_subnet('1.1.1.1', 77, 'ipv5'),
    lambda b: b.remove_subnet('1.1.1.1', 8, 'ipv5'),
])
def test_a_rule_needs_a_known_family(call: Change) -> None:
    with pytest.raises(CodedTypeError) as caught:
        call(BlockList())
    assert caught.value.code == 'ERR_INVALID_ARG_VALUE'
    assert str(caught.value) == "The property 'options.family' is invalid. Received 'ipv5'"


@pytest.mark.parametrize('call', [
    lambda b: b.add_address(''),
    lambda b: b.add_address('1.2.3'),
    lambda b: b.add_address('01.2.3.4'),
    lambda b: b.add_address('::1'),
    lambda b: b.add_address('1.2.3.4/8'),
    lambda b: b.add_address('1.2.3.4', 'ipv6'),
    lambda b: b.add_address('1.2.3.4\0'),
    lambda b: b.remove_address('x'),
    lambda b: b.add_range('1.1.1.x', 2),
    lambda b: b.add_range('1.1.1.2', '::1', 'ipv6'),
    lambda b: b.add_range(ipv4('1.1.1.1'), '1.1.1.5', 'ipv6'),
    lambda b: b.remove_range('1.1.1.x', '1.1.1.3'),
    lambda b: b.add_subnet('1.1', 129),
    lambda b: b.remove_subnet('1.1', 8),
    lambda b: b.add_cidr('x/8'),
    lambda b: b.add_cidr('x:/8'),
    lambda b: b.add_cidr('/8'),
    lambda b: b.add_cidr(' 10.0.0.0/8'),
    lambda b: b.add_cidr('10.0.0.0/8/9'),
])
def test_a_rule_needs_an_address_of_its_family(call: Change) -> None:
    block_list = BlockList()
    with pytest.raises(CodedRuntimeError) as caught:
        call(block_list)
    assert caught.value.code == 'ERR_INVALID_ADDRESS'
    assert str(caught.value) == 'Invalid socket address'
    assert block_list.rules == []


@pytest.mark.parametrize(('call', 'shown'), [
    (lambda b: b.add_range('1.1.1.2', '1.1.1.1'),
     "SocketAddress { address: '1.1.1.2', port: 0, family: 'ipv4', flowlabel: 0 }"),
    (lambda b: b.add_range('::2', '::1', 'ipv6'),
     "SocketAddress { address: '::2', port: 0, family: 'ipv6', flowlabel: 0 }"),
    (lambda b: b.add_range(ipv4('1.1.1.9'), ipv6('::ffff:1.1.1.5')),
     "SocketAddress { address: '1.1.1.9', port: 0, family: 'ipv4', flowlabel: 0 }"),
    (lambda b: b.add_range(ipv6('::ffff:1.1.1.9'), ipv4('1.1.1.5')),
     "SocketAddress { address: '::ffff:1.1.1.9', port: 0, family: 'ipv6', flowlabel: 0 }"),
])
def test_the_end_of_a_range_must_not_come_before_its_start(call: Change, shown: str) -> None:
    block_list = BlockList()
    with pytest.raises(CodedTypeError) as caught:
        call(block_list)
    assert caught.value.code == 'ERR_INVALID_ARG_VALUE'
    assert str(caught.value) == (
        f"The argument 'start' must come before end. Received {shown}"
    )
    assert block_list.rules == []


@pytest.mark.parametrize(('prefix', 'shown'), [
    ('8', "type string ('8')"), (None, 'null'), (UNDEFINED, 'undefined'),
    (True, 'type boolean (true)'), ({}, 'an instance of Object'),
])
def test_a_prefix_must_be_a_number(prefix: Any, shown: str) -> None:
    for change in (BlockList().add_subnet, BlockList().remove_subnet):
        with pytest.raises(CodedTypeError) as caught:
            change('1.1.1.1', prefix)
        assert caught.value.code == 'ERR_INVALID_ARG_TYPE'
        assert str(caught.value) == (
            f'The "prefix" argument must be of type number. Received {shown}'
        )


@pytest.mark.parametrize(('call', 'requirement', 'shown'), [
    (lambda b: b.add_subnet('1.1.1.1', 33), '>= 0 && <= 32', '33'),
    (lambda b: b.add_subnet('1.1.1.1', -1), '>= 0 && <= 32', '-1'),
    (lambda b: b.add_subnet('1.1.1.1', 2**32), '>= 0 && <= 32', '4294967296'),
    (lambda b: b.add_subnet('1.1.1.1', -5e9), '>= 0 && <= 32', '-5_000_000_000'),
    (lambda b: b.add_subnet('1.1.1.1', 1.5), 'an integer', '1.5'),
    (lambda b: b.add_subnet('1.1.1.1', float('nan')), 'an integer', 'NaN'),
    (lambda b: b.add_subnet('1.1.1.1', float('inf')), 'an integer', 'Infinity'),
    (lambda b: b.add_subnet('::1', 129, 'ipv6'), '>= 0 && <= 128', '129'),
    (lambda b: b.add_subnet(ipv4('1.1.1.1'), 99, 'ipv6'), '>= 0 && <= 32', '99'),
    (lambda b: b.remove_subnet('1.1.1.1', 33), '>= 0 && <= 32', '33'),
    (lambda b: b.add_cidr('10.0.0.0/33'), '>= 0 && <= 32', '33'),
    (lambda b: b.add_cidr('10.0.0.0/-1'), '>= 0 && <= 32', '-1'),
    (lambda b: b.add_cidr('10.0.0.0/999999999999'), '>= 0 && <= 32', '999_999_999_999'),
    (lambda b: b.add_cidr('::1/129'), '>= 0 && <= 128', '129'),
    (lambda b: b.remove_cidr('1.1.1.1/33'), '>= 0 && <= 32', '33'),
])
def test_a_prefix_must_be_a_length_that_the_family_has(
    call: Change, requirement: str, shown: str,
) -> None:
    with pytest.raises(CodedValueError) as caught:
        call(BlockList())
    assert caught.value.code == 'ERR_OUT_OF_RANGE'
    assert str(caught.value) == (
        f'The value of "prefix" is out of range. It must be {requirement}. Received {shown}'
    )


@pytest.mark.parametrize('text', ['10.0.0.0', ''])
def test_a_cidr_needs_a_prefix_length(text: str) -> None:
    for change in (BlockList().add_cidr, BlockList().remove_cidr):
        with pytest.raises(CodedTypeError) as caught:
            change(text)
        assert caught.value.code == 'ERR_INVALID_ARG_VALUE'
        assert str(caught.value) == (
            "The argument 'cidr' must contain a prefix length (e.g. \"10.0.0.0/8\"). "
            f"Received '{text}'"
        )


@pytest.mark.parametrize('length', [
    '08', '00', '-0', '+8', ' 8', '', '8.0', '1e1', '8a', 'x', '٨', '99999999999999999999',
    '--1', pytest.param('1' * 5000, id='huge'),
])
def test_the_prefix_length_of_a_cidr_is_plain_decimal(length: str) -> None:
    text = f'10.0.0.0/{length}'
    for change in (BlockList().add_cidr, BlockList().remove_cidr):
        with pytest.raises(CodedTypeError) as caught:
            change(text)
        assert caught.value.code == 'ERR_INVALID_ARG_VALUE'
        assert str(caught.value).startswith(
            f"The argument 'cidr' prefix length must be a valid integer. Received '{text[:20]}",
        )


def test_a_line_end_behind_a_cidr_is_not_overlooked() -> None:
    with pytest.raises(CodedTypeError) as caught:
        BlockList().add_cidr('10.0.0.0/8\n')
    assert str(caught.value) == (
        "The argument 'cidr' prefix length must be a valid integer. Received '10.0.0.0/8\\n'"
    )


# --- JSON ---------------------------------------------------------------------------------------


def test_rules_survive_a_round_trip_through_json() -> None:
    original = BlockList()
    original.add_addresses(['1.1.1.1', ipv6('2001:db8::1'), ipv6('::ffff:1.2.3.4'), ipv6('::1:2')])
    original.add_cidrs(BlockList.PRIVATE_RANGES)
    original.add_subnet('::ffff:1.2.3.4', 120, 'ipv6')
    original.add_range('10.0.0.1', '10.0.0.10')
    original.add_range('::ffff:1.1.1.1', '::ffff:1.1.1.5', 'ipv6')
    original.add_range(ipv4('1.1.1.1'), ipv6('::1'))
    original.add_range(ipv6('::1'), ipv4('1.1.1.1'))
    assert original.to_json() == original.rules
    for data in (original.to_json(), tuple(original.to_json()), json.dumps(original.to_json())):
        restored = BlockList()
        restored.from_json(data)
        assert sorted(restored.rules) == sorted(original.rules)
        assert restored.size == original.size
        # What was read last is the newest.
        assert restored.rules[4:4 + 9] == original.rules[4:4 + 9][::-1]


def test_from_json_adds_to_the_rules_that_are_there() -> None:
    block_list = BlockList()
    block_list.add_address('9.9.9.9')
    block_list.from_json(['Address: IPv4 1.1.1.1', 'Address: IPv6 FE80::A'])
    assert sorted(block_list.rules) == [
        'Address: IPv4 1.1.1.1', 'Address: IPv4 9.9.9.9', 'Address: IPv6 fe80::a',
    ]


@pytest.mark.parametrize(('text', 'rules'), [
    (' Address: IPv4 1.1.1.1\n', ['Address: IPv4 1.1.1.1']),
    ('Address: IPv6 ::1%lo', ['Address: IPv6 ::1']),
    ('Subnet: IPv4 1.1.1.1/08', ['Subnet: IPv4 1.1.1.1/8']),
    # Node 24 reads ::255.255.0.1 and nothing here; later releases read them as they are.
    ('Address: IPv6 ::ffff:1.2.3.4', ['Address: IPv6 ::ffff:1.2.3.4']),
    ('Subnet: IPv6 ::ffff:1.2.3.4/120', ['Subnet: IPv6 ::ffff:1.2.3.4/120']),
])
def test_from_json_reads_also(text: str, rules: list[str]) -> None:
    block_list = BlockList()
    block_list.from_json([text])
    assert block_list.rules == rules


@pytest.mark.parametrize('text', [
    '', 'x', '1.1.1.1', 'address: ipv4 1.1.1.1', 'Address: ipv4 1.1.1.1', 'Address:IPv4 1.1.1.1',
    'Address:  IPv4  1.1.1.1', 'Address: IPv4 ', 'Address: IPv4 ::1', 'Address: IPv4 1.1.1',
    'Address: IPv6 xyz', 'Subnet: IPv4 1.1.1.1', 'Range: IPv4 1.1.1.1 - 1.1.1.5',
    # Node finds a rule anywhere in the text.
    'xx Address: IPv4 1.1.1.1 yy', 'Address: IPv4 1.1.1.1/8',
])
def test_from_json_passes_over_what_is_no_rule(text: str) -> None:
    block_list = BlockList()
    block_list.from_json([text, 'Address: IPv4 9.9.9.9'])
    assert block_list.rules == ['Address: IPv4 9.9.9.9']


@pytest.mark.parametrize(('text', 'code'), [
    ('Address: IPv4 999.1.1.1', 'ERR_INVALID_ADDRESS'),
    ('Address: IPv4 01.1.1.1', 'ERR_INVALID_ADDRESS'),
    ('Address: IPv6 :::', 'ERR_INVALID_ADDRESS'),
    ('Address: IPv6 1', 'ERR_INVALID_ADDRESS'),
    ('Subnet: IPv4 1.1.1.1/33', 'ERR_OUT_OF_RANGE'),
    ('Subnet: IPv6 ::1/129', 'ERR_OUT_OF_RANGE'),
    ('Range: IPv4 1.1.1.5-1.1.1.1', 'ERR_INVALID_ARG_VALUE'),
])
def test_from_json_stops_at_an_invalid_rule(text: str, code: str) -> None:
    block_list = BlockList()
    with pytest.raises(CodedError) as caught:
        block_list.from_json(['Address: IPv4 1.1.1.1', text, 'Address: IPv4 2.1.1.1'])
    assert caught.value.code == code
    assert block_list.rules == ['Address: IPv4 1.1.1.1']


@pytest.mark.parametrize(('data', 'shown'), [
    (1, 'type number (1)'),
    (None, 'null'),
    (UNDEFINED, 'undefined'),
    ({}, 'an instance of Object'),
    ('{}', 'an instance of Object'),
    ([1], 'an instance of Array'),
    ('[1]', 'an instance of Array'),
    ('null', 'null'),
    ('1', 'type number (1)'),
    ('"Address: IPv4 1.1.1.1"', "type string ('Address: IPv4 1.1.1.1')"),
    (['Address: IPv4 1.1.1.1', 1], 'an instance of Array'),
    (['Address: IPv4 1.1.1.1', ['x']], 'an instance of Array'),
    (b'[]', 'an instance of Buffer'),
])
def test_from_json_takes_texts_only(data: Any, shown: str) -> None:
    block_list = BlockList()
    with pytest.raises(CodedTypeError) as caught:
        block_list.from_json(data)
    assert caught.value.code == 'ERR_INVALID_ARG_TYPE'
    assert str(caught.value) == (
        f'The "data" argument must be of type string or string[]. Received {shown}'
    )
    assert block_list.rules == []


@pytest.mark.parametrize('text', ['', 'x', '["Address: IPv4 1.1.1.1",]'])
def test_from_json_refuses_text_that_is_no_json(text: str) -> None:
    block_list = BlockList()
    with pytest.raises(json.JSONDecodeError):
        block_list.from_json(text)
    assert block_list.rules == []
