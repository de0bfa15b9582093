"""The bus of the chat: a Redis stream for each room. Said is what is in the stream, and once.

Why Redis streams: a stream keeps what was said, so that a member who was away, and a process that
was restarted, read on where they were; and its client is plain blocking Python, which runs on
gevent's sockets in a patched process (``gnet --patch``). A client that brings an event loop of its
own, as nats-py brings asyncio, does not fit into a greenlet.
"""

from typing import NamedTuple

import gevent
import redis
from gevent.event import AsyncResult
from gevent.queue import Queue

TIMEOUT = 2.0  # seconds that Redis has to answer; a speaker is told after twice that at the latest
POLL = 100  # milliseconds that one look for news waits; how long a room new to this process waits
BATCH = 200  # messages of one round trip
WAITING = 5_000  # messages that may wait for a round trip; more are refused at once
KEPT = 10_000  # messages that a stream keeps, or some more
REMEMBERED = 600  # seconds in which a message that is said again is known to be the same
EMPTY_ROOM = 7 * 86_400  # seconds after its last message when a room is forgotten

# One call does both, so there is no moment in which a message was said and is not known to be. The
# braces put both keys on one machine of a Redis Cluster.
SAY = """
local at = redis.call('GET', KEYS[2])
if at then return at end
at = redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[4], '*',
                'id', ARGV[1], 'from', ARGV[2], 'text', ARGV[3])
redis.call('SET', KEYS[2], at, 'EX', ARGV[5])
redis.call('EXPIRE', KEYS[1], ARGV[6])
return at
"""


class BusError(Exception):
    """The bus has not answered, or has refused. What was said may have been said all the same."""


class Position(NamedTuple):
    """Where in its room a message is. Later ones are greater."""

    milliseconds: int
    number: int

    @classmethod
    def of(cls, text):
        """Make one of the id of an entry of a stream, such as '1700000000000-0'."""
        milliseconds, _, number = text.partition('-')
        return cls(int(milliseconds), int(number))

    def __str__(self):
        return f'{self.milliseconds}-{self.number}'


BEGINNING = Position(0, 0)


class Bus:
    """All that this process has to do with Redis: two connections, and some for who joins."""

    def __init__(self, url):
        # It is this program's clients who try again, with what they have not got acknowledged.
        # Nobody is helped by a second attempt in a process that others wait for.
        self._redis = redis.Redis.from_url(
            url, protocol=2, decode_responses=True,
            socket_timeout=TIMEOUT, socket_connect_timeout=TIMEOUT,
            retry=redis.retry.Retry(redis.backoff.NoBackoff(), 0))
        self._waiting = Queue()
        self._speaker = gevent.spawn(self._say_all)

    def close(self):
        """Let go of all connections. Nothing may be said any more."""
        self._speaker.kill()
        self._redis.close()

    def say(self, room, sender, number, text):
        """Say *text* in *room*; return its position when Redis has it (and has it on disk).

        The same *number* of the same *sender* is said once, however often it comes.

        Raises:
            BusError: it is not known to be said. Say it again, with the same number.
        """
        if self._waiting.qsize() >= WAITING:
            raise BusError('too much waits for the bus')
        keys = [_stream(room), f'said:{{{room}}}:{sender}:{number}']
        # Encoded here, so that half a character of JSON fails here, and not the others' messages.
        arguments = [part.encode() for part in (*keys, number, sender, text)]
        said = AsyncResult()
        self._waiting.put((said, arguments))
        return said.get()

    def _say_all(self):
        """Say what waits: all of it in one round trip, and meanwhile the next lot gathers."""
        while True:
            lot = [self._waiting.get()]
            while len(lot) < BATCH and not self._waiting.empty():
                lot.append(self._waiting.get())
            try:
                with self._redis.pipeline(transaction=False) as pipeline:
                    for _, arguments in lot:
                        pipeline.eval(SAY, 2, *arguments, KEPT, REMEMBERED, EMPTY_ROOM)
                    answers = pipeline.execute(raise_on_error=False)
            except Exception as error:  # whatever it is: nobody may be left waiting
                while not self._waiting.empty():  # who waits is told now, too
                    lot.append(self._waiting.get())
                answers = [error] * len(lot)
            for (said, _), answer in zip(lot, answers):
                if isinstance(answer, Exception):
                    said.set_exception(BusError(str(answer)))
                else:
                    said.set(Position.of(answer))

    def history(self, room, after, count):
        """Return up to *count* messages of *room* after the position *after*, the oldest first.

        Each is its position and a dict of what SAY has put there. Raises BusError, as all here do.
        """
        return _messages(self._ask('xrange', _stream(room), min=f'({after}', count=count))

    def recent(self, room, count):
        """Return the position after which there are *count* messages of *room*."""
        last = _messages(self._ask('xrevrange', _stream(room), count=count + 1))
        return last[-1][0] if len(last) > count else BEGINNING

    def is_kept_since(self, room, after):
        """Tell whether *room* still has all that was said after the position *after*."""
        if not self._ask('exists', _stream(room)):  # nothing was ever said, or all is lost
            return after == BEGINNING
        stream = self._ask('xinfo_stream', _stream(room))
        if Position.of(stream['last-generated-id']) < after:
            return False  # Redis has lost what somebody has seen
        is_whole = stream['entries-added'] == stream['length']
        return is_whole or Position.of(stream['first-entry'][0]) <= after

    def news(self, positions):
        """Wait a moment for what is said after *positions*, a dict of rooms.

        Returns pairs of a room and its messages.
        """
        streams = {_stream(room): str(at) for room, at in positions.items()}
        found = self._ask('xread', streams, count=BATCH, block=POLL)
        return [(stream[len('room:{'):-1], _messages(entries)) for stream, entries in found]

    def _ask(self, command, *arguments, **options):
        try:
            return getattr(self._redis, command)(*arguments, **options)
        except (redis.RedisError, OSError) as error:
            raise BusError(str(error)) from error


def _stream(room):
    return f'room:{{{room}}}'


def _messages(entries):
    return [(Position.of(at), said) for at, said in entries]
