"""What a child process has of the environment of its parent."""

from __future__ import annotations

import os

__all__ = [
    'inherited_environment',
]

#: What systemd says to the process that it has started, and to none that this one starts.
_FOR_ONE_PROCESS = frozenset({
    'LISTEN_FDNAMES', 'LISTEN_FDS', 'LISTEN_PID', 'LISTEN_PIDFDID', 'NOTIFY_SOCKET', 'WATCHDOG_PID',
    'WATCHDOG_USEC',
})


def inherited_environment() -> dict[str, str]:
    """Return this process's environment, without what is for this process alone."""
    return {name: value for name, value in os.environ.items() if name not in _FOR_ONE_PROCESS}
