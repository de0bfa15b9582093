"""The :class:`Worker`: a process of a cluster, as the primary sees it, and as it sees itself."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any

from ..node.keywords import check_keywords
from ..node.spelling import snake_options

if TYPE_CHECKING:
    from typing_extensions import Self

    from ..processes.messaging import Messaging
    from .typed_worker_events import TypedEmitter as EventEmitter
else:
    from ..events.emitter import EventEmitter

__all__ = [
    'FOLLOWS',
    'Life',
    'Progress',
    'Worker',
]


class Life(Enum):
    """How far a worker has come. The values are Node's words."""

    #: it was started, and has not been heard of
    NONE = 'none'
    #: its channel is open
    ONLINE = 'online'
    #: a server of it has listened
    LISTENING = 'listening'
    #: its channel is closed
    DISCONNECTED = 'disconnected'
    #: its process has ended
    DEAD = 'dead'


#: Which may follow which. (A worker that cannot be started has none but the first.)
FOLLOWS: dict[Life, set[Life]] = {
    Life.NONE: {Life.ONLINE, Life.DISCONNECTED, Life.DEAD},
    Life.ONLINE: {Life.LISTENING, Life.DISCONNECTED, Life.DEAD},
    Life.LISTENING: {Life.LISTENING, Life.DISCONNECTED, Life.DEAD},
    Life.DISCONNECTED: {Life.DEAD},
    Life.DEAD: set(),
}


class Progress:
    """How far a worker has come: who hears of it writes it, and its :class:`Worker` shows it."""

    __slots__ = ('life',)

    def __init__(self, life: Life = Life.NONE) -> None:
        self.life: Life = life


class Worker(EventEmitter):
    """A worker process. In the primary it emits

    ================  ==================  ==========================================================
    event             arguments           when
    ================  ==================  ==========================================================
    ``'online'``      ``()``              it runs, and has opened its channel
    ``'listening'``   ``(address)``       a server of it listens that shares the primary's listener:
                                          a record with ``address``, ``port``, ``address_type``,
                                          ``fd``
    ``'message'``     ``(message,         the worker has sent something
                      handle)``
    ``'disconnect'``  ``()``              its channel is closed
    ``'exit'``        ``(code, signal)``  it has ended
    ``'error'``       ``(err)``           it could not be started, or sent a message
    ================  ==================  ==========================================================

    In the worker itself: `'message'` and `'disconnect'`.

    Attributes:
        id: its number in the cluster, from 1.
        process: the :class:`gnet.child_process.ChildProcess`; in the worker ``gnet.process``.
        exited_after_disconnect: whether it was asked to disconnect, by either side; None until it
            was, and False when its channel is closed without.
    """

    __slots__ = ('_progress', 'exited_after_disconnect', 'id', 'process')

    def __init__(self, options: Mapping[str, Any] | None = None, **keywords: Any) -> None:
        super().__init__()
        check_keywords('Worker', keywords, ('id', 'process', 'state'))
        given = snake_options(options, keywords)
        self.id: int = given.get('id') or 0
        self.process: Any = given.get('process')
        self.exited_after_disconnect: bool | None = None
        self._progress = Progress(Life(given.get('state') or 'none'))

    def __repr__(self) -> str:
        return f'<gnet.{type(self).__name__} {self.id} {self._progress.life.value}>'

    @property
    def state(self) -> str:
        """``'none'``, ``'online'``, ``'listening'``, ``'disconnected'`` or ``'dead'``."""
        return self._progress.life.value

    @property
    def _messaging(self) -> Messaging:
        process: Messaging = self.process
        return process

    def send(self, *args: Any, **keywords: Any) -> bool:
        """Send a message: see :meth:`gnet.processes.messaging.Messaging.send`."""
        return self._messaging.send(*args, **keywords)

    def is_connected(self) -> bool:
        """Whether messages can be sent."""
        return self._messaging.connected

    def is_dead(self) -> bool:
        """Whether the process has ended."""
        process = self.process
        return (
            getattr(process, 'exit_code', None) is not None
            or getattr(process, 'signal_code', None) is not None
        )

    def disconnect(self) -> Self:
        """Have the worker close its servers, wait for their connections, and then disconnect.

        In the worker, :attr:`process` is disconnected then; it ends when nothing else is left.
        """
        raise NotImplementedError

    def kill(self, signal: str | int | None = None) -> None:
        """In the primary: send the worker a signal (SIGTERM). In the worker: disconnect and end."""
        raise NotImplementedError

    def destroy(self, signal: str | int | None = None) -> None:
        """The same as :meth:`kill`."""
        self.kill(signal)

    # --- who listens to messages ------------------------------------------------------------------

    def _listener_added(self, event: Any) -> None:
        super()._listener_added(event)
        if event == 'message' and self.process is not None:
            self._forward_messages()

    def _forward_messages(self) -> None:
        """Emit what the channel brings. Not before somebody listens: until then it is kept."""
        if self._forward not in self.process.listeners('message'):
            self.process.on('message', self._forward)

    def _forward(self, message: Any, handle: Any) -> None:
        self.emit('message', message, handle)
