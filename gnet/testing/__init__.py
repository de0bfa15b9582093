"""For the tests of those who use gnet: servers on free ports, bad peers, sockets in memory.

::

    import gnet.testing

    def test_a_silent_client_is_cut_off_after_an_hour():
        with gnet.testing.memory_pair(handler, read_timeout=3_600_000) as pair:
            pair.clock.advance(2 * 3600)
            assert pair.client.recv(100) == b''

All of it are context managers, for ``unittest`` and any other framework; :class:`Kit` has them in
one object. pytest finds fixtures of the same by itself (``gnet_server``, ``gnet_client``, …), which
import nothing before they are used. ``docs/testing.md``.
"""

from __future__ import annotations

from typing import Any

from ..node.faces import show_as
from ..node.spelling import module_attribute
from .clock import Clock, clock_of
from .kit import Kit
from .leaks import check_leaks
from .memory_wire import MemorySocket
from .pairs import MemoryPair, connected_pair, memory_pair
from .peers import Listener, Peer
from .recorder import EventRecorder, Recorded
from .servers import Listening, listening
from .waiting import settle, wait_until

__all__ = [
    'Clock',
    'EventRecorder',
    'Kit',
    'Listener',
    'Listening',
    'MemoryPair',
    'MemorySocket',
    'Peer',
    'Recorded',
    'check_leaks',
    'clock_of',
    'connected_pair',
    'listening',
    'memory_pair',
    'settle',
    'wait_until',
]

show_as(__name__, globals(), __all__)


def __getattr__(name: str) -> Any:
    return module_attribute(__name__, globals(), name)
