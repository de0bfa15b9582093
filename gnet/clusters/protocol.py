"""What a worker process and its primary agree on about shared listeners.

``listen`` of a worker asks the primary (see :attr:`primary`), which has the listeners. Messages are
internal ones of the channel, ``{"cmd": "NODE_CLUSTER", "act": ...}``; each is small, as some of
them are sent for each connection:

=================  ==============================================================================
from the worker
=================  ==============================================================================
``online``         the channel is open; *protocol*: the number of what this page says
``listen``         *seq* and a :class:`Query`; answered by ``bound`` or ``failed``; *limits*, if
                   there are any: see ``limit``
``listening``      *query*: the server that asked for this has emitted `'listening'`
``refused``        *n*: this connection is not taken (else: the acknowledgement of all, alone)
``limit``          *id*, *limits*: those of the server are these now (``LimitOptions``)
``released``       *n*: this connection, which was *counted*, has ended
``room``           *id*: after ``refused``, there is room for connections again
``close``          *id*: the server is closed
``leaving``        the worker is about to disconnect
``terminate``      it was sent SIGTERM, and is to be told to disconnect (``--workers`` only)
``alone``          a server of it listens by itself (``--workers`` only)
``cut``            *count* connections were destroyed at the deadline
``answer``         *n*, *value*: what was asked for; null if this worker does not know that
``metrics``        *values*: what it has counted until now (see ``observing/snapshot.py``)
=================  ==============================================================================

=================  ==============================================================================
from the primary
=================  ==============================================================================
``bound``          *seq*, *id*, *family* and *name* of the listener; its descriptor, if shared
``failed``         *seq*, *errno*
``connections``    *id*, *n* (the number of the first connection), and the connections; *counted*,
                   if ``released`` is to be said of each
``dropped``        *id*, *reason*, *ends* and *network* of a connection that a limit has refused
``disconnect``     close all servers and then the channel; after *deadline* seconds, by force;
                   *rest*: accept first what waits in shared listeners
``ask``            *n* (the number of the question), *what*: see ``clusters/questions.py``
=================  ==============================================================================
"""

from __future__ import annotations

from typing import Any

from ..addresses.ends import VERSIONS
from ..addresses.ip import is_ip
from ..node.records import NamedTuple
from ..node.validators import MAX_PORT
from ..node.values import MAX_INT32

__all__ = [
    'COMMAND',
    'PATH',
    'PROTOCOL',
    'Query',
    'connections_line',
    'name_of',
]

COMMAND = 'NODE_CLUSTER'

#: One more with each change of the messages. When gnet is upgraded under a program that goes on,
#: its new workers may speak another one than their primary: then they get no connections.
PROTOCOL = 1

#: The address type of unix sockets, and their port (Node's numbers).
PATH = -1
_TYPES = (4, 6, PATH)


class Query(NamedTuple):
    """What a worker wants to listen on.

    Attributes:
        type: 4 or 6, the version of *address*, or PATH. 4 where no address was asked for.
        address: an IP address, an absolute path, an abstract name; None for every address.
        port: -1 for paths.
        fd: a descriptor of the primary's; then the rest means nothing.
        nth: tells the workers' requests for any free port (0) apart: the first one of each
            worker shares one port, the second one another…
        backlog: connections that wait to be accepted.
        ipv6_only, readable_all, writable_all: as for ``listen``.
    """

    type: int
    address: str | None
    port: int
    fd: int | None
    nth: int
    backlog: int
    ipv6_only: bool
    readable_all: bool
    writable_all: bool

    @property
    def key(self) -> tuple[Any, ...]:
        """What is equal for all that share a listener."""
        return self[:5]

    @classmethod
    def of(cls, fields: Any) -> Query | None:
        """Return what another process sent as a query; None if it is none."""
        if not isinstance(fields, list) or len(fields) != len(cls._fields):
            return None
        query = cls(*fields)
        numbers = (query.type, query.port, query.nth, query.backlog, query.fd or 0)
        flags = (query.ipv6_only, query.readable_all, query.writable_all)
        if not all(type(number) is int for number in numbers):
            return None
        if not all(type(flag) is bool for flag in flags):
            return None
        is_path = query.type == PATH
        address = query.address
        if not (
            query.type in _TYPES
            and (
                (isinstance(address, str)
                and (bool(address) if is_path else is_ip(address) == query.type))
                or (address is None and not is_path)
            )
            and (query.port == PATH if is_path else 0 <= query.port <= MAX_PORT)
            and (query.fd is None or 0 <= query.fd <= MAX_INT32)
            and 0 <= query.nth <= MAX_INT32
            and -MAX_INT32 <= query.backlog <= MAX_INT32
        ):
            return None
        return query


#: The message ``connections`` in what carries raw handles: made for each turn, so by hand.
_CONNECTIONS = (
    b'{"cmd":"NODE_HANDLE","type":"net.Native","family":%d,"count":%d,'
    b'"msg":{"cmd":"NODE_CLUSTER","act":"connections","id":%d,"n":%d%b}}\n')


def connections_line(
    handle_id: int, number: int, count: int, family: int, *, counted: bool,
) -> bytes:
    """Return the line of ``connections``, as a channel takes it."""
    return _CONNECTIONS % (
        family, count, handle_id, number, b',"counted":true' if counted else b'')


def name_of(sock: Any) -> tuple[int, Any]:
    """Return the family of a listening socket, as Node's number (0 for unix sockets), and its name.

    The name is what the kernel says, in JSON's types; None for unix sockets.
    """
    family = VERSIONS.get(sock.family, 0)
    return family, list(sock.getsockname()) if family else None
