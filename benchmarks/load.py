"""The loads: each drives a contestant through one case, from another core, and returns a sample.

A load starts what it needs by means of its :class:`Trial`, warms it up, and measures.
"""

from __future__ import annotations

import math
import os
import re
import resource
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

from .contestants import Contestant, is_tls
from .measure import Sample, Stopwatch, anonymous_bytes
from .processes import PATIENCE, Child, Processes, TrialError
from .programs import CERTIFICATE, Programs

BLOCK = 65536  # bytes
REQUEST = 'GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n'
RESPONSE_SIZE = len('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
LINE = 'get some-key-000042\n'  # 20 bytes

#: Descriptors of a process besides its connections: standard streams, loop, listener, libraries.
SPARE_DESCRIPTORS = 100

#: Bytes: sockaddr_un has 108, with the NUL at the end.
_LONGEST_SOCKET_PATH = 107

#: Seconds: until then wrk may not be ready to be interrupted.
LEAST_OF_WRK = 0.3

_UNITS = {'us': 1, 'ms': 1e3, 's': 1e6, 'm': 60e6}


@dataclass(frozen=True)
class Trial:
    """One contestant that is to be measured in one case."""

    contestant: Contestant
    processes: Processes
    programs: Programs
    #: Of the measurement, and of the load before it.
    seconds: float
    warm_up: float
    #: A directory for unix sockets.
    directory: Path

    def serve(self, service: str, address: str = '0', backend: str | None = None) -> Server:
        """Start the contestant's server, in front of a backend if there is one.

        Args:
            service: which: see servers/wire.py.
            address: 0 for a free port, else the name of a unix socket.
            backend: the service of a server on epoll, on the core of the load.
        """
        words = []
        if backend is not None:
            behind = [self.programs.find('epoll'), backend, '0']
            words.append(self.processes.start(behind, self.processes.cores.load).line())
        if address != '0':
            path = self.directory / address
            if len(os.fsencode(path)) > _LONGEST_SOCKET_PATH:
                raise TrialError(f'{path} is too long for a unix socket: set TMPDIR to another')
            path.unlink(missing_ok=True)
            address = str(path)
        if is_tls(service):
            words.append(self.programs.find(CERTIFICATE))
        command = self.contestant.server(self.programs, service, address, *words)
        child = self.run(command)
        return Server(child, child.line(), is_tls(service))

    def run(self, command: list[str]) -> Child:
        """Start a program of the contestant, on the core of servers."""
        return self.processes.start(
            command, self.processes.cores.server, self.contestant.environment())

    def client(self, mode: str, server: Server, connections: int, *words: object) -> Child:
        """Start client.c, which explains the words."""
        client = self.programs.find(_client(server.is_tls))
        command = [client, mode, server.address, str(connections), *map(str, words)]
        return self.processes.start(command, self.processes.cores.load)


def _client(on_tls: bool) -> str:
    return 'tls-client' if on_tls else 'client'


@dataclass(frozen=True)
class Server:
    """A server that listens."""

    process: Child
    #: A port, or the path of a unix socket.
    address: str
    #: Whether it speaks TLS.
    is_tls: bool


@dataclass(frozen=True)
class Wrk:
    """Requests over HTTP, each connection asking again as soon as it has the answer."""

    service: str
    connections: int
    #: Connections that are open and silent meanwhile.
    idle: int = 0
    backend: str | None = None

    @property
    def needs(self) -> tuple[str, ...]:
        return ('wrk', 'client') if self.idle else ('wrk',)

    @property
    def descriptors(self) -> int:
        return 2 * self.connections + self.idle + SPARE_DESCRIPTORS

    def run(self, trial: Trial) -> Sample:
        server = trial.serve(self.service, backend=self.backend)
        held = _Held(trial, server, each=self.idle) if self.idle else None
        if held is not None:
            held.open(self.idle)
        if trial.warm_up:
            self._wrk(trial, server, trial.warm_up)
        watch = Stopwatch(server.process.pid)
        said = self._wrk(trial, server, trial.seconds)
        cpu_us = watch.cpu_us()
        server.process.check()  # wrk only counts errors, and goes on
        if held is not None:
            held.open(0)  # are they all there?
        trouble = re.search(r'Socket errors: .*', said)
        wrong = re.search(r'Non-2xx.*', said) or (
            trouble and re.search(r'(connect|read|write) [1-9]', trouble[0]) and trouble)
        if wrong:
            raise server.process.failure(f'did not serve all: {wrong[0]}')
        units = int(_found(r'(\d+) requests in', said)[1])
        per_second = float(_found(r'Requests/sec:\s+([\d.]+)', said)[1])
        if not units:
            raise server.process.failure('answered no request')
        return Sample(
            units=units,
            seconds=units / per_second,  # without the start of wrk
            cpu_us=cpu_us,
            p50_us=_latency(50, said),
            p99_us=_latency(99, said),
            trouble=trouble[0] if trouble else '',  # timeouts: not served yet
        )

    def _wrk(self, trial: Trial, server: Server, seconds: float) -> str:
        seconds = max(seconds, LEAST_OF_WRK)
        scheme = 'https' if server.is_tls else 'http'
        command = [
            trial.programs.find('wrk'), '--threads', '1', '--connections', str(self.connections),
            '--duration', str(math.ceil(seconds)), '--latency', f'{scheme}://127.0.0.1:{server.address}/',
        ]
        if self.service.endswith('close'):
            command += ['--header', 'Connection: close']
        wrk = trial.processes.start(command, trial.processes.cores.load)
        if seconds % 1:  # it knows whole ones only, but ends as well when it is interrupted
            time.sleep(seconds)
            wrk.interrupt()
        return wrk.text(seconds + PATIENCE)


def _found(pattern: str, text: str) -> re.Match[str]:
    found = re.search(pattern, text)
    if found is None:
        raise TrialError(f'wrk did not say {pattern!r} but:\n{text}')
    return found


def _latency(percent: int, said: str) -> float:
    found = _found(rf'\b{percent}%\s+([\d.]+)(us|ms|s|m)\b', said)
    return float(found[1]) * _UNITS[found[2]]


@dataclass(frozen=True)
class Stream:
    """The load of client.c in one of its modes."""

    service: str
    mode: str
    connections: int
    message: str
    repeat: int
    #: What the client counts as done: 'exchanges', 'in' or 'out' (bytes).
    counted: str
    #: Units in one of that: messages in an exchange, blocks in a byte.
    units: float
    #: Bytes that answer a message.
    reply: int = 0
    #: The name of a unix socket, or 0 for TCP.
    address: str = '0'
    backend: str | None = None

    @property
    def needs(self) -> tuple[str, ...]:
        return (_client(is_tls(self.service)),)

    @property
    def descriptors(self) -> int:
        return 2 * self.connections + SPARE_DESCRIPTORS

    def run(self, trial: Trial) -> Sample:
        server = trial.serve(self.service, self.address, self.backend)
        client = trial.client(
            self.mode, server, self.connections, self.message, self.repeat, self.reply,
            trial.warm_up, trial.seconds)
        client.line(trial.warm_up + PATIENCE)  # "start"
        watch = Stopwatch(server.process.pid)
        said = client.line(trial.seconds + PATIENCE).split()
        cpu_us, seconds = watch.cpu_us(), watch.seconds()
        exchanges, bytes_in, bytes_out, p50, p99 = map(int, said[1:])
        counts = {'exchanges': exchanges, 'in': bytes_in, 'out': bytes_out}
        if not counts[self.counted]:
            raise server.process.failure(f'did nothing for {trial.seconds} seconds')
        return Sample(
            units=counts[self.counted] * self.units,
            seconds=seconds,
            cpu_us=cpu_us,
            p50_us=p50 if exchanges else None,
            p99_us=p99 if exchanges else None,
        )


@dataclass(frozen=True)
class Memory:
    """What a connection costs that is open and silent, in memory.

    That is the growth from the first few connections to all of them, divided by the number of
    those that came in between. A growth from many to more would flatter runtimes with a garbage
    collector: later connections find a heap that has grown, and rubbish of earlier ones in it.
    """

    connections: int
    #: One in how many has exchanged a message before.
    each: int
    #: How many are there before: with them come lists, caches and code that is loaded late.
    first: int = 100
    service: str = 'http'

    @property
    def needs(self) -> tuple[str, ...]:
        return (_client(is_tls(self.service)),)

    @property
    def descriptors(self) -> int:
        return self.connections + SPARE_DESCRIPTORS

    def run(self, trial: Trial) -> Sample:
        server = trial.serve(self.service)
        held = _Held(trial, server, self.each)
        held.open(self.first)
        before, start = anonymous_bytes(server.process.pid), time.monotonic()
        held.open(self.connections - self.first)
        growth, seconds = anonymous_bytes(server.process.pid) - before, time.monotonic() - start
        held.open(0)  # are they all there?
        if growth <= 0:
            raise server.process.failure('needs no memory for its connections')
        return Sample(
            units=self.connections - self.first, seconds=seconds, memory_bytes=growth)


class _Held:
    """Connections that are open and silent; one in *each* has exchanged a message before."""

    def __init__(self, trial: Trial, server: Server, each: int):
        self._client = trial.client(
            'hold', server, each, REQUEST, 1, RESPONSE_SIZE, 0, 0)

    def open(self, count: int) -> None:
        """Open *count* more, and see that all are there.

        Raises:
            TrialError: the server has closed one, or sent something that was not asked for.
        """
        self._client.tell(str(count))
        self._client.line()  # "ready"


@dataclass(frozen=True)
class Emitter:
    """Events to a listener, without any network: the program measures itself."""

    service: str = 'emitter'
    descriptors = SPARE_DESCRIPTORS
    needs = ()

    def run(self, trial: Trial) -> Sample:
        command = trial.contestant.server(trial.programs, self.service, str(trial.seconds))
        process = trial.run(command)
        said = process.text(trial.seconds + PATIENCE)
        found = re.fullmatch(r'(\d+) ([\d.]+)\s*', said)
        if found is None:
            raise process.failure(f'did not say what an event costs, but {said!r}')
        return Sample(units=int(found[1]), seconds=trial.seconds, cpu_us=float(found[2]))


@dataclass(frozen=True)
class StartUp:
    """Processes that load what a server needs, and end; as many as there is time for."""

    service: str = 'start-up'
    descriptors = SPARE_DESCRIPTORS
    needs = ()

    def run(self, trial: Trial) -> Sample:
        command = trial.contestant.bare(trial.programs)
        trial.run(command).text(PATIENCE)  # the first one finds nothing in the caches
        durations: list[float] = []
        watch = _ended_children_us()
        start = time.monotonic()
        while not durations or time.monotonic() < start + trial.seconds:
            began = time.monotonic()
            trial.run(command).text(PATIENCE)
            durations.append((time.monotonic() - began) * 1e6)
            trial.processes.end_all()  # closes its pipes
        return Sample(
            units=len(durations),
            seconds=time.monotonic() - start,
            cpu_us=_ended_children_us() - watch,
            p50_us=statistics.median(durations),
        )


def _ended_children_us() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (used.ru_utime + used.ru_stime) * 1e6
