"""The control socket of a program: who connects to it asks by a line, and gets lines of JSON.

===============  ===================================================================================
request          answer
===============  ===================================================================================
``live``         a line ``{"gnet": VERSION, "pid": …, "workers": […]}``, one for each entry of
                 :func:`gnet.live` (with its ``"process"``), and ``{"end": true}``. Workers that do
                 not answer are in a line ``{"silent": […]}`` before that
anything else    ``{"error": …}``
===============  ===================================================================================

Several requests may follow each other on one connection. All of it is done in the hub, and nothing
blocks: what the client does not take waits, and the client is cut when it takes nothing for a
while. Neither the socket nor its clients keep the program alive, and they are no server of it:
metrics, limits and :func:`gnet.live` do not count them.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import islice
from time import perf_counter
from typing import Any

from gevent import Greenlet, sleep

from .._version import __version__
from ..loop.agenda import WORK_BUDGET
from ..loop.loop import Loop
from ..loop.watchers import READ, WRITE, close_watcher
from .control_path import ControlFile, is_allowed, open_control
from .live import take

__all__ = ['Answer', 'Control', 'tell_live']

#: Bytes of a request.
MAX_REQUEST = 200

#: Clients at a time. A program is looked at by few.
MAX_CLIENTS = 16

#: Seconds that a client may ask for nothing, or take nothing of an answer; and those that an answer
#: may take.
PATIENCE = 10.0

#: Seconds for which nobody is let in when there are no descriptors: the loop would ask at once.
PAUSE = 1.0

#: Lines that are made and sent at a time: some 50 KB, which takes a millisecond.
PIECE = 200

#: Called, in the hub, with what takes the lines of an answer, once, now or later. Must not block.
Answer = Callable[[Callable[[list[dict[str, Any]]], object]], object]


def tell_live(reply: Callable[[list[dict[str, Any]]], object]) -> None:
    """Call *reply*, later, with the entries of :func:`gnet.live` as JSON has them, but for stacks.

    In a greenlet that takes turns: with thousands of connections it takes a tenth of a second.
    """
    Greenlet.spawn(_tell_live, reply)


def _tell_live(reply: Callable[[list[dict[str, Any]]], object]) -> None:
    turns = _Turns()
    pid = os.getpid()
    lines = []
    for entry in take(sys._getframe(), turns.breathe):
        line = entry.as_dict()
        del line['stack']
        lines.append({**line, 'process': pid})
        turns.breathe()
    reply(lines)


class _Turns:
    """What somebody does who lets others have theirs."""

    def __init__(self) -> None:
        self._until = perf_counter() + WORK_BUDGET

    def breathe(self) -> None:
        """Let the loop have a turn if this one has taken long enough."""
        if perf_counter() >= self._until:
            sleep(0.001)  # with a poll; sleep(0) would have none
            self._until = perf_counter() + WORK_BUDGET


class Control:
    """A control socket, from its making until :meth:`close`.

    Args:
        loop: whose hub serves it.
        path: where. What an ended program has left there is replaced.
        live: what answers the request ``live``.
        workers: returns the numbers of worker processes.

    Raises:
        OSError: a running program has it, it is something else, or what the system says.
    """

    def __init__(
        self, loop: Loop, path: str, live: Answer, workers: Callable[[], list[int]] = list,
    ) -> None:
        self._loop = loop
        self._answer_live = live
        self._workers = workers
        self._process = os.getpid()
        self._clients: set[_Client] = set()
        self._file: ControlFile | None = open_control(path)
        self.path: str = self._file.path
        self._pause: Any = None
        self._watcher: Any = loop.io(self._file.socket.fileno(), READ)
        loop.start_io(self._watcher, self._let_in)
        loop.close_in_child(self, Control.close)

    def close(self) -> None:
        """Cut all clients, and remove the socket; in a forked child, close what it has of it."""
        file, self._file = self._file, None
        if file is None:
            return
        close_watcher(self._watcher)
        close_watcher(self._pause)
        for client in list(self._clients):
            client.cut()
        if os.getpid() == self._process:
            file.remove()
        else:
            file.socket.close()

    def _let_in(self) -> None:
        """Runs in the hub."""
        try:
            if self._file is None:
                return
            try:
                sock, _ = self._file.socket.accept()
            except BlockingIOError:
                return  # it has gone
            except OSError:
                self._watcher.stop()
                self._pause = self._loop.call_after(PAUSE, self._loop.from_hub, self._go_on)
                return
            if len(self._clients) >= MAX_CLIENTS or not is_allowed(sock):
                sock.close()
                return
            sock.setblocking(False)
            self._clients.add(_Client(self._loop, sock, self._ask, self._clients.discard))
        except BaseException as error:
            self._loop.report(self, error)

    def _go_on(self) -> None:
        close_watcher(self._pause)
        self._pause = None
        if self._file is not None:
            self._loop.start_io(self._watcher, self._let_in)

    def _ask(self, request: str, reply: Callable[[list[dict[str, Any]]], object]) -> None:
        if request != 'live':
            reply([{'error': f'{request!r} is no request: live is'}])
            return

        def answer(lines: list[dict[str, Any]]) -> None:
            head = {'gnet': __version__, 'pid': self._process, 'workers': self._workers()}
            reply([head, *lines, {'end': True}])

        self._answer_live(answer)


class _Client:
    """Who is connected to it."""

    def __init__(
        self, loop: Loop, sock: Any, ask: Callable[[str, Callable[..., object]], object],
        gone: Callable[[_Client], object],
    ) -> None:
        self._loop = loop
        self._sock = sock
        self._ask = ask
        self._gone = gone
        self._request = b''
        #: What is to be sent: lines, and the part of them that the kernel has not taken.
        self._lines: Iterator[dict[str, Any]] = iter(())
        self._rest = memoryview(b'')
        self._timer: Any = None
        self._reader: Any = loop.io(sock.fileno(), READ)
        self._writer: Any = loop.io(sock.fileno(), WRITE)
        self._expect_request()

    def cut(self) -> None:
        """Close the connection; does nothing the second time."""
        sock, self._sock = self._sock, None
        if sock is not None:
            for watcher in (self._reader, self._writer, self._timer):
                close_watcher(watcher)
            sock.close()
            self._gone(self)

    def _limit(self) -> None:
        close_watcher(self._timer)
        self._timer = self._loop.call_after(PATIENCE, self._loop.from_hub, self.cut)

    def _expect_request(self) -> None:
        self._limit()
        self._loop.start_io(self._reader, self._on_readable)

    def _on_readable(self) -> None:
        """Runs in the hub."""
        try:
            if self._sock is None:
                return
            try:
                data = self._sock.recv(MAX_REQUEST)
            except BlockingIOError:
                return
            except OSError:
                data = b''  # it has reset the connection
            if not data:
                self.cut()
                return
            self._request += data
            self._look_for_request()
        except BaseException as error:
            self._failed(error)

    def _look_for_request(self) -> None:
        line, end, rest = self._request.partition(b'\n')
        if not end:
            if len(line) > MAX_REQUEST:
                self.cut()
            return
        self._request = rest
        # What it asks meanwhile has its turn when it has its answer.
        self._reader.stop()
        self._limit()
        self._ask(line.decode(errors='replace').strip(), self._reply)

    def _reply(self, lines: list[dict[str, Any]]) -> None:
        if self._sock is not None:
            self._lines = iter(lines)
            self._limit()
            self._loop.start_io(self._writer, self._on_writable)

    def _next_piece(self) -> memoryview:
        """Return some lines as text. Not all of them: that would hold up the hub."""
        piece = [f'{json.dumps(line, default=str)}\n' for line in islice(self._lines, PIECE)]
        return memoryview(''.join(piece).encode())

    def _on_writable(self) -> None:
        """Runs in the hub."""
        try:
            if self._sock is None:
                return
            if not self._rest:
                self._rest = self._next_piece()
            if not self._rest:
                self._writer.stop()
                self._expect_request()
                if self._request:
                    self._look_for_request()
                return
            try:
                sent = self._sock.send(self._rest)
            except BlockingIOError:
                return
            except OSError:
                self.cut()
                return
            self._rest = self._rest[sent:]
            self._limit()
        except BaseException as error:
            self._failed(error)

    def _failed(self, error: BaseException) -> None:
        self._loop.report(self, error)
        with suppress(OSError):
            self.cut()
