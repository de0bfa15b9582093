"""The events of a cluster, their arguments and order: those of Node 24, measured."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from ..harness.scripts import Running

PROGRAM = """
    mode = sys.argv[1]

    def show(value):
        return f'W{value.id}' if isinstance(value, cluster.Worker) else repr(value)

    def watch(who, emitter, events, state=lambda *_: ''):
        for event in events:
            emitter.on(event, lambda *args, event=event: say(
                who, event, *map(show, args), state(*args)))

    def state(worker, *_):
        return (f'[{worker.is_connected():d}{worker.is_dead():d} {worker.exited_after_disconnect} '
                f'{worker.id in cluster.workers:d} {worker.state}]')

    ALL = ['online', 'listening', 'disconnect', 'exit', 'message']
    if cluster.is_primary:
        cluster.on('setup', lambda settings: say('cluster setup', settings['args']))
        watch('cluster', cluster, ['fork', *ALL], state)
        worker = cluster.fork()
        say('forked', state(worker))
        watch('worker', worker, ALL)
        watch('process', worker.process, ['spawn', 'disconnect', 'exit', 'close'])

        @worker.on('listening')
        def act(_address):
            if mode == 'disconnect':
                say(worker.disconnect() is worker, worker.exited_after_disconnect)
            elif mode == 'kill':
                say(worker.kill())
            elif mode == 'destroy':
                worker.destroy('SIGKILL')
            elif mode == 'SIGKILL':
                worker.process.kill(mode)
            elif mode == 'disconnect all':
                cluster.disconnect(lambda *args: say('all disconnected', args, cluster.workers))
            elif mode == 'process.disconnect':
                worker.process.disconnect()
            else:
                worker.send(mode)
    else:
        watch('  self', cluster.worker, ALL)
        gnet.process.on('disconnect', lambda: say('  process disconnect'))
        server = gnet.create_server().listen(0, '127.0.0.1', lambda: say('  listening'))
        server.on('close', lambda: say('  close'))

        @gnet.process.on('message')
        def act(mode, _handle):
            if mode == 'exit':
                sys.exit(7)
            elif mode == 'self disconnect':
                say(' ', cluster.worker.disconnect() is cluster.worker, server.listening)
            elif mode == 'self kill':
                say(' ', cluster.worker.kill())
            elif mode == 'self process.disconnect':
                gnet.process.disconnect()
"""

START = [
    "cluster setup ['MODE']",
    'forked [10 None 1 none]',
    'process spawn',
    'cluster fork W1 [10 None 1 none]',
    'worker online',
    'cluster online W1 [10 None 1 online]',
    'worker listening ADDRESS',
]
LISTENING = 'cluster listening W1 ADDRESS [10 None 1 listening]'


def end(flag: bool, code: object, signal: object) -> list[str]:
    return [
        'worker disconnect',
        f'cluster disconnect W1 [0 {flag} disconnected]',
        'process disconnect',
        f'worker exit {code} {signal!r}',
        f'cluster exit W1 {code} {signal!r} [01 {flag} 0 dead]',
        f'process exit {code} {signal!r}',
        f'process close {code} {signal!r}',
    ]


LEAVES = ['close', 'self disconnect', 'process disconnect']

#: How it ends: what the primary says, and what the worker says after its 'listening'.
CASES: dict[str, tuple[list[str], list[str]]] = {
    'disconnect': (
        ['True True', 'cluster listening W1 ADDRESS [10 True 0 listening]',
         *end(True, 0, None)],
        LEAVES),
    'kill': (['None', LISTENING, *end(False, None, 'SIGTERM')], []),
    'destroy': ([LISTENING, *end(False, None, 'SIGKILL')], []),
    'SIGKILL': ([LISTENING, *end(False, None, 'SIGKILL')], []),
    'disconnect all': (
        ['cluster listening W1 ADDRESS [10 True 0 listening]', *end(True, 0, None)[:3],
         'all disconnected () {}', *end(True, 0, None)[3:]],
        LEAVES),
    'process.disconnect': (
        ['cluster listening W1 ADDRESS [00 None 1 listening]', *end(False, 0, None)],
        ['self disconnect']),
    'exit': ([LISTENING, *end(False, 7, None)], ["self message 'exit' None"]),
    'self disconnect': (
        [LISTENING, *end(True, 0, None)],
        ["self message 'self disconnect' None", 'True False', *LEAVES]),
    'self kill': (
        [LISTENING, *end(True, 0, None)],
        ["self message 'self kill' None", 'None', 'self disconnect', 'process disconnect']),
    'self process.disconnect': (
        [LISTENING, *end(False, 0, None)],
        ["self message 'self process.disconnect' None", 'self disconnect']),
}


@pytest.mark.parametrize('mode', CASES)
def test_events_come_in_the_order_of_node(program: Callable[..., Running], mode: str) -> None:
    finished = program(PROGRAM, mode).wait()
    text = re.sub(r'ListeningAddress\(.*?\)', 'ADDRESS', finished.stdout)
    # Whether its status is known yet when its channel is found to be closed is a matter of chance.
    text = re.sub(r'(cluster disconnect W1 \[0)\d( \w+) \d', r'\1\2', text)
    lines = [line.rstrip() for line in text.splitlines()]
    in_primary, in_worker = CASES[mode]
    expected = [line.replace('MODE', mode) for line in START] + in_primary
    seen = [line for line in lines if not line.startswith('  ')]
    # Starting a process blocks, and whether 'setup' can be emitted meanwhile is chance, too.
    assert sorted(seen[:2]) == expected[:2]
    assert seen[2:] == expected[2:]
    assert [line.strip() for line in lines if line.startswith('  ')] == ['listening', *in_worker]
    assert finished.status == 0
    assert finished.stderr == ''
