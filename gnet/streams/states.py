"""The states of a stream and of what carries it: one Enum for each thing that changes, and a table
of which state may follow which.

Everything about these machines stands here: what a state means, and where it may lead
(:data:`FOLLOWS`). The code of the stream only goes from one to the next; the tests watch it do so,
in real runs and in random ones, and fail at a step that is not in the table. ``docs/states.md`` is
drawn from it, by ``scripts/draw_states``.

The members are names of this module, too: on CPython 3.11, where each of some eighty that a
connection's life takes would be looked up in two classes, ``Stage.OPEN`` costs 100 ns, and
``CONNECTED`` 5.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any, Final

__all__ = [
    'ACTIVE', 'ASKED', 'CLOSED', 'CONNECTED', 'CONNECTING', 'CUT', 'DESTROYED', 'DRAIN', 'DROPPED',
    'ENDED', 'ENDING', 'END_EMITTED', 'EVENTS', 'FAILED', 'FINISHED', 'FLOWING', 'FOLLOWS', 'FULL',
    'GONE', 'GREENLET', 'HELD', 'IDLE', 'LENT', 'MUTE', 'NEW', 'NOBODY', 'NOBODY_YET', 'NOT_ENDED',
    'NOT_STARTED', 'OVER', 'PAUSED', 'QUEUED', 'RUNNING', 'SHUT', 'SILENT', 'UNDECIDED', 'WRITABLE',
    'Delivering', 'Flow', 'ReadState', 'Reading', 'Stage', 'Taker', 'WriteState',
]


class Stage(Enum):
    """The life of a stream and the connection under it."""

    NEW = 'no connection yet'
    CONNECTING = 'a connection is being made'
    FAILED = "connecting has failed; 'error' is about to come"
    OPEN = 'connected'
    DESTROYED = "closed; 'close' is still to come"
    MUTE = "destroyed, a tick ago: no data is emitted any more, and 'close' is still to come"
    CLOSED = "'close' was emitted"


NEW: Final = Stage.NEW
CONNECTING: Final = Stage.CONNECTING
FAILED: Final = Stage.FAILED
CONNECTED: Final = Stage.OPEN
DESTROYED: Final = Stage.DESTROYED
MUTE: Final = Stage.MUTE
CLOSED: Final = Stage.CLOSED

#: The stages of a stream that was destroyed; and those from which on it emits no data. (To find
#: that one is none of them costs 50 ns for each: what each connection comes by asks first whether
#: it is CONNECTED.)
GONE = (DESTROYED, MUTE, CLOSED)
SILENT = (MUTE, CLOSED)


class Flow(Enum):
    """The mode of a readable stream; the values are Node's ``readableFlowing``."""

    #: nobody has said how it is read; what arrives is buffered
    UNDECIDED = None
    #: `'data'` is emitted
    FLOWING = True
    #: what arrives is buffered, until somebody asks
    PAUSED = False


UNDECIDED: Final = Flow.UNDECIDED
FLOWING: Final = Flow.FLOWING
PAUSED: Final = Flow.PAUSED


class ReadState(Enum):
    """How far the reading half has come. (That the peer has ended is the wire's to know.)"""

    OPEN = 'more may come into the stream'
    ENDED = 'all is in the stream, perhaps not yet consumed'
    END_EMITTED = "all was consumed, and 'end' has said so"


NOT_ENDED: Final = ReadState.OPEN
ENDED: Final = ReadState.ENDED
END_EMITTED: Final = ReadState.END_EMITTED


class WriteState(Enum):
    """How far the writing half has come."""

    OPEN = 'writes are taken'
    ENDING = 'end() was called; the queue is being sent'
    SHUT = 'everything was sent, and the FIN'
    FINISHED = "'finish' was emitted"
    CUT = 'end() was called, and the stream was destroyed before all was sent'
    DROPPED = 'the stream was destroyed before all was sent: end() says nothing any more'
    LENT = 'nothing is taken: the connection carries another stream, TLS say'


WRITABLE: Final = WriteState.OPEN
ENDING: Final = WriteState.ENDING
SHUT: Final = WriteState.SHUT
FINISHED: Final = WriteState.FINISHED
CUT: Final = WriteState.CUT
DROPPED: Final = WriteState.DROPPED
LENT: Final = WriteState.LENT


class Delivering(Enum):
    """Whether a runner is busy with the read side of a stream, whose events are serial."""

    IDLE = 'nothing to deliver'
    QUEUED = 'waits for a runner'
    RUNNING = 'a runner is at it, perhaps blocked in a listener'


IDLE: Final = Delivering.IDLE
QUEUED: Final = Delivering.QUEUED
RUNNING: Final = Delivering.RUNNING


class Reading(Enum):
    """What a wire is doing about what its peer sends."""

    NOT_STARTED = 'nothing was asked for yet (no connection, or pause_on_connect)'
    ASKED = 'something was, before there was a connection'
    ACTIVE = 'the hub reads what arrives'
    HELD = 'stopped: as much waits for its turn as the high-water mark allows'
    FULL = 'stopped: as much was buffered as the high-water mark allows; a read starts it again'
    OVER = 'the peer has ended, or the wire is closed'


NOT_STARTED: Final = Reading.NOT_STARTED
ASKED: Final = Reading.ASKED
ACTIVE: Final = Reading.ACTIVE
HELD: Final = Reading.HELD
FULL: Final = Reading.FULL
OVER: Final = Reading.OVER


class Taker(Enum):
    """Who takes what arrives."""

    NOBODY_YET = 'a runner, but whoever has the connection may still turn to blocking calls'
    EVENTS = 'a runner, which makes events of it'
    GREENLET = 'whoever blocks in a read'
    DRAIN = 'a runner, which drops it: the blocking handler has returned'
    NOBODY = 'nobody any more: close() was called, and what was written is being sent'


NOBODY_YET: Final = Taker.NOBODY_YET
EVENTS: Final = Taker.EVENTS
GREENLET: Final = Taker.GREENLET
DRAIN: Final = Taker.DRAIN
NOBODY: Final = Taker.NOBODY


#: Which state may follow which. Everything else is a fault.
FOLLOWS: Final[Mapping[Any, tuple[Any, ...]]] = {
    NEW: (CONNECTING, CONNECTED, DESTROYED),
    CONNECTING: (CONNECTED, FAILED, DESTROYED),
    FAILED: (DESTROYED,),
    CONNECTED: (DESTROYED, NEW),  # NEW: the connection went to another process
    DESTROYED: (MUTE, CLOSED),
    MUTE: (CLOSED,),
    CLOSED: (NEW,),  # it is about to be connected again

    UNDECIDED: (FLOWING, PAUSED),
    FLOWING: (PAUSED, UNDECIDED),
    PAUSED: (FLOWING, UNDECIDED),

    NOT_ENDED: (ENDED, END_EMITTED),  # END_EMITTED: a socket that is not to be read at all
    ENDED: (END_EMITTED, NOT_ENDED),  # NOT_ENDED: a blocking read takes the rest; a new connection
    END_EMITTED: (NOT_ENDED,),  # a new connection

    WRITABLE: (ENDING, FINISHED, DROPPED, LENT),  # FINISHED: a socket that is never written to
    ENDING: (SHUT, CUT, WRITABLE),  # WRITABLE, here and below: a new connection
    SHUT: (FINISHED, WRITABLE, ENDING),  # ENDING: the connection has come back
    FINISHED: (WRITABLE,),
    CUT: (WRITABLE,),
    DROPPED: (WRITABLE,),
    LENT: (WRITABLE,),  # it has its connection again, or a new one

    IDLE: (QUEUED, RUNNING),
    QUEUED: (RUNNING, IDLE),
    RUNNING: (IDLE,),

    NOT_STARTED: (ASKED, ACTIVE, OVER),
    ASKED: (ACTIVE, OVER),
    ACTIVE: (HELD, FULL, OVER),
    HELD: (ACTIVE, FULL, OVER),
    FULL: (ACTIVE, OVER),
    OVER: (),  # a new connection is a new wire

    NOBODY_YET: (EVENTS, GREENLET, DRAIN),
    EVENTS: (NOBODY_YET, GREENLET, DRAIN),
    GREENLET: (EVENTS, NOBODY_YET, DRAIN, NOBODY),
    DRAIN: (GREENLET,),  # somebody reads what was left when it was closed
    NOBODY: (EVENTS, NOBODY_YET, DRAIN),
}
