"""Messages both ways: what arrives, in which order, and what a channel bears."""

from __future__ import annotations

import json
from typing import Any

import gevent
import pytest

import gnet

from ..harness.waiting import PROCESS_PATIENCE

ECHO = """
    import gnet
    gnet.process.on('message', lambda message, handle: gnet.process.send(message))
"""

VALUES: list[Any] = [
    None, True, 0, -1.5, 2**60, '', 'text', 'zwei\nZeilen', 'ü€😀', '\ud800', '\0', [], [1, [2]],
    {}, {'a': {'b': [None]}}, {'cmd': 'mine'}, {'cmd': 5}, ['NODE_HANDLE'],
]


def test_values_survive_both_ways_and_in_order(fork: Any) -> None:
    child = fork(ECHO)
    for value in VALUES:
        child.send(value)
    assert [child.message() for _ in VALUES] == VALUES


def test_tuples_arrive_as_lists_and_keys_as_strings(fork: Any) -> None:
    child = fork(ECHO)
    child.send({1: (2, 3)})
    assert child.message() == {'1': [2, 3]}


@pytest.mark.parametrize('size', [100_000, 10_000_000])
def test_long_messages_that_are_not_ascii_survive(fork: Any, size: int) -> None:
    text = 'aü€😀' * (size // 4)
    child = fork(ECHO)
    child.send(text)
    child.send('next')
    assert child.message() == text
    assert child.message() == 'next'


def test_order_is_kept_under_load_in_both_directions(fork: Any) -> None:
    count = 20_000
    child = fork("""
        import gnet, sys
        seen = []
        def message(number, handle):
            seen.append(number)
            if number == int(sys.argv[1]) - 1:
                gnet.process.send(seen == list(range(len(seen))))
                gnet.process.disconnect()
        gnet.process.on('message', message)
        for number in range(int(sys.argv[1])):
            gnet.process.send(number)
    """, str(count))
    for number in range(count):
        child.send(number)
    assert [child.message() for _ in range(count)] == list(range(count))
    assert child.message() is True
    assert child.wait() == (0, None)


def test_what_was_sent_comes_before_the_end_of_the_child(fork: Any) -> None:
    # The order is Node's, measured.
    child = fork("""
        import gnet, sys
        for number in range(100):
            gnet.process.send(number)
        sys.exit(3)
    """)
    assert child.wait() == (3, None)
    assert child.events == [
        ('spawn',), *(('message', number) for number in range(100)), ('disconnect',),
        ('exit', 3, None), ('close', 3, None),
    ]


def test_send_says_when_to_wait_and_calls_back_in_order(fork: Any) -> None:
    child = fork(ECHO)
    called: list[Any] = []
    text = 'x' * 50_000
    answers = [child.send(text, lambda error, n=n: called.append((n, error))) for n in range(50)]
    assert answers[0] is True
    assert answers[-1] is False
    assert all(child.message() == text for _ in range(50))
    assert called == [(number, None) for number in range(50)]
    assert child.send('small') is True


def test_messages_wait_for_a_listener(fork: Any) -> None:
    child = fork("""
        import gevent, gnet
        gnet.process.send('up')
        gevent.sleep(0.1)  # what comes now finds no listener
        @gnet.process.on('message')
        def echo(message, handle):
            gnet.process.send(message)
    """)
    child.send(1)
    child.send(2)
    assert [child.message() for _ in range(3)] == ['up', 1, 2]


def test_a_listener_that_blocks_holds_up_no_other_message(fork: Any) -> None:
    child = fork("""
        import gnet
        from gevent.event import Event
        last = Event()
        @gnet.process.on('message')
        def message(number, handle):
            if number == 3:
                last.set()
            last.wait()
            gnet.process.send(number)
    """)
    for number in range(4):
        child.send(number)
    assert sorted(child.message() for _ in range(4)) == [0, 1, 2, 3]


def test_an_exception_of_a_message_listener_ends_the_child(fork: Any) -> None:
    child = fork("""
        import gnet
        @gnet.process.on('message')
        def message(value, handle):
            raise ValueError(value)
    """, stdio=['ignore', 'ignore', 'ignore', 'ipc'])
    child.send('wrong')
    assert child.wait() == (1, None)


# --- the channel's life -------------------------------------------------------------------------


def test_without_a_listener_the_child_ends_with_its_script(fork: Any) -> None:
    child = fork('import gnet; assert gnet.process.connected')
    assert child.wait() == (0, None)
    assert child.names() == ['spawn', 'disconnect', 'exit', 'close']


@pytest.mark.parametrize('event', ['message', 'disconnect'])
def test_a_listener_keeps_the_child_alive_until_the_parent_disconnects(
    fork: Any, event: str,
) -> None:
    child = fork("""
        import gnet, sys
        gnet.process.on(sys.argv[1], lambda *args: None)
        gnet.process.on('disconnect', lambda: print('told', gnet.process.connected))
        gnet.process.send('up')
    """, event, silent=True)
    assert child.message() == 'up'
    output = child.process.stdout
    child.process.disconnect()
    assert not child.process.connected
    assert child.process.channel is None
    assert next(iter(output.makefile())) == 'told False\n'
    assert child.wait() == (0, None)


def test_a_listener_that_is_removed_keeps_it_alive_no_more(fork: Any) -> None:
    child = fork("""
        import gnet
        def message(*args):
            gnet.process.off('message', message)
        gnet.process.on('message', message)
    """)
    child.send('go')
    assert child.wait() == (0, None)


def test_the_child_disconnects(fork: Any) -> None:
    child = fork("""
        import gnet, sys
        gnet.process.send('last')
        gnet.process.disconnect()
        sys.stdin.readline()
    """, silent=True)
    assert child.message() == 'last'
    if child.process.connected:
        gnet.once(child.process, 'disconnect', timeout=PROCESS_PATIENCE)
    assert child.names() == ['spawn', 'message', 'disconnect']
    child.process.stdin.end('\n')
    assert child.wait() == (0, None)


def test_after_the_end_of_the_channel_send_tells_by_callback_or_event(fork: Any) -> None:
    child = fork(ECHO)
    child.process.disconnect()
    called: list[Any] = []
    assert child.send('late', called.append) is False
    assert child.send('late') is False
    assert not called
    child.wait()
    assert [error.code for error in called] == ['ERR_IPC_CHANNEL_CLOSED']
    errors = [event[1] for event in child.events if event[0] == 'error']
    assert [(error.code, str(error)) for error in errors] == [
        ('ERR_IPC_CHANNEL_CLOSED', 'Channel closed')]


def test_disconnecting_twice_is_an_error(fork: Any) -> None:
    child = fork(ECHO)
    child.process.disconnect()
    child.process.disconnect()
    assert [error.code for _, error in child.events] == ['ERR_IPC_DISCONNECTED']


def test_without_a_parent_there_is_no_channel(run_script: Any) -> None:
    finished = run_script("""
        import gnet
        print(gnet.process.connected, gnet.process.channel)
        gnet.process.on('error', lambda error: print(error.code))
        print(gnet.process.send('x'))
        gnet.process.send('x', lambda error: print('called', error.code))
        gnet.run()
    """)
    assert finished.stdout.splitlines() == [
        'False None', 'False', 'ERR_IPC_CHANNEL_CLOSED', 'called ERR_IPC_CHANNEL_CLOSED']


def test_a_killed_parent_is_noticed(start_script: Any, tmp_path: Any) -> None:
    child = tmp_path / 'child.py'
    child.write_text(
        "import gnet, os\ngnet.process.on('disconnect', lambda: print('alone', flush=True))\n"
        'print(os.getpid(), flush=True)\n')
    parent = start_script("""
        import gnet, sys
        gnet.child_process.fork(sys.argv[1])
        gnet.run()
    """, str(child))
    parent.wait_for(r'\d+')
    parent.process.kill()
    parent.wait_for('alone')
    parent.process.wait()


# --- bad peers ----------------------------------------------------------------------------------


@pytest.mark.parametrize('sent', [
    "b'no json\\n'", "b'\\xff\\xfe\\n'", "b'{\"cmd\":\\n'", "b'[' * 100000 + b'\\n'",
])
def test_garbage_closes_the_channel_and_nothing_else(
    fork_stranger: Any, sent: str, caplog: Any,
) -> None:
    child = fork_stranger(f"""
        channel.sendall(b'"first"\\n' + {sent} + b'"after"\\n')
        assert channel.recv(1) == b''
    """)
    assert child.wait() == (0, None)
    assert child.names() == ['spawn', 'message', 'disconnect', 'exit', 'close']
    [record] = caplog.records
    assert record.name == 'gnet.ipc'


@pytest.mark.parametrize('message', [
    {'cmd': 'NODE_HANDLE'}, {'cmd': 'NODE_HANDLE', 'type': 'net.Socket', 'msg': 1},
    {'cmd': 'NODE_HANDLE_ACK'}, {'cmd': 'NODE_HANDLE_NACK'}, {'cmd': 'NODE_SOCKET_COUNT'},
    {'cmd': 'NODE_SOCKET_COUNT', 'key': 'x', 'count': 'y'}, {'cmd': 'NODE_SOCKET_ALL_CLOSED'},
    {'cmd': 'NODE_SOCKET_GET_COUNT', 'key': []}, {'cmd': 'NODE_CLUSTER', 'act': []},
    {'cmd': 'NODE_WHATEVER'},
])
def test_internal_messages_that_make_no_sense_do_no_harm(fork_stranger: Any, message: Any) -> None:
    child = fork_stranger("""
        import sys
        channel.sendall(sys.argv[1].encode() + b'\\n"well"\\n')
    """, json.dumps(message))
    assert child.message() == 'well'
    assert child.wait() == (0, None)


def test_one_byte_at_a_time(fork_stranger: Any) -> None:
    child = fork_stranger("""
        for byte in '{"ü": [1]}\\n"end"\\n'.encode():
            channel.sendall(bytes([byte]))
    """)
    assert [child.message(), child.message()] == [{'ü': [1]}, 'end']


def test_a_child_that_never_reads_costs_memory_and_no_time(fork_stranger: Any) -> None:
    child = fork_stranger("""
        channel.sendall(b'"up"\\n')
        import time
        time.sleep(60)
    """)
    assert child.message() == 'up'
    called: list[Any] = []
    while child.send('x' * 100_000, called.append):
        pass
    for _ in range(10):
        assert child.send('x' * 100_000, called.append) is False
    child.process.kill('SIGKILL')
    assert child.wait() == (None, 'SIGKILL')
    failed = [error for error in called if error is not None]
    assert failed
    assert {error.code for error in failed} <= {'EPIPE', 'ECONNRESET', 'ERR_IPC_CHANNEL_CLOSED'}


def test_descriptors_that_belong_to_no_message_are_closed(fork_stranger: Any) -> None:
    child = fork_stranger("""
        import array
        for _ in range(100):
            rights = array.array('i', [0, 1, 2])
            channel.sendmsg([b'"with"\\n'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
        channel.recv(1)
    """)
    # The check for leaks that is around each test is what looks.
    assert [child.message() for _ in range(100)] == ['with'] * 100


# --- bad input ----------------------------------------------------------------------------------


def _circular() -> Any:
    value: list[Any] = []
    value.append(value)
    return value


@pytest.mark.parametrize(('message', 'code'), [
    (print, 'ERR_INVALID_ARG_TYPE'), (object(), 'ERR_INVALID_ARG_VALUE'),
    (b'bytes', 'ERR_INVALID_ARG_VALUE'), (float('nan'), 'ERR_INVALID_ARG_VALUE'),
    ({'a': {1, 2}}, 'ERR_INVALID_ARG_VALUE'), ({(1, 2): 3}, 'ERR_INVALID_ARG_VALUE'),
    (_circular(), 'ERR_INVALID_ARG_VALUE'),
])
def test_what_json_does_not_have_is_refused_at_the_call(
    fork: Any, message: Any, code: str,
) -> None:
    child = fork(ECHO)
    with pytest.raises(gnet.CodedTypeError) as caught:
        child.send(message)
    assert caught.value.code == code
    child.send('still fine')
    assert child.message() == 'still fine'


@pytest.mark.parametrize(('args', 'code', 'text'), [
    (({},), 'ERR_INVALID_HANDLE_TYPE', 'This handle type cannot be sent'),
    ((1,), 'ERR_INVALID_HANDLE_TYPE', 'This handle type cannot be sent'),
    (('x',), 'ERR_INVALID_HANDLE_TYPE', 'This handle type cannot be sent'),
    ((gnet.EventEmitter(),), 'ERR_INVALID_HANDLE_TYPE', 'This handle type cannot be sent'),
    ((None, 1), 'ERR_INVALID_ARG_TYPE',
     'The "options" argument must be of type object. Received type number (1)'),
    ((None, 'x'), 'ERR_INVALID_ARG_TYPE',
     'The "options" argument must be of type object. Received type string (\'x\')'),
])
def test_wrong_arguments_have_nodes_words(fork: Any, args: Any, code: str, text: str) -> None:
    child = fork(ECHO)
    with pytest.raises(gnet.CodedTypeError) as caught:
        child.send('a', *args)
    assert (caught.value.code, str(caught.value)) == (code, text)


def test_the_emission_of_internal_messages_is_apart(fork_stranger: Any) -> None:
    child = fork_stranger("""
        channel.sendall(b'{"cmd":"NODE_X"}\\n"user"\\n')
    """)
    internal: list[Any] = []
    child.process.on('internalMessage', lambda message, handle: internal.append(message))
    assert child.message() == 'user'
    assert internal == [{'cmd': 'NODE_X'}]


def test_nothing_blocks_while_a_long_message_is_written(fork: Any) -> None:
    child = fork(ECHO)
    child.send('x' * 5_000_000)
    turns = 0
    while 'message' not in child.names():
        gevent.sleep(0.001)
        turns += 1
    assert turns > 1
