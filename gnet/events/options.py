"""The options of the waits, :func:`~gnet.events.once` and :func:`~gnet.events.on`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..node.coded_errors import invalid_arg_type
from ..node.spelling import snake_options
from ..node.validators import validate_signal
from ..node.values import UNDEFINED
from .abort import abort_error

__all__ = ['read_options']


def read_options(options: Any, keywords: Mapping[str, Any], known: set[str]) -> dict[str, Any]:
    """Merge the options of a wait, as a mapping and as keywords; check the signal.

    Raises:
        AbortError: the signal is set already.
    """
    if options is not UNDEFINED and not isinstance(options, Mapping):
        raise invalid_arg_type('options', 'of type object', options)
    merged = snake_options(None if options is UNDEFINED else options)
    for name, value in snake_options(keywords).items():
        # Node ignores what it does not know; a misspelt timeout would wait for ever.
        if name not in known:
            raise TypeError(f'unexpected keyword argument {name!r}')
        if value is not None:
            merged[name] = value
    signal = merged.setdefault('signal', UNDEFINED)
    if signal is not UNDEFINED:
        validate_signal('options.signal', signal)
        ready = getattr(signal, 'ready', None)
        if ready is not None and ready():
            raise abort_error(signal)
    return merged
