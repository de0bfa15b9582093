"""How a connection comes into a server: :class:`Intake`.

What was accepted is refused, or made a :class:`gnet.Socket`, counted, and given to the listeners of
`'connection'`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .. import lifecycle
from ..addresses.ends import Dropped, Ends, address_of_peer, ends_of, host_of
from ..lifecycle import has_subscribers
from ..loop.agenda import EXITS
from ..node.logs import Log
from ..node.values import is_number
from ..options import shared
from ..options.peer_limits import PeerLimits
from ..sockets.limited import limit
from ..sockets.ownership import hand_over
from ..sockets.socket import Socket, accept
from .connections import Connections, Limiter

if TYPE_CHECKING:
    from ..addresses.block_list import BlockList
    from .refusals import Refusals

__all__ = ['Intake', 'usable_mark']

_log = Log('gnet.server')

#: What a blocking call raises when its socket is destroyed on this side meanwhile.
_DESTROYED_UNDER_IT = frozenset({'ERR_SOCKET_CLOSED', 'ECANCELED'})


class Intake:
    """What takes connections for a server; `Accepting` of its acceptor."""

    __slots__ = (
        'accept_failed', 'accepted_at', 'block_list', 'connections', 'peer_limits', 'refusals',
        'server',
    )

    #: Whose a connection is is known by its address.
    reads_headers = False

    #: What makes a socket of what was accepted.
    accept: Callable[..., Socket] = staticmethod(accept)

    def __init__(
        self, server: Any, connections: Connections,
        accept_failed: Callable[[BaseException], object],
    ) -> None:
        """Take them for *server*, by its public properties.

        Args:
            server: whose they are.
            connections: who counts them.
            accept_failed: called in the hub with an error of accepting that is neither a peer's nor
                will pass.
        """
        self.server: Any = server
        self.connections: Connections = connections
        self.accept_failed: Callable[[BaseException], object] = accept_failed
        #: The :class:`gnet.BlockList` of peers that are refused silently, or None.
        self.block_list: BlockList | None = None
        #: The loop's time when what is handed over now was accepted; None if nobody subscribes.
        self.accepted_at: float | None = None
        #: What the log is told of the limits, once they have refused a connection.
        self.refusals: Refusals | None = None
        #: How slow and how greedy peers may be; None for any.
        self.peer_limits: PeerLimits | None = None

    # --- connections, in the hub ------------------------------------------------------------------

    def admit(self, sock: Any, remote: Any) -> Socket | None:
        """Decide on a new connection; return it if it is admitted.

        Args:
            sock: the non-blocking socket of the system; if this raises, the caller closes it.
            remote: its peer's name; None if it is not known any more.
        """
        server = self.server
        counter = self.connections
        loop = counter.loop
        if counter.limit is not None and counter.is_full():
            self.drop(sock, remote, lifecycle.DropReason.MAX_CONNECTIONS)
            return None
        if self.block_list is not None:
            peer = address_of_peer(sock.family, remote)
            if peer is not None and self.block_list.check(peer.address, peer.family):
                data = ends_of(sock, remote)
                sock.close()
                if has_subscribers():
                    loop.tick(
                        lifecycle.publish, lifecycle.ConnectionDropped, server, data,
                        lifecycle.DropReason.BLOCK_LIST,
                    )
                return None
        limits, place = counter.limits, None
        if limits is not None:
            key = limits.key_of(host_of(remote))
            reason = limits.refuse(key)
            if reason is not None:
                self.drop(sock, remote, reason, limits, key)
                return None
            if key is not None and limits.counts_addresses:
                place = limits, key
        mark = server.high_water_mark
        if type(mark) is not int or mark < 0:
            mark = usable_mark(mark)
        try:
            connection = self.accept(
                counter, loop, sock, remote, mark, bool(server.allow_half_open),
                bool(server.pause_on_connect))
        except BaseException:
            if place is not None:
                place[0].release(place[1])
            raise
        counter.count += 1
        counter.sockets[connection] = place
        try:
            if server.no_delay or server.keep_alive:
                self._set_options(connection)
            if self.peer_limits is not None:
                limit(connection, self.peer_limits)
        except BaseException:
            connection.destroy()  # a property was set to what is none: counted, it must end
            raise
        return connection

    def _set_options(self, connection: Socket) -> None:
        server = self.server
        try:
            if server.no_delay:
                connection.set_no_delay(True)
            if server.keep_alive:
                connection.set_keep_alive(True, server.keep_alive_initial_delay * 1000)
        except OSError as error:
            # The connection is good without them. The peer may be gone (macOS says EINVAL then), or
            # the system does not take such a long delay (Linux: 32767 s). Node ignores it, too.
            _log.debug('%r: setting the options of %r: %s', server, connection, error)

    # --- connections, in their own greenlet -------------------------------------------------------

    def serve(self, sock: Socket) -> None:
        """Emit `'connection'`: what its listeners do happens in this greenlet.

        For a greenlet that runs as soon as the connection is admitted; else :meth:`serve_later`.
        """
        emitter = self if has_subscribers() else self.server
        hand_over(sock, emitter, 'connection', self)

    def serve_later(self, sock: Socket) -> None:
        """Like :meth:`serve`; but stop() may have destroyed *sock* before this greenlet began."""
        if not sock.destroyed or has_subscribers():
            self.serve(sock)

    def emit(self, event: str, sock: Socket) -> None:
        """Publish that *sock* is there, and emit *event*."""
        self.publish_opened(sock, self.accepted_at)
        if not sock.destroyed:
            self.server.emit(event, sock)

    def publish_opened(self, sock: Socket, accepted_at: float | None) -> None:
        """Publish that *sock* is there; *accepted_at* as of the attribute, None for just now."""
        began = sock.opened_at if accepted_at is None else accepted_at
        lifecycle.publish(
            lifecycle.ConnectionOpened, self.server, sock, self.connections.loop.now() - began)

    def failed(self, event: str, sock: Socket, error: BaseException) -> None:
        """A listener of *event*, to whom *sock* was handed over, has raised *error*."""
        if sock.destroyed and getattr(error, 'code', None) in _DESTROYED_UNDER_IT:
            return  # who destroyed the socket under its listener, as stop() does, knows that
        if has_subscribers():
            lifecycle.publish(lifecycle.ListenerFailed, self.server, event, error)
        try:
            self.server.capture_rejection(error, event, sock)
        except BaseException:
            sock.destroy(error)
            raise

    # --- refused ----------------------------------------------------------------------------------

    def drop(
        self, sock: Any, remote: Any, reason: lifecycle.DropReason, limits: Limiter | None = None,
        key: int | None = None,
    ) -> None:
        """Close a connection that was accepted, and emit `'drop'`.

        Args:
            sock: the socket of the system.
            remote: its peer's name.
            reason: why.
            limits: what has refused it, if it was a limit of these.
            key: by what they know the peer.
        """
        data = ends_of(sock, remote)
        sock.close()
        network = None
        if limits is not None:
            if reason is not lifecycle.DropReason.CONNECTION_RATE:  # which is that of all
                network = limits.name_of(key)
            if self.refusals is None:
                from .refusals import Refusals
                self.refusals = Refusals()
            self.refusals.note(
                self.connections.loop.now(), self.server, reason, network, limits.is_sharing)
        self.dropped(data, reason, network)

    def dropped(
        self, data: Ends | None, reason: lifecycle.DropReason, network: str | None = None,
    ) -> None:
        """Have `'drop'` emitted for a connection that was closed already."""
        if data is not None:
            data = Dropped(*data)
            data.reason, data.network = reason, network
        self.connections.loop.tick(self._emit_drop, data, reason, network)

    def _emit_drop(
        self, data: Ends | None, reason: lifecycle.DropReason, network: str | None,
    ) -> None:
        """In a runner."""
        if has_subscribers():
            lifecycle.publish(lifecycle.ConnectionDropped, self.server, data, reason, network)
        self.emit_guarded('drop', data)

    def emit_guarded(self, event: str, *arguments: Any) -> None:
        """Emit an event of the server that a peer has brought about, from a runner.

        What a listener of it raises is published and reported: it must not end the program.
        """
        try:
            self.server.emit(event, *arguments)
        except EXITS:
            raise
        except BaseException as error:
            if has_subscribers():
                lifecycle.publish(lifecycle.ListenerFailed, self.server, event, error)
            self.connections.loop.report(self.server, error)


def usable_mark(mark: Any) -> int:
    """Return the high-water mark that *mark* stands for: the default if it is no whole number."""
    if is_number(mark) and mark >= 0 and mark % 1 == 0:
        return int(mark)
    return shared.DEFAULT_HIGH_WATER_MARK
