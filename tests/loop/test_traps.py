"""The traps of gevent's loops that abort, hang or burn a process: each is shown to be avoided.

The numbers are those of ``docs/gevent.md``, which says what each trap costs, and where those are
tested that are not here. What can abort a process is tried in one of its own.
"""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Callable
from typing import Any

import gevent
import gevent.event
import pytest

import gnet
from gnet.loop.loop import Loop
from gnet.sockets.wire import DescriptorWire

from ..harness.leaks import holds
from ..harness.plain import PlainSocket
from ..harness.waiting import PATIENCE, until

Run = Callable[..., Any]


# --- T1: libuv ignores ref=False ----------------------------------------------------------------


REFS = """
    import sys, gevent, gnet, socket
    what, calls, seconds = sys.argv[1:]
    sockets = []
    server = gnet.create_server(lambda sock: sockets.append(sock.on('data', print)))
    server.listen(0, '127.0.0.1')
    gnet.once(server, 'listening')
    if what == 'socket':
        client = socket.socket()
        client.setblocking(False)
        client.connect_ex(('127.0.0.1', server.address().port))
        while not sockets:
            gevent.sleep(0.001)
        server.close()
    for name in calls.split():
        getattr(sockets[0] if what == 'socket' else server, name)()
    print(gnet.run(timeout=float(seconds)))
"""


@pytest.mark.parametrize('what', ['server', 'socket'])
def test_t1_unref_works_on_every_loop(run_script: Run, what: str) -> None:
    assert run_script(REFS, what, 'unref', '15') == (0, 'True\n', '')


@pytest.mark.parametrize(('what', 'calls'), [
    ('server', 'unref ref'), ('socket', 'unref ref unref ref'),
])
def test_t1_what_is_referenced_holds_the_program(
    run_script: Run, what: str, calls: str,
) -> None:
    assert run_script(REFS, what, calls, '0.3') == (0, 'False\n', '')


# --- T2: a descriptor that is closed under its watcher ------------------------------------------


def test_t2_closing_at_once_does_not_abort(run_script: Run) -> None:
    """A socket is destroyed before the loop has polled its watchers, in every order there is."""
    status, out, err = run_script("""
        import os, socket, gevent, gnet
        actions = [
            lambda s: s.destroy(),
            lambda s: (s.write(bytes(20_000_000)), s.destroy()),
            lambda s: (s.pause(), s.resume(), s.destroy()),
            lambda s: s.reset_and_destroy(),
            lambda s: os.close(s.detach()),
            lambda s: (s.write(bytes(20_000_000)), os.close(s.detach())),
            lambda s: s.close(),
            lambda s: (s.on('data', print), s.off('data', print), s.destroy()),
        ]
        done = []

        def handler(sock):
            sock.on('error', lambda error: None)
            actions[len(done)](sock)
            done.append(sock)
            # The number is free now and is taken at once: a stale watcher would be deaf or wake
            # the wrong one.
            spare.append(socket.socketpair())

        spare = []
        server = gnet.create_server(handler).listen(0, '127.0.0.1')
        gnet.once(server, 'listening')
        for number in range(len(actions)):
            with socket.socket() as client:
                client.setblocking(False)
                client.connect_ex(('127.0.0.1', server.address().port))
                while len(done) <= number:
                    gevent.sleep(0.001)
            gevent.sleep(0.001)
        for pair in spare:
            for end in pair:
                end.close()
        server.close()
        print(gnet.run(timeout=10), len(done))
    """)
    assert (status, out, err) == (0, 'True 8\n', '')


# --- T3: a blocking listening socket ------------------------------------------------------------


def test_t3_a_blocking_listener_is_made_non_blocking(serve: Any, native: Any) -> None:
    listener = PlainSocket()
    listener.bind(('127.0.0.1', 0))
    listener.listen()
    listener.setblocking(True)
    server = gnet.create_server(lambda sock: sock.end(b'hello'))
    server.listen(listener)
    gnet.once(server, 'listening', timeout=PATIENCE)

    def client() -> bytes:
        with PlainSocket() as plain:
            plain.settimeout(PATIENCE)
            plain.connect(server.address()[::2])  # type: ignore[index]
            return bytes(plain.recv(10))

    try:
        assert native(client) == b'hello'
        start = time.monotonic()
        gevent.sleep(0.01)
        assert time.monotonic() - start < PATIENCE / 2
        assert native(client) == b'hello'
    finally:
        server.stop(0)


# --- T6: a watcher left on what nobody reads ----------------------------------------------------


def quiet(loop_callbacks: Callable[[], int]) -> int:
    """Return how many callbacks the hub makes while nothing happens for a tenth of a second."""
    gevent.sleep(0.02)
    before = loop_callbacks()
    gevent.sleep(0.1)
    return loop_callbacks() - before


@pytest.fixture
def callbacks(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """Count the calls that the hub makes for sockets."""
    count = [0]

    def counted(kind: type, name: str) -> None:
        original = getattr(kind, name)

        def call(self: Any, *args: Any) -> Any:
            count[0] += 1
            return original(self, *args)

        monkeypatch.setattr(kind, name, call)

    counted(DescriptorWire, 'on_readable')
    counted(gnet.Socket, '_writable_again')
    return lambda: count[0]


def unread(sock: Any, peer: Any) -> None:
    peer.sendall(bytes(200_000))
    until(lambda: sock.bytes_read >= 65536)


def paused_unread(sock: Any, peer: Any) -> None:
    sock.pause()
    unread(sock, peer)


def blocked_unread(sock: Any, peer: Any) -> None:
    sock.settimeout(0.01)
    with pytest.raises(socket.timeout):
        sock.recv(1)
    unread(sock, peer)


def ended(sock: Any, peer: Any) -> None:
    sock.allow_half_open = True
    sock.resume()
    peer.end()
    until(lambda: sock.readable_ended)


def hung_up(sock: Any, peer: Any) -> None:
    """Both directions are closed by the peer, which the kernel reports for ever (EPOLLHUP)."""
    ended(sock, peer)
    sock.write(b'x')
    peer.close()
    sock.cork()


def hung_up_while_paused(sock: Any, peer: Any) -> None:
    paused_unread(sock, peer)
    peer.reset()


def stalled_write(sock: Any, peer: Any) -> None:
    sock.write(bytes(20_000_000))


def idle(sock: Any, peer: Any) -> None:
    sock.resume()


@pytest.mark.parametrize('state', [
    unread, paused_unread, blocked_unread, ended, hung_up, hung_up_while_paused, stalled_write,
    idle,
])
@pytest.mark.parametrize('pause_on_connect', [False, True])
def test_t6_nothing_spins(
    serve: Any, connect: Any, callbacks: Callable[[], int], state: Callable[[Any, Any], None],
    pause_on_connect: bool,
) -> None:
    sockets: list[Any] = []
    over = gevent.event.Event()

    def handler(sock: Any) -> None:
        sock.on('error', lambda error: None)
        sockets.append(sock)
        over.wait()

    server = serve(handler, pause_on_connect=pause_on_connect)
    peer = connect(server)
    until(lambda: sockets)
    if pause_on_connect and state in (unread, paused_unread, hung_up_while_paused):
        peer.sendall(bytes(200_000))
        if state is hung_up_while_paused:
            peer.reset()
    else:
        state(sockets[0], peer)
    used = time.process_time()
    assert quiet(callbacks) <= 2
    # The loop itself must not turn either (a watcher of gevent's own, say).
    assert time.process_time() - used < 0.09
    over.set()


# --- T7: an exception in a callback of the hub --------------------------------------------------


@pytest.mark.parametrize('name', ['on_readable', 'writable_again'])
def test_t7_a_failure_in_the_hub_is_reported_and_costs_no_other_connection(
    serve: Any, connect: Any, native: Any, hub_reports: list[Any], name: str,
) -> None:
    sockets: list[Any] = []
    server = serve(lambda sock: sockets.append(sock.on('error', lambda error: None).pipe(sock)))
    first, second = connect(server), connect(server)
    until(lambda: len(sockets) == 2)
    victim = sockets[0] if sockets[0].remote_port == first.getsockname()[1] else sockets[1]

    def fail(*args: Any) -> None:
        raise MemoryError

    if name == 'on_readable':
        class Broken:
            def __getattr__(self, name: str) -> Any:
                return getattr(real, name)

            recv = fail

        real, victim._wire.sock = victim._wire.sock, Broken()
        first.sendall(b'x')
    else:
        victim.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        victim.write(bytes(20_000_000))
        victim._continue_sending = fail

        def read() -> None:
            while first.plain.recv(65536):
                pass

        reading = native.start(read)
    until(lambda: hub_reports)
    until(lambda: victim.destroyed)
    if name == 'writable_again':
        reading.get(PATIENCE)  # the descriptor is closed after the test
    assert [type(error) for _, error in hub_reports] == [MemoryError]
    second.sendall(b'x')
    assert second.recv_exactly(1) == b'x'


def test_t7_ctrl_c_in_a_callback_of_the_hub_loses_no_socket(
    serve: Any, connect: Any, native: Any, monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A program may catch it and go on; Python raises it wherever it is, so in the hub, too."""
    sockets: list[Any] = []
    server = serve(lambda sock: sockets.append(sock.set_timeout(60_000).pipe(sock)))
    peer = connect(server)
    until(lambda: sockets)
    now = Loop.now
    interrupts = [KeyboardInterrupt()]

    def interrupted() -> float:  # others ask for the time, too
        if interrupts and sys._getframe(1).f_code is DescriptorWire.on_readable.__code__:
            raise interrupts.pop()
        return now()

    monkeypatch.setattr(Loop, 'now', staticmethod(interrupted))
    monkeypatch.setattr(gevent.get_hub(), 'print_exception', lambda *args: None)
    native.start(peer.plain.sendall, b'x')
    with pytest.raises(KeyboardInterrupt):
        gevent.sleep(PATIENCE)
    peer.sendall(b'y')
    assert peer.recv_exactly(1) == b'y'


def test_t7_callbacks_that_come_after_the_closing_do_nothing(serve: Any, connect: Any) -> None:
    """gevent looks for signals right before it calls back: Ctrl-C may close everything there."""
    sockets: list[Any] = []
    server = serve(lambda sock: sockets.append(sock.resume()))
    connect(server)
    until(lambda: sockets)
    sockets[0].write(bytes(20_000_000))
    sockets[0].end()
    sockets[0].destroy()
    gevent.get_hub().loop.run_callback(sockets[0]._wire.on_readable)
    gevent.get_hub().loop.run_callback(sockets[0]._writable_again)
    gnet.once(sockets[0], 'close', timeout=PATIENCE)


# --- T8: blocking in the hub --------------------------------------------------------------------


def test_t8_a_blocking_call_in_the_hub_says_so(
    serve: Any, connect: Any, hub_reports: list[Any],
) -> None:
    sockets: list[Any] = []
    server = serve(sockets.append)
    connect(server)
    until(lambda: sockets)
    gevent.get_hub().loop.run_callback(sockets[0].recv, 10)
    until(lambda: hub_reports)
    assert type(hub_reports[0][1]).__name__ == 'BlockingSwitchOutError'
    sockets[0].on('data', print)  # and it is in order
    sockets[0].off('data', print)


def test_t8_closing_never_blocks_even_in_the_hub(serve: Any, connect: Any) -> None:
    sockets: list[Any] = []
    server = serve(sockets.append)
    connect(server)
    until(lambda: sockets)
    hub = gevent.get_hub()
    hub.loop.run_callback(sockets[0].write, b'x')
    hub.loop.run_callback(sockets[0].end)
    hub.loop.run_callback(sockets[0].destroy)
    hub.loop.run_callback(server.close)
    gnet.once(server, 'close', timeout=PATIENCE)


# --- T9: the loop's own time stands still -------------------------------------------------------


def test_t9_run_waits_as_long_as_it_was_told_to(run_script: Run) -> None:
    status, out, err = run_script("""
        import time, gnet
        server = gnet.create_server().listen(0, '127.0.0.1')
        gnet.once(server, 'listening')
        end = time.monotonic() + 0.5
        while time.monotonic() < end:
            pass  # the loop's own time stands still
        start = time.monotonic()
        assert gnet.run(timeout=0.3) is False
        assert time.monotonic() - start > 0.29, time.monotonic() - start
    """)
    assert (status, out, err) == (0, '', '')


# --- what is left when all is closed ------------------------------------------------------------


def test_nothing_is_held_when_all_is_closed(serve: Any, connect: Any) -> None:
    before = holds()
    server = serve(lambda sock: sock.pipe(sock))
    peers = [connect(server) for _ in range(5)]
    until(lambda: server._connections == 5)
    assert holds() == before + 6
    for peer in peers:
        peer.end()
    until(lambda: server._connections == 0)
    server.close()
    assert holds() == before
