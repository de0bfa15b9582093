"""No private name of a gnet object is one that gevent's or Python's code pokes at.

``pywsgi`` once found a ``_sock`` in what it was given, and closed it under gnet's watchers. Code
that is handed a socket may ask for such names (``getattr(sock, '_sock', None)``), and takes what it
finds for what its own class has there. So those names are looked up here in the sources that this
Python and this gevent have, and in their classes.
"""

from __future__ import annotations

import _socket
import ast
import asyncio
import http.server
import importlib.util
import socket
import socketserver
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gevent.server
import gevent.socket
import gevent.ssl
import pytest
from gevent import monkey, pywsgi

import gnet

#: Code that gets a socket from elsewhere, or has a class that such code expects.
SOURCES = (
    'gevent.pywsgi', 'gevent.baseserver', 'gevent.server', 'gevent._socket3',
    'gevent._socketcommon', 'gevent.ssl', 'gevent.socket', 'gevent._fileobjectcommon',
    'gevent.select', 'gevent.selectors', 'gevent._hub_primitives',
    'socket', 'ssl', 'socketserver', 'selectors', 'http.client', 'http.server', 'smtplib',
    'ftplib', 'imaplib', 'poplib', 'urllib.request', 'xmlrpc.client', 'wsgiref.handlers',
    'wsgiref.simple_server', 'logging.handlers', 'multiprocessing.connection',
    'multiprocessing.reduction', 'asyncio.base_events', 'asyncio.selector_events',
    'asyncio.sslproto', 'asyncio.streams', 'asyncio.trsock', 'asyncio.unix_events',
    # Up to Python 3.11 and 3.12.
    'asyncore', 'asynchat', 'smtpd', 'telnetlib', 'nntplib',
)

SOCKET_CLASSES: tuple[type, ...] = (
    monkey.get_original('socket', 'socket'), socket.socket, _socket.socket, ssl.SSLSocket,
    gevent.socket.socket, gevent.ssl.SSLSocket,
)
SERVER_CLASSES: tuple[type, ...] = (
    gevent.server.StreamServer, pywsgi.WSGIServer, socketserver.ThreadingTCPServer,
    http.server.HTTPServer, asyncio.AbstractServer,
)

#: Names that gnet's sockets have in common with them, and why.
OF_SOCKETS = {
    '_closed': 'whether close() was called, as in the standard library: paramiko asks',
    '_decref_socketios': "what the standard library's SocketIO calls when a file is closed",
    '_loop': 'asyncio asks its own transports for it, and nobody else',
}

#: The same of its servers.
OF_SERVERS: dict[str, str] = {}


def is_private(name: object) -> bool:
    return isinstance(name, str) and name.startswith('_') and not name.startswith('__')


def names_in(source: str) -> Iterator[str]:
    """Yield the private names that are used of any object but ``self`` and modules."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute):
            if not (isinstance(node.value, ast.Name) and node.value.id in ('self', 'cls')):
                yield node.attr
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and (
            node.func.id in ('getattr', 'hasattr', 'setattr') and len(node.args) > 1
        ):
            name = node.args[1]
            if isinstance(name, ast.Constant):
                yield str(name.value)


def used_names() -> set[str]:
    found: set[str] = set()
    for module in SOURCES:
        spec = importlib.util.find_spec(module)
        if spec is None or not spec.origin:
            continue  # not in this version
        path = Path(spec.origin)
        if path.suffix != '.py':
            path = path.with_name(f'{module.rpartition(".")[2]}.py')  # compiled; it may be there
        if path.exists():
            found |= {name for name in names_in(path.read_text('utf-8')) if is_private(name)}
    return found


def names_of(*classes: type) -> set[str]:
    """Return the private names that instances have by their classes, slots included."""
    return {
        name for made in classes for each in made.__mro__
        for name in (*vars(each), *getattr(each, '__slots__', ())) if is_private(name)
    }


@pytest.fixture(scope='module')
def used() -> set[str]:
    return used_names()


def test_the_search_finds_what_it_is_about(used: set[str]) -> None:
    assert {'_sock', '_decref_socketios'} <= used
    assert {'_sock', '_closed', '_io_refs', '_read_event', '_real_close'} <= names_of(
        *SOCKET_CLASSES)


@pytest.mark.parametrize(('made', 'classes', 'on_purpose'), [
    pytest.param(gnet.Socket, SOCKET_CLASSES, OF_SOCKETS, id='Socket'),
    pytest.param(gnet.Server, SERVER_CLASSES, OF_SERVERS, id='Server'),
])
def test_names_in_common_are_there_on_purpose(
    made: Any, classes: tuple[type, ...], on_purpose: dict[str, str], used: set[str],
) -> None:
    own = {name for name in dir(made) if is_private(name)} | names_of(made)
    in_common = own & (used | names_of(*classes))
    assert in_common == set(on_purpose)


def test_there_is_nothing_to_close_behind_the_back_of_a_socket() -> None:
    sock = gnet.Socket()
    for name in ('_sock', '_io_refs', '_read_event', '_write_event', '_fileobject', '_sslobj'):
        assert not hasattr(sock, name)
    sock.destroy()
