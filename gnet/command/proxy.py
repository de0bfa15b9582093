"""``gnet proxy``: connections go on to another server."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gnet

from .members import say
from .parser import CommandParser
from .ready_made import (
    add_place,
    add_server_options,
    failing_in_one_line,
    listen,
    place_text,
    server_options,
    start,
)

__all__ = ['make_parser', 'run']

EXAMPLES = """\
  gnet proxy 7001 10.0.0.1:7000            127.0.0.1:7001 is 10.0.0.1:7000
  gnet proxy '*:443' 127.0.0.1:8000 --tls cert.pem key.pem
                                           TLS in front of a server that has none
  gnet proxy 7001 example.org:443 --to-tls and the other way round
  gnet proxy /run/db.sock 10.0.0.1:5432    a unix socket that is a port elsewhere
  gnet proxy '*:80' 127.0.0.1:8000 --send-proxy 2
                                           the server is told whose connection it is
"""


def make_parser() -> CommandParser:
    parser = CommandParser('proxy', 'Forward each connection to another server.', EXAMPLES)
    add_place(parser, 'from', 'where to listen: [HOST:]PORT, or a path')
    add_place(parser, 'to', 'the server: HOST:PORT, or a path')
    parser.add_argument(
        '--to-tls', action='store_true', help='speak TLS with the server, and verify who it is')
    parser.add_argument(
        '--to-ca', type=Path, metavar='FILE',
        help='authorities, as PEM, that are trusted there (those of the system)')
    parser.add_argument(
        '--send-proxy', type=int, choices=(1, 2), metavar='VERSION',
        help='tell the server whose connection it is, by the PROXY protocol, version 1 or 2')
    add_server_options(parser)
    return parser


def run(words: Sequence[str]) -> None:
    """Run it."""
    options = make_parser().parse_args(words)
    start('proxy', words, options, getattr(options, 'from'))


class Relay:
    """Connects clients to the server."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._where = options.to
        self._version = options.send_proxy
        self._connect: Any = gnet.connect
        self._options: dict[str, Any] = {'allow_half_open': True}
        if options.to_tls:
            from .. import tls

            self._connect = tls.connect
            context = {} if options.to_ca is None else {'ca': options.to_ca}
            # Made once: it is an error now, and not with each connection.
            self._options['secure_context'] = tls.create_secure_context(**context)

    def __call__(self, client: Any) -> None:
        """Have a client's connection go on: the listener of `'connection'`."""
        told: list[BaseException] = []

        def over(error: BaseException | None = None) -> None:
            # If one connection fails, both are closed, and both pipelines say why.
            if error is not None and not told:
                told.append(error)
                say(f'proxy: {client.remote_address or "a client"}: {error}')

        options = dict(self._options)
        if self._version is not None:
            options['proxy_protocol'] = {'version': self._version, 'source': client}
        server = self._connect(**self._where, **options)
        # Before the pipelines close it: who is at the other end must not take what came until then
        # for all that there was.
        client.on('error', lambda error: _reset(server))
        server.on('error', lambda error: _reset(client))
        gnet.pipeline(client, server, over)
        gnet.pipeline(server, client, over)


def _reset(sock: Any) -> None:
    """Have the peer of a connection see that it was cut, where there is a way."""
    if sock.remote_port is None:
        sock.destroy()  # it is a unix socket, or not connected
    else:
        sock.reset_and_destroy()


def serve(options: argparse.Namespace) -> Any:
    """Return the server."""
    if options.to_ca is not None and not options.to_tls:
        make_parser().error('--to-ca is of --to-tls')
    with failing_in_one_line('proxy'):
        relay = Relay(options)
    found = server_options(options)
    make: Any = gnet.serve
    if 'key' in found:
        from .. import tls

        make = tls.serve
    # Half open: a client that has sent its request and ended shall still get the answer.
    return listen(
        'proxy', make, relay, getattr(options, 'from'), {**found, 'allow_half_open': True},
        f' for {place_text(options.to)}')


if __name__ == '__main__':
    serve(make_parser().parse_args())
