"""What gevent's patching has replaced in the standard library."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

__all__ = ['original']


def original(module: str, name: str) -> Any:
    """Return what *name* is in *module* where nothing is patched.

    As ``gevent.monkey.get_original``, which is only asked where it was imported: else nothing is
    patched, and importing it is a part of what ``import gnet`` takes.
    """
    patching = sys.modules.get('gevent.monkey')
    if patching is None:
        return getattr(import_module(module), name)
    return patching.get_original(module, name)
