"""A queue of jobs on asyncio's streams: put TEXT, take SECONDS.

    python jobs_before.py [port]        the default port is 7000; 0 is any free one
"""

import asyncio
import signal
import sys

port = int(sys.argv[1]) if len(sys.argv) > 1 else 7000


async def handle(jobs, reader, writer):
    try:
        while line := await asyncio.wait_for(reader.readline(), 60):
            command, _, rest = line.decode().strip().partition(' ')
            if command == 'put':
                await jobs.put(rest)
                writer.write(b'ok\n')
            elif command == 'take':
                try:
                    job = await asyncio.wait_for(jobs.get(), float(rest))
                    writer.write(f'job {job}\n'.encode())
                except asyncio.TimeoutError:
                    writer.write(b'none\n')
            await writer.drain()
    except (ConnectionError, asyncio.TimeoutError) as error:
        print(error, flush=True)
    finally:
        writer.close()


async def main():
    jobs = asyncio.Queue(1000)

    async def connected(reader, writer):
        await handle(jobs, reader, writer)

    server = await asyncio.start_server(connected, '127.0.0.1', port)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, server.close)
    host, bound = server.sockets[0].getsockname()
    print(f'listening on {host}:{bound}', flush=True)
    await server.serve_forever()


asyncio.run(main())
