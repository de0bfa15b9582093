"""The logger of WSGI, and texts that are written as if to a file."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

__all__ = ['LINES_OF_APPLICATION', 'LogLines', 'log']

log: logging.Logger = logging.getLogger('gnet.wsgi')


class LogLines:
    """A file for writing, of which each line is one of a log."""

    def __init__(self, logger: Any, level: int) -> None:
        self._logger = logger
        self._level = level
        self._begun = ''

    def write(self, text: str) -> None:
        """Log the lines that are whole by now."""
        *lines, self._begun = (self._begun + text).split('\n')
        for line in filter(None, lines):
            self._logger.log(self._level, '%s', line)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Log the line that was begun, if one was."""
        if self._begun:
            self.write('\n')


#: ``wsgi.errors``: what applications have to say, which few of them use for anything but failures.
LINES_OF_APPLICATION = LogLines(log, logging.ERROR)
