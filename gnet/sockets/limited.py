"""Slow and greedy peers: what a connection allows them, and how it ends those that go beyond."""

from __future__ import annotations

from contextlib import suppress

from ..addresses.ends import TCP_FAMILIES
from ..node import system_errors
from ..options.peer_limits import UNLIMITED, PeerLimits, buffer_limit, time_limit
from ..streams.states import (
    ACTIVE,
    CONNECTED,
    EVENTS,
    FLOWING,
    GONE,
    IDLE,
    LENT,
    NOBODY_YET,
    PAUSED,
)
from ..streams.write_request import BlockingRequest
from .blocking import Blocking
from .descriptors import reset_on_close
from .peer_watch import PeerWatch
from .settings import Tuned

__all__ = ['Limited', 'limit']


class Limited(Tuned):
    """The names that limit the peer. Without state of its own: :class:`gnet.Socket` has it."""

    __slots__ = ()

    _blocking: Blocking
    opened_at: float

    @property
    def read_timeout(self) -> float | None:
        """Milliseconds of silence after which a peer is given up that is asked to speak.

        None (the default) for no limit; may be set any time, also to 0, which is none. It holds
        for the first byte and between any two. It counts while the program wants to read: events
        read (a listener of `'data'` or `'readable'`, ``resume()``, ``pipe``), or a greenlet is
        blocked in a read. It does not while the socket is paused or its buffer is full, a listener
        is at work on what came before, or something waits to be sent.

        The socket is destroyed with a TimeoutError, ``ERR_READ_TIMEOUT``; so a blocked read raises
        that. Up to a quarter of the time may go by before it is noticed.
        """
        return self._limits.read_timeout

    @read_timeout.setter
    def read_timeout(self, msecs: float | None) -> None:
        self._set_limits(self._limits._replace(read_timeout=time_limit('readTimeout', msecs)))

    @property
    def write_timeout(self) -> float | None:
        """Milliseconds after which a peer is given up that takes nothing of what is to be sent.

        None (the default) for no limit; may be set any time, also to 0, which is none. It counts
        while something is queued that the kernel does not take: what ``cork()`` holds back, and
        what waits for a connection, is not. A peer takes something when it acknowledges a byte.

        The socket is destroyed with a TimeoutError, ``ERR_WRITE_TIMEOUT``; a blocked write raises
        that, and callbacks of what was not sent get ``ECANCELED``. The peer of a TCP connection
        sees a reset: it has not got all. Up to a quarter of the time may go by before it is
        noticed.
        """
        return self._limits.write_timeout

    @write_timeout.setter
    def write_timeout(self, msecs: float | None) -> None:
        self._set_limits(self._limits._replace(write_timeout=time_limit('writeTimeout', msecs)))

    @property
    def lifetime(self) -> float | None:
        """Milliseconds that the connection may last, whatever happens on it.

        None (the default) for no limit; may be set any time, also to 0, which is none. It counts
        from when the connection was established, or accepted: a TLS handshake is part of it. Then
        the socket is destroyed with a TimeoutError, ``ERR_LIFETIME``.
        """
        return self._limits.lifetime

    @lifetime.setter
    def lifetime(self, msecs: float | None) -> None:
        self._set_limits(self._limits._replace(lifetime=time_limit('lifetime', msecs)))

    @property
    def max_buffered(self) -> int | None:
        """Bytes that ``write()`` may have queued; None (the default) for any number.

        May be set any time, but not below the high-water mark. Who writes on although ``write()``
        has returned False, to a peer that is slow, fills the memory; with this, the write that goes
        beyond destroys the socket with an OSError, ``ERR_BUFFER_FULL``. (To refuse that one write
        would leave a hole in what the peer gets.) What a blocking ``sendall`` has still to send
        does not count: it waits.
        """
        return self._limits.max_buffered

    @max_buffered.setter
    def max_buffered(self, size: int | None) -> None:
        self._set_limits(self._limits._replace(
            max_buffered=buffer_limit('maxBuffered', size, self._write_mark)))

    @property
    def _limits(self) -> PeerLimits:
        return self._settings.limits or UNLIMITED

    def _set_limits(self, limits: PeerLimits) -> None:
        self._loop.check_thread()
        settings = self._own_settings()
        settings.limits = None if limits == UNLIMITED else limits
        began = self.opened_at or None
        if settings.watch is not None:
            began = settings.watch.began
            self._watch_no_more()
        if self._stage is CONNECTED and self._write_state is not LENT:
            self._watch_peer(began)

    # --- looking ----------------------------------------------------------------------------------

    def _watch_peer(self, began: float | None = None) -> None:
        """There is a connection: see to it that its peer keeps to the limits of time."""
        settings = self._settings
        if settings.limits is None or not settings.limits.has_times:
            return
        assert settings.watch is None
        # inside: it is its own
        settings.watch = watch = PeerWatch(self, self._loop, Limited._look_at_peer, began)
        watch.look_again(settings.limits)

    def _watch_no_more(self) -> None:
        settings = self._settings
        if settings.watch is not None:
            settings.watch.cancel()
            settings.watch = None

    def _look_at_peer(self, watch: PeerWatch) -> None:
        """Destroy the socket if its peer has gone beyond a limit, or look again. In the hub."""
        limits = self._settings.limits
        if limits is None or self._settings.watch is not watch or self._stage in GONE:
            return
        try:
            beyond = self._beyond(limits, watch)
            if beyond is not None:
                self._destroy_beyond_limit(system_errors.beyond_limit(*beyond))
                return
            watch.look_again(limits)
        except BaseException as error:
            self._wire.failed_in_hub(self, error)

    def _destroy_beyond_limit(self, error: system_errors.NodeOSError) -> None:
        """Destroy the socket, whose peer has gone beyond a limit.

        Where not all was sent, that is a reset: a FIN would say that it was. And it would leave
        what the kernel has of it there, megabytes perhaps, for as long as the peer likes.
        """
        wire = self._wire
        sock = wire.sock
        if self._queued_units and getattr(sock, 'family', None) in TCP_FAMILIES:
            with suppress(OSError):  # not on Linux: of a connection that the peer has reset
                reset_on_close(sock)
        self.destroy(wire.own(error))

    def _beyond(self, limits: PeerLimits, watch: PeerWatch) -> tuple[str, float] | None:
        """Return the name of the limit that is reached, and its milliseconds; None for none."""
        if limits.lifetime is not None and watch.left_of(limits.lifetime) <= 0:
            return 'ERR_LIFETIME', limits.lifetime
        # A hub that was blocked, in a process that was stopped say, has seen nothing of what the
        # peer did meanwhile: what the kernel knows counts, too.
        wire = self._wire
        if limits.read_timeout is not None:
            silent = watch.silent_for(self._asks_peer(), wire.bytes_read)
            if silent * 1000 >= limits.read_timeout and not watch.is_unheard(wire.sock):
                return 'ERR_READ_TIMEOUT', limits.read_timeout
        if limits.write_timeout is not None:
            stuck = watch.stuck_for(bool(self._in_flight), self._bytes_sent, wire.sock)
            if stuck * 1000 >= limits.write_timeout and not watch.is_unserved(wire.sock):
                return 'ERR_WRITE_TIMEOUT', limits.write_timeout
        return None

    def _asks_peer(self) -> bool:
        """Whether somebody waits for what the peer says, and nothing else is to be done first."""
        wire = self._wire
        if (
            wire.reading is not ACTIVE or wire.arrived or wire.delivery is not IDLE
            or self._in_flight or self._queue
        ):
            return False
        if wire.reader is not None:
            return True
        if not wire.can_block:  # it has the option onread
            return self._flow is not PAUSED and not (wire.stopped or wire.telling)
        return wire.taker in _BY_EVENTS and (self._flow is FLOWING or self._readable_listened)

    # --- what is queued ---------------------------------------------------------------------------

    def _mark_reached(self) -> bool:
        limits = self._settings.limits
        if limits is not None and limits.max_buffered is not None:
            self._settle_held()
            size = self._queued_bytes
            if size > limits.max_buffered and self._blocking.senders:
                queued = (*(self._in_flight or ()), *(self._queue or ()))
                size -= sum(
                    len(request.data) for request in queued if isinstance(request, BlockingRequest))
            if size > limits.max_buffered:
                self._destroy_beyond_limit(system_errors.buffer_full(size, limits.max_buffered))
                return False
        return super()._mark_reached()

    # --- from one socket to another ---------------------------------------------------------------

    def _take_limits(self, other: Limited) -> None:
        """Go on with the connection of *other*, and with its limits unless there are own ones."""
        # inside: it is of the same class
        theirs = other._settings
        began = None if theirs.watch is None else theirs.watch.began
        self._watch_no_more()
        other._watch_no_more()  # inside: as above
        if self._settings.limits is None and theirs.limits is not None:
            self._own_settings().limits = theirs.limits
        self._watch_peer(began)


_BY_EVENTS = (EVENTS, NOBODY_YET)


def limit(sock: Limited, limits: PeerLimits) -> None:
    """Set the limits of a connection that was accepted just now.

    Args:
        sock: it; nothing was set of it yet.
        limits: of its server.
    """
    # inside: this is for servers, and programs have the properties
    sock._own_settings().limits = limits
    sock._watch_peer()  # inside: as above
