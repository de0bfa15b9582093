"""The states of a stream and of the connection under it, one Enum for each thing that changes.

Their members are names of this module, too: on CPython 3.11, where each of some eighty that a
connection's life takes would be looked up in two classes, ``Stage.OPEN`` costs 100 ns, and
``CONNECTED`` 5.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

__all__ = [
    'ACTIVE',
    'ASKED',
    'CLOSED',
    'CONNECTED',
    'CONNECTING',
    'DESTROYED',
    'ENDED',
    'ENDING',
    'END_EMITTED',
    'FAILED',
    'FIN',
    'FINISHED',
    'FLOWING',
    'FULL',
    'GONE',
    'HELD',
    'IDLE',
    'MUTE',
    'NEW',
    'NOT_ENDED',
    'NOT_STARTED',
    'OVER',
    'PAUSED',
    'QUEUED',
    'RUNNING',
    'SHUT',
    'SILENT',
    'UNDECIDED',
    'WRITABLE',
    'Delivery',
    'Flow',
    'ReadState',
    'Reading',
    'Stage',
    'WriteState',
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

#: The stages of a stream that was destroyed; and those from which on it emits no data.
GONE = (DESTROYED, MUTE, CLOSED)
SILENT = (MUTE, CLOSED)


class Flow(Enum):
    """The mode of a readable stream; the values are Node's ``readableFlowing``."""

    UNDECIDED = None
    FLOWING = True
    PAUSED = False


UNDECIDED: Final = Flow.UNDECIDED
FLOWING: Final = Flow.FLOWING
PAUSED: Final = Flow.PAUSED


class ReadState(Enum):
    """How far the reading half has come."""

    OPEN = 'more may arrive'
    FIN = 'the peer has ended; its last chunks wait to be brought into the stream'
    ENDED = 'all is in the stream, perhaps not yet consumed'
    END_EMITTED = "all was consumed, and 'end' has said so"


NOT_ENDED: Final = ReadState.OPEN
FIN: Final = ReadState.FIN
ENDED: Final = ReadState.ENDED
END_EMITTED: Final = ReadState.END_EMITTED


class WriteState(Enum):
    """How far the writing half has come."""

    OPEN = 'writes are taken'
    ENDING = 'end() was called; the queue is being sent'
    SHUT = 'everything was sent, and the FIN'
    FINISHED = "'finish' was emitted"


WRITABLE: Final = WriteState.OPEN
ENDING: Final = WriteState.ENDING
SHUT: Final = WriteState.SHUT
FINISHED: Final = WriteState.FINISHED


class Delivery(Enum):
    """Whether a runner is busy with the read side of a stream, whose events are serial."""

    IDLE = 'nothing to deliver'
    QUEUED = 'waits for a runner'
    RUNNING = 'a runner is at it, perhaps blocked in a listener'


IDLE: Final = Delivery.IDLE
QUEUED: Final = Delivery.QUEUED
RUNNING: Final = Delivery.RUNNING


class Reading(Enum):
    """What the read watcher is doing."""

    NOT_STARTED = 'nothing was asked for yet (no connection, or pause_on_connect)'
    ASKED = 'something was, before there was a connection'
    ACTIVE = 'the hub reads what arrives'
    HELD = 'stopped: as much waits for its turn as the high-water mark allows'
    FULL = 'stopped: as much was buffered as the high-water mark allows; a read starts it again'
    OVER = 'the peer has ended, or the socket is closed'


NOT_STARTED: Final = Reading.NOT_STARTED
ASKED: Final = Reading.ASKED
ACTIVE: Final = Reading.ACTIVE
HELD: Final = Reading.HELD
FULL: Final = Reading.FULL
OVER: Final = Reading.OVER
