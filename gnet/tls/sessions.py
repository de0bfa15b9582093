"""Sessions: what a client keeps of a connection, so that the next handshake is a short one."""

from __future__ import annotations

import ssl
from typing import Any

from ..node.coded_errors import CodedTypeError
from ..node.values import UNDEFINED

__all__ = [
    'Session',
    'validate_session',
]


class Session:
    """What ``get_session()`` returns. Node's is bytes; Python's ``ssl`` cannot write it down.

    With it the server's certificate is not sent again: what was verified then is taken for true. So
    it is good for the same context and the same name only; elsewhere the handshake is a full one.

    Attributes:
        servername: the name for which it is good.
    """

    __slots__ = ('_context', '_session', '_verify_mode', 'servername')

    def __init__(self, context: ssl.SSLContext, session: ssl.SSLSession, servername: str) -> None:
        self._context = context
        self._session = session
        # Of a program's own context it may be changed meanwhile.
        self._verify_mode = context.verify_mode
        self.servername: str = servername

    def fitting(self, context: ssl.SSLContext, servername: str) -> ssl.SSLSession | None:
        """Return what ``wrap_bio`` takes as ``session``, or None if it is good for something else.

        Args:
            context: the one that will be used.
            servername: what will be verified: the name or the IP address of the server.
        """
        same = (
            context is self._context and context.verify_mode == self._verify_mode
            and servername == self.servername)
        return self._session if same else None


def validate_session(value: Any) -> Session | None:
    """Return the option ``session``.

    Raises:
        CodedTypeError: ``ERR_INVALID_ARG_TYPE`` for anything but a :class:`Session`, or None.
    """
    if value is None or value is UNDEFINED:
        return None
    if not isinstance(value, Session):
        # Node's text, "Session must be a buffer", would be no help here.
        raise CodedTypeError(
            'ERR_INVALID_ARG_TYPE', 'Session must be what get_session() has returned')
    return value
