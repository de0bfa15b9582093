"""One call of ``listen()``: :class:`ListenCall`.

It goes this way::

    a request (options) -> its host's address -> a Listener -> an Acceptor -> 'listening'
                                             \\-> 'error'

A server has one at a time: its next ``listen`` or ``close`` abandons it, and so a look-up, or an
answer of the primary, that comes too late finds that nobody waits for it any more.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any

from ..addresses.ends import is_link_local
from ..addresses.ip import is_ip
from ..loop.loop import Loop
from ..loop.resolver import Found, look_up
from ..node import system_errors
from ..options.listen import ListenRequest, ListenTarget
from .acceptor import Acceptor, Counting, Handle
from .listener import HANDLE_KEY, Listener, adopt, adopt_given, bind_path, bind_port
from .primary import get_primary

__all__ = [
    'ListenCall',
    'close_on',
]


class _Stage(Enum):
    """How far a call is."""

    NEW = 'nothing has come of it yet; where listen() has raised, nothing will'
    UNDECIDED = "'listening' or 'error' is still to come"
    DECIDED = 'one of them was emitted'
    ABANDONED = 'the server was closed, or has listened anew, meanwhile'


#: Which may follow which.
FOLLOWS: dict[_Stage, set[_Stage]] = {
    _Stage.NEW: {_Stage.UNDECIDED, _Stage.ABANDONED},
    _Stage.UNDECIDED: {_Stage.DECIDED, _Stage.ABANDONED},
    _Stage.DECIDED: {_Stage.ABANDONED},
    _Stage.ABANDONED: set(),  # the server's next one is a new one
}


class ListenCall:
    """What a server wants to listen on, until it does or has failed."""

    __slots__ = (
        '_attached', '_failed', '_listening', '_look_up', '_loop', '_stage', 'intake', 'request')

    def __init__(
        self, request: ListenRequest, intake: Counting, *,
        attached: Callable[[Handle, str], object], listening: Callable[[], object],
        failed: Callable[[BaseException], object],
    ) -> None:
        """Prepare it; see :meth:`start`.

        Args:
            request: what to listen on.
            intake: who gets the connections.
            attached: called with what brings them, and Node's ``_connectionKey``, when the server
                is bound.
            listening: called on a tick after that, also if the call was abandoned meanwhile.
            failed: called with the error on a tick, if the server could not listen.
        """
        self.request: ListenRequest = request
        self.intake: Counting = intake
        self._loop = intake.connections.loop
        self._attached = attached
        self._listening = listening
        self._failed = failed
        #: Of the host's name, while that is under way.
        self._look_up: Any = None
        self._stage = _Stage.NEW

    def start(self) -> None:
        """Listen; where that needs no look-up and no primary, it is done when this returns."""
        host = self.request.host
        if host is None:
            self._listen(None, 6)
            return
        self._stage = _Stage.UNDECIDED
        version = is_ip(host)
        if version:
            self._loop.tick(self._looked_up, None, [(host, version)])
        else:
            self._look_up = look_up(self._loop, host, self._looked_up)

    # --- how far it is ----------------------------------------------------------------------------

    @property
    def is_stale(self) -> bool:
        """Whether nobody waits for it any more."""
        return self._stage is _Stage.ABANDONED

    @property
    def is_undecided(self) -> bool:
        """Whether `'listening'` or `'error'` is still to come."""
        return self._stage is _Stage.UNDECIDED

    def abandon(self) -> None:
        """The server was closed, or listens anew."""
        self._stage = _Stage.ABANDONED
        if self._look_up is not None:
            self._look_up.kill(block=False)

    def attach(self, handle: Handle, key: str) -> None:
        """Listen: *handle* brings the connections. *key* is Node's ``_connectionKey``."""
        self._attached(handle, key)
        self._stage = _Stage.UNDECIDED
        self._loop.tick(self._decided, self._listening)

    def fail(self, error: BaseException) -> None:
        """Emit `'error'` on a tick."""
        self._stage = _Stage.UNDECIDED
        self._loop.tick(self._decided, self._failed, error)

    def _decided(self, tell: Callable[..., object], *arguments: Any) -> None:
        if self._stage is _Stage.UNDECIDED:
            self._stage = _Stage.DECIDED
        tell(*arguments)

    # --- its steps --------------------------------------------------------------------------------

    def _looked_up(self, error: Any, found: Found | None) -> None:
        self._look_up = None
        if self.is_stale:
            return
        if found is not None:
            # A link-local address can not be bound without its zone: anything else is preferred.
            self._listen(*next((one for one in found if not is_link_local(one[0])), found[0]))
        else:
            self._decided(self._failed, error)

    def _listen(self, address: str | None, version: int) -> None:
        primary = get_primary()
        request = self.request
        if primary is not None and not request.exclusive and (
            request.target is not ListenTarget.HANDLE
        ):
            self._stage = _Stage.UNDECIDED
            primary.listen(self, address, version)
            return
        try:
            if request.target is ListenTarget.HANDLE:
                from .takeover import take_over  # most servers listen to a port or a path

                acceptor = take_over(self._loop, request.handle, request.backlog, self.intake)
                # Its own key would be that of the server it comes from.
                key = HANDLE_KEY
            else:
                listener = self._loop.dispensable.open(self._bind, address, version)
                acceptor, key = Acceptor(self._loop, listener, self.intake), listener.key
            if primary is not None:
                primary.listens_alone(self.intake.server, acceptor.listener)
            self.attach(acceptor, key)
        except system_errors.LookupFailure as error:
            self.fail(error)
        except system_errors.NodeOSError as error:
            if error.syscall != 'listen':
                raise
            self.fail(error)

    def _bind(self, address: str | None, version: int) -> Listener:
        request = self.request
        if request.target is ListenTarget.FD:
            return adopt(request.fd, request.backlog)
        if request.target is ListenTarget.SYSTEMD:
            from ..systemd import activation  # the options have imported it

            assert request.fd is not None
            self._loop.close_in_child(activation.found(), activation.close)
            return adopt_given(int(request.fd), request.path)
        if request.target is ListenTarget.PATH:
            assert request.path is not None
            return bind_path(
                request.path, request.backlog, readable_all=request.readable_all,
                writable_all=request.writable_all,
            )
        assert request.port is not None
        return bind_port(
            address, request.port, request.backlog, version=version, ipv6_only=request.ipv6_only,
            reuse_port=request.reuse_port,
        )


def close_on(signal: Any, server: Any, loop: Loop) -> None:
    """Close *server* when *signal* is set; until its next `'close'`."""
    if getattr(signal, 'ready', bool)():
        loop.tick(server.close)
        return

    def close(_source: Any) -> None:
        # A tick, because a link is called in the hub, where listeners of close() might block.
        loop.tick(server.close)

    def unlink() -> None:
        signal.unlink(close)

    signal.rawlink(close)
    server.once('close', unlink)
