"""Programs whose clients keep them alive, or fail."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ..harness.scripts import Finished

RunScript = Callable[..., Finished]


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
