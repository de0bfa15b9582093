"""``gnet cat``: standard input goes to a server, and what it says to standard output."""

from __future__ import annotations

import argparse
import os
import select
import stat
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gevent
from gevent.socket import wait_read, wait_write

import gnet

from ..loop import running
from .members import say
from .parser import CommandParser
from .ready_made import add_place, failing_in_one_line

__all__ = ['make_parser', 'run']

EXAMPLES = """\
  gnet cat 7000                         talk to 127.0.0.1:7000; Ctrl-D ends what is sent
  printf 'GET / HTTP/1.0\\r\\nHost: example.org\\r\\n\\r\\n' | gnet cat example.org:443 --tls
  gnet cat localhost:7000 --tls --ca cert.pem
  gnet cat /run/app.sock < request > answer
"""

#: Bytes that are read at once; and written, where a reader may take less: a pipe that can be
#: written has room for so many.
_BLOCK = 65536
_PIPE_BLOCK = select.PIPE_BUF


def make_parser() -> CommandParser:
    parser = CommandParser(
        'cat', 'Send standard input to a server, and write what it sends to standard output. Its '
        'end ends this; that of the input is told to it, and what it still has to say is waited '
        'for.', EXAMPLES)
    add_place(parser, 'place', 'the server: [HOST:]PORT, or the path of a unix socket')
    parser.add_argument('--tls', action='store_true', help='speak TLS, and verify who it is')
    parser.add_argument(
        '--ca', type=Path, metavar='FILE',
        help='authorities, as PEM, that are trusted (those of the system)')
    parser.add_argument(
        '--servername', metavar='NAME', help='whose certificate it must be, and SNI (HOST)')
    parser.add_argument(
        '--insecure', action='store_true', help='whoever it is: nothing is verified')
    parser.add_argument(
        '--cert', nargs=2, type=Path, metavar=('CERT', 'KEY'),
        help='a certificate to show, and its key, as PEM')
    parser.add_argument(
        '--timeout', type=_seconds, metavar='SECONDS', default=10.0,
        help='that connecting may take (10)')
    return parser


def _seconds(word: str) -> float:
    try:
        seconds = float(word)
    except ValueError:
        seconds = 0
    if not 0 < seconds <= 86400:
        raise argparse.ArgumentTypeError(f'{word!r} is no number of seconds')
    return seconds


def run(words: Sequence[str]) -> None:
    """Run it; it returns when the server has ended.

    Raises:
        SystemExit: a wrong usage, status 2; a connection that failed, status 1, after a line.
        KeyboardInterrupt: Ctrl-C.
    """
    parser = make_parser()
    options = parser.parse_args(words)
    of_tls = [name for name in ('ca', 'servername', 'insecure', 'cert') if getattr(options, name)]
    if of_tls and not options.tls:
        parser.error(f'--{of_tls[0]} is of --tls')
    gnet.set_stay_alive(False)
    try:
        with failing_in_one_line('cat'):
            _talk(_connected(options))
    except KeyboardInterrupt as interrupt:
        running.print_nothing_for(interrupt)
        raise


def _connected(options: argparse.Namespace) -> Any:
    """Return a socket that is connected."""
    sock: Any
    if not options.tls:
        sock = gnet.connect(**options.place, allow_half_open=True)
    else:
        from .. import tls

        asked: dict[str, Any] = {'allow_half_open': True}
        if options.ca is not None:
            asked['ca'] = options.ca
        if options.servername is not None:
            asked['servername'] = options.servername
        if options.insecure:
            asked['reject_unauthorized'] = False
        if options.cert is not None:
            asked['cert'], asked['key'] = options.cert
        sock = tls.connect(**options.place, **asked)
    # Nothing is sent: it waits for the connection, and for the handshake.
    sock.settimeout(options.timeout)
    sock.sendall(b'')
    if options.tls:
        sock.do_handshake()
    sock.settimeout(None)
    return sock


def _talk(sock: Any) -> None:
    # What goes on in the other direction fails with the connection, which is told here.
    sending = gevent.spawn(_send, sock)
    try:
        output = _Output()
        for chunk in sock:
            output.write(chunk)
    except BrokenPipeError:
        if sock.destroyed:
            raise
        # Who reads has seen enough. Nothing is left for Python to write at the end, either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    finally:
        sending.kill()
        sock.destroy()


def _send(sock: Any) -> None:
    """Send standard input, and then the end."""
    try:
        for chunk in _input():
            sock.sendall(chunk)
        sock.end()
    except OSError as error:
        if not sock.destroyed:
            say(f'cat: {error}')
            sock.destroy()


def _input() -> Any:
    """Yield what comes; wait for it in this greenlet alone."""
    number = sys.stdin.fileno()
    waits = _may_wait(number)
    while True:
        if waits:
            wait_read(number)
        chunk = os.read(number, _BLOCK)
        if not chunk:
            return
        yield chunk


class _Output:
    """Standard output, written in this greenlet alone."""

    def __init__(self) -> None:
        self._number = sys.stdout.fileno()
        self._waits = _may_wait(self._number)

    def write(self, chunk: bytes) -> None:
        rest = memoryview(chunk)
        while rest:
            if self._waits:
                wait_write(self._number)
            rest = rest[os.write(self._number, rest[:_PIPE_BLOCK] if self._waits else rest):]


def _may_wait(number: int) -> bool:
    """Whether a poll can wait for the descriptor: a file of a disk is always ready."""
    mode = os.fstat(number).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or os.isatty(number)
