"""The primary of a cluster: its workers, and what they ask it for.

What a worker sends is checked before it is used. What makes no sense is passed over: a worker that
has gone wrong must not take the primary, and so all other workers, with it.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Hashable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, Union

from .. import lifecycle
from ..events.emitter import EventEmitter
from ..loop.agenda import EXITS
from ..loop.loop import Loop, get_loop
from ..loop.watchers import close_watcher
from ..node import system_errors
from ..node.spelling import NodeNames
from ..processes import child
from ..servers.listener import Listener, adopt, bind_path, bind_port
from .protocol import COMMAND, PATH, Query
from .round_robin import RoundRobin, Transfer
from .shared_listener import SharedListener
from .worker import Life, Worker

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = [
    'ForkedWorker',
    'ListeningAddress',
    'PrimarySide',
]

_log = logging.getLogger('gnet.cluster')
_Handle = Union[RoundRobin, SharedListener]

#: What of the settings is for ``child_process.fork``.
_FORK_OPTIONS = (
    'cwd', 'direct', 'exec_argv', 'exec_path', 'gid', 'module', 'patch', 'serialization', 'silent',
    'stdio', 'uid',
)


class _ListeningAddress(NamedTuple):
    address: str | None
    port: int
    address_type: int
    fd: int | None


class ListeningAddress(_ListeningAddress, NodeNames):
    """Where a worker listens: what `'listening'` is emitted with.

    Attributes:
        address: an IP address or a path; None for every address.
        port: the real port; -1 for unix sockets.
        address_type: 4, 6, or -1 for unix sockets.
        fd: a descriptor of the primary that the worker asked for, else None.
    """

    __slots__ = ()

    # Once more, because NodeNames gives a second spelling to what the class itself has.
    address_type = _ListeningAddress.address_type


#: Seconds that a listener is kept whose last worker has closed its server: others may be on their
#: way. After that, nobody shall wait for an answer that does not come.
ABANDONED_TIME = 2.0


class ForkedWorker(Worker):
    """A worker, in the primary."""

    __slots__ = ('_number', '_primary', '_under_way')

    def __init__(self, number: int, process: Any, primary: PrimarySide) -> None:
        super().__init__({'id': number, 'process': process})
        self._primary = primary
        #: Connections that it has not answered yet, and the number of the last one.
        self._under_way: dict[int, Transfer] = {}
        self._number = 0

    def disconnect(self) -> Self:
        """Have the worker close its servers, wait for their connections, and then disconnect."""
        self._leave({})
        return self

    def _drain(self, deadline: float) -> None:
        """The same, with an end: after *deadline* seconds the worker destroys what is left.

        How many connections those were is told by the event `'cut'` ``(count)``.
        """
        self._leave({'deadline': deadline})

    def _leave(self, fields: dict[str, Any]) -> None:
        self.exited_after_disconnect = True
        self.process._send_internal({'cmd': COMMAND, 'act': 'disconnect', **fields})
        self._primary.let_go(self)

    def kill(self, signal: str | int | None = None) -> None:
        """Send the worker *signal*, SIGTERM by default."""
        self.process.kill(signal)

    def _send_connection(self, handle_id: int, transfer: Transfer) -> None:
        self._number += 1
        number = self._number
        self._under_way[number] = transfer
        self.process._send_internal(
            {'cmd': COMMAND, 'act': 'connection', 'id': handle_id, 'n': number},
            transfer.sock, partial(self._answered, number))

    def _answered(self, number: int, error: BaseException | None) -> None:
        transfer = self._under_way.pop(number, None)
        if transfer is None:
            return  # it was refused
        if error is None:
            transfer.accepted()
        else:
            transfer.failed()

    def _has_refused(self, number: Any) -> bool:
        transfer = self._under_way.pop(number, None) if type(number) is int else None
        if transfer is None:
            return False
        transfer.refused()
        return True


class PrimarySide:
    """What ``gnet.cluster`` does in the primary."""

    def __init__(self, cluster: EventEmitter) -> None:
        self._cluster = cluster
        self._lazy_loop: Loop | None = None
        self.workers: dict[int, ForkedWorker] = {}
        #: Also those that are no longer among them: they were asked to disconnect.
        self._connected: set[ForkedWorker] = set()
        self._last_worker = 0
        self._handles: dict[Hashable, _Handle] = {}
        self._last_handle = 0
        self._keeps_listeners = False
        #: Timers of kept listeners whose last worker has closed its server.
        self._abandoned: set[Any] = set()
        #: Called when no worker is connected any more.
        self._when_disconnected: list[Callable[[], object]] = []
        #: Workers whose messages are emitted as the cluster's, too.
        self._forwarded: set[ForkedWorker] = set()
        #: Workers that have sent nonsense.
        self._denounced: set[ForkedWorker] = set()
        #: Whether connections are given out in turn.
        self.in_turn = True
        self._acts: dict[str, Callable[[ForkedWorker, dict[str, Any]], bool]] = {
            'online': self._online, 'listen': self._listen, 'listening': self._listening,
            'refused': self._refused, 'room': self._room, 'close': self._closed,
            'leaving': self._leaving, 'cut': self._cut,
            'terminate': self._tell, 'alone': self._tell,
        }

    @property
    def _loop(self) -> Loop:
        # Made on first use: importing gnet makes no hub.
        if self._lazy_loop is None:
            self._lazy_loop = get_loop()
        return self._lazy_loop

    def tick(self, event: str, *args: Any) -> None:
        """Emit an event of the cluster on a tick."""
        self._loop.tick(self._emit, None, event, *args)

    # --- workers ----------------------------------------------------------------------------------

    def fork(self, settings: Mapping[str, Any], env: Mapping[str, Any]) -> ForkedWorker:
        """Start a worker."""
        self._last_worker += 1  # at once: starting a process blocks, and others may call
        number = self._last_worker
        options = {name: settings[name] for name in _FORK_OPTIONS if name in settings}
        options['env'] = {**os.environ, **env, 'NODE_UNIQUE_ID': str(number)}
        process = child.fork(settings['exec'], settings['args'], options)
        worker = ForkedWorker(number, process, self)
        self.workers[number] = worker
        self._connected.add(worker)
        process.on('internalMessage', partial(self._received, worker))
        process.once('disconnect', partial(self._disconnected, worker))
        process.once('exit', partial(self._exited, worker))
        process.once('close', partial(self._ended, worker))
        process.on('error', partial(worker.emit, 'error'))
        if self._cluster.listener_count('message'):
            self._forward_messages(worker)
        self._loop.tick(self._emit, None, 'fork', worker)
        return worker

    def forward_all_messages(self) -> None:
        """Emit the messages of workers as the cluster's: from the first listener on."""
        for worker in self.workers.values():
            self._forward_messages(worker)

    def _forward_messages(self, worker: ForkedWorker) -> None:
        if worker not in self._forwarded:
            self._forwarded.add(worker)
            worker.on('message', partial(self._cluster.emit, 'message', worker))

    def disconnect(self, callback: Callable[[], object] | None) -> None:
        """Disconnect all workers; call back when they are."""
        if callback is not None:
            self._when_disconnected.append(callback)
        for worker in list(self.workers.values()):
            worker.disconnect()
        if not self._connected:
            self._loop.tick(self._all_disconnected)

    def _all_disconnected(self) -> None:
        callbacks, self._when_disconnected = self._when_disconnected, []
        for callback in callbacks:
            self._loop.tick(self._guard, callback)

    def let_go(self, worker: ForkedWorker) -> None:
        """Give *worker* nothing any more: it is to disconnect."""
        self._leave_handles(worker)
        self.workers.pop(worker.id, None)

    def _disconnected(self, worker: ForkedWorker) -> None:
        self._leave_handles(worker)
        self._connected.discard(worker)
        if worker.is_dead():
            self.workers.pop(worker.id, None)
        worker.exited_after_disconnect = bool(worker.exited_after_disconnect)
        worker._life = Life.DISCONNECTED
        if not self._connected:
            self._loop.tick(self._all_disconnected)
        worker.emit('disconnect')
        self._cluster.emit('disconnect', worker)

    def _exited(self, worker: ForkedWorker, code: int | None, signal: str | None) -> None:
        if not worker.is_connected():
            self._leave_handles(worker)
            self.workers.pop(worker.id, None)
        worker.exited_after_disconnect = bool(worker.exited_after_disconnect)
        worker._life = Life.DEAD
        worker.emit('exit', code, signal)
        self._cluster.emit('exit', worker, code, signal)

    def _ended(self, worker: ForkedWorker, *_status: object) -> None:
        # For one that could not be started: it neither disconnects nor exits.
        self._connected.discard(worker)
        self.workers.pop(worker.id, None)
        self._denounced.discard(worker)
        self._forwarded.discard(worker)
        if not self._connected:
            self._loop.tick(self._all_disconnected)

    # --- listeners --------------------------------------------------------------------------------

    def keep_listeners(self, keep: bool) -> None:
        """Say whether listeners stay open while they have no worker."""
        self._keeps_listeners = keep
        if not keep:
            while self._abandoned:
                close_watcher(self._abandoned.pop())
            for key in list(self._handles):
                self._close_if_deserted(key)

    @property
    def keeps_listeners(self) -> bool:
        """What :meth:`keep_listeners` was told."""
        return self._keeps_listeners

    def servers_of(self, worker: ForkedWorker) -> int:
        """Return how many listeners *worker* shares now."""
        return sum(worker in handle for handle in self._handles.values())

    def finish(self, done: Callable[[], object]) -> None:
        """Accept nothing more; call *done* when the workers have all that was accepted."""
        left = {handle for handle in self._handles.values() if isinstance(handle, RoundRobin)}
        if not left:
            done()

        def finished(handle: RoundRobin) -> None:
            left.discard(handle)
            if not left:
                done()

        for handle in list(left):
            handle.finish(partial(finished, handle))

    def _leave_handles(self, worker: ForkedWorker) -> None:
        for key, handle in list(self._handles.items()):
            if worker in handle:
                handle.remove(worker)
                self._close_if_deserted(key)

    def _close_if_deserted(self, key: Hashable) -> None:
        if self._handles[key].is_deserted and not self._keeps_listeners:
            self._handles.pop(key).close()

    def _close_if_abandoned(self, key: Hashable) -> None:
        """Close what the last worker has closed itself, unless another one comes at once."""
        handle = self._handles.get(key)
        if handle is None or not handle.is_deserted:
            return

        def look_again() -> None:
            close_watcher(timer)
            self._abandoned.discard(timer)
            if self._handles.get(key) is handle and handle.is_deserted:
                self._handles.pop(key).close()

        timer = self._loop.call_after(ABANDONED_TIME, look_again)
        self._abandoned.add(timer)

    def _handle_of(self, worker: ForkedWorker, message: dict[str, Any]) -> Hashable | None:
        """Return the key of the handle that *message* is about."""
        number = message.get('id')
        return next((
            key for key, handle in self._handles.items()
            if handle.id == number and worker in handle
        ), None)

    # --- what workers send ------------------------------------------------------------------------

    def _received(self, worker: ForkedWorker, message: dict[str, Any], sock: Any) -> None:
        """Take an internal message; must not block."""
        if sock is not None:
            sock.close()  # nothing that a worker sends has one
        if not self._has_sense(worker, message) and worker not in self._denounced:
            self._denounced.add(worker)  # once: it may go on for ever
            _log.warning('%r sent what makes no sense: %.200r', worker, message)

    def _has_sense(self, worker: ForkedWorker, message: dict[str, Any]) -> bool:
        act = message.get('act')
        take = self._acts.get(act) if isinstance(act, str) else None
        return message.get('cmd') == COMMAND and take is not None and take(worker, message)

    def _online(self, worker: ForkedWorker, _message: dict[str, Any]) -> bool:
        if worker._life is Life.NONE:
            worker._life = Life.ONLINE
            self._loop.tick(self._emit, worker, 'online')
        return True

    def _listen(self, worker: ForkedWorker, message: dict[str, Any]) -> bool:
        number = message.get('seq')
        query = Query.of(message.get('query'))
        if query is None or type(number) is not int:
            return False
        if worker.exited_after_disconnect:
            return True  # it closes all that it has now
        handle = self._handles.get(query.key)
        if handle is not None and worker in handle:
            return False
        if handle is None:
            try:
                listener = _bind(query)
            except (system_errors.NodeOSError, system_errors.LookupFailure) as error:
                self._send(worker, 'failed', {'seq': number, 'errno': error.errno})
                return True
            self._last_handle += 1
            handle = self._handles[query.key] = (
                RoundRobin(self._loop, self._last_handle, listener) if self.in_turn
                else SharedListener(self._last_handle, listener)
            )
        family, name = handle.name
        self._send(
            worker, 'bound', {'seq': number, 'id': handle.id, 'family': family, 'name': name},
            handle.copy_for(worker))
        handle.add(worker)  # after the answer: connections may follow at once
        return True

    @staticmethod
    def _send(
        worker: ForkedWorker, act: str, fields: dict[str, Any], sock: Any = None,
    ) -> None:
        done = None if sock is None else lambda _error: sock.close()
        worker.process._send_internal({'cmd': COMMAND, 'act': act, **fields}, sock, done)

    def _listening(self, worker: ForkedWorker, message: dict[str, Any]) -> bool:
        query = Query.of(message.get('query'))
        if query is None:
            return False
        if worker.is_connected():
            worker._life = Life.LISTENING
        info = ListeningAddress(query.address, query.port, query.type, query.fd)
        self._loop.tick(self._emit, worker, 'listening', info)
        return True

    def _refused(self, worker: ForkedWorker, message: dict[str, Any]) -> bool:
        return worker._has_refused(message.get('n'))

    def _room(self, worker: ForkedWorker, message: dict[str, Any]) -> bool:
        key = self._handle_of(worker, message)
        return key is None or self._handles[key].has_room(worker)

    def _closed(self, worker: ForkedWorker, message: dict[str, Any]) -> bool:
        key = self._handle_of(worker, message)
        if key is not None:  # else it is no more, because the worker was told to disconnect
            self._handles[key].has_closed(worker)
            self._close_if_deserted(key)
            self._close_if_abandoned(key)
            self._loop.tick(self._guard, worker.emit, 'unlistening')  # for the supervisor alone
        return True

    def _leaving(self, worker: ForkedWorker, _message: dict[str, Any]) -> bool:
        worker.exited_after_disconnect = True
        self._loop.tick(self._guard, worker.emit, 'leaving')
        return True

    def _tell(self, worker: ForkedWorker, message: dict[str, Any]) -> bool:
        """Emit what is for the supervisor alone."""
        self._loop.tick(self._guard, worker.emit, message['act'])
        return True

    def _cut(self, worker: ForkedWorker, message: dict[str, Any]) -> bool:
        count = message.get('count')
        if type(count) is not int or count < 0:
            return False
        self._loop.tick(self._guard, worker.emit, 'cut', count)
        return True

    # --- emitting, in a runner --------------------------------------------------------------------

    def _emit(self, worker: ForkedWorker | None, event: str, *args: Any) -> None:
        """Emit an event of *worker*, if there is one, and then of the cluster."""
        if worker is None:
            self._guard(self._cluster.emit, event, *args)
        else:
            self._guard(self._emit_both, worker, event, *args)

    def _emit_both(self, worker: ForkedWorker, event: str, *args: Any) -> None:
        worker.emit(event, *args)
        self._cluster.emit(event, worker, *args)

    def _guard(self, function: Callable[..., object], *args: Any) -> None:
        """Call what the program registered; its failure is the program's."""
        try:
            function(*args)
        except EXITS:
            raise
        except BaseException as error:
            lifecycle.publish(lifecycle.ListenerFailed, self._cluster, 'cluster', error)
            self._loop.fail(self._cluster, error)


def _bind(query: Query) -> Listener:
    if query.fd is not None:
        return adopt(query.fd, query.backlog)
    if query.type != PATH:
        return bind_port(
            query.address, query.port, query.backlog, version=query.type,
            ipv6_only=query.ipv6_only)
    assert query.address is not None
    listener = bind_path(
        _shorter(query.address), query.backlog, readable_all=query.readable_all,
        writable_all=query.writable_all)
    listener.path = query.address  # the working directory may be another one when it is removed
    return listener


def _shorter(path: str) -> str:
    """Return the shorter one of a path and its relative form: a socket's has 107 bytes at most."""
    if path.startswith('\0'):
        return path
    try:
        relative = os.path.relpath(path)
    except (OSError, ValueError):
        return path  # the working directory is gone, or the path has a NUL
    return relative if len(relative) < len(path) else path
