"""What a service of systemd says and is given; no part of Node, and without a dependency.

- :mod:`gnet.systemd.activation`: sockets that were opened before the program was started;
- :mod:`gnet.systemd.notification`: what a program tells the service manager;
- :mod:`gnet.systemd.service`: what gnet tells it by itself.

Nothing here is imported before a program asks for it, or systemd's variables are there. A user's
guide is docs/systemd.md.
"""

from __future__ import annotations

from ..node.faces import show_as
from .activation import socket_names
from .notification import notify

__all__ = [
    'notify',
    'socket_names',
]

show_as(__name__, globals(), __all__)
