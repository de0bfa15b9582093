"""pywsgi's handler of a connection, on a :class:`gnet.Socket`, whose end is gnet's affair.

pywsgi closes the connection when it has answered for the last time; here the handler only returns,
and gnet ends it as any other, so that no answer is lost to a reset (``docs/architecture.md``, "who
ends a connection"). But it does not wait for the client's end for long.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from io import BytesIO
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol

from gevent import Timeout, pywsgi

from .framing import check_framing, read_fields
from .logs import log
from .target import read_target

__all__ = ['Handler', 'Serving']


class Serving(Protocol):
    """What a handler asks of what its server's connections share."""

    application: Any
    log: Any

    @property
    def given(self) -> Mapping[str, Any]:
        """What the environ of each request has, whatever is in the request."""

    def get_environ(self) -> dict[str, Any]:
        """Return the beginning of a request's environ."""

    @property
    def is_closing(self) -> bool:
        """Whether there is to be no request after the one that has come."""

    @property
    def patience(self) -> float | None:
        """Seconds that a connection may wait for its next request; None for ever."""

    def begins_to_wait(self, handler: Any) -> None:
        """*handler* waits for a request."""

    def waits_no_more(self, handler: Any) -> None:
        """It has one, or there will be none."""


#: Milliseconds that a client may be silent after the last answer without ending the connection.
#: Closed at once, one that still sends would be answered by a reset, before it has read the answer.
LINGER = 2000

if TYPE_CHECKING:
    class _Handler:
        """pywsgi's, as far as it is used here: its own types say less, and call bytes texts."""

        client_address: Any
        code: Any
        command: Any
        connection_upgraded: bool
        headers: Any
        provided_content_length: Any
        request_version: Any
        rfile: Any
        server: Any
        wsgi_input: Any

        def __init__(self, sock: Any, address: Any, server: Any) -> None: ...
        def MessageClass(self, *args: Any) -> Any: ...  # noqa: N802  # as below
        def _handle_client_error(self, ex: BaseException) -> Any: ...
        def _send_error_response_if_possible(self, error_code: int) -> None: ...
        def _write(self, data: bytes) -> None: ...
        def finalize_headers(self) -> None: ...
        def get_environ(self) -> dict[str, Any]: ...
        def handle_one_request(self) -> Any: ...
        def log_request(self) -> None: ...
        def read_request(self, raw_requestline: str) -> Any: ...
        def read_requestline(self) -> str: ...
        def run_application(self) -> None: ...
        def start_response(self, status: str, headers: Any, exc_info: Any = None) -> Any: ...
else:
    _Handler = pywsgi.WSGIHandler


class Handler(_Handler):
    """Serves one connection, request by request."""

    # Of pywsgi's, and set here as well.
    close_connection: bool
    path: str
    response_headers: list[tuple[bytes, bytes]]
    response_use_chunked: bool
    status: Any
    time_finish: float
    time_start: float

    #: An application may fail by a connection of its own, whose errors are no client's.
    ignored_socket_errors: tuple[int, ...] = ()

    def __init__(self, sock: Any, site: Serving) -> None:
        address = (
            '' if sock.remote_address is None else (sock.remote_address, sock.remote_port))
        super().__init__(sock, address, site)
        self._sock = sock
        self._site = site
        #: Whether there was a request, which may have been the last.
        self.has_answered: bool = False
        #: How many bytes had been read when it began to wait for a request.
        self._read_before = 0
        #: How many bytes of the answer are still to come by its Content-Length; None without one.
        self._left: int | None = None
        #: What silence is a fault, in milliseconds; while a request is waited for it is none.
        self._read_timeout = sock.read_timeout

    def handle(self) -> None:
        """Serve requests until either side has had enough."""
        sock = self._sock
        file = self.rfile
        try:
            while True:
                self.time_start = time.time()
                self.time_finish = 0
                outcome = self.handle_one_request()
                if outcome is None:
                    return
                self.has_answered = True
                if outcome is not True:
                    # It is no HTTP, and this is the answer to it.
                    self.status, answer = outcome
                    sock.sendall(answer)
                    self.time_finish = time.time()
                    self.log_request()
                    return
        finally:
            file.close()
            sock.set_timeout(LINGER, sock.destroy)

    # --- waiting for requests ---------------------------------------------------------------------

    def read_requestline(self) -> str:
        """Return the first line of a request; an empty text if there is to be none."""
        site, sock = self._site, self._sock
        if self.has_answered and site.is_closing:
            return ''
        self._read_before = sock.bytes_read
        patience = site.patience
        # (There is one limit at a time: that of gnet counts as a failure of the peer.)
        is_longer = self._read_timeout is not None and (
            patience is None or patience * 1000 >= self._read_timeout)
        if is_longer:
            sock.read_timeout = None
        sock.settimeout(patience)
        site.begins_to_wait(self)
        try:
            line: str = super().read_requestline()
        finally:
            site.waits_no_more(self)
        sock.settimeout(None)
        if is_longer:
            sock.read_timeout = self._read_timeout
        return line

    def close_if_idle(self) -> None:
        """Close the connection if nothing of a request has come. It is waiting for one."""
        if self._sock.bytes_read == self._read_before:
            self._sock.destroy_soon()

    # --- requests ---------------------------------------------------------------------------------

    def MessageClass(self, *args: Any) -> Any:  # noqa: N802  # pywsgi calls it so
        """Read the fields of a request, and return them parsed."""
        headers = super().MessageClass(BytesIO(read_fields(self.rfile)))
        check_framing(self.request_version, headers)
        return headers

    def read_request(self, raw_requestline: str) -> bool:
        """Read the head of a request; a ValueError is the client's fault."""
        try:
            super().read_request(raw_requestline)
        except IndexError:
            raise ValueError(f'no HTTP: {raw_requestline[:100]!r}') from None
        headers = self.headers
        self.path, host = read_target(self.command, self.path)
        if host is not None:
            del headers['Host']
            headers['Host'] = host
        # It would become HTTP_PROXY, which is what environment variables say where a program is to
        # send its own requests, and CGI made one of the other ("httpoxy").
        del headers['Proxy']
        options = headers.get('Connection', '').lower().split(',')
        if 'close' in map(str.strip, options):
            self.close_connection = True
        return True

    def _connection_upgrade_requested(self) -> bool:
        # Whoever asks for it: the input of an application ends with the body, and not with the
        # connection, on which the next request would be taken for a part of it.
        return False

    def get_environ(self) -> dict[str, Any]:
        """Return the environ of the request that was read, with what gnet knows of its client."""
        environ: dict[str, Any] = super().get_environ()
        environ.update(self._site.given)
        sock = self._sock
        environ.setdefault('REMOTE_ADDR', '')  # by a unix socket; many take it for granted
        environ['gnet.socket'] = sock
        secure = _security(sock)
        environ.setdefault('wsgi.url_scheme', 'http' if secure is None else 'https')
        if secure is not None:
            for name, value in secure.items():
                environ.setdefault(name, value)
        # Neither may be empty (PEP 3333), also where there is a path, or nothing is known.
        environ.setdefault('SERVER_NAME', sock.local_address or 'localhost')
        environ.setdefault(
            'SERVER_PORT', str(sock.local_port or (80 if secure is None else 443)))
        return environ

    def run_application(self) -> None:
        """Have the request answered."""
        try:
            super().run_application()
        except OSError as error:
            # pywsgi looks at the first of them, without a look whether there is one.
            error.args = error.args or (type(error).__name__,)
            raise
        if self._left:
            log.error('%s: its answer lacks %d bytes of its Content-Length', self._request(),
                      self._left)
            self.close_connection = True

    # --- answers ----------------------------------------------------------------------------------

    def start_response(
        self, status: str, headers: Any, exc_info: Any = None,
    ) -> Any:
        """As PEP 3333 has it."""
        write = super().start_response(status, headers, exc_info)
        length = self.provided_content_length
        if length is not None and not (length.isascii() and length.isdigit()):
            raise ValueError(f'this is no Content-Length: {length!r}')
        return write

    def finalize_headers(self) -> None:
        """Complete the head of an answer."""
        super().finalize_headers()
        length = self.provided_content_length
        self._left = None if length is None or self.code in (204, 304) else int(length)
        if self.command == 'HEAD':
            self._left = None
            self.response_use_chunked = False  # what was said is of the answer to GET
            if length is None:
                # It was counted, of what is perhaps not there because it was HEAD.
                self._drop(b'content-length')
        asked = self.wsgi_input
        if asked.socket is not None:
            # The client waits with its body for leave, which was not given, and is not any more.
            # It may send it or not: what comes next is uncertain.
            asked.socket = asked.content_length = None
            asked.chunked_input = False
            self.close_connection = True
        if (self.close_connection or self._site.is_closing) and not self.connection_upgraded:
            self.close_connection = True
            self._drop(b'connection')
            self.response_headers.append((b'Connection', b'close'))

    def _drop(self, name: bytes) -> None:
        self.response_headers = [
            each for each in self.response_headers if each[0].lower() != name]

    def _write(self, data: bytes) -> None:
        if self.command == 'HEAD':
            return  # it has no body, whatever the application thinks
        if self._left is not None:
            if len(data) > self._left:
                log.error('%s: its answer is longer than its Content-Length, and is cut',
                          self._request())
                data = data[:self._left]
                self.close_connection = True
            self._left -= len(data)
        super()._write(data)

    # --- what goes wrong --------------------------------------------------------------------------

    def handle_error(self, t: Any, v: Any, tb: TracebackType | None) -> None:
        """Answer for an application that has failed. (pywsgi calls it so, in an ``except``.)"""
        if not isinstance(v, (Exception, Timeout)):
            raise v  # killed, or the end of the program
        if isinstance(v, OSError) and (self._sock.destroyed or _is_truncation(v)):
            self.close_connection = True
            log.info('%s left in the midst of %s: %s', self._who(), self._request(), v)
            if not self._sock.destroyed:
                self._send_error_response_if_possible(400)
            return
        log.error('%s of %s failed', self._request(), self._who(), exc_info=(t, v, tb))
        self._send_error_response_if_possible(500)

    def _handle_client_error(self, ex: BaseException) -> Any:
        if isinstance(ex, OSError) and self._sock.destroyed:
            log.info('%s left in the midst of a request: %s', self._who(), ex)
            return None
        if not isinstance(ex, (OSError, ValueError)):
            # Nothing that a client should be able to cause.
            log.error('a request of %s could not be read', self._who(), exc_info=ex)
            ex = ValueError(str(ex))
        return super()._handle_client_error(ex)

    def log_error(self, msg: str, *args: Any) -> None:
        """Note what is a client's fault."""
        log.info(msg, *args)

    def log_request(self) -> None:
        """Write a line of the request log, if there is one."""
        if self.server.log is not None:
            super().log_request()

    def _who(self) -> str:
        address = self.client_address
        return f'{address[0]}:{address[1]}' if isinstance(address, tuple) else 'a client'

    def _request(self) -> str:
        return f'{self.command} {self.path}'


def _is_truncation(error: OSError) -> bool:
    """Whether pywsgi says by *error* that the client has ended before its body was complete."""
    return error.errno is None and str(error).startswith('unexpected end of file')


def _security(sock: Any) -> dict[str, str] | None:
    """Return what environ says of TLS, in the names of Apache's; None if there is none.

    It may end here, or at a proxy that says so.
    """
    if getattr(sock, 'encrypted', False):
        return {
            'HTTPS': 'on',
            'SSL_PROTOCOL': sock.get_protocol() or '',
            'SSL_CIPHER': (sock.get_cipher() or {}).get('name', ''),
            'SSL_CLIENT_VERIFY': _verdict(
                bool(sock.get_peer_certificate()), sock.authorized),
        }
    told = None if sock.proxy is None else sock.proxy.ssl
    if told is None or not told.encrypted:
        return None
    return {
        'HTTPS': 'on',
        'SSL_PROTOCOL': told.version or '',
        'SSL_CIPHER': told.cipher or '',
        'SSL_CLIENT_VERIFY': _verdict(told.certificate, told.verified),
        **({'SSL_CLIENT_S_DN_CN': told.common_name} if told.common_name else {}),
    }


def _verdict(has_certificate: bool, is_verified: bool) -> str:
    if not has_certificate:
        return 'NONE'
    return 'SUCCESS' if is_verified else 'FAILED'
