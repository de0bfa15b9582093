"""The PROXY protocol: who the client of a load balancer is. Headers are read and written; no I/O.

Servers read them by ``create_server(proxy_protocol=…)``, and connections write them by
``connect(proxy_protocol=…)``; these are for who has to do with them otherwise.
"""

from __future__ import annotations

from ..node.faces import show_as
from .header import Command, HeaderParser, ProxyHeader
from .tlvs import ProxySSL

__all__ = ['Command', 'HeaderParser', 'ProxyHeader', 'ProxySSL']

show_as(__name__, globals(), __all__)
