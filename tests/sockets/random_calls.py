"""What the calls of a random plan do: see :mod:`.random_plans`.

Each function gets the :class:`RecordedSocket` to call, and the arguments in the plan.
"""

from __future__ import annotations

import os
import random
import socket
from base64 import b64encode
from typing import Any

import gevent

from ..harness.waiting import turn
from .random_ends import FOREIGN, RecordedSocket

__all__ = ['CALLS', 'DeliberateError', 'is_documented', 'next_data']


class DeliberateError(Exception):
    """What listeners raise on purpose."""


#: Codes of errors for calls that a state does not allow.
_CODES = frozenset((
    'ERR_STREAM_DESTROYED', 'ERR_STREAM_WRITE_AFTER_END', 'ERR_STREAM_ALREADY_FINISHED',
    'ERR_SOCKET_CLOSED', 'ERR_SOCKET_CLOSED_BEFORE_CONNECTION',
    'ERR_STREAM_UNSHIFT_AFTER_END_EVENT', 'ERR_READING_IN_EVENT_STYLE',
    'ERR_READING_IN_BLOCKING_STYLE', 'ERR_CONCURRENT_READ', 'ERR_TEXT_IS_BUFFERED',
    'ERR_INVALID_HANDLE_TYPE', 'ECONNRESET', 'EPIPE', 'ENOTCONN', 'ECANCELED', 'EISCONN',
    'EALREADY', 'ECONNREFUSED',
))
#: Texts of errors of the standard library: of files, and of the descriptor.
_TEXTS = (
    'I/O operation on closed file', 'read of closed file', 'write to closed file',
    'cannot read from timed out object', 'Transport endpoint is not connected',
    'underlying read1() should have returned',  # a text file of a non-blocking socket
    'Connection reset by peer',  # read by what to_socket() returned
    'objects of makefile() are open',
)

#: Letters and digits; chosen one by one, they would take a third of a second.
_PATTERN = b64encode(random.Random(1).randbytes(750_003), b'aZ')[:1_000_003]


def is_documented(error: Any, timeouts: set[Any]) -> bool:
    """Whether a call may raise *error* where settimeout() was given *timeouts* at times."""
    if isinstance(error, DeliberateError):
        return True
    code = getattr(error, 'code', None)
    if code is not None:
        return code in _CODES
    if isinstance(error, BlockingIOError):
        return 0 in timeouts
    if isinstance(error, socket.timeout):
        return bool(timeouts - {None})
    return any(text in str(error) for text in _TEXTS)


def next_data(end: Any, size: int) -> bytes:
    """Return bytes that tell where in the stream of *end* they are."""
    start = end.position % (len(_PATTERN) - size)
    end.position += size
    return _PATTERN[start:start + size]


# --- writing ------------------------------------------------------------------------------------


def _chunk(end: RecordedSocket, size: int, form: str) -> tuple[Any, Any]:
    data = next_data(end, size)
    if form == 'bytes':
        return data, None
    if form == 'bytearray':
        return bytearray(data), None
    return (data.hex(), 'hex') if form == 'hex' else (data.decode(), form)


def _callback(end: RecordedSocket, name: str, does: Any) -> Any:
    if does is None:
        return None
    return end.expect(name, lambda: end.run.listen(end, f'callback of {name}', (does, 'turn')))


def write(end: RecordedSocket, size: int, form: str, does: Any) -> None:
    end.sock.write(*_chunk(end, size, form), _callback(end, f'write of {size}', does))


def end_(end: RecordedSocket, what: str, size: int, form: str, does: Any) -> None:
    callback = _callback(end, 'end', does)
    if what == 'chunk':
        end.sock.end(*_chunk(end, size, form), callback)
    elif callback is None:
        end.sock.end()
    else:
        end.sock.end(callback)


def send(end: RecordedSocket, size: int) -> None:
    end.sock.send(next_data(end, size))


def sendall(end: RecordedSocket, size: int) -> None:
    end.sock.sendall(next_data(end, size))


# --- reading ------------------------------------------------------------------------------------


def read(end: RecordedSocket, size: Any) -> None:
    end.read(size)


def unshift(end: RecordedSocket, what: str, size: int) -> None:
    if what == 'foreign':
        end.sock.unshift(FOREIGN * size)
        return
    received = end.life.received
    before = len(received)
    chunk = end.read(size)
    # Only what is certainly the last that was taken can be put back.
    if chunk is not None and received is end.life.received and len(received) == before + 1 and (
        not end.sock.destroyed and not end.sock.readable_ended and end.sock.errored is None
    ):
        received.pop()
        end.sock.unshift(chunk)


def recv(end: RecordedSocket, size: int) -> None:
    end.sock.recv(size)


def recv_into(end: RecordedSocket, size: int) -> None:
    end.sock.recv_into(bytearray(size))


def peek(end: RecordedSocket, size: int) -> None:
    end.sock.recv(size, socket.MSG_PEEK)


def iterate(end: RecordedSocket, count: int) -> None:
    for number, chunk in enumerate(end.sock, 1):
        end.note_received(chunk)
        if number == count:
            break
    else:
        end.life.saw_end = True


def makefile(end: RecordedSocket, mode: str, buffering: int, size: int) -> None:
    if 'b' not in mode and (buffering == 0 or end.sock.gettimeout() == 0):
        buffering, mode = -1, mode + 'b'
    with end.sock.makefile(mode, buffering) as file:
        if 'w' in mode:
            data = next_data(end, size)
            file.write(data if 'b' in mode else data.decode())
            file.flush()
        if 'r' in mode:
            file.read(size)


# --- events -------------------------------------------------------------------------------------


def on(end: RecordedSocket, event: str, does: str, arguments: Any, once: bool) -> None:
    def listener(*_args: Any) -> None:
        end.run.listen(end, f'listener of {event}', (does, arguments))

    end.listeners.setdefault(event, []).append(listener)
    (end.sock.once if once else end.sock.on)(event, listener)


def off(end: RecordedSocket, event: str) -> None:
    if end.listeners.get(event):
        end.sock.off(event, end.listeners[event].pop())
        end.forget_data_listeners()


def pipe(end: RecordedSocket, where: str, ends: bool) -> None:
    destination = _pipe_end(end, where)
    if destination is not None:
        end.sock.pipe(destination, end=ends)


def unpipe(end: RecordedSocket, where: str) -> None:
    end.sock.unpipe(None if where == 'all' else _pipe_end(end, where))


def _pipe_end(end: RecordedSocket, where: str) -> Any:
    other = end if where == 'self' else end.run.other(end)
    return other.sock if isinstance(other, RecordedSocket) else None


def set_timeout(end: RecordedSocket, msecs: int, does: Any) -> None:
    callbacks = {None: None, 'note': lambda: None, 'destroy': end.sock.destroy}
    end.sock.set_timeout(msecs, callbacks[does])


# --- the connection -----------------------------------------------------------------------------


def connect(end: RecordedSocket, how: str) -> None:
    target = end.run.target
    port, host = target.get('port'), target.get('host')
    if how == 'refused':
        end.sock.connect(end.run.refused_port, '127.0.0.1')
    elif how == 'callback':
        end.sock.connect(target, lambda: end.run.listen(end, 'connect', ('block', 'turn')))
    elif how == 'port' or port is None:
        end.sock.connect(target)
    elif how == 'blocking':
        end.sock.connect((host, port))
    elif how == 'lookup':
        end.sock.connect(
            port, 'some.name',
            lookup=lambda name, options, back: back(None, [{'address': host, 'family': 4}]))
    else:
        def look_up(name: str, options: Any, back: Any) -> None:
            gevent.spawn_later(0.002, back, None, [{'address': host, 'family': 4}])

        end.sock.connect(port=port, host='some.name', lookup=look_up)


def destroy(end: RecordedSocket, what: Any) -> None:
    end.sock.destroy(what and DeliberateError('given to destroy()'))


def shutdown(end: RecordedSocket, how: str) -> None:
    if how != 'WR':
        end.life.was_cut = True
    end.sock.shutdown(getattr(socket, f'SHUT_{how}'))


def detach(end: RecordedSocket) -> None:
    life = end.life
    descriptor = end.sock.detach()
    if descriptor >= 0:
        life.was_cut = True
        os.close(descriptor)


def to_socket(end: RecordedSocket, size: int) -> None:
    life = end.life
    made = end.sock.to_socket()
    with made:
        life.was_cut = True
        made.settimeout(0.002)
        end.timeouts.add(0.002)
        life.received.append(made.recv(size))


def settimeout(end: RecordedSocket, seconds: Any) -> None:
    end.timeouts.add(seconds)
    end.sock.settimeout(seconds)


# --- the rest -----------------------------------------------------------------------------------


def look(end: RecordedSocket) -> None:
    """Read all properties."""
    for name in dir(type(end.sock)):
        if isinstance(getattr(type(end.sock), name), property):
            getattr(end.sock, name)
    repr(end.sock)


def kill(end: RecordedSocket) -> None:
    """End a greenlet that may be blocked on this socket."""
    for lane in end.lanes:
        if lane is not gevent.getcurrent() and not lane.dead:
            lane.kill(block=False)
            break


def raise_(end: RecordedSocket) -> None:
    raise DeliberateError(f'raised by a greenlet of {end.name}')


def sleep(end: Any, seconds: float) -> None:
    gevent.sleep(seconds)


def turns(end: RecordedSocket, count: int) -> None:
    for _ in range(count):
        turn()


def _method(name: str) -> Any:
    return lambda end, *args: getattr(end.sock, name)(*args)


CALLS: dict[str, Any] = {
    **{
        name: _method(name) for name in (
            'destroy_soon', 'reset_and_destroy', 'pause', 'resume', 'set_encoding', 'cork',
            'uncork', 'ref', 'unref', 'set_no_delay', 'set_keep_alive', 'close')
    },
    'write': write, 'end': end_, 'send': send, 'sendall': sendall, 'read': read,
    'unshift': unshift, 'recv': recv, 'recv_into': recv_into, 'peek': peek, 'iterate': iterate,
    'makefile': makefile, 'on': on, 'off': off, 'pipe': pipe, 'unpipe': unpipe,
    'set_timeout': set_timeout, 'connect': connect, 'destroy': destroy, 'shutdown': shutdown,
    'detach': detach, 'to_socket': to_socket, 'settimeout': settimeout, 'look': look,
    'kill': kill, 'raise': raise_, 'sleep': sleep, 'turn': turns,
}
