"""What a peer may do to an established connection: ask for more, forge, flood, stall."""

from __future__ import annotations

import hashlib
import ssl
import struct
import sys
from collections.abc import Callable
from typing import Any

import pytest
from gevent import monkey

from gnet import tls

from ..harness.authority import authority
from ..harness.connections import Connection, code, target_of
from ..harness.memory import resident
from ..harness.tls_peers import TlsPeer, client_context
from ..harness.waiting import PATIENCE, PROCESS_PATIENCE, until
from .programs import Files, Gnutls, OpenSSL, Programs

Serve = Callable[..., Any]
Accept = Callable[..., Connection]
ConnectTls = Callable[..., Connection]


#: Which blocks, also in a process that was patched.
native_select: Any = monkey.get_original('select', 'select')


def reading(c: Connection) -> None:
    """Have a connection read, and note what comes."""
    c.sock.on('error', lambda error: None)
    c.sock.resume()


def upper_case(sock: Any) -> None:
    sock.on('error', lambda error: None)
    sock.on('data', lambda data: sock.write(bytes(data).upper()))


# --- what is asked for in between -----------------------------------------------------------------


def test_a_client_may_not_renegotiate(serve_tls: Serve, programs: Programs, files: Files) -> None:
    server = serve_tls(upper_case)
    # Without -brief it obeys: R is "renegotiate".
    command = OpenSSL.client(files, target_of(server), 'TLSv1.2')
    client = programs.start([each for each in command if each != '-brief'])
    client.wait_for('Verify return code: 0')
    client.write('hello\n')
    client.wait_for('HELLO')
    client.write('R\n')
    client.wait_for('RENEGOTIATING')
    client.wait_for('no renegotiation')
    assert client.wait().status != 0
    until(lambda: server.get_connections() == 0)


def test_gnutls_may_not_renegotiate(serve_tls: Serve, programs: Programs, files: Files) -> None:
    server = serve_tls(upper_case)
    client = programs.start(
        Gnutls.client(files, target_of(server), 'TLSv1.2', more=['--inline-commands']))
    client.wait_for('Simple Client Mode')
    client.write('^renegotiate^\n')
    client.wait_for('(?i)error|renegotiation')
    assert 'Handshake was completed' not in client.wait().stdout.split('Simple Client Mode')[1]
    until(lambda: server.get_connections() == 0)


def test_a_client_does_not_renegotiate_for_a_server(
    programs: Programs, files: Files, certified: Any,
) -> None:
    own = files.own(certified)
    # Without -rev it obeys.
    command = ['openssl', 's_server', '-accept', '127.0.0.1:0', '-cert', own, '-key', own,
               '-tls1_2']
    port = int(programs.serve(command, r'^ACCEPT.*:(\d+)')[1])
    c = Connection(tls.connect(port, '127.0.0.1', ca=authority().cert, servername='localhost'))
    c.sock.on('error', lambda error: None)
    c.wait('secureConnect')
    programs.last.write('r\n')
    programs.last.wait_for('(?i)no renegotiation|error|DONE')
    assert sum(line.startswith('secure ') for line in c.trace) == 1
    c.sock.destroy()


@pytest.mark.parametrize('command', ['K', 'k'], ids=['both keys', 'its key'])
def test_keys_are_changed_when_the_peer_asks(
    serve_tls: Serve, programs: Programs, files: Files, command: str,
) -> None:
    server = serve_tls(upper_case)
    client = programs.start([
        each for each in OpenSSL.client(files, target_of(server), 'TLSv1.3') if each != '-brief'])
    client.wait_for('Verify return code: 0')
    for line in ('one', 'two', 'three'):
        client.write(f'{command}\n')
        client.wait_for('KEYUPDATE')
        client.write(f'{line}\n')
        client.wait_for(line.upper())
    assert client.wait().status == 0


# --- records --------------------------------------------------------------------------------------


def record(payload: bytes, kind: int = 23) -> bytes:
    return bytes([kind]) + b'\x03\x03' + struct.pack('>H', len(payload)) + payload


#: What comes instead of a record of the peer's.
FORGED: dict[str, bytes] = {
    'a long record': b'\x17\x03\x03\xff\xff' + bytes(100),
    'a record a byte too long': record(bytes(16384 + 257)),
    'an empty record': record(b''),
    'many empty records': record(b'') * 10_000,
    'a record of zeros': record(bytes(64)),
    'an alert in the open': record(b'\x02\x28', 21),
    'a farewell in the open': record(b'\x01\0', 21),
    'a handshake in the open': record(b'\x01\0\0\0', 22),
    'many changes of cipher': record(b'\x01', 20) * 1000,
    'another version': b'\x17\x02\x00\x00\x10' + bytes(16),
    'a request of HTTP': b'GET / HTTP/1.1\r\n\r\n',
}


@pytest.mark.parametrize('version', [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize('forged', FORGED)
def test_a_forged_record_ends_the_connection(
    accept_tls: Accept, forged: str, version: ssl.TLSVersion,
) -> None:
    c = accept_tls(
        reading, context=client_context(minimum_version=version, maximum_version=version))
    c.peer.sendall(b'true')
    c.wait("data b'true'")
    c.peer.peer.sendall(FORGED[forged])
    trace = c.until_closed()
    assert code(c.sock.errored).startswith('ERR_SSL_'), c.sock.errored
    assert [line for line in trace if line.startswith('data')] == ["data b'true' {open}"]
    assert not any(line.startswith('end') for line in trace)
    assert trace[-1].startswith('close True')


@pytest.mark.parametrize('what', ['again', 'swapped', 'without the first'])
@pytest.mark.parametrize('is_blocking', [False, True])
def test_records_count_once_and_in_their_order(
    accept_tls: Accept, what: str, is_blocking: bool,
) -> None:
    received: list[bytes] = []

    def setup(c: Connection) -> None:
        if is_blocking:
            for chunk in c.sock:
                received.append(chunk)
        else:
            c.sock.on('error', lambda error: None)
            c.sock.on('data', received.append)

    c = accept_tls(setup)
    first, second = c.peer.ciphertext(b'first'), c.peer.ciphertext(b'second')
    c.peer.peer.sendall({
        'again': first + first, 'swapped': second + first, 'without the first': second}[what])
    c.until_closed()
    assert code(c.sock.errored) == 'ERR_SSL_DECRYPTION_FAILED_OR_BAD_RECORD_MAC'
    assert received == ([b'first'] if what == 'again' else [])


@pytest.mark.parametrize('call', ['recv', 'recv_into', 'read'])
def test_what_was_forged_while_the_program_was_busy_is_met_by_its_next_read(
    accept_tls: Accept, call: str,
) -> None:
    """Which finds it in the kernel by itself: the loop has not run meanwhile."""
    c = accept_tls()
    c.sock.on('error', lambda error: None)
    c.sock.settimeout(PATIENCE)
    c.peer.sendall(b'true')
    assert c.sock.recv(100) == b'true'
    # Straight to the kernel, and waited for without the loop.
    c.peer.peer.plain.send(FORGED['a record of zeros'])
    readable, _, _ = native_select([c.sock.fileno()], [], [], PATIENCE)
    assert readable
    read = {
        'recv': lambda: c.sock.recv(100), 'recv_into': lambda: c.sock.recv_into(bytearray(100)),
        'read': lambda: c.sock.makefile('rb').read(100)}[call]
    with pytest.raises(ssl.SSLError):
        read()
    assert c.sock.destroyed


def test_a_reset_behind_data_loses_none_of_it(accept_tls: Accept) -> None:
    c = accept_tls(reading)
    c.peer.sendall(b'the last words')
    c.wait("data b'the last words'")
    c.peer.peer.reset()
    trace = c.until_closed()
    assert code(c.sock.errored) == 'ECONNRESET'
    assert trace[-1].startswith('close True')


# --- memory ---------------------------------------------------------------------------------------

#: Bytes that go each way.
BULK = 50_000_000

#: Bytes by which the process may grow: what waits on the way (up to the high-water marks, and as
#: ciphertext) is some hundred KB; the rest is what Python needs when it runs code the first time.
TOLERANCE = 8 << 20

SERVER = """
    import hashlib, sys
    import gevent, gnet
    from gevent.fileobject import FileObject
    from gnet import tls

    BULK, BLOCK = int(sys.argv[2]), bytes(range(256)) * 256
    told = FileObject(sys.stdin.fileno(), 'rb')

    def serve(sock):
        digest, left = hashlib.sha256(), [BULK]

        def write():
            while left[0] > 0:
                block = BLOCK[:left[0]]
                left[0] -= len(block)
                if not sock.write(block):
                    break

        def read_when_told():
            told.readline()
            sock.on('data', digest.update)
            sock.resume()

        sock.pause()
        sock.on('drain', write)
        sock.on('end', lambda: print('received', digest.hexdigest(), flush=True))
        sock.on('close', lambda had_error: print('closed', had_error, flush=True))
        write()
        gevent.spawn(read_when_told)
        print('stalled', flush=True)

    with open(sys.argv[1]) as own:
        pem = own.read()
    server = tls.create_server(serve, key=pem, cert=pem, allow_half_open=True)
    server.listen(0, '127.0.0.1')
    gnet.once(server, 'listening')
    print('port', server.address().port, flush=True)
"""


@pytest.mark.skipif(not sys.platform.startswith('linux'), reason='/proc is read')
@pytest.mark.timeout(120)
def test_slow_readers_cost_no_memory(
    start_script: Any, files: Files, certified: Any, native: Any, connect: Any,
) -> None:
    """Neither what the peer does not read piles up, nor what the program does not."""
    server = start_script(SERVER, files.own(certified), str(BULK))
    pid = server.process.pid
    port = int(server.wait_for(r'port (\d+)')[1])
    peer = TlsPeer(
        native, connect(('127.0.0.1', port)), client_context(), server_hostname='localhost')
    peer.peer.plain.settimeout(2 * PROCESS_PATIENCE)
    peer.shake()
    server.wait_for('stalled')
    before, sizes = resident(pid), []
    block, expected, pushed = bytes(range(256)) * 256, hashlib.sha256(), [0]

    def flood() -> None:
        while pushed[0] < BULK:
            piece = block[:BULK - pushed[0]]
            expected.update(piece)
            peer._send(piece)
            pushed[0] += len(piece)
        peer._notify()

    flooding = native.start(flood)
    until_it_stands(lambda: pushed[0])
    assert pushed[0] < BULK, 'the server has taken what nobody reads'
    sizes.append(resident(pid))
    server.write('read\n')
    flooding.get(timeout=2 * PROCESS_PATIENCE)
    assert server.wait_for(r'received (\w+)')[1] == expected.hexdigest()
    # What the server has to say was never read until now.
    received, count = hashlib.sha256(), 0
    while count < BULK:
        sizes.append(resident(pid))
        chunk = peer.recv_exactly(min(BULK // 10, BULK - count))
        assert chunk
        received.update(chunk)
        count += len(chunk)
    assert received.hexdigest() == expected.hexdigest()
    assert max(sizes) - before < TOLERANCE, [size - before for size in sizes]
    peer.close()


def until_it_stands(value: Callable[[], int]) -> None:
    """Wait until *value* is above 0, and the same each time that it is asked for, often."""
    seen = [0, 0]

    def stands() -> bool:
        now = value()
        seen[:] = [now, seen[1] + 1 if now == seen[0] and now else 0]
        return seen[1] > 300

    until(stands, 2 * PATIENCE)
