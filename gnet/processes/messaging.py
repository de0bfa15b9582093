"""Messages and handles between two processes: what both ends of a channel can do.

:class:`Messaging` gives a :class:`gnet.processes.channel.Channel` its meaning, which is Node's:

- A message is any value that JSON has. One that is an object whose ``cmd`` starts with ``NODE_``
  is internal: it is `'internalMessage'`, not `'message'`.
- A handle goes along as the descriptor of a ``NODE_HANDLE``, and is this side's until the other
  one answers: :mod:`gnet.processes.under_way`.
- When the channel is closed, handles that were not acknowledged are their senders' again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from .. import lifecycle
from ..events.guarded import Guarded
from ..loop.loop import Loop
from ..node import coded_errors
from ..node.originals import close_descriptor
from ..node.spelling import snake_options
from ..servers.server import Server
from ..sockets import ownership
from ..sockets.socket import Socket
from . import sendable
from .channel import MAX_TOGETHER, Channel
from .counting import Tallies
from .json_lines import MAX_LINE, NoMessageError, encode_message
from .peer import Peer, wrap
from .under_way import Callback

if TYPE_CHECKING:
    from typing_extensions import TypeGuard

__all__ = [
    'Messaging',
    'peer_of',
]


class Messaging(Guarded):
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
    `'connection'` listener: if its blocking names were used it is ended when the listener returns,
    and destroyed if the listener raises.
    """

    __slots__ = ('_loop', '_peer', '_tallies', '_unheard')

    def __init__(self, loop: Loop) -> None:
        super().__init__()
        self._loop = loop
        self._peer = Peer(
            loop, self, self._call_guarded, self._received, self._channel_closed)
        #: What came before there was a listener of 'message'.
        self._unheard: deque[tuple[Any, Any]] = deque()
        self._tallies = Tallies(self._peer)

    # --- state ------------------------------------------------------------------------------------

    @property
    def connected(self) -> bool:
        """Whether messages can be sent."""
        return self._peer.connected

    @property
    def channel(self) -> Channel | None:
        """The open channel, with ``ref()``, ``unref()``, ``has_ref()`` and ``fd``; else None."""
        return self._peer.channel if self.connected else None

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
        self._loop.check_thread()
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
                line = wrap(line, outgoing)
                if len(line) > MAX_LINE:
                    # The other side would close the channel.
                    error = coded_errors.not_json(
                        f'with what its connection has still to send, it is longer than {MAX_LINE}'
                        ' bytes')
                    outgoing.returned(error, True)
                    raise error
        return self._peer.send_line(line, outgoing, callback)

    def _send_failed(self, error: BaseException, callback: Callback | None) -> None:
        if callback is not None:
            self._loop.tick(self._call_guarded, callback, error)
        else:
            self._loop.tick(self._emit_error, error)

    def _track(self, server: Server) -> None:
        """Have *server* count the connections that it sends to this peer."""
        tracker = self._tallies.track(sendable.key_of(server))
        if tracker is not None:
            server._setup_worker(tracker)

    # --- receiving, in a runner -------------------------------------------------------------------

    def _received(self, message: Any) -> None:
        """Take a message from the channel."""
        if not _is_internal(message):
            self._loop.tick(self._emit_message, message, None)
            return
        command = message['cmd']
        under_way = self._peer.under_way
        if command == 'NODE_HANDLE':
            self._handle_received(message)
        elif command == 'NODE_HANDLE_ACK':
            if under_way is not None:
                under_way.acknowledged()
        elif command == 'NODE_HANDLE_NACK':
            if under_way is not None:
                under_way.not_received()
        elif command.startswith('NODE_SOCKET_'):
            self._tallies.take(command, message)
        else:
            self._emit_internal(message, None)

    def _handle_received(self, message: dict[str, Any]) -> None:
        channel = self._peer.channel
        assert channel is not None
        if 'count' in message:
            self._several_received(channel, message)
            return
        fd = channel.take_descriptor()
        if fd is None:
            channel.write(_NACK)
            return
        if not channel.can_answer:
            close_descriptor(fd)  # its sender takes it back, and there must be one owner
            return
        inner = message.get('msg')
        if _is_internal(inner):
            sock = sendable.raw_socket_of(fd)
            self._emit_internal(inner, sock)
            # Afterwards: so that it means that the listener has dealt with it, as workers need it.
            channel.write(_ACK)
        else:
            channel.write(_ACK)
            sendable.incoming(
                message.get('type'), fd, message, self._tallies.received_from,
                lambda handle: self._deliver_handle(inner, handle))

    def _several_received(self, channel: Channel, message: dict[str, Any]) -> None:
        """Take raw sockets of gnet's own; all of them are acknowledged together."""
        inner, count = message.get('msg'), message['count']
        # How many of the descriptors that have come are its own, nobody knows then; those of what
        # comes behind it would be taken for others.
        if not _is_internal(inner):
            raise NoMessageError(f'several handles with {inner!r:.60}')
        if type(count) is not int or not 0 < count <= MAX_TOGETHER:
            raise NoMessageError(f'a count of {count!r:.60} handles')
        taken = channel.take_descriptors(count)
        if taken is None:
            channel.write(_NACK)
        elif not channel.can_answer:
            for fd in taken:
                close_descriptor(fd)
        else:
            family = message.get('family')
            socks = sendable.RawSockets(
                sendable.connection_of(self._loop, fd, family) for fd in taken)
            self._emit_internal(inner, socks)
            channel.write(_ACK)

    def _deliver_handle(self, message: Any, handle: Any) -> None:
        # A context of its own, as that of a 'connection' listener.
        self._loop.tick(self._emit_message, message, handle, context=copy_context())

    # --- the end ----------------------------------------------------------------------------------

    def disconnect(self) -> None:
        """Close the channel when what was sent is on its way; `'disconnect'` follows on both sides.

        A handle that was not acknowledged yet is waited for. If there is no channel, `'error'` is
        emitted with ``ERR_IPC_DISCONNECTED``.
        """
        if not self.connected:
            self._emit_error(coded_errors.state_error('ERR_IPC_DISCONNECTED'))
            return
        self._peer.disconnect()

    def _channel_closed(self) -> None:
        """Nothing comes any more. In a runner, after what came before."""
        self._tallies.disconnected()
        self._loop.tick(self._emit_disconnect)

    # --- emitting, in a runner --------------------------------------------------------------------

    def _failed(self, error: BaseException) -> None:
        self._loop.fail(self, error)

    def _emit_message(self, message: Any, handle: Any) -> None:
        if not self._events.get('message'):
            self._unheard.append((message, handle))
        elif isinstance(handle, Socket) and ownership.is_accepted(handle):
            giving = _Giving(self, message)
            ownership.hand_over(handle, giving, 'message', giving)
        else:
            self._emit_guarded('message', message, handle)

    def _listener_added(self, event: Any) -> None:
        super()._listener_added(event)
        if event == 'message':
            while self._unheard:
                message, handle = self._unheard.popleft()
                self._loop.tick(self._emit_message, message, handle, context=copy_context())

    def _emit_internal(self, message: dict[str, Any], handle: Any) -> None:
        try:
            heard = self.emit('internalMessage', message, handle)
        except BaseException as error:
            self._listener_failed('internalMessage', error)
            heard = True
        if not heard and handle is not None:
            handle.close()

    def _emit_disconnect(self) -> None:
        self._emit_guarded('disconnect')

    def _emit_error(self, error: BaseException) -> None:
        self._emit_guarded('error', error)


class _Giving:
    """Gives a connection that has come with a message to the listeners of it."""

    __slots__ = ('_message', '_process')

    def __init__(self, process: Messaging, message: Any) -> None:
        self._process = process
        self._message = message

    def emit(self, event: str, sock: Socket) -> None:
        self._process.emit(event, self._message, sock)

    def failed(self, event: str, sock: Socket, error: BaseException) -> None:
        if lifecycle.has_subscribers():
            lifecycle.publish(lifecycle.ListenerFailed, self._process, event, error)
        ownership.fail(sock, error)


def peer_of(process: Messaging) -> Peer:
    """Return what gnet itself sends messages by: a part, so that programs do not see it."""
    return process._peer  # inside: programs see a process, and have no use for it


def _ignore_server(_server: Server) -> None:
    """A connection of it is not sent: there is nothing to be counted."""


def _is_internal(message: Any) -> TypeGuard[dict[str, Any]]:
    if not isinstance(message, dict):
        return False
    command = message.get('cmd')
    # Node takes the prefix alone for the program's.
    return isinstance(command, str) and command.startswith('NODE_') and command != 'NODE_'


_ACK = encode_message({'cmd': 'NODE_HANDLE_ACK'})
_NACK = encode_message({'cmd': 'NODE_HANDLE_NACK'})
