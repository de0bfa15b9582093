"""Compiled code of the suite, and of the programs that tests start.

Where ``PYTHONDONTWRITEBYTECODE`` is set, each of these several hundred processes would compile all
of gnet for itself, which takes three times as long as all else of its start; and each run of the
suite, all of its tests, which takes as long as a tenth of them.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable

__all__ = ['share']


def share() -> Callable[[], None]:
    """Let what is imported, here and in programs, from now on share what is compiled.

    It is kept outside of the checkout, where nobody wants it: in the virtual environment of this
    Python, from run to run, or for this run in a directory for temporary files.

    Returns:
        What ends that.
    """
    if not os.environ.pop('PYTHONDONTWRITEBYTECODE', ''):
        return lambda: None  # Python keeps it by itself
    sys.dont_write_bytecode = False  # pytest, which compiles the tests, goes by these two
    in_environment = sys.prefix != sys.base_prefix and os.access(sys.prefix, os.W_OK)
    directory = (
        os.path.join(sys.prefix, 'compiled') if in_environment
        else tempfile.mkdtemp(prefix='gnet-compiled-'))
    sys.pycache_prefix = os.environ['PYTHONPYCACHEPREFIX'] = directory
    if in_environment:
        return lambda: None
    return lambda: shutil.rmtree(directory, ignore_errors=True)
