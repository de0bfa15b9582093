"""Making a connection: name look-up, attempts, happy eyeballs.

One :class:`Connecting` exists for each ``connect()`` of a socket, from the call until the
connection is made, has failed, or is given up. The rules and the events are Node's, with one
difference: when an attempt has had its time, it goes on beside the next one instead of being
closed, and the first to succeed wins (RFC 8305, section 5). Node's way fails where every address is
slow.

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

import _socket
import errno
import os
from typing import TYPE_CHECKING, Any

import gevent.socket
from gevent import getcurrent

from ..addresses.ip import is_ip
from ..loop.loop import WRITE, close_watcher
from ..loop.resolver import look_up
from ..node import coded_errors, system_errors
from ..node.values import truthy
from ..options.connect import ConnectRequest
from .candidates import FAMILIES, Candidate, interleave, pairs_of, system_name

if TYPE_CHECKING:
    from .connector import Connectable

__all__ = [
    'Connecting',
]

#: What connect(2) of a non-blocking socket says when it has begun. (EAGAIN is not among them: on a
#: unix socket it means that the listener's queue is full, and nothing would ever tell more.)
_IN_PROGRESS = (errno.EINPROGRESS, errno.EINTR)


class Attempt:
    """One connect(2) that is going on, and the descriptor it is made on."""

    __slots__ = ('candidate', 'has_begun', 'sock', 'watcher')

    def __init__(self, candidate: Candidate | None, family: int) -> None:
        #: None for a unix socket.
        self.candidate = candidate
        self.sock = _socket.socket(family, _socket.SOCK_STREAM)
        self.sock.setblocking(False)
        #: Whether connect(2) was called.
        self.has_begun = False
        self.watcher: Any = None

    def local(self) -> str:
        """Return the local address and port as Node's texts have them."""
        name = self.sock.getsockname()
        return f'{name[0]}:{name[1]}' if isinstance(name, tuple) else 'undefined:undefined'

    def stop_watching(self) -> None:
        """Close the watcher, so that the descriptor may be closed or used otherwise."""
        close_watcher(self.watcher)
        self.watcher = None

    def close(self) -> None:
        """Give the attempt up."""
        self.stop_watching()
        self.sock.close()


class Connecting:
    """One ``connect()`` on its way. All methods but the hub's callbacks run in runners."""

    def __init__(self, sock: Connectable, request: ConnectRequest) -> None:
        self._socket = sock
        self._request = request
        self._attempts: list[Attempt] = []
        self._waiting: list[Candidate] = []
        self._failures: list[Exception] = []
        self._timer: Any = None
        self._resolving: Any = None
        #: Several candidates: one failure is not the end.
        self._several = False
        self._over = False

    def start(self) -> None:
        """Begin; a unix path is tried before this returns, and a look-up function is called."""
        request = self._request
        version = is_ip(request.host)
        if request.path is not None:
            self._connect_path(request.path)
        elif version:
            self._socket._tick(self._connect_single, Candidate(request.host, version))
        else:
            self._look_up()

    @property
    def is_local(self) -> bool:
        """Whether it leads to a unix socket."""
        return self._request.path is not None

    def local(self) -> str | None:
        """Return where the newest attempt comes from, as Node's texts have it; None for none."""
        return self._attempts[-1].local() if self._attempts else None

    def abandon(self) -> None:
        """Give up: the socket was destroyed. Where there are several, attempts have failed then."""
        for attempt in self._attempts:
            if self._several and attempt.has_begun and attempt.candidate is not None:
                self._socket._later(
                    self._emit, 'connectionAttemptFailed', attempt.candidate.address,
                    self._request.port, attempt.candidate.family,
                    self._failure(attempt, errno.ECANCELED, None))
        self.cancel()

    def cancel(self) -> None:
        """Give up: the socket was destroyed, or has its connection."""
        self._over = True
        close_watcher(self._timer)
        self._timer = None
        for attempt in self._attempts:
            attempt.close()
        self._attempts.clear()
        self._waiting.clear()
        if self._resolving is not None:
            self._resolving.kill(block=False)
            self._resolving = None

    # --- look-up ----------------------------------------------------------------------------------

    def _look_up(self) -> None:
        request = self._request
        wants_all = (
            request.auto_select_family and not request.family and request.local_address is None
        )
        if request.lookup is None:
            self._resolving = look_up(
                self._socket._loop, request.host,
                self._found_all if wants_all else self._found_first,
                family=FAMILIES.get(request.family, 0), hints=request.hints,
                context=self._socket.context)
            return
        options: dict[str, Any] = {
            'family': request.family_for_lookup, 'hints': request.hints}
        if wants_all:
            options['all'] = True
        answered: list[bool] = []

        def answer(error: Any = None, found: Any = None, family: Any = None) -> None:
            if answered or self._over:
                return  # a second answer would start a second connection on this socket
            answered.append(True)
            took: tuple[Any, ...] = (
                (self._found_all, error, found) if wants_all
                else (self._found_one, error, found, family)
            )
            if getcurrent() is self._socket._loop.hub:
                self._socket._tick(*took)  # listeners may block
            else:
                took[0](*took[1:])

        request.lookup(request.host, options, answer)

    def _found_first(self, error: Any, found: Any) -> None:
        """The resolver has answered, where a single address is wanted."""
        self._found_one(error, *(found[0] if found else (None,)))

    def _found_one(self, error: Any, address: Any, family: Any = None) -> None:
        """The look-up of a single address has answered."""
        if self._over:
            return
        host = self._request.host
        if truthy(error):
            self._look_up_failed(error)
            return
        self._emit('lookup', None, address, family, host)
        if self._over:
            return
        failure = self._unusable(address, family)
        if failure is not None:
            self._socket._tick(self._fail, failure)
            return
        self._socket._touch()
        self._connect_single(Candidate(address, family))

    def _found_all(self, error: Any, found: Any) -> None:
        """The look-up of all addresses has answered."""
        if self._over:
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
            if self._over:
                return
        valid = [Candidate(*pair) for pair in pairs if self._unusable(*pair) is None]
        if not valid:
            self._socket._tick(self._fail, self._unusable(*pairs[0]))
            return
        self._socket._touch()
        candidates = interleave(valid)
        if len(candidates) == 1:
            self._connect_single(candidates[0])
            return
        self._several = True
        self._socket.auto_select_family_attempted_addresses = []
        self._waiting = candidates
        self._connect_next()

    def _look_up_failed(self, error: Any) -> None:
        self._emit('lookup', error, None, None, self._request.host)
        self._socket._tick(self._fail, error)

    def _unusable(self, address: Any, family: Any) -> BaseException | None:
        """Return what is wrong with an answer of the look-up, or None."""
        if not isinstance(address, str) or not is_ip(address):
            return coded_errors.invalid_ip_address(address)
        if family not in (4, 6):
            return coded_errors.invalid_address_family(
                family, self._request.host, self._request.port)
        return None

    # --- one candidate ----------------------------------------------------------------------------

    def _connect_path(self, path: str) -> None:
        self._emit('connectionAttempt', path, None, None)
        if self._over:
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

    def _connect_single(self, candidate: Candidate) -> None:
        if self._over:
            return
        try:
            attempt = self._prepare(candidate)
        except OSError as error:
            self._fail(_without_frames(error))
            return
        self._emit('connectionAttempt', candidate.address, self._request.port, candidate.family)
        if self._over:
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
        attempt = Attempt(candidate, family)
        self._attempts.append(attempt)
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
            any_address = '0.0.0.0' if candidate.family == 4 else '::'
            address = request.local_address or any_address
            try:
                attempt.sock.setsockopt(_socket.SOL_SOCKET, _socket.SO_REUSEADDR, 1)
                attempt.sock.bind(system_name(address, int(request.local_port), family))
            except (OSError, OverflowError) as error:
                # An address of the other family, or what is no port: EINVAL in Node, too.
                known = isinstance(error, OSError) and not isinstance(error, _socket.gaierror)
                number = error.errno if known else errno.EINVAL  # type: ignore[union-attr]
                self._attempts.remove(attempt)
                attempt.close()
                raise system_errors.connect_error(
                    number or errno.EINVAL, 'bind', address, _as_port(request.local_port),
                ) from error
        return attempt

    def _connect(self, attempt: Attempt, candidate: Candidate) -> int:
        """Call connect(2) and return its error number."""
        try:
            name = system_name(
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
            attempt.watcher = self._socket._loop.io(attempt.sock.fileno(), WRITE)
            attempt.watcher.start(self._settled_in_hub, attempt)
        else:
            # A unix socket has it at once. As in Node, the ticks of who called come before it.
            self._socket._later(self._settled_at_once, attempt, number)

    def _settled_at_once(self, attempt: Attempt, number: int) -> None:
        if not number and attempt in self._attempts:
            # The listener may have been closed meanwhile.
            number = attempt.sock.getsockopt(_socket.SOL_SOCKET, _socket.SO_ERROR)
        self._settled(attempt, number)

    def _settled_in_hub(self, attempt: Attempt) -> None:
        attempt.stop_watching()
        number = attempt.sock.getsockopt(_socket.SOL_SOCKET, _socket.SO_ERROR)
        self._socket._tick(self._settled, attempt, number)

    def _settled(self, attempt: Attempt, number: int) -> None:
        """An attempt has its outcome."""
        if self._over or attempt not in self._attempts:
            return
        self._attempts.remove(attempt)
        if not number:
            try:
                remote = attempt.sock.getpeername()
            except OSError:
                number = errno.ECONNRESET  # the peer has reset the connection already
        if number:
            self._attempt_failed(attempt, number)
            return
        self.cancel()  # the losers
        self._socket._established(attempt.sock, remote)

    def _attempt_failed(self, attempt: Attempt, number: int, local: str | None = None) -> None:
        request = self._request
        if local is None and request.local_address is not None and request.local_port:
            local = f'{request.local_address}:{request.local_port:g}'
        error = self._failure(attempt, number, local)
        attempt.close()
        if attempt.candidate is None:
            where: tuple[Any, ...] = (request.path, None, None)
        else:
            where = (attempt.candidate.address, request.port, attempt.candidate.family)
        if self._several:
            self._failures.append(error)
            self._emit('connectionAttemptFailed', *where, error)
            if not self._over:
                self._connect_next()
            return
        self._socket._attempt_has_failed()
        self._emit('connectionAttemptFailed', *where, error)
        self._fail(error)

    def _failure(
        self, attempt: Attempt, number: int, local: str | None,
    ) -> system_errors.NodeOSError:
        request = self._request
        if attempt.candidate is None:
            return system_errors.connect_error(number, 'connect', request.path, None, local)
        return system_errors.connect_error(
            number, 'connect', attempt.candidate.address, request.port, local)

    # --- several candidates -----------------------------------------------------------------------

    def _connect_next(self) -> None:
        """Try the next candidate; after the last, wait for those that are on their way."""
        close_watcher(self._timer)
        self._timer = None
        port = self._request.port
        while self._waiting and not self._over:
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
                self._failures.append(_without_frames(error))
                continue
            self._emit('connectionAttempt', *where)
            if self._over:
                return
            attempted = self._socket.auto_select_family_attempted_addresses
            assert attempted is not None
            attempted.append(f'{candidate.address}:{port}')
            number = self._connect(attempt, candidate)
            if number in (0, errno.ECONNREFUSED, *_IN_PROGRESS):
                self._began(attempt, number)
                if self._waiting:
                    # A listener that blocked may have let another failure come before this.
                    close_watcher(self._timer)
                    self._timer = self._socket._loop.call_after(
                        self._request.attempt_timeout / 1000, self._time_is_over, attempt)
            else:
                self._attempts.remove(attempt)
                self._attempt_failed(attempt, number, attempt.local())
            return
        if not self._over and not self._attempts:
            self._fail(system_errors.all_attempts_failed(self._failures))

    def _time_is_over(self, attempt: Attempt) -> None:
        """In the hub: the newest attempt has had its time."""
        self._socket._tick(self._attempt_timed_out, attempt)

    def _attempt_timed_out(self, attempt: Attempt) -> None:
        if self._over or attempt not in self._attempts or attempt.candidate is None:
            return
        self._emit(
            'connectionAttemptTimeout', attempt.candidate.address, self._request.port,
            attempt.candidate.family,
        )
        if not self._over:
            self._connect_next()

    # --- outcome ----------------------------------------------------------------------------------

    def _fail(self, error: Any) -> None:
        if not self._over:
            self._socket.destroy(error)

    def _emit(self, event: str, *arguments: Any) -> None:
        self._socket._emit_guarded(event, *arguments)


def _without_frames(error: Any) -> Any:
    """Forget where *error* was raised: the frames have the socket that will have the error."""
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)


def _as_port(given: float) -> Any:
    """Return a local port as Node's texts have it: without a fraction of zero."""
    return int(given) if float(given).is_integer() else given
