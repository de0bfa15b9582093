"""A client that loses nothing: it comes again, reads on, and says again what may be lost.

    gnet client.py PORT [ROOM] [NAME]   a chat in the terminal, at 127.0.0.1
"""

import json
import random
import socket
import sys
import time
import uuid
from contextlib import suppress

import gevent

import gnet

PING = 30.0  # seconds after which the other end is asked whether it is there
ANSWER = 10.0  # seconds that it has to say something then, and to connect
FIRST_PAUSE = 0.1  # seconds before it comes again; doubled up to LONGEST_PAUSE, less by chance
LONGEST_PAUSE = 3.0


class Client:
    """A member of one room, for as long as it likes, whatever becomes of its connections.

    ``acknowledged(id, at)`` and ``heard(message)`` are called in its greenlet. Each message is
    heard once, in the order of the room; what one client says keeps its order.
    """

    def __init__(self, host, port, room, name, heard, acknowledged=lambda number, at: None):
        self.name = name
        #: What it has said and got no acknowledgement for: texts by their ids, in order.
        self.unacknowledged = {}
        self.connections = self.errors = self.moves = self.repeated = self.missed = 0
        self._address = host, port
        self._room = room
        # The name of who says it: two who call themselves ann are not the same.
        self._sender = f'{name}.{uuid.uuid4().hex[:8]}'
        self._said = 0
        self._heard = heard
        self._acknowledged = acknowledged
        self._at = None  # where in the room it is
        self._sock = None  # while it has joined
        self._greenlet = gevent.spawn(self._stay)

    def say(self, text):
        """Say it, as soon as may be; return its id. It does not wait."""
        self._said += 1
        number = str(self._said)
        self.unacknowledged[number] = text
        if self._sock is not None:
            self._send(say=text, id=number, **{'from': self._sender})
        return number

    def leave(self):
        self._greenlet.kill()

    def _stay(self):
        pause = FIRST_PAUSE
        while True:
            # Whatever becomes of a connection, it comes again: that is what it is for.
            with suppress(OSError, ValueError), \
                    gnet.connect(self._address[1], self._address[0]) as sock:
                try:
                    sock.settimeout(ANSWER)
                    for message in self._messages(sock):
                        if 'joined' in message:
                            self._has_joined(sock, message)
                            pause = FIRST_PAUSE
                        elif 'move' in message:
                            self.moves += 1
                            break
                        else:
                            self._take(message)
                finally:
                    self._sock = None
            gevent.sleep(pause * random.uniform(0.5, 1))  # not all at once
            pause = min(2 * pause, LONGEST_PAUSE)

    def _messages(self, sock):
        """Join, and yield what comes, until the connection ends."""
        join = {'join': self._room}
        if self._at is not None:
            join['after'] = f'{self._at[0]}-{self._at[1]}'
        sock.sendall(json.dumps(join).encode() + b'\n')
        rest = b''
        asked, waits = time.monotonic(), True
        while True:
            try:
                chunk = sock.recv(65536)
                if not chunk:
                    return
                if waits:
                    waits = False
                    sock.settimeout(PING)
            except socket.timeout:
                if waits:
                    raise
                chunk = b''
            # Also where much comes: the node wants to hear something, too.
            if not waits and time.monotonic() - asked >= PING:
                asked, waits = time.monotonic(), True
                sock.settimeout(ANSWER)
                sock.write('{"ping": 1}\n')
            *lines, rest = (rest + chunk).split(b'\n')
            for line in lines:
                yield json.loads(line)

    def _has_joined(self, sock, message):
        self._sock = sock
        self.connections += 1
        self.missed += message['missed']
        for number, text in list(self.unacknowledged.items()):
            self._send(say=text, id=number, **{'from': self._sender})

    def _take(self, message):
        if 'ack' in message:
            self.unacknowledged.pop(message['ack'], None)
            self._acknowledged(message['ack'], message['at'])
        elif 'text' in message and 'at' in message:
            milliseconds, _, number = message['at'].partition('-')
            at = int(milliseconds), int(number)
            if self._at is not None and at <= self._at:
                self.repeated += 1
                return
            self._at = at
            self._heard(message)
        elif 'error' in message:
            self.errors += 1  # the connection is ended after that, and the rest said again

    def _send(self, **message):
        if self._sock.writable:  # else it has just ended, and will be said next time
            self._sock.write(json.dumps(message) + '\n')


def main():
    port, room, name = [*sys.argv[1:], *['7000', 'lobby', 'ann'][len(sys.argv) - 1:]]
    client = Client(
        '127.0.0.1', int(port), room, name,
        lambda message: print(
            f'{message["from"].partition(".")[0]}: {message["text"]}', flush=True))
    read = sys.stdin.readline
    for line in iter(lambda: gevent.get_hub().threadpool.apply(read), ''):
        client.say(line.rstrip('\n'))
    while client.unacknowledged:
        gevent.sleep(0.1)
    client.leave()


if __name__ == '__main__':
    main()
