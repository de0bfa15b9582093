"""Counting across processes: questions that a server asks its worker processes.

When an accepted socket is sent to a worker process, the server has one *tracker* for that worker
(Node's ``SocketListSend``), an emitter with

- ``get_connections(callback)``, which calls back with ``(err, count)``;
- ``close(callback)``, which calls back with ``(err)`` when the worker's connections have ended;
- the event `'exit'`: the worker is gone, and so are its connections.

A worker that exits answers nothing more. Node waits for its answer for ever in some cases; here its
`'exit'` is the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ..node import coded_errors

__all__ = [
    'ask',
]


def ask(
    trackers: Iterable[Any], question: str, answered: Callable[[BaseException | None, Any], object],
    done: Callable[[], object],
) -> None:
    """Ask all *trackers* something; not to be called without any.

    Args:
        trackers: one for each worker process.
        question: the name of the method that asks.
        answered: called for each tracker, once, with ``(err, value)``; *err* is
            ``ERR_CHILD_CLOSED_BEFORE_REPLY`` if the worker exited without an answer.
        done: called when all have answered.
    """
    waiting = list(trackers)

    def put(tracker: Any) -> None:
        def answer(error: BaseException | None = None, value: Any = None) -> None:
            if tracker not in waiting:
                return
            waiting.remove(tracker)
            tracker.off('exit', exited)
            answered(error, value)
            if not waiting:
                done()

        def exited(*_status: object) -> None:
            answer(coded_errors.state_error('ERR_CHILD_CLOSED_BEFORE_REPLY'))

        tracker.once('exit', exited)
        getattr(tracker, question)(answer)

    for tracker in list(waiting):
        put(tracker)
