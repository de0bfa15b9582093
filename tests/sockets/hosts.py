"""Loopback addresses that behave as a test wants, all on one port: good ones, bad and slow ones."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Iterable
from typing import Any

from gevent.event import Event

from ..harness.families import family_of
from ..harness.plain import PlainSocket
from ..harness.waiting import tick

__all__ = ['Hosts', 'answers']

#: How often to look for a port that is free at every address.
_TRIES = 20

#: More connections than a queue of length 0 takes (Linux lets one in).
_FILLERS = 3


class Hosts:
    """Addresses on one :attr:`port`. The kinds are:

    - ``'good'``: listens;
    - ``'refuses'``: bound, so that nobody else gets the port, but nobody listens;
    - ``'slow'``: listens, but its queue is full, so that the kernel drops further attempts, until
      :meth:`open` makes it longer; then the next repetition of an attempt (a second after it
      began) succeeds.
    """

    def __init__(self, kinds: dict[str, str]) -> None:
        self.port = 0
        self._plain: dict[str, Any] = {}
        self._fillers: list[Any] = []
        for _ in range(_TRIES):
            if self._bind(kinds):
                break
        else:
            raise AssertionError(f'no port is free at all of {list(kinds)}')
        for address, kind in kinds.items():
            if kind != 'refuses':
                self._plain[address].listen(16 if kind == 'good' else 0)
            if kind == 'slow':
                self._fill(address)

    def _bind(self, kinds: Iterable[str]) -> bool:
        self.port = 0
        for address in kinds:
            plain = self._plain[address] = PlainSocket(family_of((address,)), socket.SOCK_STREAM)
            try:
                plain.bind((address, self.port))
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
                self.close()
                return False
            self.port = plain.getsockname()[1]
        return True

    def _fill(self, address: str) -> None:
        for _ in range(_FILLERS):
            filler = PlainSocket(family_of((address,)), socket.SOCK_STREAM)
            filler.setblocking(False)
            self._fillers.append(filler)
            assert filler.connect_ex((address, self.port)) == errno.EINPROGRESS

    def open(self, address: str) -> None:
        """Let further attempts at a slow address succeed."""
        self._plain[address].listen(16)

    def close(self) -> None:
        for plain in [*self._plain.values(), *self._fillers]:
            plain.close()
        self._plain.clear()
        self._fillers.clear()


def answers(
    *found: Any, when: str = 'now', asked: list[Any] | None = None, error: Any = None,
) -> Callable[..., None]:
    """Return a look-up function that answers with these addresses.

    Args:
        found: addresses, whose family is seen; or what else the answer shall consist of.
        when: ``'now'``, on a ``'tick'``, or from the ``'hub'``.
        asked: a list to which ``(host, options)`` of each call is added.
        error: what it fails with instead.
    """
    entries = [
        {'address': one, 'family': 6 if ':' in one else 4} if isinstance(one, str) else one
        for one in found
    ]

    def look_up(host: str, options: dict[str, Any], callback: Callable[..., object]) -> None:
        if asked is not None:
            asked.append((host, options))
        if error is not None:
            answer: tuple[Any, ...] = (error,)
        elif options.get('all'):
            answer = (None, entries)
        else:
            answer = (None, entries[0]['address'], entries[0]['family'])
        if when == 'now':
            callback(*answer)
        elif when == 'tick':
            tick(callback, *answer)
        else:
            done = Event()
            done.rawlink(lambda _: callback(*answer))  # the hub calls it
            done.set()

    return look_up
