"""What systemd and a primary have to do with each other: sockets, and the word that workers serve.

Nothing of :mod:`gnet.systemd` is imported where there is nothing to do.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from ..loop.loop import Loop

__all__ = [
    'await_workers',
    'is_given',
    'passed_on',
    'workers_serve',
]


def _activation() -> Any:
    """Return the module that has what systemd gave this process, where there may be something."""
    if 'LISTEN_FDS' in os.environ or 'gnet.systemd.activation' in sys.modules:
        from ..systemd import activation

        return activation
    return None


def passed_on(loop: Loop) -> dict[str, str]:
    """Return the variable that tells a worker what systemd has given this process, if it has.

    Raises:
        CodedValueError: ``ERR_SYSTEMD_ENVIRONMENT``: it makes no sense.
    """
    activation = _activation()
    if activation is None:
        return {}
    loop.close_in_child(activation.found(), activation.close)
    variables: dict[str, str] = activation.passed_on()
    return variables


def is_given(fd: int) -> bool:
    """Return whether systemd has given this process the descriptor *fd*."""
    activation = _activation()
    return activation is not None and bool(activation.is_given(fd))


def _service() -> Any:
    if 'NOTIFY_SOCKET' not in os.environ:
        return None
    from ..systemd.service import get_service

    return get_service()


def await_workers(loop: Loop) -> None:
    """The service is not ready before a worker serves."""
    service = _service()
    if service is not None:
        from ..loop.service_watchdog import have_repeated

        service.is_awaited = True
        have_repeated(loop, service)


def workers_serve() -> None:
    """A worker listens."""
    service = _service()
    if service is not None:
        service.ready('workers serve')
