"""A small HTTP server for those who ask for metrics: ``GET /metrics``, and nothing else."""

from __future__ import annotations

import logging
import re
import socket as _stdlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from gevent import Timeout

from ..node import coded_errors, system_errors
from ..node.http_hosts import check_host
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

#: Replaces what stands in front of the path of a URL.
_of_url = re.compile('^http://[^/?#]+', re.IGNORECASE).sub

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
            _send(sock, *_response(sock, write))
            sock.end()
            # What the peer still sends is taken: to close upon it would cost it the answer.
            while sock.recv(MAX_REQUEST):
                pass
        except OSError as error:
            _log.debug('%r: %s', sock, error)  # the peer is gone
    sock.destroy()  # also of a peer that keeps its side open: its time is over


def _response(sock: Socket, write: Write) -> tuple[int, str, bytes, bool]:
    """Read the request; return status, content type and body, and whether that is sent."""
    try:
        wants_openmetrics, has_body = _read_request(sock)
    except _RefusedError as refused:
        return _failure(refused.status)
    try:
        body = write(wants_openmetrics).encode()
    except Exception:
        _log.exception('Metrics could not be written')
        return _failure(500)
    return 200, OPENMETRICS_TYPE if wants_openmetrics else PROMETHEUS_TYPE, body, has_body


def _failure(status: int) -> tuple[int, str, bytes, bool]:
    return status, PROMETHEUS_TYPE, f'{_REASONS[status]}\n'.encode(), True


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
    method, target, version = words
    try:
        check_host(version, _values_of('host', fields))
    except ValueError as error:
        raise _RefusedError(400) from error
    # (Of a whole URL, as a proxy is asked, its path; it does not matter which host is meant.)
    if _of_url('', target).partition('?')[0] != '/metrics':
        raise _RefusedError(404)
    if method not in ('GET', 'HEAD'):
        raise _RefusedError(405)
    accepted = ''.join(_values_of('accept', fields))
    return 'application/openmetrics-text' in accepted.lower(), method == 'GET'


def _values_of(name: str, fields: list[str]) -> list[str]:
    parts = (field.partition(':') for field in fields)
    return [value.strip() for given, _, value in parts if given.lower() == name]


def _send(sock: Socket, status: int, content_type: str, body: bytes, has_body: bool) -> None:
    allow = 'Allow: GET, HEAD\r\n' if status == 405 else ''
    head = (
        f'HTTP/1.1 {status} {_REASONS[status]}\r\nContent-Type: {content_type}\r\n'
        f'Content-Length: {len(body)}\r\n{allow}Connection: close\r\n\r\n')
    sock.sendall(head.encode() + (body if has_body else b''))
