"""Arguments of ``create_server`` and ``listen`` as validated values; no I/O happens here.

Node takes its options in many shapes and converts each in its own way. This file turns them into
two records, :class:`ServerOptions` and :class:`ListenRequest`, or raises Node's error. Each call is
read in two steps, because Node registers the listener between them, so that it stays registered
when the second step raises:

===================  ===============================  ==========================
call                 first step: the shape            second step: the values
===================  ===============================  ==========================
``create_server()``  :func:`split_server_arguments`   :func:`server_options`
``listen()``         :func:`normalize_arguments`      :func:`listen_request`
===================  ===============================  ==========================

Options are keyword arguments, or a mapping, or both (the keywords win), in ``snake_case`` or in
Node's spelling. A mapping is never modified; Node writes ``port: 0`` and ``exclusive: true`` into
the caller's. None is Node's ``null``, an absent key its ``undefined``. Rules and texts were
measured on Node 24.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, NamedTuple

from .blocklist import BlockList
from .errors import invalid_arg_type, invalid_arg_value
from .inspection import UNDEFINED
from .names import snake_options
from .validators import (
    is_number,
    js_number,
    to_int32,
    to_number,
    truthy,
    validate_function,
    validate_number,
    validate_port,
    validate_signal,
)

__all__ = [
    'ListenRequest',
    'ListenTarget',
    'ServerOptions',
    'block_list',
    'high_water_mark',
    'keep_alive_seconds',
    'listen_request',
    'normalize_arguments',
    'server_options',
    'split_server_arguments',
]

#: Bytes that a stream buffers before it asks to stop: Node's default since v22.
DEFAULT_HIGH_WATER_MARK = 65536

#: Connections the kernel may hold until they are accepted: Node's default. Linux caps it at
#: ``net.core.somaxconn``.
DEFAULT_BACKLOG = 511

_MISSING_TARGET = 'must have the property "port" or "path"'
# "writableAllt" is Node's spelling.
_ABSTRACT_HAS_NO_MODE = (
    'can not set readableAll or writableAllt to true when path is abstract unix socket'
)
#: Options that say what to listen on.
_TARGETS = ('port', 'path', 'fd', 'handle', '_handle')


# --- options that a server and a socket share ---------------------------------------------------


def keep_alive_seconds(options: Mapping[str, Any]) -> int:
    """Return ``keep_alive_initial_delay`` (milliseconds, default 0) in whole seconds.

    Negative values count as 0. The quotient is truncated to 32 bits, as Node does: NaN and Infinity
    become 0, and beyond 68 years it may wrap into the negative.

    Raises:
        CodedTypeError: ``ERR_INVALID_ARG_TYPE`` when it is given and no number.
    """
    delay = options.get('keep_alive_initial_delay', UNDEFINED)
    if delay is UNDEFINED:
        return 0
    milliseconds = to_number(validate_number('options.keepAliveInitialDelay', delay))
    return to_int32(milliseconds / 1000) if milliseconds > 0 else 0


def block_list(options: Mapping[str, Any]) -> BlockList | None:
    """Return the option ``block_list``; None when there is none or a false value such as None.

    Raises:
        CodedTypeError: ``ERR_INVALID_ARG_TYPE`` when it is something else than a ``BlockList``.
    """
    given = options.get('block_list')
    if not truthy(given):
        return None
    if not isinstance(given, BlockList):
        # "an net.BlockList" is Node's wording.
        raise invalid_arg_type('options.blockList', 'an net.BlockList', given)
    return given


def high_water_mark(options: Mapping[str, Any], side: str) -> int:
    """Return a socket's high-water mark in bytes for *side*, ``'readable'`` or ``'writable'``.

    ``high_water_mark`` sets both sides and wins over ``readable_high_water_mark`` and
    ``writable_high_water_mark``. None counts as absent; the default is 65536. Ask for the readable
    side first: Node does, so an invalid common value is reported under that name.

    Raises:
        CodedTypeError: ``ERR_INVALID_ARG_VALUE`` when it is not an integer of 0 or more.
    """
    mark = options.get('high_water_mark')
    if mark is None or mark is UNDEFINED:
        mark = options.get(f'{side}_high_water_mark')
    if mark is None or mark is UNDEFINED:
        return DEFAULT_HIGH_WATER_MARK
    # NaN and Infinity have a remainder of NaN.
    if is_number(mark) and mark >= 0 and mark % 1 == 0:
        return int(mark)
    raise invalid_arg_value(f'options.{side}HighWaterMark', mark)


# --- create_server ------------------------------------------------------------------------------


class ServerOptions(NamedTuple):
    """What a server remembers of its options; each applies to the sockets it accepts.

    Attributes:
        allow_half_open: keep the own side open after the peer's FIN.
        pause_on_connect: do not read before the program asks for it.
        no_delay: disable Nagle's algorithm.
        keep_alive: enable TCP keep-alive.
        keep_alive_initial_delay: whole **seconds** of idleness before the first probe; 0 leaves the
            system's default.
        high_water_mark: bytes, for both directions. As in Node it is any number that is not
            negative, so NaN, Infinity and fractions get through to here.
        block_list: addresses to refuse, or None.
    """

    allow_half_open: bool
    pause_on_connect: bool
    no_delay: bool
    keep_alive: bool
    keep_alive_initial_delay: int
    high_water_mark: float
    block_list: BlockList | None


def split_server_arguments(
    args: tuple[Any, ...], keywords: Mapping[str, Any],
) -> tuple[dict[str, Any], Callable[..., Any] | None]:
    """Split the arguments of ``create_server`` into options and a ``'connection'`` listener.

    Args:
        args: ``(options, listener)``, or ``(listener,)``, or fewer. Options are a mapping, None, or
            any other object, whose attributes then count (a list has none). A second argument that
            is not callable is ignored, and so is any second argument after a callable first one.
        keywords: options, which win over those of the mapping; or ``options`` and ``listener`` by
            name.

    Returns:
        A new dict with ``snake_case`` keys, not validated yet, and the listener or None.

    Raises:
        CodedTypeError: ``ERR_INVALID_ARG_TYPE`` when the first argument is a str, a number or a
            bool.
    """
    named = dict(keywords)
    options = args[0] if args else named.pop('options', None)
    listener = args[1] if len(args) > 1 else named.pop('listener', None)
    if not isinstance(options, Mapping) and callable(options):
        return snake_options(named), options
    if isinstance(options, (str, int, float)):
        raise invalid_arg_type('options', 'of type object', options)
    return (
        snake_options(_own_options(options), named),
        listener if callable(listener) else None,
    )


def server_options(options: Mapping[str, Any]) -> ServerOptions:
    """Validate the options of a server; unknown ones are ignored, as in Node.

    Args:
        options: with ``snake_case`` keys, from :func:`split_server_arguments`.

    Raises:
        CodedTypeError: ``ERR_INVALID_ARG_TYPE`` for a ``keep_alive_initial_delay`` or a
            ``high_water_mark`` that is no number (None is none), and for a ``block_list`` that is
            something else.
    """
    seconds = keep_alive_seconds(options)
    mark = options.get('high_water_mark', UNDEFINED)
    if mark is UNDEFINED or validate_number('options.highWaterMark', mark) < 0:
        mark = DEFAULT_HIGH_WATER_MARK
    return ServerOptions(
        allow_half_open=truthy(options.get('allow_half_open')),
        pause_on_connect=truthy(options.get('pause_on_connect')),
        no_delay=truthy(options.get('no_delay')),
        keep_alive=truthy(options.get('keep_alive')),
        keep_alive_initial_delay=seconds,
        high_water_mark=mark,
        block_list=block_list(options),
    )


def _own_options(source: object) -> Mapping[str, Any]:
    """Return what Node would find in an options object: its own properties."""
    if isinstance(source, Mapping):
        return source
    if source is None or source is UNDEFINED:
        return {}
    attributes: Mapping[str, Any] = getattr(source, '__dict__', {})
    return attributes


# --- listen -------------------------------------------------------------------------------------


class ListenTarget(Enum):
    """What is to be listened on."""

    PORT = 'port'
    PATH = 'path'
    FD = 'fd'
    HANDLE = 'handle'


class ListenRequest(NamedTuple):
    """One validated call of ``listen``.

    Attributes:
        target: decides which of the next five are set; the others are None.
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


def normalize_arguments(
    args: tuple[Any, ...], keywords: Mapping[str, Any] | None = None,
) -> tuple[dict[str, Any], Callable[..., Any] | None]:
    """Bring the arguments of ``listen`` or ``connect`` into one shape; Node's ``_normalizeArgs``.

    Args:
        args: the positional arguments. The first is a mapping of options, a path (a str that is no
            number, bytes, or an ``os.PathLike``), a port (a number, its text, None), or something
            to adopt: a socket, a server, an object with ``fileno()``. After a port, a str is the
            host. The last is the callback if it is callable.
        keywords: options, which are added and win, and ``callback``.

    Returns:
        A new dict with ``snake_case`` keys, values untouched, and the callback or None. What is to
        be adopted is found under ``'handle'``, where Node returns the object itself.

    Raises:
        CodedTypeError: ``ERR_INVALID_ARG_TYPE`` when the keyword ``callback`` is not callable.
    """
    named = snake_options(keywords)
    callback = args[-1] if args and callable(args[-1]) else None
    by_name = named.pop('callback', None)
    if by_name is not None:
        callback = validate_function('callback', by_name)
    options = _first_argument(args) if args else {}
    if args and callable(args[0]) and any(name in named for name in _TARGETS):
        # listen(callback, path='x'): Node's port that is a function would hide the path.
        options.pop('port', None)
    options.update(named)
    return options, callback


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
    """
    if not options and not args:
        options = {'port': None}
    backlog = _backlog(options, args)
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

    signal = options.get('signal', UNDEFINED)
    signal = None if signal is UNDEFINED else validate_signal('options.signal', signal)
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


def _first_argument(args: tuple[Any, ...]) -> dict[str, Any]:
    first = args[0]
    if isinstance(first, Mapping):
        return snake_options(first)
    if isinstance(first, (bytes, os.PathLike)):
        return {'path': first}
    # The comparison is false for NaN, which is what every ordinary path is.
    if isinstance(first, str) and not js_number(first) >= 0:
        return {'path': first}
    no_port = first is None or first is UNDEFINED
    if no_port or isinstance(first, (str, int, float)) or callable(first):
        host = {'host': args[1]} if len(args) > 1 and isinstance(args[1], str) else {}
        return {'port': first, **host}
    if not _looks_adoptable(first):
        own = snake_options(_own_options(first))
        if any(name in own for name in _TARGETS):
            return own
    return {'handle': first}


def _wrapped(options: Mapping[str, Any]) -> Any:
    """Return what the options only wrap, if they do: Node looks through one such layer."""
    for name in ('_handle', 'handle'):
        if truthy(options.get(name)):
            return options[name]
    return None


def _is_gevent_server(value: object) -> bool:
    # Known by its methods, because nothing of gevent is imported here.
    return hasattr(value, 'start_accepting') and hasattr(value, 'set_listener')


def _looks_adoptable(value: object) -> bool:
    return _is_gevent_server(value) or hasattr(value, 'fileno') or hasattr(value, '_handle')


def _adoptable(value: object) -> object | None:
    """Return what a listener can be made of, or None."""
    # A gevent server comes first: it has a _handle too, which is its connection handler. In a gnet
    # server or socket _handle is the thing itself, and without it a fileno() is of no use.
    if not _is_gevent_server(value) and hasattr(value, '_handle'):
        value = value._handle
    return value if _is_gevent_server(value) or hasattr(value, 'fileno') else None


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
