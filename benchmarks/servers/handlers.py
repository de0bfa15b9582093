"""The services in blocking style, for any library that gives each connection a greenlet.

*connect* opens a connection as that library does.
"""

from contextlib import suppress

import gevent
import wire


def http(sock, connect):
    while sock.recv(wire.CHUNK):
        sock.sendall(wire.ANSWER)


def timeout(sock, connect):
    sock.settimeout(wire.IDLE)
    http(sock, connect)


def close(sock, connect):
    if sock.recv(wire.CHUNK):
        sock.sendall(wire.CLOSING)


def sink(sock, connect):
    while sock.recv(wire.CHUNK):
        pass


def source(sock, connect):
    while True:
        sock.sendall(wire.BLOCK)


def echo(sock, connect):
    while True:
        chunk = sock.recv(wire.CHUNK)
        if not chunk:
            break
        sock.sendall(chunk)


def lines(sock, connect):
    with sock.makefile('rb') as file:
        for line in file:
            sock.sendall(line)


def batched_lines(sock, connect):
    rest = b''
    while True:
        chunk = sock.recv(wire.CHUNK)
        if not chunk:
            break
        *complete, rest = (rest + chunk).split(b'\n')
        sock.sendall(b''.join([line + b'\n' for line in complete]))


peers = set()


def broadcast(sock, connect):
    peers.add(sock)
    try:
        while True:
            chunk = sock.recv(wire.CHUNK)
            if not chunk:
                break
            for peer in list(peers):
                peer.sendall(chunk)
    finally:
        peers.discard(sock)


def proxy(sock, connect):
    upstream = connect(wire.BACKEND)
    back = gevent.spawn(_pass_on, upstream, sock)
    try:
        _pass_on(sock, upstream)
    finally:
        back.kill()
        upstream.close()


def _pass_on(source, destination):
    with suppress(OSError):
        while True:
            chunk = source.recv(wire.CHUNK)
            if not chunk:
                break
            destination.sendall(chunk)


service = globals()[wire.SERVICE.replace('-', '_')]


def handle(sock, connect):
    with suppress(OSError):  # the load's connections end as they like
        service(sock, connect)
