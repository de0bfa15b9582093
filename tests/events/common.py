"""What the tests of events share: listeners, names, and what they raise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gevent
from gevent.event import Event

from gnet.events import EventEmitter

LISTENER_TEXT = 'The "listener" argument must be of type function. Received '

ADDERS = ['on', 'add_listener', 'once', 'prepend_listener', 'prepend_once_listener']
REMOVERS = ['off', 'remove_listener']


class Symbol:
    """An event name that is no string."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return f'Symbol({self._name})'


class Boom(Exception):  # noqa: N818 - a short name, raised on purpose
    """What the listeners of these tests raise."""


class Hooked(EventEmitter):
    """Records the calls of the hooks; lets a test wait until a listener was added."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[str, Any, int]] = []
        self.added = Event()

    def _listener_added(self, event: Any) -> None:
        self.calls.append(('added', event, self.listener_count(event)))
        self.added.set()

    def _listener_removed(self, event: Any) -> None:
        self.calls.append(('removed', event, self.listener_count(event)))


def f(*args: Any) -> None:
    """A listener."""


def g(*args: Any) -> None:
    """Another listener."""


def h(*args: Any) -> None:
    """A third listener."""


def recorder(log: list[Any], name: Any) -> Callable[..., None]:
    """Return a listener that adds its calls to *log*. (The kit's recorder asks for ``on`` and
    ``off`` to work, which is what is tested here.)
    """
    return lambda *args: log.append((name, *args))


def check(error: Any, code: str, text: str) -> None:
    assert (error.value.code, str(error.value)) == (code, text)


def from_hub(call: Callable[..., Any], *args: Any) -> None:
    gevent.get_hub().loop.run_callback(call, *args)
