"""Which native thread this is: asked at each write, and so by one call."""

from __future__ import annotations

from collections.abc import Callable

from gevent import monkey

__all__ = ['get_ident']

#: Returns the number of the native thread, also in a patched program.
get_ident: Callable[[], int] = monkey.get_original('_thread', 'get_ident')
