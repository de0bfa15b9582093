"""Plain peers with bad manners, as the server sees them, and as a client does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import gnet
from gnet.testing import EventRecorder, Kit, Listener, Peer, wait_until

from ..harness.families import Family

EVENTS = ('data', 'end', 'error', 'close')


@pytest.fixture
def accepted(serve: Callable[..., gnet.Server], family: Family) -> Callable[[], Any]:
    """``accepted()`` returns a peer, and a recorder of its connection."""
    recorders: list[EventRecorder] = []

    def accepted(**options: Any) -> tuple[Peer, EventRecorder, gnet.Server]:
        server = serve(
            lambda sock: recorders.append(EventRecorder(sock, *EVENTS)),
            target=family.listen_options, **options)
        peer = Peer(server)
        wait_until(lambda: recorders)
        return peer, recorders.pop(), server

    return accepted


def test_a_reset(accepted: Any, family: Family) -> None:
    peer, events, _ = accepted()
    peer.sendall(b'hello')
    events.wait_for('data')
    peer.reset()
    if family.name == 'unix':
        events.expect(('data', b'hello'), 'end', ('close', False))
    else:
        events.expect(('data', b'hello'), ('error', 'ECONNRESET'), ('close', True))


def test_a_half_close(serve: Any, family: Family) -> None:
    def answer(sock: gnet.Socket) -> None:
        sock.sendall(b''.join(sock))

    with Peer(serve(answer, target=family.listen_options)) as peer:
        peer.sendall(b'question')
        peer.end()
        assert peer.recv_until_end() == b'question'
        assert not peer.is_reset()


def test_one_byte_at_a_time(accepted: Any) -> None:
    peer, events, _ = accepted()
    with peer:
        peer.drip(b'GET /')
        peer.end()
        events.expect(('data', b'GET /'), 'end', ('close', False))


def test_one_that_never_reads(serve: Any, family: Family) -> None:
    sockets: list[gnet.Socket] = []
    with Peer(serve(sockets.append, target=family.listen_options), receive_buffer=1) as peer:
        wait_until(lambda: sockets)
        [sock] = sockets
        while sock.write(bytes(1 << 20)):
            pass
        assert sock.writable_length
        assert peer.recv_exactly(10) == bytes(10)
        sock.destroy()
        assert not peer.is_reset()


def test_one_that_sends_without_end_is_held_by_back_pressure(serve: Any, family: Family) -> None:
    def deaf(sock: gnet.Socket) -> None:
        sock.pause()

    server = serve(deaf, target=family.listen_options, high_water_mark=1000)
    with Peer(server) as peer:
        sent = peer.flood()
        assert 0 < sent < 1 << 26


def test_a_client_meets_a_listener_that_resets(family: Family) -> None:
    where: Any = {'path': family.path} if family.path else {'host': family.host}
    with Listener(**where) as listener:
        address = listener.address()
        sock = gnet.connect(address) if family.path else gnet.connect(address[1], address[0])
        events = EventRecorder(sock, *EVENTS)
        with listener.accept() as peer:
            sock.write(b'hello?')
            assert peer.recv_until(b'?') == b'hello?'
            peer.sendall(b'wait')
            events.wait_for('data')
            peer.reset()
        wait_until(lambda: sock.destroyed)
        assert events.lines()[0] == "data b'wait'"
    with pytest.raises(OSError, match=r'refused|No such file'):
        Peer(address)


def test_patience_is_limited(family: Family) -> None:
    where: Any = {'path': family.path} if family.path else {'host': family.host}
    with Listener(**where, patience=0.01) as listener:
        with pytest.raises(TimeoutError, match=r'nothing for 0\.01 seconds'):
            listener.accept()
        with Peer(listener, patience=0.01) as peer, listener.accept(), pytest.raises(TimeoutError):
            peer.recv()


def test_paths_may_be_of_pathlib(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp('u') / 's'
    with Listener(path=path) as listener, Peer(path) as peer, listener.accept() as accepted:
        peer.sendall(b'hello')
        assert accepted.recv_exactly(5) == b'hello'
    assert not path.exists()
    with Kit() as kit:
        kit.server(path=path)
        assert kit.client(path).remote_address is None


def test_what_is_no_address_is_refused() -> None:
    for wrong in (None, 1.5, True):
        with pytest.raises(gnet.CodedTypeError):
            Peer(wrong)
    with pytest.raises(gnet.CodedTypeError):
        Peer(gnet.create_server())
