"""Contexts of clients that bring the same options again: one for all of them.

Making one takes a millisecond, and 25 where the system's authorities are to be read; and a session
of an earlier connection is good for the same context only. A server makes its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..node.values import UNDEFINED
from . import roots
from .ciphers import DEFAULTS
from .context_options import CONTEXT_OPTIONS
from .secure_context import SecureContext

__all__ = [
    'options_of_context',
    'shared_context',
]

#: Contexts that are remembered: a program has a few kinds of connections. Each has some 100 KB,
#: more with the system's authorities.
_MOST = 16

#: What says itself all that there is to know. A file may have changed since, a buffer as well.
_PLAIN = (str, bytes, bool, int, float, type(None))

_shared: dict[Any, SecureContext] = {}


def options_of_context(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of *options*, in ``snake_case``, that a context is made with."""
    return {
        name: value for name, value in options.items()
        if name in CONTEXT_OPTIONS and value is not UNDEFINED
    }


def shared_context(options: Mapping[str, Any]) -> SecureContext:
    """Return the context for *options*, which are in ``snake_case``; others than its are ignored.

    Raises:
        CodedTypeError, TLSError, CodedRuntimeError, OSError: as
            :func:`gnet.tls.create_secure_context`.
    """
    own = options_of_context(options)
    named = tuple(sorted((name, _named(value)) for name, value in own.items()))
    if any(value is None for _, value in named):
        return SecureContext(own)
    key = (named, *map(_named, vars(DEFAULTS).values()), roots.snapshot())
    context = _shared.pop(key, None)
    if context is None:
        context = SecureContext(own)
        if len(_shared) >= _MOST:
            del _shared[next(iter(_shared))]
    # Behind the others: who is asked for least goes first.
    _shared[key] = context
    return context


def _named(value: Any) -> tuple[str, Any] | None:
    """Return what stands for *value*, with its type, as True equals 1; None if nothing does."""
    if type(value) in _PLAIN:
        return type(value).__name__, value
    if type(value) in (list, tuple):
        parts = tuple(map(_named, value))
        return None if None in parts else ('list', parts)
    return None
