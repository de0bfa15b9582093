"""All that a test opens, in one object, which closes it in the right order and says what was left.

The fixtures of the pytest plugin are methods of one, and a ``unittest.TestCase`` has one by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, suppress
from types import TracebackType
from typing import Any, TypeVar

from ..events.wait_once import once
from ..loop import exit_hook
from ..loop.loop import get_loop
from ..servers.server import Server
from ..sockets.connect import connect
from ..sockets.socket import Socket
from .addresses import address_of
from .clock import Clock, clock_of
from .pairs import MemoryPair, connected_pair, memory_pair
from .peers import Listener, Peer
from .recorder import EventRecorder
from .reports import Reports
from .servers import Listening, listening
from .waiting import PATIENCE, settle

__all__ = ['Kit']

Entered = TypeVar('Entered')


class Kit:
    """What a test needs::

        class EchoTest(unittest.TestCase):
            def setUp(self):
                self.kit = gnet.testing.Kit()
                self.addCleanup(self.kit.close)

            def test_echo(self):
                sock = self.kit.client(self.kit.server(handler))

    It has begun when it is made. A failure that is only reported (a handler that raises, a greenlet
    that dies) fails the test when it is over, unless :meth:`take_failures` was called.

    From the first kit on the process does not serve on when it has come to its end
    (:func:`gnet.set_stay_alive`).
    """

    def __init__(self) -> None:
        exit_hook.set_stay_alive(False)
        self._servers: list[Listening] = []
        #: What is closed before the servers are.
        self._others = ExitStack()
        self._reports = Reports(get_loop())
        self._is_open = True

    # --- gnet's own -------------------------------------------------------------------------------

    def server(self, handler_or_server: Any = None, **options: Any) -> Server:
        """Return a server that listens on a free port of 127.0.0.1.

        The arguments are those of :func:`listening`. When the test is over, a connection of it that
        does not end within *grace* seconds fails the test.
        """
        made = listening(handler_or_server, **options)
        self._servers.append(made)
        return made.server

    def client(
        self, target: Any, *, connect: Callable[..., Socket] = connect, **options: Any,
    ) -> Socket:
        """Return a :class:`gnet.Socket` that is connected; it is destroyed after the test.

        Args:
            target: a server that listens, a host and a port, a port of 127.0.0.1, or a path.
            connect: what connects; ``gnet.tls.connect`` speaks TLS.
            options: of :func:`gnet.connect`.

        Raises:
            OSError: it could not connect; TLSError: the handshake has failed.
        """
        address = address_of(target)
        where = (
            {'host': address[0], 'port': address[1]} if isinstance(address, tuple)
            else {'path': address})
        sock = connect(**where, **options)
        self._others.callback(sock.destroy)
        is_secure = hasattr(sock, 'secure_connecting')
        once(sock, 'secureConnect' if is_secure else 'connect', timeout=PATIENCE)
        return sock

    def connected_pair(self, family: str = 'ipv4', **options: Any) -> tuple[Socket, Socket]:
        """Return two sockets that are connected by the kernel: see :func:`connected_pair`."""
        return self.enter(connected_pair(family, **options))

    def memory_pair(
        self, handler: Callable[[Socket], object] | None = None, **options: Any,
    ) -> MemoryPair:
        """Return two sockets that are connected in memory: see :func:`memory_pair`.

        What the handler raises fails the test, as with a server.
        """
        return self.enter(memory_pair(handler, **options))

    def clock(self) -> Clock:
        """Return the :class:`Clock` of this thread's sockets; time stands still from now on."""
        return self.enter(clock_of())

    def recorder(self, emitter: Any = None, *names: str, merge: bool = True) -> EventRecorder:
        """Return an :class:`EventRecorder`, which listens until the test is over."""
        return self.enter(EventRecorder(emitter, *names, merge=merge))

    # --- plain sockets ----------------------------------------------------------------------------

    def peer(self, target: Any, **options: Any) -> Peer:
        """Return a :class:`Peer`: a plain socket with bad manners, closed after the test."""
        return self.enter(Peer(target, **options))

    def listener(self, host: str = '127.0.0.1', **options: Any) -> Listener:
        """Return a :class:`Listener`: a plain socket that listens, closed after the test."""
        return self.enter(Listener(host, **options))

    # --- the end ----------------------------------------------------------------------------------

    def enter(self, context: AbstractContextManager[Entered]) -> Entered:
        """Enter *context*, which is left after the test, before servers stop; return its value."""
        return self._others.enter_context(context)

    def take_failures(self) -> list[BaseException]:
        """Return what was reported so far: the test means it to happen, and is not failed by it."""
        settle()
        return self._reports.take()

    def close(self) -> None:
        """Close all, servers last. Called twice, it does nothing the second time.

        Raises:
            AssertionError: connections were left open, or failures were reported.
        """
        if not self._is_open:
            return
        self._is_open = False
        texts: list[str] = []
        with ExitStack() as last:  # all of it, whatever a part of it raises
            last.callback(self._reports.stop)
            last.callback(settle)
            for made in self._servers:
                last.callback(_stop, made, texts)
            last.callback(self._others.close)
        failures = self._reports.take()
        if failures:
            texts.append('\n  '.join([
                'failures were reported (a test that means them to happen calls take_failures):',
                *map(repr, failures)]))
        if texts:
            raise AssertionError('\n'.join(texts))

    def __enter__(self) -> Kit:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            self.close()
        else:
            with suppress(AssertionError):  # what has failed the test is what it is about
                self.close()


def _stop(made: Listening, texts: list[str]) -> None:
    left = made.stop()
    if left:
        texts.append('\n  '.join(['connections were left open, and cut:', *left]))
