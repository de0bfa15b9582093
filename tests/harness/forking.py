"""Asking a fork server for a process: by the suite, and by scripts that start workers.

It imports nothing of the suite, which is none of the scripts' business.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gevent import monkey, subprocess
from gevent.os import fork_and_watch

__all__ = ['Fork', 'ask', 'popen']

_PR_SET_CHILD_SUBREAPER = 36

#: Seconds within which a fork server answers: it takes some milliseconds, beside others.
_PATIENCE = 20

#: Called with descriptors, forks a process, and returns its number.
Fork = Callable[[Sequence[int]], int]


def popen(forker: Callable[[Sequence[str], str, Mapping[str, str]], Fork | None]) -> Any:
    """Return what takes the place of gevent's Popen.

    Args:
        forker: called with a command, a directory and an environment, returns what forks such a
            process, or None if it has to be executed.
    """
    class Popen(subprocess.Popen):
        def _execute_child(self, args: Any, *others: Any) -> None:
            (_executable, _preexec, _close_fds, pass_fds, cwd, env, _text, _info, _flags, _shell,
             p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite, _restore, *rare) = others
            # A user, a mask, a session: what they are, and how many, is gevent's affair.
            is_plain = len(pass_fds) == 1 and all(
                each is None or each is False or each == -1 for each in rare)
            fork = forker(args, cwd or os.getcwd(), env) if is_plain else None
            if fork is None:
                super()._execute_child(args, *others)
                return
            self._loop.install_sigchld()
            given = [number if each == -1 else each
                     for number, each in enumerate((p2cread, c2pwrite, errwrite))]
            self.pid = fork_and_watch(
                self._on_child, self._loop, True, lambda: fork([*given, *pass_fds]))
            self._child_created = True
            # As the method of gevent's does it.
            nothing = getattr(self, '_devnull', None)
            for theirs, ours in ((p2cread, p2cwrite), (c2pwrite, c2pread), (errwrite, errread)):
                if theirs != -1 and ours != -1 and theirs != nothing:
                    os.close(theirs)
            if nothing is not None:
                os.close(nothing)
            self._closed_child_pipe_fds = True

    return Popen


def ask(address: str, request: Mapping[str, Any], descriptors: Sequence[int]) -> int:
    """Ask the fork server at *address* for a process; return its number. It is this one's child.

    Raises:
        ChildProcessError: the fork server has ended.
        OSError: it cannot fork, or has not answered.
    """
    plain: type[socket.socket] = monkey.get_original('socket', 'socket')
    # As one has that this process forks: the server's may be others.
    inherited = {'limits': resource.getrlimit(resource.RLIMIT_NOFILE)}
    message = json.dumps({**request, **inherited}).encode()
    with plain(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
        connection.settimeout(_PATIENCE)
        try:
            connection.connect(address)
        except ConnectionRefusedError:
            raise ChildProcessError('the fork server has ended') from None
        _take_in_orphans(True)
        try:
            socket.send_fds(connection, [message], descriptors)
            answer = connection.recv(20)
        finally:
            _take_in_orphans(False)
    if not answer:
        raise ChildProcessError('the fork server has ended')
    number = int(answer)
    if number < 0:  # a process of that number would be all there are, to kill()
        raise OSError(-number, os.strerror(-number), 'fork')
    return number


def _take_in_orphans(enabled: bool) -> None:
    """Be the parent of what descends from this process and has lost its own."""
    prctl: Callable[..., int] = ctypes.CDLL(None, use_errno=True).prctl
    if prctl(_PR_SET_CHILD_SUBREAPER, int(enabled), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), 'prctl')
