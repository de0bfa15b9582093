"""Standard output of commands that say something and end."""

from __future__ import annotations

import os
import sys

from .members import say

__all__ = ['write']


def write(text: str) -> None:
    """Write *text*; a reader who has seen enough, as ``head`` has, is no failure.

    Raises:
        SystemExit: it cannot be written, status 1, after a line that says why.
    """
    if sys.stdout is None:
        return  # it was closed: ">&-"
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        # Nothing is left for Python to write at the end, either.
        _write_no_more()
    except OSError as error:
        _write_no_more()
        say(str(error))
        raise SystemExit(1) from None


def _write_no_more() -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
