"""Blocking standard-library code beside the tests: the plain peers that gnet must get along with.

Tests run in the main greenlet, so a blocking call in a test would stop the hub and the server under
test with it. :class:`Native` runs such calls in native threads while the hub goes on, and
:class:`Peer` is a plain blocking socket whose calls go that way. Both are the same whether or not
the process is monkey-patched.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import gevent

import gnet.testing

from .families import address_of, family_of
from .plain import PlainSocket
from .waiting import PATIENCE

__all__ = ['Call', 'Native', 'Peer', 'is_refused']


class Call:
    """A call in a native thread, of which :meth:`get` waits for the result."""

    def __init__(self, function: Callable[..., Any], args: Any, kwargs: Any) -> None:
        def run() -> tuple[Any, BaseException | None]:
            # Returned, not raised: gevent's thread pool reports what is raised in it as a failure
            # that nobody caught, before anybody could.
            try:
                return function(*args, **kwargs), None
            except BaseException as error:
                return None, error

        self._result = gevent.get_hub().threadpool.spawn(run)
        #: Whether the result, or the exception, has reached somebody.
        self.was_got = False

    def ready(self) -> bool:
        """Return whether the call is over."""
        return bool(self._result.ready())

    def get(self, timeout: float | None = None) -> Any:
        """Wait, up to *timeout* seconds; return or raise what the function does."""
        value, error = self._result.get(timeout=timeout)
        self.was_got = True
        if error is not None:
            raise error
        return value


class Native:
    """Runs blocking functions in native threads, those of the hub's thread pool."""

    def __init__(self) -> None:
        self._started: list[Call] = []

    def __call__(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call *function* in a native thread; wait, and return or raise what it does."""
        return Call(function, args, kwargs).get()

    def start(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Call:
        """Call *function* in a native thread and go on.

        It must be over when the test is, and what it raises fails the test, unless it was raised
        by :meth:`Call.get` before.
        """
        call = Call(function, args, kwargs)
        self._started.append(call)
        return call

    def finish(self) -> None:
        """Wait for all that was started; raise what it raised."""
        while self._started:
            call = self._started.pop()
            if not call.was_got:
                call.get(timeout=PATIENCE)


def is_refused(connect: Callable[[Any], Peer], address: Any) -> bool:
    """Return whether nobody listens at *address*: the test's *connect* fails."""
    try:
        connect(address).close()
    except OSError:
        return True
    return False


class _Blocking(gnet.testing.Peer):
    """The kit's peer on a socket that blocks: for native threads."""

    def __init__(self, plain: Any) -> None:
        self.plain = plain


class Peer(gnet.testing.Peer):
    """A plain blocking socket with the manners of the kit's. What may wait does so in a thread.

    The kit's own waits by the hub, and so by the loop that is under test here. (It alone can
    ``flood()``.) Everything else is that of the socket itself, which is :attr:`plain`.
    """

    def __init__(self, native: Native, plain: Any) -> None:
        self._native = native
        self._blocking = _Blocking(plain)
        self.plain = plain
        plain.settimeout(PATIENCE)

    @classmethod
    def connected(cls, native: Native, target: Any) -> Peer:
        """Connect to an address, or to a listening server by its ``address()``."""
        address = address_of(target)
        plain = PlainSocket(family_of(address), socket.SOCK_STREAM)
        peer = cls(native, plain)
        try:
            native(plain.connect, address)
        except BaseException:
            plain.close()
            raise
        return peer

    def __getattr__(self, name: str) -> Any:
        return getattr(self.plain, name)

    def sendall(self, data: bytes) -> None:
        self._native(self.plain.sendall, data)

    def recv(self, size: int = 65536) -> bytes:
        return bytes(self._native(self.plain.recv, size))

    def recv_exactly(self, size: int) -> bytes:
        return self._native(self._blocking.recv_exactly, size)  # type: ignore[no-any-return]

    def recv_until(self, mark: bytes) -> bytes:
        return self._native(self._blocking.recv_until, mark)  # type: ignore[no-any-return]

    def recv_until_end(self) -> bytes:
        return self._native(self._blocking.recv_until_end)  # type: ignore[no-any-return]
