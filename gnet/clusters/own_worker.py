"""A worker of a cluster, in its own process: its servers listen by way of the primary."""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, Any

import gevent

from ..node import coded_errors, system_errors
from ..node.values import MAX_INT32
from ..options.limits import NO_LIMITS
from ..processes.messaging import peer_of
from ..processes.this_process import Process
from ..servers.acceptor import Acceptor
from ..servers.draining import Drain
from ..servers.listener import Listener, receive
from . import primary_watch
from .protocol import COMMAND, PATH, PROTOCOL, Query
from .questions import answers
from .remote_listener import Distributed, PrimaryListener
from .worker import Life, Progress, Worker

if TYPE_CHECKING:
    from typing_extensions import Self

    from ..options.limits import LimitOptions
    from ..options.listen import ListenRequest
    from ..servers.primary import Call
    from ..servers.server import Server

__all__ = [
    'OwnWorker',
    'WorkerSide',
]


class OwnWorker(Worker):
    """The worker that this process is."""

    __slots__ = ('_disconnect', '_end')

    def __init__(
        self, number: int, process: Process, progress: Progress,
        disconnect: Callable[[], object], end: Callable[[], object],
    ) -> None:
        super().__init__({'id': number, 'process': process})
        self._progress = progress
        self._disconnect = disconnect
        self._end = end

    def disconnect(self) -> Self:
        """Close the servers that share, wait for their connections, and then disconnect."""
        self._disconnect()
        return self

    def kill(self, signal: str | int | None = None) -> None:
        """Disconnect and end, whatever is still open; *signal* means nothing here, as in Node."""
        self._end()


class _Stay(Enum):
    """Whether this worker is to stay."""

    STAYING = 'it serves'
    LEAVING = 'its servers are closed; it disconnects when their connections have ended'
    GONE = 'it has disconnected, or is about to'


#: Which may follow which.
FOLLOWS: dict[_Stay, set[_Stay]] = {
    _Stay.STAYING: {_Stay.LEAVING, _Stay.GONE},
    _Stay.LEAVING: {_Stay.GONE},
    _Stay.GONE: {_Stay.GONE},
}


class _Request:
    """A ``listen`` that the primary has not answered yet."""

    __slots__ = ('call', 'limits', 'query')

    def __init__(self, call: Call, query: Query, limits: LimitOptions) -> None:
        self.call = call
        self.query = query
        self.limits = limits

    @property
    def key(self) -> str:
        """Node's ``_connectionKey``."""
        query = self.query
        address = self.call.request.path if query.type == PATH else query.address
        return f'{query.type}:{"null" if address is None else address}:{query.port}'


class WorkerSide:
    """What ``gnet.cluster`` does in a worker. Implements `Primary` of ``servers``."""

    def __init__(self, number: int, process: Process) -> None:
        self._process = process
        self._peer = peer_of(process)
        self._progress = Progress()
        self.worker: OwnWorker = OwnWorker(
            number, process, self._progress, self.disconnect, self.end)
        self._stay = _Stay.STAYING
        self._requests: dict[int, _Request] = {}
        self._last_request = 0
        #: The shared handles of servers, by their ids.
        self._handles: dict[int, Distributed | Acceptor] = {}
        #: What servers of this process listen on, or are about to.
        self._keys: set[Any] = set()
        #: By address: how often any free port was asked for, and how many of them are open.
        self._indexes: dict[Any, list[int]] = {}
        #: Servers that share nothing; a drain closes them, too.
        self._alone: set[Server] = set()
        #: What disconnecting waits for.
        self._drain: Drain  # when the channel is open
        #: Called when the last connection has ended, and before the channel is closed.
        self.before_leaving: Callable[[], object] | None = None
        #: Whether this is a worker of ``--workers``.
        self._is_supervised = False
        self._acts: dict[str, Callable[[dict[str, Any], Any], None]] = {
            'connections': self._connections, 'bound': self._bound, 'failed': self._failed,
            'disconnect': self._told_to_disconnect, 'dropped': self._dropped,
            'ask': self._asked,
        }
        self._peer.when_opened = self._begin

    def _begin(self) -> None:
        """The channel is open."""
        process, channel = self._process, self._peer.channel
        self._drain = Drain(self._peer.loop, self._has_drained, self._has_cut)
        process.on('internalMessage', self._received)
        self._progress.life = Life.ONLINE
        self._is_supervised = primary_watch.start(
            channel.fd if channel is not None else -1,
            lambda: self.worker.exited_after_disconnect is True)
        if self._is_supervised:
            # The script runs as it would alone: it ends when nothing is left.
            self._peer.when_disconnected = self._disconnected
            self._heed_signals()
        else:
            # As in Node, this listener keeps a worker alive that has nothing else to do.
            process.once('disconnect', self._disconnected)
        self.send('online', protocol=PROTOCOL)

    def _heed_signals(self) -> None:
        """Leave SIGTERM (a drain) and SIGHUP to the primary, unless the script knows better.

        Who stops a service sends them to all of its processes (systemd by default), and so does a
        terminal that is closed. By default, the worker would end with all that is open; and if all
        of them left at once, nobody would be left for what waits in the primary.
        """
        def leave() -> None:
            self.send('terminate')

        def stay() -> None:
            """Not ignored: processes that the worker starts would inherit that."""

        for number, react in ((signal.SIGTERM, leave), (signal.SIGHUP, stay)):
            if signal.getsignal(number) is signal.SIG_DFL:
                # Of the loop, not of Python: that one is not called while the loop waits, if the
                # signal came right before.
                gevent.signal_handler(number, react)

    def send(self, act: str, **fields: Any) -> None:
        """Send the primary a message."""
        self._peer.send({'cmd': COMMAND, 'act': act, **fields})

    def _received(self, message: dict[str, Any], sock: Any) -> None:
        """Take an internal message; must not block."""
        act = message.get('act')
        take = self._acts.get(act) if isinstance(act, str) else None
        if message.get('cmd') == COMMAND and take is not None:
            take(message, sock)
        elif sock is not None:
            sock.close()

    # --- listening --------------------------------------------------------------------------------

    def listen(self, call: Call, address: str | None, version: int) -> None:
        """Ask the primary; see :class:`gnet.servers.primary.Primary`."""
        if not self._process.connected or self._stay is not _Stay.STAYING:
            call.fail(coded_errors.state_error('ERR_IPC_CHANNEL_CLOSED'))
            return
        query = self._query(call.request, address, version)
        if query is None:
            call.fail(system_errors.bind_error(errno.EINVAL, None, 0))
        elif query.key in self._keys:
            call.fail(system_errors.bind_error(errno.EADDRINUSE, query.address, query.port))
        else:
            self._keys.add(query.key)
            self._last_request += 1
            intake = call.intake
            # Behind proxies the primary does not know whose connections they are.
            limits = NO_LIMITS if intake.reads_headers else intake.connections.limit_options
            self._requests[self._last_request] = _Request(call, query, limits)
            self._peer.loop.hold()
            of_limits = {'limits': list(limits)} if limits.are_any else {}
            self.send('listen', seq=self._last_request, query=list(query), **of_limits)

    def _query(
        self, request: ListenRequest, address: str | None, version: int,
    ) -> Query | None:
        fd = None
        port = -1 if request.port is None else request.port
        kind = version if address is not None else 4
        if request.fd is not None:
            if request.fd > MAX_INT32 or request.fd != int(request.fd):
                return None
            fd, port = int(request.fd), 0
        elif request.path is not None:
            kind, port, address = PATH, PATH, request.path
            if not address.startswith('\0'):
                address = os.path.abspath(address)
        index = self._next_index(kind, address) if port == 0 and fd is None else 0
        backlog = max(-MAX_INT32, min(request.backlog, MAX_INT32))
        return Query(
            kind, address, port, fd, index, backlog, request.ipv6_only, request.readable_all,
            request.writable_all)

    def _next_index(self, kind: int, address: str | None) -> int:
        counts = self._indexes.setdefault((kind, address), [0, 0])
        counts[0] += 1
        counts[1] += 1
        return counts[0] - 1

    def _release(self, query: Query) -> None:
        """Its address may be listened on again."""
        self._keys.discard(query.key)
        if query.port == 0 and query.fd is None:
            counts = self._indexes[query.type, query.address]
            counts[1] -= 1
            if not counts[1]:
                del self._indexes[query.type, query.address]

    def _answered(self, message: dict[str, Any]) -> _Request | None:
        """Return the request that has its answer, which kept the program alive until now."""
        request = self._requests.pop(message['seq'], None)
        if request is not None:
            self._peer.loop.soon(self._peer.loop.release)
        return request

    def _bound(self, message: dict[str, Any], sock: Any) -> None:
        request = self._answered(message)
        number: int = message['id']
        if request is None or request.call.is_stale:
            if sock is not None:
                sock.close()
            if request is not None:
                self._let_go(number, request.query)
            return
        call = request.call
        loop = call.intake.connections.loop
        path = call.request.path
        handle: Distributed | Acceptor
        if sock is None:
            handle = Distributed(
                number, call.intake, PrimaryListener(
                    message['family'], message['name'], request.key, path,
                    lambda: self._let_go(number, request.query)),
                self, request.limits)
        else:
            listener = receive(sock, request.key, path)
            listener.closers.append(lambda: self._let_go(number, request.query))
            handle = Acceptor(loop, listener, call.intake)
        self._handles[number] = handle
        call.attach(handle, request.key)
        port = (message['name'] or (None, PATH))[1]
        query = request.query._replace(port=port if request.query.fd is None else 0)
        loop.tick(self._announce, query)

    def _announce(self, query: Query) -> None:
        # After the tick of 'listening', or when its listeners have blocked.
        self._progress.life = Life.LISTENING
        self.send('listening', query=list(query))

    def _failed(self, message: dict[str, Any], _sock: Any) -> None:
        request = self._answered(message)
        if request is None:
            return
        self._release(request.query)
        if not request.call.is_stale:
            query = request.query
            request.call.fail(
                system_errors.bind_error(message['errno'], query.address, query.port))

    def _let_go(self, number: int, query: Query) -> None:
        self._handles.pop(number, None)
        self._release(query)
        self.send('close', id=number)

    def listens_alone(self, server: Any, listener: Listener) -> None:
        """Remember *server* until it is closed; see :class:`gnet.servers.primary.Primary`."""
        if self._is_supervised:
            self.send('alone')
        self._alone.add(server)
        listener.closers.append(lambda: self._alone.discard(server))

    # --- connections ------------------------------------------------------------------------------

    def _connections(self, message: dict[str, Any], socks: Any) -> None:
        handle = self._handles.get(message['id'])
        is_counted = 'counted' in message
        for number, sock in enumerate(socks or (), message['n']):
            if sock is None:  # some systems know no socket any more that its peer has reset
                if is_counted:
                    self.send('released', n=number)
            elif not isinstance(handle, Distributed) or not handle.take(
                sock, number if is_counted else None
            ):
                self.send('refused', n=number)
                sock.close()

    def _dropped(self, message: dict[str, Any], _sock: Any) -> None:
        handle = self._handles.get(message['id'])
        if isinstance(handle, Distributed):  # else the server is closed
            handle.dropped(message['reason'], message['ends'], message['network'])

    # --- questions --------------------------------------------------------------------------------

    def _asked(self, message: dict[str, Any], _sock: Any) -> None:
        def reply(value: Any) -> None:
            self.send('answer', n=message['n'], value=value)

        answer = answers.get(message['what'])
        if answer is None:
            reply(None)
        else:
            answer(reply)

    # --- the end ----------------------------------------------------------------------------------

    def _told_to_disconnect(self, message: dict[str, Any], _sock: Any) -> None:
        deadline = message.get('deadline')
        self.worker.exited_after_disconnect = True
        self._close(self._sharing(), accept_rest='rest' in message)
        if deadline is not None and self._stay is _Stay.LEAVING:
            # Nobody else accepts what waits for these.
            self._drain.close(self._alone, accept_rest=True)
            self._drain.limit(deadline)

    def disconnect(self) -> None:
        """Leave, of the program's own will."""
        if self._process.connected and self._stay is _Stay.STAYING:
            self.worker.exited_after_disconnect = True
            self.send('leaving')
            self._close(self._sharing())

    def _sharing(self) -> set[Server]:
        servers: set[Any] = {handle.intake.server for handle in self._handles.values()}
        return servers | {
            request.call.intake.server for request in self._requests.values()
            if not request.call.is_stale}

    def _close(self, servers: set[Server], *, accept_rest: bool = False) -> None:
        if self._stay is _Stay.STAYING:
            self._stay = _Stay.LEAVING
        self._drain.close(servers, accept_rest=accept_rest)

    def _has_drained(self) -> None:
        if self._stay is not _Stay.LEAVING:
            return
        if self.before_leaving is None:
            self._leave()
        else:
            # When what is published of the last connection was, too: behind its 'close'.
            self._peer.loop.later(self._say_last)

    def _say_last(self) -> None:
        if self._stay is _Stay.LEAVING and self.before_leaving is not None:
            self.before_leaving()
            self._leave()

    def _leave(self) -> None:
        self._stay = _Stay.GONE
        self._drain.cancel()
        if self._process.connected:
            self._process.disconnect()

    def _has_cut(self, count: int) -> None:
        if self._stay is _Stay.LEAVING:
            self.send('cut', count=count)

    def end(self) -> None:
        """Disconnect and exit."""
        self.worker.exited_after_disconnect = True
        self._stay = _Stay.GONE
        if not self._process.connected:
            sys.exit(0)
        self.send('leaving')
        self._process.once('disconnect', lambda: sys.exit(0))
        self._process.disconnect()

    def _disconnected(self) -> None:
        self._stay = _Stay.GONE
        self._progress.life = Life.DISCONNECTED
        for request in self._requests.values():
            self._peer.loop.release()
            if not request.call.is_stale:
                request.call.fail(coded_errors.state_error('ERR_IPC_CHANNEL_CLOSED'))
        self._requests.clear()
        self.worker.emit('disconnect')
        if not self.worker.exited_after_disconnect:
            # The primary is gone, and with it whoever would look after this process.
            sys.exit(0)
