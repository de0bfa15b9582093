"""Which native thread this is: asked at each write, and so by one call."""

from __future__ import annotations

from collections.abc import Callable

from .originals import original

__all__ = ['get_ident']

#: Returns the number of the native thread, also in a patched program.
get_ident: Callable[[], int] = original('_thread', 'get_ident')
