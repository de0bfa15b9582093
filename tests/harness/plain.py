"""The standard library's own socket class, also when the process is monkey-patched."""

from __future__ import annotations

from typing import Any

from gevent import monkey

__all__ = ['PlainSocket']

_Socket: Any = monkey.get_original('socket', 'socket')


class PlainSocket(_Socket):  # type: ignore[misc]
    """A blocking socket that has nothing to do with gevent, and accepts such sockets."""

    def accept(self) -> tuple[PlainSocket, Any]:
        # The inherited one finds its class by name in the module, where the patched one now is.
        descriptor, address = self._accept()
        return type(self)(self.family, self.type, self.proto, fileno=descriptor), address
