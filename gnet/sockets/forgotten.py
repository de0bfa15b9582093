"""The end of a connection that nobody has any more: closed in the right order, and told of."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any
from weakref import ProxyTypes

from ..loop.watchers import close_watcher

if TYPE_CHECKING:
    from ..loop.idle_timers import IdleTimer

__all__ = ['close_forgotten']


def close_forgotten(
    wire: Any, sock: Any, reader: Any, writer: Any, idle_timer: IdleTimer | None,
    holds: bool,
) -> None:
    """Close what *wire* had, and warn. Callable in any thread, as the collector runs in any.

    Args:
        wire: which nobody has any more.
        sock: its socket, which it has not any more.
        reader: its watchers, or None.
        writer: likewise.
        idle_timer: of ``set_timeout``.
        holds: whether it keeps the program alive.
    """
    peer = _peer_of(sock)
    wire.schedule.in_own_thread(
        _close, wire.schedule, sock, reader, writer, idle_timer, holds)
    # Last, as both the repr of a subclass and the warning may raise.
    stream = wire.stream
    is_gone = stream is None or type(stream) in ProxyTypes
    warnings.warn(
        f'unclosed {f"<gnet.Socket{peer}>" if is_gone else repr(stream)}', ResourceWarning,
        stacklevel=4, source=wire)


def _peer_of(sock: Any) -> str:
    try:
        peer = sock.getpeername()
    except OSError:
        return ''  # it has gone already
    return f' {peer[0]}:{peer[1]}' if isinstance(peer, tuple) else ''


def _close(
    loop: Any, sock: Any, reader: Any, writer: Any, idle_timer: IdleTimer | None, holds: bool,
) -> None:
    if loop.is_usable:  # else its hub was destroyed, and the watchers with it
        close_watcher(reader)
        close_watcher(writer)
    if idle_timer is not None:
        loop.idle_timers.cancel(idle_timer)
    sock.close()
    if holds and loop.is_usable:
        loop.release()
