"""The access log, and what writes logs: formatters and a handler for :mod:`logging`.

``gnet --access-log --log-format json script.py`` writes one line of JSON for each connection to
stderr, and what gnet's other loggers say in the same form. In a program of its own::

    gnet.logs.configure('json', access_log=True)

or, where logging is set up by other means, such as a file that is rotated::

    handler = logging.handlers.WatchedFileHandler('access.log')
    handler.setFormatter(gnet.logs.JsonFormatter())
    logging.getLogger('gnet.access').addHandler(handler)
    gnet.logs.start_access_log()

``docs/metrics.md`` says what the lines have in them.
"""

from __future__ import annotations

import logging
from typing import Any

from .node import coded_errors
from .node.faces import show_as
from .node.spelling import module_attribute
from .observing.access_log import AccessLog
from .observing.line_handler import LineHandler
from .observing.log_formats import JsonFormatter, TextFormatter
from .observing.metrics import labels

__all__ = [
    'JsonFormatter', 'LineHandler', 'TextFormatter', 'configure', 'start_access_log',
    'stop_access_log',
]

#: The access log of this process, while there is one.
_access_log: AccessLog | None = None

_FORMATTERS: dict[str, type[logging.Formatter]] = {'json': JsonFormatter, 'text': TextFormatter}


def start_access_log() -> None:
    """Write a line for each connection of a server from now on, at its end.

    They go to the logger ``gnet.access``, on the level INFO, which is switched on if no level was
    set. Call it in the thread of the servers. If there is an access log already, this does nothing.
    """
    global _access_log
    if _access_log is not None:
        return
    logger = logging.getLogger('gnet.access')
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.INFO)
    _access_log = AccessLog(logger, labels)
    _access_log.start()


def stop_access_log() -> None:
    """Write no more lines; if there is no access log, this does nothing."""
    global _access_log
    if _access_log is not None:
        _access_log.stop()
        _access_log = None


def configure(
    style: str = 'text', *, access_log: bool = False, stream: Any = None,
) -> LineHandler:
    """Have all of gnet's loggers write to *stream*, and to nothing above them any more.

    Args:
        style: ``'text'`` or ``'json'``.
        access_log: start that, too.
        stream: what has ``fileno()`` and ``flush()``; stays open. By default ``sys.stderr``.

    Returns:
        The handler, which the logger ``gnet`` has from now on. It never waits: what *stream* does
        not take is lost, and counted (``lost``).

    Raises:
        CodedTypeError: ``ERR_INVALID_ARG_VALUE`` for another style.
    """
    if style not in _FORMATTERS:
        raise coded_errors.invalid_arg_value('style', style, "must be 'text' or 'json'")
    handler = LineHandler(stream)
    handler.setFormatter(_FORMATTERS[style]())
    logger = logging.getLogger('gnet')
    logger.addHandler(handler)
    logger.propagate = False
    if access_log:
        start_access_log()
    return handler


show_as(__name__, globals(), __all__)


def __getattr__(name: str) -> Any:
    return module_attribute(__name__, globals(), name)
