"""Who watches the workers of a primary: :class:`Observer`, of a room above this one."""

from __future__ import annotations

from typing import Any, Protocol

__all__ = ['Observer']


class Observer(Protocol):
    """What a primary tells who adds up what its workers count. Must not block."""

    def forked(self, worker: int) -> None:
        """A worker was started; *worker* is its id."""

    def reported(self, worker: int, values: Any) -> bool:
        """A worker has sent its counts; return whether they make sense."""

    def exited(self, worker: int, was_told: bool) -> None:
        """A worker has ended; *was_told*: somebody had told it to."""
