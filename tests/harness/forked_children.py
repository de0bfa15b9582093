"""Children that ``gnet.child_process`` starts in the suite: forked as scripts are."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from gevent import subprocess
from gevent.os import fork_and_watch

from . import fork_server

__all__ = ['Popen']


class Popen(subprocess.Popen):
    """Takes the place of gevent's, and asks a fork server for those that have a channel."""

    def _execute_child(self, args: Any, *others: Any) -> None:
        (_executable, _preexec, _close_fds, pass_fds, cwd, env, _text, _info, _flags, _shell,
         p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite, _restore, *rare) = others
        # A user, a mask, a session: what they are, and how many, is a matter of gevent's version.
        is_plain = len(pass_fds) == 1 and all(
            each is None or each is False or each == -1 for each in rare)
        fork = fork_server.forker(args, Path(cwd or os.getcwd()), env) if is_plain else None
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
