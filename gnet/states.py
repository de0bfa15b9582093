"""The states of a stream and of the connection under it, one Enum for each thing that changes."""

from __future__ import annotations

from enum import Enum

__all__ = ['GONE', 'SILENT', 'Delivery', 'Flow', 'ReadState', 'Reading', 'Stage', 'WriteState']


class Stage(Enum):
    """The life of a stream and the connection under it."""

    NEW = 'no connection yet'
    CONNECTING = 'a connection is being made'
    FAILED = "connecting has failed; 'error' is about to come"
    OPEN = 'connected'
    DESTROYED = "closed; 'close' is still to come"
    MUTE = "destroyed, a tick ago: no data is emitted any more, and 'close' is still to come"
    CLOSED = "'close' was emitted"


#: The stages of a stream that was destroyed; and those from which on it emits no data.
GONE = (Stage.DESTROYED, Stage.MUTE, Stage.CLOSED)
SILENT = (Stage.MUTE, Stage.CLOSED)


class Flow(Enum):
    """The mode of a readable stream; the values are Node's ``readableFlowing``."""

    UNDECIDED = None
    FLOWING = True
    PAUSED = False


class ReadState(Enum):
    """How far the reading half has come."""

    OPEN = 'more may arrive'
    FIN = 'the peer has ended; its last chunks wait to be brought into the stream'
    ENDED = 'all is in the stream, perhaps not yet consumed'
    END_EMITTED = "all was consumed, and 'end' has said so"


class WriteState(Enum):
    """How far the writing half has come."""

    OPEN = 'writes are taken'
    ENDING = 'end() was called; the queue is being sent'
    SHUT = 'everything was sent, and the FIN'
    FINISHED = "'finish' was emitted"


class Delivery(Enum):
    """Whether a runner is busy with the read side of a stream, whose events are serial."""

    IDLE = 'nothing to deliver'
    QUEUED = 'waits for a runner'
    RUNNING = 'a runner is at it, perhaps blocked in a listener'


class Reading(Enum):
    """What the read watcher is doing."""

    NOT_STARTED = 'nothing was asked for yet (no connection, or pause_on_connect)'
    ASKED = 'something was, before there was a connection'
    ACTIVE = 'the hub reads what arrives'
    HELD = 'stopped: as much waits for its turn as the high-water mark allows'
    FULL = 'stopped: as much was buffered as the high-water mark allows; a read starts it again'
    OVER = 'the peer has ended, or the socket is closed'
