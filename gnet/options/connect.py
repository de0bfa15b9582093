"""The arguments of ``connect`` turned into validated values, and the defaults of happy eyeballs.

No I/O and no gevent. The order of the checks, the codes and the texts are Node's (measured).
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ..addresses.ip import is_ip
from ..node import coded_errors
from ..node.records import NamedTuple
from ..node.validators import (
    validate_boolean,
    validate_function,
    validate_integer,
    validate_number,
    validate_port,
)
from ..node.values import MAX_INT32, UNDEFINED, to_int32, truthy

if TYPE_CHECKING:
    from .proxy_protocol import Introduction

__all__ = [
    'CONNECT_OPTIONS',
    'ConnectRequest',
    'connect_request',
    'get_default_auto_select_family',
    'get_default_auto_select_family_attempt_timeout',
    'set_default_auto_select_family',
    'set_default_auto_select_family_attempt_timeout',
]

#: Milliseconds below which Node does not go with the delay between attempts: an address would have
#: no time to answer.
_SHORTEST_ATTEMPT_TIMEOUT = 10
_FAMILIES = {0: 0, 4: 4, 6: 6, 'IPv4': 4, 'IPv6': 6}
_HINTS = socket.AI_ADDRCONFIG | getattr(socket, 'AI_V4MAPPED', 0) | getattr(socket, 'AI_ALL', 0)


class _Defaults:
    def __init__(self) -> None:
        self.auto_select_family = True
        #: Node 24's value, the "Connection Attempt Delay" that RFC 8305 recommends (section 5).
        self.attempt_timeout = 250


_defaults = _Defaults()


def get_default_auto_select_family() -> bool:
    """Return whether ``connect`` tries several addresses of a host (happy eyeballs); True."""
    return _defaults.auto_select_family


def set_default_auto_select_family(value: bool) -> None:
    """Set the default of the option ``auto_select_family``.

    Raises:
        CodedTypeError: ``ERR_INVALID_ARG_TYPE`` for anything but True and False.
    """
    _defaults.auto_select_family = validate_boolean('value', value)


def get_default_auto_select_family_attempt_timeout() -> int:
    """Return the milliseconds after which the next address is tried as well; 250."""
    return _defaults.attempt_timeout


def set_default_auto_select_family_attempt_timeout(value: int) -> None:
    """Set the default of ``auto_select_family_attempt_timeout``, in milliseconds, 10 at least.

    Raises:
        CodedTypeError: ``ERR_INVALID_ARG_TYPE``.
        CodedValueError: ``ERR_OUT_OF_RANGE`` for less than 1, more than 31 bits, or a fraction.
    """
    _defaults.attempt_timeout = _attempt_timeout('value', value)


class ConnectRequest(NamedTuple):
    """One validated call of ``connect``.

    Attributes:
        path: of a unix socket; None for TCP.
        host: a name or an IP address.
        port: 0 to 65535.
        local_address: an IP address to bind first, else None.
        local_port: a port to bind first, else 0. As in Node, whether it is one shows at bind(2).
        family: 4 or 6 for addresses of that kind only, else 0.
        family_for_lookup: the same for *lookup*; None if it was not given, or whatever was.
        hints: ``AI_…`` flags of the name look-up; for *lookup*, whatever was given.
        lookup: called instead of the resolver, or None.
        auto_select_family: try several addresses of the host.
        attempt_timeout: milliseconds after which the next one is tried as well.
        introduction: what a header of the PROXY protocol tells first of all; None for no header.
    """

    path: str | None
    host: str = 'localhost'
    port: int = 0
    local_address: str | None = None
    local_port: float = 0
    family: int = 0
    family_for_lookup: Any = None
    hints: Any = 0
    lookup: Callable[..., object] | None = None
    auto_select_family: bool = True
    attempt_timeout: int = 250
    introduction: Introduction | None = None


#: The names of the options.
CONNECT_OPTIONS = frozenset({
    'auto_select_family', 'auto_select_family_attempt_timeout', 'family', 'hints', 'host',
    'local_address', 'local_port', 'lookup', 'path', 'port',
    'proxy_protocol',
})


def connect_request(options: Mapping[str, Any]) -> ConnectRequest:
    """Validate what ``connect`` was called with; *options* are in ``snake_case``.

    Raises:
        CodedTypeError, CodedValueError: ``ERR_MISSING_ARGS``, ``ERR_INVALID_ARG_TYPE``,
            ``ERR_INVALID_ARG_VALUE``, ``ERR_INVALID_IP_ADDRESS``, ``ERR_SOCKET_BAD_PORT``,
            ``ERR_OUT_OF_RANGE``; ``ERR_PROXY_PROTOCOL``.
    """
    request = _request(options)
    if options.get('proxy_protocol') is None:
        return request
    from .proxy_protocol import introduction  # most connections need none of it

    return request._replace(introduction=introduction(options['proxy_protocol']))


def _request(options: Mapping[str, Any]) -> ConnectRequest:
    port = options.get('port', UNDEFINED)
    path = options.get('path')
    if isinstance(path, (bytes, os.PathLike)):
        path = os.fsdecode(path)
    if path is None and port is UNDEFINED:
        raise coded_errors.missing_args('options', 'port', 'path')
    if truthy(path):
        if not isinstance(path, str):
            raise coded_errors.invalid_arg_type('options.path', 'of type string', path)
        return ConnectRequest(path)
    return _tcp_request(options, port)


def _tcp_request(options: Mapping[str, Any], port: Any) -> ConnectRequest:
    host = options.get('host')
    host = host if truthy(host) else 'localhost'
    if not isinstance(host, str):
        raise coded_errors.invalid_arg_type('options.host', 'of type string', host)
    if '\0' in host:
        raise coded_errors.invalid_arg_value(
            'options.host', host, 'must be a string without null bytes')
    local_address = options.get('local_address')
    if truthy(local_address) and not is_ip(local_address):
        raise coded_errors.invalid_ip_address(local_address)
    local_port: float = 0
    if truthy(options.get('local_port')):
        local_port = validate_number('options.localPort', options['local_port'])
    number = 0
    if port is not UNDEFINED:
        if not isinstance(port, (int, float, str)) or isinstance(port, bool):
            raise coded_errors.invalid_arg_type(
                'options.port', 'one of type number or string', port)
        number = validate_port('Port', port)
    auto = options.get('auto_select_family')
    auto = _defaults.auto_select_family if auto is None else validate_boolean(
        'options.autoSelectFamily', auto)
    timeout = options.get('auto_select_family_attempt_timeout')
    timeout = _defaults.attempt_timeout if timeout is None else _attempt_timeout(
        'options.autoSelectFamilyAttemptTimeout', timeout)
    request = ConnectRequest(
        None, host, number, str(local_address) if truthy(local_address) else None,
        local_port, auto_select_family=auto, attempt_timeout=timeout,
    )
    return request if is_ip(host) else _with_lookup(request, options)


def _with_lookup(request: ConnectRequest, options: Mapping[str, Any]) -> ConnectRequest:
    """Add what only a host name needs; for an IP address these options are not even checked."""
    lookup, hints, family = (options.get(name) for name in ('lookup', 'hints', 'family'))
    if lookup is not None:
        validate_function('options.lookup', lookup)
    known = None
    if family is None:
        known = 0
    elif isinstance(family, (int, str)) and not isinstance(family, bool):
        known = _FAMILIES.get(family)
    if lookup is None:
        if hints is not None:
            hints = to_int32(validate_number('options.hints', hints)) % 2**32
            if hints & ~_HINTS:
                raise coded_errors.invalid_arg_value('hints', hints)
        if known is None:
            raise coded_errors.invalid_arg_value(
                'options.family', family, 'must be one of: 0, 4, 6')
    if not truthy(hints):
        hints = socket.AI_ADDRCONFIG if not known else 0
    return request._replace(
        lookup=lookup, hints=hints, family=known or 0,
        family_for_lookup=known or family)


def _attempt_timeout(name: str, value: Any) -> int:
    return max(validate_integer(name, value, 1, MAX_INT32), _SHORTEST_ATTEMPT_TIMEOUT)
