"""The options ``proxy_protocol``: of servers, whom to believe; of ``connect``, what to tell."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ..addresses.block_list import BlockList
from ..addresses.ends import Address, address_of_peer
from ..addresses.ip import is_ip
from ..node.coded_errors import CodedError, CodedTypeError, invalid_arg_type, invalid_arg_value
from ..node.keywords import check_keywords
from ..node.spelling import snake_options
from ..node.validators import MAX_PORT, validate_boolean, validate_integer
from ..node.values import MAX_INT32
from ..proxy_protocol.header import Command, End, ProxyHeader
from ..proxy_protocol.tlvs import (
    ALPN,
    AUTHORITY,
    CRC32C,
    MAX_UNIQUE_ID,
    NETNS,
    UNIQUE_ID,
    Tlvs,
)

__all__ = ['Introduction', 'ProxyTrust', 'introduction', 'proxy_trust']

#: Milliseconds that a proxy has for its header, which it sends at once. The specification wants 3
#: seconds at least, so that one that was lost is sent again (section 2).
_TIMEOUT = 5000

#: Connections that wait for theirs. One takes a descriptor and 1 KB.
_MAX_PENDING = 1024

#: Bytes of a header that is written. The specification wants what fits into one segment, 536; a
#: socket that was just connected takes far more at once.
_MAX_WRITTEN = 4096

_TRUST = frozenset({'max_pending', 'timeout', 'trusted'})
_INTRODUCTION = frozenset({
    'alpn', 'authority', 'checksum', 'destination', 'local', 'netns', 'source', 'tlvs',
    'unique_id', 'version'})


class ProxyTrust(NamedTuple):
    """Whose headers a server believes."""

    addresses: BlockList
    #: Whether who comes by a unix socket is believed.
    unix: bool
    #: Seconds that a header may take, from accept on.
    timeout: float
    #: Connections that may wait for theirs.
    max_pending: int

    def includes(self, family: int, name: Any) -> bool:
        """Whether the peer *name* is believed."""
        if family == socket.AF_UNIX:
            return self.unix
        peer = address_of_peer(family, name)
        if peer is None:
            return False  # it has gone already
        return self.addresses.check(peer.address, peer.family)


def proxy_trust(given: Any) -> ProxyTrust:
    """Check the option of a server.

    Raises:
        CodedTypeError, CodedValueError: ``ERR_INVALID_ARG_TYPE``, ``ERR_INVALID_ARG_VALUE``,
            ``ERR_OUT_OF_RANGE``.
        TypeError: it has a name that is none of its own.
    """
    name = 'options.proxyProtocol'
    options = _named(name, given, _TRUST)
    trusted = options.get('trusted')
    if isinstance(trusted, (str, bytes)) or not isinstance(trusted, Iterable):
        raise invalid_arg_type(f'{name}.trusted', 'a list of addresses', trusted)
    addresses, unix, count = BlockList(), False, 0
    for each in trusted:
        count += 1
        if each == 'unix':
            unix = True
        else:
            _add(addresses, f'{name}.trusted', each)
    if not count:
        raise invalid_arg_value(f'{name}.trusted', trusted, 'must name who is believed')
    timeout = validate_integer(
        f'{name}.timeout', options.get('timeout', _TIMEOUT), 1, MAX_INT32)
    pending = validate_integer(
        f'{name}.maxPending', options.get('max_pending', _MAX_PENDING), 1, MAX_INT32)
    return ProxyTrust(addresses, unix, timeout / 1000, pending)


def _add(addresses: BlockList, name: str, each: Any) -> None:
    text = str(each)
    try:
        if '/' in text:
            addresses.add_cidr(text)
        else:
            addresses.add_address(text, f'ipv{is_ip(text)}')
    except CodedError as error:
        raise invalid_arg_value(
            name, each, "must have addresses, as '10.0.0.1' or '10.0.0.0/8', or 'unix'",
        ) from error


class Introduction(NamedTuple):
    """What ``connect`` tells a server, in front of all else."""

    #: Whose connection it is; or None: that of who connects.
    header: ProxyHeader | None
    #: For one's own connection.
    version: int
    tlvs: Tlvs

    def to_bytes(self, sock: Any) -> bytes:
        """Return the header for the connected socket *sock*."""
        if self.header is not None:
            return self.header.to_bytes()
        return ProxyHeader(
            self.version, Command.PROXY, _end_of(sock.family, sock.getsockname()),
            _end_of(sock.family, sock.getpeername()), tlvs=self.tlvs).to_bytes()


def introduction(given: Any) -> Introduction | None:
    """Check the option of ``connect``; None and False stand for none.

    Raises:
        CodedTypeError, CodedValueError: ``ERR_INVALID_ARG_TYPE``, ``ERR_INVALID_ARG_VALUE``,
            ``ERR_OUT_OF_RANGE``; ``ERR_PROXY_PROTOCOL`` for what no header can say.
        TypeError: it has a name that is none of its own.
    """
    if given is None or given is False:
        return None
    name = 'options.proxyProtocol'
    if isinstance(given, ProxyHeader):
        made = Introduction(given, given.version, given.tlvs)
    else:
        made = _introduction(name, _named(name, {} if given is True else given, _INTRODUCTION))
    # (Of one's own connection, the addresses are to come: those of unix sockets are the longest.)
    header = made.header or ProxyHeader(source='', destination='', tlvs=made.tlvs)
    if len(header.to_bytes()) > _MAX_WRITTEN:
        raise invalid_arg_value(name, given, f'makes more than {_MAX_WRITTEN} bytes of header')
    return made


def _introduction(name: str, options: dict[str, Any]) -> Introduction:
    version = validate_integer(f'{name}.version', options.get('version', 2), 1, 2)
    tlvs = _tlvs(name, options)
    if tlvs and version == 1:
        raise invalid_arg_value(f'{name}.version', version, 'has addresses and nothing else')
    if validate_boolean(f'{name}.local', options.get('local', False)):
        if options.get('source') is not None or tlvs:
            raise invalid_arg_value(
                f'{name}.local', True, 'is for a connection of nobody else: there is no source')
        return Introduction(ProxyHeader(version, Command.LOCAL, transport=None), version, ())
    source = options.get('source')
    if source is None:
        if options.get('destination') is not None:
            raise invalid_arg_value(f'{name}.source', source, 'goes with a destination')
        return Introduction(None, version, tlvs)
    near, far = _ends(name, source, options.get('destination'))
    return Introduction(
        ProxyHeader(version, Command.PROXY, near, far, tlvs=tlvs), version, tlvs)


def _named(name: str, given: Any, known: frozenset[str]) -> dict[str, Any]:
    if not isinstance(given, Mapping):
        raise invalid_arg_type(name, 'of type object', given)
    options = snake_options(given)
    check_keywords('proxy_protocol', options, known)
    return options


def _tlvs(name: str, options: Mapping[str, Any]) -> Tlvs:
    found: list[tuple[int, bytes]] = []
    for option, kind in (('alpn', ALPN), ('authority', AUTHORITY), ('netns', NETNS)):
        value = options.get(option)
        if value is None:
            continue
        if not isinstance(value, str):
            raise invalid_arg_type(f'{name}.{option}', 'of type string', value)
        found.append((kind, value.encode('utf-8')))
    unique_id = options.get('unique_id')
    if unique_id is not None:
        if not isinstance(unique_id, bytes):
            raise invalid_arg_type(f'{name}.uniqueId', 'of type bytes', unique_id)
        if len(unique_id) > MAX_UNIQUE_ID:
            raise invalid_arg_value(
                f'{name}.uniqueId', unique_id, f'has more than {MAX_UNIQUE_ID} bytes')
        found.append((UNIQUE_ID, unique_id))
    for pair in options.get('tlvs') or ():
        if not _is_tlv(pair):
            raise invalid_arg_value(
                f'{name}.tlvs', pair, 'must have pairs of a type, 0 to 255, and bytes')
        found.append((pair[0], pair[1]))
    if validate_boolean(f'{name}.checksum', options.get('checksum', False)):
        found.append((CRC32C, bytes(4)))
    return tuple(found)


def _is_tlv(pair: Any) -> bool:
    return (
        isinstance(pair, (tuple, list)) and len(pair) == 2 and type(pair[0]) is int
        and 0 <= pair[0] <= 255 and isinstance(pair[1], bytes))


def _ends(name: str, source: Any, destination: Any) -> tuple[End, End]:
    """Return the two ends that are told, from a client's connection or as they were given."""
    if hasattr(source, 'getpeername'):
        if destination is not None:
            raise invalid_arg_value(
                f'{name}.destination', destination, 'is known from the socket that is the source')
        return _ends_of_client(name, source)
    return _given_end(f'{name}.source', source), _given_end(f'{name}.destination', destination)


def _ends_of_client(name: str, client: Any) -> tuple[End, End]:
    if not hasattr(client, 'remote_address'):
        family = client.family
        return _end_of(family, client.getpeername()), _end_of(family, client.getsockname())
    if client.remote_address is not None and client.local_address is not None:
        return (
            Address(client.remote_address, client.remote_family, client.remote_port),
            Address(client.local_address, client.local_family, client.local_port))
    told = client.proxy
    if told is not None and not told.is_local:
        return told.source, told.destination
    if client.fileno() < 0:
        raise _not_connected(name, client)
    return '', ''  # by a unix socket, where clients have no name


def _not_connected(name: str, client: Any) -> CodedTypeError:
    return invalid_arg_value(f'{name}.source', client, 'has no connection')


def _end_of(family: int, name: Any) -> End:
    """Return one end of a connection by its name in the form of the system."""
    address = address_of_peer(family, name)
    if address is not None:
        return address
    return os.fsdecode(name) if isinstance(name, (str, bytes)) else None


def _given_end(name: str, end: Any) -> End:
    if isinstance(end, str):
        return end
    if not isinstance(end, (tuple, list)) or len(end) < 2:
        raise invalid_arg_type(name, 'a socket, an address and a port, or a path', end)
    # An Address has the port last; what Python's sockets have, second.
    host, port = (end.address, end.port) if isinstance(end, Address) else end[:2]
    version = is_ip(host)
    if not version:
        raise invalid_arg_value(name, end, 'must begin with an IP address')
    return Address(str(host), f'IPv{version}', validate_integer(f'{name}.port', port, 0, MAX_PORT))
