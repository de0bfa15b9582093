"""The table of contestants: how the server of each is started."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import metadata, util
from pathlib import Path

from .programs import HERE, MissingError, Programs

SERVERS = HERE / 'servers'

#: What runs programs, and the words before the name of the program.
_BEFORE_PROGRAM: Mapping[str, tuple[str, ...]] = {'deno': ('run', '--allow-all')}

#: How the names of services on TLS begin; the rest is what they do.
TLS = 'tls-'

#: How the names of services begin that a primary and its workers do, and how connections come to
#: these: the rest of the name is what they do.
WORKERS = ('workers-', 'shared-', 'reuse-')

#: Services that are no server, which only some have; the others are in servers/wire.py.
_SOLO = frozenset({'emitter', 'start-up'})


def is_tls(service: str) -> bool:
    return service.startswith(TLS)


def is_for_workers(service: str) -> bool:
    return service.startswith(WORKERS)


@dataclass(frozen=True)
class Contestant:
    name: str
    title: str
    #: 'python', or the name of a program: see programs.py.
    runtime: str
    #: The file in servers/; none where the runtime is the server.
    program: str = ''
    #: Words before the service.
    words: tuple[str, ...] = ()
    #: What else must be installed.
    modules: tuple[str, ...] = ()
    #: Those of the services that are no server.
    solo: frozenset[str] = frozenset()
    #: Whether it has TLS.
    has_tls: bool = True
    #: Whether it has worker processes.
    has_workers: bool = False
    #: Whether it does in one process what others have workers for, and nothing else.
    is_alone: bool = False
    #: Arguments of the runtime that load what a program would need, and end.
    start_up: tuple[str, ...] = ()
    #: What watches its connections: see ``servers/watching.py``.
    watched: str = ''
    #: Seconds of load that it needs before it is measured, whatever is asked for.
    least_warm_up: float = 0
    #: Where gnet is imported from.
    checkout: Path = HERE.parent

    def has(self, service: str) -> bool:
        if self.is_alone:
            return is_for_workers(service)
        if is_tls(service):
            return self.has_tls
        if is_for_workers(service):
            return self.has_workers
        return service not in _SOLO or service in self.solo

    def check(self, programs: Programs) -> None:
        """See whether it is there.

        Raises:
            MissingError: what it needs is not there.
        """
        for module in self.modules:
            if util.find_spec(module) is None:
                raise MissingError(f'{module} is not installed: pip install {module}')
        if not (self.checkout / 'gnet').is_dir():
            raise MissingError(f'there is no gnet in {self.checkout}')
        self._executable(programs)
        self.version(programs)

    def server(self, programs: Programs, service: str, *words: str) -> list[str]:
        """Return the command that starts its server for *service*."""
        if self.is_alone:
            service = service.partition('-')[2]
        before = _BEFORE_PROGRAM.get(self.runtime, ())
        program = [str(SERVERS / self.program)] if self.program else []
        return [self._executable(programs), *before, *program, *self.words, service, *words]

    def bare(self, programs: Programs) -> list[str]:
        """Return the command that loads what a server would need, and ends."""
        return [self._executable(programs), *self.start_up]

    def environment(self) -> dict[str, str]:
        """Return the variables that its processes have besides those of this command."""
        # Writing byte code is work of the first start only.
        watched = {'GNET_BENCHMARK_WATCHED': self.watched} if self.watched else {}
        return {'PYTHONPATH': str(self.checkout), 'PYTHONDONTWRITEBYTECODE': '', **watched}

    def version(self, programs: Programs) -> str:
        if self.runtime == 'python':
            python = '.'.join(map(str, sys.version_info[:3]))
            return ', '.join([f'Python {python}', *(
                f'{module} {metadata.version(module)}' for module in self.modules)])
        return programs.version('cc' if self.runtime == 'epoll' else self.runtime)

    def _executable(self, programs: Programs) -> str:
        return sys.executable if self.runtime == 'python' else programs.find(self.runtime)


def _importing(modules: str) -> tuple[str, ...]:
    return ('-c', f'import {modules}')


#: Seconds: what compiles while it runs is not done before. After half a second Node needed a
#: quarter more CPU for a connection than after one; after two, as much as after one.
_JUST_IN_TIME = 1.5

_START_UP = frozenset({'start-up'})

TABLE = (
    Contestant(
        'gnet-event', 'gnet, event style', 'python', 'gnet_event.py',
        modules=('gevent', 'greenlet'), solo=_SOLO, start_up=_importing('gnet'),
        has_workers=True),
    Contestant(
        'gnet-blocking', 'gnet, blocking style', 'python', 'gnet_blocking.py',
        modules=('gevent', 'greenlet'), has_workers=True),
    Contestant(
        'streamserver', 'gevent StreamServer', 'python', 'gevent_streamserver.py',
        modules=('gevent', 'greenlet'), solo=_START_UP, start_up=_importing('gevent.server')),
    Contestant(
        'asyncio-protocol', 'asyncio Protocol', 'python', 'asyncio_protocol.py',
        words=('asyncio',), solo=_START_UP, start_up=_importing('asyncio')),
    Contestant(
        'asyncio-streams', 'asyncio streams', 'python', 'asyncio_streams.py', words=('asyncio',)),
    Contestant(
        'uvloop-protocol', 'uvloop Protocol', 'python', 'asyncio_protocol.py', words=('uvloop',),
        modules=('uvloop',), solo=_START_UP, start_up=_importing('uvloop')),
    Contestant(
        'uvloop-streams', 'uvloop streams', 'python', 'asyncio_streams.py', words=('uvloop',),
        modules=('uvloop',)),
    Contestant(
        'node', 'Node', 'node', 'node.cjs', solo=_SOLO, least_warm_up=_JUST_IN_TIME,
        start_up=('-e', 'require("node:net")'), has_workers=True),
    Contestant(
        'deno', 'Deno', 'deno', 'node.cjs', solo=_SOLO, least_warm_up=_JUST_IN_TIME,
        start_up=('eval', 'import "node:net"')),
    Contestant(
        'bun', 'Bun', 'bun', 'node.cjs', solo=_SOLO, least_warm_up=_JUST_IN_TIME,
        start_up=('-e', 'require("node:net")')),
    Contestant('epoll', 'C on epoll', 'epoll', has_tls=False),
    Contestant(
        'gnet-event-alone', 'gnet, event style, one process', 'python', 'gnet_event.py',
        modules=('gevent', 'greenlet'), is_alone=True),
    Contestant(
        'gnet-blocking-alone', 'gnet, blocking style, one process', 'python', 'gnet_blocking.py',
        modules=('gevent', 'greenlet'), is_alone=True),
)

_OURS = tuple(
    contestant for contestant in TABLE
    if contestant.name.startswith('gnet-') and not contestant.is_alone)


def older(checkout: str | os.PathLike[str]) -> tuple[Contestant, ...]:
    """Return gnet's contestants as they are in another checkout, as "...-before"."""
    return tuple(
        replace(
            contestant, name=f'{contestant.name}-before', title=f'{contestant.title}, before',
            has_tls=(Path(checkout) / 'gnet' / 'tls').is_dir(), checkout=Path(checkout).resolve())
        for contestant in _OURS)


def watched() -> tuple[Contestant, ...]:
    """Return gnet's with metrics on, as "...-counted", and the access log, too: "...-logged"."""
    return tuple(
        replace(
            contestant, name=f'{contestant.name}-{how}', title=f'{contestant.title}, {how}',
            solo=frozenset(), watched=how)
        for contestant in _OURS
        for how in ('counted', 'logged'))
