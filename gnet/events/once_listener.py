"""What an emitter holds of a listener: itself, or what calls it once."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

__all__ = ['Listener', 'OnceListener', 'is_of', 'original_of']

Listener = Callable[..., Any]


class OnceListener:
    """What an emitter holds for a listener that was added with ``once``."""

    __slots__ = ('_emitter', '_event', '_fired', 'listener')

    def __init__(self, emitter: Any, event: Hashable, listener: Listener) -> None:
        self._emitter = emitter
        self._event = event
        self._fired = False
        self.listener: Listener = listener

    def __call__(self, *args: Any) -> Any:
        if self._fired:
            return None
        # Before the removal, which may run listeners that block: another greenlet's emit can have
        # this entry in its snapshot.
        self._fired = True
        self._emitter.remove_listener(self._event, self)
        return self.listener(*args)


def original_of(entry: Listener) -> Listener:
    """Return the program's listener of what an emitter holds."""
    return entry.listener if isinstance(entry, OnceListener) else entry


def is_of(entry: Listener, listener: Listener) -> bool:
    """Return whether *entry* is what an emitter holds of *listener*."""
    # By equality: a bound method is a new object each time it is looked up.
    return entry is listener or entry == listener or original_of(entry) == listener
