"""``gnet.wsgi.serve``: a server of a WSGI application, in one call."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ..node.coded_errors import out_of_range
from ..node.spelling import snake_options
from ..node.validators import validate_function, validate_number
from ..node.values import MAX_INT32
from ..options.server import SERVER_OPTIONS
from ..servers.server import Server
from ..servers.serving import serve_by
from .site import Site, environ_of, request_log_of

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .typed_options import WSGIServeKeywords

__all__ = ['WSGIServer', 'serve']

#: Milliseconds that a client may keep its connection without asking for anything. Browsers come
#: back for the next page in less; what balancers keep open is theirs to close.
KEEP_ALIVE_TIMEOUT = 30_000

#: What is set where the options do not say. A client that is silent in the midst of a request, or
#: takes nothing of its answer, would have a greenlet, and perhaps a connection to a database, for
#: ever. And no answer is to wait for an acknowledgement.
DEFAULTS: dict[str, Any] = {'no_delay': True, 'read_timeout': 60_000, 'write_timeout': 60_000}

#: With one of these it is TLS.
_OF_TLS = ('cert', 'key', 'pfx', 'secure_context')


def serve(
    application: Callable[..., Iterable[bytes]], port: int | str | None = 0,
    host: str | None = '127.0.0.1', **options: Unpack[WSGIServeKeywords],
) -> Server:
    """Serve a WSGI application: return a server that listens, or raise why it can not.

    As :func:`gnet.serve`, of which it has all options, for an application in place of a handler. It
    is called in the greenlet of the connection, and may wait. When the server is closed, by
    whatever means (``stop()``, SIGTERM, a worker that is replaced), requests that have come are
    answered, and connections that wait for another one are closed.

    Args:
        application: as PEP 3333 has it: ``application(environ, start_response)``.
        port: 0 (the default) is any free one.
        host: the name or address to listen on; None is every address.
        options: all of :func:`gnet.serve`, in either spelling; with ``ssl_context``, or ``key`` and
            ``cert``, those of :func:`gnet.tls.serve`, which it is then. And:

            - keep_alive_timeout: milliseconds that a connection may wait for its next request, or
              for its first one (30000); 0 and None: for ever.
            - environ: a mapping of what each request's environ has besides, or instead.
            - request_log: a :class:`logging.Logger`, which gets a line for each request on the
              level INFO, or a file to write them to (None: they are not written).

            ``no_delay`` is True, and ``read_timeout`` and ``write_timeout`` are a minute, unless
            they are given.

    Raises:
        OSError, CodedTypeError, CodedValueError, TypeError, AbortError, RuntimeError: as
            :func:`gnet.serve`; ``ERR_INVALID_ARG_TYPE`` also for what is no application, and
            ``ERR_OUT_OF_RANGE`` for a time that is none.
    """
    validate_function('application', application)
    named = {**DEFAULTS, **snake_options(options)}
    site = Site(
        application, _seconds(named.pop('keep_alive_timeout', KEEP_ALIVE_TIMEOUT)),
        environ_of(named.pop('environ', None)), request_log_of(named.pop('request_log', None)))
    context = named.pop('ssl_context', None)
    if context is not None:
        named['secure_context'] = context
    if any(named.get(name) is not None for name in _OF_TLS):
        from .secure import ALL_OPTIONS, SecureWSGIServer  # which imports ssl

        return serve_by(
            lambda own, handler: SecureWSGIServer(site, own, handler), ALL_OPTIONS, site.serve,
            port, host, named)
    return serve_by(
        lambda own, handler: WSGIServer(site, own, handler), SERVER_OPTIONS, site.serve, port,
        host, named)


def _seconds(msecs: Any) -> float | None:
    """Return the seconds of an option in milliseconds; None for no limit."""
    if msecs is None:
        return None
    number = validate_number('keepAliveTimeout', msecs)
    if not 0 <= number <= MAX_INT32:
        raise out_of_range('keepAliveTimeout', f'>= 0 && <= {MAX_INT32}', msecs)
    return number / 1000 or None


class WSGIServer(Server):
    """A :class:`gnet.Server` whose connections ask an application."""

    __slots__ = ('_site',)

    def __init__(self, site: Site, options: Mapping[str, Any], handler: Any) -> None:
        self._site = site
        super().__init__(options, handler)

    def listen(self, *args: Any, **keywords: Any) -> WSGIServer:
        """As of :class:`gnet.Server`."""
        super().listen(*args, **keywords)
        self._site.open()
        return self

    def close(self, callback: Callable[..., object] | None = None) -> WSGIServer:
        """As of :class:`gnet.Server`; connections that wait for a request are closed, too."""
        super().close(callback)
        self._site.close()
        return self
