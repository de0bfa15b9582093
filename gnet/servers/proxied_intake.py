"""What stands in front of an :class:`Intake` where a proxy says whose its connections are.

A connection is looked at when it is accepted: who is not trusted is dropped, and what the others
have sent is read. Most often the header is there already, and the connection goes on at once; else
it waits, as a :class:`PendingHeader`, without a greenlet. Then the server is given the connection
as if the client had made it: limits and block lists are about the client.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from .. import lifecycle
from ..addresses.ends import ProxiedName, address_of_peer, ends_of
from ..lifecycle import DropReason
from ..node.coded_errors import CodedError
from ..options.proxy_protocol import ProxyTrust
from ..proxy_protocol.header import HeaderParser
from ..proxy_protocol.names import named_by
from .intake import Intake
from .pending_header import PendingHeader, read_header

if TYPE_CHECKING:
    from collections.abc import Callable

    from .connections import Connections

__all__ = ['ProxiedIntake']

_log = logging.getLogger('gnet.server')

#: Seconds without a drop for the same reason after which the next one is logged again: who goes on
#: and on is one line.
_EPISODE_GAP = 10.0


#: Bytes of a header at most: as many as HAProxy reads by default. All that is known to be told
#: takes a tenth of that; one of 64 KiB could keep the hub for some 50 ms.
_MAX_SIZE = 16384


class ProxiedIntake:
    """Takes connections for a server; `Accepting` of its acceptor, in the place of its intake."""

    reads_headers = True

    def __init__(self, intake: Intake, trust: ProxyTrust) -> None:
        """Read headers for *intake*, of those whom *trust* includes."""
        self._intake = intake
        self._trust = trust
        self.server: Any = intake.server
        self.connections: Connections = intake.connections
        self.accept_failed: Callable[[BaseException], object] = intake.accept_failed
        self.serve: Callable[[Any], object] = intake.serve
        self.serve_later: Callable[[Any], object] = intake.serve_later
        self.dropped: Callable[..., object] = intake.dropped
        self._pending: set[PendingHeader] = set()
        #: When one was dropped last, for each reason.
        self._dropped_at: dict[DropReason, float] = {}

    @property
    def accepted_at(self) -> float | None:
        """When what is handed over now was accepted: what waits for its header waits from then."""
        return self._intake.accepted_at

    @accepted_at.setter
    def accepted_at(self, value: float | None) -> None:
        self._intake.accepted_at = value

    # --- connections, in the hub ------------------------------------------------------------------

    def admit(self, sock: Any, remote: Any) -> Any:
        """Decide on a new connection; return it if it is admitted, and None if not yet.

        Args:
            sock: the non-blocking socket of the system; if this raises, the caller closes it.
            remote: its peer's name; None if it is not known any more.
        """
        if remote is None:
            # One that only looks whether somebody listens, and which a worker was sent too late.
            self._drop(
                sock, None, DropReason.PROXY_HEADER, 'it has gone already', is_news=False)
            return None
        if not self._trust.includes(sock.family, remote):
            self._drop(sock, remote, DropReason.UNTRUSTED_PROXY, 'it is not trusted')
            return None
        parser = HeaderParser(_MAX_SIZE)
        try:
            is_complete = read_header(sock, parser)
        except (CodedError, EOFError, OSError) as error:
            self._refuse(sock, remote, parser, error)
            return None
        if is_complete:
            return self._intake.admit(sock, _named(sock, remote, parser))
        connections = self.connections
        if connections.limit is not None and connections.is_full():
            return self._intake.admit(sock, remote)  # which says that it is one too many
        if len(self._pending) >= self._trust.max_pending:
            self._drop(
                sock, remote, DropReason.PENDING_HEADERS,
                f'{len(self._pending)} connections wait for theirs already')
            return None
        pending = PendingHeader(
            connections.loop, sock, remote, parser, self._trust.timeout, self._decided,
            self._destroyed)
        self._pending.add(pending)
        connections.begin(pending)
        return None

    def _decided(self, pending: PendingHeader, error: BaseException | None) -> None:
        if error is None:
            # As the acceptor does: in turn, so that the server has dealt with those before.
            self.connections.loop.start(self._hand_over, pending)
            return
        self._pending.discard(pending)
        sock = pending.take_out()
        try:
            if not isinstance(error, (CodedError, EOFError, OSError)):
                self.connections.loop.report(self.server, error)
            self._refuse(sock, pending.remote, pending.parser, error)
        finally:
            self.connections.destroyed(pending)

    def _hand_over(self, pending: PendingHeader) -> None:
        self._pending.discard(pending)
        sock = pending.take_out()
        if sock is None:
            return  # the server was stopped meanwhile
        name = _named(sock, pending.remote, pending.parser)
        self.accepted_at = pending.accepted_at
        try:
            try:
                connection = self.connections.succeed(
                    pending, lambda: self._intake.admit(sock, name))
            except BaseException:
                sock.close()
                raise
            if connection is not None:
                self.connections.loop.handlers.call(self._intake.serve, connection)
        finally:
            self.accepted_at = None

    def _destroyed(self, pending: PendingHeader) -> None:
        self._pending.discard(pending)
        self.connections.destroyed(pending)

    # --- who is not let in ------------------------------------------------------------------------

    def _refuse(self, sock: Any, remote: Any, parser: HeaderParser, error: BaseException) -> None:
        if isinstance(error, TimeoutError):
            self._drop(
                sock, remote, DropReason.PROXY_TIMEOUT,
                f'its header has not come within {self._trust.timeout:g} s')
        else:
            # One that only looks whether somebody listens is no news. HAProxy ends with a reset.
            is_news = parser.has_begun or not isinstance(error, (EOFError, ConnectionResetError))
            self._drop(sock, remote, DropReason.PROXY_HEADER, str(error), is_news=is_news)

    def _drop(
        self, sock: Any, remote: Any, reason: DropReason, why: str, *, is_news: bool = True,
    ) -> None:
        try:
            data = ends_of(sock, remote)
        except OSError:
            data = None  # it has gone already
        sock.close()
        loop = self.connections.loop
        now, last = loop.now(), self._dropped_at.get(reason)
        if is_news:
            self._dropped_at[reason] = now
        is_first = is_news and (last is None or now - last >= _EPISODE_GAP)
        _log.log(
            logging.WARNING if is_first else logging.DEBUG,
            '%r: PROXY protocol: a connection from %s is dropped: %s', self.server,
            _whence(sock.family, remote), why)
        if lifecycle.has_subscribers():
            loop.tick(lifecycle.publish, lifecycle.ConnectionDropped, self.server, data, reason)


def _whence(family: int, remote: Any) -> str:
    peer = address_of_peer(family, remote)
    if peer is not None:
        return peer.address
    return 'somebody' if remote is None else 'a unix socket'


def _named(sock: Any, remote: Any, parser: HeaderParser) -> ProxiedName:
    assert parser.header is not None
    return named_by(parser.header, sock.family, remote)
