"""Options given as keywords: a misspelt one is an error.

Node ignores what it does not know in an options object, and so does gnet in a mapping, which may be
there for several calls. Keywords are written for one call, and Python's habit is to refuse them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .spelling import camel, snake

__all__ = ['check_keywords']


def check_keywords(call: str, keywords: Mapping[str, Any], known: Iterable[str]) -> None:
    """Refuse what is not among the options of a call.

    Args:
        call: the name of what was called, for the text.
        keywords: what it was called with, in either spelling.
        known: the names of its options, in ``snake_case``.

    Raises:
        TypeError: names the keyword, and the option that is most like it.
    """
    known = frozenset(known)
    for name in keywords:
        python = snake(name)
        if python in known:
            continue
        import difflib  # no program that is right needs it

        text = f'{call}() got an unexpected keyword argument {name!r}'
        # In one case: 'allowhalfopen' and 'ALLOW_HALF_OPEN' are the same to who has mistyped them.
        for nearest in difflib.get_close_matches(python.lower(), sorted(known), 1):
            text += f'. Did you mean {(camel(nearest) if python != name else nearest)!r}?'
        raise TypeError(text)
