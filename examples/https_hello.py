"""HTTPS: one answer for each connection. Certificates may be renewed while it runs.

Keys and certificates are made as for tls_echo.py. What is in the files is read again every minute
if they were changed, and at once after "kill -HUP": connections to come get the new certificate,
and nobody is interrupted. A file that is half written leaves the old one in use.

    gnet https_hello.py [port] [key.pem] [cert.pem]     port 0, the default, is any free one
"""

import signal
import sys
from pathlib import Path

import gevent

import gnet

BODY = b'hello\n'
ANSWER = b'HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n' % len(BODY) + BODY

port, key, cert = [*sys.argv[1:4], *['0', 'key.pem', 'cert.pem'][len(sys.argv) - 1:]]


def answer(sock: gnet.Socket) -> None:
    sock.settimeout(10)
    with sock.makefile('rb') as lines:
        for line in lines:
            if line == b'\r\n':  # the head of the request is over
                sock.sendall(ANSWER)
                return


server = gnet.tls.create_server(
    answer, key=Path(key), cert=Path(cert), watch_certificates=True, handshake_timeout=10_000,
    alpn_protocols=['http/1.1'])
gevent.signal_handler(signal.SIGHUP, server.reload_certificates)


def ready() -> None:
    host, _, port = server.address()
    print(
        f'listening on {host}:{port} - try: curl --cacert {cert} https://localhost:{port}/',
        flush=True)


server.listen(port=port, host='127.0.0.1', callback=ready)
gnet.run()
