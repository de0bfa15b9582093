"""A socket that nobody refers to: collected if blocking calls have used it, else it lives on."""

from __future__ import annotations

import gc
import os
import socket
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import pytest
from gevent.event import AsyncResult

import gnet
from gnet.loop.loop import get_loop
from gnet.testing import Peer

from ..harness.families import Family
from ..harness.leaks import CAN_LIST_DESCRIPTORS
from ..harness.native import Native
from ..harness.waiting import PATIENCE, turn, until
from .forgotten_uses import USES, Service, talked, whose_peer_has_ended


@pytest.fixture
def service(family: Family) -> Iterator[Service]:
    made = Service(family)
    yield made
    made.close()


@pytest.fixture
def local() -> Iterator[Service]:
    made = Service(Family('ipv4', host='127.0.0.1'))
    yield made
    made.close()


def forgets(use: Callable[[], Any]) -> tuple[weakref.ref[Any], int]:
    """Return what had the socket that *use* returns, which nobody has then, and its descriptor."""
    sock = use()
    return weakref.ref(sock), sock.fileno()


def forgets_in_time(use: Callable[[], Any]) -> tuple[weakref.ref[Any], int]:
    """The same, when what is on a tick has had it, too."""
    forgotten, descriptor = forgets(use)
    until(lambda: forgotten() is None)
    return forgotten, descriptor


def is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def holds() -> int:
    return get_loop().held


# --- collected ----------------------------------------------------------------------------------


def test_it_is_closed_as_soon_as_nobody_refers_to_it(service: Service) -> None:
    before = holds()
    gc.disable()  # by counting references alone
    try:
        with pytest.warns(ResourceWarning, match=r'unclosed <gnet\.Socket'):
            forgotten, descriptor = forgets(lambda: talked(service))
    finally:
        gc.enable()
    assert forgotten() is None
    assert not is_open(descriptor)
    assert holds() == before
    assert gnet.run(timeout=PATIENCE) is True
    assert service.ends[0].recv(100) == b''


@pytest.mark.parametrize('use', USES, ids=lambda use: use.__name__)
def test_it_is_collected_whatever_it_was_used_for(
    service: Service, use: Callable[[Service], gnet.Socket],
) -> None:
    before = holds()
    gc.disable()
    try:
        with pytest.warns(ResourceWarning, match='unclosed'):
            forgotten, descriptor = forgets_in_time(lambda: use(service))
    finally:
        gc.enable()
    assert forgotten() is None
    assert not is_open(descriptor)
    assert holds() == before


def test_its_warning_names_the_peer_and_the_line_that_forgot_it(local: Service) -> None:
    with pytest.warns(ResourceWarning) as caught:
        forgets(lambda: talked(local))
    port = local.options['port']
    assert str(caught[0].message) == f'unclosed <gnet.Socket 127.0.0.1:{port}>'
    assert caught[0].filename == __file__


@pytest.mark.filterwarnings('ignore:unclosed:ResourceWarning')
def test_any_number_of_them_leave_no_descriptor(local: Service) -> None:
    forgets(lambda: talked(local))
    local.ends.pop().close()
    if CAN_LIST_DESCRIPTORS:
        before = len(os.listdir('/proc/self/fd'))
    for _ in range(100):
        forgotten, descriptor = forgets(lambda: talked(local))
        assert forgotten() is None
        local.ends.pop().close()
        assert not is_open(descriptor)
    if CAN_LIST_DESCRIPTORS:
        assert len(os.listdir('/proc/self/fd')) == before


def test_one_that_a_cycle_keeps_is_closed_when_that_is_collected(local: Service) -> None:
    class Client:
        def __init__(self) -> None:
            self.myself = self
            self.sock = talked(local)

    gc.collect()
    forgotten, descriptor = forgets(lambda: Client().sock)
    assert is_open(descriptor)
    with pytest.warns(ResourceWarning, match='unclosed'):
        gc.collect()
    assert forgotten() is None
    assert not is_open(descriptor)


def test_one_whose_peer_has_ended_and_that_a_cycle_keeps_is_closed_then(local: Service) -> None:
    def use() -> gnet.Socket:
        sock: Any = whose_peer_has_ended(local)
        turn()
        sock.myself = sock
        return sock

    gc.collect()
    forgotten, descriptor = forgets(use)
    assert is_open(descriptor)
    with pytest.warns(ResourceWarning, match='unclosed'):
        gc.collect()
    assert forgotten() is None
    assert not is_open(descriptor)


@pytest.mark.filterwarnings('ignore:unclosed:ResourceWarning')
def test_it_may_be_forgotten_in_another_thread(local: Service, native: Native) -> None:
    box = [talked(local)]
    descriptor, before = box[0].fileno(), holds()
    native(box.clear)
    until(lambda: not is_open(descriptor))
    assert holds() == before - 1
    assert local.ends[0].recv(1) == b''


@pytest.mark.filterwarnings('ignore:unclosed:ResourceWarning')
def test_what_it_has_still_to_send_is_sent_first(service: Service, native: Native) -> None:
    size = 5_000_000

    def use() -> gnet.Socket:
        sock = talked(service)
        sock.write(bytes(size))
        return sock

    forgotten, descriptor = forgets(use)
    assert forgotten() is not None

    def received() -> int:
        count = 0
        while True:
            chunk = service.ends[0].recv(1 << 20)
            if not chunk:
                return count
            count += len(chunk)

    assert native(received) == size
    assert not is_open(descriptor)


@pytest.mark.filterwarnings('ignore:unclosed:ResourceWarning')
def test_its_idle_time_is_forgotten_with_it(local: Service) -> None:
    forgotten, _ = forgets(lambda: talked(local).set_timeout(1))
    assert forgotten() is None
    turn()
    assert all(timer.expired is None for _, _, timer in get_loop().idle_timers._heap)


@pytest.mark.filterwarnings('ignore:unclosed:ResourceWarning')
def test_the_time_of_its_waits_is_forgotten_with_it(local: Service) -> None:
    def use() -> Any:
        sock = talked(local)
        sock.settimeout(60)
        reading = gevent.spawn(sock.recv, 1)
        turn()
        local.ends[0].sendall(b'x')
        assert reading.get(timeout=PATIENCE) == b'x'
        assert sock._blocking.limit.armed
        return sock

    forgotten, _ = forgets(use)
    until(lambda: forgotten() is None)
    turn()
    assert all(timer.expired is None for _, _, timer in get_loop().idle_timers._heap)


# --- not collected --------------------------------------------------------------------------------


def test_one_that_events_read_lives_on(service: Service, native: Native) -> None:
    got: AsyncResult[bytes] = AsyncResult()

    def use() -> None:
        sock = gnet.connect(service.options)
        sock.on('data', got.set)
        gnet.once(sock, 'connect')

    use()
    gc.collect()
    service.accept().sendall(b'for a listener')
    assert got.get(timeout=PATIENCE) == b'for a listener'
    service.ends[0].shutdown(socket.SHUT_WR)
    assert native(service.ends[0].recv, 1) == b''


@pytest.mark.parametrize('add', ['on', 'once', 'prepend_listener', 'prepend_once_listener'])
@pytest.mark.filterwarnings('ignore:unclosed:ResourceWarning')
def test_one_that_is_read_by_blocking_and_listens_to_end_is_told(
    service: Service, add: str,
) -> None:
    told: AsyncResult[bool] = AsyncResult()

    def use() -> gnet.Socket:
        sock = talked(service)

        def at_end() -> None:
            told.set(True)
            sock.destroy()

        getattr(sock, add)('end', at_end)
        return sock

    forgotten, descriptor = forgets(use)
    gc.collect()
    assert forgotten() is not None
    assert is_open(descriptor)
    service.ends[0].shutdown(socket.SHUT_WR)
    assert told.get(timeout=PATIENCE)
    assert service.ends[0].recv(1) == b''


def test_one_that_is_read_by_blocking_and_listens_to_close_is_told(local: Service) -> None:
    told: AsyncResult[bool] = AsyncResult()
    forgotten, _ = forgets(lambda: talked(local).on('close', told.set))
    gc.collect()
    assert forgotten() is not None
    Peer.on(local.ends[0]).reset()
    assert told.get(timeout=PATIENCE) is True


def test_a_listener_before_the_first_blocking_call_keeps_it(local: Service) -> None:
    told: AsyncResult[BaseException] = AsyncResult()

    def use() -> gnet.Socket:
        sock = gnet.connect(local.options)
        sock.on('error', told.set)
        sock.sendall(b'question')
        return sock

    forgotten, _ = forgets(use)
    gc.collect()
    assert forgotten() is not None
    Peer.on(local.accept()).reset()
    assert isinstance(told.get(timeout=PATIENCE), ConnectionResetError)


def test_one_that_flows_after_blocking_calls_lives_until_its_peer_ends(
    local: Service, native: Native,
) -> None:
    forgotten, descriptor = forgets(lambda: talked(local).resume())
    turn()
    gc.collect()
    assert forgotten() is not None
    local.ends[0].sendall(b'dropped')
    local.ends[0].shutdown(socket.SHUT_WR)
    assert native(local.ends[0].recv, 1) == b''
    until(lambda: not is_open(descriptor))


def test_one_with_a_buffer_of_the_programs_lives_on(local: Service) -> None:
    got: AsyncResult[int] = AsyncResult()

    def use() -> gnet.Socket:
        sock = gnet.connect(
            local.options,
            onread={'buffer': bytearray(100), 'callback': lambda size, buffer: got.set(size)})
        sock.sendall(b'question')
        return sock

    forgets(use)
    gc.collect()
    local.accept().sendall(b'abc')
    assert got.get(timeout=PATIENCE) == 3
    local.ends[0].close()


def test_a_greenlet_that_is_blocked_in_it_keeps_it(service: Service) -> None:
    sock = talked(service)
    reader = gevent.spawn(lambda sock: (sock.recv(100), sock.close())[0], sock)
    del sock
    turn()
    gc.collect()
    service.ends[0].sendall(b'late')
    assert reader.get(timeout=PATIENCE) == b'late'


def test_its_file_keeps_it(local: Service) -> None:
    lines = talked(local).makefile('rb')
    gc.collect()
    local.ends[0].sendall(b'a line\n')
    assert lines.readline() == b'a line\n'
    with pytest.warns(ResourceWarning, match='unclosed'):
        del lines


def test_its_idle_time_is_told_after_blocking_calls(local: Service) -> None:
    told: AsyncResult[Any] = AsyncResult()
    sock = talked(local, timeout=1)
    sock.set_timeout(1)
    sock.on('timeout', lambda: told.set(True))
    assert told.get(timeout=PATIENCE)
    sock.close()


def test_one_that_is_accepted_lives_on_after_its_handler(
    serve: Callable[..., gnet.Server], connect: Callable[[Any], Any],
) -> None:
    peer = connect(serve(lambda sock: sock.on('data', sock.write)))
    turn()
    gc.collect()
    peer.sendall(b'echo')
    assert peer.recv(100) == b'echo'
