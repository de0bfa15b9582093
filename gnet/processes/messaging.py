"""Messages and handles between two processes: what both ends of a channel can do.

:class:`Messaging` gives a :class:`gnet.processes.channel.Channel` its meaning, which is Node's:

- A message is any value that JSON has. One that is an object whose ``cmd`` starts with ``NODE_``
  is internal: it is `'internalMessage'`, not `'message'`.
- A handle goes along as the descriptor of a ``NODE_HANDLE``. The other side answers
  ``NODE_HANDLE_ACK`` as soon as it has it, and only then is it closed on this side. One handle is
  under way at a time; messages after it wait, so that their order is kept. ``NODE_HANDLE_NACK``
  says that the descriptor did not arrive: it is sent again, three times at most. (Of gnet's own
  raw handles, whose order does not matter, several may be under way.)
- When the channel is closed, handles that were not acknowledged are their senders' again.
"""

from __future__ import annotations

import json
import logging
import os
from collections import deque
from collections.abc import Callable, Mapping
from contextvars import copy_context
from enum import Enum
from typing import TYPE_CHECKING, Any

from gevent import GreenletExit, getcurrent

from .. import lifecycle
from ..events.emitter import EventEmitter
from ..loop.agenda import EXITS
from ..loop.loop import Loop
from ..node import coded_errors
from ..node.spelling import snake_options
from ..servers.server import Server
from ..sockets.socket import Socket
from . import sendable
from .channel import HIGH_WATER_MARK, MAX_LINE, Channel, encode_message
from .counting import ReceivedSockets, SentSockets
from .sendable import Outgoing, RawHandle

if TYPE_CHECKING:
    from typing_extensions import TypeGuard

__all__ = [
    'Messaging',
]

_log = logging.getLogger('gnet.ipc')
Callback = Callable[..., object]

#: Raw handles that may be under way at a time: more than a cluster gives one worker.
MAX_RAW_UNDER_WAY = 64

#: How often a handle is sent again that did not arrive (Node's number).
MAX_RESENDS = 3


class Connection(Enum):
    """The life of a channel, as the program sees it."""

    CONNECTED = 'messages go both ways'
    DISCONNECTING = 'disconnect() was called; what was sent before is on its way'
    DISCONNECTED = 'there is no channel (any more)'


class _Entry:
    """A message on its way."""

    __slots__ = ('callback', 'handle', 'line', 'resent')

    def __init__(self, line: bytes, handle: Outgoing, callback: Callback | None) -> None:
        self.line = line
        self.handle = handle
        self.callback = callback
        self.resent = 0

    @property
    def is_raw(self) -> bool:
        """Whether this is a raw handle of gnet's own."""
        return type(self.handle) is RawHandle


class Messaging(EventEmitter):
    """One end of a channel. :class:`gnet.child_process.ChildProcess` and ``gnet.process`` are such.

    ======================  ====================  ==================================================
    event                   arguments             when
    ======================  ====================  ==================================================
    ``'message'``           ``(message, handle)`` something came; *handle* is None mostly
    ``'disconnect'``        ``()``                the channel is closed, by whichever side
    ``'error'``             ``(err)``             a message could not be sent, and had no callback
    ``'internalMessage'``   ``(message, handle)`` of Node's and gnet's own; listeners must not block
    ======================  ====================  ==================================================

    Listeners of `'message'` may block: each message has its turn whether or not listeners of those
    before are still at work. A connection that came with a message is treated as by a
    `'connection'` listener: it is ended when the listener returns that used its blocking names, and
    destroyed if the listener raises.
    """

    __slots__ = (
        '_channel', '_connection', '_in_flight', '_loop', '_received_lists', '_sent_lists',
        '_unheard', '_waiting',
    )

    def __init__(self, loop: Loop) -> None:
        super().__init__()
        self._loop = loop
        self._channel: Channel | None = None
        self._connection = Connection.DISCONNECTED
        #: The handles that were not acknowledged yet, and what waits behind them.
        self._in_flight: deque[_Entry] = deque()
        self._waiting: deque[_Entry] = deque()
        #: What came before there was a listener of 'message'.
        self._unheard: deque[tuple[Any, Any]] = deque()
        #: By key: the trackers of servers here, and what stands for servers there.
        self._sent_lists: dict[str, SentSockets] = {}
        self._received_lists: dict[str, ReceivedSockets] = {}

    def _open_channel(self, fd: int) -> Channel:
        self._channel = Channel(self._loop, fd, self)
        self._connection = Connection.CONNECTED
        return self._channel

    # --- state ------------------------------------------------------------------------------------

    @property
    def connected(self) -> bool:
        """Whether messages can be sent."""
        return self._connection is Connection.CONNECTED

    @property
    def channel(self) -> Channel | None:
        """The open channel, with ``ref()``, ``unref()``, ``has_ref()`` and ``fd``; else None."""
        return self._channel if self.connected else None

    # --- sending ----------------------------------------------------------------------------------

    def send(
        self, message: Any, handle: Any = None, options: Any = None,
        callback: Callback | None = None, *, keep_open: bool | None = None,
    ) -> bool:
        """Send *message* to the other process; never blocks.

        Args:
            message: what JSON has: str, numbers, bool, None, lists and tuples, dicts.
            handle: a listening server (both processes accept then), or a connection, which is this
                process's no more: a :class:`gnet.Server` or :class:`gnet.Socket`, or a socket of
                the standard library or gevent. One that is closed, or connects still, is left
                out, as in Node.
            options: a mapping with ``keepOpen``, as in Node.
            callback: called with ``(err)``; without a handle when the kernel has the message, with
                one when the other process has it. After an error, the connection is this
                process's again. May come in the place of *handle* or *options*.
            keep_open: leave the connection open here as well.

        Returns:
            False when the caller should wait for the callback before it sends on: more than
            128 KiB are queued, or several messages wait for a handle to arrive.

        Raises:
            CodedTypeError: ``ERR_INVALID_ARG_TYPE``, ``ERR_INVALID_ARG_VALUE`` for what is no
                JSON, ``ERR_INVALID_HANDLE_TYPE``.
            CodedRuntimeError: ``ERR_SOCKET_IN_USE``: a greenlet is blocked on the socket.

        If the channel is closed, *callback* gets ``ERR_IPC_CHANNEL_CLOSED``; without one, `'error'`
        is emitted. A connection without a callback that did not arrive is destroyed.
        """
        if callable(handle) and not hasattr(handle, 'fileno'):
            handle, callback = None, handle
        elif callable(options):
            options, callback = None, options
        elif options is not None and not isinstance(options, Mapping):
            raise coded_errors.invalid_arg_type('options', 'of type object', options)
        if not callable(callback):
            callback = None  # Node ignores it
        if keep_open is None:
            keep_open = bool(snake_options(options).get('keep_open'))
        line = encode_message(message)
        if not self.connected:
            closed = coded_errors.state_error('ERR_IPC_CHANNEL_CLOSED')
            if handle is not None and callback is None:
                rejected = sendable.outgoing(handle, keep_open, _ignore_server)
                if rejected is not None:
                    rejected.returned(closed, False)
            self._send_failed(closed, callback)
            return False
        outgoing = None
        if handle is not None:
            outgoing = sendable.outgoing(handle, keep_open, self._track)
            if outgoing is not None:
                line = _wrap(line, outgoing)
                if len(line) > MAX_LINE:
                    # The other side would close the channel.
                    error = coded_errors.not_json(
                        f'with what its connection has still to send, it is longer than {MAX_LINE}'
                        ' bytes')
                    outgoing.returned(error, True)
                    raise error
        return self._send_entry(_Entry(line, outgoing, callback))

    def _send_internal(
        self, message: dict[str, Any], sock: Any = None, callback: Callback | None = None,
    ) -> bool:
        """Send a message of gnet's own, in turn with those of the program.

        Args:
            message: its ``cmd`` starts with ``NODE_``.
            sock: a raw socket to go with it. It stays the caller's, who keeps it open until
                *callback* is called.
            callback: as of :meth:`send`; without one, failures are passed over: `'disconnect'`
                tells.
        """
        line = encode_message(message)
        if not self.connected:
            if callback is not None:
                self._loop.tick(callback, coded_errors.state_error('ERR_IPC_CHANNEL_CLOSED'))
            return False
        outgoing = None
        if sock is not None:
            outgoing = RawHandle(sock)
            line = _wrap(line, outgoing)
        return self._send_entry(_Entry(line, outgoing, callback or _nothing))

    def _send_entry(self, entry: _Entry) -> bool:
        channel = self._channel
        assert channel is not None
        if self._must_wait(entry):
            self._waiting.append(entry)
            return len(self._waiting) == 1
        self._write(entry)
        return channel.queued < HIGH_WATER_MARK

    def _must_wait(self, entry: _Entry) -> bool:
        under_way = self._in_flight
        return bool(under_way) and (
            bool(self._waiting) or not entry.is_raw or not under_way[-1].is_raw
            or len(under_way) >= MAX_RAW_UNDER_WAY
        )

    def _write(self, entry: _Entry) -> None:
        channel = self._channel
        assert channel is not None
        if entry.handle is not None:
            # What waits behind it would be lost if the program ended now.
            self._loop.hold()
            self._in_flight.append(entry)
            channel.write(entry.line, entry.handle.sock)
        elif entry.callback is not None:
            channel.write(entry.line, None, lambda error: self._written(entry, error))
        else:
            channel.write(entry.line)

    def _written(self, entry: _Entry, error: BaseException | None) -> None:
        assert entry.callback is not None
        self._guard('callback', entry.callback, error)

    def _send_failed(self, error: BaseException, callback: Callback | None) -> None:
        if callback is not None:
            self._loop.tick(self._guard, 'callback', callback, error)
        else:
            self._loop.tick(self._emit_error, error)

    def _track(self, server: Server) -> None:
        """Have *server* count the connections that it sends to this peer."""
        key = sendable.key_of(server)
        if key not in self._sent_lists:
            tracker = self._sent_lists[key] = SentSockets(self, key)
            server._setup_worker(tracker)

    # --- handles under way ------------------------------------------------------------------------

    def _acknowledged(self) -> None:
        if not self._in_flight:
            return
        entry = self._in_flight.popleft()
        self._loop.release()
        assert entry.handle is not None
        entry.handle.delivered()
        if entry.callback is not None:
            self._loop.tick(self._guard, 'callback', entry.callback, None)
        self._send_waiting()

    def _not_received(self) -> None:
        if not self._in_flight or self._channel is None:
            return
        entry = self._in_flight.popleft()
        self._loop.release()
        if entry.resent < MAX_RESENDS:
            entry.resent += 1
            self._write(entry)
            return
        _log.warning('%r: Handle did not reach the receiving process correctly', self)
        self._give_back(entry, coded_errors.state_error('ERR_HANDLE_NOT_RECEIVED'))
        self._send_waiting()

    def _send_waiting(self) -> None:
        while self._waiting and not self._in_flight:
            self._write(self._waiting.popleft())
        if not self._waiting and not self._in_flight and (
            self._connection is Connection.DISCONNECTING
        ):
            self._close_channel()

    def _give_back(self, entry: _Entry, error: BaseException) -> None:
        if entry.handle is not None:
            entry.handle.returned(error, entry.callback is not None)
        if entry.callback is not None:
            self._loop.tick(self._guard, 'callback', entry.callback, error)

    # --- receiving, in a runner -------------------------------------------------------------------

    def _received(self, message: Any) -> None:
        """Take a message from the channel."""
        if not _is_internal(message):
            self._loop.tick(self._emit_message, message, None)
            return
        command = message['cmd']
        if command == 'NODE_HANDLE':
            self._handle_received(message)
        elif command == 'NODE_HANDLE_ACK':
            self._acknowledged()
        elif command == 'NODE_HANDLE_NACK':
            self._not_received()
        elif command.startswith('NODE_SOCKET_'):
            self._counted(command, message)
        else:
            self._emit_internal(message, None)

    def _handle_received(self, message: dict[str, Any]) -> None:
        channel = self._channel
        assert channel is not None
        fd = channel.take_descriptor()
        if fd is None:
            channel.write(_NACK)
            return
        if not channel.can_answer:
            os.close(fd)  # its sender takes it back, and there must be one owner
            return
        inner = message.get('msg')
        if _is_internal(inner):
            sock = sendable.raw_socket_of(fd)
            self._emit_internal(inner, sock)
            # Afterwards: so that it means that the listener has dealt with it (see ``sharing``).
            channel.write(_ACK)
        else:
            channel.write(_ACK)
            sendable.incoming(
                message.get('type'), fd, message, self._received_list,
                lambda handle: self._deliver_handle(inner, handle))

    def _deliver_handle(self, message: Any, handle: Any) -> None:
        # A context of its own, as that of a 'connection' listener.
        self._loop.tick(self._emit_message, message, handle, context=copy_context())

    def _received_list(self, key: str) -> ReceivedSockets:
        received = self._received_lists.get(key)
        if received is None:
            received = self._received_lists[key] = ReceivedSockets(self, key)
        return received

    def _counted(self, command: str, message: dict[str, Any]) -> None:
        key = message.get('key')
        if not isinstance(key, str):
            return
        if command == 'NODE_SOCKET_GET_COUNT':
            self._received_list(key).count()
        elif command == 'NODE_SOCKET_NOTIFY_CLOSE':
            self._received_list(key).notify_close()
        elif key in self._sent_lists:
            self._sent_lists[key].answered(message)

    # --- the end ----------------------------------------------------------------------------------

    def disconnect(self) -> None:
        """Close the channel when what was sent is on its way; `'disconnect'` follows on both sides.

        A handle that was not acknowledged yet is waited for. If there is no channel, `'error'` is
        emitted with ``ERR_IPC_DISCONNECTED``.
        """
        if not self.connected:
            self._emit_error(coded_errors.state_error('ERR_IPC_DISCONNECTED'))
            return
        self._connection = Connection.DISCONNECTING
        if not self._in_flight:
            self._close_channel()

    def _close_channel(self) -> None:
        if self._channel is not None:
            self._channel.close()

    def _channel_closed(self) -> None:
        """Nothing comes any more. In a runner, after what came before."""
        self._channel = None
        self._connection = Connection.DISCONNECTED
        lost = [*self._in_flight, *self._waiting]
        while self._in_flight:
            self._in_flight.popleft()
            self._loop.release()
        self._waiting.clear()
        for entry in lost:
            self._give_back(entry, coded_errors.state_error('ERR_IPC_CHANNEL_CLOSED'))
        for tracker in self._sent_lists.values():
            tracker.disconnected()
        self._loop.tick(self._emit_disconnect)

    # --- emitting, in a runner --------------------------------------------------------------------

    def _emit_message(self, message: Any, handle: Any) -> None:
        if not self._events.get('message'):
            self._unheard.append((message, handle))
            return
        if not isinstance(handle, Socket) or handle._counter is None:
            self._guard('message', self.emit, 'message', message, handle)
            return
        handle._begin(getcurrent())
        try:
            self.emit('message', message, handle)
        except GreenletExit:
            handle.destroy()
        except EXITS:
            handle.destroy()
            raise
        except BaseException as error:
            lifecycle.publish(lifecycle.ListenerFailed, self, 'message', error)
            handle._fail(error)
        handle._owner_returned()

    def _listener_added(self, event: Any) -> None:
        super()._listener_added(event)
        if event == 'message':
            while self._unheard:
                message, handle = self._unheard.popleft()
                self._loop.tick(self._emit_message, message, handle, context=copy_context())

    def _emit_internal(self, message: dict[str, Any], handle: Any) -> None:
        try:
            heard = self.emit('internalMessage', message, handle)
        except EXITS:
            raise
        except BaseException as error:
            self._fail('internalMessage', error)
            heard = True
        if not heard and handle is not None:
            handle.close()

    def _emit_disconnect(self) -> None:
        self._guard('disconnect', self.emit, 'disconnect')

    def _emit_error(self, error: BaseException) -> None:
        self._guard('error', self.emit, 'error', error)

    def _guard(self, event: str, function: Callable[..., object], *args: Any) -> None:
        """Call what the program registered; its failure is the program's."""
        try:
            function(*args)
        except EXITS:
            raise
        except BaseException as error:
            self._fail(event, error)

    def _fail(self, event: str, error: BaseException) -> None:
        lifecycle.publish(lifecycle.ListenerFailed, self, event, error)
        self._loop.fail(self, error)


def _ignore_server(_server: Server) -> None:
    """A connection of it is not sent: there is nothing to be counted."""


def _nothing(_error: BaseException | None) -> None:
    """The callback of internal messages that have none: the channel's end tells enough."""


def _is_internal(message: Any) -> TypeGuard[dict[str, Any]]:
    if not isinstance(message, dict):
        return False
    command = message.get('cmd')
    # Node takes the prefix alone for the program's.
    return isinstance(command, str) and command.startswith('NODE_') and command != 'NODE_'


def _wrap(line: bytes, handle: RawHandle) -> bytes:
    """Put the encoded message of *handle* into a ``NODE_HANDLE``."""
    fields = {'cmd': 'NODE_HANDLE', 'type': handle.kind, **handle.fields()}
    head = json.dumps(fields, separators=(',', ':'))[:-1].encode('ascii')
    return head + b',"msg":' + line[:-1] + b'}\n'


_ACK = encode_message({'cmd': 'NODE_HANDLE_ACK'})
_NACK = encode_message({'cmd': 'NODE_HANDLE_NACK'})
