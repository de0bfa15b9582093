"""The types of events are those of docs/events.md; those of options, the ones that are checked."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from inspect import getattr_static
from pathlib import Path
from types import FunctionType

import pytest

import gnet
from gnet import child_process, cluster, tls
from gnet.clusters.primary import SETTINGS
from gnet.events import EventEmitter
from gnet.options.connect import CONNECT_OPTIONS
from gnet.options.fork import FORK_OPTIONS
from gnet.options.listen import LISTEN_OPTIONS
from gnet.options.server import SERVER_OPTIONS
from gnet.options.socket import SOCKET_OPTIONS
from gnet.tls.context_options import CONTEXT_OPTIONS
from gnet.tls.options import TLS_CONNECT_OPTIONS, TLS_SERVER_OPTIONS
from gnet.tls.pending_handshakes import PENDING_OPTIONS
from gnet.tls.socket import TLS_SOCKET_OPTIONS

from ..harness import ROOT

PACKAGE = Path(gnet.__file__).parent

Table = dict[str, tuple[str, ...]]


# --- what the documents say -----------------------------------------------------------------------


def documented() -> dict[str, Table]:
    """Return the names of the arguments by events, by the headings of docs/events.md."""
    found: dict[str, Table] = {}
    table: Table = {}
    text = (ROOT / 'docs' / 'events.md').read_text('utf-8')
    for line in text.splitlines():
        if line.startswith('## '):
            table = found.setdefault(line[3:], {})
            continue
        row = re.match(r'\| (.*?) \| `\((.*?)\)` \|', line)
        if row is not None:
            for event in re.findall(r"`'(\w+)'`", row[1]):
                table[event] = tuple(filter(None, row[2].split(', ')))
    return found


DOCUMENTED = documented()
EVERY = DOCUMENTED['Every emitter']
SERVER = DOCUMENTED['`gnet.Server`']
SOCKET = DOCUMENTED['`gnet.Socket`']
CHILD = DOCUMENTED['`gnet.child_process.ChildProcess` and `gnet.process`']
CLUSTER = DOCUMENTED['`gnet.cluster` and `Worker`']

#: Of the events of a child process, those that this process has as well.
OF_PROCESS = ('message', 'internalMessage', 'disconnect', 'error')

TABLES = [
    ('servers/typed_events.py', 'Server', SERVER),
    ('sockets/typed_events.py', 'Socket', SOCKET),
    ('tls/typed_server_events.py', 'TLSServer', {**SERVER, **DOCUMENTED['`gnet.tls.Server`']}),
    ('tls/typed_socket_events.py', 'TLSSocket', {**SOCKET, **DOCUMENTED['`gnet.tls.TLSSocket`']}),
    ('processes/typed_events.py', 'Child', CHILD),
    ('processes/typed_events.py', 'Process', {event: CHILD[event] for event in OF_PROCESS}),
    ('clusters/typed_events.py', 'Cluster', CLUSTER),
    ('clusters/typed_worker_events.py', 'Worker', {
        # Without the worker, and one of its own.
        **{event: arguments[1:] for event, arguments in CLUSTER.items()
           if event not in ('setup', 'fork')},
        'error': ('err',),
    }),
]


# --- what the types say ---------------------------------------------------------------------------


class TypedEvents:
    """The protocols of one class, read from its file."""

    def __init__(self, path: str, prefix: str) -> None:
        self._prefix = prefix
        self._tree = ast.parse((PACKAGE / path).read_text('utf-8'))
        #: Names that stand for several events.
        self._aliases = {
            node.targets[0].id: node.value for node in ast.walk(self._tree)
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)}

    def _class(self, name: str) -> ast.ClassDef:
        [found] = [
            node for node in ast.walk(self._tree)
            if isinstance(node, ast.ClassDef) and node.name == self._prefix + name]
        return found

    def _names(self, annotation: ast.expr) -> list[str]:
        if isinstance(annotation, ast.Name) and annotation.id in self._aliases:
            annotation = self._aliases[annotation.id]
        return [
            node.value for node in ast.walk(annotation)
            if isinstance(node, ast.Constant) and isinstance(node.value, str)]

    def _overloads(self, name: str) -> Iterator[tuple[list[str], list[ast.arg]]]:
        for method in self._class(name).body:
            if isinstance(method, ast.FunctionDef):
                _, event, *others = method.args.posonlyargs + method.args.args
                assert event.annotation is not None
                yield self._names(event.annotation), others

    def names(self) -> set[str]:
        """Return what ``off`` takes."""
        return set(self._names(self._aliases[f'{self._prefix}Event']))

    def emitted(self) -> Table:
        """Return the names of the arguments that ``emit`` takes, by events."""
        return {
            event: tuple(argument.arg for argument in arguments)
            for events, arguments in self._overloads('Emitting') for event in events}

    def heard(self) -> dict[str, int]:
        """Return how many arguments a listener takes, by events."""
        counts: dict[str, int] = {}
        for events, others in self._overloads('Listening'):
            for argument in others:
                annotation = argument.annotation
                assert isinstance(annotation, ast.Subscript)
                assert isinstance(annotation.slice, ast.Tuple)
                parameters = annotation.slice.elts[0]
                assert isinstance(parameters, ast.List)
                counts.update(dict.fromkeys(events, len(parameters.elts)))
        return counts

    def decorated(self) -> set[str]:
        """Return the events of which there is a decorator."""
        return {
            event for events, others in self._overloads('Listening') if not others
            for event in events}


@pytest.mark.parametrize(('path', 'prefix', 'table'), TABLES, ids=lambda value: (
    value if isinstance(value, str) else ''))
def test_the_types_of_events_are_those_of_the_document(
    path: str, prefix: str, table: Table,
) -> None:
    expected = {**table, **EVERY}
    assert len(table) >= 4
    typed = TypedEvents(path, prefix)
    assert typed.names() == typed.decorated() == set(expected)
    assert typed.heard() == {event: len(arguments) for event, arguments in expected.items()}
    emitted = typed.emitted()
    for event in EVERY:
        # Their first argument is called "event", as what is emitted is.
        assert len(emitted.pop(event)) == len(expected.pop(event))
    assert emitted == expected


# --- what is emitted ------------------------------------------------------------------------------

#: The folders of the package that emit events of each table (the streams': those of a socket), and
#: by which calls: directly, by a tick, or by what waits for a handler.
ROOMS = {
    'servers': SERVER,
    'sockets': SOCKET,
    'streams': SOCKET,
    'tls': {**SOCKET, **DOCUMENTED['`gnet.tls.Server`'], **DOCUMENTED['`gnet.tls.TLSSocket`']},
    'processes': CHILD,
}


def emitted(room: str) -> Iterator[tuple[str, int | None]]:
    """Return each event by name that the files of *room* emit, and how many arguments it has.

    None where that cannot be read: of a call with ``*args``, and of one that only hands down.
    """
    for path in sorted((PACKAGE / room).glob('*.py')):
        for call in ast.walk(ast.parse(path.read_text('utf-8'))):
            if not isinstance(call, ast.Call):
                continue
            function = ast.unparse(call.func).rpartition('.')[2]
            texts = [ast.unparse(each) for each in call.args]
            if function in ('emit', '_emit', 'emit_guarded', '_emit_guarded'):
                place = 0
            elif texts and re.search(r'(^|\.)_?emit(_guarded)?$', texts[0]):
                place = 1  # of tick(), later(), _route_error()
            elif function == 'hand_over':
                place = 2
            else:
                continue
            others = call.args[place:]
            event = others.pop(0) if others else None
            if isinstance(event, ast.Constant) and isinstance(event.value, str):
                is_plain = function != 'hand_over' and not any(
                    isinstance(each, ast.Starred) for each in others)
                yield event.value, len(others) if is_plain else None


@pytest.mark.parametrize('room', ROOMS)
def test_what_is_emitted_is_in_the_document_with_as_many_arguments(room: str) -> None:
    found = list(emitted(room))
    assert len(found) >= 4
    for event, count in found:
        assert event in ROOMS[room]
        assert count in (None, len(ROOMS[room][event])), event


def test_what_is_in_the_document_is_emitted() -> None:
    names = {event for room in ROOMS for event, _ in emitted(room)}
    assert {*SERVER, *SOCKET, *CHILD, *DOCUMENTED['`gnet.tls.Server`'],
            *DOCUMENTED['`gnet.tls.TLSSocket`']} - names == set()


# --- options --------------------------------------------------------------------------------------


def typed_options(*paths: str) -> dict[str, set[str]]:
    """Return the keys of the TypedDicts in these files, those of their bases too."""
    found: dict[str, set[str]] = {}
    for path in paths:
        for node in ast.walk(ast.parse((PACKAGE / path).read_text('utf-8'))):
            if isinstance(node, ast.ClassDef):
                found[node.name] = {
                    each.target.id for each in node.body
                    if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)}
                for base in node.bases:
                    assert isinstance(base, ast.Name)
                    found[node.name] |= found.get(base.id, set())
    return found


_OF_TLS_SERVER = (
    SERVER_OPTIONS | TLS_SERVER_OPTIONS | PENDING_OPTIONS | {'ssl_context', 'watch_certificates'})
_OF_CONNECT = SOCKET_OPTIONS | CONNECT_OPTIONS | {'callback', 'timeout'}
#: What Node has for its own use.
_INNER = {'_handle'}


@pytest.mark.parametrize(('name', 'checked'), [
    ('ServerKeywords', SERVER_OPTIONS),
    ('NewServerKeywords', SERVER_OPTIONS | {'options', 'listener'}),
    ('ListenKeywords', LISTEN_OPTIONS - _INNER | {'callback'}),
    ('ServeKeywords', SERVER_OPTIONS | LISTEN_OPTIONS - _INNER - {'host', 'port'}),
    ('SocketKeywords', SOCKET_OPTIONS),
    ('ConnectKeywords', CONNECT_OPTIONS | {'callback'}),
    ('NewConnectionKeywords', _OF_CONNECT),
    ('ContextKeywords', CONTEXT_OPTIONS),
    ('NewTLSServerKeywords', _OF_TLS_SERVER | {'options', 'listener'}),
    ('TLSServeKeywords', _OF_TLS_SERVER | LISTEN_OPTIONS - _INNER - {'host', 'port'}),
    ('NewTLSConnectionKeywords', _OF_CONNECT | TLS_CONNECT_OPTIONS | {'socket'}),
    # (It has "fd" and "onread", too, which a TLSSocket refuses with a text of its own.)
    ('TLSSocketKeywords', TLS_SOCKET_OPTIONS | {'fd', 'onread'}),
    ('StartTLSKeywords', TLS_SOCKET_OPTIONS - {'is_server'} | {'fd', 'onread'}),
    ('ForkKeywords', FORK_OPTIONS),
    ('PrimaryKeywords', SETTINGS),
    ('WSGIServeKeywords',
     _OF_TLS_SERVER | LISTEN_OPTIONS - _INNER - {'host', 'port'}
     | {'environ', 'keep_alive_timeout', 'request_log'}),
    ('EitherServerKeywords', SERVER_OPTIONS | {'options', 'listener', 'ssl_context'}),
    ('EitherServeKeywords',
     SERVER_OPTIONS | LISTEN_OPTIONS - _INNER - {'host', 'port'} | {'ssl_context'}),
])
def test_the_typed_options_are_those_that_are_checked(name: str, checked: set[str]) -> None:
    assert typed_options(
        'options/typed.py', 'tls/typed_context_options.py', 'tls/typed_options.py',
        'wsgi/typed_options.py')[name] == checked


# --- at run time ----------------------------------------------------------------------------------


@pytest.mark.parametrize('emitter', [
    gnet.Server, gnet.Socket, tls.Server, tls.TLSSocket, child_process.ChildProcess,
    type(gnet.process), type(cluster), cluster.Worker,
])
def test_the_methods_are_those_of_the_emitter_at_run_time(emitter: type[EventEmitter]) -> None:
    for verb in ('on', 'once', 'off', 'prepend_listener', 'prepend_once_listener', 'emit'):
        assert isinstance(getattr_static(emitter, verb), FunctionType)
    assert not any('typed' in base.__module__ for base in emitter.__mro__)
