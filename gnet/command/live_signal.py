"""SIGUSR1: the program tells what lives in it, on stderr (:func:`gnet.live`).

At once, in the signal handler, wherever the program is: most is to be learnt from one that is stuck
in a loop. Nothing is asked for in there that could wait, or be in the middle of something.

A process that another program has started (``child_process.fork``, ``gnet.cluster``) has the
default: that program may mean to end it by this signal. Not so workers of ``--workers``.

What the script does about SIGUSR1 itself (``signal.signal``, ``gevent.signal_handler``,
``faulthandler.register``) takes the place of this; and processes that it starts have the default,
as Node's, where SIGUSR1 starts the debugger.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from types import FrameType

from ..clusters import primary_watch
from ..node.originals import close_descriptor
from ..observing.plain_stderr import write_to_stderr
from ..processes.inheritance import inherited_channel

__all__ = ['expect']

#: A descriptor that is given up for the first answer: what makes it is imported then, and a program
#: that is out of descriptors is one that people ask.
_spare: list[int] = []


def expect() -> None:
    """Tell, from now on and until the process ends, unless somebody has decided about SIGUSR1."""
    is_own = inherited_channel is None or primary_watch.SUPERVISED in os.environ
    if is_own and signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL:
        _spare.append(os.open(os.devnull, os.O_RDONLY))
        signal.signal(signal.SIGUSR1, _teller(os.getpid()))


def _teller(process: int) -> Callable[[int, FrameType | None], None]:
    is_telling = False

    def tell(number: int, frame: FrameType | None) -> None:
        """The signal handler. Python calls it in any frame."""
        if os.getpid() != process:
            # A child that was forked: it has inherited the handler, but nothing that lives here.
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
            return
        nonlocal is_telling
        if is_telling:
            return  # signals that come faster than they are answered would be a recursion
        is_telling = True
        try:
            _tell(process, frame)
        finally:
            is_telling = False

    return tell


def _tell(process: int, frame: FrameType | None) -> None:
    try:
        while _spare:
            close_descriptor(_spare.pop())
        from ..observing.live import live

        text = '\n'.join(live(frame=frame).lines())
    except Exception as error:
        # It would be raised in whatever was interrupted.
        text = f'gnet: what lives in process {process} cannot be told: {error!r}'
    write_to_stderr(f'{text}\n')
