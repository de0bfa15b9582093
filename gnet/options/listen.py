"""``listen(...)`` checked."""

from __future__ import annotations

import os
from collections.abc import Mapping
from enum import Enum
from typing import Any

from ..node.coded_errors import invalid_arg_type, invalid_arg_value
from ..node.records import NamedTuple
from ..node.spelling import snake_options
from ..node.validators import validate_port, validate_signal
from ..node.values import UNDEFINED, is_number, js_number, to_int32, to_number, truthy
from .shapes import is_gevent_server

__all__ = [
    'LISTEN_OPTIONS',
    'ListenRequest',
    'ListenTarget',
    'listen_request',
]

#: Connections the kernel may hold until they are accepted: Node's default. Linux caps it at
#: ``net.core.somaxconn``.
DEFAULT_BACKLOG = 511
_MISSING_TARGET = 'must have the property "port" or "path"'

# "writableAllt" is Node's spelling.
_ABSTRACT_HAS_NO_MODE = (
    'can not set readableAll or writableAllt to true when path is abstract unix socket'
)


# no state: what was asked for
class ListenTarget(Enum):
    """What is to be listened on."""

    PORT = 'port'
    PATH = 'path'
    FD = 'fd'
    HANDLE = 'handle'
    SYSTEMD = 'systemd'


class ListenRequest(NamedTuple):
    """One validated call of ``listen``.

    Attributes:
        target: decides which of the next five are set; the others are None. Of SYSTEMD that is
            *fd*, and *path* for a unix socket.
        port: of PORT, 0 for any free one.
        host: of PORT, never empty; None for every address of the machine.
        path: of PATH; a name with a leading NUL is an abstract one.
        fd: of FD, a number of 0 or more as given. It may have a fraction or be infinite: Node's
            answer to that is an ``'error'`` event (EINVAL), not an exception.
        handle: of HANDLE: a socket, another object with ``fileno()``, or a gevent server.
        backlog: what the kernel is to be given, 511 where nothing was asked for.
        exclusive: in a worker process, do not share the listener.
        ipv6_only: do not serve IPv4 on ``::``.
        reuse_port: share the port with other sockets that ask for it; implies ``exclusive``.
        readable_all: make a unix socket readable to everyone.
        writable_all: make it writable to everyone.
        signal: closes the server when set; None when there is none, and for HANDLE, where Node
            ignores it.
    """

    target: ListenTarget
    backlog: int
    port: int | None = None
    host: str | None = None
    path: str | None = None
    fd: float | None = None
    handle: Any = None
    exclusive: bool = False
    ipv6_only: bool = False
    reuse_port: bool = False
    readable_all: bool = False
    writable_all: bool = False
    signal: Any = None


#: The names of the options.
LISTEN_OPTIONS = frozenset({
    '_handle', 'backlog', 'exclusive', 'fd', 'handle', 'host', 'ipv6_only', 'path', 'port',
    'readable_all', 'reuse_port', 'signal', 'systemd', 'writable_all',
})

#: What is decided already where systemd has opened the socket.
_DECIDED_BY_SYSTEMD = (
    '_handle', 'backlog', 'exclusive', 'fd', 'handle', 'host', 'ipv6_only', 'path', 'port',
    'readable_all', 'reuse_port', 'writable_all',
)

#: What the option systemd is where it is not meant. (The test is one of equality: 0 is False.)
_NOT_BY_SYSTEMD = (None, False, UNDEFINED)


def listen_request(options: Mapping[str, Any], args: tuple[Any, ...] = ()) -> ListenRequest:
    """Validate what ``listen`` was called with, in Node's order.

    Args:
        options: from :func:`normalize_arguments`.
        args: the positional arguments of the call, for the backlog.

    The backlog of a descriptor or handle may be given as an option too; Node takes only a
    positional one there.

    Raises:
        CodedTypeError: ``ERR_INVALID_ARG_VALUE`` when there is nothing to listen on, or a host with
            a NUL, or a mode for an abstract path; ``ERR_INVALID_ARG_TYPE`` for a signal or a host
            of the wrong type.
        CodedValueError: ``ERR_SOCKET_BAD_PORT``.
        CodedError: ``ERR_SYSTEMD_…``, see :func:`gnet.systemd.activation.find`.
    """
    if not options and not args:
        options = {'port': None}
    backlog = _backlog(options, args)
    if options.get('systemd') not in _NOT_BY_SYSTEMD:
        return _of_systemd(options)
    wrapped = _wrapped(options)
    if wrapped is not None:
        handle = _adoptable(wrapped)
        if handle is not None:
            # A handle is never shared with other workers through the primary.
            return ListenRequest(ListenTarget.HANDLE, backlog, handle=handle, exclusive=True)
        if not isinstance(wrapped, Mapping):
            raise invalid_arg_value('options', wrapped, _MISSING_TARGET)
        options = snake_options(wrapped)
        backlog = _backlog(options, args)

    signal = _signal(options)
    reuse_port = options.get('reuse_port') is True
    common = ListenRequest(
        ListenTarget.PORT,
        backlog,
        exclusive=reuse_port or truthy(options.get('exclusive')),
        ipv6_only=options.get('ipv6_only') is True,
        reuse_port=reuse_port,
        readable_all=options.get('readable_all') is True,
        writable_all=options.get('writable_all') is True,
        signal=signal,
    )

    fd: Any = options.get('fd')
    if is_number(fd) and fd >= 0:
        return common._replace(target=ListenTarget.FD, fd=fd)
    port = _port(options, args)
    if is_number(port) or isinstance(port, str):
        number = validate_port('options.port', port)
        return common._replace(port=number, host=_host(options.get('host')))
    path = _path(options.get('path'))
    if path is not None:
        _check_modes(path, options)
        return common._replace(target=ListenTarget.PATH, path=path)
    if 'port' in options or 'path' in options:
        raise invalid_arg_value('options', options)
    raise invalid_arg_value('options', options, _MISSING_TARGET)


def _of_systemd(options: Mapping[str, Any]) -> ListenRequest:
    for name in _DECIDED_BY_SYSTEMD:
        if truthy(options.get(name)):
            raise invalid_arg_value(
                f'options.{name}', options[name],
                'cannot be chosen with systemd, which has opened the socket')
    # Not before it is asked for: most programs never are services of systemd's.
    from ..systemd.activation import find

    found = find(options['systemd'])
    return ListenRequest(
        ListenTarget.SYSTEMD, DEFAULT_BACKLOG, fd=found.fd, path=found.path,
        signal=_signal(options))


def _signal(options: Mapping[str, Any]) -> Any:
    signal = options.get('signal', UNDEFINED)
    return None if signal is UNDEFINED else validate_signal('options.signal', signal)


def _wrapped(options: Mapping[str, Any]) -> Any:
    """Return what the options only wrap, if they do: Node looks through one such layer."""
    for name in ('_handle', 'handle'):
        if truthy(options.get(name)):
            return options[name]
    return None


def _adoptable(value: object) -> object | None:
    """Return what a listener can be made of, or None."""
    # A gevent server comes first: it has a _handle too, which is its connection handler. In a gnet
    # server or socket _handle is the thing itself, and without it a fileno() is of no use.
    if not is_gevent_server(value):
        value = getattr(value, '_handle', value)
    return value if is_gevent_server(value) or hasattr(value, 'fileno') else None


def _port(options: Mapping[str, Any], args: tuple[Any, ...]) -> Any:
    """Return the port as given; 0, any free one, for None or a callback in its place."""
    port = options.get('port', UNDEFINED)
    is_callback = callable(port) and bool(args) and port is args[0]
    left_open = port is None or is_callback or (port is UNDEFINED and 'port' in options)
    return 0 if left_open else port


def _host(host: object) -> str | None:
    if not truthy(host):
        return None
    if not isinstance(host, str):
        raise invalid_arg_type('hostname', 'of type string', host)
    if '\0' in host:
        raise invalid_arg_value('hostname', host, 'must be a string without null bytes')
    return host


def _path(path: object) -> str | None:
    if isinstance(path, str):
        # Node takes no path that reads as a number, blanks included.
        return None if js_number(path) >= 0 else path
    if isinstance(path, (bytes, os.PathLike)):
        return os.fsdecode(path) or None
    return None


def _check_modes(path: str, options: Mapping[str, Any]) -> None:
    """Refuse the options for a file's mode where there is no file."""
    asked = truthy(options.get('readable_all')) or truthy(options.get('writable_all'))
    if path.startswith('\0') and asked:
        raise invalid_arg_value('options', options, _ABSTRACT_HAS_NO_MODE)


def _backlog(options: Mapping[str, Any], args: tuple[Any, ...]) -> int:
    """Return the number for listen(2). No value is ever rejected."""
    given = options.get('backlog')
    if truthy(given):
        # NaN becomes 0, and a negative number is left to the kernel, which takes its maximum.
        return to_int32(to_number(given))
    for value in args[1:3]:
        number = to_number(value)
        if number > 0:
            return to_int32(number)
    return DEFAULT_BACKLOG
