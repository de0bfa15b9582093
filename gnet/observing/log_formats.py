"""Lines of a log, as text or as JSON: two formatters for :mod:`logging`, and a message of fields.

What peers have a say in (names, texts of errors) cannot begin a line of its own: control characters
are escaped in both.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from datetime import datetime, timezone
from functools import lru_cache
from typing import Any

from ..clusters.cluster import cluster

__all__ = ['Fields', 'JsonFormatter', 'TextFormatter']

#: A value that needs no quotes.
_PLAIN = re.compile(r'[!#-\[\]-~]+')

#: What ends a line, or does something to a terminal: C0, DEL, C1, and the separators of Unicode.
_CONTROLS = re.compile('[\x00-\x1f\x7f-\x9f\u2028\u2029]')


class Fields:
    """A message that has names for what it says. As text: ``event name=value name=value``.

    Args:
        event: what has happened, in a word.
        values: by their names, in the order in which they are shown. None is left out.
    """

    __slots__ = ('event', 'values')

    def __init__(self, event: str, values: Mapping[str, Any]) -> None:
        self.event = event
        self.values = {name: value for name, value in values.items() if value is not None}

    def __str__(self) -> str:
        return ' '.join(
            [self.event, *(f'{name}={_shown(value)}' for name, value in self.values.items())])


def _shown(value: Any) -> str:
    text = str(value)
    return text if _PLAIN.fullmatch(text) else json.dumps(text)


#: Made once: ``json.dumps`` with separators makes one for each call.
_encode = json.JSONEncoder(separators=(',', ':'), default=str).encode


@lru_cache(maxsize=4)
def _second(number: int) -> str:
    return datetime.fromtimestamp(number, timezone.utc).strftime('%Y-%m-%dT%H:%M:%S')


def _time_of(record: logging.LogRecord) -> str:
    second = int(record.created)
    return f'{_second(second)}.{int((record.created - second) * 1000):03d}Z'


def _worker() -> int | None:
    return None if cluster.worker is None else cluster.worker.id


class JsonFormatter(logging.Formatter):
    """Makes one line of JSON of a record.

    Each has ``time`` (UTC, ISO 8601), ``level``, ``logger``, ``pid``, in a worker of
    ``gnet.cluster`` ``worker``, and ``message``; what the access log says has ``event`` and its
    fields instead of that. An exception is in ``exception``, with its traceback.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without its end. ASCII only."""
        line: dict[str, Any] = {
            'time': _time_of(record), 'level': record.levelname, 'logger': record.name,
            'pid': record.process,
        }
        worker = _worker()
        if worker is not None:
            line['worker'] = worker
        if isinstance(record.msg, Fields):
            line.update({'event': record.msg.event, **record.msg.values})
        else:
            line['message'] = record.getMessage()
        if record.exc_info:
            line['exception'] = self.formatException(record.exc_info)
        if record.stack_info:
            line['stack'] = self.formatStack(record.stack_info)
        return _encode(line)


class TextFormatter(logging.Formatter):
    """Makes ``time level logger [pid] message`` of a record; ``[pid/worker]`` in a worker.

    A traceback follows in lines of its own.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without its end."""
        worker = _worker()
        process = f'{record.process}' if worker is None else f'{record.process}/{worker}'
        message = record.getMessage()
        if _CONTROLS.search(message):
            message = _CONTROLS.sub(lambda found: json.dumps(found[0])[1:-1], message)
        lines = [f'{_time_of(record)} {record.levelname} {record.name} [{process}] {message}']
        if record.exc_info:
            lines.append(self.formatException(record.exc_info))
        if record.stack_info:
            lines.append(self.formatStack(record.stack_info))
        return '\n'.join(lines)
