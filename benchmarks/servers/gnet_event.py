"""The services on gnet, in event style. How they are called and what they do: wire.py."""

import time
from pathlib import Path

import watching
import wire

import gnet

peers = set()


def http(sock):
    sock.on('data', lambda chunk: sock.write(wire.ANSWER))


def timeout(sock):
    sock.set_timeout(wire.IDLE * 1000, sock.destroy)
    http(sock)


def close(sock):
    sock.on('data', lambda chunk: sock.end(wire.CLOSING))


def sink(sock):
    sock.on('data', lambda chunk: None)


def source(sock):
    def fill():
        while sock.write(wire.BLOCK):
            pass

    sock.on('drain', fill)
    sock.resume()
    fill()


def echo(sock):
    sock.pipe(sock)


def lines(sock):
    rest = b''

    @sock.on('data')
    def answer(chunk):
        nonlocal rest
        *complete, rest = (rest + chunk).split(b'\n')
        for line in complete:
            sock.write(line + b'\n')


def batched_lines(sock):
    rest = b''

    @sock.on('data')
    def answer(chunk):
        nonlocal rest
        *complete, rest = (rest + chunk).split(b'\n')
        sock.cork()
        for line in complete:
            sock.write(line + b'\n')
        sock.uncork()


def broadcast(sock):
    peers.add(sock)
    sock.on('close', lambda had_error: peers.discard(sock))

    @sock.on('data')
    def pass_on(chunk):
        for peer in peers:
            peer.write(chunk)


def proxy(sock):
    host, port = wire.BACKEND
    upstream = gnet.connect(port, host, no_delay=True)
    upstream.on('error', lambda error: sock.destroy())
    sock.on('close', lambda had_error: upstream.destroy())
    sock.pipe(upstream).pipe(sock)


def emitter(seconds):
    """Print how often an event is emitted in *seconds*, and the microseconds of CPU for it."""
    emitter = gnet.EventEmitter()
    heard = 0

    @emitter.on('data')
    def count(chunk):
        nonlocal heard
        heard += 1

    before, end = time.process_time(), time.monotonic() + seconds
    while time.monotonic() < end:
        for _ in range(1000):
            emitter.emit('data', wire.BLOCK)
    print(heard, (time.process_time() - before) * 1e6)


def serve(sock):
    sock.on('error', lambda error: None)  # the load's connections end as they like
    service(sock)


def create_server():
    if not wire.IS_TLS:
        return gnet.create_server(serve, no_delay=wire.NO_DELAY)
    from gnet import tls

    return tls.create_server(serve, key=Path(wire.CERTIFICATE), cert=Path(wire.CERTIFICATE))


def main():
    watching.begin()
    server = create_server()
    if wire.SHARING:
        import gnet_workers

        gnet_workers.run(server)
        gnet.run()
        return

    @server.on('listening')
    def ready():
        address = server.address()
        wire.announce(('', address.port) if wire.IS_TCP else address)

    if wire.IS_TCP:
        server.listen(0, wire.HOST, wire.BACKLOG)
    else:
        server.listen(path=wire.ADDRESS, backlog=wire.BACKLOG)
    gnet.run()


if wire.SERVICE == 'emitter':
    emitter(float(wire.ADDRESS))
else:
    service = globals()[wire.SERVICE.replace('-', '_')]
    main()
