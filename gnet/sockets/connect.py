"""``gnet.connect``: a socket that is made and connected in one call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..node import coded_errors
from ..node.keywords import check_keywords
from ..node.values import truthy
from ..options.connect import CONNECT_OPTIONS
from ..options.shapes import normalize_arguments
from ..options.socket import SOCKET_OPTIONS
from .socket import Socket

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ..options.typed import NewConnectionKeywords

__all__ = ['connect']

#: Those of both: the socket is made here as well.
_KEYWORDS = SOCKET_OPTIONS | CONNECT_OPTIONS | {'callback', 'timeout'}


def connect(*args: Any, **keywords: Unpack[NewConnectionKeywords]) -> Socket:
    """Make a :class:`Socket` and connect it; returns it at once.

    The arguments are those of :meth:`Socket.connect` (but for its blocking form) and the options
    of the constructor, and further:

    Args:
        timeout: milliseconds, as of :meth:`Socket.set_timeout`: `'timeout'` is emitted when the
            socket was idle for so long, also while it connects. Nothing is closed by that.

    Event style::

        sock = gnet.connect(7000, '127.0.0.1', lambda: sock.write('hello'))
        sock.on('data', print)

    and blocking style, in which each call waits for the connection, and raises its failure::

        with gnet.connect(7000, '127.0.0.1') as sock:
            sock.sendall(b'hello')
            print(sock.recv(100))

    Raises:
        CodedTypeError, CodedValueError: for arguments that make no sense.
        TypeError: for a keyword that is no option; in a mapping it is ignored, as in Node.
    """
    check_keywords('connect', keywords, _KEYWORDS)
    given, callback = normalize_arguments(args, keywords)
    if args and isinstance(args[0], (list, tuple)):
        raise coded_errors.missing_args('options', 'port', 'path')
    sock = Socket(given)
    try:
        if truthy(given.get('timeout')):
            sock.set_timeout(given['timeout'])
        sock.connect(given) if callback is None else sock.connect(given, callback)
    except BaseException:
        sock.destroy()  # nobody has it: its timer and its link to a signal shall not stay
        raise
    return sock
