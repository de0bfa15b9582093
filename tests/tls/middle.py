"""One in the middle: passes on what two ends of a TLS connection say, and damages it on the way.

Plain gevent sockets, nothing of gnet. Damage is told in bytes of the stream, or in records of TLS,
so that it is the same however the bytes come.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, NamedTuple

import gevent
from gevent import socket

__all__ = ['HARMLESS', 'KINDS', 'Damage', 'Middle', 'drawn']

#: Seconds for which a connection is stalled.
STALL = 0.03

#: Bytes of the header of a record, and where in it the length is (RFC 8446, 5.1).
_HEADER, _LENGTH = 5, slice(3, 5)

#: Damage that changes nothing of what is said.
HARMLESS = frozenset({'none', 'drip', 'stall'})

#: Damage for which later bytes have to be there.
_LOOKS_AHEAD = frozenset({'drop', 'repeat', 'swap'})

#: All kinds: what becomes of the bytes at a place.
KINDS = (
    'none', 'drip', 'stall', 'flip', 'flip', 'flip', 'cut', 'cut', 'reset', 'stall and cut',
    'drop', 'repeat', 'insert', 'swap', 'drop record', 'repeat record', 'swap records',
    'flip in record', 'flip in record', 'cut at record', 'garbage record',
)


class Damage(NamedTuple):
    """What is done to one direction.

    Attributes:
        kind: one of :data:`KINDS`.
        place: the byte of the stream, or the number of the record, at which it is done.
        size: how many bytes it concerns.
        bits: what is flipped, or inserted.
    """

    kind: str
    place: int
    size: int
    bits: bytes

    def __str__(self) -> str:
        return f'{self.kind} at {self.place}, {self.size} bytes'

    @property
    def is_harmless(self) -> bool:
        return self.kind in HARMLESS


def drawn(dice: random.Random, farthest: int) -> Damage:
    """Return some damage, up to *farthest* bytes from the beginning, but mostly in the handshake.
    """
    kind = dice.choice(KINDS)
    if 'record' in kind:
        place = dice.choice((0, 0, 1, 1, 2, 3, dice.randrange(10)))
    else:
        place = dice.randrange(dice.choice((16, 250, 1500, farthest)))
    size = dice.choice((1, 1, 2, 5, 40, 700))
    bits = bytes([1 << dice.randrange(8)]) if 'flip' in kind else dice.randbytes(size)
    return Damage(kind, place, size, bits)


class _Over(Exception):  # noqa: N818  # no error: it is what was wanted
    """This direction, or with *resets* the connection, ends here."""

    def __init__(self, resets: bool = False) -> None:
        super().__init__()
        self.resets = resets


class Middle:
    """Listens for one client, and connects it to a server.

    Args:
        port: of the server, on 127.0.0.1.
        to_server: the damage of what the client says.
        to_client: the damage of what the server says.
        connected: called when the server is connected to.
    """

    def __init__(
        self, port: int, to_server: Damage, to_client: Damage, connected: Callable[[], object],
    ) -> None:
        self._listener = socket.socket()
        self._listener.bind(('127.0.0.1', 0))
        self._listener.listen(1)
        #: Where the client has to connect to.
        self.port = self._listener.getsockname()[1]
        self._task = gevent.spawn(self._run, port, to_server, to_client, connected)

    def close(self) -> None:
        """End it, whatever it is doing."""
        self._task.kill()

    def _run(
        self, port: int, to_server: Damage, to_client: Damage, connected: Callable[[], object],
    ) -> None:
        with self._listener:
            client, _ = self._listener.accept()
        with client, socket.create_connection(('127.0.0.1', port)) as server:
            connected()
            pumps = [
                gevent.spawn(self._pump, client, server, to_server),
                gevent.spawn(self._pump, server, client, to_client)]
            try:
                gevent.joinall(pumps)
            finally:
                gevent.killall(pumps)

    def _pump(self, source: Any, target: Any, damage: Damage) -> None:
        damaged = _by_record if 'record' in damage.kind else _by_byte
        try:
            with suppress(OSError):  # one of the ends has gone
                for chunk in damaged(_received(source), damage):
                    target.sendall(chunk)
        except _Over as over:
            if over.resets:
                for each in (source, target):
                    each.setsockopt(
                        socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
                    each.close()
                return
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)
        # What the source still says is for nobody.
        with suppress(OSError):
            while source.recv(65536):
                pass


def _received(source: Any) -> Iterator[bytes]:
    while True:
        chunk = source.recv(65536)
        if not chunk:
            return
        yield chunk


# --- by bytes -------------------------------------------------------------------------------------


def _by_byte(chunks: Iterator[bytes], damage: Damage) -> Iterator[bytes]:
    """Pass on what comes before the place; damage what comes next; pass on the rest."""
    kind, place, size, bits = damage
    if kind == 'none':
        yield from chunks
        return
    if kind == 'drip':
        yield from _dripping(chunks, place)
        return
    done, waiting = 0, b''
    for chunk in chunks:
        waiting += chunk
        before = waiting[:max(0, place - done)]
        if before:
            yield before
        done, waiting = done + len(before), waiting[len(before):]
        if len(waiting) >= (2 * size if kind in _LOOKS_AHEAD else 1):
            break
    if waiting:
        # If the stream was shorter than that, what there is.
        yield from _changed(kind, waiting, size, bits)
    yield from chunks


def _changed(kind: str, data: bytes, size: int, bits: bytes) -> Iterator[bytes]:
    first, second, rest = data[:size], data[size:2 * size], data[2 * size:]
    if kind == 'flip':
        yield bytes([data[0] ^ bits[0]]) + data[1:]
    elif kind == 'drop':
        yield second + rest
    elif kind == 'repeat':
        yield first + data
    elif kind == 'insert':
        yield bits + data
    elif kind == 'swap':
        yield second + first + rest
    elif kind == 'cut':
        raise _Over
    elif kind == 'reset':
        raise _Over(resets=True)
    else:
        assert kind in ('stall', 'stall and cut'), kind
        gevent.sleep(STALL)
        if kind == 'stall and cut':
            raise _Over
        yield data


def _dripping(chunks: Iterator[bytes], place: int) -> Iterator[bytes]:
    """One byte at a time, for a while; then as it comes."""
    left = min(place, 600)
    for chunk in chunks:
        now, chunk = chunk[:left], chunk[left:]
        for byte in now:
            yield bytes([byte])
            gevent.sleep(0)
        left -= len(now)
        if chunk:
            yield chunk


# --- by records -----------------------------------------------------------------------------------


def _by_record(chunks: Iterator[bytes], damage: Damage) -> Iterator[bytes]:
    """Do something to a record; what is held back for that is passed on at the end."""
    kind, place, _, bits = damage
    held = b''
    for number, record in enumerate(_records(chunks)):
        if number == place + 1 and held:
            yield record + held
            held = b''
        elif number != place or len(record) < _HEADER:
            yield record
        elif kind == 'drop record':
            continue
        elif kind == 'repeat record':
            yield record + record
        elif kind == 'swap records':
            held = record
        elif kind == 'flip in record':
            # In its payload, wherever that is: the length stays right.
            at = _HEADER + bits[0] * 7919 % max(1, len(record) - _HEADER)
            yield record[:at] + bytes([record[at] ^ bits[0]]) + record[at + 1:]
        elif kind == 'cut at record':
            raise _Over
        else:
            assert kind == 'garbage record', kind
            yield record[:_HEADER] + bytes(len(record) - _HEADER)
    if held:
        yield held


def _records(chunks: Iterator[bytes]) -> Iterator[bytes]:
    waiting = b''
    for chunk in chunks:
        waiting += chunk
        while len(waiting) >= _HEADER:
            size = _HEADER + int.from_bytes(waiting[_LENGTH], 'big')
            if len(waiting) < size:
                break
            yield waiting[:size]
            waiting = waiting[size:]
    if waiting:
        yield waiting
