"""Standard output of commands that say something and end."""

from __future__ import annotations

import os
import sys

__all__ = ['write']


def write(text: str) -> None:
    """Write *text*; a reader who has seen enough, as ``head`` has, is no failure."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        # Nothing is left for Python to write at the end, either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
