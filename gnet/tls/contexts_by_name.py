"""Contexts of one server by the name that the client asks for (SNI): what ``add_context`` fills."""

from __future__ import annotations

import re
from itertools import count
from typing import Any

from ..node.coded_errors import invalid_arg_type
from ..node.records import NamedTuple
from ..node.values import truthy
from .errors import state_error
from .secure_context import SecureContext

__all__ = [
    'ContextsByName',
    'key_of',
]


class _Entry(NamedTuple):
    #: When it was added: the newest counts.
    number: int
    context: SecureContext
    #: None for a name without a wildcard, and for one with nothing but it as its first label.
    pattern: re.Pattern[str] | None


class ContextsByName:
    """The table. Of several that fit, the one that was added last counts, as in Node.

    A ``*`` is any run of characters without a dot: ``'*.example.org'`` is ``'a.example.org'``, and
    neither ``'example.org'`` nor ``'a.b.example.org'``. Upper and lower case are the same. Looking
    a name up takes as long in a table of thousands as in one of ten, unless there are many names
    with a ``*`` in another place than alone before the first dot.
    """

    def __init__(self) -> None:
        self._entries: dict[str, _Entry] = {}
        #: Those with a pattern, which are tried one after another.
        self._odd: dict[str, _Entry] = {}
        self._numbers = count()

    def add(self, name: Any, context: SecureContext) -> None:
        """Use *context* for *name*; whatever was there for the same name is replaced.

        Raises:
            CodedRuntimeError: ``ERR_TLS_REQUIRED_SERVER_NAME`` for an empty name.
            CodedTypeError: ``ERR_INVALID_ARG_TYPE`` for what is no str.
        """
        key = key_of(name)
        pattern = None
        if '*' in key and (key.count('*') > 1 or not key.startswith('*.')):
            pattern = re.compile('[^.]*'.join(map(re.escape, key.split('*'))))
        self.remove(key)
        entry = self._entries[key] = _Entry(next(self._numbers), context, pattern)
        if pattern is not None:
            self._odd[key] = entry

    def remove(self, name: Any) -> bool:
        """Forget what was added for exactly this name; return whether there was something.

        Raises:
            CodedRuntimeError, CodedTypeError: as :meth:`add`.
        """
        key = key_of(name)
        self._odd.pop(key, None)
        return self._entries.pop(key, None) is not None

    def find(self, name: str | None) -> SecureContext | None:
        """Return the context for the name that a client asks for; None if there is none."""
        if not name or not self._entries:
            return None
        # Nobody asks for '*.example.org' itself.
        if '*' in name:
            return None
        asked = name.lower()
        found = [
            entry for entry in (
                self._entries.get(asked), self._entries.get('*.' + asked.partition('.')[2]),
                *(odd for odd in self._odd.values()
                  if odd.pattern is not None and odd.pattern.fullmatch(asked)))
            if entry is not None
        ]
        return max(found).context if found else None

    def __len__(self) -> int:
        return len(self._entries)


def key_of(name: Any) -> str:
    """Return *name* as it is looked for: in lower case, and in ASCII."""
    if not truthy(name):
        raise state_error('ERR_TLS_REQUIRED_SERVER_NAME')
    if not isinstance(name, str):
        raise invalid_arg_type('servername', 'of type string', name)
    lower = name.lower()
    if lower.isascii():
        return lower
    try:
        return lower.encode('idna').decode('ascii')
    except UnicodeError:
        return lower
