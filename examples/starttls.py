"""A protocol that begins in plain text and goes on with TLS, as SMTP, IMAP and others do.

A line is answered with whether it was secret; the line STARTTLS begins the handshake. Keys and
certificates are made as for tls_echo.py.

    gnet starttls.py [port] [key.pem] [cert.pem]        port 0, the default, is any free one
"""

from __future__ import annotations

import sys
from pathlib import Path

import gnet

port, key, cert = [*sys.argv[1:4], *['0', 'key.pem', 'cert.pem'][len(sys.argv) - 1:]]
context = gnet.tls.create_secure_context(key=Path(key), cert=Path(cert))


def read_line(sock: gnet.Socket) -> bytes | None:
    """Return a line, and leave what comes behind it; None at the end.

    Not by makefile(), which reads ahead: what comes behind STARTTLS in the same breath would be
    taken for what was said in secret. (If there is any, start_tls() raises.)
    """
    line = b''
    while not line.endswith(b'\n'):
        byte = sock.recv(1)
        if not byte or len(line) > 1000:
            return None
        line += byte
    return line.strip()


def talk(sock: gnet.Socket) -> None:
    secret = False
    while (line := read_line(sock)) is not None:
        if line == b'STARTTLS' and not secret:
            sock.sendall(b'go on\n')
            sock = sock.start_tls(context, server_side=True)  # blocks until the handshake is done
            secret = True
        else:
            sock.sendall(b'%s: %s\n' % (b'secret' if secret else b'everybody could read', line))


def ready() -> None:
    host, _, port = server.address()
    print(f'listening on {host}:{port} - try: nc {host} {port}', flush=True)


server = gnet.create_server(talk)
server.listen(port=port, host='127.0.0.1', callback=ready)
gnet.run()
