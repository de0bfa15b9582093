"""Loggers whose module is imported when they are used, and not by ``import gnet``.

(By then a loop has imported it: ``gnet/loop/loop.py``.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__all__ = ['Log']


class Log:
    """The logger of a name: it has the methods of a :class:`logging.Logger`."""

    def __init__(self, name: str) -> None:
        self._name = name

    if TYPE_CHECKING:
        def debug(self, text: str, *values: object, exc_info: Any = None) -> None: ...
        def info(self, text: str, *values: object, exc_info: Any = None) -> None: ...
        def warning(self, text: str, *values: object, exc_info: Any = None) -> None: ...
        def error(self, text: str, *values: object, exc_info: Any = None) -> None: ...
        def exception(self, text: str, *values: object, exc_info: Any = None) -> None: ...
    else:
        def __getattr__(self, name: str) -> Any:
            import logging

            return getattr(logging.getLogger(self._name), name)
