"""What a socket may have been used for in blocking style before it is forgotten."""

from __future__ import annotations

import socket
from typing import Any

import gnet

from ..harness.connections import target_of
from ..harness.families import Family
from ..harness.plain import PlainSocket
from ..harness.waiting import PATIENCE, turn, until


class Service:
    """A plain peer that keeps its ends of the connections open."""

    def __init__(self, family: Family) -> None:
        self.listener = family.listener(backlog=128)
        self.options = target_of(self.listener)
        self.ends: list[PlainSocket] = []

    def accept(self) -> PlainSocket:
        """Return the end of a connection that was made already."""
        end, _ = self.listener.accept()
        end.settimeout(PATIENCE)
        self.ends.append(end)
        return end

    def close(self) -> None:
        for each in (self.listener, *self.ends):
            each.close()


def talked(service: Service, **options: Any) -> gnet.Socket:
    """Return a socket that was read and written in blocking style; its peer has not ended."""
    sock = gnet.connect(service.options, **options)
    sock.sendall(b'question')
    end = service.accept()
    assert end.recv(100) == b'question'
    end.sendall(b'answer')
    assert sock.recv(6) == b'answer'
    turn()  # what is still to be told of the connection, on a tick, has it
    return sock


def only_sent(service: Service) -> gnet.Socket:
    sock = gnet.connect(service.options)
    sock.sendall(b'question')
    service.accept()
    return sock


def iterated(service: Service) -> gnet.Socket:
    sock = talked(service)
    service.ends[0].sendall(b'more')
    for _chunk in sock:
        break
    return sock


def with_a_file(service: Service) -> gnet.Socket:
    sock = talked(service)
    service.ends[0].sendall(b'a line\n')
    assert sock.makefile('rb').readline() == b'a line\n'
    return sock


def with_unread_bytes(service: Service) -> gnet.Socket:
    sock = talked(service)
    service.ends[0].sendall(b'unread')
    until(lambda: sock.readable_length)
    return sock


def peeked(service: Service) -> gnet.Socket:
    sock = with_unread_bytes(service)
    assert sock.recv(2, socket.MSG_PEEK) == b'un'
    return sock


def timed_out(service: Service) -> gnet.Socket:
    sock = talked(service)
    sock.settimeout(0.001)
    try:
        sock.recv(1)
    except socket.timeout:
        return sock
    raise AssertionError('nothing was to be received')


def with_an_idle_time(service: Service) -> gnet.Socket:
    return talked(service).set_timeout(3_600_000)


def with_an_idle_time_from_its_first_day(service: Service) -> gnet.Socket:
    return talked(service, timeout=3_600_000)


def paused(service: Service) -> gnet.Socket:
    return talked(service).pause()


def with_its_reading_half_alone(service: Service) -> gnet.Socket:
    sock = talked(service)
    sock.shutdown(socket.SHUT_WR)
    return sock


def whose_peer_has_ended(service: Service) -> gnet.Socket:
    sock = talked(service)
    service.ends[0].shutdown(socket.SHUT_WR)
    assert sock.recv(1) == b''
    return sock


def whose_listener_was_removed(service: Service) -> gnet.Socket:
    sock = talked(service)
    sock.on('close', print)
    sock.prepend_listener('end', print)
    sock.off('close', print)
    sock.remove_all_listeners()
    return sock


def whose_listener_was_called(service: Service) -> gnet.Socket:
    sock = gnet.connect(service.options)
    sock.once('connect', lambda: None)
    sock.sendall(b'question')
    service.accept()
    return sock


def connected_by_blocking(service: Service) -> gnet.Socket:
    sock = gnet.Socket()
    assert sock.connect_ex(service.listener.getsockname()) == 0
    service.accept()
    return sock


def connected_again(service: Service) -> gnet.Socket:
    sock = talked(service)
    sock.close()
    gnet.once(sock, 'close')
    service.ends.pop().close()
    sock.connect(service.options)
    sock.sendall(b'question')
    service.accept()
    return sock


def adopted(service: Service) -> gnet.Socket:
    plain = PlainSocket(service.listener.family)
    plain.connect(service.listener.getsockname())
    service.accept().sendall(b'one')
    sock = gnet.Socket.from_socket(plain)
    assert sock.recv(3) == b'one'
    return sock


def adopted_by_its_number(service: Service) -> gnet.Socket:
    plain = PlainSocket(service.listener.family)
    plain.connect(service.listener.getsockname())
    service.accept().sendall(b'one')
    sock = gnet.Socket(fd=plain.detach())
    assert sock.recv(3) == b'one'
    return sock


def that_holds_nothing(service: Service) -> gnet.Socket:
    return talked(service).unref()


#: All of them, by which a test is parametrized.
USES = (
    only_sent, iterated, with_a_file, with_unread_bytes, peeked, timed_out, with_an_idle_time,
    with_an_idle_time_from_its_first_day, paused, with_its_reading_half_alone,
    whose_peer_has_ended, whose_listener_was_removed, whose_listener_was_called,
    connected_by_blocking, connected_again, adopted, adopted_by_its_number, that_holds_nothing,
)
