"""Echo in blocking style: each connection has a greenlet of its own, which may simply wait.

    gnet echo_blocking.py [port]        the default port is 7000; 0 is any free one
"""

import sys

import gnet

port = sys.argv[1] if len(sys.argv) > 1 else 7000


def echo(sock: gnet.Socket) -> None:
    for chunk in sock:  # waits for the next bytes; over when the client has ended
        sock.sendall(chunk)  # waits until the kernel has taken them: that is the back-pressure
    # The socket is closed when this function returns. A reset raises here, and costs nobody else.


server = gnet.serve(echo, port)  # it listens now, or has raised why it cannot
host, _, port = server.address()
print(f'listening on {host}:{port} - try: nc {host} {port}', flush=True)
gnet.run()  # until nothing is left to serve; Ctrl-C ends it
