"""How a server ends: :class:`Closing`, the part of ``gnet.Server`` about its connections' number.

`'close'` comes when the server does not listen and its last connection has ended, those of worker
processes included. ``close()`` asks for it, ``stop()`` and ``serve_forever()`` wait for it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from gevent import getcurrent
from gevent.event import AsyncResult, Event
from gevent.exceptions import LoopExit

from .. import lifecycle
from ..events.emitter import OnceListener
from ..loop import running
from ..node import coded_errors
from ..node.validators import validate_function
from .listen_call import Listening
from .workers import ask

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = [
    'Closing',
]


class Closing(Listening):
    """What counts connections, and ends with them. :class:`gnet.Server` is the public class."""

    __slots__ = ('_on_room', '_serving', '_sockets', '_stopping', '_using_workers', '_workers')

    #: Whether this stands for a server of another process (see ``socket_lists``).
    is_elsewhere = False

    def __init__(self) -> None:
        super().__init__()
        #: The connections of this process, for stop().
        #: A dict, as a set grows in steps of four: with 5,000 members it has 100 bytes for each.
        self._sockets: dict[Any, None] = {}
        #: Who is blocked in stop() and in serve_forever().
        self._stopping: list[Event] = []
        self._serving: list[_Serving] = []
        #: Called when there may be room for connections again, while some are passed on.
        self._on_room: Callable[[], None] | None = None
        self._using_workers = False
        self._workers: list[Any] = []

    # --- counting ---------------------------------------------------------------------------------

    def get_connections(self, callback: Callable[..., object] | None = None) -> Any:
        """Count the open connections, those that were sent to worker processes included.

        Args:
            callback: called with ``(err, count)`` on a tick; the server is returned. Without one,
                the call blocks for as long as workers take to answer, and returns the count.

        Raises:
            CodedTypeError: ``ERR_INVALID_ARG_TYPE`` for a callback that is none.
        """
        if callback is None:
            answer: AsyncResult[int] = AsyncResult()

            def settle(error: BaseException | None, count: int | None) -> None:
                if error is not None:
                    answer.set_exception(error)
                else:
                    answer.set(count)

            if not self._workers:
                return self._connections
            self._count_everywhere(settle)
            return answer.get()
        settle = validate_function('callback', callback)
        if self._workers:
            # On a tick: a callback that blocks must not hold up the channel that has the answer.
            self._count_everywhere(
                lambda *answer: self._loop.tick(self._guard, 'callback', settle, *answer))
        else:
            self._loop.tick(self._guard, 'callback', settle, None, self._connections)
        return self

    def _count_everywhere(self, settle: Callable[..., object]) -> None:
        """Call ``settle(err, count)``: the sum, or the first error."""
        count = self._connections
        failed = False

        def answered(error: BaseException | None, of_worker: int | None) -> None:
            nonlocal count, failed
            count += of_worker or 0
            if error is not None and not failed:
                failed = True
                settle(error, None)

        def done() -> None:
            if not failed:
                settle(None, count)

        ask(self._workers, 'get_connections', answered, done)

    # --- closing ----------------------------------------------------------------------------------

    def close(self, callback: Callable[..., object] | None = None) -> Self:
        """Stop listening, at once; connections that exist go on. Returns the server.

        `'close'` is emitted when the last connection has ended, in the next tick if there is none,
        also if the server was not listening.

        Args:
            callback: called with ``(err)`` at the next `'close'`; *err* is
                ``ERR_SERVER_NOT_RUNNING`` if the server was not listening, else None.
        """
        self._listening_id += 1
        if callable(callback):
            if self._handle is not None:
                self.on('close', _CloseCallback(self, 'close', callback))
            else:
                error = coded_errors.state_error('ERR_SERVER_NOT_RUNNING')
                self.once('close', lambda: callback(error))
        handle, self._handle = self._handle, None
        try:
            if handle is not None:
                handle.close()
        finally:
            if self._workers:
                self._close_workers()
            else:
                self._emit_close_if_drained()
        return self

    def _close_workers(self) -> None:
        """Have the worker processes say when the connections that were sent to them have ended."""
        self._connections += 1  # until then, this keeps 'close' back

        def closed() -> None:
            self._connections -= 1
            self._emit_close_if_drained()

        # A worker that fails to answer has no connections left, either.
        ask(self._workers, 'close', lambda _error, _value: None, closed)

    def _emit_close_if_drained(self) -> None:
        """Emit `'close'` on a tick if the server is not listening and has no connections."""
        if self._handle is None and not self._connections:
            self._loop.tick(self._emit_close)

    def stop(self, timeout: float | None = None) -> int:
        """Close, and block until all connections have ended.

        Not for a handler of one of these connections, unless with a *timeout*: it would wait for
        its own.

        Args:
            timeout: seconds to wait for that; then the rest are destroyed, and those of worker
                processes left alone. None (the default) waits for as long as it takes.

        Returns:
            How many connections had to be destroyed.
        """
        drained = Event()
        self._stopping.append(drained)
        loop = self._loop
        loop.hold()  # the connections may be unref'ed, and they are waited for now
        try:
            self.close()
            if drained.wait(timeout):
                return 0
            rest = list(self._sockets)
            for sock in rest:
                sock.destroy()
            if not self._workers:
                drained.wait()
            return len(rest)
        finally:
            loop.release()
            self._stopping.remove(drained)

    def serve_forever(self) -> None:
        """Block until the server is closed and its connections have ended.

        Call :meth:`listen` first. In the main greenlet this is also what ``gnet.run()`` is: Ctrl-C
        ends it, and so does a failure of the program; the server keeps the program alive even if it
        was unref'ed; and if it does not listen, and nothing is left that could make it, the call
        returns.

        Raises:
            CodedRuntimeError: ``ERR_SERVER_NOT_RUNNING`` when ``listen()`` was not called.
            Exception: an `'error'` of this server that nobody listens to, such as that its port is
                taken, and what its listeners raise. It is reported in no other way.
        """
        if self._handle is None and not self._is_undecided():
            raise coded_errors.state_error('ERR_SERVER_NOT_RUNNING')
        serving = _Serving()
        self._serving.append(serving)
        in_main = getcurrent() is self._loop.hub.parent
        try:
            with running.serving(self._loop):
                if in_main:
                    self._kept_alive = True
                    self._apply_ref()
                try:
                    serving.over.wait()
                except LoopExit:
                    if not in_main:
                        raise
                if serving.error is not None:
                    raise serving.error
        finally:
            self._serving.remove(serving)
            if in_main:
                self._kept_alive = False
                self._apply_ref()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        """Close and wait for the connections to end; after an exception, end them."""
        self.stop(None if kind is None else 0)

    def _connection_destroyed(self, sock: Any) -> None:
        self._sockets.pop(sock, None)
        self._connections -= 1
        if self._on_room is not None:
            self._on_room()
        self._emit_close_if_drained()

    def _connection_departed(self, sock: Any) -> None:
        """It is another process's now, which a tracker counts (see :meth:`_setup_worker`)."""
        self._sockets.pop(sock, None)
        if self._handle is None:
            # close() did not know that it goes there. A tick: it must be on its way before that
            # process is asked; until then it counts here.
            self._loop.tick(self._departed_after_close)
            return
        self._connections -= 1
        if self._on_room is not None:
            self._on_room()

    def _departed_after_close(self) -> None:
        self._connections -= 1
        if self._workers:
            self._close_workers()
        else:
            self._emit_close_if_drained()  # that process is gone, or was when it was sent

    def _connection_returned(self, sock: Any) -> None:
        """The other process never had it."""
        self._sockets[sock] = None
        self._connections += 1

    # --- what follows -----------------------------------------------------------------------------

    def _emit_close(self) -> None:
        try:
            lifecycle.publish(lifecycle.ServerClosed, self)
            self._guard('close', self.emit, 'close')
        finally:
            # It may be a late one, of a close() before others were accepted, or listen() again.
            if not self._connections:
                for drained in self._stopping:
                    drained.set()
            if self._handle is None and not self._is_undecided():
                for serving in self._serving:
                    serving.over.set()

    def _fail(self, error: BaseException) -> None:
        """A failure of the program: raised by ``serve_forever()``, else by ``gnet.run()``."""
        waiting = [serving for serving in self._serving if not serving.over.is_set()]
        for serving in waiting:
            serving.error = error
            serving.over.set()
        if not waiting:
            self._loop.fail(self, error)

    # --- workers ----------------------------------------------------------------------------------

    def _setup_worker(self, socket_list: Any) -> None:
        """Count the connections that a worker process has, from now until it exits.

        Args:
            socket_list: an emitter with ``close(callback)``, which calls back when the worker's
                connections have ended, ``get_connections(callback)``, which calls back with
                ``(err, count)``, and the event `'exit'`.
        """
        self._using_workers = True
        self._workers.append(socket_list)

        def exited(*_status: object) -> None:
            if socket_list in self._workers:
                self._workers.remove(socket_list)

        socket_list.once('exit', exited)


class _CloseCallback(OnceListener):
    """The callback of ``close()`` as a listener of `'close'`, which has no argument of its own."""

    __slots__ = ()

    def __call__(self, *_args: Any) -> Any:
        return super().__call__(None)


class _Serving:
    """A call of ``serve_forever()``."""

    __slots__ = ('error', 'over')

    def __init__(self) -> None:
        self.over = Event()
        #: What it ends with.
        self.error: BaseException | None = None
