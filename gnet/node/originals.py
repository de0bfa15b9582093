"""What gevent's patching has replaced in the standard library."""

from __future__ import annotations

import _socket
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

__all__ = ['close_descriptor', 'original']

#: Close a descriptor by its number, at once. The patched ``os.close()`` leaves that to a watcher
#: for the loop's next turn, and an idle program, which it keeps alive, has none. Only for what has
#: no watcher, or has none any more.
close_descriptor: Callable[[int], None] = _socket.close


def original(module: str, name: str) -> Any:
    """Return what *name* is in *module* where nothing is patched.

    As ``gevent.monkey.get_original``, which is only asked where it was imported: else nothing is
    patched, and importing it is a part of what ``import gnet`` takes.
    """
    patching = sys.modules.get('gevent.monkey')
    if patching is None:
        return getattr(import_module(module), name)
    return patching.get_original(module, name)
