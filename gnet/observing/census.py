"""Who is asked for :func:`gnet.live`, and what becomes an entry."""

from __future__ import annotations

import os
import socket as _stdlib
import struct
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from time import monotonic
from types import CodeType, FrameType
from typing import Any

from gevent import getcurrent, monkey

from ..addresses.ends import Address, address_of
from ..loop import forks
from ..loop.bare_hub import is_hub
from ..loop.dispensable import Dispensed
from ..loop.handler_greenlets import Handler
from ..loop.loop import Loop
from ..loop.runner import Runner, RunnerState
from ..node import coded_errors
from ..processes.channel import Channel
from ..processes.child import ChildProcess, is_referenced, is_running
from ..servers.internals import connections_of, handle_of, is_open
from ..servers.pending_header import PendingHeader
from ..servers.roster import roster
from ..servers.server import Server
from ..sockets.looking import SocketFacts, facts_of
from ..sockets.ownership import hand_over
from ..sockets.socket import Socket
from .entries import Kind, LiveEntry
from .heap import (
    Heap,
    frames_of,
    greenlet_class,
    is_machinery,
    look_around,
    native_threads,
    places_of,
    program_place,
    waiting_greenlet,
)

__all__ = ['Census']

#: That of the function in which the listeners of a connection run, with its argument ``sock``.
_HAND_OVER: CodeType = hand_over.__code__

#: What a command may be, or a word of it.
_WORDS = (str, bytes, os.PathLike)

#: In which module the threads of ``concurrent.futures`` wait for work.
_EXECUTORS = 'concurrent.futures.thread'

#: What SO_PEERCRED gives: pid, uid, gid.
_CREDENTIALS = struct.Struct('3i')


_get_ident: Callable[[], int] = monkey.get_original('_thread', 'get_ident')


class Census:
    """One look at all of it."""

    def __init__(self, frame: FrameType, breathe: Callable[[], object]) -> None:
        """Prepare it.

        Args:
            frame: where the greenlet is that runs now.
            breathe: called between two entries. What it lets happen may or may not be seen.

        Raises:
            CodedRuntimeError: ``ERR_FORKED_PROCESS``.
        """
        if forks.is_forked():
            raise coded_errors.state_error('ERR_FORKED_PROCESS')
        self._frame = frame
        self._breathe = breathe
        self._current: Any = getcurrent()
        #: One time for all, by the clock of loops.
        self._now = monotonic()
        self._entries: list[LiveEntry] = []
        #: By loop: holds that entries account for.
        self._explained: dict[Loop, int] = dict.fromkeys(forks.loops(), 0)
        self._mains = {loop.main_greenlet for loop in self._explained}
        #: Connections of servers, each with its server: sockets, and those that are none yet.
        self._accepted: list[tuple[Server, Any]] = []
        #: Where servers listen, as a text.
        self._places: dict[Any, str | None] = {}
        #: Greenlets for which a watcher holds the loop, or (False) does not.
        self._watched: dict[Any, bool] = {}

    def take(self) -> list[LiveEntry]:
        """Return what there is, in no order."""
        heap = look_around()
        opened = [thing for loop in self._explained for thing in loop.opened()]
        servers = _each(heap.servers, opened, roster.all(), kind=Server)
        self._tell(Kind.SERVER, servers, self._add_server)
        accepted = (sock for _, sock in self._accepted)
        self._tell(
            Kind.SOCKET, _each(heap.sockets, opened, accepted, kind=Socket), self._add_socket)
        for server, sock in self._accepted:
            if isinstance(sock, PendingHeader):
                self._add_pending(server, sock)
        for loop in self._explained:
            self._tell(Kind.SOCKET, loop.dispensable, self._add_lingering)
        self._add_processes(heap)
        for loop in self._explained:
            self._explained[loop] += sum(
                channel.has_ref() and channel.fd != -1
                for channel in _each(loop.opened(), kind=Channel))
        # Before greenlets: they tell for which of them the program goes on.
        self._tell(Kind.WATCHER, heap.watchers, self._add_watcher)
        greenlets = _each(heap.greenlets, self._mains, [self._current], kind=greenlet_class)
        self._tell(Kind.GREENLET, greenlets, self._add_greenlet)
        self._add_threads()
        self._add_holds()
        return self._entries

    def _tell(self, kind: Kind, things: Iterable[Any], add: Callable[[Any], object]) -> None:
        for thing in things:
            try:
                add(thing)
            except Exception as error:
                # It is in the middle of its making, which a signal has interrupted; or the program
                # has overridden what was asked for. That is no reason to tell of nothing else.
                self._add(LiveEntry(
                    kind, None, state='unreadable', id=id(thing),
                    name=f'{type(thing).__name__}: {type(error).__name__}'))

    def _add(self, entry: LiveEntry) -> None:
        self._entries.append(entry)
        self._breathe()

    def _explain(self, loop: Loop) -> None:
        if loop in self._explained:
            self._explained[loop] += 1

    # --- servers and sockets ----------------------------------------------------------------------

    def _add_server(self, server: Server) -> None:
        if not is_open(server):
            return
        handle = handle_of(server)
        counter = connections_of(server)
        self._accepted += [(server, sock) for sock in list(counter.sockets)]
        listens = handle is not None and handle.started and not handle.closed
        holds = listens and handle is not None and handle.has_ref()
        if holds:
            self._explain(counter.loop)
        since = roster.servers.get(server)
        self._add(LiveEntry(
            Kind.SERVER, holds, None if handle is None else handle.has_ref(),
            'listening' if listens else 'closing' if counter.count else 'starting',
            None if since is None else self._now - since,
            name=_class_of(server, Server), local=self._place_of(server),
            connections=counter.count, id=id(server)))

    def _place_of(self, server: Any) -> str | None:
        if server not in self._places:
            where = None
            with suppress(OSError):  # another server had its listener, and has closed it
                where = server.address()
            self._places[server] = _text_of(where)
        return self._places[server]

    def _add_socket(self, sock: Socket) -> None:
        facts = facts_of(sock)
        if facts is None:
            return
        if facts.holds:
            self._explain(sock.__gnet_loop__)
        local, peer = self._ends_of(sock, facts)
        self._add(LiveEntry(
            Kind.SOCKET, facts.holds, facts.referenced, sock.ready_state, self._age_of(facts),
            _class_of(sock, Socket), local, peer, self._server_of(sock), sock.bytes_read,
            sock.bytes_written, sock.writable_length, facts.unread, id=id(sock)))

    def _add_pending(self, server: Server, pending: PendingHeader) -> None:
        """Tell of a connection whose proxy has not said yet whose it is; it is no socket so far."""
        native = pending.sock
        if native is None:
            return  # it was decided since
        holds = pending.waits
        if holds:
            self._explain(connections_of(server).loop)
        local, peer = _ends_of_native(native, lambda: pending.remote)
        self._add(LiveEntry(
            Kind.SOCKET, holds, None, 'awaiting header', self._now - pending.accepted_at,
            local=local, peer=peer, server=self._place_of(server) or 'closed', id=id(pending)))

    def _add_lingering(self, lingering: Dispensed) -> None:
        """Tell of what was a socket's: nobody has that any more, mostly."""
        wire = lingering.wire
        native = wire.sock
        if native is None:
            return  # it was closed since
        if wire.holds:
            self._explain(wire.schedule)
        local, peer = _ends_of_native(native, native.getpeername)
        self._add(LiveEntry(
            Kind.SOCKET, wire.holds, wire.ref, 'lingering', self._now - lingering.since,
            local=local, peer=peer, id=id(lingering)))

    def _age_of(self, facts: SocketFacts) -> float | None:
        return self._now - facts.since if facts.since else None

    def _server_of(self, sock: Socket) -> str | None:
        server = sock.server
        if server is None:
            return None
        # (One that is closed has a place no more.)
        return self._place_of(server) or 'closed'

    @staticmethod
    def _ends_of(sock: Socket, facts: SocketFacts) -> tuple[str | None, str | None]:
        """Return both ends as texts."""
        if facts.target is not None:
            return None, facts.target
        try:
            local = sock.address()
        except OSError:
            local = None  # it was closed by its number
        if local is not None or sock.remote_address is not None:
            peer = sock.remote_address
            return _text_of(local), None if peer is None else _with_port(peer, sock.remote_port)
        return _ends_of_unix(facts.native)

    # --- processes --------------------------------------------------------------------------------

    def _add_processes(self, heap: Heap) -> None:
        known: set[int | None] = set()

        def add_child(child: ChildProcess) -> None:
            if not is_running(child):
                return
            known.add(child.pid)
            holds = is_referenced(child)
            if holds:
                for loop in self._explained:
                    self._explained[loop] += loop.is_main  # the one that may have processes
            state = 'connected' if child.connected else 'disconnected'
            self._add_process(child.pid, child.spawnargs, holds, holds, state, id(child))

        def add_popen(popen: Any) -> None:
            pid = getattr(popen, 'pid', None)  # it may not have been started
            if pid is not None and popen.returncode is None and pid not in known:
                # Of gevent's, a watcher holds the program: see there.
                self._add_process(pid, popen.args, None, None, None, id(popen))

        self._tell(Kind.PROCESS, _each(heap.children, kind=ChildProcess), add_child)
        self._tell(Kind.PROCESS, heap.popens, add_popen)

    def _add_process(
        self, pid: int | None, command: Any, holds: bool | None, referenced: bool | None,
        state: str | None, number: int,
    ) -> None:
        words = [command] if isinstance(command, _WORDS) else command
        name = ' '.join(os.fsdecode(each) for each in words)
        self._add(LiveEntry(
            Kind.PROCESS, holds, referenced, state, _age_of_process(pid), name, child=pid,
            id=number))

    # --- gevent's watchers ------------------------------------------------------------------------

    def _add_watcher(self, watcher: Any) -> None:
        if not _is_active(watcher) or _is_of_gnet(watcher.callback):
            return
        kind = type(watcher).__name__.rstrip('_')
        holds = bool(watcher.ref)
        greenlet = waiting_greenlet(watcher)
        if greenlet is not None:
            self._watched[greenlet] = self._watched.get(greenlet, False) or holds
        elif holds or kind == 'timer':  # others are gevent's own
            self._add(LiveEntry(
                Kind.TIMER if kind == 'timer' else Kind.WATCHER, holds,
                name=f'{kind}: {_function_name(watcher.callback)}', id=id(watcher)))

    # --- greenlets --------------------------------------------------------------------------------

    def _add_greenlet(self, greenlet: Any) -> None:
        is_current = greenlet is self._current
        if is_hub(greenlet) or greenlet.dead or (
            isinstance(greenlet, Runner) and greenlet.state is RunnerState.PARKED
        ) or type(greenlet).__module__ == 'gevent.threadpool':
            return
        if greenlet.parent is None and not is_current and greenlet not in self._mains:
            return  # a thread's that has nothing to do with gnet
        if not greenlet and greenlet not in self._watched:
            return  # it was never started
        # (None where all that it has called is written in C, as a wait for an event.)
        innermost = self._frame if is_current else greenlet.gr_frame
        sock = _connection_of(innermost)
        if sock is None and isinstance(greenlet, Handler):
            return  # it waits for a connection
        stack = places_of(innermost)
        if is_current and greenlet.parent is not None and is_machinery(stack):
            return  # it does nothing but to ask
        # (gevent's say that they are active as soon as they are to be started.)
        has_begun = greenlet_class.__bool__(greenlet)
        state = 'running' if is_current else 'waiting' if has_begun else 'starting'
        entry = partial(
            LiveEntry, state=state, where=program_place(stack), stack=stack, id=id(greenlet))
        holds = self._watched.get(greenlet) or None
        if sock is None:
            kind = Kind.LISTENER if isinstance(greenlet, Runner) else Kind.GREENLET
            self._add(entry(kind, holds, name=_greenlet_name(greenlet)))
            return
        facts = facts_of(sock)
        if facts is None:
            self._add(entry(
                Kind.HANDLER, holds, peer=_peer_of(sock), server=self._server_of(sock)))
            return
        local, peer = self._ends_of(sock, facts)
        self._add(entry(
            Kind.HANDLER, holds or facts.holds, age=self._age_of(facts), local=local,
            peer=peer, server=self._server_of(sock)))

    def _add_threads(self) -> None:
        for thread, innermost in native_threads():
            if thread.ident == _get_ident():
                innermost = self._frame
            stack = places_of(innermost)
            # At the end, an executor tells its threads, which wait for work, to end.
            is_of_executor = any(
                each.f_globals.get('__name__') == _EXECUTORS for each in frames_of(innermost))
            holds = False if thread.daemon else None if is_of_executor else True
            if holds or not is_machinery(stack):
                self._add(LiveEntry(
                    Kind.THREAD, holds, name=thread.name, where=program_place(stack), stack=stack,
                    id=id(thread)))

    # --- the rest ---------------------------------------------------------------------------------

    def _add_holds(self) -> None:
        for loop, explained in self._explained.items():
            rest = loop.held - explained
            if rest > 0:
                self._add(LiveEntry(
                    Kind.HOLD, True, id=id(loop),
                    name=f'{rest} more, such as messages under way, requests to the primary, '
                         'connections being made, servers being stopped'))


def _each(*sources: Iterable[Any], kind: type) -> list[Any]:
    """Return what is of *kind* in all of them, each once."""
    return list({id(each): each for source in sources for each in list(source)
                 if issubclass(type(each), kind)}.values())


def _connection_of(frame: FrameType | None) -> Any:
    """Return the connection whose listeners run in the greenlet of *frame*, if they do."""
    for each in frames_of(frame):
        if each.f_code is _HAND_OVER:
            # Before Python 3.13 this makes copies, which live as long as the frame; so do these
            # arguments.
            return each.f_locals['sock']
    return None


def _is_active(watcher: Any) -> bool:
    # Behind cffi, one for a child process that is closed has no answer.
    with suppress(AttributeError, TypeError):
        return bool(watcher.active)
    return False


def _is_of_gnet(callback: Any) -> bool:
    """Whether *callback* is gnet's own: what it waits for is told of otherwise."""
    module = getattr(callback, '__module__', None)
    return isinstance(module, str) and module.partition('.')[0] == 'gnet'


def _function_name(function: Any) -> str:
    name = getattr(function, '__qualname__', None)
    return name if isinstance(name, str) else type(function).__name__


def _greenlet_name(greenlet: Any) -> str:
    if greenlet.parent is None:
        return 'main'
    if not hasattr(type(greenlet), 'minimal_ident'):
        return type(greenlet).__name__
    run = getattr(greenlet, '_run', None)  # gevent's own name for it
    return f'{greenlet.name} {_function_name(run)}'


def _class_of(thing: Any, usual: type) -> str | None:
    """Return the name of its class if that is not the usual one."""
    return None if type(thing) is usual else type(thing).__name__


def _text_of(address: Any) -> str | None:
    if isinstance(address, Address):
        return _with_port(address.address, address.port)
    return None if address is None else str(address)


def _with_port(address: Any, port: Any) -> str:
    return f'[{address}]:{port}' if ':' in str(address) else f'{address}:{port}'


def _peer_of(sock: Socket) -> str | None:
    peer = sock.remote_address
    return None if peer is None else _with_port(peer, sock.remote_port)


def _ends_of_native(
    native: Any, remote_name: Callable[[], Any],
) -> tuple[str | None, str | None]:
    try:
        local = _text_of(address_of(native.family, native.getsockname()))
        peer = _text_of(address_of(native.family, remote_name()))
    except OSError:
        local = peer = None  # it was closed by its number, or its peer has left
    return _ends_of_unix(native) if local is None else (local, peer)


def _ends_of_unix(native: Any) -> tuple[str | None, str | None]:
    local = peer = None
    with suppress(OSError, AttributeError, ValueError):  # it is no socket, or is closed
        local = _path_of(native.getsockname())
        peer = _path_of(native.getpeername())
        if peer is None and hasattr(_stdlib, 'SO_PEERCRED'):
            credentials = native.getsockopt(
                _stdlib.SOL_SOCKET, _stdlib.SO_PEERCRED, _CREDENTIALS.size)
            peer = f'pid {_CREDENTIALS.unpack(credentials)[0]}'
    return local, peer


def _path_of(name: Any) -> str | None:
    if isinstance(name, bytes):
        name = '@' + name[1:].decode(errors='replace')  # abstract
    return name if isinstance(name, str) and name else None


def _age_of_process(pid: int | None) -> float | None:
    """Return for how many seconds *pid* has run; None where the system does not say."""
    try:
        with open(f'/proc/{pid}/stat', 'rb') as stat, open('/proc/uptime', 'rb') as uptime:
            # Behind the name, which may have any characters, it is the twentieth field.
            started = int(stat.read().rpartition(b')')[2].split()[19])
            return float(uptime.read().split()[0]) - started / os.sysconf('SC_CLK_TCK')
    except (OSError, ValueError, IndexError):
        return None
