"""Public faces: what they hand on says that it is theirs.

A program that imports ``gnet.Socket`` shall read of ``gnet.Socket`` in tracebacks, in ``repr`` and
in pickles, and not of the room in which it happens to be defined.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import FunctionType
from typing import Any

__all__ = ['show_as']

#: The faces so far. What two of them hand on is of the first: errors are of ``gnet.errors``.
_faces: set[str] = set()


def show_as(face: str, namespace: Mapping[str, Any], names: Iterable[str]) -> None:
    """Have the classes and functions of these *names* say that they are of the module *face*.

    Args:
        face: the ``__name__`` of the module.
        namespace: its globals.
        names: its ``__all__``. What comes from elsewhere than gnet's rooms is left alone.
    """
    _faces.add(face)
    for name in names:
        value = namespace[name]
        if isinstance(value, (type, FunctionType)) and (
            value.__module__.startswith('gnet.') and value.__module__ not in _faces
        ):
            value.__module__ = face
