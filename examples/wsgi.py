"""A WSGI application on a gnet server, spoken to by the HTTP of gevent's pywsgi.

    gnet wsgi.py [port]                 the default is port 8000; 0 is any free one
    gnet serve --wsgi wsgi              the same without the last lines

gnet accepts, counts and ends the connections, with all that it has for them: workers, limits, TLS,
a drain that finishes answers and waits for nobody who only might ask.
"""

import sys
from typing import Any

import gnet


def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Say hello, or send back what was sent. Put your Flask or Django application in its place."""
    body = environ['wsgi.input'].read() or b'hello\n'
    start_response('200 OK', [('Content-Type', 'text/plain'), ('Content-Length', str(len(body)))])
    return [body]


if __name__ == '__main__':
    port = sys.argv[1] if len(sys.argv) > 1 else 8000
    server = gnet.wsgi.serve(application, port)
    host, _, port = server.address()
    print(f'listening on {host}:{port} - try: curl http://{host}:{port}/', flush=True)
    gnet.run()
