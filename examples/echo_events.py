"""Echo in event style, as in Node: an idle connection costs a kilobyte or two and no greenlet.

    gnet echo_events.py [port]          the default port is 7000; 0 is any free one
"""

import sys

import gnet

port = sys.argv[1] if len(sys.argv) > 1 else 7000


def echo(sock: gnet.Socket) -> None:
    # What arrives is written back. While the client does not read, nothing more is taken from it;
    # when it ends, so does this side.
    sock.pipe(sock)
    # Without this listener a reset would end the connection just the same, and be logged.
    sock.on('error', lambda error: print(f'{sock.remote_address}: {error}', flush=True))


def ready() -> None:
    host, _, port = server.address()
    print(f'listening on {host}:{port} - try: nc {host} {port}', flush=True)


server = gnet.create_server(echo)
server.listen(port=port, host='127.0.0.1', callback=ready)
gnet.run()
