"""What tests wait for: turns of gnet's loop, and conditions. No test sleeps for a guessed time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gnet.loop.loop import get_loop
from gnet.testing.waiting import turn
from gnet.testing.waiting import wait_until as until

__all__ = ['PATIENCE', 'PROCESS_PATIENCE', 'tick', 'turn', 'until']

#: Seconds after which something that is waited for is given up: well under the limit of a test, so
#: that the failure names what did not come.
PATIENCE = 10

#: The same where another process must do something, which may have to start first, beside others.
PROCESS_PATIENCE = 20


def tick(callback: Callable[..., object], *args: Any) -> None:
    """Queue a tick, as Node's ``process.nextTick`` does."""
    get_loop().tick(callback, *args)
