"""Servers that are given what listens already: a socket, gevent's server, another's acceptor."""

from __future__ import annotations

import _socket
import errno
from typing import Any

from ..loop.loop import Loop
from ..node import coded_errors, system_errors
from .acceptor import Accepting, Acceptor
from .listener import adopt

__all__ = ['take_over']


def take_over(loop: Loop, given: Any, backlog: int, intake: Accepting) -> Acceptor:
    """Return the acceptor that gives a server the connections of something that listens already.

    Args:
        loop: that of the server.
        given: another server's :class:`Acceptor`, which both share from now on; a gevent server,
            started or not, which accepts no longer and is closed together with ours; or what
            :func:`gnet.servers.listener.adopt` takes.
        backlog: connections that wait to be accepted.
        intake: who gets the connections.

    Raises:
        CodedTypeError: ``ERR_INVALID_ARG_VALUE`` for what speaks TLS, which would be lost, and for
            a server of another thread.
        NodeOSError, LookupFailure: the system refuses.
    """
    if getattr(given, 'ssl_enabled', False) or hasattr(given, 'do_handshake'):
        raise coded_errors.invalid_arg_value('handle', given, 'must not be one with TLS')
    if not hasattr(given, 'stop_accepting'):
        return Acceptor(loop, adopt(given, backlog), intake)
    if given.loop is not loop.native:
        raise coded_errors.invalid_arg_value('handle', given, 'belongs to another thread')
    if isinstance(given, Acceptor):
        given.listener.relisten(backlog)
        given.intake = intake
        return given
    if given.closed:
        _bind(given)
    listener = adopt(given.socket, backlog)
    given.stop_accepting()
    # Its pool, and its own start(), would begin to accept again.
    given.start_accepting = given.stop_accepting
    listener.closers.append(given.close)
    return Acceptor(loop, listener, intake)


def _bind(given: Any) -> None:
    """Have a gevent server that was not started make its listening socket."""
    host, port = given.address[:2] if isinstance(given.address, tuple) else (None, -1)
    if not hasattr(given, 'handle'):
        # It was stopped, after which gevent can not start it again.
        raise system_errors.listen_error(errno.EINVAL, host, port)
    try:
        given.init_socket()
    except (_socket.gaierror, UnicodeError) as error:
        raise system_errors.lookup_error(error, str(host)) from error
    except OSError as error:
        raise system_errors.listen_error(error.errno or errno.EINVAL, host, port) from error
