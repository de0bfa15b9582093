"""``gnet top PID`` or ``gnet top PATH``: what lives in a running program, again and again.

It asks the program's control socket (``gnet --control PATH script.py``; with ``--control auto`` it
is found by the number of the process), and shows the answer in the terminal. Where there is no
terminal, or with ``--once``, it is written once, as lines.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import signal
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from time import monotonic
from typing import Any

from .._version import __version__
from ..observing.control_path import candidates
from ..observing.entries import Kind, LiveEntry
from ..observing.heap import Place
from ..observing.live_text import amount, line_of, printable, summary
from .members import counted, say
from .parser import CommandParser

__all__ = ['main', 'make_parser']

EXAMPLES = """\
  gnet --control auto server.py         the program; its number is then the PID
  gnet top 4711                         every two seconds, until Ctrl-C
  gnet top --once /run/server.control   of gnet --control /run/server.control, as lines
"""

#: Seconds between two looks.
INTERVAL = 2.0

#: Seconds after which a program that does not answer is said to be stuck.
PATIENCE = 5.0

#: Terminals: another screen without a cursor, and back; to the left upper corner; and what clears
#: a line from its beginning on, or the screen below.
_ENTER, _LEAVE = '\x1b[?1049h\x1b[?25l', '\x1b[?25h\x1b[?1049l'
_HOME, _CLEAR_LINE, _CLEAR_BELOW = '\x1b[H', '\x1b[K', '\x1b[J'


#: How an answer ends.
_END = b'"end": true}\n'


class UnreachableError(Exception):
    """The program cannot be asked; the text says why."""


class Report:
    """One answer."""

    def __init__(self, lines: list[dict[str, Any]]) -> None:
        head = lines[0]
        self.pid: int = head['pid']
        self.workers: list[int] = head['workers']
        self.silent: list[int] = []
        #: Each with the process in which it lives.
        self.entries: list[tuple[int, LiveEntry]] = []
        for line in lines[1:]:
            if 'silent' in line:
                self.silent = line['silent']
            elif 'kind' in line:
                self.entries.append((line.pop('process'), _entry_of(line)))
        self.entries.sort(key=lambda each: (each[1].age is None, -(each[1].age or 0)))
        self.taken: float = monotonic()

    def bytes_in_all(self) -> dict[tuple[int, int], int]:
        """Return how many bytes each connection has had, in both directions."""
        return {
            (process, entry.id): (entry.bytes_read or 0) + (entry.bytes_written or 0)
            for process, entry in self.entries if entry.kind is Kind.SOCKET}

    def lines(self) -> list[str]:
        """Return a line for each entry."""
        with_process = bool(self.workers)
        return [
            f'{process:>7}  {line_of(entry)}' if with_process else line_of(entry)
            for process, entry in self.entries]

    def heading(self, before: Report | None) -> list[str]:
        """Return the lines above; *before* is the answer before this one, for rates."""
        of_whom = f'pid {self.pid}'
        if self.workers:
            of_whom += f', {counted(len(self.workers), "worker")}'
        lines = [f'gnet top: {of_whom}, * keeps it alive: '
                 f'{summary([entry for _, entry in self.entries])}']
        if before is not None:
            old, passed = before.bytes_in_all(), self.taken - before.taken
            moved = sum(
                size - old.get(key, 0) for key, size in self.bytes_in_all().items())
            lines[0] += f', {amount(int(max(moved, 0) / max(passed, 0.001)))} bytes/s'
        if self.silent:
            lines.append(f'no answer of {", ".join(map(str, self.silent))}: blocked?')
        return [printable(line) for line in lines]


def main(argv: Sequence[str]) -> None:
    """Run it. It returns when there is nothing more to be shown.

    Raises:
        SystemExit: a wrong usage, status 2; a program that cannot be asked, status 1.
        KeyboardInterrupt: Ctrl-C.
    """
    options = make_parser().parse_args(argv)
    try:
        path = _path_of(options.target)
        if options.once or not sys.stdout.isatty():
            report = ask(path)
            lines = [*report.heading(None), *report.lines()]
            sys.stdout.write(''.join(f'{line}\n' for line in lines))
            sys.stdout.flush()
        else:
            _show_again_and_again(path, options.interval)
    except UnreachableError as reason:
        say(str(reason))
        raise SystemExit(1) from None
    except BrokenPipeError:
        # Who reads has seen enough. Nothing is left for Python to write at the end, either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def make_parser() -> CommandParser:
    parser = CommandParser(
        'top', 'Show what lives in a program that was started by gnet --control.', EXAMPLES)
    parser.add_argument(
        'target', metavar='PID|PATH',
        help='the number of a process (of --control auto), or the path of its control socket')
    parser.add_argument('--once', action='store_true', help='show it once, as lines')
    parser.add_argument(
        '--interval', type=_positive, default=INTERVAL, metavar='SECONDS',
        help='between two looks (2)')
    return parser


def _positive(word: str) -> float:
    with suppress(ValueError):
        seconds = float(word)
        if 0.1 <= seconds <= 86400:
            return seconds
    raise argparse.ArgumentTypeError(f'{word!r} is no number of seconds from 0.1 on')


def _path_of(target: str) -> str:
    if not (target.isascii() and target.isdigit()):
        return target
    try:
        found = candidates(int(target))
    except (ProcessLookupError, OverflowError):
        raise UnreachableError(f'there is no process {target}') from None
    if not found:
        raise UnreachableError(
            f'process {target} has no control socket here: it was not started by "gnet '
            '--control auto", or is a worker (then name its primary); if it was by "--control '
            'PATH", name the path')
    return found[0]


# --- asking -------------------------------------------------------------------------------------


def ask(path: str) -> Report:
    """Return what the program answers whose control socket is at *path*.

    Raises:
        UnreachableError: there is none, it is somebody else's, or it does not answer.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(PATIENCE)
        answer = bytearray()
        try:
            sock.connect(path)
            with suppress(BrokenPipeError, ConnectionResetError):  # as an end
                sock.sendall(b'live\n')
                while data := sock.recv(65536):
                    answer += data
                    if answer.endswith(_END):
                        break
        except (socket.timeout, BlockingIOError):  # this, if as many wait as may
            raise UnreachableError(f'no answer of {path}: its hub is blocked') from None
        except OSError as error:
            raise UnreachableError(f'{path}: {error.strerror or error}') from None
    if not answer:
        raise UnreachableError(
            f'{path} lets nobody in: it is of another user, looked at by too many already, or '
            'about to end')
    if not answer.endswith(_END):
        raise UnreachableError(f'{path} has ended in the middle of its answer')
    try:
        return Report([json.loads(line) for line in answer.splitlines()])
    except (ValueError, LookupError, TypeError, AttributeError):
        raise UnreachableError(
            f'what {path} answers is not what gnet {__version__} does') from None


def _entry_of(line: dict[str, Any]) -> LiveEntry:
    line['kind'] = Kind(line['kind'])
    if 'where' in line:
        line['where'] = Place(*line['where'])
    line['stack'] = tuple(Place(*each) for each in line.get('stack', ()))
    return LiveEntry(**line)


# --- showing ------------------------------------------------------------------------------------


def _show_again_and_again(path: str, interval: float) -> None:
    with _screen() as wake:
        before: Report | None = None
        while True:
            report = ask(path)
            heading = [*report.heading(before), f'every {interval:g} s, Ctrl-C ends this', '']
            due = monotonic() + interval
            while True:
                _draw([*heading, *report.lines()])
                # A window of another size shows the same anew.
                left = due - monotonic()
                if left <= 0 or not select.select([wake], [], [], left)[0]:
                    break
                os.read(wake, 100)
            before = report


def _draw(lines: list[str]) -> None:
    """Fill the screen: one line of it for each, and what has no room is counted."""
    try:
        width, height = os.get_terminal_size(sys.stdout.fileno())
    except OSError:
        width, height = 80, 24
    width, height = width or 80, height or 24  # a terminal that does not know its size says 0
    if len(lines) > height:
        left = len(lines) - height + 1
        lines = [*lines[:height - 1], f'… and {left} more (gnet top --once shows all)']
    # One letter less: behind a line as wide as the screen, clearing would take the last one.
    text = '\n'.join(_CLEAR_LINE + line[:width - 1] for line in lines)
    sys.stdout.write(f'{_HOME}{text}{_CLEAR_BELOW}')
    sys.stdout.flush()


@contextmanager
def _screen() -> Iterator[int]:
    """Use a screen of its own; yield a descriptor that can be read when the window has changed."""
    readable, writable = os.pipe()
    os.set_blocking(writable, False)
    previous = {
        signal.SIGWINCH: signal.signal(signal.SIGWINCH, lambda *_: None),
        # The screen is to be left as it was.
        signal.SIGTERM: signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM)),
    }
    waker = signal.set_wakeup_fd(writable, warn_on_full_buffer=False)
    sys.stdout.write(_ENTER)
    try:
        yield readable
    finally:
        signal.set_wakeup_fd(waker)
        for number, handler in previous.items():
            signal.signal(number, handler)
        with suppress(OSError):  # the terminal is gone
            sys.stdout.write(_LEAVE)
            sys.stdout.flush()
        os.close(readable)
        os.close(writable)
