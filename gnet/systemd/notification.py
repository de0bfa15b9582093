"""What a program tells the service manager: datagrams to the socket of ``NOTIFY_SOCKET``.

The protocol is that of sd_notify(3): lines of ``NAME=value``. Nothing here blocks. Whoever starts
the program need not be systemd: all that speaks this protocol (podman, s6, supervisord) is told.
"""

from __future__ import annotations

import _socket
import logging
import os
from enum import Enum

from ..node.coded_errors import invalid_arg_type, invalid_arg_value

__all__ = [
    'Outcome',
    'notify',
    'open_socket',
    'send',
]

_log = logging.getLogger('gnet.systemd')

#: The sockets that could not be told something, about which one warning is enough.
_lost: set[str] = set()


# no state: what a call returns
class Outcome(Enum):
    """What became of a message."""

    SENT = 'it was sent'
    FULL = 'it was not: more are waiting than the service manager has room for'
    FAILED = 'it was not, nor will it be'


def notify(*assignments: str) -> bool:
    """Tell the service manager something, such as ``notify('STATUS=loading the index')``.

    gnet says by itself when a program is ready, reloads and stops (docs/systemd.md). This is for
    what only the program knows. It may be called in any thread, and never blocks.

    Args:
        assignments: one or more of ``NAME=value``, as in sd_notify(3); they are told together.

    Returns:
        Whether it was sent. False where nobody wants to know (``NOTIFY_SOCKET`` is not set), and
        where it failed, which is a warning on the logger ``gnet.systemd``, once.

    Raises:
        CodedTypeError: ``ERR_INVALID_ARG_TYPE`` for what is no str; ``ERR_INVALID_ARG_VALUE`` for
            one without a name and ``=``, or with a line break.
    """
    for each in assignments:
        if not isinstance(each, str):
            raise invalid_arg_type('assignments', 'of type string', each)
        if not each.partition('=')[0].isidentifier() or '=' not in each or '\n' in each:
            raise invalid_arg_value('assignments', each, 'must be one line, NAME=value')
    path = os.environ.get('NOTIFY_SOCKET')
    if not path or not assignments:
        return False
    outcome = send(path, assignments)
    if outcome is Outcome.FULL:
        _warn(path, assignments, Outcome.FULL.value)
    return outcome is Outcome.SENT


def send(path: str, assignments: tuple[str, ...], fd: int | None = None) -> Outcome:
    """Send *assignments* to the socket *path*. If that fails, say so, unless it may be repeated.

    Args:
        fd: what :func:`open_socket` has returned; None for a socket of its own.
    """
    try:
        sock = _socket.socket(fileno=open_socket() if fd is None else fd)
        try:
            sock.setblocking(False)
            text = '\n'.join(assignments)
            sock.sendto(text.encode('utf-8', 'surrogateescape'), _address(path))
        finally:
            if fd is None:
                sock.close()
            else:
                sock.detach()
    except BlockingIOError:
        return Outcome.FULL
    except (OSError, ValueError) as error:
        _warn(path, assignments, error)
        return Outcome.FAILED
    return Outcome.SENT


def open_socket() -> int:
    """Return the descriptor of a socket to send from.

    (Of the kernel's own: the patched one would make watchers, and block.)
    """
    kind = _socket.SOCK_DGRAM | _socket.SOCK_CLOEXEC
    return _socket.socket(_socket.AF_UNIX, kind).detach()


def _warn(path: str, assignments: tuple[str, ...], reason: object) -> None:
    if path not in _lost:
        _lost.add(path)
        _log.warning(
            'The service manager cannot be told %r at NOTIFY_SOCKET=%s: %s',
            assignments[0], path, reason)


def _address(path: str) -> bytes:
    """Return the address that is written as *path*: that of a file, or an abstract one ('@')."""
    if path.startswith('@'):
        return b'\0' + os.fsencode(path[1:])
    if not path.startswith('/'):
        raise ValueError('it is neither an absolute path nor an abstract name')
    return os.fsencode(path)
