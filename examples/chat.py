"""A chat of lines, in both styles: each member is read in blocking style and written to in Node's.

    gnet chat.py [port]                 the default port is 7000; 0 is any free one
"""

from __future__ import annotations

import contextlib
import sys

import gnet

MAX_LINE = 1000  # characters; a longer line is cut in pieces
MAX_UNREAD = 256 * 1024  # bytes that may wait for a member who does not read

port = sys.argv[1] if len(sys.argv) > 1 else 7000
# The kernel probes silent members, so that one whose machine is gone is noticed.
server = gnet.create_server(keep_alive=True, keep_alive_initial_delay=60_000)
members: dict[gnet.Socket, str] = {}


def tell(text: str, but: gnet.Socket | None = None) -> None:
    for sock in list(members):
        if sock.writable_length > MAX_UNREAD:
            sock.destroy()  # too slow; whoever is blocked in a read of it wakes with an OSError
        elif sock is not but:
            sock.write(f'{text}\n')  # never blocks: what the kernel does not take is queued


@server.on('connection')
def join(sock: gnet.Socket) -> None:
    sock.write('your name? ')
    # The line ends of telnet (\r\n) are translated. A member that vanishes raises an OSError.
    with contextlib.suppress(OSError), \
            sock.makefile(encoding='utf-8', errors='replace') as lines:
        name = members[sock] = lines.readline(MAX_LINE).strip() or 'nobody'
        try:
            tell(f'* {name} is here', but=sock)
            for line in iter(lambda: lines.readline(MAX_LINE), ''):  # '' is the end
                tell(f'{name}: {line.rstrip()}', but=sock)
        finally:
            del members[sock]
            tell(f'* {name} has left')


@server.on('listening')
def ready() -> None:
    host, _, port = server.address()
    print(f'listening on {host}:{port} - try, twice: nc {host} {port}', flush=True)


server.listen(port=port, host='127.0.0.1')
gnet.run()
