"""Handles on their way to another process, and what waits behind them: :class:`UnderWay`.

The other side answers ``NODE_HANDLE_ACK`` as soon as it has a handle, and only then is that closed
on this side. One handle is under way at a time; messages after it wait, so that their order is
kept. ``NODE_HANDLE_NACK`` says that the descriptor did not arrive: it is sent again, three times at
most. (Of gnet's own raw handles, whose order does not matter, several may be under way; and several
may go together, as one entry with one answer.)
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from typing import Any

from ..loop.loop import Loop
from ..node import coded_errors
from .channel import HIGH_WATER_MARK, Channel
from .sendable import Outgoing, RawHandle

__all__ = [
    'Callback',
    'Entry',
    'UnderWay',
]

_log = logging.getLogger('gnet.ipc')
Callback = Callable[..., object]

#: Raw handles that may be under way at a time: more than a cluster gives one worker.
MAX_RAW_UNDER_WAY = 64

#: How often a handle is sent again that did not arrive (Node's number).
MAX_RESENDS = 3


class Entry:
    """A message on its way."""

    __slots__ = ('callback', 'handle', 'line', 'resent')

    def __init__(self, line: bytes, handle: Outgoing, callback: Callback | None) -> None:
        self.line: bytes = line
        self.handle: Outgoing = handle
        self.callback: Callback | None = callback
        self.resent: int = 0

    @property
    def is_raw(self) -> bool:
        """Whether this is a raw handle of gnet's own."""
        return type(self.handle) is RawHandle


class UnderWay:
    """What was sent over a channel and has not arrived yet, for all that is known.

    Args:
        loop: that of the channel.
        channel: it is written to in turn.
        call: calls a callback of the program's with an error or None; on a tick.
        drained: called when the last handle was answered, and nothing waits.
    """

    __slots__ = ('__weakref__', '_call', '_channel', '_drained', '_loop', 'handles', 'waiting')

    def __init__(
        self, loop: Loop, channel: Channel, call: Callable[[Callback, Any], object],
        drained: Callable[[], object],
    ) -> None:
        self._loop = loop
        self._channel = channel
        self._call = call
        self._drained = drained
        #: The handles that were not acknowledged yet, and what waits behind them.
        self.handles: deque[Entry] = deque()
        self.waiting: deque[Entry] = deque()
        loop.close_in_child(self, UnderWay._forsake)  # inside: its own

    def send(self, entry: Entry) -> bool:
        """Send *entry* when its turn has come; return False if no more should be sent now."""
        if self._must_wait(entry):
            self.waiting.append(entry)
            return len(self.waiting) == 1
        self._write(entry)
        return self._channel.queued < HIGH_WATER_MARK

    def _must_wait(self, entry: Entry) -> bool:
        handles = self.handles
        return bool(handles) and (
            bool(self.waiting) or not entry.is_raw or not handles[-1].is_raw
            or len(handles) >= MAX_RAW_UNDER_WAY
        )

    def _write(self, entry: Entry) -> None:
        channel = self._channel
        callback = entry.callback
        if entry.handle is not None:
            # What waits behind it would be lost if the program ended now.
            self._loop.hold()
            self.handles.append(entry)
            channel.write(entry.line, entry.handle.socks)
        elif callback is not None:
            channel.write(entry.line, (), lambda error: self._call(callback, error))
        else:
            channel.write(entry.line)

    def acknowledged(self) -> None:
        """The other process has the oldest handle."""
        if not self.handles:
            return
        entry = self.handles.popleft()
        self._loop.release()
        assert entry.handle is not None
        entry.handle.delivered()
        if entry.callback is not None:
            if entry.is_raw:
                entry.callback(None)  # gnet's own, and this is a runner: no tick is needed
            else:
                self._loop.tick(self._call, entry.callback, None)
        self._go_on()

    def not_received(self) -> None:
        """The oldest handle did not arrive: send it again, or give it back."""
        if not self.handles:
            return
        entry = self.handles.popleft()
        self._loop.release()
        assert entry.handle is not None
        is_single = len(entry.handle.socks) == 1  # else who has sent them sends each by itself
        if is_single and entry.resent < MAX_RESENDS:
            entry.resent += 1
            self._write(entry)
            return
        if not entry.is_raw:  # who sends gnet's own has a line for many
            _log.warning('%r: Handle did not reach the receiving process correctly',
                         self._channel.owner)
        self._give_back(entry, coded_errors.state_error('ERR_HANDLE_NOT_RECEIVED'))
        self._go_on()

    def _go_on(self) -> None:
        while self.waiting and not self.handles:
            self._write(self.waiting.popleft())
        if not self.waiting and not self.handles:
            self._drained()

    def give_up(self) -> None:
        """The channel is closed: handles that were not acknowledged are their senders' again."""
        lost = [*self.handles, *self.waiting]
        while self.handles:
            self.handles.popleft()
            self._loop.release()
        self.waiting.clear()
        for entry in lost:
            self._give_back(entry, coded_errors.state_error('ERR_IPC_CHANNEL_CLOSED'))

    def _forsake(self) -> None:
        """In a forked child: close the copies of what is under way."""
        for entry in (*self.handles, *self.waiting):
            if entry.handle is not None:
                for sock in entry.handle.socks:
                    sock.close()  # gnet's own, or a duplicate

    def _give_back(self, entry: Entry, error: BaseException) -> None:
        if entry.handle is not None:
            entry.handle.returned(error, entry.callback is not None)
        if entry.callback is not None:
            self._loop.tick(self._call, entry.callback, error)
