"""Compiled code of the programs that tests start.

Where ``PYTHONDONTWRITEBYTECODE`` is set, each of these several hundred processes would compile all
of gnet for itself, which takes three times as long as all else of its start.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable

__all__ = ['share']


def share() -> Callable[[], None]:
    """Let the programs that are started from now on share what is compiled; return the end of that.

    It is kept outside of the checkout, where nobody wants it.
    """
    if not os.environ.pop('PYTHONDONTWRITEBYTECODE', ''):
        return lambda: None  # Python keeps it by itself
    directory = tempfile.mkdtemp(prefix='gnet-compiled-')
    os.environ['PYTHONPYCACHEPREFIX'] = directory
    return lambda: shutil.rmtree(directory, ignore_errors=True)
