"""The rooms as this process sees them: who of its clients is in which, and what each has seen."""

import json
import logging

import gevent
from bus import BEGINNING, BusError

MAX_UNREAD = 256 * 1024  # bytes that may wait for a member who does not read
PAGE = 500  # messages of one look into the history
HISTORY = 20  # messages that somebody sees who comes for the first time
PAUSE = 0.2  # seconds before the bus is asked again which has not answered

log = logging.getLogger('chat')


class Member:
    """One client: its connection, and up to where it has seen its room."""

    def __init__(self, sock):
        self.sock = sock
        self.room = None
        self.at = BEGINNING
        self.is_live = False  # whether it gets what comes, having seen what was before

    def tell(self, **message):
        """Send a message, without waiting: what the kernel does not take is queued."""
        self.sock.write(json.dumps(message) + '\n')


class Room:
    """The members of a room who are with this process, and up to where all of them are served."""

    def __init__(self):
        self.members = set()
        self.at = None  # not followed: nobody has seen what was before

    def deliver(self, at, line):
        self.at = at
        for member in list(self.members):
            # Who has just joined may have seen more of the history than was followed until now.
            if not member.is_live or member.at >= at:
                continue
            member.at = at
            member.sock.write(line)
            if member.sock.writable_length > MAX_UNREAD:
                member.sock.destroy()  # too slow; it may come back, and read on where it was


class Rooms:
    """All rooms that have a member here."""

    def __init__(self, bus):
        self._bus = bus
        self._rooms = {}

    def members(self):
        return [member for room in self._rooms.values() for member in room.members]

    def join(self, member, name, after):
        """Show *member* what was said after the position *after*, then what is said from now on.

        If *after* is None, it begins with the last few messages.

        Raises:
            BusError: the bus does not answer. The member is to come again.
        """
        self.leave(member)
        missed = after is not None and not self._bus.is_kept_since(name, after)
        member.at = after if after is not None else self._bus.recent(name, HISTORY)
        member.room = name
        member.tell(joined=name, missed=missed)
        room = self._rooms.setdefault(name, Room())
        room.members.add(member)
        while not member.is_live:
            page = self._bus.history(name, member.at, PAGE)
            member.sock.sendall(b''.join(line_of(at, said) for at, said in page))  # waits
            if page:
                member.at = page[-1][0]
            # The room may have been served further meanwhile: then there is another page. After
            # this comparison nothing waits, so that nothing can come in between.
            if len(page) < PAGE and (room.at is None or member.at >= room.at):
                member.is_live = True
        if room.at is None:
            room.at = member.at

    def leave(self, member):
        """Forget *member*, and its room if it was the last one there."""
        member.is_live = False
        room = self._rooms.get(member.room)
        if room is not None:
            room.members.discard(member)
            if not room.members:
                del self._rooms[member.room]

    def follow(self, is_over):
        """Bring what is said in the rooms to their members, until *is_over()*."""
        fails = False
        while not is_over():
            positions = {name: room.at for name, room in self._rooms.items() if room.at is not None}
            if not positions:
                gevent.sleep(PAUSE)
                continue
            try:
                for name, messages in self._bus.news(positions):
                    self._deliver(name, messages)
                fails = False
            except BusError as error:
                if not fails:  # one line for an episode
                    log.warning('the bus does not answer: %s', error)
                fails = True
                gevent.sleep(PAUSE)

    def _deliver(self, name, messages):
        for at, said in messages:
            room = self._rooms.get(name)  # all may have left meanwhile
            if room is not None and room.at is not None and room.at < at:
                room.deliver(at, line_of(at, said))


def line_of(at, said):
    """Return the line that tells a message: made once, however many there are who get it."""
    return (json.dumps({'at': str(at), **said}) + '\n').encode()
