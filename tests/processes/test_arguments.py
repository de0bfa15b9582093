"""What ``fork``, ``send`` and ``kill`` say to wrong arguments: Node's codes and words."""

from __future__ import annotations

import sys
from typing import Any

import pytest

import gnet

from ..harness.waiting import PROCESS_PATIENCE

MODULE = 'The "modulePath" argument must be of type string or an instance of Buffer or URL.'
ARRAY = 'The "args" argument must be an instance of Array.'
OPTIONS = 'The "options" argument must be of type object.'
CWD = 'The "options.cwd" property must be of type string or an instance of Buffer or URL.'
UNSIGNED = 'The value of "timeout" is out of range. It must be an unsigned integer.'
NO_IPC = "Forked processes must have an IPC channel, missing value 'ipc' in options.stdio"


@pytest.mark.parametrize(('args', 'options', 'kind', 'code', 'text'), [
    ((None,), {}, TypeError, 'ERR_INVALID_ARG_TYPE', f'{MODULE} Received null'),
    ((1,), {}, TypeError, 'ERR_INVALID_ARG_TYPE', f'{MODULE} Received type number (1)'),
    (({},), {}, TypeError, 'ERR_INVALID_ARG_TYPE', f'{MODULE} Received an instance of Object'),
    ((True,), {}, TypeError, 'ERR_INVALID_ARG_TYPE', f'{MODULE} Received type boolean (true)'),
    (('a\0b',), {}, TypeError, 'ERR_INVALID_ARG_VALUE',
     "The argument 'modulePath' must be a string, Uint8Array, or URL without null bytes. "
     "Received 'a\\x00b'"),
    (('x.py', 1), {}, TypeError, 'ERR_INVALID_ARG_TYPE', f'{ARRAY} Received type number (1)'),
    (('x.py', 'x'), {}, TypeError, 'ERR_INVALID_ARG_TYPE', f"{ARRAY} Received type string ('x')"),
    (('x.py', True), {}, TypeError, 'ERR_INVALID_ARG_TYPE',
     f'{ARRAY} Received type boolean (true)'),
    (('x.py', [], 1), {}, TypeError, 'ERR_INVALID_ARG_TYPE', f'{OPTIONS} Received type number (1)'),
    (('x.py', [], 'x'), {}, TypeError, 'ERR_INVALID_ARG_TYPE',
     f"{OPTIONS} Received type string ('x')"),
    (('x.py', [], []), {}, TypeError, 'ERR_INVALID_ARG_TYPE',
     f'{OPTIONS} Received an instance of Array'),
    (('x.py',), {'cwd': 1}, TypeError, 'ERR_INVALID_ARG_TYPE', f'{CWD} Received type number (1)'),
    (('x.py',), {'cwd': 'a\0b'}, TypeError, 'ERR_INVALID_ARG_VALUE',
     "The property 'options.cwd' must be a string, Uint8Array, or URL without null bytes. "
     "Received 'a\\x00b'"),
    (('x.py',), {'exec_path': 1}, TypeError, 'ERR_INVALID_ARG_TYPE',
     'The "file" argument must be of type string. Received type number (1)'),
    (('x.py',), {'exec_argv': ['a\0b']}, TypeError, 'ERR_INVALID_ARG_VALUE',
     "The property 'options.execArgv[0]' must be a string without null bytes. "
     "Received 'a\\x00b'"),
    (('x.py',), {'stdio': 'x'}, TypeError, 'ERR_INVALID_ARG_VALUE',
     "The argument 'stdio' is invalid. Received 'x'"),
    (('x.py',), {'stdio': []}, RuntimeError, 'ERR_CHILD_PROCESS_IPC_REQUIRED', NO_IPC),
    (('x.py',), {'stdio': ['pipe']}, RuntimeError, 'ERR_CHILD_PROCESS_IPC_REQUIRED', NO_IPC),
    (('x.py',), {'stdio': ['ipc', 'ipc']}, RuntimeError, 'ERR_IPC_ONE_PIPE',
     'Child process can have only one IPC pipe'),
    (('x.py',), {'detached': 1}, TypeError, 'ERR_INVALID_ARG_TYPE',
     'The "options.detached" property must be of type boolean. Received type number (1)'),
    (('x.py',), {'uid': 'x'}, TypeError, 'ERR_INVALID_ARG_TYPE',
     'The "options.uid" property must be int32. Received type string (\'x\')'),
    (('x.py',), {'gid': 1.5}, TypeError, 'ERR_INVALID_ARG_TYPE',
     'The "options.gid" property must be int32. Received type number (1.5)'),
    (('x.py',), {'kill_signal': 'FOO'}, TypeError, 'ERR_UNKNOWN_SIGNAL', 'Unknown signal: FOO'),
    (('x.py',), {'kill_signal': 99}, TypeError, 'ERR_UNKNOWN_SIGNAL', 'Unknown signal: 99'),
    (('x.py',), {'kill_signal': {}}, TypeError, 'ERR_INVALID_ARG_TYPE',
     'The "options.killSignal" property must be one of type string or number. '
     'Received an instance of Object'),
    (('x.py',), {'timeout': -1}, ValueError, 'ERR_OUT_OF_RANGE', f'{UNSIGNED} Received -1'),
    (('x.py',), {'timeout': 'x'}, ValueError, 'ERR_OUT_OF_RANGE', f"{UNSIGNED} Received 'x'"),
    (('x.py',), {'timeout': 1.5}, ValueError, 'ERR_OUT_OF_RANGE', f'{UNSIGNED} Received 1.5'),
    (('x.py',), {'timeout': float('nan')}, ValueError, 'ERR_OUT_OF_RANGE',
     f'{UNSIGNED} Received NaN'),
    (('x.py',), {'serialization': 'foo'}, TypeError, 'ERR_INVALID_ARG_VALUE',
     "The property 'options.serialization' must be one of: 'json'. Received 'foo'"),
], ids=str)
def test_fork_says_what_is_wrong(
    args: Any, options: Any, kind: type[Exception], code: str, text: str,
) -> None:
    with pytest.raises(kind) as caught:
        gnet.child_process.fork(*args, **options)
    error: Any = caught.value
    assert (error.code, str(error)) == (code, text)


@pytest.mark.parametrize('options', [
    {'stdio': None, 'cwd': None, 'env': None, 'exec_argv': None, 'silent': None,
     'detached': None, 'uid': None, 'gid': None, 'kill_signal': None, 'timeout': None,
     'signal': None},
    {'execPath': sys.executable, 'execArgv': ['-B'], 'killSignal': 'sigint', 'windowsHide': True},
    {'stdio': 'inherit'}, {'stdio': ['ignore', 'inherit', 2, 'ipc']}, {'stdio': ['ipc']},
])
def test_options_that_are_fine(fork: Any, options: dict[str, Any]) -> None:
    child = fork('pass', **options)
    assert child.wait() == (0, None)


def test_options_may_take_the_place_of_the_arguments(tmp_path: Any) -> None:
    script = tmp_path / 'child.py'
    script.write_text('import gnet, sys; gnet.process.send(sys.argv[1:])')
    for path in (script, bytes(script), str(script)):
        process = gnet.child_process.fork(path, {'execArgv': ['-B']})
        assert '-B' in process.spawnargs
        assert gnet.once(process, 'message', timeout=PROCESS_PATIENCE) == [[], None]
        gnet.once(process, 'close', timeout=PROCESS_PATIENCE)


# --- send ---------------------------------------------------------------------------------------

IDLE = """
    import gnet
    gnet.process.on('message', lambda message, handle: gnet.process.send([message, handle]))
    gnet.process.send('up')
"""

WORDS = 'The "message" argument must be one of type string, object, number, or boolean.'


def circle() -> Any:
    circular: dict[str, Any] = {}
    circular['a'] = circular
    return circular


WRONG_MESSAGES: list[tuple[Any, str, str]] = [
    ((lambda: 1,), 'ERR_INVALID_ARG_TYPE', WORDS),
    ((circle(),), 'ERR_INVALID_ARG_VALUE', ''),
    (({1, 2},), 'ERR_INVALID_ARG_VALUE', ''),
    ((b'bytes',), 'ERR_INVALID_ARG_VALUE', ''),
    ((float('nan'),), 'ERR_INVALID_ARG_VALUE', ''),
    (([float('inf')],), 'ERR_INVALID_ARG_VALUE', ''),
    (({(1, 2): 3},), 'ERR_INVALID_ARG_VALUE', ''),
    (('m', {}), 'ERR_INVALID_HANDLE_TYPE', 'This handle type cannot be sent'),
    (('m', 1), 'ERR_INVALID_HANDLE_TYPE', 'This handle type cannot be sent'),
    (('m', 'x'), 'ERR_INVALID_HANDLE_TYPE', 'This handle type cannot be sent'),
    (('m', True), 'ERR_INVALID_HANDLE_TYPE', 'This handle type cannot be sent'),
    (('m', []), 'ERR_INVALID_HANDLE_TYPE', 'This handle type cannot be sent'),
    (('m', gnet.EventEmitter()), 'ERR_INVALID_HANDLE_TYPE',
     'This handle type cannot be sent'),
    (('m', sys.__stdout__), 'ERR_INVALID_HANDLE_TYPE', 'This handle type cannot be sent'),
    (('m', None, 1), 'ERR_INVALID_ARG_TYPE', f'{OPTIONS} Received type number (1)'),
    (('m', None, 'x'), 'ERR_INVALID_ARG_TYPE', f"{OPTIONS} Received type string ('x')"),
    (('m', None, True), 'ERR_INVALID_ARG_TYPE', f'{OPTIONS} Received type boolean (true)'),
    (('m', None, []), 'ERR_INVALID_ARG_TYPE', f'{OPTIONS} Received an instance of Array'),
    (('m', {}, 1), 'ERR_INVALID_ARG_TYPE', f'{OPTIONS} Received type number (1)'),
]


def test_send_says_what_is_wrong_and_sends_nothing(fork: Any) -> None:
    child = fork(IDLE)
    assert child.message() == 'up'
    for args, code, text in WRONG_MESSAGES:
        with pytest.raises(TypeError) as caught:
            child.send(*args)
        error: Any = caught.value
        assert (error.code, str(error)[:len(text)]) == (code, text)
    child.send('next')
    assert child.message() == ['next', None]


def test_send_wants_a_message(fork: Any) -> None:
    child = fork('pass')
    with pytest.raises(TypeError, match='message'):
        child.send()


@pytest.mark.parametrize('place', [1, 2, 3])
def test_the_callback_may_come_early(fork: Any, place: int) -> None:
    child = fork(IDLE)
    assert child.message() == 'up'
    called: list[Any] = []
    arguments: list[Any] = ['m', None, {}]
    assert child.send(*arguments[:place], called.append) is True
    assert called == []
    assert child.message() == ['m', None]
    assert called == [None]


def test_what_is_no_callback_is_ignored(fork: Any) -> None:
    child = fork(IDLE)
    assert child.message() == 'up'
    for given in (1, 'x', {}, None, True):
        assert child.send('m', None, {}, given) is True
        assert child.message() == ['m', None]
    child.process.disconnect()
    assert child.send('m', None, {}, 1) is False
    assert child.wait() == (0, None)
    assert [error.code for name, *rest in child.events if name == 'error' for error in rest] == [
        'ERR_IPC_CHANNEL_CLOSED']


# --- kill ---------------------------------------------------------------------------------------


UNKNOWN_SIGNALS: list[tuple[Any, str]] = [
    ('SIGFOO', 'SIGFOO'), ('TERM', 'TERM'), (99, '99'), (-1, '-1'), (1.5, '1.5'), ('9', '9'),
    (True, 'true'), ({}, '{}'),
]


def test_kill_knows_the_signals(fork: Any) -> None:
    child = fork(IDLE)
    assert child.message() == 'up'
    for given, text in UNKNOWN_SIGNALS:
        with pytest.raises(TypeError) as caught:
            child.process.kill(given)
        error: Any = caught.value
        assert (error.code, str(error)) == ('ERR_UNKNOWN_SIGNAL', f'Unknown signal: {text}')
    assert child.process.killed is False
    child.send('still there')
    assert child.message() == ['still there', None]


def test_kill_with_zero_only_asks(fork: Any) -> None:
    child = fork(IDLE)
    assert child.message() == 'up'
    assert (child.process.kill(0), child.process.killed) == (True, True)  # Node's word for it
    assert child.process.kill() is True
    assert child.process.kill() is True  # nobody knows yet that it has ended
    assert child.wait() == (None, 'SIGTERM')
    assert (child.process.kill(), child.process.kill(0)) == (False, False)


def test_the_option_is_not_the_signal_of_kill(fork: Any) -> None:
    child = fork(IDLE, kill_signal='SIGKILL')
    child.process.kill()
    assert child.wait() == (None, 'SIGTERM')


@pytest.mark.parametrize('exec_path', ['/etc/passwd', '/'])
def test_what_cannot_be_executed(fork: Any, exec_path: str) -> None:
    child = fork('pass', exec_path=exec_path)
    code, _ = child.wait()
    [error] = [event[1] for event in child.events if event[0] == 'error']
    assert (code, error.code, str(error)) == (-13, 'EACCES', f'spawn {exec_path} EACCES')
    assert child.names() == ['error', 'close']


def test_a_directory_that_is_not_there(fork: Any) -> None:
    child = fork('pass', cwd='/no/such')
    assert child.wait() == (-2, None)
    [error] = [event[1] for event in child.events if event[0] == 'error']
    # Node's words: it does not tell which of the two is missing.
    assert (error.code, error.path) == ('ENOENT', child.process.spawnfile)
