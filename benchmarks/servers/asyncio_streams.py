"""The services on asyncio's streams. How they are called and what they do: wire.py and aio.py."""

import asyncio
from contextlib import suppress

import aio
import wire

writers = set()


async def http(reader, writer):
    while await reader.read(wire.CHUNK):
        writer.write(wire.ANSWER)
        await writer.drain()


async def timeout(reader, writer):
    while await asyncio.wait_for(reader.read(wire.CHUNK), wire.IDLE):
        writer.write(wire.ANSWER)
        await writer.drain()


async def close(reader, writer):
    if await reader.read(wire.CHUNK):
        writer.write(wire.CLOSING)
        await writer.drain()


async def sink(reader, writer):
    while await reader.read(wire.CHUNK):
        pass


async def source(reader, writer):
    while True:
        writer.write(wire.BLOCK)
        await writer.drain()


async def echo(reader, writer):
    while True:
        chunk = await reader.read(wire.CHUNK)
        if not chunk:
            break
        writer.write(chunk)
        await writer.drain()


async def lines(reader, writer):
    async for line in reader:
        writer.write(line)
        await writer.drain()


async def batched_lines(reader, writer):
    rest = b''
    while True:
        chunk = await reader.read(wire.CHUNK)
        if not chunk:
            break
        *complete, rest = (rest + chunk).split(b'\n')
        writer.writelines([line + b'\n' for line in complete])
        await writer.drain()


async def broadcast(reader, writer):
    writers.add(writer)
    try:
        while True:
            chunk = await reader.read(wire.CHUNK)
            if not chunk:
                break
            for other in list(writers):
                other.write(chunk)
            await writer.drain()
    finally:
        writers.discard(writer)


async def proxy(reader, writer):
    upstream_reader, upstream_writer = await asyncio.open_connection(*wire.BACKEND)
    await asyncio.gather(
        pass_on(reader, upstream_writer), pass_on(upstream_reader, writer))


async def pass_on(reader, writer):
    try:
        await echo(reader, writer)
    finally:
        writer.close()


async def serve(reader, writer):
    with suppress(OSError, asyncio.TimeoutError):  # the load's connections end as they like
        await service(reader, writer)
    writer.close()


async def main():
    if wire.IS_TCP:
        server = await asyncio.start_server(
            serve, wire.HOST, 0, backlog=wire.BACKLOG, ssl=aio.tls(wire.CERTIFICATE))
    else:
        server = await asyncio.start_unix_server(serve, wire.ADDRESS, backlog=wire.BACKLOG)
    wire.announce(server.sockets[0].getsockname())
    await asyncio.Event().wait()


service = globals()[wire.SERVICE.replace('-', '_')]
aio.run(main)
