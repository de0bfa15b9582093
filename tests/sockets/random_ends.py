"""One end of a connection that random calls are made on, and the books that are kept of it.

Every byte that is written to an end and every byte that it gives out is noted, through whichever
call; so is every event. A socket may be connected again: it has a :class:`Life` for each
connection.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

__all__ = ['FOREIGN', 'Expected', 'Life', 'Record', 'RecordedSocket', 'explains']

#: What unshift() brings in that nobody wrote; it is in no other data.
FOREIGN = b'~'

#: After 'close' none of them may come, before it each of the second list once at most.
_NEVER_AFTER_CLOSE = frozenset((
    'data', 'readable', 'end', 'finish', 'prefinish', 'drain', 'error', 'timeout', 'connect',
    'ready', 'close',
))
_ONCE = frozenset(('end', 'finish', 'prefinish', 'error', 'close', 'connect', 'ready'))


def _nothing(*_args: object) -> None:
    """A listener."""


class Record:
    """One chunk that was written."""

    __slots__ = ('acknowledged', 'data', 'given_up')

    def __init__(self, data: bytes, acknowledged: bool = False) -> None:
        self.data = data
        #: Whether a callback or a call that returned has said that the kernel has it.
        self.acknowledged = acknowledged
        #: Whether a blocking call was left before that: a part of it may have been sent.
        self.given_up = False


class Expected:
    """A callback that must be called once."""

    __slots__ = ('calls', 'name')

    def __init__(self, name: str) -> None:
        self.name = name
        self.calls = 0


class Life:
    """One connection of a socket, or the time before its first one."""

    def __init__(self) -> None:
        self.written: list[Record] = []
        self.received: list[bytes] = []
        #: Whether the peer's end was seen, by 'end' or by a read.
        self.saw_end = False
        #: Whether it was made elsewhere: by shutdown(SHUT_RD), or as the descriptor was given away.
        self.was_cut = False
        self.closed = False
        self.events: Counter[str] = Counter()
        self.local_port: int | None = None
        self.remote_port: int | None = None
        self.was_connected = False


class RecordedSocket:
    """A ``gnet.Socket`` with books. It calls the socket's own methods, which keep them.

    With *traced* each event goes through ``emit``, which keeps the books. Else the socket is as it
    is in programs: it calls the listeners of `'data'` by itself, and leaves out what nobody listens
    to. What the books need has a listener, and so have the events *hears*, which so go their long
    way in some runs, and the short one in others.
    """

    def __init__(
        self, name: str, sock: Any, *, traced: bool, hears: tuple[str, ...],
        fail: Callable[[str], None], check_error: Callable[[str, Any], None],
        spend: Callable[[int], None],
    ) -> None:
        self.name = name
        self.sock = sock
        self.fail = fail
        self.lives = [Life()]
        self.expected: list[Expected] = []
        #: What 'data' brought during each ``read()`` that is going on.
        self.noted: list[list[Any]] = []
        #: What settimeout() was ever given.
        self.timeouts: set[Any] = set()
        self._check_error = check_error
        self._spend = spend
        self._own = {
            method: getattr(sock, method) for method in (
                'emit', 'write', 'sendall', 'send', 'recv', '_connect', '_listener_added',
                '_read_ahead')
        }
        sock.emit, sock.write, sock.sendall = self._emit, self._write, self._sendall
        sock.send, sock.recv, sock._connect = self._send, self._recv, self._connect
        sock._read_ahead = self._read_ahead
        if traced:
            sock._plain_emit = False  # or the stream would call the listeners of 'data' itself
        else:
            # It shall do that: then the first of them keeps the books.
            sock._listener_added = self._listener_added
            for event in ('connect', 'close', *hears):
                sock.on(event, _nothing)

    @property
    def life(self) -> Life:
        return self.lives[-1]

    # --- lives and events -------------------------------------------------------------------------

    def connected(self, local_port: int | None, remote_port: int | None) -> None:
        self.life.was_connected = True
        self.life.local_port, self.life.remote_port = local_port, remote_port

    def _connect(self, request: Any) -> None:
        if self.life.closed:
            self.lives.append(Life())
        # An end() that came before was that of no connection: it may end again.
        self.life.events['prefinish'] = self.life.events['finish'] = 0
        self._own['_connect'](request)

    def _emit(self, event: Any, *args: Any) -> bool:
        life = self.life
        if life.closed and event in _NEVER_AFTER_CLOSE:
            self.fail(f"{self.name}: {event!r} {args!r:.80} after 'close'")
        life.events[event] += 1
        if event in _ONCE and life.events[event] > 1:
            self.fail(f'{self.name}: {event!r} again')
        if event == 'data':
            if self._note_data not in self.sock.listeners('data'):
                self._note_data(args[0])
        elif event == 'end':
            life.saw_end = True
        elif event == 'error':
            self._check_error(f"{self.name}: 'error'", args[0])
        elif event == 'close':
            life.closed = True
            life.saw_end = life.saw_end or self.sock.readable_ended  # if nobody was told
            # (A write may have failed, and set errored, just before a plain destroy().)
            if (
                (args[0] and self.sock.errored is None) or (not args[0] and life.events['error'])
                or (self.hears_errors and args[0] and not life.events['error'])
            ):
                self.fail(f"{self.name}: 'close' {args} after {life.events['error']} 'error'")
        elif event == 'connect':
            self.connected(self.sock.local_port, self.sock.remote_port)
        return bool(self._own['emit'](event, *args))

    def _listener_added(self, event: Any) -> None:
        if event == 'data' and self._note_data not in self.sock.listeners('data'):
            self.sock.prepend_listener('data', self._note_data)
        self._own['_listener_added'](event)

    def forget_data_listeners(self) -> None:
        """The first listener of 'data' is of no use when it is the only one."""
        if self.sock.listeners('data') == [self._note_data]:
            self.sock.off('data', self._note_data)

    # --- reading ----------------------------------------------------------------------------------

    def _note_data(self, chunk: Any) -> None:
        for noted in self.noted:
            noted.append(chunk)
        self.note_received(chunk)

    def note_received(self, chunk: Any) -> None:
        self.life.received.append(chunk.encode() if isinstance(chunk, str) else bytes(chunk))

    def read(self, size: Any) -> Any:
        """``read()``, whose chunk is usually, but not always, also emitted."""
        # (A listener may block, and others be called meanwhile; or read.)
        noted: list[Any] = []
        self.noted.append(noted)
        try:
            chunk = self.sock.read(size)
        finally:
            self.noted = [one for one in self.noted if one is not noted]
        if chunk is not None and not any(chunk is one for one in noted):
            self.note_received(chunk)
        return chunk

    def _read_ahead(self, wire: Any, data: bytes | None) -> None:
        """A file is closed, and has read *data* ahead: it was received no more."""
        received = self.life.received
        if data and wire.stream == self.sock and received and received[-1].endswith(data):
            received[-1] = received[-1][:-len(data)]
            self._own['_read_ahead'](wire, data)
        # Else another call has read what comes after it: that goes for read, too.

    def _recv(self, size: int, flags: int = 0) -> bytes:
        data: bytes = self._own['recv'](size, flags)
        if len(data) > size:
            self.fail(f'{self.name}: recv({size}) returned {len(data)}')
        if not flags:
            self.note_received(data)
        if not data and size:
            self.life.saw_end = True
        return data

    # --- writing ----------------------------------------------------------------------------------

    def _write(self, chunk: Any, encoding: Any = None, callback: Any = None) -> bool:
        if callback is None and callable(encoding):
            encoding, callback = None, encoding
        data = bytes.fromhex(chunk) if encoding == 'hex' else (
            chunk.encode() if isinstance(chunk, str) else bytes(chunk))
        record = Record(data)
        self.life.written.append(record)
        self._spend(len(data))

        def done(error: Any) -> None:
            record.acknowledged = error is None
            callback(error)

        return bool(self._own['write'](chunk, encoding, done if callback else None))

    def expect(self, name: str, then: Callable[[], object]) -> Callable[[Any], None]:
        """Return a callback that must be called once, with None or a documented error."""
        expected = Expected(f'{self.name}: {name}')
        self.expected.append(expected)

        def callback(error: Any) -> None:
            expected.calls += 1
            if expected.calls > 1:
                self.fail(f'{expected.name} is called back again')
            if error is not None:
                self._check_error(expected.name, error)
            then()

        return callback

    def _sendall(self, data: Any, flags: int = 0) -> None:
        record = Record(bytes(data))
        self.life.written.append(record)
        try:
            self._own['sendall'](data, flags)
        except BaseException:
            record.given_up = True
            raise
        record.acknowledged = True

    def _send(self, data: Any, flags: int = 0) -> int:
        record = Record(bytes(data))
        record.given_up = True
        self.life.written.append(record)
        count: int = self._own['send'](data, flags)
        if not 0 <= count <= len(record.data):
            self.fail(f'{self.name}: send() of {len(record.data)} bytes returned {count}')
        record.data, record.acknowledged, record.given_up = record.data[:count], True, False
        return count


def explains(written: list[Record], received: bytes, complete: bool) -> bool:
    """Whether *received* is a beginning of what was written.

    With *complete*, all that was acknowledged must be there. Of records that were given up, any
    part from their beginning on may be.
    """
    wanted = 0
    if complete:
        wanted = max((n for n, record in enumerate(written, 1) if record.acknowledged), default=0)
    offsets = {0}
    for number, record in enumerate(written, 1):
        data = record.data.replace(FOREIGN, b'')
        following = set()
        for offset in offsets:
            rest = len(received) - offset
            if rest < len(data):
                if number > wanted and data.startswith(received[offset:]):
                    return True
            elif received.startswith(data, offset):
                following.add(offset + len(data))
            if record.given_up:
                common = _common(data, received[offset:offset + len(data)])
                # By chance, some bytes of the next record may go on like this one.
                following.add(offset)
                following.update(range(offset + max(0, common - 8), offset + common + 1))
        offsets = following
    return len(received) in offsets


def _common(one: bytes, other: bytes) -> int:
    """Return the length of the common beginning."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[:middle] == other[:middle]:
            low = middle
        else:
            high = middle - 1
    return low
