"""Node's ``net`` module for Python, on gevent: event-driven and blocking, on the same objects.

::

    import gnet

    def handler(sock):
        for chunk in sock:
            sock.sendall(chunk)

    gnet.create_server(handler).listen(7000)
    gnet.run()

Each file of the package holds one idea, and imports only from those below it:

- ``cli``: running scripts;
- ``clustering``: the cluster; on ``cluster_primary``, ``cluster_handles`` (its listeners),
  ``cluster_worker``, ``distributed`` and ``worker``;
- ``child_process`` (and ``child_options``), ``own_process``: processes that talk to each other; on
  ``messaging``, ``handles``, ``socket_lists``, ``ipc``: messages, what goes along with them, what
  is counted, and the channel;
- ``server``: `Server`; on ``closing`` (and ``workers``), ``listening``, ``sharing`` (with a
  primary), ``acceptor`` (gevent's StreamServer) and ``binding`` (listening sockets);
- ``socket``: `Socket`; on ``moving``, ``tuning``, ``connectable``, ``socketlike``, ``blocking``,
  ``handling``, ``transport``, ``duplex``, ``writable``, ``readable``, ``arrival``, their
  ``states``; ``pipes``;
- ``connecting``, ``candidates``, ``connect_options``, ``adopting``, ``onread``: where a socket's
  connection comes from, and where what it receives may go;
- ``lifetime``, ``idle``, ``loop``: how long a program lives, timers, and the hub;
- ``lifecycle``: what is published through zope.event;
- ``options``, ``validators``, ``blocklist``, ``addresses``, ``endpoint``, ``encodings``: values;
- ``events``: Node's module of that name, on ``emitter``, ``emitter_settings``, ``event_names`` and
  ``event_waiting``;
- ``errors``, ``inspection``, ``names``: texts and spellings.

Every name is also found under Node's spelling (``gnet.createServer``, ``sock.setTimeout``).
"""

from __future__ import annotations

from typing import Any

from . import child_process, errors, events, lifecycle
from ._version import __version__
from .addresses import SocketAddress, is_ip, is_ipv4, is_ipv6
from .blocklist import BlockList
from .clustering import cluster
from .connect_options import (
    get_default_auto_select_family,
    get_default_auto_select_family_attempt_timeout,
    set_default_auto_select_family,
    set_default_auto_select_family_attempt_timeout,
)
from .endpoint import Address
from .errors import (
    AbortError,
    CodedError,
    CodedRuntimeError,
    CodedTypeError,
    CodedValueError,
    ConnectFailure,
)
from .events import EventEmitter, MaxListenersExceededWarning, error_monitor, on, once
from .lifetime import run, set_stay_alive
from .names import module_attribute
from .own_process import process
from .server import Server, create_server
from .socket import Socket, connect

#: Node has two names for the class, and for the function.
Stream = Socket
create_connection = connect

__all__ = [
    'AbortError',
    'Address',
    'BlockList',
    'CodedError',
    'CodedRuntimeError',
    'CodedTypeError',
    'CodedValueError',
    'ConnectFailure',
    'EventEmitter',
    'MaxListenersExceededWarning',
    'Server',
    'Socket',
    'SocketAddress',
    'Stream',
    '__version__',
    'child_process',
    'cluster',
    'connect',
    'create_connection',
    'create_server',
    'error_monitor',
    'errors',
    'events',
    'get_default_auto_select_family',
    'get_default_auto_select_family_attempt_timeout',
    'is_ip',
    'is_ipv4',
    'is_ipv6',
    'lifecycle',
    'on',
    'once',
    'process',
    'run',
    'set_default_auto_select_family',
    'set_default_auto_select_family_attempt_timeout',
    'set_stay_alive',
]


def __getattr__(name: str) -> Any:
    return module_attribute(__name__, globals(), name)
