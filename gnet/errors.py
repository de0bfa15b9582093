"""The errors of gnet: one class per kind, one place per text.

Two families, as in Node:

- **System errors** are ``OSError`` objects of the built-in subclass that fits
  (``ConnectionRefusedError``, ``FileNotFoundError``, …) with Node's ``code`` (``'ECONNREFUSED'``),
  ``syscall``, ``address`` and ``port``, and Node's exact text as ``str(err)``. ``errno`` is
  positive, as everywhere in Python.
- **Coded errors** report a wrong call or a wrong state and have a ``code`` that starts with
  ``ERR_``. Node's ``TypeError`` is a :class:`CodedTypeError`, its ``RangeError`` a
  :class:`CodedValueError` (a ``ValueError``), its plain ``Error`` a :class:`CodedRuntimeError`.

The functions of this module build them; nothing else in gnet writes an error text that Node has.
"""

from __future__ import annotations

import errno as _errno
import os
import socket
import sys
from collections.abc import Sequence
from typing import Any

from .inspection import inspect, received

__all__ = [
    'AbortError',
    'CodedError',
    'CodedRuntimeError',
    'CodedTypeError',
    'CodedValueError',
    'ConnectFailure',
    'LookupFailure',
    'NodeOSError',
]


class CodedError(Exception):
    """Base of the errors that carry one of Node's ``ERR_…`` codes; never raised itself.

    Attributes:
        code: Node's name of the error, stable across releases where the text is not.
    """

    code: str

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.code, str(self)), self.__dict__


class CodedTypeError(CodedError, TypeError):
    """An argument of the wrong type or kind (Node's ``TypeError``)."""


class CodedValueError(CodedError, ValueError):
    """An argument out of its range (Node's ``RangeError``)."""


class CodedRuntimeError(CodedError, RuntimeError):
    """A call that the present state does not allow (Node's ``Error``)."""


class AbortError(CodedRuntimeError):
    """The operation was given up because its ``signal`` was set. The code is ``ABORT_ERR``."""

    def __init__(self, code: str = 'ABORT_ERR', message: str = 'The operation was aborted') -> None:
        super().__init__(code, message)


class NodeOSError(OSError):
    """What the system errors of gnet have in common; each is also a built-in subclass of OSError.

    Attributes:
        errno: the positive number of the operating system; None where Node has none either.
        code: its name, for example ``'EADDRINUSE'``.
        syscall: the operation in Node's words: ``'listen'`` (also when bind(2) failed), ``'read'``…
        address: the address or path it was about, else None.
        port: the port, -1 for a unix socket, else None.
    """

    code: str
    syscall: str | None
    address: str | None
    port: int | None
    _text: str

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


# --- system errors ------------------------------------------------------------------------------

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
        members = {'__module__': __name__, '__doc__': base.__doc__}
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
) -> NodeOSError:
    """Build the form of ``connect`` and ``bind``: ``connect ECONNREFUSED 127.0.0.1:80``.

    *local* is the local address and port, joined by a colon, where Node names them.
    """
    text = f'{syscall} {code_of(number)}'
    if port and port > 0:
        text += f' {address}:{port}'
    elif address:
        text += f' {address}'
    if local is not None:
        text += f' - Local ({local})'
    return _system_error(number, syscall, text, address, port or None)


def socket_closed() -> NodeOSError:
    """Build what a blocking call gets whose socket is closed, by its own side.

    An ``OSError`` with ``EBADF``, as from the standard library, and Node's code and text.
    """
    error = _system_error(_errno.EBADF, 'read', _STATE_TEXTS['ERR_SOCKET_CLOSED'])
    error.code, error.syscall = 'ERR_SOCKET_CLOSED', None
    return error


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


def lookup_error(error: socket.gaierror | UnicodeError, hostname: str) -> LookupFailure:
    """Translate an error of getaddrinfo(3): ``getaddrinfo ENOTFOUND no.such.invalid``."""
    number = error.args[0] if isinstance(error, OSError) else socket.EAI_NONAME
    not_found = {socket.EAI_NONAME, getattr(socket, 'EAI_NODATA', socket.EAI_NONAME)}
    names = (name for name in dir(socket) if name.startswith('EAI_'))
    code = 'ENOTFOUND' if number in not_found else next(
        (name for name in names if getattr(socket, name) == number), f'EAI_{number}',
    )
    failure = LookupFailure(number, code, hostname)
    failure.__cause__ = error
    return failure


# --- coded errors: arguments --------------------------------------------------------------------


def invalid_arg_type(name: str, expected: str, actual: object) -> CodedTypeError:
    """Build ``ERR_INVALID_ARG_TYPE``; *expected* is a phrase such as ``'of type number'``."""
    kind = 'property' if '.' in name else 'argument'
    return CodedTypeError(
        'ERR_INVALID_ARG_TYPE',
        f'The "{name}" {kind} must be {expected}. Received {received(actual)}',
    )


def invalid_arg_value(name: str, actual: object, reason: str = 'is invalid') -> CodedTypeError:
    """Build ``ERR_INVALID_ARG_VALUE``; the value is cut after 128 characters, as in Node."""
    kind = 'property' if '.' in name else 'argument'
    shown = inspect(actual)
    if len(shown) > 128:
        shown = shown[:128] + '...'
    return CodedTypeError(
        'ERR_INVALID_ARG_VALUE', f"The {kind} '{name}' {reason}. Received {shown}",
    )


def out_of_range(name: str, requirement: str, actual: object) -> CodedValueError:
    """Build ``ERR_OUT_OF_RANGE``; *requirement* such as ``'>= 0 && <= 255'``."""
    words = f'It must be {requirement}.'
    shown = inspect(actual)
    # Node groups the digits of a whole number that needs more than 32 bits.
    if shown.lstrip('-').isdigit() and abs(int(shown)) > 2**32:
        shown = f'{int(shown):_}'
    return CodedValueError(
        'ERR_OUT_OF_RANGE', f'The value of "{name}" is out of range. {words} Received {shown}',
    )


def bad_port(name: str, actual: object) -> CodedValueError:
    """Build ``ERR_SOCKET_BAD_PORT``; the final full stop is part of Node's text."""
    return CodedValueError(
        'ERR_SOCKET_BAD_PORT',
        f'{name} should be >= 0 and < 65536. Received {received(actual)}.',
    )


def missing_args(*names: str) -> CodedTypeError:
    """Build ``ERR_MISSING_ARGS``: one of *names* must be given."""
    listed = ' or '.join(f'"{name}"' for name in names)
    return CodedTypeError('ERR_MISSING_ARGS', f'The {listed} argument must be specified')


def invalid_ip_address(address: object) -> CodedTypeError:
    """Build ``ERR_INVALID_IP_ADDRESS``."""
    return CodedTypeError('ERR_INVALID_IP_ADDRESS', f'Invalid IP address: {_plain(address)}')


def invalid_address_family(family: object, host: str, port: int) -> CodedValueError:
    """Build ``ERR_INVALID_ADDRESS_FAMILY``: a look-up gave something that is neither 4 nor 6."""
    error = CodedValueError(
        'ERR_INVALID_ADDRESS_FAMILY', f'Invalid address family: {_plain(family)} {host}:{port}')
    error.host, error.port = host, port  # type: ignore[attr-defined]  # fields of this one error
    return error


def ip_blocked(address: str) -> CodedRuntimeError:
    """Build ``ERR_IP_BLOCKED``: a block list forbids to connect there."""
    return CodedRuntimeError('ERR_IP_BLOCKED', f'IP({address}) is blocked by net.BlockList')


def invalid_fd_type(kind: str) -> CodedTypeError:
    """Build ``ERR_INVALID_FD_TYPE``; *kind* is Node's word for what the descriptor is."""
    return CodedTypeError('ERR_INVALID_FD_TYPE', f'Unsupported fd type: {kind}')


def invalid_handle_type() -> CodedTypeError:
    """Build ``ERR_INVALID_HANDLE_TYPE``: a unix socket was asked to do what only TCP can."""
    return CodedTypeError('ERR_INVALID_HANDLE_TYPE', 'This handle type cannot be sent')


def not_json(reason: str) -> CodedTypeError:
    """Build the error of a message that cannot be sent as JSON: ``ERR_INVALID_ARG_VALUE``."""
    return CodedTypeError(
        'ERR_INVALID_ARG_VALUE', f"The argument 'message' cannot be sent as JSON: {reason}")


def unknown_signal(name: object) -> CodedTypeError:
    """Build ``ERR_UNKNOWN_SIGNAL``: no signal of this system."""
    return CodedTypeError('ERR_UNKNOWN_SIGNAL', f'Unknown signal: {_plain(name)}')


def ipc_required() -> CodedRuntimeError:
    """Build ``ERR_CHILD_PROCESS_IPC_REQUIRED``: a list of stdio without the channel."""
    return CodedRuntimeError(
        'ERR_CHILD_PROCESS_IPC_REQUIRED',
        "Forked processes must have an IPC channel, missing value 'ipc' in options.stdio")


def spawn_error(number: int, file: str, arguments: Sequence[str]) -> NodeOSError:
    """Build the error of a program that could not be started: ``spawn nosuch ENOENT``."""
    error = _system_error(number, f'spawn {file}', f'spawn {file} {code_of(number)}')
    error.path, error.spawnargs = file, list(arguments)  # type: ignore[attr-defined]
    return error


def _plain(value: object) -> str:
    return value if isinstance(value, str) else inspect(value)


def invalid_address() -> CodedRuntimeError:
    """Build ``ERR_INVALID_ADDRESS``, the error of ``BlockList`` and ``SocketAddress``."""
    return CodedRuntimeError('ERR_INVALID_ADDRESS', 'Invalid socket address')


def unknown_encoding(encoding: object) -> CodedTypeError:
    """Build ``ERR_UNKNOWN_ENCODING``; what is no string is shown as Node shows it."""
    shown = encoding if isinstance(encoding, str) else inspect(encoding)
    return CodedTypeError('ERR_UNKNOWN_ENCODING', f'Unknown encoding: {shown}')


def null_chunk() -> CodedTypeError:
    """Build ``ERR_STREAM_NULL_VALUES``: None was written."""
    return CodedTypeError('ERR_STREAM_NULL_VALUES', 'May not write null values to stream')


# --- coded errors: states -----------------------------------------------------------------------

_STATE_TEXTS = {
    'ERR_CHILD_CLOSED_BEFORE_REPLY': 'Child closed before reply received',
    'ERR_IPC_CHANNEL_CLOSED': 'Channel closed',
    'ERR_IPC_DISCONNECTED': 'IPC channel is already disconnected',
    'ERR_NOT_MAIN_THREAD':
        'Processes can be started in the main thread only: gevent watches them there',
    'ERR_NOT_PRIMARY': 'Only the primary can do this: this process is a worker',
    'ERR_SERVER_ALREADY_LISTEN':
        'Listen method has been called more than once without closing.',
    'ERR_SERVER_NOT_RUNNING': 'Server is not running.',
    'ERR_SOCKET_CLOSED': 'Socket is closed',
    'ERR_SOCKET_CLOSED_BEFORE_CONNECTION':
        'Socket closed before the connection was established',
    'ERR_STREAM_ALREADY_FINISHED': 'Cannot call end after a stream was finished',
    'ERR_STREAM_PREMATURE_CLOSE': 'Premature close',
    'ERR_STREAM_UNSHIFT_AFTER_END_EVENT': 'stream.unshift() after end event',
    'ERR_STREAM_WRITE_AFTER_END': 'write after end',
    # gnet's own: Node has one way to read and one thread to do it.
    'ERR_READING_IN_EVENT_STYLE':
        "Events read the socket (a 'data' or 'readable' listener, resume() or pipe()): blocking "
        'reads would compete for its data. Call pause() or remove the listener first',
    'ERR_READING_IN_BLOCKING_STYLE':
        'Another greenlet is blocked in a read of this socket: events would compete for its data',
    'ERR_TEXT_IS_BUFFERED':
        'Text is left that set_encoding() made of what arrived: take it by read() or by iterating '
        'before you ask for bytes',
    'ERR_SOCKET_IN_USE':
        'A greenlet is blocked in a read or write of this socket, or an object of its makefile() '
        'is open: it cannot be sent to another process',
    'ERR_IPC_ONE_PIPE': 'Child process can have only one IPC pipe',
    'ERR_HANDLE_NOT_RECEIVED': 'Handle did not reach the receiving process correctly',
    'ERR_CONCURRENT_READ': 'Another greenlet is already blocked in a read of this socket',
}


def state_error(code: str) -> CodedRuntimeError:
    """Build the error of a call that the present state does not allow, by its code."""
    return CodedRuntimeError(code, _STATE_TEXTS[code])


def stream_destroyed(method: str) -> CodedRuntimeError:
    """Build ``ERR_STREAM_DESTROYED`` for ``'write'``, ``'end'`` or ``'pipe'``."""
    return CodedRuntimeError(
        'ERR_STREAM_DESTROYED', f'Cannot call {method} after a stream was destroyed',
    )


def unhandled_error(value: object) -> CodedRuntimeError:
    """Build ``ERR_UNHANDLED_ERROR``: ``'error'`` with something that is no exception."""
    error = CodedRuntimeError('ERR_UNHANDLED_ERROR', f'Unhandled error. ({inspect(value)})')
    error.context = value  # type: ignore[attr-defined]  # Node's field of this one error
    return error
