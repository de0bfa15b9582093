"""What a connection and a message cost: of a node with one worker, of HAProxy, and of Redis.

    python measure.py [--idle 2000] [--seconds 5] [--room 50] [--not-durable]

Figures are CPU time and anonymous memory of the processes, not of the clients, who are all in this
one. So rates are those of the clients; what a process could do is one second by its CPU time.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

import gevent
from client import Client
from deployment import Deployment, wait_until

import gnet

PARTS = ('node1', 'haproxy', 'redis')


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--idle', type=int, default=2_000, help='connections that say nothing')
    parser.add_argument('--seconds', type=float, default=5)
    parser.add_argument('--room', type=int, default=50, help='members of a large room')
    parser.add_argument('--not-durable', action='store_true', help='the disk may be a second late')
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix='chat-') as directory, \
            Deployment(directory, 1, 1, durable=not options.not_durable) as chat:
        gevent.sleep(1)
        alone = talk(chat, 64, 1, options.seconds)
        together = talk(chat, 64, options.room, options.seconds)
        print(f'{"":36}' + ''.join(f'{part:>10}' for part in PARTS))
        show('a message to its sender alone, us', alone, 1e6)
        show(f'a message to a room of {options.room}, us', together, 1e6)
        show('  of it, each further member, us', {
            part: (together[part] - alone[part]) / (options.room - 1) for part in PARTS}, 1e6)
        show('a message of 20 bytes in memory, KiB', {'redis': alone['kept'] / 1024}, 1)
        print(f'messages/s: {alone["rate"]:.0f} alone, {together["rate"]:.0f} in rooms, '
              f'which are {together["rate"] * options.room:.0f} deliveries/s')
        joining, kept, busy = idle(chat, options.idle, options.seconds)
        show('to connect and to join, us', joining, 1e6)
        show('a connection that says nothing, KiB', kept, 1 / 1024)
        show('a silent room with members, us/s', busy, 1e6)


def talk(chat, speakers, size, seconds):
    """Have *speakers* talk, each in a room of *size*, as fast as they get acknowledgements."""
    heard = [0]
    acknowledged = [0]

    def hear(message):
        heard[0] += 1

    clients = []
    for number in range(max(1, speakers // size) * size):
        def say_more(identity, at, number=number):
            acknowledged[0] += 1
            clients[number].say('x' * 20)

        clients.append(Client(
            chat.host, chat.port, f'size{size}.{number // size}', 'x', hear, say_more))
    wait_until(lambda: all(client.connections for client in clients), 'the clients')
    for client in clients[:speakers]:
        client.say('x' * 20)
    gevent.sleep(1)
    before, kept = used(chat), memory(chat)['redis']
    begun, count = time.monotonic(), acknowledged[0]
    gevent.sleep(seconds)
    after, count = used(chat), acknowledged[0] - count
    took = time.monotonic() - begun
    kept = memory(chat)['redis'] - kept
    for client in clients:
        client.leave()
    wait_until(lambda: not chat.balance()['node1'], 'the end of the clients')
    assert heard[0] >= count * size * 0.9, (heard, count)
    costs = {part: (after[part] - before[part]) / count for part in PARTS}
    return {**costs, 'rate': count / took, 'kept': kept / count}


def idle(chat, count, seconds):
    """Return what it costs to join, what memory that takes, and what CPU time a room of 20."""
    def join(number):
        sock = gnet.connect(chat.port, chat.host)
        sock.sendall(b'{"join": "idle%d"}\n' % (number // 20))
        while b'joined' not in sock.recv(1000):
            pass
        return sock

    some = [join(number) for number in range(100)]  # what is made once is there then
    before, first = memory(chat), used(chat)
    for number in range(count):
        some.append(join(number))
    after = memory(chat)
    begun = used(chat)
    gevent.sleep(seconds)
    busy = used(chat)
    for sock in some:
        sock.destroy()
    return (
        {part: (begun[part] - first[part]) / count for part in PARTS},
        {part: (after[part] - before[part]) / count for part in ('node1', 'haproxy')},
        {part: (busy[part] - begun[part]) / seconds / (count / 20) for part in PARTS})


def show(name, figures, factor):
    print(f'{name:36}' + ''.join(
        f'{figures[part] * factor:10.2f}' if part in figures else f'{"":10}' for part in PARTS))


def processes(chat, part):
    """Return the numbers of the processes of a part: of a node only its worker."""
    return chat.workers(0) if part == 'node1' else [chat.process_of(part)]


def used(chat):
    """Return the seconds of CPU that each part has used, all of its threads."""
    def seconds(number):
        fields = Path(f'/proc/{number}/stat').read_text().rpartition(')')[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')

    return {part: sum(map(seconds, processes(chat, part))) for part in PARTS}


def memory(chat):
    """Return the bytes of memory that each part has for itself."""
    def anonymous(number):
        lines = Path(f'/proc/{number}/smaps_rollup').read_text().splitlines()
        return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith('Anonymous:'))

    return {part: sum(map(anonymous, processes(chat, part))) for part in PARTS}


if __name__ == '__main__':
    main()
