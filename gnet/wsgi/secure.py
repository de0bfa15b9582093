"""The same with TLS: imported when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..tls.server import ALL_OPTIONS, Server
from .site import Site

__all__ = ['ALL_OPTIONS', 'SecureWSGIServer']


class SecureWSGIServer(Server):
    """A :class:`gnet.tls.Server` whose connections ask an application."""

    __slots__ = ('_site',)

    def __init__(self, site: Site, options: Mapping[str, Any], handler: Any) -> None:
        self._site = site
        super().__init__(options, handler)

    def listen(self, *args: Any, **keywords: Any) -> SecureWSGIServer:
        """As of :class:`gnet.tls.Server`."""
        super().listen(*args, **keywords)
        self._site.open()
        return self

    def close(self, callback: Callable[..., object] | None = None) -> SecureWSGIServer:
        """As of :class:`gnet.tls.Server`; connections that wait for a request are closed, too."""
        super().close(callback)
        self._site.close()
        return self
