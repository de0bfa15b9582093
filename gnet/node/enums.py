"""Enums that are made quickly: ``enum.Enum`` to type checkers, and its members' identity when run.

For states, which programs do not see. What programs get is an ``enum.Enum``; it can do more, and to
make a dozen of them is a fiftieth of what ``import gnet`` takes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

__all__ = ['Enum']

if TYPE_CHECKING:
    from enum import Enum
else:
    class _Maker(type):
        """Makes the members that ``class Name(Enum)`` lists: what is written in capitals."""

        def __init__(cls, name: str, bases: Any, namespace: dict[str, Any]) -> None:
            super().__init__(name, bases, namespace)
            cls._members = [cls(each, namespace[each]) for each in namespace if each.isupper()]
            for member in cls._members:
                setattr(cls, member.name, member)

        def __iter__(cls) -> Iterator[Any]:
            return iter(cls._members)

    class Enum(metaclass=_Maker):
        """What ``enum.Enum`` is, as far as states need it."""

        __slots__ = ('name', 'value')

        def __init__(self, name: str, value: Any) -> None:
            self.name = name
            self.value = value

        def __repr__(self) -> str:
            return f'<{self}: {self.value!r}>'

        def __str__(self) -> str:
            return f'{type(self).__name__}.{self.name}'

        def __reduce__(self) -> Any:
            return getattr, (type(self), self.name)  # a copy is the member itself
