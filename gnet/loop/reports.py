"""Reports of a hub where stderr cannot be written: the disk is full, or nobody reads the pipe.

gevent has the failure of a print go on to whoever reports: a runner, which is lost, or a callback
of the hub, and on libuv and CFFI the whole process (docs/gevent.md, T18).
"""

from __future__ import annotations

from typing import Any

__all__ = [
    'outlive_lost_reports',
]


class _Printer:
    """``print_exception`` of a hub, in the place of its own."""

    def __init__(self, print_exception: Any) -> None:
        self._print = print_exception
        #: How many reports were lost, for who looks with a debugger.
        self.lost = 0

    def __call__(self, *failure: Any) -> None:
        try:
            self._print(*failure)
        except (OSError, ValueError):
            # Not written, or closed. It cannot be said that it could not be said.
            self.lost += 1


def outlive_lost_reports(hub: Any) -> None:
    """Have *hub* go on when it cannot print a report."""
    if not isinstance(hub.print_exception, _Printer):
        hub.print_exception = _Printer(hub.print_exception)
