"""The options of the waits, :func:`~gnet.events.once` and :func:`~gnet.events.on`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..node.coded_errors import invalid_arg_type
from ..node.keywords import check_keywords
from ..node.spelling import snake_options
from ..node.validators import validate_signal
from ..node.values import UNDEFINED
from .abort import abort_error

__all__ = ['read_options']


def read_options(
    call: str, options: Any, keywords: Mapping[str, Any], known: set[str],
) -> dict[str, Any]:
    """Merge the options of a wait, as a mapping and as keywords; check the signal.

    Raises:
        AbortError: the signal is set already.
        TypeError: a keyword is no option.
    """
    if options is not UNDEFINED and not isinstance(options, Mapping):
        raise invalid_arg_type('options', 'of type object', options)
    merged = snake_options(None if options is UNDEFINED else options)
    check_keywords(call, keywords, known)  # a misspelt timeout would wait for ever
    for name, value in snake_options(keywords).items():
        if value is not None:
            merged[name] = value
    signal = merged.setdefault('signal', UNDEFINED)
    if signal is not UNDEFINED:
        validate_signal('options.signal', signal)
        ready = getattr(signal, 'ready', None)
        if ready is not None and ready():
            raise abort_error(signal)
    return merged
