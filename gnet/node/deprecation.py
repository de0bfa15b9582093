"""What is deprecated: since when, what to use instead, and which version will be without it.

Three doors, for what Python programs can use of a package:

- :func:`deprecated`, a decorator of functions, of methods, and of what is behind a property;
- :func:`with_deprecated`, for names of a module: it wraps the module's ``__getattr__``;
- :func:`warn`, for what is neither: an option, an event, a form of an argument.

Each is given a name of :data:`DEPRECATED`, the one table, which a test compares with the version:
what a version was to remove must not be there any more when that is the version.
"""

from __future__ import annotations

import functools
import sys
import warnings
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Any, TypeVar

from greenlet import getcurrent

from .records import NamedTuple
from .spelling import snake

__all__ = ['DEPRECATED', 'Deprecation', 'deprecated', 'text_of', 'warn', 'with_deprecated']

_F = TypeVar('_F', bound=Callable[..., Any])


class Deprecation(NamedTuple):
    """One entry of the table.

    Attributes:
        since: the first version in which it warns, as ``'0.3'``.
        instead: what to use, in a few words that may stand behind "use": ``'gnet.connect'``.
        removal: the first version without it. Not before the next minor version after *since*.
    """

    since: str
    instead: str
    removal: str


#: All that warns now, by the name that a program uses: ``'gnet.old'``, ``'gnet.Socket.old'``,
#: ``'gnet.create_server(old=…)'``.
DEPRECATED: dict[str, Deprecation] = {}

#: Whose calls are not the place to change: the call that led to them is.
_NOT_THE_PLACE = ('gnet', 'gevent', 'importlib')


def text_of(name: str) -> str:
    """Return what the warning about *name* says.

    Raises:
        KeyError: it is not in :data:`DEPRECATED`.
    """
    since, instead, removal = DEPRECATED[name]
    return (f'{name} is deprecated since gnet {since}, and will be removed in gnet {removal}: '
            f'use {instead}')


def warn(name: str) -> None:
    """Issue the ``DeprecationWarning`` about *name*, for the line outside gnet that has used it.

    Which warnings are shown, and that one of a line comes once, is decided by Python's filters.

    Raises:
        DeprecationWarning: a filter makes it an error.
        KeyError: *name* is not in :data:`DEPRECATED`.
    """
    file, line, module, registry = _place(sys._getframe(1))
    warnings.warn_explicit(text_of(name), DeprecationWarning, file, line, module, registry)


def deprecated(name: str) -> Callable[[_F], _F]:
    """Make a decorator of a function that warns about *name* at each call.

    Of a property it decorates the getter and the setter, below ``@property``. A class is better
    deprecated as a name of its module: who has an instance need not change anything.

    Raises:
        KeyError: *name* is not in :data:`DEPRECATED`.
    """
    text = text_of(name)

    def decorate(function: _F) -> _F:
        @functools.wraps(function)
        def warning(*args: Any, **keywords: Any) -> Any:
            warn(name)
            return function(*args, **keywords)

        warning.__deprecated__ = text  # type: ignore[attr-defined]  # as of PEP 702
        return warning  # type: ignore[return-value]

    return decorate


def with_deprecated(
    module: str, find: Callable[[str], Any], values: Mapping[str, Callable[[], Any]],
) -> Callable[[str], Any]:
    """Return a ``__getattr__`` of a module (PEP 562) that has deprecated names, too.

    Args:
        module: its ``__name__``; the table has its names as ``'gnet.old'``.
        find: its ``__getattr__`` so far.
        values: the old names, and what returns the value of each. They are neither in ``__all__``
            nor among the module's globals, so that each use of one comes here.

    Raises:
        KeyError: one of the names is not in :data:`DEPRECATED`.
    """
    for old in values:
        text_of(f'{module}.{old}')

    def find_all(name: str) -> Any:
        value = values.get(snake(name))
        if value is None:
            return find(name)
        warn(f'{module}.{snake(name)}')
        return value()

    return find_all


def _place(frame: FrameType | None) -> tuple[str, int, str, dict[Any, Any]]:
    """Find the line to blame: its file, its number, its module, and which it has warned about."""
    while frame is not None:
        name = frame.f_globals.get('__name__') or ''
        if name.partition('.')[0] not in _NOT_THE_PLACE:
            registry = frame.f_globals.setdefault('__warningregistry__', {})
            return frame.f_code.co_filename, frame.f_lineno, name, registry
        frame = frame.f_back
    return _place_of_spawning()


#: What was warned about lines whose globals are not known.
_spawned: dict[Any, Any] = {}


def _place_of_spawning() -> tuple[str, int, str, dict[Any, Any]]:
    """Find the line that has spawned this greenlet: a stack begins with the greenlet.

    So it is with ``gevent.spawn(gnet.old)``. gevent notes these lines, but not their globals, by
    which Python shows warnings of the main program and hides others.
    """
    folders = tuple(
        str(module.__file__).rpartition('/')[0] + '/'
        for module in map(sys.modules.get, _NOT_THE_PLACE[:2]) if module is not None)
    frame = getattr(getcurrent(), 'spawning_stack', None)
    while frame is not None:
        file = frame.f_code.co_filename
        if not file.startswith(folders):
            is_main = file == getattr(sys.modules.get('__main__'), '__file__', None)
            return file, frame.f_lineno, '__main__' if is_main else file, _spawned
        frame = frame.f_back
    return '<a greenlet>', 1, '<a greenlet>', _spawned
