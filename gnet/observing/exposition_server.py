"""A small HTTP server for those who ask for metrics: ``GET /metrics``, and nothing else."""

from __future__ import annotations

import logging
import socket as _stdlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from gevent import Timeout

from ..node import coded_errors, system_errors
from ..node.validators import validate_port
from ..servers.roster import roster
from ..servers.server import Server
from .text_formats import OPENMETRICS_TYPE, PROMETHEUS_TYPE

if TYPE_CHECKING:
    from ..sockets.socket import Socket

__all__ = ['MAX_CONNECTIONS', 'MAX_REQUEST', 'PATIENCE', 'serve']

_log = logging.getLogger('gnet.metrics')

#: Bytes of a request's head. That of Prometheus has 300.
MAX_REQUEST = 8192

#: Seconds from the connection to the end of the answer, which is what Prometheus waits by default.
PATIENCE = 10.0

#: Who may ask at a time; the others are dropped. There are one or two.
MAX_CONNECTIONS = 32

_REASONS = {
    200: 'OK', 400: 'Bad Request', 404: 'Not Found', 405: 'Method Not Allowed',
    431: 'Request Header Fields Too Large', 500: 'Internal Server Error',
}

#: Returns a text of OpenMetrics, if that is asked for, or one of Prometheus's own format.
Write = Callable[[bool], str]


class _RefusedError(Exception):
    """A request that has no metrics for an answer: the status."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def serve(write: Write, port: Any, host: Any, hide: Callable[[Server], object]) -> Server:
    """Serve what *write* returns; the server listens when this returns.

    Args:
        write: makes the text.
        port: 0 is any free one.
        host: a name or an address.
        hide: called with the server before it listens.

    Raises:
        OSError: what listening has failed with, with Node's ``code``.
        CodedTypeError, CodedValueError: *port* or *host* makes no sense.
    """
    number = validate_port('port', port)
    if not isinstance(host, str) or not host:
        raise coded_errors.invalid_arg_type('host', 'a host name or an IP address', host)
    server = Server(lambda sock: _answer(sock, write))
    server.max_connections = MAX_CONNECTIONS
    hide(server)
    server.listen(_listening_socket(host, number))
    # It serves whoever watches the program, and is no reason for the program to live, nor to be
    # drained: it can be asked until the end.
    server.unref()
    roster.servers.pop(server, None)
    return server


def _listening_socket(host: str, port: int) -> Any:
    """Return one of the standard library: what it fails with is known at the call."""
    try:
        family, kind, protocol, _, address = _stdlib.getaddrinfo(
            host, port, type=_stdlib.SOCK_STREAM, flags=_stdlib.AI_PASSIVE)[0]
    except (_stdlib.gaierror, UnicodeError) as error:
        raise system_errors.lookup_error(error, host) from error
    sock = _stdlib.socket(family, kind, protocol)
    try:
        sock.setsockopt(_stdlib.SOL_SOCKET, _stdlib.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.listen(MAX_CONNECTIONS)
    except OSError as error:
        sock.close()
        raise system_errors.listen_error(error.errno or 0, host, port) from error
    return sock


def _answer(sock: Socket, write: Write) -> None:
    """Answer one request, in the greenlet of its connection."""
    sock.on('error', lambda error: _log.debug('%r: %s', sock, error))
    with Timeout(PATIENCE, False):  # type: ignore[arg-type]  # it raises nothing then
        try:
            wants_openmetrics, has_body = _read_request(sock)
            text = write(wants_openmetrics)
            content_type = OPENMETRICS_TYPE if wants_openmetrics else PROMETHEUS_TYPE
            _send(sock, 200, content_type, text, has_body)
        except _RefusedError as refused:
            _send(sock, refused.status, PROMETHEUS_TYPE, f'{_REASONS[refused.status]}\n', True)
        except OSError as error:
            _log.debug('%r: %s', sock, error)  # the peer is gone
        except Exception:
            _log.exception('Metrics could not be written')
            _send(sock, 500, PROMETHEUS_TYPE, f'{_REASONS[500]}\n', True)
        return
    sock.destroy()  # its time is over


def _read_request(sock: Socket) -> tuple[bool, bool]:
    """Return whether OpenMetrics is asked for, and whether more than the head."""
    data = b''
    while b'\r\n\r\n' not in data:
        if len(data) > MAX_REQUEST:
            raise _RefusedError(431)
        chunk = sock.recv(MAX_REQUEST)
        if not chunk:
            raise _RefusedError(400)
        data += chunk
    head = data[:data.index(b'\r\n\r\n')]
    if len(head) > MAX_REQUEST:
        raise _RefusedError(431)
    request, *fields = head.decode('latin-1').split('\r\n')
    words = request.split(' ')
    if len(words) != 3 or not words[2].startswith('HTTP/1.'):
        raise _RefusedError(400)
    method, target, _ = words
    if target.partition('?')[0] != '/metrics':
        raise _RefusedError(404)
    if method not in ('GET', 'HEAD'):
        raise _RefusedError(405)
    accepted = ''.join(
        value for name, _, value in (field.partition(':') for field in fields)
        if name.lower() == 'accept')
    return 'application/openmetrics-text' in accepted.lower(), method == 'GET'


def _send(sock: Socket, status: int, content_type: str, text: str, has_body: bool) -> None:
    body = text.encode()
    allow = 'Allow: GET, HEAD\r\n' if status == 405 else ''
    head = (
        f'HTTP/1.1 {status} {_REASONS[status]}\r\nContent-Type: {content_type}\r\n'
        f'Content-Length: {len(body)}\r\n{allow}Connection: close\r\n\r\n')
    try:
        sock.sendall(head.encode() + (body if has_body else b''))
    except OSError as error:
        _log.debug('%r: %s', sock, error)  # the peer is gone
