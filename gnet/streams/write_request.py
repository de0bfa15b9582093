"""One chunk on its way to the wire."""

from __future__ import annotations

from collections.abc import Callable
from typing import Optional, Union

__all__ = ['BlockingRequest', 'Callback', 'Unsent', 'WriteRequest']

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


#: Requests in flight, queued ones, callbacks of ``end()``.
Unsent = tuple[list[WriteRequest], list[WriteRequest], list[Callable[..., object]]]
