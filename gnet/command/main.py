"""``python -m gnet [options] script.py [arguments]``, also installed as ``gnet``.

Runs a script, or with ``-m`` a module, as Python itself would: as ``__main__``, with its own
``sys.argv`` and ``sys.path[0]``, and with tracebacks that start in it. Then it serves on until
nothing is left that keeps the program alive, as ``gnet.run()`` at the end of the script would do.
How it ends is how Node ends:

====================================  ============================================================
The script reaches its last line      serve on; status 0 when nothing is left. It does not serve on
                                      where the exit hook would not (see :mod:`gnet.loop.running`)
``sys.exit(n)`` in the script, or in  end at once with that status, whatever is still open: Node's
a listener                            ``process.exit``. (Without this command only a listener's can
                                      be seen; the exit hook serves on after the script's.)
An uncaught exception in the script   its traceback, status 1, no serving on
A failure of what the program itself  the same, whenever it happens
started (an ``'error'`` of a server
that nobody listens to)
Ctrl-C                                ``finally`` blocks and exit functions are run, nothing is
                                      printed, and the process dies by SIGINT as a shell expects
``SIGTERM``                           if it has a server: drained, status 0; so, too, when a second
                                      one cuts that short: :mod:`gnet.command.termination`
No such script                        a message, status 2
No such module                        a message, status 1
====================================  ============================================================

``gnet echo`` and the like are commands of gnet's own: :mod:`gnet.command.subcommands`.

``--patch`` calls ``gevent.monkey.patch_all()`` before the script or anything it imports is loaded.
gnet itself is loaded by then and works either way; it has not loaded ``ssl``, which cannot be
patched later.

``--drain-timeout SECONDS`` is how long connections may go on when the program, or their worker, is
to end.

``--control PATH`` opens a socket at which ``gnet top PATH`` shows what lives in the program
(:mod:`gnet.observing.control`); ``--control auto``, one that is found by ``gnet top PID``.
``--blocked SECONDS`` tells of each time that the hub is blocked for longer
(:mod:`gnet.observing.blocked_hub`). SIGUSR1 has the program tell what lives in it
(:mod:`gnet.command.live_signal`). With workers, all of this is about each of them.
``--metrics HOST:PORT`` answers ``GET /metrics`` there, for all processes of the program.
``--log-format json`` (or ``text``) has all that gnet logs, and says, in lines of that form on
stderr; ``--access-log`` adds one for each connection: :mod:`gnet.command.watching`.

``--workers N`` runs the script, unchanged, in N processes that share what they listen on, and looks
after them: :mod:`gnet.command.supervisor`. ``auto`` is one for each core it may run on.
``--accept primary`` (the default) has connections given to them in turn, ``--accept workers`` has
them accept from a listener that they share. How such a program ends:

====================================  ============================================================
``SIGTERM``                           drained, status 0; so, too, when a second one cuts that short
Ctrl-C                                the workers end as the script would, and the primary with them
The script ends everywhere, before    status 0
any worker has listened
A worker fails before any has         its traceback, and its status (128 plus the number of the
listened                              signal, if it was one)
A worker ends later                   it is restarted; the program goes on
====================================  ============================================================
"""

from __future__ import annotations

import argparse
import gc
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from typing import Any

from .._version import __version__
from ..clusters.questions import answers
from ..loop import exit_hook, running
from ..processes.inheritance import inherited_channel, let_interrupts_in, worker_number
from . import live_signal, subcommands, watching
from .parser import Parser
from .program import check, execute, find_module, find_script
from .termination import Termination
from .traceback import start_in_program

__all__ = [
    'main',
    'make_parser',
]

#: Options whose value may be the next word.
_WITH_VALUE = (
    '--accept', '--blocked', '--control', '--drain-timeout', '--log-format', '--metrics',
    '--workers',
)

#: By which workers learn for how many seconds their hubs may be blocked.
_BLOCKED = 'GNET_BLOCKED'

#: Seconds that connections have to finish. What stops services (systemd, Kubernetes) waits 90 and
#: 30 seconds before it kills; few requests take longer.
DRAIN_TIMEOUT = 30.0


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command. It returns when the program has ended well, else it raises.

    Args:
        argv: the arguments without the command's own name; None (the default) for those of the
            process.

    Raises:
        SystemExit: a wrong usage, a script that was not found, or ``sys.exit`` in the program.
        BaseException: what the program did not catch. Left alone, Python prints it (a Ctrl-C not)
            and ends with the right status.
    """
    words = sys.argv[1:] if argv is None else argv
    run_subcommand = subcommands.find(words)
    if run_subcommand is not None:
        let_interrupts_in()
        run_subcommand()
        return
    options, arguments = _parse(words)
    if options.patch:
        from gevent import monkey

        from ..clusters.cluster import cluster, primary_side

        monkey.patch_all()
        if cluster.is_primary:
            primary_side().defaults['patch'] = True  # for workers that the program forks itself
    # What is loaded by now stays to the end, and no collection has to look through it: those at the
    # end are a tenth of what it takes to start a worker and to end it.
    gc.freeze()
    running.expect_interrupts()
    # Before a primary is told that this worker is there.
    live_signal.expect()
    answers['live'] = _tell_live
    if inherited_channel is not None:
        from ..processes.this_process import process

        process.begin()
    own_pid = os.getpid()
    try:
        let_interrupts_in()
        watching.begin(options.metrics, options.log_format, options.access_log)
        if options.workers is not None:
            _supervise(options, arguments)
            return
        program = (
            find_script(options.script) if options.module is None
            else find_module(options.module)
        )
        sys.argv[:] = [options.script or program.path, *arguments]
        with Termination(options.drain_timeout), ExitStack() as looked_in:
            if options.blocked is not None or options.control is not None:
                from .looking_in import controlled, watched

                if options.blocked is not None:
                    looked_in.enter_context(watched(options.blocked))
                if options.control is not None:
                    looked_in.enter_context(controlled(options.control))
            execute(program)
            # A child that the script forked has inherited what is open, but not the duty to serve.
            if exit_hook.stays_alive() and not sys.flags.interactive and os.getpid() == own_pid:
                running.run()
    except SystemExit:
        raise
    except KeyboardInterrupt as interrupt:
        if worker_number is not None:
            # The terminal and the primary both interrupt it, and Python would print where it was
            # when the second one came. (What is no worker hears that one: it cuts short what hangs
            # at the end, and says where.)
            signal.signal(signal.SIGINT, _pass_over)
        running.print_nothing_for(interrupt)
        raise
    except BaseException as error:
        start_in_program(error)
        raise
    finally:
        # All is decided: the exit hook must not serve on after a failure or sys.exit.
        exit_hook.set_stay_alive(False)
        _give_up_what_cannot_be_said()


def _pass_over(number: int, frame: object) -> None:
    """Do nothing this time. The next one is of the next Ctrl-C: it ends what hangs, quietly."""
    signal.signal(number, signal.SIG_DFL)


def _give_up_what_cannot_be_said() -> None:
    """Let a log that is full be no reason for Python to end with another status than the program's.

    Of stdout it stays one: that may be what the program is for.
    """
    try:
        if sys.stderr is not None:
            sys.stderr.flush()
    except (OSError, ValueError):
        sys.stderr = None  # Python allows for that


def _tell_live(reply: Callable[[Any], object]) -> None:
    """Answer a primary that asks for what lives in this worker."""
    from ..observing.control import tell_live

    tell_live(reply)


def _supervise(options: argparse.Namespace, arguments: list[str]) -> None:
    """Run the program in worker processes.

    Raises:
        SystemExit: it has ended with another status than 0, or was not found.
        KeyboardInterrupt: Ctrl-C.
    """
    # Before anything of the program can be taken for a module of the standard library.
    from ..clusters.cluster import cluster
    from .supervisor import Supervisor

    first_directory = sys.path[0]
    check(options)
    sys.path[0] = first_directory
    settings = {
        'exec': options.script if options.module is None else options.module,
        'module': options.module is not None,
        'args': arguments,
        'patch': options.patch,
    }
    environment = {} if options.blocked is None else {_BLOCKED: repr(options.blocked)}
    if options.accept is not None:  # else NODE_CLUSTER_SCHED_POLICY has said it, if anything has
        cluster.scheduling_policy = (
            cluster.SCHED_RR if options.accept == 'primary' else cluster.SCHED_NONE)
    supervisor = Supervisor(settings, options.workers, options.drain_timeout, environment)
    with ExitStack() as looked_in:
        if options.control is not None:
            from .looking_in import controlled

            looked_in.enter_context(
                controlled(options.control, supervisor.tell_live, supervisor.pids))
        status = supervisor.run()
    if status:
        raise SystemExit(status)


def make_parser() -> Parser:
    """Return the parser of the words in front of a script, and of its own name."""
    parser = Parser(
        prog='gnet',
        usage='%(prog)s [-h] [--version] [--workers N] [--accept WHO] [--drain-timeout SECONDS] '
              '[--patch] [--metrics HOST:PORT] [--log-format FORMAT] [--access-log] '
              '[--control PATH] [--blocked SECONDS] (script.py | -m module) [arguments ...]\n'
              '       %(prog)s COMMAND [-h] ...',
        description='Run a script, then serve until nothing is left that keeps it alive; or run '
                    'one of these commands.',
        epilog=f'commands, each with a --help of its own (a script of such a name: gnet ./echo):\n'
               f'{subcommands.overview()}',
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        '--version', action='version', version=f'%(prog)s {__version__}',
    )
    parser.add_argument(
        '--patch', action='store_true',
        help='first make the standard library cooperative: gevent.monkey.patch_all()',
    )
    parser.add_argument(
        '--workers', type=_workers, metavar='N',
        help='run it in N processes that share their servers; auto: one for each core',
    )
    parser.add_argument(
        '--accept', choices=('primary', 'workers'), metavar='WHO',
        help='who accepts for workers: the primary (the default), which gives them connections in '
             'turn, within limits of all together; or workers, from what they share: cheaper for '
             'many short connections, less even, and each with limits of its own',
    )
    parser.add_argument(
        '--drain-timeout', type=_seconds, metavar='SECONDS',
        help='how long connections may go on after SIGTERM or SIGHUP (30)',
    )
    parser.add_argument(
        '--metrics', type=watching.host_and_port, metavar='HOST:PORT',
        help='answer GET /metrics there, for Prometheus; a port alone is of 127.0.0.1',
    )
    parser.add_argument(
        '--log-format', choices=('json', 'text'), metavar='FORMAT',
        help='have lines of the log on stderr, as json or as text',
    )
    parser.add_argument(
        '--access-log', action='store_true',
        help='have a line of the log for each connection, at its end',
    )
    parser.add_argument(
        '--control', metavar='PATH',
        help='a unix socket for "gnet top PATH"; auto: one for "gnet top PID"',
    )
    parser.add_argument(
        '--blocked', type=_blocked, metavar='SECONDS', default=os.environ.pop(_BLOCKED, None),
        help='tell who blocks the hub for longer than that, such as 0.2',
    )
    parser.add_argument('-m', dest='module', metavar='module', help='run a module as a script')
    parser.add_argument('script', nargs='?', metavar='script.py', help='the script to run')
    return parser


def _parse(words: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    parser = make_parser()
    own, arguments = _split(list(words))
    options = parser.parse_args(own)
    if options.script is None and options.module is None:
        parser.error('a script or -m and a module are required')
    if options.accept is not None and options.workers is None:
        parser.error('--accept is about workers: it needs --workers N')
    if options.drain_timeout is None:
        options.drain_timeout = DRAIN_TIMEOUT
    return options, arguments


def _split(words: list[str]) -> tuple[list[str], list[str]]:
    """Return the words that are for this command, and those that are for the program."""
    index = 0
    while index < len(words):
        word = words[index]
        if word in ('-m', '--'):
            return words[:index + 2], words[index + 2:]
        if not word.startswith('-') or word.startswith('-m'):
            return words[:index + 1], words[index + 1:]
        index += 2 if word in _WITH_VALUE else 1
    return words, []


def _workers(word: str) -> int:
    """Return how many workers *word* asks for."""
    if word == 'auto':
        if hasattr(os, 'sched_getaffinity'):
            return len(os.sched_getaffinity(0))
        return os.cpu_count() or 1
    if not word.isascii() or not word.isdigit() or int(word) == 0:
        raise argparse.ArgumentTypeError(f'{word!r} is neither a positive number nor auto')
    return int(word)


def _seconds(word: str) -> float:
    with suppress(ValueError):
        seconds = float(word)
        if 0 <= seconds <= threading.TIMEOUT_MAX:
            return seconds
    raise argparse.ArgumentTypeError(f'{word!r} is no number of seconds')


def _blocked(word: str) -> float:
    from .looking_in import blocked_seconds

    return blocked_seconds(_seconds(word))
