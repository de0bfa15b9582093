"""The process at the other end of a channel, as gnet's own code deals with it: :class:`Peer`.

Programs have :class:`gnet.processes.messaging.Messaging` for it. What counts connections, and what
a cluster's processes tell each other, goes through this: :func:`~gnet.processes.messaging.peer_of`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any

from ..loop.loop import Loop
from ..node import coded_errors
from .channel import Channel
from .json_lines import encode_message
from .sendable import RawHandle
from .under_way import Callback, Entry, UnderWay

__all__ = [
    'ChannelState',
    'Peer',
    'wrap',
]


class ChannelState(Enum):
    """The life of a channel, as the program sees it."""

    CONNECTED = 'messages go both ways'
    DISCONNECTING = 'disconnect() was called; what was sent before is on its way'
    DISCONNECTED = 'there is no channel (any more)'


#: Which may follow which.
FOLLOWS: dict[ChannelState, set[ChannelState]] = {
    ChannelState.DISCONNECTED: {ChannelState.CONNECTED},
    ChannelState.CONNECTED: {ChannelState.DISCONNECTING, ChannelState.DISCONNECTED},
    ChannelState.DISCONNECTING: {ChannelState.DISCONNECTED},
}


class Peer:
    """One end of a channel, and what is under way on it.

    Args:
        loop: None to be set before :meth:`open` is called.
        owner: whose it is, for the log.
        call: calls a callback of the program's; on a tick.
        received: called with each message, in a runner.
        over: called when nothing comes any more, in a runner.
    """

    __slots__ = (
        '_call', '_over', '_owner', '_received', 'channel', 'loop', 'state', 'under_way',
        'when_disconnected', 'when_opened',
    )

    def __init__(
        self, loop: Loop | None, owner: object, call: Callable[[Callback, Any], object],
        received: Callable[[Any], object], over: Callable[[], object],
    ) -> None:
        self.loop: Loop = loop  # type: ignore[assignment]
        self._owner = owner
        self._call = call
        self._received = received
        self._over = over
        self.state: ChannelState = ChannelState.DISCONNECTED
        self.channel: Channel | None = None
        self.under_way: UnderWay | None = None
        #: Called when ``gnet.process`` has opened the channel, which it does on first use.
        self.when_opened: Callable[[], object] | None = None
        #: Called before its 'disconnect' is emitted; unlike a listener, it keeps nothing alive.
        self.when_disconnected: Callable[[], object] | None = None

    @property
    def connected(self) -> bool:
        """Whether messages can be sent."""
        return self.state is ChannelState.CONNECTED

    def open(self, fd: int) -> Channel:
        """Open the channel whose descriptor is *fd*."""
        channel = Channel(self.loop, fd, self._owner, self._received, self._has_ended)
        self.channel = channel
        self.under_way = UnderWay(self.loop, channel, self._call, self._drained)
        self.state = ChannelState.CONNECTED
        return channel

    # --- sending ----------------------------------------------------------------------------------

    def send(
        self, message: dict[str, Any], sock: Any = None, callback: Callback | None = None,
    ) -> bool:
        """Send a message of gnet's own, in turn with those of the program.

        Args:
            message: its ``cmd`` starts with ``NODE_``.
            sock: a raw socket to go with it. It stays the caller's, who keeps it open until
                *callback* is called.
            callback: called with ``(err)`` as that of ``Messaging.send``; without one, failures are
                passed over: `'disconnect'` tells.
        """
        line = encode_message(message)
        if not self.connected:
            if callback is not None:
                self.loop.tick(callback, coded_errors.state_error('ERR_IPC_CHANNEL_CLOSED'))
            return False
        handle = None
        if sock is not None:
            handle = RawHandle(sock)
            line = wrap(line, handle)
        return self.send_line(line, handle, callback or _nothing)

    def send_raw(self, line: bytes, socks: Sequence[Any], callback: Callback) -> None:
        """Like :meth:`send`, for what is wrapped already: a line that stands for raw sockets."""
        if self.connected:
            self.send_line(line, RawHandle(*socks), callback)
        else:
            self.loop.tick(callback, coded_errors.state_error('ERR_IPC_CHANNEL_CLOSED'))

    def send_line(
        self, line: bytes, handle: RawHandle | None, callback: Callback | None,
    ) -> bool:
        """Send an encoded message while connected; return False if no more should be sent now."""
        assert self.under_way is not None
        return self.under_way.send(Entry(line, handle, callback))

    # --- the end ----------------------------------------------------------------------------------

    def disconnect(self) -> None:
        """Close the channel when what was sent is on its way."""
        self.state = ChannelState.DISCONNECTING
        if self.under_way is not None and not self.under_way.handles:
            self._drained()

    def _drained(self) -> None:
        if self.state is ChannelState.DISCONNECTING and self.channel is not None:
            self.channel.close()

    def _has_ended(self) -> None:
        """Nothing comes any more. In a runner, after what came before."""
        under_way = self.under_way
        self.channel = self.under_way = None
        self.state = ChannelState.DISCONNECTED
        if under_way is not None:
            under_way.give_up()
        self._over()


def wrap(line: bytes, handle: RawHandle) -> bytes:
    """Put the encoded message of *handle* into a ``NODE_HANDLE``."""
    fields = {'cmd': 'NODE_HANDLE', 'type': handle.kind, **handle.fields()}
    head = json.dumps(fields, separators=(',', ':'))[:-1].encode('ascii')
    return head + b',"msg":' + line[:-1] + b'}\n'


def _nothing(_error: BaseException | None) -> None:
    """The callback of messages that have none: the channel's end tells enough."""
