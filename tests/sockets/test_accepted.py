"""An accepted socket is made in one step: it must be what the constructors make.

And so must one be that has had a connection, but for what outlasts it.
"""

from __future__ import annotations

import _socket
from typing import Any

from gevent.event import AsyncResult

import gnet
from gnet.loop.loop import get_loop
from gnet.sockets.socket import accept
from gnet.sockets.wire import DescriptorWire
from gnet.streams.arrivals import Arrivals

from ..harness.waiting import PATIENCE

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


def test_a_wire_begins_with_what_each_wire_begins_with() -> None:
    wire, bare = DescriptorWire(get_loop()), Arrivals(get_loop())
    slots = {**slots_of(wire), 'stream': None}
    for name, value in slots_of(bare).items():
        assert slots[name] == value, name
        assert type(slots[name]) is type(value), name


def test_one_that_has_had_a_connection_is_as_a_new_one() -> None:
    loop = get_loop()
    ours, theirs = _socket.socketpair()
    ours.setblocking(False)
    sock = accept(Counter(), loop, ours, ('127.0.0.1', 7), 65536, False, False)
    new = gnet.Socket()
    try:
        theirs.sendall(b'hello')
        assert sock.recv(1) == b'h'
        sock.write(b'x' * 5_000_000)
        sock.end()
        sock.cork()
        told: AsyncResult[bool] = AsyncResult()
        sock.once('error', lambda error: None)
        sock.once('close', told.set)
        sock.destroy(OSError('broken'))
        assert told.get(timeout=PATIENCE)
        changed = {
            name for name, value in slots_of(sock).items() if value != slots_of(new)[name]}
        assert changed > {'_errored', '_remote', '_stage', '_write_state', 'opened_at'}
        sock._start_anew()
        left = {name for name, value in slots_of(sock).items() if value != slots_of(new)[name]}
        assert left == {'_settings', '_wire'}
    finally:
        for each in (sock, new):
            each.destroy()
        theirs.close()
