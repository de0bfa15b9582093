"""What a request asks for: its target, in the four forms that it may have (RFC 9112, 3.2).

An application is told a path. pywsgi takes whatever stands in the first line for one; so a whole
URL, as clients of a proxy send it and as each server must understand it, would be a path that no
application knows, and its host another one than that of the field ``Host``, by which something in
front may have decided.
"""

from __future__ import annotations

import re

from ..node.http_hosts import is_authority
from ..node.records import NamedTuple

__all__ = ['Target', 'read_target']

#: A URL of HTTP: what follows on "//" up to the path, and the rest.
_split = re.compile(r'https?://([^/?#]*)(.*)', re.IGNORECASE).fullmatch


class Target(NamedTuple):
    """What is asked for."""

    #: Path and query, as they came.
    path: str
    #: Host and port, if the target has them: then the field ``Host`` means nothing.
    host: str | None = None


def read_target(method: str, text: str) -> Target:
    """Return what a request asks for.

    Args:
        method: such as ``'GET'``.
        text: the middle word of the request line.

    Raises:
        ValueError: it is none that a server has to answer for. ``CONNECT`` is asked of proxies.
    """
    if text.startswith('/') or (text == '*' and method == 'OPTIONS'):
        return Target(text)
    parts = _split(text)
    if parts is None or method == 'CONNECT' or is_authority(parts[1]) is None:
        raise ValueError(f'no target of {method[:20]}: {text[:100]!r}')
    host, path = parts.groups()
    if not path and method == 'OPTIONS':
        return Target('*', host)  # of the server as a whole (RFC 9112, 3.2.4)
    return Target(path if path.startswith('/') else f'/{path}', host)
