"""A name with several addresses: which are tried, in which order, and what is emitted."""

from __future__ import annotations

from typing import Any

from ..form import Form, Scenario, Step, error, fn, number, port, ref
from ._peers import listening, looked_up

__all__ = ['SCENARIOS']

CHAPTER = 'net: autoSelectFamily'

STATES = ['connecting', 'pending', 'destroyed', 'readyState', 'autoSelectFamilyAttemptedAddresses']
GET = ['get', *(f'c.{state}' for state in STATES)]

#: A name and addresses that a look-up answers; nobody listens on any.
REFUSED: list[tuple[str, list[str]]] = [
    ('one IPv4', ['127.0.0.1']),
    ('one IPv6', ['::1']),
    ('IPv4 and IPv6', ['127.0.0.1', '::1']),
    ('IPv6 and IPv4', ['::1', '127.0.0.1']),
    ('two IPv4', ['127.0.0.1', '127.0.0.2']),
    ('mixed', ['127.0.0.1', '127.0.0.2', '::1', '::ffff:127.0.0.3', '127.0.0.4']),
    ('mixed, IPv6 first', ['::1', '::ffff:127.0.0.3', '127.0.0.1', '127.0.0.2']),
    ('twice the same', ['127.0.0.1', '127.0.0.1']),
    ('the same among others', ['127.0.0.1', '::1', '127.0.0.1', '::1']),
    ('no address among others', ['nope', '127.0.0.1', '127.0.0.2']),
    ('no address and one', ['nope', '127.0.0.1']),
    ('no route and one that is refused', ['255.255.255.255', '127.0.0.1']),
    ('one that is refused and no route', ['127.0.0.1', '255.255.255.255']),
    ('no route at all', ['255.255.255.255', '224.0.0.1']),
]

#: The same, where the last one, or one before, connects.
CONNECTED: list[tuple[str, list[str]]] = [
    ('only one', ['127.0.0.1']),
    ('the first', ['127.0.0.1', '127.0.0.2']),
    ('the second', ['::1', '127.0.0.1']),
    ('the second of one kind', ['127.0.0.2', '127.0.0.1']),
    ('the third', ['127.0.0.2', '::1', '127.0.0.3', '127.0.0.1']),
    ('after no route', ['255.255.255.255', '127.0.0.1']),
]


def named(lookup: Form, to: Form = 1, **more: Any) -> dict[str, Any]:
    # No attempt is to have had its time, however slow the machine.
    return {
        'port': to, 'host': 'name.test', 'lookup': lookup,
        'autoSelectFamilyAttemptTimeout': 60_000, **more,
    }


def scenario(
    name: str, options: Form, *after: Step, before: list[Step] | None = None,
    made_with: Form = None, **more: Any,
) -> Scenario:
    """Return a scenario in which a socket connects to a name."""
    return Scenario(
        f'attempts/{name}', CHAPTER,
        [
            *(before or []),
            ['let', 'c', 'new net.Socket', *([] if made_with is None else [made_with])],
            ['call', 'c.connect', options, fn('connected')],
            GET,
            *after,
        ],
        watch={'sockets': ['readyState', 'connecting', 'autoSelectFamilyAttemptedAddresses']},
        **more)


CLOSED: list[Step] = [['await', 'c close'], GET]
READY: list[Step] = [['await', 'c ready'], GET, ['call', 'c.destroy'], ['await', 'c close']]

#: An event while several addresses are tried; what a listener of it does.
IN_LISTENERS: list[tuple[str, list[Form], str]] = [
    ('lookup', [], 'closes'), ('lookup', [error('enough')], 'fails'),
    ('connectionAttemptFailed', [], 'closes'),
    ('connectionAttemptFailed', [error('enough')], 'fails'),
]

SCENARIOS = [
    *(
        scenario(f'refused: {name}', named(looked_up(*addresses)), *CLOSED)
        for name, addresses in REFUSED
    ),
    *(
        scenario(
            f'connected: {name}', named(looked_up(*addresses), port()), *READY,
            before=listening())
        for name, addresses in CONNECTED
    ),
    *(
        scenario(
            f'only one is asked for: {name}',
            named(fn('lookup', ['callback', 2, None, '127.0.0.1', 4]), **options), *CLOSED)
        for name, options in (
            ('autoSelectFamily', {'autoSelectFamily': False}), ('family', {'family': 4}),
            ('localAddress', {'localAddress': '127.0.0.1'}))
    ),
    scenario(
        'localPort is bound for each', named(
            looked_up('127.0.0.1', '127.0.0.2'), localPort=port()), *CLOSED,
        before=[['let', 'server', 'net.createServer'], ['call', 'server.listen', 0, '0.0.0.0'],
                ['await', 'server listening']]),
    scenario(
        'one of two is blocked', named(looked_up('127.0.0.2', '127.0.0.1'), port()), *READY,
        before=[*listening(), ['let', 'rules', 'new net.BlockList'],
                ['call', 'rules.addAddress', '127.0.0.2']],
        made_with={'blockList': ref('rules')}),
    scenario(
        'all are blocked', named(looked_up('127.0.0.2', '::1')), *CLOSED,
        before=[['let', 'rules', 'new net.BlockList'], ['call', 'rules.addAddress', '127.0.0.2'],
                ['call', 'rules.addAddress', '::1', 'ipv6']],
        made_with={'blockList': ref('rules')}),
    scenario(
        'one is refused, one is blocked', named(looked_up('127.0.0.2', '127.0.0.1')), *CLOSED,
        before=[['let', 'rules', 'new net.BlockList'], ['call', 'rules.addAddress', '127.0.0.1']],
        made_with={'blockList': ref('rules')}),
    *(
        Scenario(
            f'attempts/a listener of {event} {what}', CHAPTER,
            [
                ['let', 'c', 'new net.Socket'],
                ['call', 'c.once', event, fn('listener', ['call', 'c.destroy', *arguments])],
                ['call', 'c.connect', named(looked_up('127.0.0.1', '::1'))],
                ['await', 'c close'],
                GET,
            ])
        for event, arguments, what in IN_LISTENERS
    ),
    *(
        scenario(
            f'destroyed right after connect{how}',
            named(looked_up('127.0.0.1', '::1'), port()), ['call', 'c.destroy', *arguments],
            ['tick', fn('tick', of='c')], *CLOSED, before=listening())
        for how, arguments in (('', []), (' with an error', [error('enough')]))
    ),
    scenario(
        'destroyed right after connect, one address', named(looked_up('127.0.0.1'), port()),
        ['call', 'c.destroy'], *CLOSED, before=listening()),
    scenario(
        'writes wait for the one that connects', named(looked_up('::1', '127.0.0.1'), port()),
        ['call', 'c.write', 'one', fn('one')], ['call', 'c.write', 'two', fn('two')],
        ['await', 'two'], ['settle'], ['get', 's1.bytesRead'],
        before=listening(fn('accepted', ['call', '$0.resume'])),
        ignore=['data', 'readable']),
    scenario(
        'end is called before the one that connects', named(looked_up('::1', '127.0.0.1'), port()),
        ['call', 'c.end', 'one', fn('ended')], ['await', 'c ready'], ['settle'], GET,
        before=listening(fn('accepted', ['call', '$0.resume'])),
        ignore=['data', 'readable'],
        on_purpose='`end()` before the connection is forgotten when a second address is tried'),
    scenario(
        'end is called before the first one connects', named(looked_up('127.0.0.1', '::1'), port()),
        ['call', 'c.end', 'one', fn('ended')], ['await', 'c finish'], ['settle'], GET,
        before=listening(fn('accepted', ['call', '$0.resume'])),
        ignore=['data', 'readable']),
    scenario(
        'writes fail with all of them', named(looked_up('::1', '127.0.0.1')),
        ['call', 'c.write', 'one', fn('one')], ['call', 'c.write', 'two', fn('two')],
        ['call', 'c.end', fn('ended')], *CLOSED),
    scenario(
        'a second connection has its own list', named(looked_up('::1', '127.0.0.1')),
        ['await', 'c close'],
        ['call', 'c.connect', {'port': 1, 'host': '127.0.0.1'}], GET, ['await', 'c close', 2], GET),
    Scenario(
        'attempts/default of autoSelectFamily', CHAPTER,
        [
            ['call', 'net.getDefaultAutoSelectFamily'],
            ['call', 'net.setDefaultAutoSelectFamily', False],
            ['call', 'net.getDefaultAutoSelectFamily'],
            ['let', 'c', 'new net.Socket'],
            ['call', 'c.connect', named(fn('lookup', ['callback', 2, None, '127.0.0.1', 4]))],
            ['await', 'c close'],
            ['let', 'c2', 'new net.Socket'],
            ['call', 'c2.connect', named(looked_up('127.0.0.1', name='lookup all'),
                                         autoSelectFamily=True)],
            ['await', 'c2 close'],
            ['call', 'net.setDefaultAutoSelectFamily', True],
            ['call', 'net.getDefaultAutoSelectFamily'],
            *(['call', 'net.setDefaultAutoSelectFamily', value]
              for value in ('x', 1, 0, None, {}, 'true')),
            ['call', 'net.getDefaultAutoSelectFamily'],
        ]),
    Scenario(
        'attempts/default of the time for an attempt', CHAPTER,
        [
            ['call', 'net.getDefaultAutoSelectFamilyAttemptTimeout'],
            *(step for value in (
                5, 10, 11, 1, 2**31 - 1, 0, -1, 2**31, 1.5, number('NaN'), 'x', None, True, 300)
              for step in (
                ['call', 'net.setDefaultAutoSelectFamilyAttemptTimeout', value],
                ['call', 'net.getDefaultAutoSelectFamilyAttemptTimeout'])),
        ]),
    Scenario(
        'attempts/look-up has pairs of its own kind', CHAPTER,
        [
            ['let', 'c', 'new net.Socket'],
            ['call', 'c.connect', named(fn('lookup', ['callback', 2, None, [
                {'address': '127.0.0.1', 'family': 4, 'more': 1},
                {'address': '::1', 'family': 6}]]))],
            ['await', 'c close'],
        ]),
    Scenario(
        'attempts/look-up answers later', CHAPTER,
        [
            ['let', 'c', 'new net.Socket'],
            ['call', 'c.connect', named(fn('lookup', ['tick', fn('later', of='c')]))],
            ['settle'],
            GET,
            ['call', 'c.destroy'],
            ['await', 'c close'],
        ]),
]
