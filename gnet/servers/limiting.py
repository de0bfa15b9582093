"""The limits of a server as properties: set at any time, for the connections to come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..options.limits import FullPolicy, checked_limit, full_policy
from ..options.peer_limits import UNLIMITED, PeerLimits, buffer_limit, time_limit
from .admission import Admitting
from .intake import usable_mark

if TYPE_CHECKING:
    from ..options.limits import LimitOptions

__all__ = ['Limiting']


class Limiting(Admitting):
    """Who may connect how often. Without state of its own: :class:`gnet.Server` has it.

    A connection beyond one of these limits is closed at once, and `'drop'` is emitted: its record
    says in ``reason`` which limit it was (a :class:`gnet.lifecycle.DropReason`), and in ``network``
    whose, if it was that of an address. The logger ``gnet.server`` has a line for each episode.

    Each property raises CodedTypeError (``ERR_INVALID_ARG_TYPE``) or CodedValueError
    (``ERR_OUT_OF_RANGE``) when it is set to what is no limit.
    """

    __slots__ = ()

    _full_policy: FullPolicy
    high_water_mark: Any

    @property
    def _limits(self) -> LimitOptions:
        return self._counter.limit_options

    # --- by number --------------------------------------------------------------------------------

    @property
    def max_connections_policy(self) -> str:
        """``'drop'`` (the default): connections beyond ``max_connections`` are closed, as in Node.

        ``'wait'``: they are left to the kernel until others have ended, at most as many as the
        backlog says; nothing is emitted. A worker that gets its connections from its primary has
        always had them wait, unless ``drop_max_connection`` is set.

        Raises:
            CodedTypeError: ``ERR_INVALID_ARG_VALUE`` when it is set to something else.
        """
        return self._full_policy.value

    @max_connections_policy.setter
    def max_connections_policy(self, value: str) -> None:
        self._check_thread()
        self._full_policy = full_policy('maxConnectionsPolicy', value)
        self._apply_policy()

    @property
    def max_connections_per_address(self) -> int | None:
        """Open connections of one address at which further ones of it are dropped; None: no limit.

        Those that are open when it is set are counted, and not closed; those that were sent to
        another process are not.
        """
        return self._limits.max_connections_per_address

    @max_connections_per_address.setter
    def max_connections_per_address(self, value: int | None) -> None:
        self._limit('max_connections_per_address', value)

    # --- by time ----------------------------------------------------------------------------------

    @property
    def connection_rate(self) -> float | None:
        """New connections per second beyond which they are dropped; None (the default): no limit.

        On average: see ``connection_burst``. May be less than 1.
        """
        return self._limits.connection_rate

    @connection_rate.setter
    def connection_rate(self, value: float | None) -> None:
        self._limit('connection_rate', value)

    @property
    def connection_burst(self) -> int | None:
        """How many connections may come at once after a pause; None: as many as in one second."""
        return self._limits.connection_burst

    @connection_burst.setter
    def connection_burst(self, value: int | None) -> None:
        self._limit('connection_burst', value)

    @property
    def connection_rate_per_address(self) -> float | None:
        """New connections per second of one address beyond which they are dropped; None: no limit.
        """
        return self._limits.connection_rate_per_address

    @connection_rate_per_address.setter
    def connection_rate_per_address(self, value: float | None) -> None:
        self._limit('connection_rate_per_address', value)

    @property
    def connection_burst_per_address(self) -> int | None:
        """How many may come from one address at once; None: as many as in one second."""
        return self._limits.connection_burst_per_address

    @connection_burst_per_address.setter
    def connection_burst_per_address(self, value: int | None) -> None:
        self._limit('connection_burst_per_address', value)

    # --- what one address is ----------------------------------------------------------------------

    @property
    def ipv4_prefix(self) -> int:
        """How many bits of an IPv4 address make it the same one: 1 to 32 (the default)."""
        return self._limits.ipv4_prefix

    @ipv4_prefix.setter
    def ipv4_prefix(self, value: int) -> None:
        self._limit('ipv4_prefix', value)

    @property
    def ipv6_prefix(self) -> int:
        """How many bits of an IPv6 address make it the same one: 1 to 128 (default 64).

        Whoever has one IPv6 address usually has all 2**64 with the same beginning.
        """
        return self._limits.ipv6_prefix

    @ipv6_prefix.setter
    def ipv6_prefix(self, value: int) -> None:
        self._limit('ipv6_prefix', value)

    # --- how slow and how greedy ------------------------------------------------------------------

    @property
    def read_timeout(self) -> float | None:
        """Milliseconds: what :attr:`gnet.Socket.read_timeout` of a new connection is; None: none.

        As the next three, it is that of connections to come: those that exist have their own.
        """
        return self._peer_limits.read_timeout

    @read_timeout.setter
    def read_timeout(self, msecs: float | None) -> None:
        self._limit_peers(read_timeout=time_limit('readTimeout', msecs))

    @property
    def write_timeout(self) -> float | None:
        """Milliseconds: what :attr:`gnet.Socket.write_timeout` of a new connection is."""
        return self._peer_limits.write_timeout

    @write_timeout.setter
    def write_timeout(self, msecs: float | None) -> None:
        self._limit_peers(write_timeout=time_limit('writeTimeout', msecs))

    @property
    def lifetime(self) -> float | None:
        """Milliseconds: what :attr:`gnet.Socket.lifetime` of a new connection is."""
        return self._peer_limits.lifetime

    @lifetime.setter
    def lifetime(self, msecs: float | None) -> None:
        self._limit_peers(lifetime=time_limit('lifetime', msecs))

    @property
    def max_buffered(self) -> int | None:
        """Bytes: what :attr:`gnet.Socket.max_buffered` of a new connection is.

        Not less than ``high_water_mark``.
        """
        return self._peer_limits.max_buffered

    @max_buffered.setter
    def max_buffered(self, size: int | None) -> None:
        self._limit_peers(
            max_buffered=buffer_limit('maxBuffered', size, usable_mark(self.high_water_mark)))

    @property
    def _peer_limits(self) -> PeerLimits:
        return self._intake.peer_limits or UNLIMITED

    def _limit_peers(self, **checked: Any) -> None:
        self._check_thread()
        limits = self._peer_limits._replace(**checked)
        self._intake.peer_limits = None if limits == UNLIMITED else limits

    # --- what comes of it -------------------------------------------------------------------------

    def _limit(self, name: str, value: Any) -> None:
        self._check_thread()
        checked = {name: checked_limit(name, value)}
        self._counter.limit_options = self._limits._replace(**checked)
        self._apply_limits()

    def _apply_limits(self) -> None:
        """Have the limits enforced, from now or from the next ``listen`` on."""
        handle, counter = self._handle, self._counter
        if handle is not None:
            counter.enforce(handle.limiter(self._limits, counter.limits))

    def _apply_policy(self) -> None:
        if self._handle is None:
            return
        gate = None
        if self._full_policy is FullPolicy.WAIT:
            from .gate import Gate
            gate = Gate(self._handle, self._counter)
        self._handle.set_gate(gate)
