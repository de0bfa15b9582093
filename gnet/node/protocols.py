"""Protocols that are made quickly: ``typing.Protocol`` to type checkers, a plain class when run.

What a room asks of a room above it is there for types. typing's own makes each an abstract base
class besides, with all that ``isinstance`` would need; nobody asks that here, and with some twenty
protocols it is part of what ``import gnet`` takes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__all__ = ['Protocol']

if TYPE_CHECKING:
    from typing import Protocol
else:
    class Protocol:
        """What ``typing.Protocol`` is, to who only reads it."""

        __slots__ = ()
