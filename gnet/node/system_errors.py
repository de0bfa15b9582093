"""System errors: their classes, and every text in one place.

Each is an ``OSError`` of the built-in subclass that fits, with Node's ``code``, ``syscall``,
``address``, ``port`` and text: see :mod:`gnet.errors`, which programs import.
"""

from __future__ import annotations

import errno as _errno
import os
import socket
import sys
from collections.abc import Sequence
from typing import Any

from .coded_errors import STATE_TEXTS
from .inspection import inspect
from .spelling import NodeNames

__all__ = [
    'ConnectFailure',
    'LookupFailure',
    'NodeOSError',
]


class NodeOSError(NodeNames, OSError):
    """What the system errors of gnet have in common; each is also a built-in subclass of OSError.

    Attributes:
        errno: the positive number of the operating system; None where Node has none either.
        code: its name, for example ``'EADDRINUSE'``.
        syscall: the operation in Node's words: ``'listen'`` (also when bind(2) failed), ``'read'``…
        address: the address or path it was about, else None.
        port: the port, -1 for a unix socket, else None.
        local_address: of a failed connect(2) the address that it was bound to, if a ``local_port``
            was asked for; else None.
        local_port: that port, else None.
    """

    code: str
    syscall: str | None
    address: str | None
    port: int | None
    _text: str
    _local: tuple[str, float] | None = None

    @property
    def local_address(self) -> str | None:
        return None if self._local is None else self._local[0]

    @property
    def local_port(self) -> float | None:
        return None if self._local is None else self._local[1]

    def __str__(self) -> str:
        return self._text

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (self.errno, self.__dict__)


class LookupFailure(socket.gaierror):
    """A host name that could not be resolved. ``errno`` is getaddrinfo's ``EAI_…`` number.

    Attributes:
        code: ``'ENOTFOUND'``, or the name of the ``EAI_…`` number.
        syscall: ``'getaddrinfo'``.
        hostname: the name that was looked up.
    """

    syscall = 'getaddrinfo'

    def __init__(self, number: int, code: str, hostname: str) -> None:
        super().__init__(number, f'getaddrinfo {code} {hostname}')
        self.code = code
        self.hostname = hostname

    def __str__(self) -> str:
        return str(self.args[1])

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.errno, self.code, self.hostname)


if sys.version_info >= (3, 11):
    _Group = ExceptionGroup[Exception]  # noqa: F821  # ruff goes by the oldest Python
else:
    class _Group(Exception):  # noqa: N818  # named after what it stands for
        """What there is of ``ExceptionGroup`` before Python 3.11."""

        def __init__(self, message: str, exceptions: Sequence[Exception]) -> None:
            super().__init__(message, exceptions)
            self.exceptions = tuple(exceptions)

        def __str__(self) -> str:
            return str(self.args[0])


class ConnectFailure(_Group):
    """Several addresses of a host were tried, and none could be connected to.

    Node's ``AggregateError``. Where Python has exception groups (3.11) it is one; the text names
    every address (Node's is empty). A blocking call raises the first of the failures instead,
    which is an ``OSError``, with this one as its cause.

    Attributes:
        errors: what each attempt failed with, in order.
        code: that of the first.
    """

    @property
    def errors(self) -> list[Exception]:
        return list(self.exceptions)

    @property
    def code(self) -> str | None:
        return getattr(self.exceptions[0], 'code', None)

    def derive(self, excs: Sequence[Exception]) -> ConnectFailure:  # type: ignore[override, unused-ignore]
        return ConnectFailure(self.args[0], excs)


#: libuv's words for an error number where they are not strerror(3)'s in lower case (measured).
_DESCRIPTIONS = {
    'EADDRNOTAVAIL': 'address not available',
    'EAFNOSUPPORT': 'address family not supported',
    'EALREADY': 'connection already in progress',
    'EBUSY': 'resource busy or locked',
    'EEXIST': 'file already exists',
    'EFAULT': 'bad address in system call argument',
    'EHOSTUNREACH': 'host is unreachable',
    'EIO': 'i/o error',
    'EISCONN': 'socket is already connected',
    'EISDIR': 'illegal operation on a directory',
    'ELOOP': 'too many symbolic links encountered',
    'EMFILE': 'too many open files',
    'ENAMETOOLONG': 'name too long',
    'ENFILE': 'file table overflow',
    'ENOMEM': 'not enough memory',
    'ENOTCONN': 'socket is not connected',
    'ENOTSUP': 'operation not supported on socket',
    'ESHUTDOWN': 'cannot send after transport endpoint shutdown',
    'ETXTBSY': 'text file is busy',
    'EXDEV': 'cross-device link not permitted',
}
_classes: dict[type[OSError], type[NodeOSError]] = {OSError: NodeOSError}


def code_of(number: int) -> str:
    """Return the name of an error number, for example ``'EINVAL'``."""
    # Linux has one number for both names; Node says ENOTSUP.
    if number == _errno.ENOTSUP:
        return 'ENOTSUP'
    return _errno.errorcode.get(number, f'Unknown system error {number}')


def _describe(number: int) -> str:
    return _DESCRIPTIONS.get(code_of(number)) or os.strerror(number).lower()


def _class_for(number: int | None) -> type[NodeOSError]:
    base = type(OSError(number, ''))
    known = _classes.get(base)
    if known is None:
        members = {'__module__': NodeOSError.__module__, '__doc__': base.__doc__}  # of its face
        known = _classes[base] = type(base.__name__, (NodeOSError, base), members)
    return known


def _rebuild(number: int | None, attributes: dict[str, Any]) -> NodeOSError:
    error = _class_for(number)(number, attributes['_text'])
    error.__dict__.update(attributes)
    return error


def _system_error(
    number: int, syscall: str, text: str, address: str | None = None, port: int | None = None,
) -> NodeOSError:
    return _rebuild(number, {
        'code': code_of(number), 'syscall': syscall, 'address': address, 'port': port,
        '_text': text,
    })


def system_error(number: int, syscall: str) -> NodeOSError:
    """Build the short form: ``read ECONNRESET``, ``accept EMFILE``."""
    return _system_error(number, syscall, f'{syscall} {code_of(number)}')


def listen_error(number: int, address: str | None, port: int | None) -> NodeOSError:
    """Build the form of a failed ``listen``: ``listen EADDRINUSE: address already in use :::80``.

    *port* is -1 for a unix socket and None or 0 where none was asked for; then the error has none.
    """
    text = f'listen {code_of(number)}: {_describe(number)}'
    if port and port > 0:
        text += f' {address}:{port}'
    elif address:
        text += f' {address}'
    return _system_error(number, 'listen', text, address, port or None)


def bind_error(number: int, address: str | None, port: int) -> NodeOSError:
    """Build what a worker gets whose primary could not listen: ``bind EADDRINUSE null:80``."""
    text = f'bind {code_of(number)}'
    if port > 0:
        text += f' {"null" if address is None else address}:{port}'
    elif address is not None:
        text += f' {address}'
    return _system_error(number, 'bind', text, address, port or None)


def connect_error(
    number: int, syscall: str, address: str | None, port: int | None, local: str | None = None,
    bound: tuple[str, float] | None = None,
) -> NodeOSError:
    """Build the form of ``connect`` and ``bind``: ``connect ECONNREFUSED 127.0.0.1:80``.

    *local* is the local address and port, joined by a colon, where Node's text names them; *bound*
    are those that were asked for, which are named too, and found in the error.
    """
    if bound is not None:
        local = f'{bound[0]}:{bound[1]}'
    text = f'{syscall} {code_of(number)}'
    if port and port > 0:
        text += f' {address}:{port}'
    elif address:
        text += f' {address}'
    if local is not None:
        text += f' - Local ({local})'
    error = _system_error(number, syscall, text, address, port or None)
    if bound is not None:
        error._local = bound  # inside: nobody else sets it
    return error


def without_frames(error: Any) -> Any:
    """Forget where *error* was raised: the frames may have who will have the error, a cycle."""
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)


def socket_closed() -> NodeOSError:
    """Build what a blocking call gets whose socket is closed, by its own side.

    An ``OSError`` with ``EBADF``, as from the standard library, and Node's code and text.
    """
    error = _system_error(_errno.EBADF, 'read', STATE_TEXTS['ERR_SOCKET_CLOSED'])
    error.code, error.syscall = 'ERR_SOCKET_CLOSED', None
    return error


#: Of gnet's own limits: Node has none. By code: why the connection was ended, for so many
#: milliseconds.
_LIMIT_TEXTS = {
    'ERR_LIFETIME': 'The connection has lasted for {} ms, as long as it may',
    'ERR_READ_TIMEOUT': 'The peer has sent nothing for {} ms',
    'ERR_WRITE_TIMEOUT': 'The peer has taken nothing for {} ms of what is to be sent',
}


def beyond_limit(code: str, msecs: float) -> NodeOSError:
    """Build what a connection is ended with whose peer is too slow: a TimeoutError.

    Args:
        code: ``ERR_READ_TIMEOUT``, ``ERR_WRITE_TIMEOUT`` or ``ERR_LIFETIME``.
        msecs: the limit.
    """
    error = _system_error(_errno.ETIMEDOUT, 'read', _LIMIT_TEXTS[code].format(inspect(msecs)))
    error.code, error.syscall = code, None
    return error


def is_beyond_limit(error: object) -> bool:
    """Return whether *error* is what :func:`beyond_limit` builds."""
    return isinstance(error, NodeOSError) and error.code in _LIMIT_TEXTS


def buffer_full(size: int, limit: int) -> NodeOSError:
    """Build ``ERR_BUFFER_FULL``: *size* bytes wait to be sent, of at most *limit*."""
    error = _system_error(
        _errno.ENOBUFS, 'write', f'{size} bytes wait to be sent, and {limit} may. The peer is '
        "slower than what is written: wait for 'drain' when write() returns False")
    error.code, error.syscall = 'ERR_BUFFER_FULL', None
    return error


def hung_up(text: str = 'socket hang up') -> NodeOSError:
    """Build what Node has for a peer that ends where it must not: ``ECONNRESET`` with that text."""
    error = _system_error(_errno.ECONNRESET, 'read', text)
    error.syscall = None
    return error


def cancelled_by_tls() -> NodeOSError:
    """Build what a write gets that TLS had not sent when its socket was destroyed."""
    return _system_error(
        _errno.ECANCELED, 'write', 'write ECANCELED Canceled because of SSL destruction')


def is_socket_closed(error: BaseException) -> bool:
    """Return whether *error* is what :func:`socket_closed` builds."""
    return isinstance(error, NodeOSError) and error.code == 'ERR_SOCKET_CLOSED'


def all_attempts_failed(failures: Sequence[Exception]) -> ConnectFailure:
    """Build the one error of several attempts to connect."""
    return ConnectFailure('; '.join(str(failure) for failure in failures), failures)


def ended_by_other_party() -> NodeOSError:
    """Build the error of a write after the peer ended and gnet ended in turn (code ``EPIPE``)."""
    error = _system_error(_errno.EPIPE, 'write', 'This socket has been ended by the other party')
    error.syscall = None
    return error


def lookup_error(error: Exception, hostname: str) -> LookupFailure | NodeOSError:
    """Translate what a resolver raised: ``getaddrinfo ENOTFOUND no.such.invalid``.

    What is no answer of getaddrinfo(3) is an error of the system (``getaddrinfo EMFILE …``), or one
    of Python's, such as that no thread can be started.
    """
    if isinstance(error, socket.gaierror):
        number = error.args[0]
    elif isinstance(error, UnicodeError):
        number = socket.EAI_NONAME
    elif isinstance(error, OSError) and error.errno:
        code = code_of(error.errno)
        refused = _system_error(error.errno, 'getaddrinfo', f'getaddrinfo {code} {hostname}')
        refused.hostname = hostname  # type: ignore[attr-defined]
        refused.__cause__ = error
        return refused
    else:
        # Without a thread (RuntimeError) or memory, another time may be better.
        is_passing = isinstance(error, (RuntimeError, MemoryError))
        number = socket.EAI_AGAIN if is_passing else socket.EAI_FAIL
    not_found = {socket.EAI_NONAME, getattr(socket, 'EAI_NODATA', socket.EAI_NONAME)}
    names = (name for name in dir(socket) if name.startswith('EAI_'))
    code = 'ENOTFOUND' if number in not_found else next(
        (name for name in names if getattr(socket, name) == number), f'EAI_{number}',
    )
    failure = LookupFailure(number, code, hostname)
    failure.__cause__ = error
    return failure


def spawn_error(number: int, file: str, arguments: Sequence[str]) -> NodeOSError:
    """Build the error of a program that could not be started: ``spawn nosuch ENOENT``."""
    error = _system_error(number, f'spawn {file}', f'spawn {file} {code_of(number)}')
    error.path, error.spawnargs = file, list(arguments)  # type: ignore[attr-defined]
    return error
