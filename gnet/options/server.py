"""``create_server(...)`` checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..node.coded_errors import invalid_arg_value
from ..node.records import NamedTuple
from ..node.validators import validate_number
from ..node.values import UNDEFINED, truthy
from .limits import LIMIT_OPTIONS, FullPolicy, LimitOptions, full_policy, limit_options
from .shared import DEFAULT_HIGH_WATER_MARK, block_list, keep_alive_seconds

if TYPE_CHECKING:
    from ..addresses.block_list import BlockList
    from .proxy_protocol import ProxyTrust

__all__ = [
    'SERVER_OPTIONS',
    'ServerOptions',
    'server_options',
]


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
        proxy_trust: whose headers of the PROXY protocol are read, or None.
        max_connections: as the property: whatever it is compared with.
        max_connections_policy: what becomes of those beyond it.
        limits: all others.
    """

    allow_half_open: bool
    pause_on_connect: bool
    no_delay: bool
    keep_alive: bool
    keep_alive_initial_delay: int
    high_water_mark: float
    block_list: BlockList | None
    proxy_trust: ProxyTrust | None
    max_connections: Any
    max_connections_policy: FullPolicy
    limits: LimitOptions


#: The names of the options.
SERVER_OPTIONS = frozenset({
    'allow_half_open', 'block_list', 'high_water_mark', 'keep_alive', 'keep_alive_initial_delay',
    'no_delay', 'pause_on_connect', 'proxy_protocol', *LIMIT_OPTIONS,
})


def server_options(options: Mapping[str, Any]) -> ServerOptions:
    """Validate the options of a server; unknown ones are ignored, as in Node.

    Args:
        options: with ``snake_case`` keys, from :func:`split_server_arguments`.

    Raises:
        CodedTypeError: ``ERR_INVALID_ARG_TYPE`` for a ``keep_alive_initial_delay`` or a
            ``high_water_mark`` that is no number (None is none), and for a ``block_list`` that is
            something else; ``ERR_INVALID_ARG_VALUE`` for an ``ssl_context``; both and
            ``ERR_OUT_OF_RANGE`` for a wrong ``proxy_protocol``.
        CodedTypeError, CodedValueError: for what is no limit: :mod:`.limits`.
    """
    if options.get('ssl_context') is not None:
        # Node has no such option, and a server in plain text is not what was asked for.
        raise invalid_arg_value(
            'options.sslContext', options['ssl_context'],
            'is for gnet.create_server() and gnet.tls.Server')
    seconds = keep_alive_seconds(options)
    mark = options.get('high_water_mark', UNDEFINED)
    if mark is UNDEFINED or validate_number('options.highWaterMark', mark) < 0:
        mark = DEFAULT_HIGH_WATER_MARK
    most = options.get('max_connections', UNDEFINED)
    policy = options.get('max_connections_policy', UNDEFINED)
    return ServerOptions(
        allow_half_open=truthy(options.get('allow_half_open')),
        pause_on_connect=truthy(options.get('pause_on_connect')),
        no_delay=truthy(options.get('no_delay')),
        keep_alive=truthy(options.get('keep_alive')),
        keep_alive_initial_delay=seconds,
        high_water_mark=mark,
        block_list=block_list(options),
        proxy_trust=_proxy_trust(options.get('proxy_protocol')),
        max_connections=None if most is UNDEFINED else most,
        max_connections_policy=(
            FullPolicy.DROP if policy is UNDEFINED
            else full_policy('options.maxConnectionsPolicy', policy)),
        limits=limit_options(options),
    )


def _proxy_trust(given: Any) -> ProxyTrust | None:
    if given is None:
        return None
    from .proxy_protocol import proxy_trust  # most servers need none of it

    return proxy_trust(given)
