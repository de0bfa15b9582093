"""What ``BlockList.check`` answers: case by case as measured on Node 24, against a simple model of
the rules, and with very many of them."""

from __future__ import annotations

import random
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, Union

import pytest

from gnet.addresses.block_list import BlockList

from .common import Change, ipv4, ipv6, with_rules

# --- what a rule applies to ---------------------------------------------------------------------

LAST_IPV6 = 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'

CHECKS: list[tuple[str, Change, list[tuple[str, str]], list[tuple[str, str]]]] = [
    (
        'IPv4 address', lambda b: b.add_address('1.1.1.1'),
        [('1.1.1.1', 'ipv4'), ('1.1.1.1', 'IPv4'), ('::ffff:1.1.1.1', 'ipv6'),
         ('::ffff:101:101', 'IPv6')],
        [('1.1.1.2', 'ipv4'), ('::1.1.1.1', 'ipv6'), ('1.1.1.1', 'ipv6'),
         ('::ffff:1.1.1.1', 'ipv4')],
    ),
    (
        'IPv6 address', lambda b: b.add_address('fe80::1', 'ipv6'),
        [('fe80::1', 'ipv6'), ('FE80:0::1', 'ipv6'), ('fe80::1%eth0', 'ipv6')],
        [('fe80::2', 'ipv6'), ('fe80::1', 'ipv4')],
    ),
    (
        'mapped address', lambda b: b.add_address('::ffff:1.1.1.1', 'ipv6'),
        [('1.1.1.1', 'ipv4'), ('::ffff:1.1.1.1', 'ipv6'), ('::ffff:101:101', 'ipv6')],
        [('::1.1.1.1', 'ipv6'), ('1.1.1.2', 'ipv4')],
    ),
    (
        'IPv4-compatible address', lambda b: b.add_address('::1.1.1.1', 'ipv6'),
        [('::1.1.1.1', 'ipv6'), ('::101:101', 'ipv6')],
        [('1.1.1.1', 'ipv4'), ('::ffff:1.1.1.1', 'ipv6')],
    ),
    (
        'address with a port', lambda b: b.add_address(ipv4('1.1.1.1', 80)),
        [('1.1.1.1', 'ipv4')], [('1.1.1.2', 'ipv4')],
    ),
    (
        'IPv4 range', lambda b: b.add_range('1.1.1.1', '1.1.1.5'),
        [('1.1.1.1', 'ipv4'), ('1.1.1.3', 'ipv4'), ('1.1.1.5', 'ipv4'),
         ('::ffff:1.1.1.3', 'ipv6')],
        [('1.1.1.0', 'ipv4'), ('1.1.1.6', 'ipv4'), ('::ffff:1.1.1.6', 'ipv6'),
         ('::1.1.1.3', 'ipv6')],
    ),
    (
        'range of one', lambda b: b.add_range('1.1.1.1', '1.1.1.1'),
        [('1.1.1.1', 'ipv4')], [('1.1.1.0', 'ipv4'), ('1.1.1.2', 'ipv4')],
    ),
    (
        'mapped range', lambda b: b.add_range('::ffff:1.1.1.1', '::ffff:1.1.1.5', 'ipv6'),
        [('1.1.1.3', 'ipv4'), ('::ffff:1.1.1.3', 'ipv6')],
        [('1.1.1.6', 'ipv4'), ('::1.1.1.3', 'ipv6')],
    ),
    (
        'range with a mapped end', lambda b: b.add_range('::', '::ffff:1.1.1.5', 'ipv6'),
        [('::ffff:1.1.1.3', 'ipv6'), ('::5', 'ipv6')],
        [('1.1.1.3', 'ipv4'), ('0.0.0.0', 'ipv4'), ('::ffff:1.1.1.6', 'ipv6')],
    ),
    (
        'range with a mapped start', lambda b: b.add_range('::ffff:1.1.1.1', 'ffff::', 'ipv6'),
        [('::ffff:1.1.1.3', 'ipv6'), ('2000::', 'ipv6')],
        [('1.1.1.3', 'ipv4'), ('255.1.1.3', 'ipv4'), ('::ffff:1.1.1.0', 'ipv6')],
    ),
    (
        'range around the mapped addresses', lambda b: b.add_range('::', 'ffff::', 'ipv6'),
        [('::ffff:1.1.1.3', 'ipv6'), ('2000::', 'ipv6')], [('1.1.1.3', 'ipv4')],
    ),
    (
        'range of two families', lambda b: b.add_range(ipv4('1.1.1.1'), ipv6('::ffff:1.1.1.5')),
        [('1.1.1.1', 'ipv4'), ('1.1.1.3', 'ipv4'), ('::ffff:1.1.1.3', 'ipv6')],
        [('1.1.1.6', 'ipv4'), ('::ffff:1.1.1.6', 'ipv6')],
    ),
    (
        'range from unmapped IPv6 to IPv4', lambda b: b.add_range(ipv6('::1'), ipv4('1.1.1.1')),
        [('::ffff:1.1.1.0', 'ipv6'), ('::ffff:0.0.0.0', 'ipv6'), ('::ffff:1.1.1.1', 'ipv6')],
        [('1.1.1.0', 'ipv4'), ('1.1.1.1', 'ipv4'), ('::1', 'ipv6'), ('::5', 'ipv6'),
         ('::fffe:ffff:ffff', 'ipv6'), ('::ffff:1.1.1.2', 'ipv6')],
    ),
    (
        'range from IPv4 to unmapped IPv6',
        lambda b: b.add_range(ipv4('1.1.1.1'), ipv6('2000::')),
        [('::ffff:1.1.1.1', 'ipv6'), ('::ffff:255.255.255.255', 'ipv6')],
        [('::1:0:0:0', 'ipv6'), ('1.1.1.2', 'ipv4'), ('::ffff:1.1.1.0', 'ipv6')],
    ),
    (
        'range of two families with nothing between',
        lambda b: b.add_range(ipv4('1.1.1.1'), ipv6('::1')), [],
        [('1.1.1.1', 'ipv4'), ('0.0.0.1', 'ipv4'), ('::1', 'ipv6'), ('::ffff:1.1.1.1', 'ipv6')],
    ),
    (
        'IPv4 subnet with host bits', lambda b: b.add_subnet('192.168.1.77', 16),
        [('192.168.0.0', 'ipv4'), ('192.168.255.255', 'ipv4'), ('::ffff:192.168.9.9', 'ipv6')],
        [('192.169.0.0', 'ipv4'), ('192.167.255.255', 'ipv4'), ('::192.168.9.9', 'ipv6')],
    ),
    (
        'all of IPv4', lambda b: b.add_subnet('1.1.1.1', 0),
        [('0.0.0.0', 'ipv4'), ('255.255.255.255', 'ipv4'), ('::ffff:2.1.1.6', 'ipv6')],
        [('::1.1.1.3', 'ipv6'), ('2000::', 'ipv6')],
    ),
    (
        'subnet of one', lambda b: b.add_subnet('1.1.1.1', 32),
        [('1.1.1.1', 'ipv4')], [('1.1.1.0', 'ipv4')],
    ),
    (
        'IPv6 subnet', lambda b: b.add_subnet('8592:757c:efae:4e45::', 64, 'ipv6'),
        [('8592:757c:efae:4e45:f::', 'ipv6')], [('8592:757c:efae:4f45::f', 'ipv6')],
    ),
    (
        'IPv6 subnet that ends within a byte',
        lambda b: b.add_subnet('8592:757c:efae:4e45::1', 67, 'ipv6'),
        [('8592:757c:efae:4e45:1fff::', 'ipv6')], [('8592:757c:efae:4e45:2fff::', 'ipv6')],
    ),
    (
        'one IPv6 bit', lambda b: b.add_subnet(LAST_IPV6, 1, 'ipv6'),
        [('8000::', 'ipv6'), (LAST_IPV6, 'ipv6')],
        [('7fff::', 'ipv6'), ('255.255.255.255', 'ipv4')],
    ),
    (
        'mapped subnet', lambda b: b.add_subnet('::ffff:1.1.1.1', 104, 'ipv6'),
        [('1.2.2.3', 'ipv4'), ('::ffff:1.1.1.3', 'ipv6')],
        [('2.2.2.3', 'ipv4'), ('::ffff:2.1.1.6', 'ipv6'), ('::1.1.1.3', 'ipv6')],
    ),
    (
        'subnet around the mapped addresses',
        lambda b: b.add_subnet('::ffff:1.1.1.1', 90, 'ipv6'),
        [('1.2.2.3', 'ipv4'), ('::ffff:1.1.1.3', 'ipv6'), ('::fffe:0:0', 'ipv6')],
        [('2000::', 'ipv6')],
    ),
    (
        'all of IPv6', lambda b: b.add_subnet('::', 0, 'ipv6'),
        [('1.2.2.3', 'ipv4'), ('::ffff:1.1.1.3', 'ipv6'), ('2000::', 'ipv6')], [],
    ),
    (
        'private ranges', lambda b: b.add_cidrs(BlockList.PRIVATE_RANGES),
        [('10.1.2.3', 'ipv4'), ('172.31.255.255', 'ipv4'), ('127.9.9.9', 'ipv4'), ('::1', 'ipv6'),
         ('fdff::1', 'ipv6'), ('::ffff:169.254.1.1', 'ipv6')],
        [('8.8.8.8', 'ipv4'), ('172.32.0.0', 'ipv4'), ('::2', 'ipv6'), ('2000::', 'ipv6')],
    ),
]


@pytest.mark.parametrize(
    ('change', 'inside', 'outside'), [case[1:] for case in CHECKS], ids=[c[0] for c in CHECKS],
)
def test_a_rule_applies_to_these_and_not_to_those(
    change: Change, inside: list[tuple[str, str]], outside: list[tuple[str, str]],
) -> None:
    block_list = with_rules(change)
    assert [case for case in inside if not block_list.check(*case)] == []
    assert [case for case in outside if block_list.check(*case)] == []


def test_a_new_list_has_no_rules_and_is_true() -> None:
    block_list = BlockList()
    assert (block_list.rules, block_list.size, block_list.check('1.1.1.1')) == ([], 0, False)
    assert block_list


@pytest.mark.parametrize(('address', 'family'), [
    ('garbage', 'ipv4'), ('', 'ipv4'), ('1.1.1', 'ipv4'), ('1.1.1.1 ', 'ipv4'),
    ('01.1.1.1', 'ipv4'), ('1.1.1.1', 'x'), ('1.1.1.1', ''), ('::1', 'ipv4'), ('::g', 'ipv6'),
    ('1.1.1.1\0', 'ipv4'), ('1.1.1.1\ud800', 'ipv4'),
])
def test_what_is_no_address_of_the_family_falls_under_no_rule(address: str, family: str) -> None:
    block_list = BlockList()
    block_list.add_subnet('0.0.0.0', 0)
    block_list.add_subnet('::', 0, 'ipv6')
    assert block_list.check(address, family) is False


def test_a_socket_address_is_checked_by_its_own_family_and_without_its_port() -> None:
    block_list = BlockList()
    block_list.add_address(ipv4('1.1.1.1', 80))
    block_list.add_range('2000::', '2000::5', 'ipv6')
    any_value: Any = 4
    assert block_list.check(ipv4('1.1.1.1', 81))
    assert block_list.check(ipv4('1.1.1.1'), 'ipv6')
    assert block_list.check(ipv4('1.1.1.1'), any_value)
    assert block_list.check(ipv6('::ffff:1.1.1.1'))
    assert block_list.check(ipv6('2000::3'), 'ipv4')
    assert not block_list.check(ipv6('::1.1.1.1'))


# --- against a simple model ---------------------------------------------------------------------

Address = Union[IPv4Address, IPv6Address]


class Model:
    """The rules of Node in words, one by one: what the fast look-ups must agree with."""

    def __init__(self) -> None:
        self.addresses: list[Address] = []
        self.ranges: list[tuple[Address, Address]] = []
        self.subnets: list[tuple[Address, int]] = []

    def check(self, address: Address) -> bool:
        return (
            any(self._equal(rule, address) for rule in self.addresses)
            or any(self._between(*rule, address) for rule in self.ranges)
            or any(self._within(*rule, address) for rule in self.subnets)
        )

    @staticmethod
    def plain(address: Address) -> Address:
        """An IPv4-mapped address is the IPv4 address."""
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            return address.ipv4_mapped
        return address

    def _equal(self, rule: Address, address: Address) -> bool:
        return self.plain(rule) == self.plain(address)

    def _between(self, start: Address, end: Address, address: Address) -> bool:
        if isinstance(start, IPv6Address) and isinstance(address, IPv6Address):
            assert isinstance(end, IPv6Address)
            return start <= address <= end
        low, value, high = map(self.plain, (start, address, end))
        if isinstance(low, IPv4Address) and isinstance(high, IPv4Address):
            return isinstance(value, IPv4Address) and low <= value <= high
        return False

    def _within(self, network: Address, prefix: int, address: Address) -> bool:
        if isinstance(network, IPv4Address):
            return self.plain(address) in ip_network((int(network), prefix), strict=False)
        if isinstance(address, IPv4Address):
            address = IPv6Address(f'::ffff:{address}')
        return address in IPv6Network((int(network), prefix), strict=False)


def family_of(address: Address) -> str:
    return f'ipv{address.version}'


def random_address(rng: random.Random) -> Address:
    """An address from a small world, so that rules and checks meet."""
    host = rng.randrange(1024)
    kind = rng.random()
    if kind < 0.45:
        return ip_address(f'10.0.{host >> 8}.{host & 255}')
    if kind < 0.70:
        return ip_address(f'::ffff:10.0.{host >> 8}.{host & 255}')
    if kind < 0.90:
        return ip_address(f'2001:db8::{host:x}')
    if kind < 0.95:
        return ip_address(f'::10.0.{host >> 8}.{host & 255}')
    return IPv6Address(rng.getrandbits(128)) if rng.random() < 0.5 else IPv6Address(host)


def change_at_random(rng: random.Random, block_list: BlockList, model: Model) -> None:
    """Make one change to both."""
    action = rng.randrange(10)
    first = random_address(rng)
    family = family_of(first)
    if action < 2:
        block_list.add_address(str(first), family)
        if not any(model._equal(rule, first) for rule in model.addresses):
            model.addresses.append(first)
    elif action < 5:
        second = random_address(rng)
        if family_of(second) != family:
            return
        low, high = sorted([int(first), int(second)])
        rule = (type(first)(low), type(first)(high))
        # Wide ranges would soon cover everything.
        if high - low > 64 and rng.random() < 0.9:
            rule = (rule[0], type(first)(low + rng.randrange(16)))
        block_list.add_range(str(rule[0]), str(rule[1]), family)
        model.ranges.append(rule)
    elif action < 7:
        longest = first.max_prefixlen
        prefix = longest - rng.randrange(7) if rng.random() < 0.97 else rng.randrange(longest + 1)
        block_list.add_subnet(str(first), prefix, family)
        model.subnets.append((first, prefix))
    elif action == 7 and model.addresses:
        gone = model.addresses.pop(rng.randrange(len(model.addresses)))
        block_list.remove_address(str(gone), family_of(gone))
    elif action == 8 and model.ranges:
        start, end = model.ranges.pop(rng.randrange(len(model.ranges)))
        block_list.remove_range(str(start), str(end), family_of(start))
    elif action == 9 and model.subnets:
        network, prefix = model.subnets.pop(rng.randrange(len(model.subnets)))
        block_list.remove_subnet(str(network), prefix, family_of(network))


@pytest.mark.parametrize('seed', range(12))
def test_check_agrees_with_the_rules_taken_one_by_one(seed: int) -> None:
    rng = random.Random(seed)
    block_list, model = BlockList(), Model()
    answers = []
    for _ in range(60):
        for _ in range(rng.choice([1, 1, 3])):
            change_at_random(rng, block_list, model)
        for _ in range(8):
            address = random_address(rng)
            answer = block_list.check(str(address), family_of(address))
            assert answer == model.check(address), (address, block_list.rules)
            answers.append(answer)
    assert block_list.size == len(model.addresses) + len(model.ranges) + len(model.subnets)
    # The comparison is worth something only if both answers were common.
    assert 0.05 < sum(answers) / len(answers) < 0.95


def test_a_hundred_thousand_rules_answer_right() -> None:
    def dotted(network: int, host: int) -> str:
        return str(IPv4Address(network << 24 | host))

    block_list = BlockList()
    # Every second address, every second subnet of 16, four of every eight.
    block_list.add_addresses([dotted(11, 2 * n) for n in range(40_000)])
    block_list.add_cidrs([f'{dotted(12, 32 * n)}/28' for n in range(30_000)])
    for n in random.Random(5).sample(range(30_000), 30_000):
        block_list.add_range(dotted(13, 8 * n), dotted(13, 8 * n + 3))
    assert block_list.size == 100_000
    assert len(block_list.rules) == 100_000

    def expected(network: int, host: int) -> bool:
        return {
            11: host < 80_000 and host % 2 == 0,
            12: host < 960_000 and host % 32 < 16,
            13: host < 240_000 and host % 8 < 4,
        }[network]

    rng = random.Random(6)
    for _ in range(3_000):
        network = rng.choice([11, 12, 13])
        host = rng.randrange({11: 85_000, 12: 1_000_000, 13: 250_000}[network])
        answer = expected(network, host)
        assert block_list.check(dotted(network, host)) is answer, (network, host)
        assert block_list.check(f'::ffff:{dotted(network, host)}', 'ipv6') is answer

    # A few changes after the first look-ups, which are taken in without sorting everything.
    block_list.add_range(dotted(13, 4), dotted(13, 80))
    block_list.add_range(dotted(14, 1), dotted(14, 5))
    assert all(block_list.check(dotted(13, host)) for host in range(84))
    assert not block_list.check(dotted(13, 84))
    assert [block_list.check(dotted(14, host)) for host in range(7)] == [
        False, True, True, True, True, True, False,
    ]
    block_list.remove_range(dotted(13, 4), dotted(13, 80))
    for host in range(200):
        assert block_list.check(dotted(13, host)) is expected(13, host)
