"""The primary of a cluster: its workers, and what they ask it for.

What a worker sends is checked before it is used. What makes no sense is passed over: a worker that
has gone wrong must not take the primary, and so all other workers, with it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from .. import child_process
from ..events.emitter import EventEmitter
from ..loop.loop import Loop, get_loop
from ..node import system_errors
from ..options.environment import inherited_environment
from ..options.limits import NO_LIMITS, LimitOptions
from . import of_systemd
from .forked_worker import ForkedWorker, Line
from .listening_address import ListeningAddress
from .news import News
from .observer import Observer
from .primary_listeners import PrimaryListeners
from .protocol import COMMAND, PROTOCOL, Query
from .shared_listener import SharedListener
from .worker import Life

__all__ = [
    'SETTINGS',
    'PrimarySide',
]

_log = logging.getLogger('gnet.cluster')

#: What of the settings is for ``child_process.fork``.
_FORK_OPTIONS = (
    'cwd', 'direct', 'exec_argv', 'exec_path', 'gid', 'module', 'patch', 'serialization', 'silent',
    'stdio', 'uid',
)


#: The names of all settings; the last three are Node's, and mean nothing here.
SETTINGS = frozenset({
    *_FORK_OPTIONS, 'args', 'env', 'exec', 'inspect_port', 'windows_hide',
    'windows_verbatim_arguments',
})

Tell = Callable[..., object]


class PrimarySide:
    """What ``gnet.cluster`` does in the primary."""

    def __init__(
        self, cluster: EventEmitter, failed: Callable[[Any, BaseException], object],
    ) -> None:
        """Prepare it.

        Args:
            cluster: what emits the events of the cluster.
            failed: called with the event and with what a listener of the cluster's or of a worker's
                has raised; it raises what ends the program.
        """
        self._cluster = cluster
        self._failed = failed
        self._lazy_loop: Loop | None = None
        #: What ``settings`` starts with, besides what is found here.
        self.defaults: dict[str, Any] = {}
        self.workers: dict[int, ForkedWorker] = {}
        self._lines: dict[ForkedWorker, Line] = {}
        #: Also those that are no longer among them: they were asked to disconnect.
        self._connected: set[Line] = set()
        self._last_worker = 0
        #: What the workers listen on.
        self.listeners: PrimaryListeners = PrimaryListeners(lambda: self.loop)
        #: Called when no worker is connected any more.
        self._when_disconnected: list[Callable[[], object]] = []
        #: Whether connections are given out in turn.
        self.in_turn = True
        #: Who adds up what workers count, if anybody does.
        self.observer: Observer | None = None
        #: What all workers have in their environment beside this process's own, which others
        #: inherit, too.
        self.worker_environment: dict[str, str] = {}
        self._acts: dict[str, Callable[[Line, dict[str, Any]], bool]] = {
            'online': self._online, 'listen': self._listen, 'listening': self._listening,
            'refused': self._refused, 'room': self._room, 'close': self._closed,
            'limit': self._limit, 'released': self._released,
            'leaving': self._leaving, 'cut': self._cut,
            'terminate': self._terminated, 'alone': self._serves_alone,
            'answer': self._answered,
            'metrics': self._reported,
        }

    @property
    def loop(self) -> Loop:
        """That of the thread that first needs it."""
        # Made on first use: importing gnet makes no hub.
        if self._lazy_loop is None:
            self._lazy_loop = get_loop()
        return self._lazy_loop

    def tick(self, event: str, *args: Any) -> None:
        """Emit an event of the cluster on a tick."""
        self.loop.tick(self._emit, event, *args)

    # --- workers ----------------------------------------------------------------------------------

    def fork(self, settings: Mapping[str, Any], env: Mapping[str, Any]) -> ForkedWorker:
        """Start a worker."""
        self._last_worker += 1  # at once: starting a process blocks, and others may call
        number = self._last_worker
        options = {name: settings[name] for name in _FORK_OPTIONS if name in settings}
        options['env'] = {
            **inherited_environment(), **of_systemd.passed_on(self.loop),
            **self.worker_environment, **env, 'NODE_UNIQUE_ID': str(number)}
        of_systemd.await_workers(self.loop)
        process = child_process.fork(settings['exec'], settings['args'], options)
        line = Line(number, process, self._let_go)
        worker = line.worker
        self.workers[number] = worker
        self._lines[worker] = line
        self._connected.add(line)
        process.on('internalMessage', partial(self._received, line))
        process.once('disconnect', partial(self._disconnected, line))
        process.once('exit', partial(self._exited, line))
        process.once('close', partial(self._ended, line))
        process.on('error', partial(worker.emit, 'error'))
        if self._cluster.listener_count('message'):
            self._forward_messages(line)
        if self.observer is not None:
            self.observer.forked(number)
        self.loop.tick(self._emit, 'fork', worker)
        return worker

    def forward_all_messages(self) -> None:
        """Emit the messages of workers as the cluster's: from the first listener on."""
        for line in self._lines.values():
            if self.workers.get(line.worker.id) is line.worker:
                self._forward_messages(line)

    def _forward_messages(self, line: Line) -> None:
        if not line.is_forwarded:
            line.is_forwarded = True
            line.worker.on('message', partial(self._cluster.emit, 'message', line.worker))

    def disconnect(self, callback: Callable[[], object] | None) -> None:
        """Disconnect all workers; call back when they are."""
        if callback is not None:
            self._when_disconnected.append(callback)
        for worker in list(self.workers.values()):
            worker.disconnect()
        if not self._connected:
            self.loop.tick(self._all_disconnected)

    def _all_disconnected(self) -> None:
        callbacks, self._when_disconnected = self._when_disconnected, []
        for callback in callbacks:
            self.loop.tick(self._call, callback)

    def _let_go(self, line: Line) -> None:
        """Give a worker nothing any more: it is to disconnect."""
        self.listeners.leave(line)
        self.workers.pop(line.worker.id, None)

    def _disconnected(self, line: Line) -> None:
        worker = line.worker
        self.listeners.leave(line)
        self._connected.discard(line)
        line.release_all()
        if worker.is_dead():
            self.workers.pop(worker.id, None)
        worker.exited_after_disconnect = bool(worker.exited_after_disconnect)
        line.progress.life = Life.DISCONNECTED
        line.asked.give_up()
        if not self._connected:
            self.loop.tick(self._all_disconnected)
        worker.emit('disconnect')
        self._cluster.emit('disconnect', worker)

    def _exited(self, line: Line, code: int | None, signal: str | None) -> None:
        worker = line.worker
        if not worker.is_connected():
            self.listeners.leave(line)
            self.workers.pop(worker.id, None)
        worker.exited_after_disconnect = bool(worker.exited_after_disconnect)
        line.release_all()
        line.progress.life = Life.DEAD
        if self.observer is not None:
            self.observer.exited(worker.id, worker.exited_after_disconnect)
        worker.emit('exit', code, signal)
        self._cluster.emit('exit', worker, code, signal)

    def _ended(self, line: Line, *_status: object) -> None:
        # For one that could not be started: it neither disconnects nor exits.
        self._connected.discard(line)
        self._lines.pop(line.worker, None)
        self.workers.pop(line.worker.id, None)
        if not self._connected:
            self.loop.tick(self._all_disconnected)

    # --- for who looks after the workers ----------------------------------------------------------

    def look_after(self, worker: ForkedWorker, tell: Tell) -> None:
        """Have ``tell(news, *arguments)`` called, on a tick: see :class:`News`."""
        self._lines[worker].tell = tell

    def _tell(self, line: Line, news: News, *arguments: Any) -> None:
        if line.tell is not None:
            self.loop.tick(line.tell, news, *arguments)

    def drain(self, worker: ForkedWorker, deadline: float, *, accept_rest: bool) -> None:
        """Have *worker* disconnect; after *deadline* seconds it destroys what is left.

        Args:
            worker: who is to drain.
            deadline: in seconds.
            accept_rest: have it accept what waits in a shared listener: nobody else will.
        """
        line = self._lines.get(worker)
        if line is not None:  # else it has ended
            line.disconnect(deadline, accept_rest=accept_rest)

    def ask(self, worker: ForkedWorker, what: str, answered: Callable[[Any], object]) -> None:
        """Ask *worker* for something: see :mod:`gnet.clusters.questions`.

        Args:
            worker: who is asked. One that is stuck does not answer.
            what: the name of it.
            answered: called once with the answer, in a runner; must not block. It is None if the
                worker does not know the name, or is gone.
        """
        line = self._lines.get(worker)
        if line is None or not worker.is_connected():
            self.loop.tick(answered, None)
        else:
            line.send('ask', {'n': line.asked.add(answered), 'what': what})

    def servers_of(self, worker: ForkedWorker) -> int:
        """Return how many listeners *worker* shares now."""
        return self.listeners.shared_by(self._lines.get(worker))

    # --- what workers send ------------------------------------------------------------------------

    def _received(self, line: Line, message: dict[str, Any], sock: Any) -> None:
        """Take an internal message; must not block."""
        if sock is not None:
            sock.close()  # nothing that a worker sends has one
        if not self._has_sense(line, message) and not line.is_denounced:
            line.is_denounced = True  # once: it may go on for ever
            _log.warning('%r sent what makes no sense: %.200r', line.worker, message)

    def _has_sense(self, line: Line, message: dict[str, Any]) -> bool:
        act = message.get('act')
        take = self._acts.get(act) if isinstance(act, str) else None
        return message.get('cmd') == COMMAND and take is not None and take(line, message)

    def _online(self, line: Line, message: dict[str, Any]) -> bool:
        if line.progress.life is Life.NONE:
            if message.get('protocol') != PROTOCOL:
                _log.error(
                    '%r has another version of gnet than its primary, and is killed: to upgrade, '
                    'restart the whole program', line.worker)
                line.worker.kill('SIGKILL')  # connections would be lost in it
                return True
            line.progress.life = Life.ONLINE
            self.loop.tick(self._emit_of, line, 'online')
        return True

    def _listen(self, line: Line, message: dict[str, Any]) -> bool:
        number = message.get('seq')
        query = Query.of(message.get('query'))
        limits = LimitOptions.of(message['limits']) if 'limits' in message else NO_LIMITS
        if query is None or type(number) is not int or limits is None:
            return False
        if line.worker.exited_after_disconnect:
            return True  # it closes all that it has now
        handle = self.listeners.get(query)
        if handle is not None and line in handle:
            return False
        if isinstance(handle, SharedListener) and handle.is_finished:
            return True  # it will be told to disconnect
        if handle is None:
            try:
                handle = self.listeners.open(query, in_turn=self.in_turn)
            except (system_errors.NodeOSError, system_errors.LookupFailure) as error:
                line.send('failed', {'seq': number, 'errno': error.errno})
                return True
        handle.limit(line, limits)  # also none: it may be the first one of a program that has none
        family, name = handle.name
        line.send(
            'bound', {'seq': number, 'id': handle.id, 'family': family, 'name': name},
            handle.copy_for(line))
        handle.add(line)  # after the answer: connections may follow at once
        return True

    def _listening(self, line: Line, message: dict[str, Any]) -> bool:
        query = Query.of(message.get('query'))
        if query is None:
            return False
        if line.worker.is_connected():
            line.progress.life = Life.LISTENING
        info = ListeningAddress(query.address, query.port, query.type, query.fd)
        if line.tell is None:
            of_systemd.workers_serve()
        self.loop.tick(self._emit_of, line, 'listening', info)
        return True

    @staticmethod
    def _answered(line: Line, message: dict[str, Any]) -> bool:
        return line.asked.answer(message.get('n'), message.get('value'))

    @staticmethod
    def _refused(line: Line, message: dict[str, Any]) -> bool:
        return line.has_refused(message.get('n'))

    def _room(self, line: Line, message: dict[str, Any]) -> bool:
        handle = self.listeners.find(line, message.get('id'))
        return handle is None or handle.has_room(line)

    def _limit(self, line: Line, message: dict[str, Any]) -> bool:
        handle = self.listeners.find(line, message.get('id'))
        limits = LimitOptions.of(message.get('limits'))
        if handle is not None and limits is not None:
            handle.limit(line, limits)
        return limits is not None

    @staticmethod
    def _released(line: Line, message: dict[str, Any]) -> bool:
        return line.has_released(message.get('n'))

    def _closed(self, line: Line, message: dict[str, Any]) -> bool:
        handle = self.listeners.find(line, message.get('id'))
        if handle is not None:  # else it is no more, because the worker was told to disconnect
            self.listeners.closed_by(line, handle)
            self._tell(line, News.CLOSED)
        return True

    def _leaving(self, line: Line, _message: dict[str, Any]) -> bool:
        line.worker.exited_after_disconnect = True
        self._tell(line, News.LEAVING)
        return True

    def _terminated(self, line: Line, _message: dict[str, Any]) -> bool:
        self._tell(line, News.TERMINATED)
        return True

    def _serves_alone(self, line: Line, _message: dict[str, Any]) -> bool:
        self._tell(line, News.SERVES_ALONE)
        return True

    def _cut(self, line: Line, message: dict[str, Any]) -> bool:
        count = message.get('count')
        if type(count) is not int or count < 0:
            return False
        self._tell(line, News.HAS_CUT, count)
        return True

    def _reported(self, line: Line, message: dict[str, Any]) -> bool:
        return self.observer is None or self.observer.reported(
            line.worker.id, message.get('values'))

    # --- emitting, in a runner --------------------------------------------------------------------

    def _emit(self, event: str, *args: Any) -> None:
        """Emit an event of the cluster alone."""
        self._call(self._cluster.emit, event, *args)

    def _emit_of(self, line: Line, event: str, *args: Any) -> None:
        """Emit an event of a worker, and then of the cluster."""
        self._call(self._emit_both, line.worker, event, *args)

    def _emit_both(self, worker: EventEmitter, event: str, *args: Any) -> None:
        worker.emit(event, *args)
        self._cluster.emit(event, worker, *args)

    def _call(self, function: Callable[..., object], *args: Any) -> None:
        """Call what the program registered; its failure is the program's."""
        try:
            function(*args)
        except BaseException as error:
            self._failed('cluster', error)
