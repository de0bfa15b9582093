"""One chunk on its way to the wire."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Optional, Union

__all__ = ['BlockingRequest', 'Callback', 'Failed', 'PutOff', 'Unsent', 'WriteRequest']

Callback = Optional[Callable[[Optional[BaseException]], object]]
Bytes = Union[bytes, memoryview]


class WriteRequest:
    """One chunk on its way to the kernel."""

    __slots__ = ('callback', 'data', 'failure', 'units')

    def __init__(self, data: Bytes, units: int, callback: Callback) -> None:
        #: What is still to be sent; empty when all was, or the request was given up.
        self.data: Bytes = data
        #: What the whole chunk counts in ``writable_length``: characters of a str, else bytes.
        self.units: int = units
        self.callback: Callback = callback
        #: The number of the error that sending the rest of it would fail with, where that is known.
        self.failure: int = 0


class BlockingRequest(WriteRequest):
    """One that a greenlet is blocked in."""

    __slots__ = ()


class Failed(list[WriteRequest]):
    """In place of what is in flight once a write has failed at once: nothing is any more.

    As in Node, what waits behind that write is answered right after it, also if a destroy() gives
    it up before or meanwhile.
    """

    __slots__ = ('left', 'waits')

    def __init__(self) -> None:
        super().__init__()
        #: What a destroy() has left to be called then.
        self.left: deque[Callable[[], object]] = deque()
        #: Whether what had arrived has its turn first; who destroys then answers all.
        self.waits: bool = False

    def leave(self, callback: Callable[..., object], *arguments: Any) -> None:
        """Have *callback* called then."""
        self.left.append(partial(callback, *arguments))


class PutOff:
    """Work for a runner: what a failed write leads to, after what had been received before."""

    __slots__ = ('context', 'deliver')

    def __init__(self, deliver: Callable[[], object], context: Any) -> None:
        self.context = context
        self.deliver = deliver


#: Requests in flight, queued ones, callbacks of ``end()``.
Unsent = tuple[list[WriteRequest], list[WriteRequest], list[Callable[..., object]]]
