"""This process, as the one that started it sees it: the object ``gnet.process``.

In a process that ``child_process.fork`` has started (of gnet, or of Node), it is the other end of
the channel::

    @gnet.process.on('message')
    def serve(message, sock):
        sock.end('hello from a child')

    gnet.process.send('ready')
    gnet.run()

The channel keeps the program alive as long as there is a listener of `'message'` or `'disconnect'`
(Node's rule).
"""

from __future__ import annotations

import os
import sys
from enum import Enum
from typing import TYPE_CHECKING, Any, NoReturn

from ..loop import exit_hook
from ..loop.loop import get_loop
from .inheritance import inherited_channel

if TYPE_CHECKING:
    from .typed_events import TypedMessaging as Messaging
else:
    from .messaging import Messaging

__all__ = ['Process', 'process']


class _Start(Enum):
    """Whether the channel to the process that started this one was opened."""

    TO_BE_OPENED = 'the channel was not needed yet'
    BEGUN = 'it was opened, or there is none'


#: Which may follow which.
FOLLOWS: dict[_Start, set[_Start]] = {
    _Start.TO_BE_OPENED: {_Start.BEGUN},
    _Start.BEGUN: set(),
}


class Process(Messaging):
    """This process. See :class:`gnet.processes.messaging.Messaging` for events and methods."""

    __slots__ = ('_fd', '_start')

    def __init__(self, fd: int | None) -> None:
        # The loop is made on first use: importing gnet makes no hub.
        super().__init__(None)  # type: ignore[arg-type]
        self._fd = fd
        self._start = _Start.TO_BE_OPENED

    def __repr__(self) -> str:
        return f'<gnet.{type(self).__name__} {os.getpid()}>'

    @property
    def pid(self) -> int:
        """The number of this process."""
        return os.getpid()

    def begin(self) -> None:
        """Open the channel if there is one, and it is not open yet."""
        if self._start is _Start.TO_BE_OPENED and self._fd is not None:
            self._begin()

    def _begin(self) -> None:
        if self._start is _Start.BEGUN:
            return
        self._loop = self._peer.loop = get_loop()
        self._start = _Start.BEGUN
        if self._fd is not None:
            exit_hook.arm()
            self._peer.open(self._fd).unref()
            self._apply_ref()
            if self._peer.when_opened is not None:
                self._peer.when_opened()

    def exit(self, code: int = 0) -> NoReturn:
        """End this process with the status *code*: ``sys.exit``."""
        sys.exit(code)

    # --- opened on first use ----------------------------------------------------------------------

    @property
    def connected(self) -> bool:
        """Whether the process that started this one has a channel to it, which is open."""
        self._begin()
        return super().connected

    def send(self, *args: Any, **keywords: Any) -> bool:
        """Send a message: see :meth:`gnet.processes.messaging.Messaging.send`."""
        self._begin()
        return super().send(*args, **keywords)

    def disconnect(self) -> None:
        """Close the channel: see :meth:`gnet.processes.messaging.Messaging.disconnect`."""
        self._begin()
        super().disconnect()

    def _emit_disconnect(self) -> None:
        if self._peer.when_disconnected is not None:
            try:
                self._peer.when_disconnected()
            except BaseException as error:
                self._listener_failed('disconnect', error)
        super()._emit_disconnect()

    # --- what keeps the program alive -------------------------------------------------------------

    def _listener_added(self, event: Any) -> None:
        self._begin()
        super()._listener_added(event)
        self._apply_ref()

    def _listener_removed(self, event: Any) -> None:
        super()._listener_removed(event)
        self._apply_ref()

    def _apply_ref(self) -> None:
        channel = self._peer.channel
        if channel is not None:
            heard = self._events.get('message') or self._events.get('disconnect')
            (channel.ref if heard else channel.unref)()


process: Process = Process(inherited_channel)
