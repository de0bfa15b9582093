"""Which native thread this is, and which greenlet: asked at each write, and so by one call."""

from __future__ import annotations

from collections.abc import Callable

from greenlet import getcurrent

from .originals import original

__all__ = ['get_ident', 'getcurrent']

#: Returns the number of the native thread, also in a patched program.
get_ident: Callable[[], int] = original('_thread', 'get_ident')
