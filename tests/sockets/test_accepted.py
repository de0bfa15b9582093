"""An accepted socket is made in one step: it must be what the constructors make."""

from __future__ import annotations

import _socket
from typing import Any

import gnet
from gnet.loop.loop import get_loop
from gnet.sockets.socket import accept
from gnet.sockets.wire import DescriptorWire

#: What each socket has of its own.
_OWN = {'_wire', 'opened_at', 'sock', 'stream'}


class Counter:
    """One that counts nothing."""

    server = None

    def destroyed(self, sock: Any) -> None:
        pass

    departed = returned = destroyed


def slots_of(thing: Any) -> dict[str, Any]:
    """Return what is in all slots of *thing*; all of them must have been set."""
    found = {}
    for cls in type(thing).__mro__:
        slots = cls.__dict__.get('__slots__', ())
        for slot in (slots,) if isinstance(slots, str) else slots:
            if slot not in ('__dict__', '__weakref__'):
                name = f'_{cls.__name__}{slot}' if slot.startswith('__') else slot
                found[name] = getattr(thing, name)
    return found


def test_it_has_all_that_the_constructors_give() -> None:
    loop, counter, made = get_loop(), Counter(), []
    ends = [end for _ in range(2) for end in _socket.socketpair()]
    for number, wire in enumerate((None, DescriptorWire(loop))):
        sock = gnet.Socket.__new__(gnet.Socket) if wire else None
        made.append(accept(
            counter, loop, ends[2 * number], ('127.0.0.1', 7), 1000, True, False, sock, wire))
    try:
        at_once, by_constructors = ({**slots_of(sock), **slots_of(sock._wire)} for sock in made)
        assert at_once.keys() == by_constructors.keys()
        assert at_once.keys() > _OWN
        for name in at_once.keys() - _OWN:
            assert at_once[name] == by_constructors[name], name
            assert type(at_once[name]) is type(by_constructors[name]), name
        assert [sock._wire.stream for sock in made] == made
    finally:
        for sock in made:
            sock.destroy()
        for end in ends:
            end.close()
