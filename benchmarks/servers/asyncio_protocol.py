"""The services on asyncio's transports and protocols. How they are called: wire.py and aio.py."""

import asyncio

import aio
import wire


class Service(asyncio.Protocol):
    transport = None

    def connection_made(self, transport):
        self.transport = transport


class Http(Service):
    def data_received(self, data):
        self.transport.write(wire.ANSWER)


class Timeout(Http):
    def connection_made(self, transport):
        self.transport = transport
        self.timer = self.start_timer()

    def start_timer(self):
        return asyncio.get_running_loop().call_later(wire.IDLE, self.transport.abort)

    def data_received(self, data):
        self.timer.cancel()
        self.timer = self.start_timer()
        self.transport.write(wire.ANSWER)

    def connection_lost(self, error):
        self.timer.cancel()


class Close(Service):
    def data_received(self, data):
        self.transport.write(wire.CLOSING)
        self.transport.close()


class Sink(Service):
    def data_received(self, data):
        pass


class Source(Service):
    filling = True

    def connection_made(self, transport):
        self.transport = transport
        self.fill()

    def fill(self):
        while self.filling and not self.transport.is_closing():
            self.transport.write(wire.BLOCK)

    def pause_writing(self):
        self.filling = False

    def resume_writing(self):
        self.filling = True
        asyncio.get_running_loop().call_soon(self.fill)


class Echo(Service):
    def data_received(self, data):
        self.transport.write(data)

    def pause_writing(self):
        self.transport.pause_reading()

    def resume_writing(self):
        self.transport.resume_reading()


class Lines(Service):
    rest = b''

    def data_received(self, data):
        *complete, self.rest = (self.rest + data).split(b'\n')
        for line in complete:
            self.transport.write(line + b'\n')


class BatchedLines(Service):
    rest = b''

    def data_received(self, data):
        *complete, self.rest = (self.rest + data).split(b'\n')
        self.transport.writelines([line + b'\n' for line in complete])


class Broadcast(Service):
    peers = set()  # noqa: RUF012  # of all instances, as it should be

    def connection_made(self, transport):
        self.transport = transport
        self.peers.add(transport)

    def data_received(self, data):
        for peer in self.peers:
            peer.write(data)

    def connection_lost(self, error):
        self.peers.discard(self.transport)


class Proxy(Service):
    """One of the two sides."""

    other = None
    early = b''  # what came before the backend was there

    def connection_made(self, transport):
        self.transport = transport
        if self.other is None:
            self.connecting = asyncio.ensure_future(self.connect())

    async def connect(self):
        self.transport.pause_reading()
        other = Proxy()
        other.other = self
        await asyncio.get_running_loop().create_connection(lambda: other, *wire.BACKEND)
        self.other = other
        other.transport.write(self.early)
        self.transport.resume_reading()

    def data_received(self, data):
        if self.other is None:
            self.early += data
        else:
            self.other.transport.write(data)

    def pause_writing(self):
        self.other.transport.pause_reading()

    def resume_writing(self):
        self.other.transport.resume_reading()

    def connection_lost(self, error):
        if self.other is not None:
            self.other.transport.close()


async def main():
    loop = asyncio.get_running_loop()
    service = globals()[wire.SERVICE.title().replace('-', '')]
    if wire.IS_TCP:
        server = await loop.create_server(
            service, wire.HOST, 0, backlog=wire.BACKLOG, ssl=aio.tls(wire.CERTIFICATE))
    else:
        server = await loop.create_unix_server(service, wire.ADDRESS, backlog=wire.BACKLOG)
    wire.announce(server.sockets[0].getsockname())
    await asyncio.Event().wait()


aio.run(main)
