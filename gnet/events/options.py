"""The options of what waits: :func:`~gnet.events.once`, :func:`~gnet.events.on`, and others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..node.coded_errors import abort_error, invalid_arg_type
from ..node.keywords import check_keywords
from ..node.spelling import snake_options
from ..node.validators import validate_signal
from ..node.values import UNDEFINED

__all__ = ['merged_options', 'read_options']


def read_options(
    call: str, options: Any, keywords: Mapping[str, Any], known: set[str],
) -> dict[str, Any]:
    """Do as :func:`merged_options`, for what does not begin if the signal is set.

    Raises:
        AbortError: the signal is set already.
    """
    merged = merged_options(call, options, keywords, known)
    signal = merged['signal']
    ready = getattr(signal, 'ready', None)
    if ready is not None and ready():
        raise abort_error(signal)
    return merged


def merged_options(
    call: str, options: Any, keywords: Mapping[str, Any], known: set[str],
) -> dict[str, Any]:
    """Merge options, as a mapping and as keywords; check the signal, UNDEFINED if there is none.

    Raises:
        CodedTypeError: *options* is no mapping, or the signal none (``ERR_INVALID_ARG_TYPE``).
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
    return merged
