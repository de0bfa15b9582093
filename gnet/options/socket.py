"""The options of ``gnet.Socket`` as validated values; no I/O happens here.

The order of the checks, the codes and the texts are Node's (measured).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ..node import coded_errors
from ..node.records import NamedTuple
from ..node.validators import validate_integer, validate_signal
from ..node.values import MAX_INT32, UNDEFINED, truthy
from ..streams.encodings import canonical
from .peer_limits import PEER_LIMITS, PeerLimits, peer_limits
from .shared import block_list, high_water_mark, keep_alive_seconds

if TYPE_CHECKING:
    from ..addresses.block_list import BlockList

__all__ = [
    'SOCKET_OPTIONS',
    'OnRead',
    'SocketOptions',
    'socket_options',
    'type_of_service',
]

#: The field has 8 bits (RFC 2474).
_HIGHEST_TYPE_OF_SERVICE = 255


class OnRead(NamedTuple):
    """The option ``onread``: a buffer, or what returns one, and who is told of its content."""

    buffer: Any
    callback: Callable[[int, Any], object]


class SocketOptions(NamedTuple):
    """What a socket is made with.

    Attributes:
        allow_half_open: keep the writing half open after the peer's end.
        read_mark: high-water mark of reading, in bytes.
        write_mark: high-water mark of writing, in bytes.
        no_delay: switch Nagle's algorithm off.
        keep_alive: have the kernel probe an idle connection.
        keep_alive_seconds: whole seconds before it does; 0 leaves the system's default.
        type_of_service: 0 to 255, or None.
        default_encoding: of ``str`` chunks that are written.
        encoding: in which data is delivered as ``str``, or None.
        fd: the number of a connected descriptor to adopt, or None.
        readable: False to never read.
        writable: False to never write.
        onread: what reads into a buffer, or None.
        signal: set means destroy, or None.
        block_list: addresses that must not be connected to, or None.
        capture_rejections: as of every emitter, or None.
        limits: how slow and how greedy the peer may be, or None.
    """

    allow_half_open: bool
    read_mark: int
    write_mark: int
    no_delay: bool
    keep_alive: bool
    keep_alive_seconds: int
    type_of_service: int | None
    default_encoding: str
    encoding: str | None
    fd: int | None
    readable: bool
    writable: bool
    onread: OnRead | None
    signal: Any
    block_list: BlockList | None
    capture_rejections: Any
    limits: PeerLimits | None


#: Options that a socket does not have: an error where they are true.
_OBJECT_MODES = {
    'object_mode': 'objectMode', 'readable_object_mode': 'readableObjectMode',
    'writable_object_mode': 'writableObjectMode',
}

#: The names of the options.
SOCKET_OPTIONS = frozenset({
    'allow_half_open', 'block_list', 'capture_rejections', 'default_encoding', 'encoding', 'fd',
    'high_water_mark', 'keep_alive', 'keep_alive_initial_delay', 'no_delay', 'onread', 'readable',
    'readable_high_water_mark', 'signal', 'type_of_service', 'writable',
    'writable_high_water_mark', *PEER_LIMITS, *_OBJECT_MODES,
})


def socket_options(options: Mapping[str, Any]) -> SocketOptions:
    """Validate what a socket is made with; *options* are in ``snake_case``.

    Raises:
        CodedTypeError: ``ERR_INVALID_ARG_TYPE``, ``ERR_INVALID_ARG_VALUE`` (high-water marks, and
            object mode, which a socket does not have), ``ERR_UNKNOWN_ENCODING``.
        CodedValueError: ``ERR_OUT_OF_RANGE``.
    """
    for name, spelling in _OBJECT_MODES.items():
        if truthy(options.get(name)):
            raise coded_errors.invalid_arg_value(
                f'options.{spelling}', options[name], 'is not supported')
    delay = keep_alive_seconds(options)
    tos = options.get('type_of_service', UNDEFINED)
    fd = options.get('fd', UNDEFINED)
    signal = options.get('signal', UNDEFINED)
    encoding = options.get('encoding')
    default_encoding = options.get('default_encoding')
    # What is wrong first, in Node's order, is what is said.
    return SocketOptions(
        read_mark=high_water_mark(options, 'readable'),
        default_encoding='utf8' if default_encoding is None else canonical(default_encoding),
        encoding=canonical(encoding) if truthy(encoding) else None,
        write_mark=(write_mark := high_water_mark(options, 'writable')),
        limits=peer_limits(options, write_mark),
        signal=None if signal in (None, UNDEFINED) else validate_signal('signal', signal),
        fd=None if fd in (None, UNDEFINED) else validate_integer('fd', fd, 0, MAX_INT32),
        onread=_on_read(options.get('onread')),
        type_of_service=None if tos is UNDEFINED else type_of_service(
            'options.typeOfService', tos),
        block_list=block_list(options),
        allow_half_open=truthy(options.get('allow_half_open')),
        no_delay=truthy(options.get('no_delay')),
        keep_alive=truthy(options.get('keep_alive')),
        keep_alive_seconds=delay,
        readable=options.get('readable') is not False,
        writable=options.get('writable') is not False,
        capture_rejections=options.get('capture_rejections'),
    )


def type_of_service(name: str, value: object) -> int:
    """Return *value*, an integer from 0 to 255.

    Raises:
        CodedTypeError: ``ERR_INVALID_ARG_TYPE`` when it is no number.
        CodedValueError: ``ERR_OUT_OF_RANGE``.
    """
    return validate_integer(name, value, 0, _HIGHEST_TYPE_OF_SERVICE)


def _on_read(given: Any) -> OnRead | None:
    """Read the option ``onread``; as in Node, what has not the right members is ignored."""
    if not isinstance(given, Mapping):
        return None
    buffer, callback = given.get('buffer'), given.get('callback')
    if not callable(callback) or not (callable(buffer) or _is_buffer(buffer)):
        return None
    return OnRead(buffer, callback)


def _is_buffer(value: object) -> bool:
    try:
        return not memoryview(value).readonly  # type: ignore[arg-type]  # that is the question
    except TypeError:
        return False
