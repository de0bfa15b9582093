"""What ``gnet --control``, ``--blocked`` and ``top`` do: imported when one of them is asked for."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from ..loop import running
from ..loop.loop import get_loop
from ..observing.blocked_hub import LONGEST, SHORTEST, watch_hub
from ..observing.control import Answer, Control, tell_live
from ..observing.control_path import AUTO, default_path
from .members import say

__all__ = ['blocked_seconds', 'controlled', 'show_top', 'watched']


def blocked_seconds(seconds: float) -> float:
    """Return the value of ``--blocked``, which is that of :func:`gnet.watch_hub`.

    Raises:
        argparse.ArgumentTypeError: it is none that would do.
    """
    if SHORTEST <= seconds <= LONGEST:
        return seconds
    raise argparse.ArgumentTypeError(f'{seconds:g} is not from {SHORTEST:g} to {LONGEST:g} seconds')


@contextmanager
def watched(seconds: float) -> Iterator[None]:
    """Tell of a hub that is blocked for longer than *seconds*."""
    watch = watch_hub(seconds)
    try:
        yield
    finally:
        watch.stop()


@contextmanager
def controlled(
    path: str, live: Answer = tell_live, workers: Callable[[], list[int]] = list,
) -> Iterator[None]:
    """Have a control socket at *path*.

    Args:
        path: the value of ``--control``.
        live: what answers the request ``live``.
        workers: returns the numbers of worker processes.

    Raises:
        SystemExit: it cannot be had.
    """
    try:
        control = Control(
            get_loop(), default_path() if path == AUTO else path, live, workers)
    except OSError as error:
        say(f'--control {path}: {error.filename or path}: {error.strerror or error}')
        raise SystemExit(1) from None
    try:
        yield
    finally:
        control.close()


def show_top(words: Sequence[str]) -> None:
    """Run ``gnet top``."""
    from . import top  # which no program needs

    try:
        top.main(words)
    except KeyboardInterrupt as interrupt:
        running.print_nothing_for(interrupt)
        raise
