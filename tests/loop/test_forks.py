"""A forked child has copies of what its parent has open, and uses none of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Run = Callable[..., Any]

#: A program with a server, a client of it, and a pipe by which a child is told to end.
PARENT = """
import gc, os, sys, multiprocessing, subprocess
import gevent, gevent.os, gevent.socket, gevent.subprocess, gnet
from gevent import monkey

Plain = monkey.get_original('socket', 'socket')
close = monkey.get_original('os', 'close')

def apply(*call):
    return gevent.get_hub().threadpool.apply(*call)

reader, writer = os.pipe()

def say(*words):
    os.write(1, (' '.join(map(str, words)) + '\\n').encode())  # at once: others write, too

def handler(sock):
    for chunk in sock:
        sock.sendall(str(os.getpid()).encode())

def wait_for_parent():
    '''Let the hub run until the parent is through.'''
    close(writer)
    gevent.socket.wait_read(reader)

def in_child(function, how):
    '''Call it in a child that is forked so; return what waits for its end.'''
    # By a pipe: gevent may have taken the status. And it ends when it is told to: of a child that
    # ends before gevent looks after it, gevent does not hear.
    over, end = os.pipe()
    may_end, let_end = os.pipe()
    def main():
        try:
            function()
            sys.stderr.flush()
            os.write(end, b'through')
        except BaseException:
            sys.excepthook(*sys.exc_info())
        close(end)
        os.read(may_end, 1)
        os._exit(0)
    process = None
    if how == 'multiprocessing':
        process = multiprocessing.get_context('fork').Process(target=main)
        process.start()
    elif not eval(how)():
        main()
    close(end)
    def wait():
        said = apply(monkey.get_original('os', 'read'), (over, 100))
        os.write(let_end, b'x')
        # Or it would be waited for when the program ends, by a waitpid() of gevent's that may not
        # come back: T21.
        while process is not None and process.is_alive():
            gevent.sleep(0.001)
        return said
    return wait

def ask(sock, word=b'who'):
    sock.sendall(word)
    return sock.recv(100)

def dial(target=None):
    family = gevent.socket.AF_INET if target is None else gevent.socket.AF_UNIX
    sock = Plain(family, gevent.socket.SOCK_STREAM)
    sock.settimeout(20)
    sock.connect(target or ('127.0.0.1', port))
    return sock

def one_client(target=None):
    with dial(target) as sock:
        return ask(sock)

server = gnet.create_server(handler).listen(0)
port = server.address().port
by_path = gnet.create_server(handler).listen('x.sock')
"""

FORKS = pytest.mark.parametrize(
    'how', ['os.fork', 'gevent.os.fork', 'gevent.os.fork_and_watch', 'multiprocessing'])


def run(run_script: Run, text: str, **options: Any) -> list[str]:
    """Run the program and return the lines that it has said; it must not have complained."""
    finished = run_script(PARENT + text, **options)
    assert (finished.status, finished.stderr) == (0, ''), finished.stdout
    return sorted(finished.stdout.splitlines())


@FORKS
def test_it_takes_no_client_of_its_parents_and_keeps_no_connection_open(
    run_script: Run, how: str,
) -> None:
    assert run(run_script, f"""
held = apply(dial)
assert apply(ask, (held,)) == str(os.getpid()).encode()
mine = gnet.connect(port)
ask(mine)
wait = in_child(wait_for_parent, {how!r})
answers = set()
for _ in range(20):
    answers |= {{apply(one_client), apply(one_client, ('x.sock',))}}
say('all by the parent', answers == {{str(os.getpid()).encode()}})
say('connections of before go on', ask(mine) == apply(ask, (held,)) == answers.pop())
mine.close()
server.stop(0)
by_path.close()
# The child is there still, and has none of them.
say('ended', apply(held.recv, (1,)) == b'', os.path.exists('x.sock'))
close(writer)
say('child', wait())
held.close()
""") == [
        'all by the parent True', "child b'through'", 'connections of before go on True',
        'ended True False',
    ]


VERBS = (
    'gnet.create_server()', 'server.listen(0)', 'server.serve_forever()',
    'server.get_connections()', 'gnet.connect(port)', 'gnet.Socket()',
    'gnet.Socket(fd=0)', 'fresh.connect(port)', 'fresh.connect(("127.0.0.1", port))', 'gnet.run()',
    'gnet.call_from_thread(print)', 'gnet.child_process.fork("x.py")', 'gnet.process.send("x")',
    'mine.write(b"x")', 'mine.end(b"x")', 'mine.sendall(b"x")', 'mine.send(b"x")', 'mine.recv(1)',
    'mine.recv_into(bytearray(1))', 'list(mine)', 'mine.shutdown(1)', 'mine.to_socket()',
    'mine.makefile()', 'mine.pause()', 'mine.on("data", print)', 'mine.setTimeout(1)',
)
LETTING_GO = (
    'mine.close()', 'mine.destroy()', 'mine.unref()', 'mine.detach()', 'mine.off("data", print)',
    'server.close()', 'server.unref()', 'server.stop()', 'server.__exit__(None, None, None)',
    'fresh.destroy()', 'server.address()', 'repr(mine)', 'mine.remoteAddress',
)


@FORKS
def test_gnet_says_that_it_cannot_be_used_there(run_script: Run, how: str) -> None:
    said = run(run_script, f"""
fresh = gnet.Socket()
mine = gnet.connect(port)
ask(mine)

def child():
    for verb in {VERBS + LETTING_GO!r}:
        try:
            eval(verb)
        except BaseException as error:
            say(getattr(error, 'code', repr(error)), verb)
        else:
            say('-', verb)
    assert 'spawn' in str(caught(gnet.run)), caught(gnet.run)
    server.close()
    mine.close()

def caught(function):
    try:
        function()
    except gnet.CodedRuntimeError as error:
        return error

assert in_child(child, {how!r})() == b'through'
mine.destroy()
server.close()
by_path.close()
assert gnet.run()
""")
    assert said == sorted(
        [f'ERR_FORKED_PROCESS {verb}' for verb in VERBS]
        + [f'- {verb}' for verb in LETTING_GO])


@FORKS
def test_a_copy_of_a_handler_answers_nobody_and_says_nothing(run_script: Run, how: str) -> None:
    # gevent's timers go on in the child, and so wake the copies of greenlets that wait for them.
    assert run(run_script, f"""
def late(sock):
    word = sock.recv(100)
    gevent.sleep(0.05)
    sock.sendall(word)

def late_event(sock):
    @sock.on('data')
    def answer(chunk):
        gevent.sleep(0.05)
        sock.end(chunk)

answered = []
for listener in (late, late_event):
    server.remove_all_listeners('connection').on('connection', listener)
    sock = apply(dial)
    apply(sock.sendall, (b'x',))
    answered.append(sock)
    for _ in range(3):
        gevent.sleep(0.001)  # both have begun when the second one is connected

in_child(lambda: gevent.sleep(0.2), {how!r})()
for sock in answered:
    say(apply(sock.recv, (100,)), apply(sock.recv, (100,)))
    sock.close()
server.close()
by_path.close()
""") == ["b'x' b''"] * 2


ITERATING = """
    for chunk in sock:
        if not {how}():
            begin = 'child'
        sock.sendall(chunk)
"""
LISTENING = """
    @sock.on('data')
    def echo(chunk):
        global begin
        if not {how}():
            begin = 'child'
        sock.write(chunk)
    gevent.sleep(0)
"""


@pytest.mark.parametrize('how', ['os.fork', 'gevent.os.fork'])
@pytest.mark.parametrize('style', [ITERATING, LISTENING], ids=['blocking', 'events'])
def test_a_listener_that_forks_is_told_and_the_copy_of_run_ends(
    start_script: Run, connect: Any, how: str, style: str,
) -> None:
    running = start_script(PARENT + f"""
begin = 'parent'
def handler(sock):
    global begin
{style.format(how=how)}

server.remove_all_listeners('connection').on('connection', handler)
server.on('connection', lambda sock: sock.on('close', lambda _: server.close()))
by_path.close()
say(port)
gnet.run()
say(begin, 'has left run()')
""")
    peer = connect(('127.0.0.1', int(running.read_line())))
    peer.sendall(b'who')
    assert running.read_line() == 'child has left run()'
    peer.end()
    assert peer.recv_until_end() == b'who'
    assert running.read_line() == 'parent has left run()'
    finished = running.wait()
    assert finished.status == 0
    assert finished.stderr.count('gnet cannot be used in a process that was forked') == 1


@pytest.mark.parametrize('how', ['os.fork', 'gevent.os.fork'])
def test_a_listener_that_is_late_when_it_has_forked_says_nothing(
    run_script: Run, how: str,
) -> None:
    assert run(run_script, f"""
parent = os.getpid()
over, end = os.pipe()
answers = []

def handler(sock):
    {how}()
    monkey.get_original('time', 'sleep')(0.02)  # more than listeners have in a turn
    if os.getpid() == parent:
        sock.end('x')
        server.close()
        by_path.close()

server.remove_all_listeners('connection').on('connection', handler)
gnet.connect(port).on('data', answers.append)
gnet.run()
if os.getpid() != parent:
    os._exit(0)
close(end)
say(apply(monkey.get_original('os', 'read'), (over, 1)), answers)
""") == ["b'' [b'x']"]


@pytest.mark.executed
@pytest.mark.parametrize('module', ['subprocess', 'gevent.subprocess'])
def test_a_process_that_is_started_may_have_a_descriptor(run_script: Run, module: str) -> None:
    assert run(run_script, f"""
def handler(sock):
    sock.pause()
    for prepare in (None, int):  # the standard library forks with the one, and spawns without
        command = [sys.executable, '-c', 'import os; os.write(1, b"x")']
        {module}.Popen(command, stdout=sock.fileno(), preexec_fn=prepare).wait()
    sock.end('!')
    server.close()
    by_path.close()

server.remove_all_listeners('connection').on('connection', handler)

def client():
    with dial() as sock:
        return b''.join(iter(lambda: sock.recv(100), b''))

say(apply(client))
say(gnet.run())
""") == ['True', "b'xx!'"]


@pytest.mark.executed
@FORKS
def test_a_program_that_has_only_imported_gnet_may_use_it_in_a_child(
    run_script: Run, how: str,
) -> None:
    before, _, _ = PARENT.partition('server = gnet')
    finished = run_script(before + f"""
def child():
    global port
    served = gnet.create_server(handler).listen(0)
    port = served.address().port
    sock = gnet.connect(port)
    say(ask(sock) == str(os.getpid()).encode())
    sock.close()
    served.stop()

in_child(child, {how!r})()
""")
    assert finished == (0, 'True\n', '')


@FORKS
def test_what_is_forgotten_there_is_collected_in_silence(run_script: Run, how: str) -> None:
    assert run(run_script, f"""
mine = gnet.connect(port)
ask(mine)
fresh = gnet.Socket()

def child():
    global mine, fresh, server, by_path
    mine = fresh = server = by_path = None
    gc.collect()
    gevent.sleep(0.01)

wait = in_child(child, {how!r})
say(wait(), ask(mine) == str(os.getpid()).encode())
mine.close()
server.close()
by_path.close()
""") == ["b'through' True"]


@FORKS
def test_the_channel_of_a_worker_is_not_its_childs(
    run_script: Run, tmp_path: Any, how: str,
) -> None:
    tmp_path.joinpath('worker.py').write_text(
        PARENT + f"""
gnet.process.on('message', lambda *_: None)

def child():
    try:
        gnet.process.send('from the child')
    except gnet.CodedRuntimeError as error:
        say(error.code)
    wait_for_parent()

wait = in_child(child, {how!r})
gnet.process.send('forked')
gnet.once(gnet.process, 'message')
server.close()
by_path.close()
gnet.process.disconnect()
gnet.once(gnet.process, 'disconnect')
gevent.os.tp_read(0, 1)  # until the other side has seen it, while the child is there
close(writer)
say(wait())
""", encoding='utf-8')
    assert run(run_script, """
server.close()
by_path.close()
worker = gnet.child_process.fork('worker.py', stdio=['pipe', 'inherit', 'inherit', 'ipc'])
worker.on('message', lambda message, _: (say(message), worker.send('go on')))
worker.on('disconnect', lambda: (say('disconnected'), worker.stdin.end('x')))
gnet.run()
""") == ['ERR_FORKED_PROCESS', "b'through'", 'disconnected', 'forked']
