"""Node's module ``tls``, and Python's ``ssl``, on gnet's servers and sockets.

::

    from gnet import tls

    def handler(sock):
        for chunk in sock:
            sock.sendall(chunk)

    server = tls.create_server(handler, key=Path('key.pem'), cert=Path('cert.pem'))
    server.listen(7000)
"""

from __future__ import annotations

from .connect import connect
from .server import Server, create_server
from .socket import TLSSocket

__all__ = ['Server', 'TLSSocket', 'connect', 'create_server']
