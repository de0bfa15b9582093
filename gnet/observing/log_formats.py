"""Lines of a log, as text or as JSON: two formatters for :mod:`logging`, and a message of fields.

What peers have a say in (names, texts of errors) cannot begin a line of its own: control characters
are escaped in both.
"""

from __future__ import annotations

import json
import logging
import math
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


#: As the encoder of :mod:`json` has it, in C.
_quoted = json.encoder.encode_basestring_ascii

_NOTHING: Mapping[str, Any] = {}


class Fields:
    """A message that has names for what it says. As text: ``event name=value name=value``.

    Args:
        event: what has happened, in a word.
        values: by their names, in the order in which they are shown. None is left out.
    """

    __slots__ = ('event', 'values')

    def __init__(self, event: str, values: Mapping[str, Any]) -> None:
        self.event: str = event
        self.values = {name: value for name, value in values.items() if value is not None}

    def __str__(self) -> str:
        return ' '.join(
            [self.event, *(f'{name}={_shown(value)}' for name, value in self.values.items())])


def _shown(value: Any) -> str:
    text = str(value)
    return text if type(value) is int or _PLAIN.fullmatch(text) else json.dumps(text)


#: Made once: ``json.dumps`` with separators makes one for each call.
_encode = json.JSONEncoder(separators=(',', ':'), default=str).encode


def _member(name: str, value: Any) -> str:
    """Return a member of an object, as ``_encode`` writes it; for texts and numbers, faster."""
    kind = type(value)
    if kind is str:
        return f'"{name}":{_quoted(value)}'
    if kind is int or (kind is float and -math.inf < value < math.inf):
        return f'"{name}":{value}'
    return f'"{name}":{_encode(value)}'


@lru_cache(maxsize=4)
def _second(number: int) -> str:
    return datetime.fromtimestamp(number, timezone.utc).strftime('%Y-%m-%dT%H:%M:%S')


def _time(created: float) -> str:
    second = int(created)
    return f'{_second(second)}.{int((created - second) * 1000):03d}Z'


def _worker() -> int | None:
    worker = cluster.worker
    return None if worker is None else worker.id


@lru_cache(maxsize=32)
def _origin(level: str, logger: str, process: int | None, worker: int | None) -> str:
    members = [_member('level', level), _member('logger', logger), _member('pid', process)]
    if worker is not None:
        members.append(_member('worker', worker))
    return ','.join(members)


class JsonFormatter(logging.Formatter):
    """Makes one line of JSON of a record.

    Each has ``time`` (UTC, ISO 8601), ``level``, ``logger``, ``pid``, in a worker of
    ``gnet.cluster`` ``worker``, and ``message``; what the access log says has ``event`` and its
    fields instead of that. An exception is in ``exception``, with its traceback.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without its end. ASCII only."""
        message = record.msg if isinstance(record.msg, Fields) else record.getMessage()
        more = {}
        if record.exc_info:
            more['exception'] = self.formatException(record.exc_info)
        if record.stack_info:
            more['stack'] = self.formatStack(record.stack_info)
        return self.line(
            record.created, record.levelname, record.name, record.process, message, more)

    def line(
        self, created: float, level: str, logger: str, process: int | None,
        message: Fields | str, more: Mapping[str, Any] = _NOTHING,
    ) -> str:
        """Return what :meth:`format` does, of what is in a record."""
        members = [f'"time":"{_time(created)}"', _origin(level, logger, process, _worker())]
        if isinstance(message, Fields):
            members.append(_member('event', message.event))
            members += [_member(name, value) for name, value in message.values.items()]
        else:
            members.append(_member('message', message))
        members += [_member(name, value) for name, value in more.items()]
        return f'{{{",".join(members)}}}'


class TextFormatter(logging.Formatter):
    """Makes ``time level logger [pid] message`` of a record; ``[pid/worker]`` in a worker.

    A traceback follows in lines of its own, which begin with blanks: the last ones are the text of
    an exception, which a peer may have a say in.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without its end."""
        lines = [self.line(
            record.created, record.levelname, record.name, record.process, record.getMessage())]
        if record.exc_info:
            lines += _indented(self.formatException(record.exc_info))
        if record.stack_info:
            lines += _indented(self.formatStack(record.stack_info))
        return '\n'.join(lines)

    def line(
        self, created: float, level: str, logger: str, process: int | None,
        message: Fields | str,
    ) -> str:
        """Return what :meth:`format` does, of what is in a record."""
        worker = _worker()
        number = process if worker is None else f'{process}/{worker}'
        return f'{_time(created)} {level} {logger} [{number}] {_harmless(str(message))}'


def _harmless(text: str) -> str:
    if _CONTROLS.search(text):
        return _CONTROLS.sub(lambda found: json.dumps(found[0])[1:-1], text)
    return text


def _indented(text: str) -> list[str]:
    return [f'    {_harmless(line)}' for line in text.split('\n')]
