"""Named tuples that are made quickly: ``typing.NamedTuple``, but for its look at each type."""

from __future__ import annotations

from collections import namedtuple
from typing import TYPE_CHECKING, Any

__all__ = ['NamedTuple']

if TYPE_CHECKING:
    from typing import NamedTuple
else:
    class _Maker(type):
        """Makes the class that ``class Name(NamedTuple)`` describes.

        typing's own compiles each annotation that is text, as all are here, to see whether it may
        be a type; with some ten records that is a tenth of what ``import gnet`` takes.
        """

        def __new__(cls, name: str, bases: Any, namespace: dict[str, Any]) -> Any:
            if not bases:
                return super().__new__(cls, name, bases, namespace)
            types = namespace.get('__annotations__', {})
            defaults = [namespace.pop(field) for field in types if field in namespace]
            made = namedtuple(
                name, types, defaults=defaults, module=namespace['__module__'])
            for key, value in namespace.items():
                if key not in ('__module__', '__qualname__', '__dict__', '__weakref__'):
                    setattr(made, key, value)
            made.__qualname__ = namespace['__qualname__']
            return made

    class NamedTuple(metaclass=_Maker):
        """What ``typing.NamedTuple`` is."""
