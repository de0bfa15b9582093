"""The head of a request, read and checked before pywsgi sees it.

What stands in front of a server (a balancer, a cache) and the server must agree on where a request
ends. Where they do not, a client hides a second request in the body of its first, past whatever the
first of the two has checked. So what may be understood in two ways is refused here, with status
400: pywsgi takes the first of two lengths, an encoding that it does not know for no body at all,
lines after one that is no field for nothing, and a head that was cut for a whole one.
"""

from __future__ import annotations

import re
from typing import Any

from ..node.http_hosts import check_host

__all__ = ['check_framing', 'read_fields']

#: How many bytes all fields may be together, and how many fields there may be.
MAX_HEAD = 65536
MAX_FIELDS = 100

#: A name, at once followed by a colon, and a value without control characters: a CR is the end of a
#: line to Python's parser, and to few others.
_is_field = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[^\x00-\x08\x0a-\x1f\x7f]*\r?\n").fullmatch


def read_fields(file: Any) -> bytes:
    """Return the fields of a request, and the empty line behind them.

    Args:
        file: what is read, after the request line.

    Raises:
        ValueError: they are none, too many or too long, or end too early.
        OSError: the connection has failed.
    """
    lines: list[bytes] = []
    left = MAX_HEAD
    while left > 0:
        line = file.readline(left)
        left -= len(line)
        if line in (b'\r\n', b'\n'):
            return b'\r\n'.join([*lines, b'', b''])
        if len(lines) == MAX_FIELDS:
            raise ValueError(f'more than {MAX_FIELDS} fields')
        if left > 0 and _is_field(line) is None:
            raise ValueError(
                f'this is no field of a request: {line[:100]!r}' if line.endswith(b'\n')
                else 'the client has ended before its request was complete')
        # (What stands at the end of a value is none of it; Python's parser leaves it there.)
        lines.append(line.rstrip(b' \t\r\n'))
    raise ValueError(f'fields of more than {MAX_HEAD} bytes')


def check_framing(version: str, headers: Any) -> None:
    """Refuse a request whose end is not certain, or for whom it is (RFC 9112, 3.2).

    Args:
        version: such as ``'HTTP/1.1'``.
        headers: an :class:`email.message.Message`.

    Raises:
        ValueError: it is not.
    """
    lengths = headers.get_all('content-length', ())
    codings = headers.get_all('transfer-encoding', ())
    check_host(version, headers.get_all('host', ()))
    if lengths and (
            len(set(lengths)) > 1 or not lengths[0].isascii() or not lengths[0].isdigit()):
        raise ValueError(f'this is no Content-Length: {", ".join(lengths)[:100]!r}')
    if codings:
        if [coding.strip().lower() for coding in codings] != ['chunked']:
            raise ValueError(f'unknown Transfer-Encoding: {", ".join(codings)[:100]!r}')
        if lengths or version != 'HTTP/1.1':
            raise ValueError(
                'Transfer-Encoding and Content-Length' if lengths
                else f'Transfer-Encoding in {version}')
