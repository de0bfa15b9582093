"""Clients who talk all the time, and count what was acknowledged, and what each has heard."""

import collections
import json
import random
import time

import gevent
from client import Client

import gnet

#: The address from which new connections come, so that it is seen whether nodes know it. (The other
#: ones, and HAProxy, have 127.0.0.1.)
KNOCKER = '127.0.0.2'


class Crowd:
    """Members of some rooms. What a member says is a number that nobody else says."""

    def __init__(self, host, port, members, rooms):
        self._texts = 0
        self._pending = {}  # (member, id): text
        self._said_at = {}  # text: when
        self.delays = []  # seconds from say to acknowledgement
        self.acknowledged = [set() for _ in range(rooms)]
        self.heard = [collections.Counter() for _ in range(members)]
        self.talks = False
        self.members = [self._member(host, port, number, rooms) for number in range(members)]

    def _member(self, host, port, number, rooms):
        heard = self.heard[number]
        said = self.acknowledged[number % rooms]

        def acknowledged(identity, at):
            text = self._pending.pop((number, identity), None)
            if text is not None:
                said.add(text)
                self.delays.append(time.monotonic() - self._said_at.pop(text))

        return Client(
            host, port, f'room{number % rooms}', f'member{number}',
            lambda message: heard.update([message['text']]), acknowledged)

    def talk(self, pause):
        """Have each member say something every *pause* seconds, until ``talks`` is False."""
        self.talks = True
        for number in range(len(self.members)):
            gevent.spawn(self._talk, number, pause)

    def _talk(self, number, pause):
        gevent.sleep(pause * random.random())
        while self.talks:
            self.say(number)
            gevent.sleep(pause * random.uniform(0.5, 1.5))

    def say(self, number):
        """Have one member say something."""
        self._texts += 1
        text = str(self._texts)
        self._said_at[text] = time.monotonic()
        identity = self.members[number].say(text)
        self._pending[number, identity] = text

    @property
    def said(self):
        return self._texts

    def all_joined(self):
        return all(member.connections for member in self.members)

    def is_quiet(self):
        """Whether all was acknowledged, and has been heard by everybody in the room."""
        return not self._pending and self.lost() == 0

    def lost(self):
        """How often somebody in the room has not heard what was acknowledged to who said it."""
        rooms = len(self.acknowledged)
        return sum(
            len(self.acknowledged[number % rooms] - heard.keys())
            for number, heard in enumerate(self.heard))

    def twice(self):
        """How many were heard more than once."""
        return sum(count - 1 for heard in self.heard for count in heard.values())

    def unasked(self):
        """How often something was heard that was never acknowledged to who said it."""
        rooms = len(self.acknowledged)
        return sum(
            len(heard.keys() - self.acknowledged[number % rooms])
            for number, heard in enumerate(self.heard))

    def deliveries(self):
        return sum(sum(heard.values()) for heard in self.heard)

    def total(self, name):
        """Return the sum of one of the counts of :class:`client.Client`."""
        return sum(getattr(member, name) for member in self.members)

    def leave(self):
        for member in self.members:
            member.leave()


class Knocker:
    """Makes new connections, one after another, and looks whether each is answered."""

    def __init__(self, host, port, pause):
        self.answered = collections.Counter()  # by nodes
        self.unanswered = []  # from when to when, and what came instead
        self.longest = 0.0  # seconds that an answer took
        self._address = {'port': port, 'host': host, 'local_address': KNOCKER}
        self._greenlet = gevent.spawn(self._knock, pause)

    def _knock(self, pause):
        while True:
            begun = time.monotonic()
            try:
                with gnet.connect(**self._address) as sock, sock.makefile('rwb') as lines:
                    sock.settimeout(10)
                    lines.write(b'{"ping": 1}\n')
                    lines.flush()
                    answer = json.loads(lines.readline())
                if answer['to'] != KNOCKER:
                    raise ValueError(f'the node takes it for {answer["to"]}')
                self.answered[answer['pong']] += 1
            except (OSError, ValueError) as error:
                self.unanswered.append((begun, time.monotonic(), repr(error)))
            self.longest = max(self.longest, time.monotonic() - begun)
            gevent.sleep(pause)

    def leave(self):
        self._greenlet.kill()
