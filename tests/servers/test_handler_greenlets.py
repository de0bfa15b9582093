"""The greenlet of a 'connection' listener is used again where nobody can tell, and only there."""

from __future__ import annotations

import gc
import socket
import threading
from collections.abc import Callable, Iterator
from types import MethodType
from typing import Any

import gevent
import gevent.local
import greenlet
import pytest
from gevent.event import Event

import gnet
from gnet.loop.handler_greenlets import MAX_IDLE_HANDLERS, Handler, Handlers
from gnet.loop.loop import get_loop

from ..harness.listening import listening
from ..harness.waiting import PATIENCE, turn

here = gevent.local.local()


class Made(Handlers):
    """Handlers that count the greenlets that they make."""

    count = 0

    def make(self) -> Handler:
        self.count += 1
        return super().make()


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Iterator[Made]:
    """The handlers of this loop, none of which was made before the test."""
    loop = get_loop()
    handlers = Made(loop.block, loop.from_hub)
    monkeypatch.setattr(loop, 'handlers', handlers)
    yield handlers
    gevent.killall(handlers.idle())


@pytest.fixture
def kept() -> Iterator[list[Any]]:
    """What listeners keep; greenlets and timeouts are ended after the test."""
    things: list[Any] = []
    yield things
    for thing in things:
        if isinstance(thing, gevent.Timeout):
            thing.close()
        elif isinstance(thing, gevent.Greenlet):
            thing.kill()


def nothing(kept: list[Any]) -> None:
    pass


def sleeps(kept: list[Any]) -> None:
    gevent.sleep(0)


def waits_for_an_event(kept: list[Any]) -> None:
    event = Event()
    gevent.spawn(event.set)
    event.wait()


def is_switched_to(kept: list[Any]) -> None:
    hub = gevent.get_hub()
    hub.loop.run_callback(gevent.getcurrent().switch)
    hub.switch()


def waits_for_a_thread(kept: list[Any]) -> None:
    gevent.get_hub().threadpool.apply(int)


#: Who switches to a greenlet may have references to it, or none.
BLOCKING = [sleeps, waits_for_an_event, is_switched_to, waits_for_a_thread]


def leaves_a_local(kept: list[Any]) -> None:
    here.value = 1


def keeps_it(kept: list[Any]) -> None:
    kept.append(gevent.getcurrent())


def links_it(kept: list[Any]) -> None:
    gevent.getcurrent().link(lambda _ended: None)  # type: ignore[attr-defined]


def names_it(kept: list[Any]) -> None:
    gevent.getcurrent().name = 'mine'  # type: ignore[attr-defined]


def leaves_a_timeout(kept: list[Any]) -> None:
    kept.append(gevent.Timeout.start_new(60))


def spawns_a_child_that_lives_on(kept: list[Any]) -> None:
    kept.append(gevent.spawn(gevent.sleep, 60))


def is_the_parent_of_another(kept: list[Any]) -> None:
    kept.append(greenlet.greenlet(nothing))


#: Set by the listener when it is about to return.
returned = Event()


def serve_in_turn(server: gnet.Server, connections: int = 3) -> None:
    """Have connections made one after another, each when the listener before has returned."""
    listening(server)
    for _ in range(connections):
        returned.clear()
        with socket.create_connection(server.address()[::2]) as peer:  # type: ignore[index]
            gnet.once(server, 'connection', timeout=PATIENCE)
            assert returned.wait(PATIENCE)
            gevent.sleep(0)  # it is looked at, and another turn in which it ends
            gevent.sleep(0)
            peer.shutdown(socket.SHUT_WR)


def handling(listener: Callable[[list[Any]], None], kept: list[Any]) -> Callable[[Any], None]:
    def handle(sock: Any) -> None:
        sock.resume()
        listener(kept)
        returned.set()

    return handle


@pytest.mark.parametrize('listener', [nothing, *BLOCKING])
def test_one_that_leaves_nothing_is_used_again(
    serve: Callable[..., gnet.Server], made: Made, kept: list[Any],
    listener: Callable[[list[Any]], None],
) -> None:
    serve_in_turn(serve(handling(listener, kept)))
    assert made.count == 1


@pytest.mark.parametrize('listener', [
    leaves_a_local, keeps_it, links_it, names_it, leaves_a_timeout, spawns_a_child_that_lives_on,
    is_the_parent_of_another,
])
def test_one_that_somebody_could_tell_is_not(
    serve: Callable[..., gnet.Server], made: Made, kept: list[Any],
    listener: Callable[[list[Any]], None],
) -> None:
    serve_in_turn(serve(handling(listener, kept)))
    assert made.count == 3


@pytest.mark.parametrize('listener', BLOCKING)
def test_one_that_is_kept_after_it_was_blocked_is_not(
    serve: Callable[..., gnet.Server], made: Made, kept: list[Any],
    listener: Callable[[list[Any]], None],
) -> None:
    def handle(sock: Any) -> None:
        sock.resume()
        listener(kept)
        keeps_it(kept)
        returned.set()

    serve_in_turn(serve(handle))
    assert made.count == 3
    assert len(gevent.joinall(kept, timeout=PATIENCE)) == 3


def test_a_local_of_one_connection_is_not_seen_by_the_next(
    serve: Callable[..., gnet.Server], kept: list[Any],
) -> None:
    def note(kept: list[Any]) -> None:
        kept.append(getattr(here, 'value', None))
        here.value = len(kept)

    serve_in_turn(serve(handling(note, kept)))
    assert kept == [None, None, None]


def test_threading_has_a_name_for_each(serve: Callable[..., gnet.Server], kept: list[Any]) -> None:
    """Patched, a thread is a greenlet; one of whom that was said is not used again."""
    def note(kept: list[Any]) -> None:
        kept.append(threading.current_thread())

    serve_in_turn(serve(handling(note, kept)))
    patched = gevent.monkey.is_module_patched('threading')
    assert len({id(thread) for thread in kept}) == (3 if patched else 1)


def test_who_kept_the_greenlet_can_join_it(
    serve: Callable[..., gnet.Server], kept: list[Any],
) -> None:
    serve_in_turn(serve(handling(keeps_it, kept)))
    assert len(gevent.joinall(kept, timeout=PATIENCE)) == 3
    assert all(handler.successful() for handler in kept)


@pytest.mark.parametrize('end', [
    pytest.param(lambda found: found[0].kill(block=False), id='killed'),
    pytest.param(lambda found: found[0].switch(), id='woken'),
    pytest.param(lambda found: found[0].throw(KeyError()), id='interrupted'),
])
def test_idle_ones_that_somebody_ends_are_not_used(
    serve: Callable[..., gnet.Server], made: Made, kept: list[Any],
    hub_reports: list[Any], end: Callable[[list[Any]], object],
) -> None:
    server = serve(handling(nothing, kept))
    serve_in_turn(server)
    found = [
        thing for thing in gc.get_objects()
        if isinstance(thing, Handler) and thing in made.idle()]
    assert len(found) == 1
    gevent.get_hub().loop.run_callback(end, found)
    turn()
    assert found[0].dead
    assert made.idle() == []
    found.clear()
    hub_reports.clear()
    server.close()
    serve_in_turn(server)
    assert made.count == 2


def test_one_that_is_blocked_keeps_one_method_of_its_server(
    serve: Callable[..., gnet.Server],
) -> None:
    """Each is 64 bytes, for as long as it is blocked."""
    handed_over, go_on = Event(), Event()

    def handle(sock: Any) -> None:
        handed_over.set()
        go_on.wait()

    server = listening(serve(handle))

    def methods() -> list[str]:
        owners = (server, server._intake)
        return sorted(
            thing.__name__ for thing in gc.get_objects()
            if isinstance(thing, MethodType) and thing.__self__ in owners)

    before = methods()
    with socket.create_connection(server.address()[::2]):
        assert handed_over.wait(PATIENCE)
        now = methods()
        go_on.set()
    assert now == sorted([*before, 'serve'])


def test_no_more_than_some_wait(serve: Callable[..., gnet.Server], made: Made) -> None:
    count = MAX_IDLE_HANDLERS + 3
    at_work: list[Any] = []
    all_at_work, go_on = Event(), Event()

    def handle(sock: Any) -> None:
        at_work.append(sock)
        if len(at_work) == count:
            all_at_work.set()
        go_on.wait()
        sock.resume()
        at_work.remove(sock)

    server = listening(serve(handle))
    peers = [socket.create_connection(server.address()[::2]) for _ in range(count)]
    assert all_at_work.wait(PATIENCE)
    assert made.count == count
    go_on.set()
    while at_work:
        gevent.sleep(0)
    gevent.sleep(0)
    assert len(made.idle()) == MAX_IDLE_HANDLERS
    for peer in peers:
        peer.close()
