"""Reports of a hub where stderr cannot be written: the disk is full, or nobody reads the pipe.

gevent has the failure of a print go on to whoever reports: a runner, which is lost, or a callback
of the hub, and on libuv and CFFI the whole process (docs/gevent.md, T18).
"""

from __future__ import annotations

import sys
from typing import Any

__all__ = [
    'outlive_lost_reports',
]


class _Printer:
    """``print_exception`` of a hub, around that of its class, whichever that is at the time."""

    def __init__(self, hub: Any) -> None:
        self._hub = hub
        #: How many reports were lost, for who looks with a debugger.
        self.lost = 0

    def __call__(self, *failure: Any, **named: Any) -> None:
        try:
            type(self._hub).print_exception(self._hub, *failure, **named)
        except OSError:
            self.lost += 1  # it cannot be said that it could not be said
        except ValueError:
            if not getattr(sys.stderr, 'closed', False):
                raise
            self.lost += 1


def outlive_lost_reports(hub: Any) -> None:
    """Have *hub* go on when it cannot print a report.

    One that a program has given its own ``print_exception`` is left alone.
    """
    if 'print_exception' not in vars(hub):
        hub.print_exception = _Printer(hub)
