"""Socket activation: the listening sockets that a process was started with.

systemd opens them, and tells by ``LISTEN_PID``, ``LISTEN_FDS`` and ``LISTEN_FDNAMES`` that they are
there (sd_listen_fds(3)). :func:`find` answers ``listen(systemd=…)``. Descriptors are never closed
here, and servers accept on duplicates, so a server that was closed can listen once more, and what
comes meanwhile waits in the kernel, as it does while the program is not running at all.

A worker of a cluster was given none itself. Its primary passes on what it has, in a variable of its
own (:func:`passed_on`, :func:`receive`), and is asked for the descriptor by its number.
"""

from __future__ import annotations

import _socket
import json
import os
from collections.abc import Iterable
from typing import NamedTuple

from ..node import coded_errors
from ..node.originals import close_descriptor

__all__ = [
    'PASSED_ON',
    'Given',
    'close',
    'find',
    'found',
    'given',
    'is_given',
    'passed_on',
    'receive',
    'socket_names',
]

#: The first of the descriptors: the one after stderr (SD_LISTEN_FDS_START).
FIRST = 3

#: Of how many there may be. (No process has a million descriptors at its start.)
MOST_DIGITS = 6

#: The name of one that has none (sd_listen_fds_with_names(3)).
NAMELESS = 'unknown'

#: The variable in which workers find what their primary was given.
PASSED_ON = 'GNET_SYSTEMD_SOCKETS'

_IS_OF_SYSTEMD = ('LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES', 'LISTEN_PIDFDID')
_FAMILIES = (_socket.AF_INET, _socket.AF_INET6, _socket.AF_UNIX)


class Given(NamedTuple):
    """A descriptor of those that the process was started with.

    Attributes:
        name: what it is called in the unit (``FileDescriptorName=``).
        fd: its number, in the process that was given it.
        path: of a unix socket, with a leading NUL if abstract; else None.
        flaw: why nothing can be accepted on it; None if it can.
    """

    name: str
    fd: int
    path: str | None
    flaw: str | None


class _Found:
    """What was found, once it was looked for."""

    def __init__(self) -> None:
        self.given: list[Given] | None = None
        #: What each descriptor was then: a program that uses its number may close it.
        self.identities: dict[int, tuple[int, int]] = {}
        #: Whether the descriptors are here, and not in the primary of this worker.
        self.is_here = False
        #: Of a worker whose primary was not given those that there are: see :func:`_meant`.
        self.meant: tuple[str, int] | None = None


_found = _Found()


def given() -> list[Given]:
    """Return what this process was started with; the variables are removed the first time.

    Raises:
        CodedValueError: ``ERR_SYSTEMD_ENVIRONMENT``: they make no sense.
    """
    if _found.given is None:
        there = _look()
        if there is None:
            return []
        for each in there:
            identity = _identity(each.fd)
            if identity is not None:
                os.set_inheritable(each.fd, False)  # whoever this process starts does not get it
                _found.identities[each.fd] = identity
        _found.given, _found.is_here = there, True
        for name in _IS_OF_SYSTEMD:
            os.environ.pop(name, None)
    return _found.given


def _look() -> list[Given] | None:
    """Return what the variables say, and leave them; None if they are not for this process."""
    if os.environ.get('LISTEN_PID') != str(os.getpid()):
        return None
    return _read(os.environ.get('LISTEN_FDS', ''), os.environ.get('LISTEN_FDNAMES'))


def _identity(fd: int) -> tuple[int, int] | None:
    """Return what tells the file of *fd* from all others; None if it is none."""
    try:
        status = os.fstat(fd)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _read(count: str, names: str | None) -> list[Given]:
    if count in ('', '0'):
        return []
    if not (count.isascii() and count.isdigit() and len(count) <= MOST_DIGITS):
        raise coded_errors.systemd_environment(
            f'LISTEN_FDS is {count[:40]!r}, which is no number of descriptors')
    numbers = range(FIRST, FIRST + int(count))
    named = [NAMELESS] * len(numbers) if names is None else names.split(':')
    if len(named) != len(numbers):
        raise coded_errors.systemd_environment(
            f'LISTEN_FDS is {count}, and LISTEN_FDNAMES has {len(named)} names ({names})')
    return [_look_at(name or NAMELESS, fd) for name, fd in zip(named, numbers)]


def _look_at(name: str, fd: int) -> Given:
    """Find out what *fd* is."""
    try:
        os.fstat(fd)
    except OSError as error:
        return Given(name, fd, None, f'is no descriptor: {error.strerror}')
    try:
        sock = _socket.socket(fileno=fd)
    except OSError:
        return Given(name, fd, None, 'is no socket')
    try:
        return Given(name, fd, _path_of(sock), _flaw_of(sock))
    finally:
        sock.detach()  # it was only looked at


def _flaw_of(sock: _socket.socket) -> str | None:
    if sock.family not in _FAMILIES:
        return f'is of the address family {sock.family}'
    if sock.type != _socket.SOCK_STREAM:
        return 'is no stream socket: use ListenStream= in its unit'
    if not sock.getsockopt(_socket.SOL_SOCKET, _socket.SO_ACCEPTCONN):
        return 'does not listen: it may be a connection, of a unit with Accept=yes'
    return None


def _path_of(sock: _socket.socket) -> str | None:
    if sock.family != _socket.AF_UNIX:
        return None
    name = sock.getsockname()
    return os.fsdecode(name) if name else None


def find(wanted: object) -> Given:
    """Return the descriptor that ``listen(systemd=wanted)`` means.

    Args:
        wanted: True for the one that there is, or the name of one.

    Raises:
        CodedTypeError: ``ERR_INVALID_ARG_TYPE`` for anything else.
        CodedRuntimeError: ``ERR_SYSTEMD_NO_SOCKETS``: this process was given none.
        CodedValueError: ``ERR_SYSTEMD_UNKNOWN_NAME``; ``ERR_SYSTEMD_AMBIGUOUS``: several are meant;
            ``ERR_SYSTEMD_WRONG_SOCKET``: it is no listening stream socket;
            ``ERR_SYSTEMD_ENVIRONMENT``.
    """
    if wanted is not True and not (isinstance(wanted, str) and wanted):
        raise coded_errors.invalid_arg_type(
            'options.systemd', 'true or the name of a socket', wanted)
    there = given()
    if not there:
        raise coded_errors.systemd_no_sockets(*(_found.meant or _meant()))
    meant = [each for each in there if wanted is True or each.name == wanted]
    if not meant:
        raise coded_errors.systemd_unknown_name(wanted, _listed(there))
    if len(meant) > 1:
        raise coded_errors.systemd_ambiguous(wanted, _listed(meant))
    if meant[0].flaw is not None:
        raise coded_errors.systemd_wrong_socket(_listed(meant), meant[0].flaw)
    return meant[0]


def _meant() -> tuple[str | None, int]:
    """Return whom ``LISTEN_PID`` means, and who this is."""
    own = os.getpid()
    return str(own) if _found.is_here else os.environ.get('LISTEN_PID'), own


def _listed(these: Iterable[Given]) -> str:
    return ', '.join(f'{each.name!r} (fd {each.fd})' for each in these)


def socket_names() -> list[str]:
    """Return the names of the sockets that systemd has passed to this program, in its order.

    They are what ``listen(systemd=…)`` takes. In a worker they are those of its primary. The list
    is empty where there are none.

    Raises:
        CodedValueError: ``ERR_SYSTEMD_ENVIRONMENT``: systemd's variables make no sense.
    """
    return [each.name for each in given()]


def is_given(fd: int) -> bool:
    """Return whether *fd* is one of the descriptors that this process was started with, and has."""
    if not any(each.fd == fd for each in _found.given or _look() or ()):
        return False
    given()  # a worker has asked for it: from now on they are gnet's
    return _is_still(fd)


def _is_still(fd: int) -> bool:
    return _found.is_here and _identity(fd) == _found.identities.get(fd, ())


def found() -> object:
    """Return what has the descriptors, for :func:`close` in a forked child."""
    return _found


def close(_whose: object = None) -> None:
    """Close them: this is a forked child, and they are its parent's."""
    if _found.is_here:
        for each in _found.given or ():
            # (What listen(fd=…) has taken over was closed by that, and the number may be another
            # file's.)
            if _is_still(each.fd):
                close_descriptor(each.fd)
        _found.given, _found.is_here = [], False


# --- of a primary and its workers -----------------------------------------------------------------


def passed_on() -> dict[str, str]:
    """Return the variables by which a worker knows what this process has: one, or none.

    systemd's stay as they are: a primary may have its own use for them.
    """
    there = _found.given or _look() or []
    if not there and _meant()[0] is None:
        return {}
    return {PASSED_ON: json.dumps([_meant(), there])}


def receive(text: str) -> None:
    """Take what the primary of this worker has passed on."""
    (process, primary), there = json.loads(text)
    _found.meant = process, primary
    _found.given = [Given(*each) for each in there]
