"""How values look in a trace: the same as ``driver.js`` shows Node's, and the same in each run.

Objects have the names that the scenario gives them. Ports and the scenario's own directory, which
differ from run to run, have names, too.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import ssl
from contextlib import suppress
from typing import Any

import gnet
from gnet import events
from gnet.events.names import name_of
from gnet.node.spelling import camel, snake
from gnet.node.values import UNDEFINED

__all__ = ['Texts']

_ERROR_FIELDS = (
    'errno', 'syscall', 'address', 'port', 'hostname', 'localAddress', 'localPort', 'host', 'path',
    'context',
)

#: Events whose arguments are other bytes each time: keys, tickets.
_SECRET_EVENTS = ('keylog', 'newSession', 'resumeSession', 'session')


class Texts:
    """The texts of one scenario's values."""

    def __init__(self) -> None:
        #: The names of objects and of functions by their ``id()``: they must live as long as this.
        self.names: dict[int, str] = {}
        self.labels: dict[int, str] = {}
        #: The scenario's directory, when there is one.
        self.directory: str | None = None
        self._ports: dict[int, str] = {}

    def show(self, value: Any) -> str:
        """Return the text of any value."""
        if value is None:
            return 'null'
        if isinstance(value, bool):
            return 'true' if value else 'false'
        if isinstance(value, (int, float)):
            return self._show_number(value)
        if isinstance(value, str):
            return self.text(value)
        if id(value) in self.names:
            return f'<{self.names[id(value)]}>'
        if isinstance(value, (bytes, bytearray, memoryview)):
            octets = bytes(value)
            if len(octets) > 40:
                return f'bytes({len(octets)} {_digest(octets)})'
            return 'b' + json.dumps(octets.decode('latin-1'), ensure_ascii=False)
        if isinstance(value, BaseException):
            return self._show_error(value)
        if value is events.error_monitor:
            return '<symbol>'
        if hasattr(value, '_asdict'):
            value = value._asdict()
        if isinstance(value, dict):
            fields = sorted((camel(str(key)), item) for key, item in value.items())
            return '{' + ', '.join(f'{key}: {self.show(item)}' for key, item in fields) + '}'
        if isinstance(value, (list, tuple)):
            return '[' + ', '.join(map(self.show, value)) + ']'
        if callable(value):
            return f'<{self.labels.get(id(value), "function")}>'
        return f'<{type(value).__name__}>'

    def arguments(self, args: tuple[Any, ...]) -> list[str]:
        """Return the text of each argument.

        Python passes None where Node passes nothing.
        """
        count = len(args)
        while count and args[count - 1] is None:
            count -= 1
        return [self.show(value) for value in args[:count]]

    def event(
        self, name: str, thing: Any, event: Any, args: tuple[Any, ...], watch: dict[str, list[str]],
    ) -> str:
        """Return the line of an event of *thing*, and of its properties that are watched."""
        shown = [] if event in _SECRET_EVENTS else self.arguments(args)
        words = [f"'{name_of(event)}'", *shown]
        states = [
            self.show(getattr(thing, member))
            for member in watch.get(name, watch.get(_kind_of(thing), ()))
        ]
        if states:
            words.append('{' + ' '.join(states) + '}')
        return ' '.join(words)

    def _show_number(self, value: float) -> str:
        if isinstance(value, float):
            if math.isnan(value):
                return 'NaN'
            if math.isinf(value):
                return 'Infinity' if value > 0 else '-Infinity'
            if not value.is_integer():
                return repr(value)
        return self._ports.get(int(value), str(int(value)))

    def text(self, value: str) -> str:
        """Return a string in quotes; a long one as its length and a digest."""
        text = self._anonymous(value)
        if len(text) > 400:
            return f'text({len(text)} {_digest(text.encode())})'
        return json.dumps(text, ensure_ascii=False)

    def _anonymous(self, text: str) -> str:
        if self.directory is not None:
            text = text.replace(self.directory, '<tmp>')
        return re.sub(
            '[0-9]+', lambda digits: self._ports.get(int(digits[0]), digits[0]), text)

    def _show_error(self, error: Any) -> str:
        code = getattr(error, 'code', None)
        fields = []
        for name in _ERROR_FIELDS:
            value = getattr(error, snake(name), None)
            if name == 'errno' and isinstance(error, ssl.SSLError):
                continue  # a number of ssl's own, which Node has not
            if value is not None and value is not UNDEFINED and not callable(value):
                fields.append(f'{name}: {self.show(value)}')
        if isinstance(error, gnet.ConnectFailure):
            fields.append(f'errors: {self.show(error.errors)}')
        if isinstance(error, ssl.SSLError):
            # What OpenSSL has said: its text is of each version's own.
            for name in ('library',) if error.library else ('reason',):
                if getattr(error, name):
                    fields.append(f'{name}: {self.show(getattr(error, name))}')
        tail = f' {{{", ".join(fields)}}}' if fields else ''
        return (
            f'{_kind_of_error(error)}{"" if code is None else f"[{code}]"} '
            f'{self.text(str(error))}{tail}'
        )

    def learn_ports(self, name: str, thing: Any) -> None:
        """Give names to the ports that *thing*, which is called *name*, has by now."""
        def learn(number: Any, text: str) -> None:
            if isinstance(number, int) and number > 1023:
                self._ports.setdefault(number, text)

        if isinstance(thing, gnet.Server):
            if thing.listening:
                # Or another server has taken it over, and has closed it.
                with suppress(OSError):
                    learn(getattr(thing.address(), 'port', None), f'<port of {name}>')
        elif isinstance(thing, gnet.Socket):
            learn(thing.local_port, '<port>')
            learn(thing.remote_port, '<port>')
        elif hasattr(thing, 'remote_port'):
            learn(thing.remote_port, '<port>')  # what 'drop' passes


def _kind_of(thing: object) -> str:
    if isinstance(thing, gnet.Socket):
        return 'sockets'
    return 'servers' if isinstance(thing, gnet.Server) else 'others'


def _kind_of_error(error: BaseException) -> str:
    if isinstance(error, gnet.AbortError):
        return 'AbortError'
    if isinstance(error, gnet.ConnectFailure):
        return 'AggregateError'
    if isinstance(error, TypeError):
        return 'TypeError'
    if isinstance(error, ssl.SSLError):
        return 'Error'  # that of a certificate is a ValueError, too
    if isinstance(error, ValueError):
        return 'RangeError'
    return 'Error'


def _digest(octets: bytes) -> str:
    return hashlib.sha1(octets).hexdigest()[:8]
