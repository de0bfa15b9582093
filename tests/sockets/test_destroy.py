"""What is emitted after ``destroy``, ``destroySoon`` and ``resetAndDestroy``.

The traces were recorded from a Node server with the same steps.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ..harness.connections import Connection
from ..harness.waiting import tick

Accept = Callable[..., Connection]


# --- destroy ------------------------------------------------------------------------------------


def test_destroy_is_seen_at_once_and_close_comes_later(accept: Accept) -> None:
    def setup(c: Connection) -> None:
        assert c.sock.destroy() is c.sock
        c.note(f'{c.sock.destroyed} {c.sock.closed} {c.sock.ready_state}')
        tick(c.note, 'tick')

    c = accept(setup)
    assert c.until_closed() == ['True True closed', 'tick', 'close False {closed}']
    assert c.peer.recv() == b''


def test_destroy_with_an_error_emits_that_error_once(accept: Accept) -> None:
    first, second = ValueError('first'), ValueError('second')

    def setup(c: Connection) -> None:
        c.sock.on('error', lambda error: c.sock.destroy(second))
        c.sock.destroy(first)
        assert c.sock.errored is first
        c.sock.destroy(second)
        tick(c.note, 'tick')

    c = accept(setup)
    assert c.until_closed() == [
        'error ValueError: first {closed}', 'tick', 'close True {closed}',
    ]
    assert c.sock.errored is first


@pytest.mark.parametrize('value', [0, '', None, False, 0.0])
def test_what_javascript_takes_for_false_is_no_error(accept: Accept, value: Any) -> None:
    c = accept(lambda c: c.sock.destroy(value))
    assert c.until_closed() == ['close False {closed}']


@pytest.mark.parametrize('value', ['text', {}, [], 5])
def test_what_is_no_exception_is_emitted_as_it_is(accept: Accept, value: Any) -> None:
    def setup(c: Connection) -> None:
        c.sock.on('error', c.noting('listener'))
        c.sock.destroy(value)

    c = accept(setup)
    assert c.until_closed() == [
        f'error {value!r} {{closed}}', f'listener {value!r}', 'close True {closed}',
    ]


def test_destroying_in_the_first_data_listener_lets_what_was_buffered_through(
    accept: Accept,
) -> None:
    """As Node does, until the next tick."""
    def setup(c: Connection) -> None:
        c.sock.pause()
        c.sock.on('data', lambda data: c.sock.destroy())

    c = accept(setup)
    c.peer.sendall(b'a')
    c.wait('readable')
    c.peer.sendall(b'b')
    c.wait('readable', 2)
    c.peer.end()
    c.wait('readable', 3)
    c.sock.resume()
    assert c.until_closed()[4:] == [
        'resume {open}', "data b'a' {open}", "data b'b' {closed}", 'close False {closed}']


def test_destroying_at_the_readable_of_the_end_suppresses_the_end(accept: Accept) -> None:
    c = accept(lambda c: c.sock.on('readable', lambda: c.sock.destroy()))
    c.peer.end()
    assert c.until_closed() == ['readable {open}', 'close False {closed}']


def test_buffered_data_stays_readable_after_destroy(accept: Accept) -> None:
    c = accept(lambda c: c.sock.pause())
    c.peer.sendall(b'hello')
    c.wait('readable')
    c.sock.destroy()
    assert c.sock.read() == b'hello'
    assert c.sock.read() is None
    assert c.until_closed() == [
        'pause {open}', 'readable {open}', "data b'hello' {closed}", 'close False {closed}',
    ]


def test_destroy_in_finish_and_in_end(accept: Accept) -> None:
    def setup(c: Connection) -> None:
        c.sock.on('finish', lambda: c.sock.destroy())
        c.sock.end()

    assert accept(setup).until_closed() == [
        'prefinish {readOnly}', 'finish {readOnly}', 'close False {closed}',
    ]


def test_destroy_with_an_error_in_end(accept: Accept) -> None:
    def setup(c: Connection) -> None:
        c.sock.on('error', lambda error: None)
        c.sock.on('end', lambda: c.sock.destroy(ValueError('late')))
        c.sock.resume()

    c = accept(setup)
    c.peer.end()
    assert c.until_closed() == [
        'resume {open}', 'readable {open}', 'end {writeOnly}', 'error ValueError: late {closed}',
        'close True {closed}',
    ]


def test_a_closed_socket_takes_every_call_in_its_stride(accept: Accept) -> None:
    def setup(c: Connection) -> None:
        sock = c.sock
        sock.destroy()
        for result in (
            sock.resume(), sock.pause(), sock.set_no_delay(), sock.set_keep_alive(True, 5000),
            sock.ref(), sock.unref(), sock.set_timeout(5), sock.destroy(),
            sock.reset_and_destroy(), sock.unpipe(), sock.end(),
        ):
            assert result is sock
        assert sock.timeout is None
        assert sock.read() is None
        assert sock.address() is None
        sock.cork()
        sock.uncork()
        sock.destroy_soon()
        sock.close()

    c = accept(setup)
    assert c.until_closed() == ['pause {closed}', 'resume {closed}', 'close False {closed}']


# --- destroySoon, resetAndDestroy ---------------------------------------------------------------


def test_destroy_soon_sends_all_and_does_not_wait_for_the_peer(accept: Accept) -> None:
    def setup(c: Connection) -> None:
        assert c.sock.write(bytes(8_000_000), c.noting('written')) is False
        assert c.sock.destroy_soon() is None
        assert c.sock.ready_state == 'readOnly'
        c.sock.destroy_soon()

    c = accept(setup)
    assert len(c.peer.recv_until_end()) == 8_000_000
    assert c.until_closed() == [
        'written None', 'prefinish {readOnly}', 'finish {readOnly}', 'close False {closed}',
    ]


def test_destroy_soon_after_the_end(accept: Accept) -> None:
    def setup(c: Connection) -> None:
        c.sock.on('finish', c.sock.destroy_soon)
        c.sock.end()

    assert accept(setup).until_closed()[-1] == 'close False {closed}'


def test_reset_and_destroy_is_a_reset_for_the_peer_and_no_error_here(accept: Accept) -> None:
    c = accept(lambda c: c.sock.on('error', c.noting('listener')))
    assert c.sock.reset_and_destroy() is c.sock
    assert c.sock.destroyed
    assert c.sock.reset_and_destroy() is c.sock
    with pytest.raises(ConnectionResetError):
        c.peer.recv()
    assert c.until_closed() == ['close False {closed}']


def test_a_unix_socket_cannot_be_reset(accept: Accept, tmp_path: Any) -> None:
    c = accept(target={'path': str(tmp_path / 's')})
    with pytest.raises(TypeError, match='This handle type cannot be sent') as caught:
        c.sock.reset_and_destroy()
    assert caught.value.code == 'ERR_INVALID_HANDLE_TYPE'  # type: ignore[attr-defined]
    assert not c.sock.destroyed


# --- with something unsent ----------------------------------------------------------------------


@pytest.mark.parametrize('kind', ['ipv4', 'unix'])
def test_after_close_what_was_queued_does_not_count_as_written(
    accept: Accept, kind: str, tmp_path: Any,
) -> None:
    def setup(c: Connection) -> None:
        c.sock.pause()
        c.sock.write(bytes(10_000_000))
        c.sock.write(bytes(200_000))
        c.sock.destroy()
        c.note(str(c.sock.bytes_written))

    c = accept(setup, target={'path': str(tmp_path / 's')} if kind == 'unix' else None)
    assert c.until_closed() == [
        'pause {open}', '10200000', 'close False {closed}']
    assert c.sock.bytes_written == 10_000_000


@pytest.mark.parametrize(('leave', 'code'), [
    (lambda peer: peer.close(), 'EPIPE'), (lambda peer: peer.reset(), 'ECONNRESET'),
], ids=['end', 'reset'])
@pytest.mark.parametrize('verb', ['write', 'end', 'uncork'])
def test_a_write_to_a_peer_that_has_gone_learns_of_that_although_it_is_destroyed(
    accept: Accept, leave: Any, code: str, verb: str,
) -> None:
    c = accept(lambda c: c.sock.pause(), allow_half_open=True)
    leave(c.peer)
    if verb == 'uncork':
        c.sock.cork()
        c.sock.write(bytes(1_000_000), c.noting('written'))
        c.sock.uncork()
    else:
        getattr(c.sock, verb)(bytes(1_000_000), c.noting('written'))
    c.sock.destroy()
    trace = c.until_closed()
    assert f'written {code}: write {code}' in trace
    assert trace[-1] == 'close False {closed}'
