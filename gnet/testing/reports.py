"""Failures that nobody is told of but the hub, which prints them: a test should fail by them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..loop.loop import Loop

__all__ = ['Reports']


class Reports:
    """What the hub of *loop* is told, from now on until :meth:`stop`; it is printed as before.

    Of several (a kit of a class of tests, and one of each test) the newest is told.
    """

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._failures: list[BaseException] = []
        #: What was told until now.
        self.before: Any = loop.reporter
        loop.reporter = self._report

    def _report(self, context: object, kind: Any, error: Any, traceback: Any) -> None:
        # Without a context it comes from a signal (Ctrl-C, a time limit of the test), and the hub
        # raises it in the main greenlet as well: the test is told.
        if context is not None:
            # (Old callers of gevent's hand over a class, or nothing.)
            self._failures.append(
                error if isinstance(error, BaseException) else RuntimeError(error))
        below = self
        while isinstance(outer := _owner(below.before), Reports):
            below = outer
        below.before(context, kind, error, traceback)

    def take(self) -> list[BaseException]:
        """Return what was reported since it was asked last."""
        failures, self._failures = self._failures, []
        return failures

    def stop(self) -> None:
        """Let the hub do without."""
        above = _owner(self._loop.reporter)
        if above is self:
            self._loop.reporter = self.before
            return
        while isinstance(above, Reports):  # a newer one is still there
            if _owner(above.before) is self:
                above.before = self.before
                return
            above = _owner(above.before)


def _owner(function: Any) -> Any:
    """Return the object that *function* is a method of, or None."""
    return getattr(function, '__self__', None)
