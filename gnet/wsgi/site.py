"""What the connections of one server share: the application, what is logged, and when it ends."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from typing import Any

from .._version import __version__
from ..loop.loop import get_loop
from ..loop.watchers import close_watcher
from ..node.coded_errors import invalid_arg_type
from ..processes.inheritance import worker_number
from .handler import Handler
from .logs import LINES_OF_APPLICATION, LogLines

__all__ = ['Site', 'environ_of', 'request_log_of']

#: Seconds that a connection which has not asked for anything yet may still ask when the server is
#: closed: whoever has just connected is about to, and is to be answered.
GRACE = 1.0


class Phase(Enum):
    """Whether a server of an application goes on."""

    OPEN = 'connections are kept for the next request'
    CLOSING = 'each has an answer to the request that has come, and is closed'


#: Which may follow which. (A server may listen again.)
FOLLOWS: dict[Phase, set[Phase]] = {
    Phase.OPEN: {Phase.CLOSING},
    Phase.CLOSING: {Phase.OPEN},
}


def environ_of(given: Any) -> dict[str, Any]:
    """Return the option ``environ``, checked.

    Raises:
        CodedTypeError: ``ERR_INVALID_ARG_TYPE``.
    """
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise invalid_arg_type('environ', 'an instance of Mapping', given)
    return dict(given)


def request_log_of(given: Any) -> Any:
    """Return what the option ``request_log`` asks for, with a method ``write``; None for nothing.

    Raises:
        CodedTypeError: ``ERR_INVALID_ARG_TYPE``.
    """
    if isinstance(given, (logging.Logger, logging.LoggerAdapter)):
        return LogLines(given, logging.INFO)
    if given is not None and not callable(getattr(given, 'write', None)):
        raise invalid_arg_type('requestLog', 'an instance of Logger', given)
    return given


class Site:
    """What pywsgi's handlers ask of their server, and the end of it all."""

    def __init__(
        self, application: Callable[..., Iterable[bytes]], idle_seconds: float | None,
        environ: Mapping[str, Any], request_log: Any,
    ) -> None:
        """Prepare it.

        Args:
            application: what is served.
            idle_seconds: that a connection may wait for a request; None for ever.
            environ: what the environ of each request has besides, or instead.
            request_log: what gets a line for each request by ``write``, or None.
        """
        self.application = application
        self.idle_seconds = idle_seconds
        #: pywsgi calls it so.
        self.log = request_log
        self._environ = {
            'GATEWAY_INTERFACE': 'CGI/1.1',
            'SERVER_SOFTWARE': f'gnet/{__version__}',
            'SCRIPT_NAME': '',
            'wsgi.version': (1, 0),
            # It may be called again while it waits.
            'wsgi.multithread': True,
            'wsgi.multiprocess': worker_number is not None,
            'wsgi.run_once': False,
            'wsgi.errors': LINES_OF_APPLICATION,
        }
        #: What the program says, whatever the request does.
        self.given = environ
        self._phase = Phase.OPEN
        #: Those that wait for a request.
        self._waiting: set[Handler] = set()
        self._timer: Any = None

    def get_environ(self) -> dict[str, Any]:
        """Return the beginning of a request's environ. (pywsgi calls it so.)"""
        return dict(self._environ)

    def serve(self, sock: Any) -> None:
        """Serve a connection: the listener of `'connection'`."""
        Handler(sock, self).handle()

    # --- the end ----------------------------------------------------------------------------------

    @property
    def is_closing(self) -> bool:
        """Whether there is to be no request after the one that has come."""
        return self._phase is Phase.CLOSING

    @property
    def patience(self) -> float | None:
        """Seconds that a connection may wait for its next request; None for ever."""
        if self.is_closing:
            return GRACE if self.idle_seconds is None else min(GRACE, self.idle_seconds)
        return self.idle_seconds

    def begins_to_wait(self, handler: Handler) -> None:
        """*handler* waits for a request."""
        self._waiting.add(handler)

    def waits_no_more(self, handler: Handler) -> None:
        """It has one, or there will be none."""
        self._waiting.discard(handler)
        if self._timer is not None and not self._waiting:
            self._close_timer()

    def open(self) -> None:
        """The server listens."""
        self._phase = Phase.OPEN
        self._close_timer()

    def close(self) -> None:
        """The server is closed. Nothing blocks here, and it may be said in the hub, and again."""
        if self.is_closing:
            return
        self._phase = Phase.CLOSING
        for handler in list(self._waiting):
            if handler.has_answered:
                handler.close_if_idle()
        if self._waiting and self._timer is None:
            self._timer = get_loop().call_after(GRACE, self._grace_is_over)

    def _grace_is_over(self) -> None:
        # Not from within the timer's own callback: the last one to go closes it.
        get_loop().from_hub(self._close_rest)

    def _close_rest(self) -> None:
        self._close_timer()
        if self.is_closing:
            for handler in list(self._waiting):
                handler.close_if_idle()

    def _close_timer(self) -> None:
        close_watcher(self._timer)
        self._timer = None
