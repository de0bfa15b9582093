"""Connections that are sent to another process."""

from __future__ import annotations

from typing import Any

import gevent
import pytest
from gevent.event import AsyncResult

import gnet
from gnet.proxy_protocol import ProxyHeader

from ..harness.plain import PlainSocket
from ..harness.waiting import PROCESS_PATIENCE
from .common import BLOCKING, BRACKETS, sent, wait_in


@pytest.mark.parametrize('code', [BRACKETS, BLOCKING])
def test_an_accepted_connection_is_served_by_the_child(
    fork: Any, serve: Any, connect: Any, family: Any, code: str,
) -> None:
    child = fork(code)
    closed: list[Any] = []

    def handler(sock: Any) -> None:
        sock.on('close', closed.append)
        child.send('take', sock)
        # As in Node: it is the other process's at once.
        assert not sock.destroyed
        assert sock._handle is None
        assert server._connections == 0

    server = serve(handler, target=family.listen_options, pause_on_connect=True)
    peer = connect(server)
    peer.sendall(b'one')
    assert peer.recv_exactly(5) == b'[one]'
    peer.sendall(b'two')
    assert peer.recv_exactly(5) == b'[two]'
    if code == BRACKETS:
        address = None if family.path else family.host
        assert child.message() == ['take', True, address]
    peer.end()
    assert peer.recv_until_end() == b''
    assert not closed
    assert server._using_workers


def test_what_was_read_before_travels_along(fork: Any, serve: Any, connect: Any) -> None:
    child = fork(BLOCKING)

    def handler(sock: Any) -> None:
        assert sock.recv(4) == b'head'
        gevent.sleep(0)
        while sock.readable_length < 5:
            gevent.sleep(0.001)  # until the rest is in the buffer: that is the case to be tested
        child.send('take', sock)

    server = serve(handler)
    peer = connect(server)
    peer.sendall(b'headbody1')
    assert peer.recv_exactly(7) == b'[body1]'
    peer.end()
    assert peer.recv_until_end() == b''


def test_what_was_in_the_stream_travels_along(fork: Any, serve: Any, connect: Any) -> None:
    child = fork(BLOCKING)

    def readable(sock: Any) -> None:
        sock.remove_all_listeners('readable')
        sock.unshift(b'before ')
        child.send('take', sock)

    server = serve(lambda sock: sock.on('readable', lambda: readable(sock)))
    peer = connect(server)
    peer.sendall(b'text')
    assert peer.recv_exactly(13) == b'[before text]'


def test_half_a_character_travels_along(fork: Any, serve: Any, connect: Any) -> None:
    child = fork(BLOCKING)

    def handler(sock: Any) -> None:
        sock.set_encoding('utf8')
        sock.on('readable', lambda: None)
        sock.read(0)
        while not sock.bytes_read:
            gevent.sleep(0.001)  # until the decoder has it, for which there is no event
        child.send('take', sock)

    server = serve(handler)
    peer = connect(server)
    peer.sendall('ä'.encode()[:1])
    assert peer.recv_exactly(3) == b'[\xc3]'


def test_what_was_still_to_be_written_travels_along(fork: Any, serve: Any, connect: Any) -> None:
    child = fork("""
        import gnet
        gnet.process.on('message', lambda message, sock: sock.end('the end'))
    """)
    written: list[Any] = []
    data = bytes(range(256)) * 40_000  # 10 MB: more than the kernel takes at once

    def handler(sock: Any) -> None:
        sock.write(data, written.append)
        assert sock.writable_length
        child.send('take', sock, lambda error: written.append('sent'))

    server = serve(handler)
    peer = connect(server)
    assert peer.recv_until_end() == data + b'the end'
    assert sorted(map(str, written)) == ['None', 'sent']


def test_an_end_that_was_asked_for_travels_along(fork: Any, serve: Any, connect: Any) -> None:
    child = fork("""
        import gnet
        def take(message, sock):
            gnet.process.send([sock.writable, b''.join(sock).decode()])
        gnet.process.on('message', lambda *args: take(*args))
    """)

    def handler(sock: Any) -> None:
        sock.end(b'x' * 5_000_000)
        child.send('take', sock)

    server = serve(handler, allow_half_open=True)
    peer = connect(server)
    peer.sendall(b'question')
    peer.end()
    assert len(peer.recv_until_end()) == 5_000_000
    assert child.message()[1] == 'question'


def test_a_connection_that_the_program_made(fork: Any, serve: Any) -> None:
    child = fork("""
        import gnet
        gnet.process.on('message', lambda message, sock: sock.end('from the child'))
    """)
    received: AsyncResult[bytes] = AsyncResult()
    server = serve(lambda sock: received.set(b''.join(sock)))
    sock = gnet.connect(server.address().port, '127.0.0.1')
    gnet.once(sock, 'connect', timeout=PROCESS_PATIENCE)
    assert sent(child, 'take', sock) is None
    assert received.get(timeout=PROCESS_PATIENCE) == b'from the child'


def test_sent_twice_it_goes_along_once(fork: Any, serve: Any, connect: Any) -> None:
    child = fork("""
        import gnet
        gnet.process.on('message', lambda message, sock: gnet.process.send(sock is not None))
    """)

    def handler(sock: Any) -> None:
        child.send(1, sock)
        child.send(2, sock)

    server = serve(handler)
    connect(server)
    assert [child.message(), child.message()] == [True, False]


@pytest.mark.parametrize('make', [
    gnet.Socket, gnet.create_server, lambda: gnet.Socket().destroy(),
])
def test_what_has_no_descriptor_is_left_out(fork: Any, make: Any) -> None:
    child = fork("""
        import gnet
        gnet.process.on('message', lambda message, sock: gnet.process.send([message, sock]))
    """)
    assert sent(child, 'text', make()) is None
    assert child.message() == ['text', None]


def test_keep_open_leaves_it_with_both(fork: Any, serve: Any, connect: Any) -> None:
    child = fork("""
        import gnet
        def take(message, sock):
            sock.write('child ', lambda error: gnet.process.send('written'))
        gnet.process.on('message', take)
    """)
    accepted: AsyncResult[Any] = AsyncResult()
    server = serve(accepted.set, pause_on_connect=True)
    peer = connect(server)
    sock = accepted.get(timeout=PROCESS_PATIENCE)
    assert sent(child, 'take', sock, {'keepOpen': True}) is None
    assert child.message() == 'written'
    assert server.get_connections() == 2  # as in Node, each counts
    sock.end('parent')
    assert peer.recv_exactly(12) == b'child parent'
    sock.destroy()
    assert server.get_connections() == 1


@pytest.mark.parametrize('busy', ['reading', 'writing', 'file', 'text'])
def test_a_connection_in_use_is_not_sent(
    fork: Any, serve: Any, connect: Any, busy: str,
) -> None:
    child = fork(BRACKETS)
    outcome: AsyncResult[Any] = AsyncResult()

    def handler(sock: Any) -> None:
        files, others = [], []
        if busy == 'reading':
            others.append(gevent.spawn(wait_in, sock.recv, 1))
        elif busy == 'writing':
            others.append(gevent.spawn(wait_in, sock.sendall, b'x' * 10_000_000))
        elif busy == 'file':
            files.append(sock.makefile('rb'))
        else:
            sock.set_encoding('utf8')
            gnet.once(sock, 'readable', timeout=PROCESS_PATIENCE)
        gevent.sleep(0)
        with pytest.raises(gnet.CodedRuntimeError) as caught:
            child.send('take', sock)
        outcome.set((caught.value.code, sock._handle is not None))
        for file in files:
            file.close()
        sock.destroy()
        gevent.joinall(others)

    server = serve(handler)
    peer = connect(server)
    if busy == 'text':
        peer.sendall(b'text')
    code = 'ERR_TEXT_IS_BUFFERED' if busy == 'text' else 'ERR_SOCKET_IN_USE'
    assert outcome.get(timeout=PROCESS_PATIENCE) == (code, True)


# --- the other side -----------------------------------------------------------------------------


def test_a_listener_that_raises_costs_its_connection_only(
    fork: Any, serve: Any, connect: Any,
) -> None:
    child = fork("""
        import gnet
        def take(message, sock):
            sock.on('error', lambda error: gnet.process.send(str(error)))
            if sock.recv(10) == b'bad':
                raise ValueError('no good')
            sock.sendall(b'good')
        gnet.process.on('message', take)
    """)
    server = serve(lambda sock: child.send('take', sock), pause_on_connect=True)
    for request, answer in ((b'bad', b''), (b'fine', b'good')):
        peer = connect(server)
        peer.sendall(request)
        assert peer.recv_until_end() == answer
    assert child.message() == 'no good'


def test_a_reset_by_the_peer_does_not_end_the_child(fork: Any, serve: Any, connect: Any) -> None:
    child = fork(BRACKETS)
    server = serve(lambda sock: child.send('take', sock), pause_on_connect=True)
    peer = connect(server)
    child.message()
    peer.reset()
    peer = connect(server)
    child.message()
    peer.sendall(b'x')
    assert peer.recv_exactly(3) == b'[x]'


def test_it_may_be_given_to_a_server_of_the_child(fork: Any, serve: Any, connect: Any) -> None:
    child = fork("""
        import gnet
        server = gnet.create_server(lambda sock: sock.sendall(sock.recv(9).upper()))
        gnet.process.on('message', lambda message, sock: server.emit('connection', sock))
    """)
    server = serve(lambda sock: child.send('take', sock), pause_on_connect=True)
    peer = connect(server)
    peer.sendall(b'text')
    assert peer.recv_until_end() == b'TEXT'


def test_the_child_sends_it_back(fork: Any, serve: Any, connect: Any) -> None:
    child = fork("""
        import gnet
        gnet.process.on('message', lambda message, sock: gnet.process.send('back', sock))
    """)
    server = serve(lambda sock: child.send('take', sock), pause_on_connect=True)
    peer = connect(server)
    message, sock = child.message_and_handle()
    assert message == 'back'
    with sock:
        peer.sendall(b'hello')
        assert sock.recv(9) == b'hello'
    assert server.get_connections() == 0


# --- order and number ---------------------------------------------------------------------------


def test_messages_wait_behind_handles_and_send_says_so(
    fork: Any, serve: Any, connect: Any,
) -> None:
    child = fork("""
        import gnet
        gnet.process.on('message', lambda message, sock: gnet.process.send([message, bool(sock)]))
    """)
    answers: list[bool] = []

    def handler(sock: Any) -> None:
        # As in Node: the second that waits says that it is enough.
        answers.extend([child.send(1, sock), child.send(2), child.send(3), child.send(4)])

    server = serve(handler, pause_on_connect=True)
    connect(server)
    assert [child.message() for _ in range(4)] == [[1, True], [2, False], [3, False], [4, False]]
    assert answers == [True, True, False, False]


def test_a_disconnect_waits_for_the_handle(fork: Any, serve: Any, connect: Any) -> None:
    child = fork("""
        import gnet
        gnet.process.on('message', lambda message, sock: sock.end('served'))
    """)

    def handler(sock: Any) -> None:
        child.send(1, sock)
        child.process.disconnect()

    server = serve(handler, pause_on_connect=True)
    peer = connect(server)
    assert peer.recv_until_end() == b'served'
    peer.end()
    assert child.wait() == (0, None)


def test_handles_both_ways_do_not_deadlock(fork: Any, serve: Any, connect: Any) -> None:
    count = 50
    child = fork("""
        import gnet
        gnet.process.on('message', lambda message, sock: gnet.process.send(message, sock))
    """)
    waiting = iter(range(count))
    server = serve(lambda sock: child.send(next(waiting), sock), pause_on_connect=True)
    peers = [connect(server) for _ in range(count)]
    for number in range(count):
        message, sock = child.message_and_handle()
        assert message == number
        sock.destroy()
    for peer in peers:
        assert peer.recv_until_end() == b''


def test_a_thousand_handles_in_a_burst(fork: Any, serve: Any, native: Any) -> None:
    count = 1000
    children = [fork(BLOCKING), fork(BLOCKING)]
    failed: list[Any] = []
    turn = iter(range(count))
    server = serve(
        lambda sock: children[next(turn) % 2].send(
            'take', sock, lambda error: error and failed.append(error)),
        target={'host': '127.0.0.1', 'port': 0, 'backlog': count}, pause_on_connect=True)
    address = tuple(server.address())[::2]

    def client() -> int:
        peers = []
        for _ in range(count):
            peers.append(PlainSocket())
            peers[-1].connect(address)
        answered = 0
        for peer in peers:
            peer.sendall(b'x')
            answered += peer.recv(3) == b'[x]'
            peer.close()
        return answered

    assert native(client) == count
    assert not failed
    assert server.get_connections() == 0


def test_part_of_a_character_travels_along(fork: Any, serve: Any, connect: Any) -> None:
    child = fork("""
        import gnet
        def serve(message, sock):
            sock.on('data', lambda chunk: sock.end(chunk) if b'!' in chunk else sock.write(chunk))
        gnet.process.on('message', serve)
    """)
    read: list[str] = []

    def handler(sock: Any) -> None:
        sock.set_encoding('utf8')

        def heard(text: str) -> None:
            read.append(text)
            child.send('serve', sock)

        sock.on('data', heard)

    peer = connect(serve(handler))
    peer.sendall(b'a\xe2\x82')
    assert peer.recv_exactly(2) == b'\xe2\x82'
    peer.sendall(b'\xac!')
    assert peer.recv_until_end() == b'\xac!'
    assert read == ['a']


@pytest.mark.parametrize('keep_open', [False, True])
def test_what_a_proxy_has_told_travels_along(
    fork: Any, serve: Any, connect: Any, keep_open: bool,
) -> None:
    child = fork("""
        import gnet

        def tell(message, sock):
            proxy = sock.proxy
            gnet.process.send([
                sock.remote_address, sock.remote_port, sock.local_address, sock.local_port,
                proxy.version, proxy.alpn, proxy.source[:2], proxy.peer[:2], sock.getpeername()])
            sock.end()

        gnet.process.on('message', tell)
    """)
    serving = serve(
        lambda sock: child.send('take', sock, keep_open=keep_open), pause_on_connect=True,
        proxy_protocol={'trusted': ['127.0.0.1']})
    peer = connect(serving)
    header = ProxyHeader(
        source=gnet.Address('2001:db8::1', 'IPv6', 5), tlvs=((1, b'h2'),),
        destination=gnet.Address('::1', 'IPv6', 6))
    peer.sendall(header.to_bytes())
    assert child.message() == [
        '2001:db8::1', 5, '::1', 6, 2, 'h2', ['2001:db8::1', 'IPv6'], ['127.0.0.1', 'IPv4'],
        ['2001:db8::1', 5, 0, 0]]
