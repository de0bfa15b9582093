"""The contexts of one server: its own, and those by name; what was made of files is read again."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, Union

from ..node import coded_errors
from ..node.spelling import snake_options
from .contexts_by_name import ContextsByName, key_of
from .reload import ContextFiles
from .secure_context import SecureContext, as_secure_context, create_secure_context

__all__ = ['ServedContexts']

_log = logging.getLogger('gnet.tls')

#: A context, or one whose files may be read again.
_Entry = Union[SecureContext, ContextFiles]


class ServedContexts:
    """What a server shows, by name or otherwise.

    Args:
        own: the context for who asks for no other name.
        given: the options of which it was made, in ``snake_case``.
        changed: called with the own context and those by name, when they are others.
    """

    def __init__(
        self, own: SecureContext, given: Mapping[str, Any],
        changed: Callable[[SecureContext, ContextsByName], object],
    ) -> None:
        self._changed = changed
        self._own: _Entry = own
        # Of a context that was made elsewhere, the files are not known here.
        self._given: Mapping[str, Any] | None = (
            given if given.get('secure_context') is None else None)
        self._named: dict[str, tuple[_Entry, Mapping[str, Any] | None]] = {}
        self._by_name = ContextsByName()
        self._tell()

    def set_own(self, options: Any, check: Callable[[SecureContext], object]) -> None:
        """Use another one, of what ``set_secure_context`` was given, if *check* does not raise."""
        made, given = _made_of(options)
        check(made)
        self._own, self._given = made, given
        self._tell()

    def add(self, name: str, options: Any, check: Callable[[SecureContext], object]) -> None:
        """Use one for *name*, of what ``add_context`` was given, if *check* does not raise."""
        made, given = _made_of({} if options is None else options)
        check(made)
        self._by_name.add(name, made)
        key = key_of(name)
        self._named.pop(key, None)  # the one that was added last comes last
        self._named[key] = made, given

    def remove(self, name: str) -> bool:
        """Forget the context for *name*; return whether there was one."""
        self._named.pop(key_of(name), None)
        return self._by_name.remove(name)

    # --- files ------------------------------------------------------------------------------------

    def has_files(self) -> bool:
        """Whether one of them was made of files."""
        return any(
            given is not None and _context_of(entry).paths
            for entry, given in [(self._own, self._given), *self._named.values()])

    def check_files(self) -> None:
        """Raise ``ERR_INVALID_ARG_VALUE`` if none of them was made of files."""
        if not self.has_files():
            raise coded_errors.invalid_arg_value(
                'options.cert', None, 'must be an os.PathLike, to be read again')

    def refresh(self, *, force: bool = False) -> bool:
        """Read the files again that were changed, or all of them; return whether all could be used.

        What cannot be used is logged, and stays as it was.
        """
        self._own, good, has_changed = _refreshed(self._own, self._given, force)
        for name, (entry, given) in self._named.items():
            entry, fine, new = _refreshed(entry, given, force)
            good, has_changed = good and fine, has_changed or new
            self._named[name] = entry, given
        if has_changed:
            # In the order in which they were added, which decides between several that fit.
            self._by_name = ContextsByName()
            for name, (entry, _) in self._named.items():
                self._by_name.add(name, _context_of(entry))
            self._tell()
        return good

    def _tell(self) -> None:
        self._changed(_context_of(self._own), self._by_name)


def _made_of(options: Any) -> tuple[SecureContext, Mapping[str, Any] | None]:
    """Return a context, and the options of which it was made."""
    if isinstance(options, Mapping):
        return create_secure_context(options), snake_options(options)
    if options is None or isinstance(options, (str, bytes, int, float)):
        raise coded_errors.invalid_arg_type('options', 'of type object', options)
    return as_secure_context(options), None


def _context_of(entry: _Entry) -> SecureContext:
    return entry.context if isinstance(entry, ContextFiles) else entry


def _refreshed(
    entry: _Entry, given: Mapping[str, Any] | None, force: bool,
) -> tuple[_Entry, bool, bool]:
    """Return the entry as it is now, whether its files could be used, and whether it is new."""
    if isinstance(entry, ContextFiles):
        new = entry.refresh(force=force)
        return entry, new is not None or not force, new is not None
    if given is None or not entry.paths:
        return entry, True, False
    # Its files are looked at for the first time.
    try:
        files = ContextFiles(given)
    except (OSError, ValueError, TypeError, RuntimeError) as error:
        _log.warning('the new certificates cannot be used, the old ones still are: %s', error)
        return entry, False, False
    return files, True, True

