"""``BlockList``. All expectations without a remark were measured on Node 24.

The order of the addresses among the rules is unspecified in Node; gnet gives the newest first.
"""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

from gnet.addresses.block_list import BlockList
from gnet.node.values import UNDEFINED

from .common import Change, ipv4, ipv6, with_rules

# --- rules as texts -----------------------------------------------------------------------------


@pytest.mark.parametrize(('change', 'rule'), [
    (lambda b: b.add_address('1.1.1.1'), 'Address: IPv4 1.1.1.1'),
    (lambda b: b.add_address('1.1.1.1', 'IPv4'), 'Address: IPv4 1.1.1.1'),
    (lambda b: b.add_address('2001:DB8:0::1', 'IPV6'), 'Address: IPv6 2001:db8::1'),
    (lambda b: b.add_address('fe80::1%lo', 'ipv6'), 'Address: IPv6 fe80::1'),
    (lambda b: b.add_address('::ffff:1.2.3.4', 'ipv6'), 'Address: IPv6 ::ffff:1.2.3.4'),
    (lambda b: b.add_address('::ffff:102:304', 'ipv6'), 'Address: IPv6 ::ffff:1.2.3.4'),
    (lambda b: b.add_address('::1:2', 'ipv6'), 'Address: IPv6 ::0.1.0.2'),
    (lambda b: b.add_address(ipv6('::1'), 'ipv4'), 'Address: IPv6 ::1'),
    (lambda b: b.add_address(ipv6('::1'), 1), 'Address: IPv6 ::1'),
    (lambda b: b.add_range('10.0.0.1', '10.0.0.10'), 'Range: IPv4 10.0.0.1-10.0.0.10'),
    (lambda b: b.add_range('::1', '::F', 'ipv6'), 'Range: IPv6 ::1-::f'),
    (lambda b: b.add_range(ipv4('1.1.1.1'), ipv6('::1')), 'Range: IPv4 1.1.1.1-::1'),
    (lambda b: b.add_range(ipv6('::1'), ipv4('1.1.1.1')), 'Range: IPv6 ::1-1.1.1.1'),
    (lambda b: b.add_range(ipv4('1.1.1.1'), '::5', 'ipv6'), 'Range: IPv4 1.1.1.1-::5'),
    (lambda b: b.add_subnet('192.168.1.77', 16), 'Subnet: IPv4 192.168.1.77/16'),
    (lambda b: b.add_subnet('192.168.1.77', 16.0), 'Subnet: IPv4 192.168.1.77/16'),
    (lambda b: b.add_subnet('8592:757c:efae:4e45::', 64, 'ipv6'),
     'Subnet: IPv6 8592:757c:efae:4e45::/64'),
    (lambda b: b.add_subnet(ipv6('::1'), 99, 'ipv4'), 'Subnet: IPv6 ::1/99'),
    (lambda b: b.add_cidr('10.0.0.0/8'), 'Subnet: IPv4 10.0.0.0/8'),
    (lambda b: b.add_cidr('10.0.0.0/0'), 'Subnet: IPv4 10.0.0.0/0'),
    (lambda b: b.add_cidr('::ffff:1.2.3.4/100'), 'Subnet: IPv6 ::ffff:1.2.3.4/100'),
    (lambda b: b.add_cidr('fe80::1%l/o/64'), 'Subnet: IPv6 fe80::1/64'),
])
def test_a_rule_has_this_text(change: Change, rule: str) -> None:
    block_list = with_rules(change)
    assert block_list.rules == [rule]
    assert block_list.size == 1


def test_rules_are_addresses_then_subnets_then_ranges_and_the_newest_first() -> None:
    block_list = BlockList()
    block_list.add_address('1.1.1.1')
    block_list.add_subnet('2.2.2.2', 8)
    block_list.add_range('1.1.1.1', '1.1.1.2')
    block_list.add_address('::1', 'ipv6')
    block_list.add_subnet('::2', 8, 'ipv6')
    block_list.add_range('::1', '::5', 'ipv6')
    assert block_list.rules == [
        'Address: IPv6 ::1',
        'Address: IPv4 1.1.1.1',
        'Subnet: IPv6 ::2/8',
        'Subnet: IPv4 2.2.2.2/8',
        'Range: IPv6 ::1-::5',
        'Range: IPv4 1.1.1.1-1.1.1.2',
    ]


def test_rules_are_a_new_list_each_time_and_cannot_be_replaced() -> None:
    block_list = BlockList()
    block_list.add_address('1.1.1.1')
    block_list.rules.clear()
    assert block_list.rules == ['Address: IPv4 1.1.1.1']
    for name in ('rules', 'size'):
        with pytest.raises(AttributeError):
            setattr(block_list, name, 1)


def test_an_address_is_kept_once_with_the_notation_used_last() -> None:
    block_list = BlockList()
    for _ in range(2):
        block_list.add_address('1.1.1.1')
        block_list.add_address(ipv4('1.1.1.1', 80))
        assert (block_list.rules, block_list.size) == (['Address: IPv4 1.1.1.1'], 1)
        block_list.add_address('::ffff:1.1.1.1', 'ipv6')
        assert (block_list.rules, block_list.size) == (['Address: IPv6 ::ffff:1.1.1.1'], 1)


def test_equal_subnets_and_ranges_are_all_kept() -> None:
    block_list = BlockList()
    for _ in range(2):
        block_list.add_cidr('1.1.1.1/8')
        block_list.add_range('1.1.1.1', '1.1.1.2')
    assert block_list.size == 4
    assert block_list.rules == [
        *['Subnet: IPv4 1.1.1.1/8'] * 2, *['Range: IPv4 1.1.1.1-1.1.1.2'] * 2,
    ]


# --- removing -----------------------------------------------------------------------------------


def test_an_address_is_removed_by_either_notation() -> None:
    for address, family in (('1.1.1.1', 'ipv4'), ('::ffff:101:101', 'ipv6')):
        for other, other_family in (('1.1.1.1', 'ipv4'), ('::ffff:1.1.1.1', 'ipv6')):
            block_list = BlockList()
            block_list.add_address(address, family)
            block_list.add_address(address, family)
            block_list.remove_address(other, other_family)
            assert block_list.rules == []
            assert not block_list.check('1.1.1.1')
            assert not block_list.check('::ffff:1.1.1.1', 'ipv6')


def test_removing_an_address_leaves_subnets_and_ranges_of_it() -> None:
    block_list = BlockList()
    block_list.add_address('1.1.1.1')
    block_list.add_subnet('1.1.1.1', 32)
    block_list.add_range('1.1.1.1', '1.1.1.1')
    block_list.remove_address('1.1.1.1')
    assert block_list.rules == ['Subnet: IPv4 1.1.1.1/32', 'Range: IPv4 1.1.1.1-1.1.1.1']
    assert block_list.check('1.1.1.1')
    block_list.remove_subnet('1.1.1.1', 32)
    assert block_list.check('1.1.1.1')
    block_list.remove_range('1.1.1.1', '1.1.1.1')
    assert not block_list.check('1.1.1.1')


@pytest.mark.parametrize('remove', [
    lambda b: b.remove_address('9.9.9.9'),
    lambda b: b.remove_address('::1', 'ipv6'),
    lambda b: b.remove_subnet('192.168.0.0', 16),
    lambda b: b.remove_subnet('192.168.1.77', 17),
    lambda b: b.remove_subnet('::ffff:192.168.1.77', 112, 'ipv6'),
    lambda b: b.remove_cidr('192.168.0.0/16'),
    lambda b: b.remove_range('1.1.1.1', '1.1.1.3'),
    lambda b: b.remove_range('1.1.1.9', '1.1.1.1'),
    lambda b: b.remove_range('::ffff:1.1.1.1', '::ffff:1.1.1.9', 'ipv6'),
])
def test_only_the_rule_as_it_was_added_is_removed(remove: Change) -> None:
    block_list = BlockList()
    block_list.add_address('2.2.2.2')
    block_list.add_subnet('192.168.1.77', 16)
    block_list.add_range('1.1.1.1', '1.1.1.9')
    before = block_list.rules
    remove(block_list)
    assert block_list.rules == before
    for address in ('2.2.2.2', '192.168.9.9', '1.1.1.5'):
        assert block_list.check(address)


def test_of_equal_subnets_the_newest_is_removed() -> None:
    block_list = BlockList()
    for network in ('1.1.1.1', '2.1.1.1', '3.1.1.1', '2.1.1.1', '4.1.1.1'):
        block_list.add_subnet(network, 16)
    block_list.remove_subnet('2.1.1.1', 16)
    expected = [f'Subnet: IPv4 {first}.1.1.1/16' for first in (4, 3, 2, 1)]
    assert block_list.rules == expected
    assert block_list.check('2.1.5.5')
    block_list.remove_cidr('2.1.1.1/16')
    assert not block_list.check('2.1.5.5')


def test_of_equal_ranges_the_newest_is_removed() -> None:
    block_list = BlockList()
    for first in (1, 2, 1, 3):
        block_list.add_range(f'{first}.1.1.1', f'{first}.1.1.2')
    block_list.remove_range('1.1.1.1', '1.1.1.2')
    expected = [f'Range: IPv4 {first}.1.1.1-{first}.1.1.2' for first in (3, 2, 1)]
    assert block_list.rules == expected
    assert block_list.check('1.1.1.1')
    block_list.remove_range('1.1.1.1', '1.1.1.2')
    assert not block_list.check('1.1.1.1')


def test_equal_subnets_in_different_words_are_rules_of_their_own() -> None:
    block_list = BlockList()
    block_list.add_subnet('1.2.3.4', 16)
    block_list.add_subnet('1.2.0.0', 16)
    block_list.add_subnet('::ffff:1.2.0.0', 112, 'ipv6')
    block_list.remove_subnet('1.2.0.0', 16)
    assert block_list.check('1.2.9.9')
    block_list.remove_subnet('1.2.3.4', 16)
    assert block_list.check('1.2.9.9')
    block_list.remove_subnet('::ffff:1.2.0.0', 112, 'ipv6')
    assert not block_list.check('1.2.9.9')


def test_the_port_of_a_socket_address_does_not_matter_to_a_removal() -> None:
    # Node compares the ports too, of ranges and subnets only.
    block_list = BlockList()
    block_list.add_address(ipv4('1.1.1.1', 80))
    block_list.add_range(ipv4('1.1.1.1', 80), ipv4('1.1.1.5', 80))
    block_list.add_subnet(ipv4('1.1.1.1', 80), 8)
    block_list.remove_address(ipv4('1.1.1.1', 81))
    block_list.remove_range('1.1.1.1', '1.1.1.5')
    block_list.remove_subnet('1.1.1.1', 8)
    assert block_list.rules == []


def test_clear_removes_every_rule_and_the_list_can_be_used_on() -> None:
    block_list = BlockList()

    def fill() -> None:
        block_list.add_address('1.1.1.1')
        block_list.add_subnet('2.1.1.1', 8)
        block_list.add_range('3.1.1.1', '3.1.1.2')
        block_list.add_range('::1', '::5', 'ipv6')

    checks = [('1.1.1.1', 'ipv4'), ('2.9.9.9', 'ipv4'), ('3.1.1.1', 'ipv4'), ('::3', 'ipv6')]
    for _ in range(2):
        fill()
        assert block_list.size == 4
        assert all(block_list.check(*case) for case in checks)
        block_list.clear()
        assert (block_list.size, block_list.rules) == (0, [])
        assert not any(block_list.check(*case) for case in checks)


# --- the object itself --------------------------------------------------------------------------


def test_is_block_list_is_safe_with_anything() -> None:
    assert BlockList.is_block_list(BlockList()) is True
    for value in (None, UNDEFINED, {}, [], 'x', BlockList, object()):
        assert BlockList.is_block_list(value) is False


def test_its_repr_is_nodes_inspection_text() -> None:
    block_list = BlockList()
    assert repr(block_list) == 'BlockList { rules: [] }'
    block_list.add_address('1.1.1.1')
    assert repr(block_list) == "BlockList { rules: [ 'Address: IPv4 1.1.1.1' ] }"
    block_list.add_subnet('fe80:1:2:3:4:5:6:7', 100, 'ipv6')
    block_list.add_subnet('fe80:1:2:3:4:5:6:7', 100, 'ipv6')
    assert repr(block_list) == (
        'BlockList {\n'
        '  rules: [\n'
        "    'Address: IPv4 1.1.1.1',\n"
        "    'Subnet: IPv6 fe80:1:2:3:4:5:6:7/100',\n"
        "    'Subnet: IPv6 fe80:1:2:3:4:5:6:7/100'\n"
        '  ]\n'
        '}'
    )


@pytest.mark.parametrize(('count', 'tail'), [
    (101, '    ... 1 more item\n  ]\n}'), (120, '    ... 20 more items\n  ]\n}'),
])
def test_its_repr_shows_the_first_hundred_rules(count: int, tail: str) -> None:
    block_list = BlockList()
    for number in range(count):
        block_list.add_subnet(f'10.0.{number}.0', 24)
    lines = repr(block_list).split('\n')
    assert lines[2] == f"    'Subnet: IPv4 10.0.{count - 1}.0/24',"
    assert sum('Subnet' in line for line in lines) == 100
    assert '\n'.join(lines[-3:]) == tail


def test_a_shallow_copy_shares_the_rules_both_ways() -> None:
    original = BlockList()
    clone = copy.copy(original)
    clone.add_address('1.1.1.1')
    original.add_range('2.1.1.1', '2.1.1.5')
    assert original.check('1.1.1.1')
    assert clone.check('2.1.1.3')
    clone.add_cidr('3.0.0.0/8')
    clone.remove_range('2.1.1.1', '2.1.1.5')
    assert original.check('3.1.1.1')
    assert not original.check('2.1.1.3')
    clone.clear()
    assert original.rules == clone.rules == []
    assert not original.check('1.1.1.1')


@pytest.mark.parametrize('duplicate', [
    copy.deepcopy, lambda block_list: pickle.loads(pickle.dumps(block_list)),
])
def test_a_deep_copy_has_rules_of_its_own(duplicate: Any) -> None:
    original = BlockList()
    original.add_address('1.1.1.1')
    original.add_subnet('2.1.1.1', 8)
    original.add_range('3.1.1.1', '3.1.1.5')
    other = duplicate(original)
    assert other.rules == original.rules
    original.clear()
    assert all(map(other.check, ['1.1.1.1', '2.9.9.9', '3.1.1.3']))
    other.remove_range('3.1.1.1', '3.1.1.5')
    assert not other.check('3.1.1.3')


def test_every_member_of_nodes_block_list_has_nodes_spelling() -> None:
    node = {
        'addAddress', 'addAddresses', 'addRange', 'addSubnet', 'addCIDR', 'addCIDRs',
        'removeAddress', 'removeRange', 'removeSubnet', 'removeCIDR', 'check', 'clear', 'toJSON',
        'fromJSON', 'rules', 'size', 'isBlockList', 'PRIVATE_RANGES',
    }
    python = {
        'add_address', 'add_addresses', 'add_range', 'add_subnet', 'add_cidr', 'add_cidrs',
        'remove_address', 'remove_range', 'remove_subnet', 'remove_cidr', 'to_json', 'from_json',
        'is_block_list',
    }
    assert {name for name in dir(BlockList) if not name.startswith('_')} == node | python
    block_list: Any = BlockList()
    block_list.addCIDRs(['10.0.0.0/8'])
    block_list.addCIDR('11.0.0.0/8')
    block_list.removeCIDR('10.0.0.0/8')
    assert block_list.toJSON() == ['Subnet: IPv4 11.0.0.0/8']
    assert block_list.isBlockList(block_list)
