"""Errors with a code (``ERR_…``): their classes, and every text in one place."""

from __future__ import annotations

from typing import Any

from .inspection import inspect, received

__all__ = [
    'AbortError',
    'CodedError',
    'CodedRuntimeError',
    'CodedTypeError',
    'CodedValueError',
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


def abort_error(signal: Any) -> AbortError:
    """Build the error of what was given up because *signal* is set."""
    error = AbortError()
    # Node gives the signal's reason as the cause; a failed AsyncResult or greenlet has one.
    error.__cause__ = getattr(signal, 'exception', None)
    return error


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


def path_as_port(path: object) -> CodedValueError:
    """Build ``ERR_SOCKET_BAD_PORT`` for what is the path of a unix socket, and was meant as one."""
    error = bad_port('options.port', path)
    return CodedValueError(
        'ERR_SOCKET_BAD_PORT',
        f'{error.args[0]} The path of a unix socket is given by its name: path={path!r}.',
    )


def systemd_environment(what: str) -> CodedValueError:
    """Build ``ERR_SYSTEMD_ENVIRONMENT``, gnet's own as all that follow of systemd."""
    return CodedValueError(
        'ERR_SYSTEMD_ENVIRONMENT', f'The sockets that systemd passes cannot be found: {what}')


def systemd_no_sockets(process: str | None, own: int) -> CodedRuntimeError:
    """Build ``ERR_SYSTEMD_NO_SOCKETS``; *process* is what ``LISTEN_PID`` says."""
    why = 'LISTEN_PID and LISTEN_FDS are not set'
    if process is not None:
        why = (
            f'LISTEN_PID is {process}, and this process is {own}. A shell that starts the program '
            'has to do so with "exec"') if process != str(own) else 'LISTEN_FDS is 0'
    return CodedRuntimeError(
        'ERR_SYSTEMD_NO_SOCKETS', f'systemd has passed no sockets to this process: {why}')


def systemd_unknown_name(name: object, there: str) -> CodedValueError:
    """Build ``ERR_SYSTEMD_UNKNOWN_NAME``; *there* lists what there is."""
    return CodedValueError(
        'ERR_SYSTEMD_UNKNOWN_NAME',
        f'systemd has passed no socket of the name {name!r}. There is {there}')


def systemd_ambiguous(wanted: object, meant: str) -> CodedValueError:
    """Build ``ERR_SYSTEMD_AMBIGUOUS``; *meant* lists those that it may be."""
    how = (
        'say which by its name' if wanted is True else
        'give each a FileDescriptorName= of its own, or say which by fd=')
    return CodedValueError(
        'ERR_SYSTEMD_AMBIGUOUS', f'systemd has passed several sockets, {meant}: {how}')


def systemd_wrong_socket(which: str, flaw: str) -> CodedValueError:
    """Build ``ERR_SYSTEMD_WRONG_SOCKET``; *flaw* says what is wrong with it."""
    return CodedValueError(
        'ERR_SYSTEMD_WRONG_SOCKET', f'What systemd has passed as {which} {flaw}')


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


def proxy_protocol_error(reason: str) -> CodedValueError:
    """Build ``ERR_PROXY_PROTOCOL``: this is no header of that protocol."""
    return CodedValueError('ERR_PROXY_PROTOCOL', f'No valid PROXY protocol header: {reason}')


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


STATE_TEXTS = {
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
    'ERR_STREAM_UNABLE_TO_PIPE': 'Cannot pipe to a closed or destroyed stream',
    'ERR_STREAM_UNSHIFT_AFTER_END_EVENT': 'stream.unshift() after end event',
    'ERR_STREAM_WRITE_AFTER_END': 'write after end',
    # gnet's own: Node has no fork(2), one way to read and one thread to do it.
    'ERR_FORKED_PROCESS':
        'gnet cannot be used in a process that was forked by one that uses it. Start a fresh '
        "interpreter (gnet.child_process.fork(), subprocess, the 'spawn' of multiprocessing), or "
        'fork before gnet is first used',
    'ERR_FOREIGN_THREAD':
        'Sockets and servers are used in the thread that their loop is in. From another thread, '
        'have it called there: gnet.call_from_thread(sock.write, data)',
    'ERR_NO_LOOP':
        'There is no loop to make this call in: pass a method of the socket or server that is '
        'meant, or use gnet in the main thread first',
    'ERR_READING_IN_EVENT_STYLE':
        "Events read the socket (a 'data' or 'readable' listener, resume() or pipe()): blocking "
        'reads would compete for its data. Call pause() or remove the listener first',
    'ERR_READING_IN_BLOCKING_STYLE':
        'Another greenlet is blocked in a read of this socket: events would compete for its data',
    'ERR_TEXT_IS_BUFFERED':
        'Text is left that set_encoding() or makefile() made of what arrived: take it by read() or '
        'by iterating before you ask for bytes',
    'ERR_READ_AHEAD':
        'Bytes that had arrived before to_socket() are still to be read by recv(): who takes the '
        'descriptor, as TLS does, would never see them. Read them first; or call to_socket() '
        'before the peer is told to begin with TLS',
    'ERR_SOCKET_IN_USE':
        'A greenlet is blocked in a read or write of this socket, an object of its makefile() '
        'is open, or TLS is spoken on its connection: nobody else can have it now',
    'ERR_TLS_UNREAD_PLAIN_TEXT':
        'Something was received in plain text and not read: it is no part of what TLS secures. '
        'Read it first, or say buffered_is_tls',
    'ERR_IPC_ONE_PIPE': 'Child process can have only one IPC pipe',
    'ERR_HANDLE_NOT_RECEIVED': 'Handle did not reach the receiving process correctly',
    'ERR_CONCURRENT_READ': 'Another greenlet is already blocked in a read of this socket',
}


def state_error(code: str) -> CodedRuntimeError:
    """Build the error of a call that the present state does not allow, by its code."""
    return CodedRuntimeError(code, STATE_TEXTS[code])


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
