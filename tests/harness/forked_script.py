"""A program that has imported gnet, and becomes scripts that tests start: see fork_server.py.

It is run by its path, and imports nothing of the suite, which is none of the scripts' business. It
has no hub, no thread, and no descriptor but the listener that it was started with.

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
import socket
import sys
import types
from typing import Any

import gevent

#: Seconds after which it looks whether the suite is still there.
PATIENCE = 1.0

#: Bytes of a request, at most: arguments and environment.
REQUEST_LIMIT = 1 << 20

#: Its fork(2) is not Python's, which would tell gnet and gevent: what they do in a forked child is
#: no part of a script that was just started. Nothing of what Python does for itself then (locks,
#: other threads) is needed in a process that has one thread.
libc = ctypes.PyDLL(None, use_errno=True)


def serve(listener: socket.socket, suite: int) -> dict[str, Any] | None:
    """Fork a process for each request. In that process, return the request; else, in the end, None.
    """
    listener.settimeout(PATIENCE)
    while True:
        try:
            connection = listener.accept()[0]
        except socket.timeout:  # before Python 3.10 it is no TimeoutError
            connection = None
        if os.getppid() != suite:
            return None
        if connection is None:
            continue
        with connection:
            connection.settimeout(None)
            message, descriptors, _, _ = socket.recv_fds(connection, REQUEST_LIMIT, 4)
            number = fork()
            if number == 0:
                listener.close()
                connection.close()
                for target, descriptor in enumerate(descriptors[:3]):
                    os.dup2(descriptor, target)
            for descriptor in descriptors[:3 if number == 0 else None]:
                os.close(descriptor)
            if number == 0:
                return {**json.loads(message), 'channel': descriptors[3:]}
            connection.send(b'%d' % number)


def fork() -> int:
    """Fork a process that is not this one's child; return its number, or there, later, 0."""
    told, tell = os.pipe()
    begin, let_begin = os.pipe()
    between = libc.fork()
    if between < 0:
        raise OSError(ctypes.get_errno(), 'fork')
    if between == 0:
        child = libc.fork()
        if child != 0:
            os.write(tell, b'%d' % child)
            os._exit(0)
        os.close(tell)
        os.close(told)
        os.close(let_begin)
        os.read(begin, 1)  # the end: it has its parent
        os.close(begin)
        return 0
    os.close(tell)
    os.close(begin)
    os.waitpid(between, 0)
    number = int(os.read(told, 20))
    os.close(told)
    os.close(let_begin)
    return number


def become(request: dict[str, Any]) -> None:
    """Make of this process what Python would be before it runs the script."""
    os.chdir(request['directory'])
    os.environ.clear()
    os.environ.update(request['environment'])
    words = request['words']
    sys.orig_argv = request['command']
    if request['kind'] == 'command':
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
        # Which takes it out of the environment when it is imported.
        importlib.reload(sys.modules['gnet.processes.inheritance'])
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
    if kind != 'script':
        code = words[0] if kind == 'child' else "import runpy; runpy._run_module_as_main('gnet')"
        return python.PyRun_SimpleStringFlags(code.encode(), None)
    libc.fopen.restype = ctypes.c_void_p
    path = os.path.join(os.getcwd(), words[0]).encode()
    file = ctypes.c_void_p(libc.fopen(path, b'rb'))
    return python.PyRun_SimpleFileExFlags(file, path, 1, None)


def main() -> None:
    listener = socket.socket(fileno=int(sys.argv[1]))
    suite = int(sys.argv[2])
    for name in sys.argv[3:]:
        importlib.import_module(name)
    for setting in ('loop', 'resolver', 'threadpool', 'format_context'):
        getattr(gevent.config, setting)  # which imports what a hub is made of, and makes none
    # What nobody looks at is not copied for each script: collections pass over it.
    gc.collect()
    gc.freeze()
    try:
        request = serve(listener, suite)
    except KeyboardInterrupt:  # of the suite
        os._exit(0)
    if request is None:
        os._exit(0)
    become(request)
    if run(request['kind'], request['words']) == 0:
        return
    if not issubclass(sys.last_type, KeyboardInterrupt):
        raise SystemExit(1)
    # That was noted where it was printed, and Python ends by SIGINT.


if __name__ == '__main__':
    main()
