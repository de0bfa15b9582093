"""Which host a request of HTTP is for, as far as a server must look (RFC 9112, 3.2)."""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ['check_host', 'is_authority']

#: A host and perhaps a port: a name, or an address, in brackets if it is one of IPv6. Without the
#: user before an "@", which no request may have (RFC 9110, 4.2.4).
is_authority = re.compile(
    r"(?:\[[0-9A-Fa-fv:.]+\]|[\w.~!$&'()*+,;=%-]+)(?::\d*)?", re.ASCII).fullmatch


def check_host(version: str, hosts: Sequence[str]) -> None:
    """Refuse a request for whom it is not certain: it is to be answered with status 400.

    Args:
        version: such as ``'HTTP/1.1'``, which must have a ``Host``.
        hosts: the values of its fields of that name.

    Raises:
        ValueError: there are several, or none, or it names no host.
    """
    if len(hosts) != 1 and (hosts or version == 'HTTP/1.1'):
        raise ValueError('more than one Host' if hosts else 'no Host')
    if hosts and hosts[0] and not is_authority(hosts[0]):
        raise ValueError(f'this is no Host: {hosts[0][:100]!r}')
