"""``gnet.tls.connect``: a connection to a TLS server, or TLS on a connection that exists."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..node import coded_errors
from ..node.keywords import check_keywords
from ..node.values import truthy
from ..options.connect import CONNECT_OPTIONS
from ..options.shapes import normalize_arguments
from ..sockets.socket import Socket
from .socket import TLS_SOCKET_OPTIONS, TLSSocket

__all__ = ['connect', 'secure', 'start_tls']

_KEYWORDS = (TLS_SOCKET_OPTIONS | CONNECT_OPTIONS | {'callback', 'socket', 'timeout'}) - {
    'is_server', 'server'}


def connect(*args: Any, **keywords: Any) -> TLSSocket:
    """Connect, and speak TLS; returns the socket at once. `'secureConnect'` tells of success.

    The forms, each of which may be followed by a callback for `'secureConnect'`::

        connect(port, host='localhost', options=None)
        connect(path, options=None)
        connect(options)            a mapping, in either spelling; or the same as keywords

    Event style::

        sock = gnet.tls.connect(443, 'example.org', lambda: sock.write('hello'))

    and blocking style, in which each call waits for the handshake, and raises its failure::

        with gnet.tls.connect(443, 'example.org') as sock:
            sock.sendall(b'hello')

    The server is verified in the handshake, and the name in its certificate right after it, before
    anything is sent: it must be that of *servername*, else that of *host*.

    Args:
        args: as above; options win over port, host and path.
        keywords: all options of :func:`gnet.connect`, those of
            :func:`gnet.tls.create_secure_context` or in their place *secure_context*, and:

            - socket: a connected :class:`gnet.Socket` to speak TLS on, which must not be used any
              more; host, port and path are not connected to then.
            - servername: what is asked for (SNI), and whose certificate is expected. By default
              the host, if it is a name.
            - reject_unauthorized: refuse a server that cannot be verified (True).
            - check_server_identity: a function that is told the name and the certificate, and
              returns an error or None; :func:`gnet.tls.check_server_identity` by default.
            - alpn_protocols: a list of names to offer.
            - session: what ``get_session()`` of an earlier connection has returned.
            - strict_end: an end without a farewell (close_notify) is a failure (False).
            - timeout: as of :func:`gnet.connect`.

    Raises:
        CodedTypeError, CodedValueError: for arguments that make no sense; for what Python's ``ssl``
            cannot do ``ERR_FEATURE_UNAVAILABLE_ON_PLATFORM``.
        TLSError, OSError: for keys and certificates that cannot be used.
        TypeError: for a keyword that is no option; in a mapping it is ignored, as in Node.
    """
    check_keywords('connect', keywords, _KEYWORDS)
    args, more = _split(args)
    given, callback = normalize_arguments(args, {**more, **keywords})
    if args and isinstance(args[0], (list, tuple)):
        raise coded_errors.missing_args('options', 'port', 'path')
    below = given.pop('socket', None)
    if below is not None and given.get('proxy_protocol') is not None:
        raise coded_errors.invalid_arg_value(
            'options.proxyProtocol', given['proxy_protocol'],
            'is for connections to be made: say it where the one of options.socket is')
    if below is None and given.get('port') is None and not truthy(given.get('path')):
        if 'port' not in given:
            raise coded_errors.missing_args('options', 'port', 'path')
        raise coded_errors.invalid_arg_type(
            'options.port', 'one of type number or string', given['port'])
    sock = TLSSocket(below, given)
    try:
        if callback is not None:
            sock.once('secureConnect', callback)
        if below is None:
            if truthy(given.get('timeout')):
                sock.set_timeout(given['timeout'])
            Socket.connect(sock, given)
    except BaseException:
        sock.destroy()  # nobody has it: its timer and its link to a signal shall not stay
        raise
    return sock


def start_tls(
    sock: Any, context: Any = None, *, server_side: bool = False,
    server_hostname: str | None = None, **options: Any,
) -> TLSSocket:
    """Speak TLS on *sock* from now on, and block until the handshake is done.

    As :meth:`gnet.Socket.start_tls`, for any duplex stream of Node's interface, too.
    """
    check_keywords('start_tls', options, TLS_SOCKET_OPTIONS - {'is_server'})
    given = dict(options)
    if context is not None:
        given['secure_context'] = context
    if server_hostname is not None:
        given['servername'] = server_hostname
    return secure(sock, {**given, 'is_server': server_side})


def secure(sock: Any, options: Mapping[str, Any], *, waits: bool = True) -> TLSSocket:
    """Return the :class:`TLSSocket` of *options* on *sock*, when its handshake is done.

    Without *waits*, at once.
    """
    secured = TLSSocket(sock, options)
    if waits:
        try:
            secured.do_handshake()
        except BaseException:
            secured.destroy()  # nobody has it
            raise
    return secured


def _split(args: tuple[Any, ...]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Take the mapping of options out of ``(port, host, options, callback)``."""
    for index, value in enumerate(args):
        if index and isinstance(value, Mapping):
            return (*args[:index], *args[index + 1:]), dict(value)
    return args, {}
