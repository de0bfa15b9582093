"""``gnet.serve``: a server that listens when the call returns, in one call."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from gevent import getcurrent
from gevent.event import Event

from ..loop.loop import get_loop
from ..loop.signals import is_called_by_signal
from ..node.coded_errors import abort_error, path_as_port
from ..node.keywords import check_keywords
from ..node.spelling import snake_options
from ..node.validators import validate_function
from ..node.values import js_number
from ..options.listen import LISTEN_OPTIONS
from ..options.server import SERVER_OPTIONS
from .server import Server

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ..options.typed import ServeKeywords
    from ..sockets.socket import Socket

__all__ = [
    'serve',
    'serve_by',
]

#: Options that say what to listen on, instead of a port.
_INSTEAD_OF_PORT = frozenset({'_handle', 'fd', 'handle', 'path', 'systemd'})


def serve(
    handler: Callable[[Socket], object] | None, port: int | str | None = 0,
    host: str | None = '127.0.0.1', **options: Unpack[ServeKeywords],
) -> Server:
    """Serve connections: return a server that listens, or raise why it can not.

    ::

        server = gnet.serve(handler, 7000)
        print(server.address())
        gnet.run()

    The call blocks its greenlet, the main one included, while a name is looked up or a primary is
    asked; nobody else waits for it. It serves nothing by itself for ever: for that there is
    :func:`gnet.run`, ``server.serve_forever()``, or the end of the script. ``with gnet.serve(…):``
    stops the server at the end of the block.

    Args:
        handler: the listener of `'connection'`: called with each :class:`gnet.Socket`, in a
            greenlet of its own. None if listeners are added later.
        port: 0 (the default) is any free one.
        host: the name or address to listen on. By default this machine alone can connect; None is
            every address, IPv6 and IPv4.
        options: all of :func:`gnet.create_server` and of :meth:`.Server.listen`, in either
            spelling. With ``ssl_context`` it is :func:`gnet.tls.serve`. With *path*, *fd*,
            *handle* or *systemd* there is neither port nor host. When *signal* is set before the
            server listens, the call ends, too.

    Raises:
        OSError: what `'error'` would be emitted with: the port is taken (``code`` is
            ``'EADDRINUSE'``), the name is not found (``'ENOTFOUND'``), ….
        CodedTypeError, CodedValueError: an argument makes no sense (``ERR_INVALID_…``,
            ``ERR_SOCKET_BAD_PORT``).
        TypeError: a keyword is no option, or there is a port as well as a path.
        AbortError: *signal* is set (``ABORT_ERR``).
        RuntimeError: the call comes from the hub, or from a signal handler: nothing can wait there.
    """
    return serve_by(Server, SERVER_OPTIONS, handler, port, host, options)


def serve_by(
    make: Callable[..., Server], of_server: Iterable[str], handler: Any, port: Any, host: Any,
    options: Mapping[str, Any],
) -> Server:
    """Do what :func:`serve` does, with a server that *make* makes of the options *of_server*."""
    loop = get_loop()
    if getcurrent() is loop.hub or (loop.is_main and is_called_by_signal()):
        raise RuntimeError(
            'gnet.serve() waits until the server listens, which is not possible in the hub or in '
            'a signal handler: call it in a greenlet (gevent.spawn), or use server.listen()')
    check_keywords('serve', options, {*of_server} | LISTEN_OPTIONS)
    if handler is not None:
        validate_function('handler', handler)
    named = snake_options(options)
    server = make({name: named.pop(name) for name in {*of_server} & named.keys()}, handler)
    if named.get('systemd', True) in (None, False):
        del named['systemd']  # as if it were not there: systemd='LISTEN_FDS' in os.environ
    if _INSTEAD_OF_PORT & named.keys():
        if port != 0:
            raise TypeError('gnet.serve() takes a port, or one of path, fd, handle and systemd')
    elif _is_path(port):
        raise path_as_port(port)
    else:
        named.update(port=port, host=host)
    _listen(server, named)
    return server


def _is_path(port: object) -> bool:
    """Return whether what was given as a port is a path, as ``listen`` takes in the same place."""
    if isinstance(port, str):
        return math.isnan(js_number(port))
    return isinstance(port, (bytes, os.PathLike))


def _listen(server: Server, options: dict[str, Any]) -> None:
    """Return when *server* listens, or raise."""
    settled = Event()
    errors: list[BaseException] = []

    def failed(error: BaseException) -> None:
        errors.append(error)
        settled.set()

    done = settled.set
    server.on('listening', done).on('close', done).on('error', failed)
    try:
        server.listen(**options)
        settled.wait()
    except BaseException:
        server.close()
        raise
    finally:
        server.off('listening', done).off('close', done).off('error', failed)
    if errors:
        raise errors[0]
    if not server.listening:
        raise abort_error(options.get('signal'))
