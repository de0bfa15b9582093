"""Node's ``net`` module for Python, on gevent: event-driven and blocking, on the same objects.

::

    import gnet

    def handler(sock):
        for chunk in sock:
            sock.sendall(chunk)

    gnet.serve(handler, 7000)
    gnet.run()

The rooms of the house, from the ground up; each imports only from those before it:

- ``node``: what Node would say: spellings, values, texts, errors, checks;
- ``lifecycle``, ``errors``: public faces: what is published through zope.event; the errors;
- ``systemd``: sockets that systemd has opened, and what it is told; imported when there is need;
- ``addresses``: IP addresses, both ends of a connection, `SocketAddress`, `BlockList`;
- ``proxy_protocol``: the header by which a load balancer says whose connection it is: no I/O; a
  public face, imported when it is first used;
- ``loop``: ticks, runners, watchers, timers, the resolver, `run`: all that touches gevent's hub;
- ``events``: Node's module of that name;
- ``streams``: states and events of a stream, and the wire that it asks for: no I/O, no hub;
- ``options``: arguments made into checked records;
- ``sockets``: `Socket`: the wire on a descriptor, how it is connected, its blocking side;
- ``servers``: `Server`: listening, accepting, who is let in, counting, stopping;
- ``tls``: Node's module of that name: a wire upon a wire, and what secures it; a public face,
  imported when it is first used;
- ``processes``, ``child_process``: processes that talk to each other; the public face of that;
- ``clusters``: `cluster`: workers that share what they listen on;
- ``handlers``, ``wsgi``: public faces: handlers of `socketserver` and WSGI applications on the
  connections of a server; imported when they are first used;
- ``observing``, ``metrics``, ``logs``: what watches a program: `live`, `watch_hub`, and the public
  faces of the rest, imported when they are first used;
- ``testing``: for the tests of programs that use gnet; a public face, imported likewise;
- ``typed_waiting``: the types of `once` and `on`, for type checkers;
- ``command``: ``python -m gnet``.

``docs/architecture.md`` has the pictures.

Every name is also found under Node's spelling (``gnet.createServer``, ``sock.setTimeout``).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, overload

from . import errors, events, lifecycle
from .addresses.ends import Address
from .addresses.ip import is_ip, is_ipv4, is_ipv6
from .errors import (
    AbortError,
    CodedError,
    CodedRuntimeError,
    CodedTypeError,
    CodedValueError,
    ConnectFailure,
)
from .events import EventEmitter, MaxListenersExceededWarning, error_monitor
from .loop.exit_hook import set_stay_alive
from .loop.running import run
from .node.faces import at_first_use, show_as
from .node.spelling import snake
from .options.connect import (
    get_default_auto_select_family,
    get_default_auto_select_family_attempt_timeout,
    set_default_auto_select_family,
    set_default_auto_select_family_attempt_timeout,
)
from .options.shapes import split_server_arguments
from .processes.inheritance import worker_number
from .servers.server import Server
from .servers.server import create_server as create_plain_server
from .servers.serving import serve as serve_plain
from .sockets.connect import connect
from .sockets.lending import hand_down_tls
from .sockets.socket import Socket, TimeoutOverflowWarning

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from typing_extensions import Unpack

    from . import child_process
    from ._version import __version__
    from .addresses.block_list import BlockList
    from .addresses.socket_address import SocketAddress
    from .clusters.cluster import cluster
    from .handlers import from_socketserver
    from .loop.foreign_calls import call_from_thread
    from .observing.blocked_hub import BlockedHub, HubWatch, watch_hub
    from .observing.entries import LiveEntry
    from .observing.live import Live, live
    from .processes.this_process import process
    from .streams.finished import finished
    from .streams.pipeline import pipeline
    from .tls.typed_options import EitherServeKeywords, EitherServerKeywords
    from .typed_waiting import On, Once

    on: On
    once: Once

#: Node has two names for the class, and for the function.
Stream = Socket
create_connection = connect

__all__ = [
    'AbortError',
    'Address',
    'BlockList',
    'BlockedHub',
    'CodedError',
    'CodedRuntimeError',
    'CodedTypeError',
    'CodedValueError',
    'ConnectFailure',
    'EventEmitter',
    'HubWatch',
    'Live',
    'LiveEntry',
    'MaxListenersExceededWarning',
    'Server',
    'Socket',
    'SocketAddress',
    'Stream',
    'TimeoutOverflowWarning',
    '__version__',
    'call_from_thread',
    'child_process',
    'cluster',
    'connect',
    'create_connection',
    'create_server',
    'error_monitor',
    'errors',
    'events',
    'finished',
    'from_socketserver',
    'get_default_auto_select_family',
    'get_default_auto_select_family_attempt_timeout',
    'is_ip',
    'is_ipv4',
    'is_ipv6',
    'lifecycle',
    'live',
    'on',
    'once',
    'pipeline',
    'process',
    'run',
    'serve',
    'set_default_auto_select_family',
    'set_default_auto_select_family_attempt_timeout',
    'set_stay_alive',
    'watch_hub',
]


@overload
def create_server(
    listener: Callable[[Socket], object] | None = None, /,
    **keywords: Unpack[EitherServerKeywords],
) -> Server: ...
@overload
def create_server(
    options: Mapping[str, Any] | None, listener: Callable[[Socket], object] | None = None, /,
    **keywords: Unpack[EitherServerKeywords],
) -> Server: ...
def create_server(*args: Any, **keywords: Any) -> Server:
    """Make a :class:`Server`; the arguments are the same: ``(options, listener)``, or keywords.

    With ``ssl_context``, an ``ssl.SSLContext`` or a :class:`gnet.tls.SecureContext`, it is a
    :class:`gnet.tls.Server`: the listener gets connections that are secure, and nothing else of a
    program has to be changed.
    """
    given, _ = split_server_arguments(args, keywords)
    context = given.get('ssl_context')
    if context is None:
        keywords.pop('ssl_context', None)
        return create_plain_server(*args, **keywords)
    keywords = {name: value for name, value in keywords.items() if snake(name) != 'ssl_context'}
    server: Server = import_module('.tls', __name__).create_server(
        *args, **keywords, secure_context=context)
    return server


def serve(
    handler: Callable[[Socket], object] | None, port: int | str | None = 0,
    host: str | None = '127.0.0.1', **options: Unpack[EitherServeKeywords],
) -> Server:
    keywords: dict[str, Any] = {**options}
    given = {snake(name): name for name in keywords}
    context = keywords.pop(given['ssl_context']) if 'ssl_context' in given else None
    if context is None:
        return serve_plain(handler, port, host, **keywords)
    server: Server = import_module('.tls', __name__).serve(
        handler, port, host, secure_context=context, **keywords)
    return server


serve.__doc__ = serve_plain.__doc__

hand_down_tls(lambda sock, *args, **options: (
    import_module('.tls', __name__).start_tls(sock, *args, **options)))

#: Names that few programs use, and the rooms that are imported when they do. (TLS also because
#: "import gnet" is to import no ssl, so that this can still be patched.)
_ROOMS = {
    'BlockList': '.addresses.block_list',
    'BlockedHub': '.observing.blocked_hub',
    'HubWatch': '.observing.blocked_hub',
    'Live': '.observing.live',
    'LiveEntry': '.observing.live',
    'SocketAddress': '.addresses.socket_address',
    '__version__': '._version',
    'call_from_thread': '.loop.foreign_calls',
    'child_process': '.child_process',
    'cluster': '.clusters.cluster',
    'finished': '.streams.finished',
    'from_socketserver': '.handlers',
    'handlers': '.handlers',
    'live': '.observing.live',
    'logs': '.logs',
    'metrics': '.metrics',
    'on': '.events',
    'once': '.events',
    'pipeline': '.streams.pipeline',
    'process': '.processes.this_process',
    'proxy_protocol': '.proxy_protocol',
    'systemd': '.systemd',
    'testing': '.testing',
    'tls': '.tls',
    'watch_hub': '.observing.blocked_hub',
    'wsgi': '.wsgi',
}

show_as(__name__, globals(), (name for name in __all__ if name not in _ROOMS))

__getattr__: Callable[[str], Any] = at_first_use(__name__, globals(), _ROOMS)


def __dir__() -> list[str]:
    return sorted([
        *__all__, 'handlers', 'logs', 'metrics', 'proxy_protocol', 'systemd', 'testing', 'tls',
        'wsgi'])


if worker_number is not None:
    # A worker listens by way of its primary, also where the program never asks for gnet.cluster.
    import_module('.clusters.cluster', __name__)
