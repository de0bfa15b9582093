"""A program that has imported gnet, and becomes scripts that tests start: see fork_server.py.

It is run by its path, and imports nothing of the suite, which is none of the scripts' business. It
has no hub, no thread, and no descriptor but the listener that it was started with. It may be
monkey-patched (``patched_script.py``), and has no hub all the same: it calls what was there before.

Each request is one message: what the script is to be as JSON, and its three standard descriptors,
and a fourth for the channel of a child of ``gnet.child_process``.
The answer is the number of its process, which is a child of the suite's: what forks it ends at
once, and the suite is who takes in orphans. So the suite has a child like one that it has started
itself, and the script a parent like that.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import io
import json
import os
import random
import resource
import runpy
import signal
import socket
import sys
import types
from contextlib import suppress
from typing import Any

import forking  # beside this file
import gevent
from gevent import monkey, subprocess

from gnet.options.fork import interpreter_options

#: Seconds after which it looks whether the suite is still there.
PATIENCE = 1.0

#: Bytes of a request, at most: arguments and environment.
REQUEST_LIMIT = 1 << 20

#: How the commands end of what ``gnet.child_process`` starts.
CODE = 'from gnet.command.main import main; main()'

#: Signals that are for scripts and their workers, and not for what forks these.
SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)

PR_SET_PDEATHSIG = 1

#: The descriptor of the listener: all others but the standard ones are closed.
LISTENER = 3

Socket: Any = monkey.get_original('socket', 'socket')
close, waitpid = monkey.get_original('os', ['close', 'waitpid'])

#: Its fork(2) is not Python's, which would tell gnet and gevent: what they do in a forked child is
#: no part of a script that was just started. Nothing of what Python does for itself then (locks,
#: other threads) is needed in a process that has one thread.
libc = ctypes.PyDLL(None, use_errno=True)


def serve(listener: Any, suite: int) -> dict[str, Any] | None:
    """Fork a process for each request. In that process, return the request; else, in the end, None.
    """
    listener.settimeout(PATIENCE)
    while True:
        try:
            # The inherited accept() finds its class by name in the module: there may be another.
            connection = Socket(fileno=listener._accept()[0])
        except socket.timeout:  # before Python 3.10 it is no TimeoutError
            connection = None
        if os.getppid() != suite:
            return None
        if connection is None:
            continue
        with connection:
            connection.settimeout(None)
            message, descriptors, _, _ = socket.recv_fds(connection, REQUEST_LIMIT, 4)
            if not message:
                continue  # who has asked has ended
            number = fork()
            if number == 0:
                listener.close()
                connection.close()
                for target, descriptor in enumerate(descriptors[:3]):
                    os.dup2(descriptor, target)
            for descriptor in descriptors[:3 if number == 0 else None]:
                close(descriptor)
            if number == 0:
                return {**json.loads(message), 'channel': descriptors[3:]}
            connection.send(b'%d' % number)


def fork() -> int:
    """Fork a process that is not this one's child.

    Returns:
        Its number, or there, later, 0; a negative one, of an error, if there is none.
    """
    told, tell = os.pipe()
    begin, let_begin = os.pipe()
    between = libc.fork()
    if between == 0:
        child = libc.fork()
        if child != 0:
            os.write(tell, b'%d' % (child if child > 0 else -ctypes.get_errno()))
            os._exit(0)
        close(tell)
        close(told)
        close(let_begin)
        os.read(begin, 1)  # the end: it has its parent
        close(begin)
        return 0
    number = -ctypes.get_errno()
    close(tell)
    close(begin)
    if between > 0:
        waitpid(between, 0)
        number = int(os.read(told, 20))
    close(told)
    close(let_begin)
    return number


def become(request: dict[str, Any]) -> None:
    """Make of this process what Python would be before it runs the script."""
    os.chdir(request['directory'])
    os.environ.clear()
    os.environ.update(request['environment'])
    resource.setrlimit(resource.RLIMIT_NOFILE, tuple(request['limits']))
    words = request['words']
    if hasattr(sys, 'orig_argv'):  # not on Python 3.9
        sys.orig_argv = request['command']
    if request['kind'] in ('command', 'patched'):
        sys.argv = ['-m', *words]
        sys.path[0] = os.getcwd()
    elif request['kind'] == 'child':
        sys.argv = ['-c', *words[1:]]
        sys.path[0] = ''
    else:
        sys.argv = words
        sys.path[0] = os.path.dirname(os.path.realpath(words[0]))
    for channel in request['channel']:
        os.environ['NODE_CHANNEL_FD'] = str(channel)
        os.set_inheritable(channel, True)
        # Which takes it out of the environment when it is imported, and the number of a worker.
        inheritance = importlib.reload(sys.modules['gnet.processes.inheritance'])
        sys.modules['gnet'].worker_number = inheritance.worker_number
        check_inheritance(inheritance)
    random.seed()
    threading = sys.modules.get('threading')
    if threading is not None:
        threading.main_thread()._set_native_id()
    unbuffered = bool(request['environment'].get('PYTHONUNBUFFERED'))
    sys.stdin = sys.__stdin__ = standard(0, '<stdin>', sys.stdin, unbuffered=unbuffered)
    sys.stdout = sys.__stdout__ = standard(1, '<stdout>', sys.stdout, unbuffered=unbuffered)
    sys.stderr = sys.__stderr__ = standard(2, '<stderr>', sys.stderr, unbuffered=unbuffered)
    main = types.ModuleType('__main__')
    main.__dict__.update(__annotations__={}, __builtins__=sys.modules['builtins'])
    sys.modules['__main__'] = main
    if sys.modules['gnet'].worker_number is not None:
        importlib.import_module('gnet.clusters.cluster')  # as gnet itself does in a worker


def check_inheritance(inheritance: Any) -> None:
    """Fail if what was imported before has taken over what was not known then."""
    for name in [name for name in sys.modules if name.startswith('gnet.')]:
        names = vars(sys.modules[name])
        for each in inheritance.__all__:
            value = getattr(inheritance, each)
            if not callable(value) and names.get(each, value) is not value:
                raise ImportError(f'{name} was imported before a child had its {each}')


def fork_workers() -> dict[str, Any] | None:
    """Have the workers that this process will start forked, too. In each of them, return a request.

    That is by a process of its own, in which nothing has happened yet but what is above.
    """
    listener = Socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    address = f'\0gnet-tests-{os.getpid()}-{os.urandom(8).hex()}'
    listener.bind(address)
    listener.listen(128)
    primary = os.getpid()
    # They wait in what forks, for ever, and in a worker until it is one. (Ignored, they would be
    # lost to it.)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    child = libc.fork()
    if child == 0:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        nothing = os.open(os.devnull, os.O_RDWR)
        for number in range(3):
            os.dup2(nothing, number)
        close(nothing)
        request = serve(listener, primary)
        if request is None:
            os._exit(0)
        libc.prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        return request
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    listener.close()
    if child < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), 'fork')
    subprocess.Popen = forking.popen(forker(address))
    return None


def forker(address: str) -> Any:
    """Return what :func:`forking.popen` asks: which commands are those of workers."""
    start = [sys.executable, *interpreter_options(), '-c']
    usual = at_start(os.environ)

    def find(command: list[str], directory: str, env: dict[str, str]) -> Any:
        rest = command[len(start):]
        if command[:len(start)] != start or not rest[0].endswith(CODE) or at_start(env) != usual:
            return None
        return lambda descriptors: forking.ask(address, {
            'command': command, 'directory': directory, 'environment': env,
            'kind': 'child', 'words': rest,
        }, descriptors)

    return find


def at_start(env: Any) -> dict[str, str]:
    """What Python and gevent read of the environment, and GNET_STAY_ALIVE."""
    return {name: value for name, value in env.items()
            if name.startswith(('GEVENT', 'LANG', 'LC_', 'LD_', 'PYTHON', 'GNET_STAY'))}


def standard(number: int, name: str, model: Any, *, unbuffered: bool) -> Any:
    """Return a standard stream as Python makes it."""
    mode = 'r' if number == 0 else 'w'
    raw: Any = io.FileIO(number, mode + 'b', closefd=False)
    binary: Any = raw
    if number == 0:
        binary = io.BufferedReader(raw)
    elif not unbuffered:
        binary = io.BufferedWriter(raw)
    raw.name = name
    stream = io.TextIOWrapper(
        binary, model.encoding, model.errors, newline='\n',
        line_buffering=not unbuffered and number > 0 and (number == 2 or raw.isatty()),
        write_through=unbuffered)
    stream.mode = mode  # type: ignore[misc]
    return stream


def run(kind: str, words: list[str]) -> int:
    """Run it by Python's own function, with its frames alone; return -1 if it has failed.

    Failures are printed by then, and ``sys.exit()`` does not come back.
    """
    python = ctypes.pythonapi
    if kind == 'patched':
        return run_module('gevent.monkey')
    if kind != 'script':
        code = words[0] if kind == 'child' else "import runpy; runpy._run_module_as_main('gnet')"
        return python.PyRun_SimpleStringFlags(code.encode(), None)
    libc.fopen.restype = ctypes.c_void_p
    path = os.path.join(os.getcwd(), words[0]).encode()
    file = ctypes.c_void_p(libc.fopen(path, b'rb'))
    return python.PyRun_SimpleFileExFlags(file, path, 1, None)


def run_module(name: str) -> int:
    """Run a module as ``python -m`` does; return as :func:`run`.

    That calls Python's function from C. So this one's own frame is in no traceback, as if there
    were none.
    """
    try:
        runpy._run_module_as_main(name)  # type: ignore[attr-defined]
    except SystemExit:
        raise
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            # Python notes where it prints one that it is to end by SIGINT.
            hook, sys.excepthook = sys.excepthook, lambda *error: None
            ctypes.pythonapi.PyRun_SimpleStringFlags(b'raise KeyboardInterrupt', None)
            sys.excepthook = hook
        trace: Any = error.__traceback__
        error.__traceback__ = trace.tb_next
        sys.last_type, sys.last_value, sys.last_traceback = type(error), error, trace.tb_next
        if sys.version_info >= (3, 12):
            sys.last_exc = error
        sys.excepthook(type(error), error, trace.tb_next)
        return -1
    return 0


def main() -> None:
    for name in os.listdir('/proc/self/fd'):
        if int(name) > LISTENER:
            with suppress(OSError):  # that of the list itself
                close(int(name))
    listener = Socket(fileno=LISTENER)
    suite = int(sys.argv[1])
    for name in sys.argv[2:]:
        importlib.import_module(name)
    for setting in ('loop', 'resolver', 'threadpool', 'format_context'):
        getattr(gevent.config, setting)  # which imports what a hub is made of, and makes none
    # What nobody looks at is not copied for each script: collections pass over it.
    gc.collect()
    gc.freeze()
    try:
        request = serve(listener, suite)
    except KeyboardInterrupt:  # of the suite, or of a script that has not begun
        os._exit(128 + signal.SIGINT)
    if request is None:
        os._exit(0)
    become(request)
    if request.get('workers'):
        worker = fork_workers()
        if worker is not None:
            request = worker
            become(request)
    if run(request['kind'], request['words']) == 0:
        return
    if not issubclass(sys.last_type, KeyboardInterrupt):
        raise SystemExit(1)
    # That was noted where it was printed, and Python ends by SIGINT.


if __name__ == '__main__':
    main()
