"""Clients of gnet against plain listening sockets: events, properties, and the program's life."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import gevent
import pytest
from gevent.event import Event

import gnet

from ..harness.families import Family
from ..harness.native import Peer
from ..harness.scripts import Finished
from .common import PATIENCE, Connection, target_of, turn

Dial = Callable[..., Connection]
RunScript = Callable[..., Finished]

CLOSED_IN_TURN = [
    'readable {open}', 'end {writeOnly}', 'prefinish {closed}', 'finish {closed}',
    'close False {closed}',
]
ENDED = ['prefinish {readOnly}', 'finish {readOnly}']
RESET = ['error ECONNRESET: read ECONNRESET {closed}', 'close True {closed}']


def story(c: Connection) -> list[str]:
    """Return the trace from 'connect' on; what comes before is told by other tests."""
    start = next(n for n, line in enumerate(c.trace) if line.startswith('connect {'))
    assert not any(line.startswith(('data', 'readable', 'end')) for line in c.trace[:start])
    return c.trace[start:]


def hears_errors(c: Connection) -> None:
    c.sock.on('error', lambda error: None)


def flowing(c: Connection) -> None:
    hears_errors(c)
    c.sock.on('data', lambda data: None)


OPEN = ['connect {open}', 'ready {open}']

# --- how the peer behaves -----------------------------------------------------------------------


def test_the_peer_ends_first(dial: Dial, family: Family) -> None:
    c = dial(flowing, family=family)
    c.peer.sendall(b'hello')
    c.peer.end()
    c.until_closed()
    assert story(c) == [*OPEN, "data b'hello' {open}", *CLOSED_IN_TURN]
    assert c.peer.recv() == b''


def test_the_peer_ends_and_a_half_open_client_answers(dial: Dial, family: Family) -> None:
    c = dial(flowing, family=family, allow_half_open=True)
    c.peer.sendall(b'question')
    c.peer.end()
    c.wait('end')
    turn()
    turn()
    assert c.trace[-1] == 'end {writeOnly}'
    c.sock.write(b'ans')
    c.sock.end(b'wer')
    assert c.peer.recv_until_end() == b'answer'
    c.until_closed()
    assert story(c) == [*OPEN, "data b'question' {open}", *CLOSED_IN_TURN]


def test_the_peer_answers_after_the_end_of_the_client(dial: Dial, family: Family) -> None:
    def setup(c: Connection) -> None:
        flowing(c)
        c.sock.end(b'question')

    c = dial(setup, family=family)
    assert c.peer.recv_until_end() == b'question'
    c.peer.sendall(b'answer')
    c.peer.end()
    c.until_closed()
    assert story(c) == [
        'connect {readOnly}', 'ready {readOnly}', *ENDED, "data b'answer' {readOnly}",
        'readable {readOnly}', 'end {closed}', 'close False {closed}',
    ]


@pytest.mark.parametrize('mode', ['reading', 'nobody reads', 'paused'])
def test_a_reset(dial: Dial, mode: str) -> None:
    c = dial({'reading': flowing}.get(mode, hears_errors))
    c.wait('ready')
    turn()
    if mode == 'paused':
        c.sock.pause()
    c.peer.reset()
    c.until_closed()
    assert story(c) == [*OPEN, *(['pause {open}'] if mode == 'paused' else []), *RESET]
    assert isinstance(c.sock.errored, ConnectionResetError)


def test_a_reset_while_writing(dial: Dial) -> None:
    def setup(c: Connection) -> None:
        hears_errors(c)
        c.sock.write(bytes(20_000_000), c.noting('written'))
        c.sock.end(c.noting('ended'))

    c = dial(setup)
    c.wait('ready')
    c.peer.recv(1)
    c.peer.reset()
    c.until_closed()
    assert story(c) == [
        'connect {readOnly}', 'ready {readOnly}', 'error ECONNRESET: read ECONNRESET {closed}',
        'written ECANCELED: write ECANCELED', 'ended ECONNRESET: read ECONNRESET',
        'close True {closed}',
    ]


def test_a_reset_after_data_that_arrives_with_it(dial: Dial) -> None:
    c = dial(flowing)
    c.wait('ready')
    c.peer.plain.send(b'last words')  # no turn of the loop between this
    c.peer.reset()                    # and this
    c.until_closed()
    assert story(c) == [*OPEN, "data b'last words' {open}", *RESET]


def test_a_peer_that_never_reads_holds_up_writing_only(dial: Dial, family: Family) -> None:
    c = dial(flowing, family=family)
    c.wait('ready')
    size = 20_000_000
    assert c.sock.write(bytes(size), c.noting('written')) is False
    turn()
    assert c.sock.writable_need_drain
    assert c.sock.writable_length == size
    c.peer.sendall(b'still here')
    c.wait('data')
    assert 'written' not in ' '.join(c.trace)
    assert len(c.peer.recv_exactly(size)) == size
    c.wait('written')
    assert story(c) == [*OPEN, "data b'still here' {open}", 'drain {open}', 'written None']


def test_one_byte_at_a_time(dial: Dial, family: Family) -> None:
    c = dial(flowing, family=family)
    for number, byte in enumerate(b'abcdefgh', 1):
        c.peer.sendall(bytes([byte]))
        c.wait('data', number)
    c.peer.end()
    c.until_closed()
    assert story(c) == [
        *OPEN, *(f'data {bytes([byte])!r} {{open}}' for byte in b'abcdefgh'), *CLOSED_IN_TURN,
    ]


def test_the_peer_closes_right_after_accept(dial: Dial, family: Family) -> None:
    c = dial(flowing, family=family)
    c.peer.close()
    c.until_closed()
    assert story(c) == [*OPEN, *CLOSED_IN_TURN]


@pytest.mark.parametrize('kind', ['events', 'blocking'])
def test_a_megabyte_and_then_the_end(dial: Dial, family: Family, kind: str) -> None:
    size = 1 << 20
    chunks: list[bytes] = []
    c = dial(
        (lambda c: c.sock.on('data', chunks.append)) if kind == 'events' else None, family=family)
    sending = gevent.spawn(lambda: (c.peer.sendall(bytes(size)), c.peer.close()))
    if kind == 'events':
        c.until_closed()
        assert story(c)[-4:] == CLOSED_IN_TURN[1:]
    else:
        chunks.extend(c.sock)
    sending.get()
    assert sum(map(len, chunks)) == c.sock.bytes_read == size
    assert max(map(len, chunks)) <= 65536


def test_a_megabyte_and_then_the_end_for_a_client_that_reads_late(dial: Dial) -> None:
    c = dial()
    c.wait('ready')
    sending = gevent.spawn(lambda: (c.peer.sendall(bytes(1 << 20)), c.peer.close()))
    c.wait('readable')
    sending.join(0.05)
    # One high-water mark is read ahead, and what the last read brought beyond it.
    assert c.sock.bytes_read < 2 * 65536
    assert c.sock.readable_length == c.sock.bytes_read
    c.sock.resume()
    c.until_closed()
    sending.get()
    assert c.sock.bytes_read == 1 << 20


# --- again and again ----------------------------------------------------------------------------


def test_a_client_connects_again_in_close(dial: Dial, family: Family) -> None:
    c = dial(flowing, family=family)
    heard: list[Any] = []
    c.sock.on('close', lambda had_error: heard.append(
        (had_error, c.sock.bytes_read, c.sock.bytes_written)))
    c.sock.on('close', lambda had_error: len(heard) < 4 and c.sock.connect(c.target))
    peer = c.peer
    for number in range(1, 5):
        c.wait('ready', number)
        if number > 1:
            peer = Peer(c.peer._native, c.peer._native(c.listener.accept)[0])
        c.sock.write(b'x' * number)
        peer.sendall(b'y' * number)
        peer.end()
        assert peer.recv_until_end() == b'x' * number
        peer.close()
        c.wait('close', number)
    assert heard == [(False, number, number) for number in range(1, 5)]
    once = [line for line in story(c)[len(OPEN):] if line.startswith('data')]
    assert once == [f'data {b"y" * number!r} {{open}}' for number in range(1, 5)]


def test_a_client_connects_again_after_a_failure(dial: Dial) -> None:
    c = dial(flowing)
    c.wait('ready')
    c.peer.reset()
    c.until_closed()
    assert (c.sock.errored.code, c.sock.destroyed) == ('ECONNRESET', True)
    c.sock.connect(c.target)
    assert (c.sock.errored, c.sock.destroyed, c.sock.ready_state) == (None, False, 'opening')
    assert (c.sock.bytes_read, c.sock.pending, c.sock.readable_ended) == (0, True, False)
    c.wait('ready', 2)
    c.peer.plain, _ = c.peer._native(c.listener.accept)
    c.peer.end()
    c.wait('close', 2)
    assert c.trace[-len(CLOSED_IN_TURN):] == CLOSED_IN_TURN


# --- properties ---------------------------------------------------------------------------------

#: Section 5 of the reference, by column: new, connecting, connected, after own end(), in 'end'
#: (nothing was ended here), after 'close' of both ends. None stands for what Node leaves undefined.
LIFE: dict[str, tuple[Any, ...]] = {
    'connecting': (False, True, False, False, False, False),
    'pending': (True, True, False, False, False, True),
    'ready_state': ('open', 'opening', 'open', 'readOnly', 'writeOnly', 'closed'),
    'destroyed': (False, False, False, False, False, True),
    'closed': (False, False, False, False, False, True),
    'readable': (True, True, True, True, False, False),
    'writable': (True, True, True, False, True, False),
    'readable_ended': (False, False, False, False, True, True),
    'writable_ended': (False, False, False, True, False, True),
    'writable_finished': (False, False, False, False, False, True),
    'readable_flowing': (None, None, True, True, True, True),
    'readable_aborted': (False, False, False, False, False, False),
    'readable_did_read': (False, False, False, False, False, False),
    'buffer_size': (None, 0, 0, 0, 0, None),
    'writable_length': (0, 0, 0, 0, 0, 0),
    'writable_need_drain': (False, False, False, False, False, False),
    'writable_corked': (0, 0, 0, 0, 0, 0),
    'errored': (None, None, None, None, None, None),
    'timeout': (None, None, None, None, None, None),
    'server': (None, None, None, None, None, None),
    'readable_encoding': (None, None, None, None, None, None),
    'readable_high_water_mark': (65536,) * 6,
    'writable_high_water_mark': (65536,) * 6,
    'bytes_read': (0, 0, 0, 0, 0, 0),
    'bytes_written': (0, 0, 0, 0, 0, 0),
    'allow_half_open': (False,) * 6,
    'auto_select_family_attempted_addresses': (None,) * 6,
}


def test_properties_through_the_life_of_a_client(dial: Dial) -> None:
    seen: dict[str, list[Any]] = {name: [] for name in LIFE}

    def look(sock: Any) -> None:
        for name, values in seen.items():
            values.append(getattr(sock, name))

    look(gnet.Socket())
    ended = dial(lambda c: look(c.sock))
    ended.wait('ready')
    ended.sock.resume()
    look(ended.sock)
    ended.sock.end()
    look(ended.sock)
    half = dial(lambda c: c.sock.on('end', lambda: look(c.sock)).resume())
    half.peer.end()
    half.until_closed()
    look(half.sock)
    assert {name: tuple(values) for name, values in seen.items()} == LIFE


def test_addresses_through_the_life_of_a_client(dial: Dial, family: Family) -> None:
    names = ('local_address', 'local_port', 'local_family', 'remote_address', 'remote_port',
             'remote_family')

    def seen(sock: Any) -> tuple[Any, ...]:
        return tuple(getattr(sock, name) for name in names)

    nothing = (None,) * 6
    c = dial(lambda c: c.note(str(seen(c.sock) == nothing)), family=family)
    assert 'True' in c.trace
    c.wait('ready')
    if family.name == 'unix':
        assert seen(c.sock) == nothing
        assert c.sock.address() is None
    else:
        name = {'ipv4': 'IPv4', 'ipv6': 'IPv6'}[family.name]
        local, remote = c.peer.getpeername(), c.peer.getsockname()
        assert seen(c.sock) == (local[0], local[1], name, remote[0], remote[1], name)
        assert c.sock.address() == (local[0], name, local[1])
    c.sock.destroy()
    assert c.sock.address() is None
    assert seen(c.sock)[:3] == nothing[:3]


def test_properties_when_the_connection_fails(dial: Dial) -> None:
    c = dial()
    c.listener.close()
    failing = Connection(gnet.Socket())
    seen: list[tuple[Any, ...]] = []

    def look(*_: object) -> None:
        sock = failing.sock
        seen.append((sock.connecting, sock.pending, sock.destroyed, sock.ready_state))

    failing.sock.on('connectionAttemptFailed', look)
    failing.sock.on('error', look)
    failing.sock.connect(c.target)
    failing.until_closed()
    assert seen == [(False, False, False, 'open'), (False, True, True, 'closed')]
    assert failing.sock.address() is None


# --- options that were set before ---------------------------------------------------------------

TCP_OPTIONS = [
    (lambda sock: sock.set_no_delay(), socket.IPPROTO_TCP, 'TCP_NODELAY', 1),
    (lambda sock: sock.set_no_delay(True).set_no_delay(False),
     socket.IPPROTO_TCP, 'TCP_NODELAY', 0),
    (lambda sock: sock.set_keep_alive(True), socket.SOL_SOCKET, 'SO_KEEPALIVE', 1),
    (lambda sock: sock.set_keep_alive(True, 7999), socket.IPPROTO_TCP, 'TCP_KEEPIDLE', 7),
    (lambda sock: sock.set_keep_alive(True, 5000), socket.IPPROTO_TCP, 'TCP_KEEPINTVL', 1),
    (lambda sock: sock.set_keep_alive(True, 5000, 3000, 4), socket.IPPROTO_TCP, 'TCP_KEEPCNT', 4),
    (lambda sock: sock.set_keep_alive({'enable': True, 'initialDelay': 9000}),
     socket.IPPROTO_TCP, 'TCP_KEEPIDLE', 9),
]


@pytest.mark.parametrize('moment', ['before connect', 'while connecting', 'in connect', 'after'])
@pytest.mark.parametrize(('set_it', 'level', 'name', 'value'), TCP_OPTIONS)
def test_options_may_be_set_at_any_time(
    dial: Dial, moment: str, set_it: Callable[[Any], Any], level: int, name: str, value: int,
) -> None:
    if moment == 'before connect':
        listening = dial()
        c = Connection(gnet.Socket())
        assert set_it(c.sock) is c.sock
        c.sock.connect(listening.target)
    else:
        c = dial({
            'while connecting': lambda c: set_it(c.sock),
            'in connect': lambda c: c.sock.once('connect', lambda: set_it(c.sock)),
        }.get(moment))
    c.wait('ready')
    if moment == 'after':
        set_it(c.sock)
    assert bool(c.sock.getsockopt(level, getattr(socket, name))) == bool(value)
    if value > 1:
        assert c.sock.getsockopt(level, getattr(socket, name)) == value
    c.sock.destroy()


def test_options_are_in_force_in_connect_and_after_a_reconnect(dial: Dial) -> None:
    seen: list[int] = []
    c = dial(lambda c: c.sock.set_no_delay().on('connect', lambda: seen.append(
        c.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))))
    c.wait('ready')
    c.sock.destroy()
    c.until_closed()
    c.sock.connect(c.target)
    c.wait('ready', 2)
    assert [bool(value) for value in seen] == [True, True]


def test_options_mean_nothing_on_a_unix_socket(dial: Dial, tmp_path: Any) -> None:
    c = dial(lambda c: c.sock.set_no_delay().set_keep_alive(True, 5000),
             family=Family('unix', path=str(tmp_path / 's')))
    c.wait('ready')
    assert c.sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 0


@pytest.mark.parametrize('options', [
    {'no_delay': True}, {'noDelay': 1}, {'keep_alive': True, 'keep_alive_initial_delay': 3000},
])
def test_options_of_gnet_connect_are_applied(
    plain_listener: Callable[..., Any], options: dict[str, Any],
) -> None:
    connected = Event()
    sock = gnet.connect({**target_of(plain_listener()), **options}, connected.set)
    assert connected.wait(PATIENCE)
    if 'keep_alive' in options:
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 3
    else:
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    sock.destroy()


# --- the life of the program --------------------------------------------------------------------

#: A listening socket that is not gnet's, and so does not keep the program alive.
LISTENING = """
    import socket, gnet
    listener = socket.socket()
    listener.bind(('127.0.0.1', 0))
    listener.listen()
    port = listener.getsockname()[1]
"""


def program(text: str) -> str:
    return LISTENING + '\n'.join(f'    {line}' for line in text.splitlines())


@pytest.mark.parametrize('when', [
    'sock = gnet.connect(port, "127.0.0.1").unref()\nsock.on("ready", lambda: print("ready"))',
    'sock = gnet.Socket().unref()\nsock.connect(port, "127.0.0.1", lambda: print("ready"))',
    'sock = gnet.connect(port, "127.0.0.1")\n'
    'sock.on("ready", lambda: print("ready", sock.unref() is sock))',
], ids=['right after', 'before connect', 'in ready'])
def test_a_pending_connect_keeps_the_program_alive_and_an_unrefd_client_does_not(
    run_script: RunScript, when: str,
) -> None:
    done = run_script(program(f'{when}\nsock.on("close", lambda had_error: print("closed"))'))
    assert (done.status, done.stdout.split()[:1], done.stderr) == (0, ['ready'], '')
    assert 'closed' not in done.stdout


def test_a_client_that_is_refd_again_keeps_the_program_alive(run_script: RunScript) -> None:
    done = run_script(program("""
import gevent
sock = gnet.connect(port, '127.0.0.1').unref().ref()
sock.on('close', lambda had_error: print('closed', listener.close()))
sock.on('ready', lambda: gevent.spawn_later(0.2, sock.destroy))
"""))
    assert (done.status, done.stdout, done.stderr) == (0, 'closed None\n', '')


def test_the_program_ends_when_its_clients_are_closed(run_script: RunScript) -> None:
    done = run_script(program("""
sock = gnet.connect(port, '127.0.0.1', lambda: listener.accept()[0].close())
sock.on('close', lambda had_error: print('closed', had_error))
gnet.run()
listener.close()
print('over')
"""))
    assert (done.status, done.stdout, done.stderr) == (0, 'closed False\nover\n', '')


# --- failures -----------------------------------------------------------------------------------


def test_an_error_that_nobody_hears_ends_run_with_it(run_script: RunScript) -> None:
    done = run_script(program("""
listener.close()
sock = gnet.connect(port, '127.0.0.1')
sock.on('close', lambda had_error: print('closed', had_error))
try:
    gnet.run()
except ConnectionRefusedError as error:
    print(error.code, error is sock.errored)
    raise
"""))
    assert done.status == 1
    assert 'ECONNREFUSED True' in done.stdout
    assert 'connect ECONNREFUSED 127.0.0.1' in done.stderr


def test_an_error_that_nobody_hears_is_the_status_of_a_script_without_run(
    run_script: RunScript,
) -> None:
    done = run_script(program("""
listener.close()
gnet.connect(port, '127.0.0.1')
"""))
    assert done.status == 1
    assert 'connect ECONNREFUSED 127.0.0.1' in done.stderr


def test_a_reset_that_nobody_hears_ends_run_with_it(run_script: RunScript) -> None:
    done = run_script(program("""
import struct
def reset():
    plain = listener.accept()[0]
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    plain.close()
gnet.connect(port, '127.0.0.1', reset)
gnet.run()
"""))
    assert done.status == 1
    assert 'read ECONNRESET' in done.stderr


def test_an_error_that_is_heard_is_nobodys_status(run_script: RunScript) -> None:
    done = run_script(program("""
listener.close()
gnet.connect(port, '127.0.0.1').on('error', lambda error: print(error.code))
gnet.run()
"""))
    assert (done.status, done.stdout, done.stderr) == (0, 'ECONNREFUSED\n', '')


@pytest.mark.parametrize('call', ['sock.recv(1)', 'sock.sendall(b"x")', 'next(iter(sock))'])
def test_a_blocking_call_raises_the_failure_and_nothing_is_reported(
    run_script: RunScript, call: str,
) -> None:
    done = run_script(program(f"""
listener.close()
sock = gnet.connect(port, '127.0.0.1')
try:
    {call}
except ConnectionRefusedError as error:
    print(error.code)
gnet.run()
"""))
    assert (done.status, done.stdout, done.stderr) == (0, 'ECONNREFUSED\n', '')


@pytest.mark.parametrize(('event', 'cause'), [
    ('connect', ''), ('ready', ''), ('data', 'plain.send(b"x")'), ('end', 'plain.close()'),
    ('close', 'sock.destroy()'),
])
def test_a_listener_that_raises_ends_run(run_script: RunScript, event: str, cause: str) -> None:
    done = run_script(program(f"""
def bad(*arguments):
    raise LookupError('of mine')
def connected():
    global plain
    plain = listener.accept()[0]
    {cause}
sock = gnet.connect(port, '127.0.0.1', connected)
sock.on({event!r}, bad)
if {event!r} != 'data':
    sock.resume()
try:
    gnet.run()
except LookupError as error:
    print(error)
    raise
"""))
    assert (done.status, done.stdout) == (1, 'of mine\n')
    assert 'LookupError: of mine' in done.stderr.splitlines()
