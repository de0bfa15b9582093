"""Break each part of the chat while people talk, and count who was refused and what was lost.

    python break_things.py [--rounds 3] [--nodes 3] [--workers 2] [--members 120]
    python break_things.py --small      some seconds, few processes, each thing once

In each round a node is killed and started again; another one is reloaded, loses a worker, and is
drained at the balancer and taken back; a third one hangs until the balancer takes it for dead;
Redis is killed and started again, and hangs for some seconds. The counts come as one line of JSON,
and the status is 1 if somebody was refused, or anything was lost or doubled; then the logs are
shown, too.

Cut is not refused: a connection that a node has accepted already is gone with it. Members come
again, and are counted by what they have heard; of new connections those that are cut are counted.
"""

import argparse
import json
import signal
import sys
import tempfile
import time
from contextlib import suppress

import gevent
from crowd import Crowd, Knocker
from deployment import Deployment, NotReadyError, wait_until

KILL, KILL_WORKER, HANG = 'kill a node', 'kill a worker', 'hang a node'
#: Which of it costs connections that were accepted already.
CUTS = (KILL, KILL_WORKER, HANG)
#: What must be 0.
BAD = ('refused', 'lost', 'heard twice', 'never acknowledged', 'heard, never acknowledged',
       'tracebacks')


class Breaker:
    """What can be done to a deployment, one after another, with a pause for people to notice."""

    def __init__(self, chat, crowd, pause, hang):
        self._chat = chat
        self._crowd = crowd
        self._pause = pause
        self._hang = hang
        self.done = []  # what, and from when to when

    def round(self, number):
        nodes = len(self._chat.node_ports)
        first, second, third = (index % nodes for index in range(number, number + 3))
        self._do(KILL, self._kill_node, first)
        self._do('reload a node', self._chat.reload_node, second)
        self._do(KILL_WORKER, self._kill_worker, second)
        self._do(HANG, self._hang_node, third)  # of two nodes the first one again
        self._do('drain a node', self._drain_node, second)
        self._do('restart the bus', self._restart_bus)
        self._do('hang the bus', self._hang_bus)

    def doing(self, begun, ended):
        """Return what was being done in some time: the worst of it."""
        names = [name for name, first, last in self.done if first <= ended and begun <= last]
        return next((name for name in names if name in CUTS), [*names, 'nothing'][0])

    def _do(self, name, break_it, *arguments):
        begun = time.monotonic()
        break_it(*arguments)
        # One thing at a time: who is left must be able to carry all.
        for number in range(len(self._chat.node_ports)):
            wait_until(lambda number=number: self._chat.is_up(number), f'node {number + 1}')
        # Things go on: what is said now is acknowledged.
        before = len(self._crowd.delays)
        wait_until(lambda: len(self._crowd.delays) > before, f'an acknowledgement after: {name}')
        gevent.sleep(self._pause)
        self.done.append((name, begun, time.monotonic()))
        print(f'{name}: {time.monotonic() - begun:.1f} s; {self._crowd.said} said, '
              f'{self._crowd.total("errors")} told to try again', file=sys.stderr)

    def _kill_node(self, number):
        self._chat.kill_node(number)
        gevent.sleep(self._pause)
        self._chat.start_node(number)
        self._chat.wait_for_node(number)

    def _kill_worker(self, number):
        before = self._chat.workers(number)
        self._chat.kill_worker(number)
        wait_until(
            lambda: set(self._chat.workers(number)) - set(before), 'another worker')
        self._chat.wait_for_node(number)

    def _hang_node(self, number):
        self._chat.hang_node(number, True)
        wait_until(lambda: not self._chat.is_up(number), 'that the balancer takes it for dead')
        gevent.sleep(self._pause)
        self._chat.hang_node(number, False)

    def _drain_node(self, number):
        self._chat.drain_node(number)
        wait_until(
            lambda: self._chat.balance()[f'node{number + 1}'] == 0, 'the last client of the node')
        self._chat.ready_node(number)

    def _restart_bus(self):
        self._chat.kill_bus()
        gevent.sleep(self._pause)
        self._chat.start_bus()

    def _hang_bus(self):
        errors = self._crowd.total('errors')
        self._chat.hang_bus(True)
        gevent.sleep(self._hang)
        wait_until(
            lambda: self._crowd.total('errors') > errors, 'that somebody is told to try again')
        self._chat.hang_bus(False)


def main():
    options = arguments()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(1))
    with tempfile.TemporaryDirectory(prefix='chat-') as directory, \
            Deployment(directory, options.nodes, options.workers) as chat:
        counts = measure(chat, options)
        is_bad = any(counts[bad] for bad in BAD)
        if is_bad or options.logs:
            for name in ('redis', 'haproxy', *(f'node{n + 1}' for n in range(options.nodes))):
                lines = [line for line in chat.log(name).splitlines() if ' -- ' not in line]
                print(f'--- {name}', *lines[-60:], sep='\n', file=sys.stderr)
    print(json.dumps(counts))
    return int(is_bad)


def measure(chat, options):
    crowd = Crowd(chat.host, chat.port, options.members, options.rooms)
    wait_until(crowd.all_joined, 'the crowd')
    knocker = Knocker(chat.host, chat.port, options.knock)
    crowd.talk(options.every)
    breaker = Breaker(chat, crowd, options.pause, options.hang)
    for number in range(options.rounds):
        breaker.round(number)
    knocker.leave()
    crowd.talks = False
    gevent.sleep(0)
    with suppress(NotReadyError):  # then the counts say so
        wait_until(crowd.is_quiet, 'all that was acknowledged at all members')
    crowd.leave()
    delays = sorted(crowd.delays)
    unanswered = [(breaker.doing(*when), reason) for *when, reason in knocker.unanswered]
    # What HAProxy itself says: connections that it found no node for.
    failed = chat.failed_connections() * ['HAProxy found no node']
    return {
        'broken': dict(zip(*count(name for name, _, _ in breaker.done))),
        'said': crowd.said,
        'acknowledged': sum(map(len, crowd.acknowledged)),
        'never acknowledged': crowd.said - sum(map(len, crowd.acknowledged)),
        'heard': crowd.deliveries(),
        'lost': crowd.lost(),
        'heard twice': crowd.twice(),
        'heard, never acknowledged': crowd.unasked(),
        'came twice and were dropped by clients': crowd.total('repeated'),
        'told to try again': crowd.total('errors'),
        'asked to move': crowd.total('moves'),
        'connections of members': crowd.total('connections'),
        'new connections answered': dict(knocker.answered),
        'refused': [each for each in unanswered if each[0] not in CUTS] + failed,
        'cut, as their node was killed or hung': len(
            [each for each in unanswered if each[0] in CUTS]),
        'longest answer to a new connection, s': round(knocker.longest, 3),
        'tracebacks': sum(chat.log(f'node{number + 1}').count('Traceback')
                          for number in range(len(chat.node_ports))),
        'acknowledged in, ms: median, 99 %, longest': [
            round(1000 * delays[int(part * (len(delays) - 1))], 1) for part in (0.5, 0.99, 1)],
    }


def count(names):
    names = list(names)
    different = list(dict.fromkeys(names))
    return different, [names.count(name) for name in different]


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add('--rounds', type=int, default=3)
    add('--nodes', type=int, default=3, choices=(2, 3))
    add('--workers', type=int, default=2, help='processes of a node')
    add('--members', type=int, default=120)
    add('--rooms', type=int, default=12)
    add('--every', type=float, default=1.0, help='seconds between two messages of a member')
    add('--knock', type=float, default=0.02, help='seconds between two new connections')
    add('--pause', type=float, default=2.0, help='seconds after each break, and while broken')
    add('--hang', type=float, default=5.0, help='seconds for which the bus hangs')
    add('--small', action='store_true', help='two nodes of a worker, 12 members in 3 rooms, once')
    add('--logs', action='store_true', help='show the ends of the logs')
    options = parser.parse_args()
    if options.small:
        options.rounds, options.nodes, options.workers = 1, 2, 1
        options.members, options.rooms, options.every = 12, 3, 0.6
        options.pause, options.hang, options.knock = 0.3, 2.5, 0.15
    return options


if __name__ == '__main__':
    sys.exit(main())
