"""The states of TLS: how far a connection is, and how each direction has ended; and their tables.

As in :mod:`gnet.streams.states`, the members are names of this module, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any, Final

__all__ = [
    'BROKEN', 'CHECKING', 'FOLLOWS', 'HELLO', 'NOTIFIED', 'RECEIVING', 'SECURE', 'SENDING',
    'SHAKING', 'SHUT', 'TRUNCATED', 'UNSTARTED', 'Incoming', 'Outgoing', 'Security',
]


class Security(Enum):
    """How far TLS has come on a wire."""

    UNSTARTED = 'no connection yet'
    HELLO = "a server waits for the client's first message, or for who chooses by it"
    SHAKING = 'the handshake goes on'
    CHECKING = 'it is done; whether the peer is who it should be is being looked at'
    SECURE = 'plain text passes'
    BROKEN = 'it has failed, or was cut off'


UNSTARTED: Final = Security.UNSTARTED
HELLO: Final = Security.HELLO
SHAKING: Final = Security.SHAKING
CHECKING: Final = Security.CHECKING
SECURE: Final = Security.SECURE
BROKEN: Final = Security.BROKEN


class Incoming(Enum):
    """What has become of the direction in which the peer sends."""

    RECEIVING = 'more may come'
    NOTIFIED = 'the peer has said that nothing more comes (close_notify)'
    TRUNCATED = 'it has ended without saying so: somebody may have cut it off'


RECEIVING: Final = Incoming.RECEIVING
NOTIFIED: Final = Incoming.NOTIFIED
TRUNCATED: Final = Incoming.TRUNCATED


class Outgoing(Enum):
    """What has become of the direction in which this end sends."""

    SENDING = 'more may be sent'
    SHUT = 'this end has said that nothing more comes'


SENDING: Final = Outgoing.SENDING
SHUT: Final = Outgoing.SHUT


#: Which state may follow which. Everything else is a fault.
FOLLOWS: Final[Mapping[Any, tuple[Any, ...]]] = {
    UNSTARTED: (HELLO, SHAKING, BROKEN),
    HELLO: (SHAKING, BROKEN),
    SHAKING: (CHECKING, BROKEN),
    CHECKING: (SECURE, BROKEN),
    SECURE: (BROKEN,),
    BROKEN: (),

    RECEIVING: (NOTIFIED, TRUNCATED),
    NOTIFIED: (),
    TRUNCATED: (),

    SENDING: (SHUT,),
    SHUT: (),
}
