"""A server under test: it listens on a free port, and must be left by everybody in the end."""

from __future__ import annotations

from types import TracebackType
from typing import Any

from gevent.event import Event

from ..observing.live import live
from ..observing.live_text import line_of
from ..servers.internals import connections_of
from ..servers.server import Server, create_server
from .waiting import PATIENCE, wait_until

__all__ = ['GRACE', 'Listening', 'listening']

#: Seconds that connections have to end when the test is over: they need some turns of the loop, and
#: a handler perhaps an answer of somebody else's.
GRACE = 1.0


class Listening:
    """A server that listens, until :meth:`close`: what :func:`listening` returns."""

    def __init__(self, server: Server, target: dict[str, Any], grace: float) -> None:
        self.server = server
        self._grace = grace
        self._is_over = False
        heard, failures = Event(), []

        def failed(error: BaseException) -> None:
            failures.append(error)
            heard.set()

        server.once('error', failed)
        server.once('listening', heard.set)
        try:
            server.listen(**target)
            if not heard.wait(PATIENCE):
                raise AssertionError(f'{server!r} does not listen after {PATIENCE:g} seconds')
        except BaseException:
            server.close()
            raise
        finally:
            server.off('error', failed).off('listening', heard.set)
        if failures:
            raise failures[0]

    def stop(self) -> list[str]:
        """Listen no more; return a line for each connection that does not end, which is cut then.

        Called twice, it has nothing to say the second time.
        """
        if self._is_over:
            return []
        self._is_over = True
        connections = connections_of(self.server)
        lines = []
        self.server.close()
        try:
            wait_until(lambda: connections.count == 0, self._grace)
        except AssertionError:
            lines = _lines_of(connections.sockets) or [f'{connections.count} connections']
        self.server.stop(0)
        return lines

    def close(self) -> None:
        """Stop it.

        Raises:
            AssertionError: connections of it were still open, :data:`GRACE` seconds later: a line
                for each, and for the handler that has not returned, with where it waits.
        """
        left = self.stop()
        if left:
            raise AssertionError('\n  '.join(['left open by the test, and cut:', *left]))

    def __enter__(self) -> Server:
        return self.server

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            self.close()
        else:
            self.stop()  # what has failed the test is what it is about


def _lines_of(sockets: Any) -> list[str]:
    peers = {f'{sock.remote_address}:{sock.remote_port}' for sock in sockets}
    return [
        line_of(entry).strip('* ') for entry in live()
        if entry.server is not None and (
            entry.peer in peers or entry.peer is None or 'pid' in entry.peer)
    ]


def listening(
    handler_or_server: Any = None, *, host: str = '127.0.0.1', port: int = 0,
    path: Any = None, grace: float = GRACE, **options: Any,
) -> Listening:
    """Return what listens, for ``with``, which gives the :class:`gnet.Server`::

        with gnet.testing.listening(handler) as server:
            with gnet.connect(server.address().port) as sock:
                ...

    Args:
        handler_or_server: the listener of `'connection'`; or a server that does not listen yet,
            such as ``gnet.tls.create_server(…)``.
        host: a name or an address.
        port: any free one by default.
        path: of a unix socket (``str``, ``bytes``, a ``pathlib.Path``), in place of both.
        grace: seconds that connections have to end, at the end of the block.
        options: of :func:`gnet.create_server`, if a handler was given; with *ssl_context*, it is a
            TLS server.

    Raises:
        OSError: what listening has failed with.
        CodedTypeError, CodedValueError: an argument makes no sense.
        TypeError: a keyword is no option; or there are options, and a server.
    """
    target: dict[str, Any] = {'host': host, 'port': port} if path is None else {'path': path}
    if isinstance(handler_or_server, Server):
        if options:
            raise TypeError('the options of a server are given where it is made')
        return Listening(handler_or_server, target, grace)
    return Listening(_made(handler_or_server, options), target, grace)


def _made(handler: Any, options: dict[str, Any]) -> Server:
    context = options.pop('ssl_context', None)
    arguments = () if handler is None else (handler,)
    if context is None:
        return create_server(*arguments, **options)
    from ..tls import create_server as create_secure_server

    server: Server = create_secure_server(*arguments, **options, secure_context=context)
    return server
