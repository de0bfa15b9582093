"""The shapes in which arguments come: positional, a mapping, keywords, a callback last."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from ..node.coded_errors import invalid_arg_type
from ..node.spelling import snake_options
from ..node.validators import validate_function
from ..node.values import UNDEFINED, js_number

__all__ = [
    'is_gevent_server',
    'normalize_arguments',
    'split_server_arguments',
]

#: Options that say what to listen on.
_TARGETS = ('port', 'path', 'fd', 'handle', '_handle', 'systemd')


def split_server_arguments(
    args: tuple[Any, ...], keywords: Mapping[str, Any],
) -> tuple[dict[str, Any], Callable[..., Any] | None]:
    """Split the arguments of ``create_server`` into options and a ``'connection'`` listener.

    Args:
        args: ``(options, listener)``, or ``(listener,)``, or fewer. Options are a mapping, None, or
            any other object, whose attributes then count (a list has none). A second argument that
            is not callable is ignored, and so is any second argument after a callable first one.
        keywords: options, which win over those of the mapping; or ``options`` and ``listener`` by
            name.

    Returns:
        A new dict with ``snake_case`` keys, not validated yet, and the listener or None.

    Raises:
        CodedTypeError: ``ERR_INVALID_ARG_TYPE`` when the first argument is a str, a number or a
            bool.
    """
    named = dict(keywords)
    options = args[0] if args else named.pop('options', None)
    listener = args[1] if len(args) > 1 else named.pop('listener', None)
    if not isinstance(options, Mapping) and callable(options):
        return snake_options(named), options
    if isinstance(options, (str, int, float)):
        raise invalid_arg_type('options', 'of type object', options)
    return (
        snake_options(_own_options(options), named),
        listener if callable(listener) else None,
    )


def _own_options(source: object) -> Mapping[str, Any]:
    """Return what Node would find in an options object: its own properties."""
    if isinstance(source, Mapping):
        return source
    if source is None or source is UNDEFINED:
        return {}
    attributes: Mapping[str, Any] = getattr(source, '__dict__', {})
    return attributes


def normalize_arguments(
    args: tuple[Any, ...], keywords: Mapping[str, Any] | None = None,
) -> tuple[dict[str, Any], Callable[..., Any] | None]:
    """Bring the arguments of ``listen`` or ``connect`` into one shape; Node's ``_normalizeArgs``.

    Args:
        args: the positional arguments. The first is a mapping of options, a path (a str that is no
            number, bytes, or an ``os.PathLike``), a port (a number, its text, None), or something
            to adopt: a socket, a server, an object with ``fileno()``. After a port, a str is the
            host. The last is the callback if it is callable.
        keywords: options, which are added and win, and ``callback``.

    Returns:
        A new dict with ``snake_case`` keys, values untouched, and the callback or None. What is to
        be adopted is found under ``'handle'``, where Node returns the object itself.

    Raises:
        CodedTypeError: ``ERR_INVALID_ARG_TYPE`` when the keyword ``callback`` is not callable.
    """
    named = snake_options(keywords)
    callback = args[-1] if args and callable(args[-1]) else None
    by_name = named.pop('callback', None)
    if by_name is not None:
        callback = validate_function('callback', by_name)
    options = _first_argument(args) if args else {}
    if args and callable(args[0]) and any(name in named for name in _TARGETS):
        # listen(callback, path='x'): Node's port that is a function would hide the path.
        options.pop('port', None)
    options.update(named)
    return options, callback


def _first_argument(args: tuple[Any, ...]) -> dict[str, Any]:
    first = args[0]
    if isinstance(first, Mapping):
        return snake_options(first)
    if isinstance(first, (bytes, os.PathLike)):
        return {'path': first}
    # The comparison is false for NaN, which is what every ordinary path is.
    if isinstance(first, str) and not js_number(first) >= 0:
        return {'path': first}
    no_port = first is None or first is UNDEFINED
    if no_port or isinstance(first, (str, int, float)) or callable(first):
        host = {'host': args[1]} if len(args) > 1 and isinstance(args[1], str) else {}
        return {'port': first, **host}
    if not _looks_adoptable(first):
        own = snake_options(_own_options(first))
        if any(name in own for name in _TARGETS):
            return own
    return {'handle': first}


def is_gevent_server(value: object) -> bool:
    """Tell whether *value* is a server of gevent's."""
    # Known by its methods, because nothing of gevent is imported here.
    return hasattr(value, 'start_accepting') and hasattr(value, 'set_listener')


def _looks_adoptable(value: object) -> bool:
    return is_gevent_server(value) or hasattr(value, 'fileno') or hasattr(value, '_handle')
