"""Certificates that are renewed: a context whose files are looked at again, without a restart.

Renewing writes a key and a certificate, one after the other, and perhaps not at once. So a new
context is made of what is there, and is used if it is whole; until then the old one is. Connections
that are there already keep theirs.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from ..loop.watchers import Watchers, close_watcher
from .secure_context import SecureContext

__all__ = [
    'CHECK_INTERVAL',
    'ContextFiles',
    'ContextWatch',
]

_log = logging.getLogger('gnet.tls')

#: Seconds between two looks at the files: renewed certificates are in use a minute later, which is
#: soon enough for what is done weeks ahead, and a stat(2) of two files costs a few microseconds.
CHECK_INTERVAL = 60.0


class ContextFiles:
    """A context, and the files of which it was made.

    Attributes:
        context: the newest one that was whole.
        failure: why what is in the files now cannot be used; None if it is in use.
    """

    def __init__(self, options: Mapping[str, Any]) -> None:
        """Make the context, of options in which ``os.PathLike`` objects name the files.

        Raises:
            CodedTypeError, CodedValueError, CodedRuntimeError, TLSError, OSError: as
                :func:`gnet.tls.create_secure_context`.
        """
        self._options = dict(options)
        self.failure: Exception | None = None
        self.context: SecureContext = SecureContext(self._options)
        # Twice, the first time: what was written while it was read shows in between.
        self._seen: list[tuple[int, ...] | None] = []
        self._look()
        self.context = SecureContext(self._options)

    def refresh(self, *, force: bool = False) -> SecureContext | None:
        """Make a new context if a file was changed, or replaced, since the last look.

        Args:
            force: make it also if nothing has changed, as far as one can see.

        Returns:
            The new one, which is :attr:`context` now. None if nothing has changed; or if what is
            there is not whole: then it is logged, once, and :attr:`failure` is set.
        """
        # Before they are read: what is written meanwhile shows at the next look.
        if not self._look() and not force:
            return None
        try:
            self.context = SecureContext(self._options)
        except (OSError, ValueError, TypeError, RuntimeError) as error:
            self.failure = error
            # Without the traceback: it is not the program's fault, and is over soon.
            _log.warning('the new certificates cannot be used, the old ones still are: %s', error)
            return None
        self.failure = None
        _log.info('new certificates are in use')
        return self.context

    def _look(self) -> bool:
        """Return whether a file is another one than at the last look."""
        before = self._seen
        self._seen = [_state_of(path) for path in self.context.paths]
        return self._seen != before


class Refreshing(Protocol):
    """What has files: :class:`ContextFiles`, or all that a server has."""

    def refresh(self, *, force: bool = False) -> Any:
        """Look at them; return what is new, or None. Called in the hub; must not block or raise."""


class ContextWatch:
    """Looks at files every now and then. Does not hold the program.

    Close it with :meth:`close`.
    """

    def __init__(
        self, watchers: Watchers, files: Refreshing, use: Callable[[Any], object],
        interval: float = CHECK_INTERVAL,
    ) -> None:
        """Begin.

        Args:
            watchers: the loop.
            files: what to look at.
            use: called in the hub with each new context; must not block or raise.
            interval: seconds between two looks.
        """
        self._watchers = watchers
        self._files = files
        self._use: Callable[[Any], object] | None = use
        self._interval = interval
        self._timer = watchers.call_after(interval, self._look)

    def check(self, *, force: bool = False) -> None:
        """Look now, as after a signal; see :meth:`ContextFiles.refresh`."""
        new = self._files.refresh(force=force)
        if new is not None and self._use is not None:
            self._use(new)

    def close(self) -> None:
        """Look no more; may be called twice."""
        self._use = None
        close_watcher(self._timer)
        self._timer = None

    def _look(self) -> None:
        close_watcher(self._timer)
        self._timer = self._watchers.call_after(self._interval, self._look)
        self.check()


def _state_of(path: str) -> tuple[int, ...] | None:
    """Return what changes when a file is written to or replaced; None if it is not there."""
    try:
        # Links are followed: what they lead to is what counts.
        state = os.stat(path)
    except OSError:
        return None
    return state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns
