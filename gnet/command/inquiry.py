"""A question to all workers, whose answers are put together; who is stuck is not waited for."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from ..clusters.forked_worker import ForkedWorker
from ..clusters.primary import PrimarySide
from ..loop.loop import Loop
from ..loop.watchers import close_watcher

__all__ = ['Inquiry']

#: Seconds that workers have: who asks waits for some more (``top.PATIENCE``).
PATIENCE = 2.0


class Inquiry:
    """One question, from its asking to the answer.

    Args:
        loop: that of the primary.
        workers: by the numbers of their processes.
        primary: what asks them.
        what: the name of what is asked for; the answer is a list of objects of JSON.
        done: called once with all of these, in the hub or in a runner, or at once without workers;
            behind them ``{"silent": [pid, …]}`` if there are workers that have not answered. Must
            not block.
    """

    def __init__(
        self, loop: Loop, workers: dict[int, ForkedWorker], primary: PrimarySide, what: str,
        done: Callable[[list[dict[str, Any]]], object],
    ) -> None:
        self._done = done
        self._lines: list[dict[str, Any]] = []
        self._silent: list[int] = []
        self._waiting = set(workers)
        self._timer: Any = loop.call_after(PATIENCE, loop.from_hub, self._finish)
        for pid, worker in workers.items():
            primary.ask(worker, what, partial(self._answered, pid))
        if not workers:
            self._finish()

    def _answered(self, pid: int, value: Any) -> None:
        if pid not in self._waiting:
            return  # it is too late
        self._waiting.discard(pid)
        if isinstance(value, list) and all(isinstance(line, dict) for line in value):
            self._lines += value
        else:
            self._silent.append(pid)
        if not self._waiting:
            self._finish()

    def _finish(self) -> None:
        if self._timer is None:
            return
        close_watcher(self._timer)
        self._timer = None
        silent = sorted({*self._silent, *self._waiting})
        self._waiting.clear()
        self._done([*self._lines, *([{'silent': silent}] if silent else [])])
