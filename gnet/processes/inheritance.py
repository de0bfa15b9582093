"""What this process was given by the one that started it: a channel, and its number in a cluster.

It is in the environment, and is taken out of it when gnet is imported: processes that this one
starts do not see it, and what the program itself puts there later is for them.

And Ctrl-C may have been held back. A terminal interrupts all that it has started; while an
interpreter starts and imports gnet, Python would print a traceback of that. So who starts a process
has that hold it, and the process lets it in when it can end as it would later.
"""

from __future__ import annotations

import os
import signal
import stat

__all__ = ['hold_interrupts', 'inherited_channel', 'let_interrupts_in', 'worker_number']


def _inherited_channel() -> int | None:
    number = os.environ.pop('NODE_CHANNEL_FD', None)
    form = os.environ.pop('NODE_CHANNEL_SERIALIZATION_MODE', 'json')
    if number is None:
        return None
    try:
        fd = int(number)
        if not stat.S_ISSOCK(os.fstat(fd).st_mode):
            raise ValueError('it is no socket')
        os.set_inheritable(fd, False)
    except (ValueError, OSError) as error:
        _warn('NODE_CHANNEL_FD=%s leads to no channel: %s', number, error)
        return None
    if form != 'json':
        _warn('the channel speaks %s, which gnet does not: it is left alone', form)
        return None
    return fd


def _warn(text: str, *values: object) -> None:
    import logging  # which a process without such a parent may have no use for

    logging.getLogger('gnet.ipc').warning(text, *values)


#: The descriptor of the channel to the process that started this one; None if that made none.
inherited_channel: int | None = _inherited_channel()

#: What a worker of a cluster is called by its primary; None for what is no worker.
worker_number: str | None = os.environ.pop('NODE_UNIQUE_ID', None)


def hold_interrupts() -> None:
    """Let SIGINT wait in this process. Called in a new one, before its program begins."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})


def let_interrupts_in() -> None:
    """Let it wait no longer, if who has started this process may have let it.

    Raises:
        KeyboardInterrupt: there was one.
    """
    if inherited_channel is not None:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
