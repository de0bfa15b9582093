"""The table of cases: what is measured, in which unit, under which load."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Union

from .contestants import is_tls
from .load import BLOCK, LINE, REQUEST, RESPONSE_SIZE, Emitter, Memory, StartUp, Stream, Wrk
from .programs import CERTIFICATE

Load = Union[Wrk, Stream, Memory, Emitter, StartUp]

#: Messages of the line protocol that come in one segment.
TOGETHER = 50


@dataclass(frozen=True)
class Case:
    name: str
    title: str
    #: What is counted.
    unit: str
    load: Load
    #: Another case, without what this one adds.
    without: str | None = None

    @property
    def is_memory(self) -> bool:
        return isinstance(self.load, Memory)

    @property
    def needs(self) -> tuple[str, ...]:
        """Return the programs that the load needs, besides the contestant's."""
        backend = getattr(self.load, 'backend', None)
        return (
            *self.load.needs, *(('epoll',) if backend else ()),
            *((CERTIFICATE,) if is_tls(self.load.service) else ()))


def _bulk(service: str, mode: str, counted: str, backend: str | None = None) -> Stream:
    """Return a load of 64 KiB blocks on one connection."""
    return Stream(
        service, mode, connections=1, message='x', repeat=BLOCK, counted=counted, units=1 / BLOCK,
        backend=backend)


def _lines(service: str) -> Stream:
    return Stream(
        service, 'exchange', connections=16, message=LINE, repeat=TOGETHER, counted='exchanges',
        units=TOGETHER, reply=len(LINE) * TOGETHER)


TABLE = (
    Case('rr-1', 'request/response, 1 connection', 'request', Wrk('http', 1)),
    Case('rr-64', 'request/response, 64 connections', 'request', Wrk('http', 64)),
    Case('rr-1000', 'request/response, 1,000 connections', 'request', Wrk('http', 1000),
         without='rr-64'),
    Case('connect', 'connect, request, close', 'connection', Wrk('close', 64)),
    Case('workers-connect', 'connect, request, close; a primary hands on to 2 workers',
         'connection', Wrk('workers-close', 64), without='connect'),
    Case('shared-connect', 'connect, request, close; 2 workers share the descriptor', 'connection',
         Wrk('shared-close', 64), without='connect'),
    Case('reuse-connect', 'connect, request, close; 2 workers with reuse_port', 'connection',
         Wrk('reuse-close', 64), without='connect'),
    Case('bulk-in', 'bulk in, 64 KiB writes', 'block', _bulk('sink', 'send', 'out')),
    Case('bulk-out', 'bulk out, 64 KiB writes', 'block', _bulk('source', 'receive', 'in')),
    Case('echo', 'echo, 64 KiB writes', 'block', _bulk('echo', 'stream', 'in')),
    Case('lines', f'20-byte lines, {TOGETHER} in a segment, a write for each', 'line',
         _lines('lines')),
    Case('batched-lines', f'20-byte lines, {TOGETHER} in a segment, answered together', 'line',
         _lines('batched-lines')),
    Case('fan-out', 'one message to 1,000 connections', 'delivery', Stream(
        'broadcast', 'fanout', connections=1000, message=LINE, repeat=1, counted='in',
        units=1 / len(LINE), reply=len(LINE))),
    Case('idle-memory', 'memory of an idle connection, growth from 100 to 5,000', 'connection',
         Memory(5000, each=5000)),
    Case('used-memory', 'memory of an idle connection used before, growth from 100 to 5,000',
         'connection', Memory(5000, each=1)),
    Case('rr-64-idle', 'request/response, 64 connections, and 10,000 idle ones', 'request',
         Wrk('http', 64, idle=10_000), without='rr-64'),
    Case('rr-64-timeout', 'request/response, 64 connections with a timeout', 'request',
         Wrk('timeout', 64), without='rr-64'),
    Case('unix', 'request/response, 64 connections, unix sockets', 'request', Stream(
        'http', 'exchange', connections=64, message=REQUEST, repeat=1, counted='exchanges',
        units=1, reply=RESPONSE_SIZE, address='server')),
    Case('proxy', 'proxy by pipe, request/response, 64 connections', 'request',
         Wrk('proxy', 64, backend='http')),
    Case('proxy-bulk', 'proxy by pipe, 64 KiB writes to an echo and back', 'block',
         _bulk('proxy', 'stream', 'in', backend='echo')),
    Case('tls-rr-64', 'TLS: request/response, 64 connections', 'request', Wrk('tls-http', 64),
         without='rr-64'),
    Case('tls-connect', 'TLS: connect, full handshake, request, close', 'connection',
         Wrk('tls-close', 64), without='connect'),
    Case('tls-bulk-in', 'TLS: bulk in, 64 KiB writes', 'block', _bulk('tls-sink', 'send', 'out'),
         without='bulk-in'),
    Case('tls-bulk-out', 'TLS: bulk out, 64 KiB writes', 'block',
         _bulk('tls-source', 'receive', 'in'), without='bulk-out'),
    Case('tls-idle-memory',
         'TLS: memory of an idle connection, growth from 100 to 2,500', 'connection',
         Memory(2500, each=2500, service='tls-http'), without='idle-memory'),
    Case('emitter', 'an event to one listener', 'event', Emitter()),
    Case('start-up', 'start of a process that only imports', 'start', StartUp()),
)
