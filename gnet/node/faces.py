"""Public faces: what they hand on says that it is theirs, and what few use comes when it is used.

A program that imports ``gnet.Socket`` shall read of ``gnet.Socket`` in tracebacks, in ``repr`` and
in pickles, and not of the room in which it happens to be defined. And one that has no use for child
processes shall not wait until they are imported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from types import FunctionType
from typing import Any

from .spelling import module_attribute

__all__ = ['at_first_use', 'show_as']

#: The faces so far. What two of them hand on is of the first: errors are of ``gnet.errors``.
_faces: set[str] = set()


def show_as(face: str, namespace: Mapping[str, Any], names: Iterable[str]) -> None:
    """Have the classes and functions of these *names* say that they are of the module *face*.

    Of an object (``gnet.cluster``) its class does, and the classes that it hands on in its turn:
    they are found by its name (``gnet.cluster.Worker``).

    Args:
        face: the ``__name__`` of the module.
        namespace: its globals.
        names: its ``__all__``. What comes from elsewhere than gnet's rooms is left alone.
    """
    _faces.add(face)
    for name in names:
        value = namespace[name]
        if isinstance(value, (type, FunctionType)):
            _show(value, face)
        elif _show(type(value), face):
            for each, inner in vars(type(value)).items():
                if isinstance(inner, type) and _show(inner, face):
                    inner.__qualname__ = f'{name}.{each}'


def _show(value: Any, face: str) -> bool:
    """Have a class or function say so, if it is of a room; return whether it is."""
    if not value.__module__.startswith('gnet.') or value.__module__ in _faces:
        return False
    value.__module__ = face
    return True


def at_first_use(
    face: str, namespace: dict[str, Any], rooms: Mapping[str, str],
) -> Callable[[str], Any]:
    """Return the ``__getattr__`` of a face (PEP 562): for Node's spellings, and names of few uses.

    Args:
        face: the ``__name__`` of the module.
        namespace: its globals; what is found is put there, so that it is looked for once.
        rooms: names, and the room that each is imported from when it is first used: ``'.tls'``, of
            the package that the face is in. A room of the name's own name is what is meant itself.
    """
    def find(name: str) -> Any:
        room = rooms.get(name)
        if room is None:
            return module_attribute(face, namespace, name)
        module = import_module(room, namespace['__package__'])
        if room == f'.{name}':
            namespace[name] = module
        else:
            # With all that the face has from there: what one of them returns may be of another.
            names = [each for each, where in rooms.items()
                     if where == room and room != f'.{each}']
            namespace.update((each, getattr(module, each)) for each in names)
            show_as(face, namespace, names)
        return namespace[name]

    return find
