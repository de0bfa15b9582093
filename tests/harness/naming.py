"""Names of parametrized cases that are the same in each process: runs side by side compare them."""

from __future__ import annotations

import re

__all__ = ['spelled']


def spelled(value: object) -> str:
    """Return *value* as text, without the addresses of objects in memory."""
    return re.sub(r' at 0x[0-9a-f]+', '', str(value))
