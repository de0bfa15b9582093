"""The classes of gnet's errors. Two families, as in Node:

- **System errors** are ``OSError`` objects of the built-in subclass that fits
  (``ConnectionRefusedError``, ``FileNotFoundError``, …) with Node's ``code`` (``'ECONNREFUSED'``),
  ``syscall``, ``address`` and ``port``, and Node's exact text as ``str(err)``. ``errno`` is
  positive, as everywhere in Python.
- **Coded errors** report a wrong call or a wrong state and have a ``code`` that starts with
  ``ERR_``. Node's ``TypeError`` is a :class:`CodedTypeError`, its ``RangeError`` a
  :class:`CodedValueError` (a ``ValueError``), its plain ``Error`` a :class:`CodedRuntimeError`.

They are built in :mod:`gnet.node`; nothing else in gnet writes an error text that Node has.
"""

from __future__ import annotations

from .node.coded_errors import (
    AbortError,
    CodedError,
    CodedRuntimeError,
    CodedTypeError,
    CodedValueError,
)
from .node.faces import show_as
from .node.system_errors import ConnectFailure, LookupFailure, NodeOSError

__all__ = [
    'AbortError',
    'CodedError',
    'CodedRuntimeError',
    'CodedTypeError',
    'CodedValueError',
    'ConnectFailure',
    'LookupFailure',
    'NodeOSError',
]

show_as(__name__, globals(), __all__)
