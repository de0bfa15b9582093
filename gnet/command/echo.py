"""``gnet echo``: a server that sends back what it receives."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from .parser import CommandParser
from .ready_made import add_place, add_server_options, listen, server_options, start

__all__ = ['make_parser', 'run']

EXAMPLES = """\
  gnet echo 7000                        on 127.0.0.1; try: gnet cat 7000
  gnet echo '*:7000' --workers auto     on every address, on all cores
  gnet echo /run/echo.sock              a unix socket
  gnet echo 7000 --tls cert.pem key.pem try: gnet cat localhost:7000 --tls --ca cert.pem
  gnet echo 7000 --metrics 9100         try: curl http://127.0.0.1:9100/metrics
"""


def make_parser() -> CommandParser:
    parser = CommandParser('echo', 'Send back what is received, until the peer ends.', EXAMPLES)
    add_place(parser, 'place', 'where to listen: [HOST:]PORT, or a path; port 0 is any free one')
    add_server_options(parser)
    return parser


def run(words: Sequence[str]) -> None:
    """Run it."""
    options = make_parser().parse_args(words)
    start('echo', words, options, options.place)


def echo(sock: Any) -> None:
    sock.pipe(sock)


def serve(options: argparse.Namespace) -> Any:
    """Return the server."""
    found = server_options(options)
    if 'key' in found:
        from .. import tls

        return listen('echo', tls.serve, echo, options.place, found)
    import gnet

    return listen('echo', gnet.serve, echo, options.place, found)


if __name__ == '__main__':
    serve(make_parser().parse_args())
