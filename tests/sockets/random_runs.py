"""Random plans as they are run, and what is checked of each."""

from __future__ import annotations

import os
import socket
import tempfile
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import gevent
import gevent.socket

import gnet

from ..harness.plain import PlainSocket
from ..harness.waiting import PATIENCE, turn
from .random_calls import CALLS, DeliberateError, is_documented
from .random_ends import Life, RecordedSocket, explains
from .random_plain import PlainEnd
from .random_plans import Call, Plan

__all__ = ['Bench', 'bench']

#: Seconds for the calls of a plan. Most are over before; some are blocked until the sockets are
#: destroyed.
_TIME_FOR_CALLS = 0.06

#: Seconds for sockets that were ended to close.
_TIME_TO_END = 0.1

#: Bytes of all writes of a plan: pipes that make a ring would go on for ever.
_BUDGET = 4_000_000

#: A pipe whose source is read in blocking style as well fails when it goes on.
_OF_PIPES = ('ERR_READING_IN_BLOCKING_STYLE', 'ERR_READING_IN_EVENT_STYLE')

#: Listeners within listeners. (A listener of 'data' may unshift for ever.)
_DEPTH = 5


class Run:
    """One plan, at work."""

    def __init__(self, plan: Plan, slot: Slot) -> None:
        self.plan = plan
        self.slot = slot
        self.failures: list[str] = []
        #: What was called, in order.
        self.log: list[str] = []
        self.ends: dict[str, Any] = {}
        self.sockets: list[RecordedSocket] = []
        self.plain: list[PlainEnd] = []
        self.target = slot.targets[plan.kinds['b'], plan.family]
        self.refused_port = slot.bench.refused_port
        self.over = False
        #: Lanes and listeners that are at work.
        self.busy: list[tuple[str, Any]] = []
        self._spent = 0
        self._accepted = 0

    # --- the ends ---------------------------------------------------------------------------------

    def record(self, name: str, sock: Any, *, hears_errors: bool) -> RecordedSocket:
        end = RecordedSocket(
            name, sock, traced=self.plan.traced, hears=self.plan.hears, fail=self.fail,
            spend=self._spend,
            check_error=lambda where, error: self.check_error(end, where, error))
        end.run, end.position, end.listeners, end.lanes = self, 0, {}, []
        end.hears_errors = hears_errors
        sock.recorded = end
        sock.set_max_listeners(0)
        if hears_errors:
            sock.on('error', lambda error: None)
        self.sockets.append(end)
        return end

    def other(self, end: Any) -> Any:
        return self.ends.get('b' if end is self.ends.get('a') else 'a')

    def start(self) -> None:
        if self.plan.kinds['a'] == 'gnet':
            options = dict(self.plan.options)
            options.pop('pause_on_connect')
            self.ends['a'] = self.record(
                'a', gnet.Socket(options), hears_errors=self.plan.hears_errors['a'])
            for number in (0, 1):
                self._spawn('a', number)
        else:
            self._start_plain('a', gevent.socket.socket(
                socket.AF_UNIX if 'path' in self.target else socket.AF_INET, socket.SOCK_STREAM))

    def _start_plain(self, name: str, sock: Any) -> None:
        end = PlainEnd(self, name, sock)
        self.plain.append(end)
        self.ends[name] = end
        gevent.spawn(self._lane, name, 0)

    def _spawn(self, name: str, number: int) -> None:
        self.ends[name].lanes.append(gevent.spawn(self._lane, name, number))

    def accepted(self, sock: Any) -> None:
        """In a 'connection' listener."""
        self._accepted += 1
        name = 'b' if 'b' not in self.ends else f'extra {self._accepted}'
        end = self.record(
            name, sock, hears_errors=name != 'b' or self.plan.hears_errors['b'])
        end.connected(sock.local_port, sock.remote_port)
        if name == 'b':
            self.ends['b'] = end
            end.lanes.append(gevent.getcurrent())
            self._spawn('b', 1)
            self._lane('b', 0)
        elif self._accepted % 2:
            sock.resume()
        else:
            self._perform(end, f'{name}: ', ('iterate', 0))

    def accepted_plain(self, sock: Any) -> None:
        if 'b' not in self.ends:
            self._start_plain('b', sock)
            self.ends['b'].connected()
        else:
            end = PlainEnd(self, 'extra', sock)
            end.connected()
            self.plain.append(end)
            end.reader = gevent.spawn(end.perform, 'read_to_end')

    # --- calls ------------------------------------------------------------------------------------

    def _lane(self, name: str, number: int) -> None:
        end = self.ends[name]
        entry = (f'lane {name}{number}', gevent.getcurrent())
        self.busy.append(entry)
        try:
            for call in self.plan.lanes[name, number]:
                if self.over:
                    break
                if isinstance(end, RecordedSocket):
                    self._perform(end, f'{name}{number}: ', call)
                elif call[0] == 'connect':
                    with suppress(OSError):
                        end.sock.connect(
                            self.target.get('path') or (self.target['host'], self.target['port']))
                        end.connected()
                else:
                    end.perform(*call)
        except DeliberateError:
            if gevent.getcurrent() is not end.lanes[0] or name == 'a':
                return
            raise  # out of the 'connection' listener
        finally:
            self.busy.remove(entry)

    def _perform(self, end: RecordedSocket, where: str, call: Call) -> None:
        if self.over:
            return
        line = where + ' '.join(map(str, call))
        self.log.append(line)
        try:
            CALLS[call[0]](end, *call[1:])
        except DeliberateError:
            if call[0] == 'raise':
                raise
        except Exception as error:
            self.check_error(end, line, error)
        finally:
            self.log.append(f'  {line} is over')

    def listen(self, end: RecordedSocket, where: str, what: tuple[str, Any]) -> None:
        """Do what a listener or a callback is to do."""
        does, arguments = what
        if self.over or does == 'note':
            return
        entry = (f'{end.name}: {where} {what}', gevent.getcurrent())
        if sum(greenlet is entry[1] for _name, greenlet in self.busy) > _DEPTH:
            return
        self.busy.append(entry)
        self.log.append(entry[0])
        try:
            if does == 'raise':
                raise DeliberateError(f'raised by a {where} of {end.name}')
            if does == 'act':
                self._perform(end, f'{end.name}, {where}: ', arguments)
            elif arguments == 'turn':
                turn()
            else:
                gevent.sleep(arguments)
        finally:
            self.busy.remove(entry)

    # --- failures ---------------------------------------------------------------------------------

    def fail(self, text: str) -> None:
        self.failures.append(text)
        self.log.append(f'FAILURE: {text}')

    def check_error(self, end: RecordedSocket, where: str, error: Any) -> None:
        if not is_documented(error, end.timeouts):
            trace = ''.join(traceback.format_tb(getattr(error, '__traceback__', None)))
            self.fail(f'{where}: {error!r}\n{trace}')

    def reported(self, end: RecordedSocket, error: BaseException) -> None:
        """The hub was told of a failure."""
        if isinstance(error, DeliberateError) or getattr(error, 'code', None) in _OF_PIPES:
            return
        if end.hears_errors or not is_documented(error, end.timeouts):
            trace = ''.join(traceback.format_tb(error.__traceback__))
            self.fail(f'{end.name}: reported: {error!r}\n{trace}')

    def _spend(self, size: int) -> None:
        self._spent += size
        if self._spent > _BUDGET:
            self.over = True

    # --- the end ----------------------------------------------------------------------------------

    def run(self) -> list[str]:
        """Do everything, and return what was wrong."""
        self.start()
        self._wait(_TIME_FOR_CALLS, lambda: 'b' in self.ends and not self.busy)
        if self.plan.ends_gracefully and not self.over:
            self._end_all()
            self._wait(_TIME_TO_END, self._is_closed)
        self.over = True
        if not self._wait(PATIENCE, self._is_over, self._destroy_all):
            self.fail(self._what_is_left())
        for _ in range(3):
            turn()
        self._check()
        return self.failures

    def _wait(self, seconds: float, condition: Any, act: Any = None) -> bool:
        deadline = gevent.get_hub().loop.now() + seconds
        while True:
            if act is not None:
                act()
            gevent.sleep(0.002)
            if condition():
                return True
            if gevent.get_hub().loop.now() > deadline:
                return False

    def _end_all(self) -> None:
        for end in self.sockets:
            for call in (('end', 'nothing', 0, 'bytes', None), ('resume',)):
                self._perform(end, f'{end.name}, at the end: ', call)
        for plain in self.plain:
            plain.perform('shutdown')
            if plain.reader is None and not any(
                name.startswith(f'lane {plain.name}') for name, _greenlet in self.busy
            ):
                plain.reader = gevent.spawn(plain.perform, 'read_to_end')

    def _is_closed(self) -> bool:
        return all(end.life.closed for end in self.sockets) and all(
            plain.life.saw_end or plain.sock.fileno() < 0 for plain in self.plain)

    def _destroy_all(self) -> None:
        for end in self.sockets:
            end.sock.destroy()
        for plain in self.plain:
            plain.close()

    def _is_over(self) -> bool:
        return not self.busy and all(
            end.life.closed and all(expected.calls for expected in end.expected)
            for end in self.sockets)

    def _what_is_left(self) -> str:
        lines = ['left in the end:']
        for name, greenlet in self.busy:
            lines += [name, *traceback.format_stack(greenlet.gr_frame)]
        for end in self.sockets:
            if not end.life.closed:
                lines.append(f"{end.name}: no 'close': {end.sock._stage}")
            lines += [
                f'{expected.name} was not called back'
                for expected in end.expected if not expected.calls]
        return '\n'.join(lines)

    # --- checks -----------------------------------------------------------------------------------

    def _check(self) -> None:
        ends = [*self.sockets, *self.plain]
        lives = [(end, life) for end in ends for life in end.lives if life.was_connected]
        for index, (end, life) in enumerate(lives):
            for other, other_life in lives[index + 1:]:
                if self._are_peers(life, other_life):
                    self._check_bytes(end, life, other, other_life)
                    self._check_bytes(other, other_life, end, life)

    def _are_peers(self, one: Life, two: Life) -> bool:
        if one.local_port is None:
            # On a unix path nothing tells but that there was no other connection: not one, either,
            # that was accepted here and given up there before it could be said to be connected.
            return self._accepted <= 1 and all(
                len(end.lives) == 1 for end in (*self.sockets, *self.plain))
        return one.local_port == two.remote_port and one.remote_port == two.local_port

    def _check_bytes(self, writer: Any, written: Life, reader: Any, read: Life) -> None:
        received = b''.join(read.received).replace(b'~', b'')
        complete = read.saw_end and not read.was_cut
        self.slot.bench.checked[complete, bool(received)] += 1
        if not explains(written.written, received, complete):
            sizes = [
                (len(record.data), record.acknowledged, record.given_up)
                for record in written.written]
            self.fail(
                f'{reader.name} received {len(received)} bytes (end seen: {read.saw_end}), '
                f'{writer.name} wrote (size, acknowledged, given up) {sizes}: '
                f'{received[:60]!r}… in {[len(chunk) for chunk in read.received][-30:]}')


class Slot:
    """Servers for one run at a time."""

    def __init__(self, bench: Bench, directory: str, number: int) -> None:
        self.bench = bench
        self.run: Run | None = None
        self.targets: dict[tuple[str, str], dict[str, Any]] = {}
        self._servers: list[Any] = []
        self._listeners: list[Any] = []
        for kind in ('gnet', 'plain'):
            for family in ('tcp', 'unix'):
                path = os.path.join(directory, f'{kind}{number}')
                plain = gevent.socket.socket(
                    socket.AF_INET if family == 'tcp' else socket.AF_UNIX, socket.SOCK_STREAM)
                # What the accepted sockets inherit: less than a big write.
                for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
                    plain.setsockopt(socket.SOL_SOCKET, option, 16384)
                plain.bind(('127.0.0.1', 0) if family == 'tcp' else path)
                plain.listen(50)
                self.targets[kind, family] = {'path': path} if family == 'unix' else {
                    'host': '127.0.0.1', 'port': plain.getsockname()[1]}
                if kind == 'gnet':
                    server = gnet.create_server(self._accepted)
                    server.listen(plain)
                    self._servers.append(server)
                else:
                    self._listeners.append((plain, gevent.spawn(self._accept, plain)))

    def execute(self, plan: Plan) -> list[str]:
        """Run *plan* and return what was wrong, with the calls."""
        run = self.run = Run(plan, self)
        for server in self._servers:
            server.allow_half_open = plan.options['allow_half_open']
            server.high_water_mark = plan.options['high_water_mark']
            server.pause_on_connect = plan.options['pause_on_connect']
        try:
            failures = run.run()
        finally:
            self.run = None
        self.log = run.log
        return failures

    def _accepted(self, sock: Any) -> None:
        if self.run is None or self.run.over:
            sock.destroy()
        else:
            self.run.accepted(sock)

    def _accept(self, listener: Any) -> None:
        while True:
            sock, _address = listener.accept()
            if self.run is None or self.run.over:
                sock.close()
            else:
                self.run.accepted_plain(sock)

    def close(self) -> None:
        for server in self._servers:
            server.stop(0)
        for listener, greenlet in self._listeners:
            greenlet.kill()
            listener.close()


class Bench:
    """Slots, and what the hub reports."""

    def __init__(self, slots: list[Slot]) -> None:
        self.slots = slots
        #: Failures that the hub reported and that are of no run.
        self.strays: list[str] = []
        #: How often the books of two peers were compared, by what there was to compare.
        self.checked: Counter[tuple[bool, bool]] = Counter()
        self._refused = PlainSocket()
        self._refused.bind(('127.0.0.1', 0))
        self.refused_port = self._refused.getsockname()[1]

    def reported(self, context: Any, kind: Any, error: Any, trace: Any) -> None:
        """Take the place of the hub's ``print_exception``."""
        end = getattr(context, 'recorded', None)
        if end is not None:
            end.run.reported(end, error)
        elif not isinstance(error, DeliberateError):
            self.strays.append(
                f'{context!r}: {error!r}\n{"".join(traceback.format_tb(error.__traceback__))}')

    def execute(self, plans: list[Plan]) -> list[tuple[Plan, list[str], list[str]]]:
        """Run all plans, many at the same time; return those that failed."""
        waiting, failed = list(reversed(plans)), []

        def work(slot: Slot) -> None:
            while waiting:
                plan = waiting.pop()
                failures = slot.execute(plan)
                if failures:
                    failed.append((plan, failures, slot.log))

        workers = [gevent.spawn(work, slot) for slot in self.slots]
        gevent.joinall(workers, raise_error=True)
        return failed

    def close(self) -> None:
        for slot in self.slots:
            slot.close()
        self._refused.close()


@contextmanager
def bench(count: int) -> Iterator[Bench]:
    """Make a bench with *count* slots."""
    made = Bench([])
    with tempfile.TemporaryDirectory(prefix='gnet-') as directory:
        made.slots += [Slot(made, directory, number) for number in range(count)]
        try:
            yield made
        finally:
            made.close()
