"""How slow and how greedy peers may be, as properties of the server.

What they do to a connection is in ``tests/sockets/test_limited.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import gnet

from ..harness.native import Peer
from ..harness.waiting import until

LIMITS = ('read_timeout', 'write_timeout', 'lifetime', 'max_buffered')


def limits_of(owner: Any) -> tuple[Any, ...]:
    return tuple(getattr(owner, name) for name in LIMITS)


def test_they_are_changed_at_any_time_for_the_connections_to_come(
    serve: Callable[..., gnet.Server], connect: Callable[[Any], Peer],
) -> None:
    accepted: list[gnet.Socket] = []
    server = serve(accepted.append, read_timeout=1000).listen(0)
    assert limits_of(server) == (1000, None, None, None)
    connect(server)
    until(lambda: len(accepted) == 1)
    for name, value in zip(LIMITS, (0, 2000, 3000, 1 << 20)):
        setattr(server, name, value)
    connect(server)
    until(lambda: len(accepted) == 2)
    assert [limits_of(sock) for sock in accepted] == [
        (1000, None, None, None), (None, 2000, 3000, 1 << 20)]
    for name in LIMITS:
        setattr(server, name, None)
    connect(server)
    until(lambda: len(accepted) == 3)
    assert limits_of(accepted[2]) == limits_of(server) == (None,) * 4


@pytest.mark.parametrize(('name', 'value'), [
    ('read_timeout', -1), ('write_timeout', '1'), ('lifetime', float('nan')), ('max_buffered', 1),
])
def test_what_is_no_limit_is_refused_and_changes_nothing(
    serve: Callable[..., gnet.Server], name: str, value: Any,
) -> None:
    server = serve(lambda sock: None, **{name: 1 << 20})
    with pytest.raises((gnet.CodedTypeError, gnet.CodedValueError)):
        setattr(server, name, value)
    assert getattr(server, name) == 1 << 20
