"""Making a connection: from ``connect()`` to a connected descriptor, or to an error.

One :class:`Connector` exists for each ``connect()`` of a socket, from the call until the connection
is made, has failed, or is given up. It looks the name up; :mod:`gnet.sockets.attempts` does the
rest. The rules and the events are Node's:

=================================  =================================================================
event of the socket                when
=================================  =================================================================
``'lookup'``                       once for each address found, or once with the error
``'connectionAttempt'``            before each connect(2)
``'connectionAttemptFailed'``      an attempt failed
``'connectionAttemptTimeout'``     an attempt had its time: the next one starts beside it
=================================  =================================================================
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import gevent.socket
from gevent import getcurrent

from ..addresses.ends import FAMILIES
from ..addresses.ip import is_ip
from ..loop.resolver import look_up
from ..node import coded_errors, system_errors
from ..node.values import truthy
from ..options.connect import ConnectRequest
from .attempts import Attempts
from .candidates import Candidate, interleave, pairs_of

if TYPE_CHECKING:
    from ..options.proxy_protocol import Introduction
    from .socket_wire import SocketWire

__all__ = ['Connector']


class Connector:
    """One ``connect()`` on its way.

    The attempts keep the program alive, whatever ``ref()`` says, and so does the resolver; a
    look-up function of the program's does not, which may never answer.

    Args:
        sock: the socket; its public names alone are used.
        wire: the wire that will carry it.
        request: where to.
        emit: emits an event of the socket, guarded.
        connected: called with the connected socket of the system and the peer's name, once.
        about_to_fail: called when the only attempt has failed, before the event that says so.

    What goes wrong destroys the socket.
    """

    __slots__ = (
        '_emit', '_loop', '_request', '_resolving', '_socket', '_wire', 'attempts', 'begun',
    )

    def __init__(
        self, sock: Any, wire: SocketWire, request: ConnectRequest, *,
        emit: Callable[..., None], connected: Callable[[Any, Any], None],
        about_to_fail: Callable[[], None],
    ) -> None:
        self._socket = sock
        self._wire = wire
        self._loop = wire.schedule
        self._request = request
        #: The loop's time, in seconds, of the call.
        self.begun: Any = self._loop.now()
        self._emit = emit
        self.attempts: Attempts = Attempts(
            sock, wire, request, emit=emit, connected=connected, failed=sock.destroy,
            about_to_fail=about_to_fail)
        self._resolving: Any = None

    def start(self) -> None:
        """Begin; a unix path is tried before this returns, and a look-up function is called."""
        request = self._request
        version = is_ip(request.host)
        if request.path is not None:
            self.attempts.try_path(request.path)
        elif version:
            self._tick(self.attempts.try_one, Candidate(request.host, version))
        else:
            self._look_up()

    @property
    def introduction(self) -> Introduction | None:
        """What is told first of all, when the connection is made."""
        return self._request.introduction

    @property
    def is_local(self) -> bool:
        """Whether it leads to a unix socket."""
        return self._request.path is not None

    @property
    def target(self) -> str:
        """Where it leads to, as the program has said: a path, or host and port."""
        request = self._request
        if request.path is not None:
            return request.path
        host = f'[{request.host}]' if ':' in request.host else request.host
        return f'{host}:{request.port}'

    def abandon(self) -> None:
        """Give up: the socket was destroyed."""
        self.attempts.abandon()
        if self._resolving is not None:
            self._resolving.kill(block=False)
            self._resolving = None

    def _tick(self, callback: Callable[..., object], *arguments: Any) -> None:
        self._loop.tick(callback, *arguments, context=self._wire.context)

    def _fail(self, error: Any) -> None:
        if not self.attempts.over:
            self._socket.destroy(error)

    # --- look-up ----------------------------------------------------------------------------------

    def _look_up(self) -> None:
        request = self._request
        wants_all = (
            request.auto_select_family and not request.family and request.local_address is None
        )
        if request.lookup is None:
            self._resolving = look_up(
                self._loop, request.host, self._found_all if wants_all else self._found_first,
                family=FAMILIES.get(request.family, 0), hints=request.hints,
                context=self._wire.context)
            return
        options: dict[str, Any] = {
            'family': request.family_for_lookup, 'hints': request.hints}
        if wants_all:
            options['all'] = True
        answered: list[bool] = []

        def answer(error: Any = None, found: Any = None, family: Any = None) -> None:
            if answered or self.attempts.over:
                return  # a second answer would start a second connection on this socket
            answered.append(True)
            took: tuple[Any, ...] = (
                (self._found_all, error, found) if wants_all
                else (self._found_one, error, found, family)
            )
            if getcurrent() is self._loop.hub:
                self._tick(*took)  # listeners may block
            else:
                took[0](*took[1:])

        request.lookup(request.host, options, answer)

    def _found_first(self, error: Any, found: Any) -> None:
        """The resolver has answered, where a single address is wanted."""
        self._found_one(error, *(found[0] if found else (None,)))

    def _found_one(self, error: Any, address: Any, family: Any = None) -> None:
        """The look-up of a single address has answered."""
        if self.attempts.over:
            return
        host = self._request.host
        if truthy(error):
            self._look_up_failed(error)
            return
        self._emit('lookup', None, address, family, host)
        if self.attempts.over:
            return
        failure = self._unusable(address, family)
        if failure is not None:
            self._tick(self._fail, failure)
            return
        self._wire.touch()
        self.attempts.try_one(Candidate(address, family))

    def _found_all(self, error: Any, found: Any) -> None:
        """The look-up of all addresses has answered."""
        if self.attempts.over:
            return
        host = self._request.host
        pairs = [] if truthy(error) else pairs_of(found)
        if not pairs:
            # Node has no answer to an empty list: it throws in its own code and hangs.
            not_found = gevent.socket.gaierror(gevent.socket.EAI_NONAME, 'no addresses')
            self._look_up_failed(
                error if truthy(error) else system_errors.lookup_error(not_found, host))
            return
        for address, family in pairs:
            self._emit('lookup', None, address, family, host)
            if self.attempts.over:
                return
        valid = [Candidate(*pair) for pair in pairs if self._unusable(*pair) is None]
        if not valid:
            self._tick(self._fail, self._unusable(*pairs[0]))
            return
        self._wire.touch()
        candidates = interleave(valid)
        if len(candidates) == 1:
            self.attempts.try_one(candidates[0])
            return
        self.attempts.race(candidates)

    def _look_up_failed(self, error: Any) -> None:
        self._emit('lookup', error, None, None, self._request.host)
        self._tick(self._fail, error)

    def _unusable(self, address: Any, family: Any) -> BaseException | None:
        """Return what is wrong with an answer of the look-up, or None."""
        if not isinstance(address, str) or not is_ip(address):
            return coded_errors.invalid_ip_address(address)
        if family not in (4, 6):
            return coded_errors.invalid_address_family(
                family, self._request.host, self._request.port)
        return None
