"""One connection's handshake: how it begins, what it is told by the wire, and what follows.

The wire tells in the hub; what the program is told, and what it is asked, happens in a runner. One
of these exists for each connection until its handshake is over, or the connection is closed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from ..loop.agenda import EXITS
from ..node import system_errors
from .agreement import peer_certificate
from .certificates import peer_chain
from .engine import Engine
from .errors import library_error
from .options import TLSConnectOptions
from .verdict import verdict
from .wire import TlsWire

__all__ = ['ClientHandshake', 'Handshake', 'note_agreement', 'verify_failure']

_Made = TypeVar('_Made')


class Handshake:
    """What both ends have in common.

    Args:
        sock: the :class:`.socket.TLSSocket`.
        wire: its wire.
    """

    # inside (for all of these classes): a handshake is a part of its socket, for a while
    __slots__ = ('_begun', '_loop', '_sock', '_wire', 'cut', 'failure')

    def __init__(self, sock: Any, wire: TlsWire) -> None:
        self._sock = sock
        self._wire = wire
        self._loop = wire.schedule
        self._begun = self._loop.now()
        #: What it has failed with.
        self.failure: BaseException | None = None
        #: What it was cut off with, if the stream is to hear of the end first.
        self.cut: BaseException | None = None
        wire.handshake = self

    def _tick(self, callback: Callable[..., object], *arguments: Any) -> None:
        self._loop.tick(callback, *arguments, context=self._wire.context)

    def _consult(
        self, answered: Callable[[Any], _Made], raised: Callable[[BaseException], _Made],
        callback: Callable[..., Any], *arguments: Any,
    ) -> _Made:
        """Call what the program was made to be asked by. Runs in a runner; it may block.

        Returns:
            What *answered* makes of its answer, or *raised* of what it has raised. (What ends a
            greenlet or the program costs the connection, and goes on.)
        """
        try:
            answer = callback(*arguments)
        except EXITS:
            self._sock.destroy()
            raise
        except BaseException as error:
            return raised(without_own_frame(error))
        return answered(answer)

    def hear(self, ciphertext: bytes) -> None:
        """Only a server listens before it begins."""
        raise AssertionError('a client begins by itself')

    @property
    def duration(self) -> float:
        """Seconds since it has begun."""
        seconds: float = self._loop.now() - self._begun
        return seconds

    def close(self) -> None:
        """The wire was closed."""

    def failed(self, error: BaseException) -> None:
        """The handshake has failed."""
        self.failure = error
        self._sock.destroy(error)

    def done(self) -> None:
        """The handshake is done. Each end has its own answer."""
        raise NotImplementedError

    def cut_off(self) -> None:
        """The peer has ended in the middle of it. Each end has its own answer."""
        raise NotImplementedError

    def closed(self) -> None:
        """The socket has emitted `'close'`, and the handshake was not done."""

    def is_heard(self) -> bool:
        """Whether somebody else than the socket is told of a failure."""
        return False


class ClientHandshake(Handshake):
    """A client's."""

    __slots__ = ('_options',)

    def __init__(self, sock: Any, wire: TlsWire, options: TLSConnectOptions) -> None:
        super().__init__(sock, wire)
        self._options = options

    def start(self) -> None:
        """Say hello."""
        try:
            engine = self._make_engine()
        except Exception as error:
            # A context of the program's that was changed since; a name that nobody can have.
            self._tick(self.failed, error)
        else:
            self._wire.begin(engine)

    def _make_engine(self) -> Engine:
        options = self._options
        context = options.context.client_context(
            verify=options.reject_unauthorized, alpn=options.alpn_protocols)
        hostname = options.servername or None
        if context.check_hostname:
            # A context of the program's, by which OpenSSL looks at the name, too.
            hostname = hostname or options.identity
        session = (
            None if options.session is None
            else options.session.fitting(context, options.identity))
        return Engine(context, server_side=False, server_hostname=hostname, session=session)

    def done(self) -> None:
        """The handshake is done."""
        self._tick(self._check)

    # inside: as above
    def _check(self) -> None:
        """Look at whose certificate it is; then let plain text pass. Runs in a runner."""
        sock, wire, options = self._sock, self._wire, self._options
        if wire.stream is None:
            return
        tls: Any = wire.object
        assert tls is not None
        verified = int(tls.context.verify_mode) != 0
        note_agreement(sock, tls)
        sock.servername = options.servername or False
        sock._say_secure()
        if wire.stream is None:
            return
        failure: Any = None
        if verified and tls.getpeercert(True) is None:
            # A cipher suite without any, which the program has asked for.
            failure = library_error('SSL', 'PEER_DID_NOT_RETURN_A_CERTIFICATE')
        elif not verified:
            chain = peer_chain(tls)
            failure = verdict(
                options.context, chain or own_certificate(tls), is_whole=bool(chain))
        if failure is None:
            # Of a resumed session, too, which Node does not: it may have been taken before it was
            # looked at, or when somebody looked less closely.
            failure = self._check_identity(tls)
        if wire.stream is None:
            return  # it has blocked until the socket was closed
        sock.authorized = failure is None
        if failure is not None:
            sock.authorization_error = getattr(failure, 'code', None) or str(failure)
            if options.reject_unauthorized:
                self.failure = failure
                tls = None  # an error that was raised may have this frame
                sock.destroy(failure)
                return
        failure = None  # as above
        wire.secure()
        sock._secured()

    def _check_identity(self, tls: Any) -> BaseException | None:
        """Return what is wrong with whose certificate it is, or None."""
        options = self._options
        certificate = peer_certificate(tls, detailed=True)
        # An error that is raised there has these frames, behind its own: a cycle, until somebody
        # collects it. OpenSSL's part of the memory, which no collector counts, goes at once.
        tls = None
        return self._consult(
            as_failure, as_failure, options.check_server_identity, options.identity, certificate)

    # inside: as above
    def cut_off(self) -> None:
        """The server has ended in the middle of it."""
        self.failure = disconnected(self._sock)
        self._sock._cut_off(self.failure)

    # inside: as above
    def failed(self, error: BaseException) -> None:
        """The handshake has failed."""
        self.failure = error
        self._sock.authorization_error = verify_failure(error)
        self._sock.destroy(error)


def without_own_frame(error: BaseException) -> BaseException:
    """Forget in which of our frames *error* was caught: that has who will have the error, a cycle.

    Those of what was called stay.
    """
    trace = error.__traceback__
    return error.with_traceback(None if trace is None else trace.tb_next)


def as_failure(failure: Any) -> BaseException | None:
    """Return what is wrong, as a check of an identity has returned it, or raised it."""
    if failure is None or isinstance(failure, BaseException):
        return failure
    return TypeError(
        f'check_server_identity() must return None or an error, not {type(failure).__name__}')


def verify_failure(error: BaseException) -> str | None:
    """Return the code of *error* if it is about a certificate, else None."""
    code = getattr(error, 'code', None)
    return code if hasattr(error, 'verify_code') and isinstance(code, str) else None


def own_certificate(tls: Any) -> list[bytes]:
    """Return the peer's own certificate alone, where Python does not tell of the others."""
    own = tls.getpeercert(True)
    return [] if own is None else [own]


def note_agreement(sock: Any, tls: Any) -> None:
    """Let *sock* know what its handshake has agreed upon."""
    sock.alpn_protocol = tls.selected_alpn_protocol() or False


def disconnected(sock: Any) -> BaseException:
    """Build the error of a client whose server has gone in the middle of the handshake."""
    error: Any = system_errors.hung_up(
        'Client network socket disconnected before secure TLS connection was established')
    target = sock._target  # inside: as above
    error.path, error.host = target.get('path'), target.get('host')
    error.port = target.get('port')
    return error  # type: ignore[no-any-return]


