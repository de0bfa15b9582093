"""A WSGI application on a gnet server, spoken to by the HTTP of gevent's pywsgi.

    gnet wsgi.py [port]                 the default is port 8000; 0 is any free one

pywsgi listens to nothing here: gnet accepts, counts and ends the connections, with all that it has
for them (workers, draining, limits), and each is handled by pywsgi, as in a server of gevent's.
"""

import sys
from typing import Any, cast

from gevent import pywsgi

import gnet

MAX_IDLE = 60  # seconds that a client may keep its connection without asking for anything

port = sys.argv[1] if len(sys.argv) > 1 else 8000


def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Say hello, or send back what was sent. Put your Flask or Django application in its place."""
    body = environ['wsgi.input'].read() or b'hello\n'
    start_response('200 OK', [('Content-Type', 'text/plain'), ('Content-Length', str(len(body)))])
    return [body]


def serve(sock: gnet.Socket) -> None:
    sock.settimeout(MAX_IDLE)
    # Its types know of no sockets but Python's own, and an address is a pair here.
    http.handle(cast(Any, sock), cast(Any, (sock.remote_address, sock.remote_port)))


def ready() -> None:
    host, _, port = server.address()
    http.address = (host, port)
    http.update_environ()  # with SERVER_NAME and SERVER_PORT
    print(f'listening on {host}:{port} - try: curl http://{host}:{port}/', flush=True)


http = pywsgi.WSGIServer(('', 0), application, log=None)  # never started
server = gnet.create_server(serve, no_delay=True)
server.listen(port=port, host='127.0.0.1', callback=ready)
gnet.run()
