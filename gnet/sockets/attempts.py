"""The attempts of one ``connect()``: connect(2) for each address, and the race between them.

Several addresses are tried as RFC 8305 says (happy eyeballs), with Node's events: the next one when
one has failed or has had its time. One difference to Node: an attempt that has had its time goes on
beside the next instead of being closed, and the first to succeed wins. Node's way fails where every
address is slow.
"""

from __future__ import annotations

import _socket
import errno
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..addresses.ends import FAMILIES
from ..loop.watchers import WRITE, close_watcher
from ..node import coded_errors, system_errors
from ..options.connect import ConnectRequest
from .candidates import Candidate, destination, system_name

if TYPE_CHECKING:
    from .socket_wire import SocketWire

__all__ = ['Attempts']

#: What connect(2) of a non-blocking socket says when it has begun. (EAGAIN is not among them: on a
#: unix socket it means that the listener's queue is full, and nothing would ever tell more.)
_IN_PROGRESS = (errno.EINPROGRESS, errno.EINTR)

#: The address to bind to where a port was asked for and no address.
_ANY = {4: '0.0.0.0', 6: '::'}


class Attempt:
    """One connect(2) that is going on, and the descriptor it is made on."""

    __slots__ = ('_loop', 'candidate', 'has_begun', 'sock', 'watcher')

    def __init__(self, candidate: Candidate | None, family: int) -> None:
        #: None for a unix socket.
        self.candidate: Candidate | None = candidate
        self.sock: _socket.socket = _socket.socket(family, _socket.SOCK_STREAM)
        self.sock.setblocking(False)
        #: Whether connect(2) was called.
        self.has_begun: bool = False
        self.watcher: Any = None

    def local(self) -> str:
        """Return the local address and port as Node's texts have them."""
        name = self.sock.getsockname()
        return f'{name[0]}:{name[1]}' if isinstance(name, tuple) else 'undefined:undefined'

    def watch(self, loop: Any, settled: Callable[[Attempt], None]) -> None:
        """Have *settled* called in the hub when there is an outcome; the program waits for it."""
        self._loop = loop
        loop.hold()
        self.watcher = loop.io(self.sock.fileno(), WRITE)
        self.watcher.start(settled, self)

    def stop_watching(self) -> None:
        """Close the watcher, so that the descriptor may be closed or used otherwise."""
        if self.watcher is not None:
            close_watcher(self.watcher)
            self.watcher = None
            self._loop.release()

    def close(self) -> None:
        """Give the attempt up."""
        self.stop_watching()
        self.sock.close()


class Attempts:
    """The attempts of one ``connect()``. All methods but the hub's callbacks run in runners.

    Args:
        sock: the socket; its public names alone are used.
        wire: the wire that will carry it.
        request: what was asked for.
        emit: emits an event of the socket, guarded.
        connected: called with the connected socket of the system and the peer's name, once.
        failed: called with the reason, once, if there will be no connection.
        about_to_fail: called when the only attempt has failed, before the event that says so.
    """

    __slots__ = (
        '_about_to_fail', '_connected', '_emit', '_failed', '_failures', '_loop', '_on_their_way',
        '_request', '_several', '_socket', '_waiting', '_wire', 'over', 'timer',
    )

    def __init__(
        self, sock: Any, wire: SocketWire, request: ConnectRequest, *,
        emit: Callable[..., None], connected: Callable[[Any, Any], None],
        failed: Callable[[Any], object], about_to_fail: Callable[[], None],
    ) -> None:
        self._socket = sock
        self._wire = wire
        self._loop = wire.schedule
        self._request = request
        self._emit = emit
        self._connected = connected
        self._failed = failed
        self._about_to_fail = about_to_fail
        self._on_their_way: list[Attempt] = []
        self._waiting: list[Candidate] = []
        self._failures: list[Exception] = []
        #: When the newest attempt has had its time.
        self.timer: Any = None
        #: Several candidates: one failure is not the end.
        self._several = False
        #: Whether there is a connection, or the socket was destroyed.
        self.over: bool = False

    def __len__(self) -> int:
        return len(self._on_their_way)

    def local(self) -> str | None:
        """Return where the newest attempt comes from, as Node's texts have it; None for none."""
        return self._on_their_way[-1].local() if self._on_their_way else None

    def abandon(self) -> None:
        """Give up: the socket was destroyed. Where there are several, attempts have failed then."""
        for attempt in self._on_their_way:
            if self._several and attempt.has_begun and attempt.candidate is not None:
                self._loop.later(
                    self._emit, 'connectionAttemptFailed', attempt.candidate.address,
                    self._request.port, attempt.candidate.family,
                    self._failure(attempt, errno.ECANCELED, None), context=self._wire.context)
        self.cancel()

    def cancel(self) -> None:
        """Close all that is on its way: the socket was destroyed, or has its connection."""
        self.over = True
        close_watcher(self.timer)
        self.timer = None
        for attempt in self._on_their_way:
            attempt.close()
        self._on_their_way.clear()
        self._waiting.clear()

    def _tick(self, callback: Callable[..., object], *arguments: Any) -> None:
        self._loop.tick(callback, *arguments, context=self._wire.context)

    def _fail(self, error: Any) -> None:
        if not self.over:
            self._failed(error)

    # --- one candidate ----------------------------------------------------------------------------

    def try_path(self, path: str) -> None:
        self._emit('connectionAttempt', path, None, None)
        if self.over:
            return
        try:
            name = os.fsencode(path)
            attempt = self._new_attempt(None, _socket.AF_UNIX)
            if b'\0' in name[1:] and not name.startswith(b'\0'):
                raise OSError(errno.EINVAL, 'a NUL in the path')
            number = attempt.sock.connect_ex(name)
        except (OSError, UnicodeEncodeError) as error:
            # Too long for the system, a NUL, no name of a file, or no descriptors: found before it
            # was asked.
            known = getattr(error, 'errno', None) or errno.EINVAL
            local = 'undefined:undefined' if known == errno.EINVAL else None
            self._fail(system_errors.connect_error(known, 'connect', path, None, local))
            return
        self._began(attempt, number)

    def try_one(self, candidate: Candidate) -> None:
        if self.over:
            return
        try:
            attempt = self._prepare(candidate)
        except OSError as error:
            self._fail(system_errors.without_frames(error))
            return
        self._emit('connectionAttempt', candidate.address, self._request.port, candidate.family)
        if self.over:
            return
        failure: BaseException | None = self._blocked(candidate)
        if failure is None:
            number = self._connect(attempt, candidate)
            if number in (0, errno.ECONNREFUSED, *_IN_PROGRESS):
                self._began(attempt, number)
                return
            failure = self._failure(attempt, number, attempt.local())
        self._fail(failure)

    def _new_attempt(self, candidate: Candidate | None, family: int) -> Attempt:
        attempt: Attempt = self._loop.dispensable.open(Attempt, candidate, family)
        self._on_their_way.append(attempt)
        return attempt

    def _prepare(self, candidate: Candidate) -> Attempt:
        """Make the descriptor for an attempt, and bind it where that was asked for."""
        request = self._request
        family = FAMILIES[candidate.family]
        try:
            attempt = self._new_attempt(candidate, family)
        except OSError as error:
            raise system_errors.connect_error(
                error.errno or errno.EINVAL, 'connect', candidate.address, request.port) from error
        if request.local_address is not None or request.local_port:
            address = self._local_address(candidate)
            try:
                attempt.sock.setsockopt(_socket.SOL_SOCKET, _socket.SO_REUSEADDR, 1)
                attempt.sock.bind(system_name(address, int(request.local_port), family))
            except (OSError, OverflowError) as error:
                # An address of the other family, or what is no port: EINVAL in Node, too.
                known = isinstance(error, OSError) and not isinstance(error, _socket.gaierror)
                number = error.errno if known else errno.EINVAL  # type: ignore[union-attr]
                self._on_their_way.remove(attempt)
                attempt.close()
                raise system_errors.connect_error(
                    number or errno.EINVAL, 'bind', address, _as_port(request.local_port),
                ) from error
        return attempt

    def _connect(self, attempt: Attempt, candidate: Candidate) -> int:
        """Call connect(2) and return its error number."""
        try:
            name = destination(
                candidate.address, self._request.port, FAMILIES[candidate.family])
            return int(attempt.sock.connect_ex(name))
        except _socket.gaierror:
            return errno.EINVAL  # a zone that does not exist, or not of this family

    def _blocked(self, candidate: Candidate) -> Exception | None:
        rules = self._socket.block_list
        if rules is not None and rules.check(candidate.address, f'ipv{candidate.family}'):
            return coded_errors.ip_blocked(candidate.address)
        return None

    def _began(self, attempt: Attempt, number: int) -> None:
        """connect(2) returned *number*: wait for the outcome, or take note of it in a moment."""
        attempt.has_begun = True
        if number in _IN_PROGRESS:
            attempt.watch(self._loop, self._settled_in_hub)
        else:
            # A unix socket has it at once. As in Node, the ticks of who called come before it.
            self._loop.later(
                self._settled_at_once, attempt, number, context=self._wire.context)

    def _settled_at_once(self, attempt: Attempt, number: int) -> None:
        if not number and attempt in self._on_their_way:
            # The listener may have been closed meanwhile.
            number = attempt.sock.getsockopt(_socket.SOL_SOCKET, _socket.SO_ERROR)
        self._settled(attempt, number)

    def _settled_in_hub(self, attempt: Attempt) -> None:
        attempt.stop_watching()
        number = attempt.sock.getsockopt(_socket.SOL_SOCKET, _socket.SO_ERROR)
        self._tick(self._settled, attempt, number)

    def _settled(self, attempt: Attempt, number: int) -> None:
        """An attempt has its outcome."""
        if self.over or attempt not in self._on_their_way:
            return
        self._on_their_way.remove(attempt)
        if not number:
            try:
                remote = attempt.sock.getpeername()
            except OSError:
                number = errno.ECONNRESET  # the peer has reset the connection already
        if number:
            self._attempt_failed(attempt, number)
            return
        self.cancel()  # the losers
        self._connected(attempt.sock, remote)

    def _attempt_failed(self, attempt: Attempt, number: int, local: str | None = None) -> None:
        request = self._request
        error = self._failure(attempt, number, local)
        attempt.close()
        if attempt.candidate is None:
            where: tuple[Any, ...] = (request.path, None, None)
        else:
            where = (attempt.candidate.address, request.port, attempt.candidate.family)
        if self._several:
            self._failures.append(error)
            self._emit('connectionAttemptFailed', *where, error)
            if not self.over:
                self._connect_next()
            return
        self._about_to_fail()
        self._emit('connectionAttemptFailed', *where, error)
        self._fail(error)

    def _failure(
        self, attempt: Attempt, number: int, local: str | None,
    ) -> system_errors.NodeOSError:
        request = self._request
        if attempt.candidate is None:
            return system_errors.connect_error(number, 'connect', request.path, None, local)
        bound = None
        if local is None and request.local_port:
            bound = (self._local_address(attempt.candidate), _as_port(request.local_port))
        return system_errors.connect_error(
            number, 'connect', attempt.candidate.address, request.port, local, bound)

    def _local_address(self, candidate: Candidate) -> str:
        """Return the address to bind to before that one is connected to, if any is."""
        return self._request.local_address or _ANY[candidate.family]

    # --- several candidates -----------------------------------------------------------------------

    def race(self, candidates: list[Candidate]) -> None:
        """Try these addresses, in this order."""
        self._several = True
        self._socket.auto_select_family_attempted_addresses = []
        self._waiting = candidates
        self._connect_next()

    def _connect_next(self) -> None:
        """Try the next candidate; after the last, wait for those that are on their way."""
        close_watcher(self.timer)
        self.timer = None
        port = self._request.port
        while self._waiting and not self.over:
            candidate = self._waiting.pop(0)
            where = (candidate.address, port, candidate.family)
            blocked = self._blocked(candidate)
            if blocked is not None:
                self._failures.append(blocked)
                self._emit('connectionAttemptFailed', *where, blocked)
                continue
            try:
                attempt = self._prepare(candidate)
            except OSError as error:
                self._failures.append(system_errors.without_frames(error))
                continue
            self._emit('connectionAttempt', *where)
            if self.over:
                return
            attempted = self._socket.auto_select_family_attempted_addresses
            assert attempted is not None
            attempted.append(f'{candidate.address}:{port}')
            number = self._connect(attempt, candidate)
            if number in (0, errno.ECONNREFUSED, *_IN_PROGRESS):
                self._began(attempt, number)
                if self._waiting:
                    # A listener that blocked may have let another failure come before this.
                    close_watcher(self.timer)
                    self.timer = self._loop.call_after(
                        self._request.attempt_timeout / 1000, self._time_is_over, attempt)
            else:
                self._on_their_way.remove(attempt)
                self._attempt_failed(attempt, number, attempt.local())
            return
        if not self.over and not self._on_their_way:
            self._fail(system_errors.all_attempts_failed(self._failures))

    def _time_is_over(self, attempt: Attempt) -> None:
        """In the hub: the newest attempt has had its time."""
        self._tick(self._attempt_timed_out, attempt)

    def _attempt_timed_out(self, attempt: Attempt) -> None:
        if self.over or attempt not in self._on_their_way or attempt.candidate is None:
            return
        self._emit(
            'connectionAttemptTimeout', attempt.candidate.address, self._request.port,
            attempt.candidate.family,
        )
        if not self.over:
            self._connect_next()


def _as_port(given: float) -> Any:
    """Return a local port as Node's texts have it: without a fraction of zero."""
    return int(given) if float(given).is_integer() else given
