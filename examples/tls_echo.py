"""An echo over TLS, in blocking style. The handshake is done when a handler is called.

It needs a key and a certificate; one that is good for trying is made by

    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 365 -keyout key.pem \
        -out cert.pem -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1

    gnet tls_echo.py [port] [key.pem] [cert.pem]        port 0, the default, is any free one
"""

import sys
from pathlib import Path

import gnet

port, key, cert = [*sys.argv[1:4], *['0', 'key.pem', 'cert.pem'][len(sys.argv) - 1:]]

# Paths are read as files; text would be the key and the certificate themselves.
server = gnet.tls.create_server(key=Path(key), cert=Path(cert))


@server.on('secureConnection')
def echo(sock: gnet.tls.TLSSocket) -> None:
    for chunk in sock:
        sock.sendall(chunk)


@server.on('tlsClientError')
def say(err: Exception, sock: gnet.tls.TLSSocket) -> None:
    print(f'no handshake with {sock.remote_address}: {err}', file=sys.stderr)


def ready() -> None:
    host, _, port = server.address()
    print(
        f'listening on {host}:{port} - try: openssl s_client -quiet -CAfile {cert} '
        f'-connect localhost:{port}', flush=True)


server.listen(port=port, host='127.0.0.1', callback=ready)
gnet.run()
