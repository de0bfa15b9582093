"""``gnet serve``: connections are served by a function, or a class, of a module."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import gnet

from .members import say
from .parser import CommandParser
from .ready_made import HOST, add_server_options, listen, place, server_options, start

__all__ = ['make_parser', 'run']

#: Where is listened if nothing is said.
PORT = '8000'

EXAMPLES = """\
  gnet serve chat:handler --port 7000      handler(sock) of chat.py is called for each connection
  gnet serve chat:handler --host '*' --port 7000 --workers auto
  gnet serve --wsgi shop:app               a WSGI application: Flask, Django, …
  gnet serve --wsgi shop.wsgi --port 443 --tls cert.pem key.pem
                                           "application" of that module, with TLS
  gnet serve legacy:Handler --patch        a handler of socketserver, in a patched process
"""


def make_parser() -> CommandParser:
    parser = CommandParser(
        'serve', 'Serve connections by a function of a module: it is called with each, in a '
        'greenlet of its own.', EXAMPLES)
    parser.add_argument(
        'what', metavar='MODULE:HANDLER',
        help='a function of one argument, a class of handlers of socketserver, or with --wsgi an '
             'application; without a name it is "handler", or "application"')
    parser.add_argument(
        '--wsgi', action='store_true', help='it is a WSGI application: gnet.wsgi.serve')
    parser.add_argument(
        '--host', metavar='HOST', help=f'where to listen ({HOST}); * is every address')
    parser.add_argument('--port', metavar='PORT', help=f'({PORT}); 0 is any free one')
    parser.add_argument('--path', metavar='PATH', help='listen on a unix socket instead')
    add_server_options(parser)
    return parser


def run(words: Sequence[str]) -> None:
    """Run it."""
    parser = make_parser()
    options = parser.parse_args(words)
    module, _, name = options.what.partition(':')
    if module.endswith('.py') or '/' in module:
        # (It would be imported first, for all that it does then, and not be found after that.)
        parser.error(
            f'{module} is a file; what is named is its module: '
            f'{Path(module).stem}:{name or "handler"}, found where the command is started')
    start('serve', words, options, _where(parser, options))


def _where(parser: CommandParser, options: argparse.Namespace) -> dict[str, Any]:
    if options.path is not None:
        if options.host is not None or options.port is not None:
            parser.error('--path is in place of --host and --port')
        return {'path': options.path}
    host = options.host or HOST
    try:
        return place(f'[{host}]:{options.port or PORT}')
    except argparse.ArgumentTypeError:
        parser.error(f'--port {options.port}: a port is a number from 0 to 65535')


def _find(what: str, default: str) -> Any:
    """Return what *what* names.

    Raises:
        SystemExit: there is no such thing, status 1. What a module fails with is its own affair.
    """
    module, _, name = what.partition(':')
    name = name or default
    try:
        found = import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f'{module}.'.startswith(f'{error.name}.'):
            raise
        say(f'serve: there is no module {error.name} in {sys.path[0] or os.getcwd()}, nor '
            'installed')
        raise SystemExit(1) from None
    except (ValueError, TypeError):
        say(f'serve: {what!r} names no module')
        raise SystemExit(1) from None
    for part in name.split('.'):
        try:
            found = getattr(found, part)
        except AttributeError:
            say(f'serve: the module {module} has no {name}')
            raise SystemExit(1) from None
    if not callable(found):
        say(f'serve: {module}:{name} cannot be called: it is of type {type(found).__name__}')
        raise SystemExit(1)
    return found


def _is_of_socketserver(handler: Any) -> bool:
    socketserver = sys.modules.get('socketserver')  # without it there is no such class
    return (socketserver is not None and isinstance(handler, type)
            and issubclass(handler, socketserver.BaseRequestHandler))


def serve(options: argparse.Namespace) -> Any:
    """Return the server."""
    where = _where(make_parser(), options)
    found = server_options(options)
    handler = _find(options.what, 'application' if options.wsgi else 'handler')
    make: Any = gnet.serve
    if options.wsgi:
        make = gnet.wsgi.serve
    else:
        if _is_of_socketserver(handler):
            handler = gnet.from_socketserver(handler)
        if 'key' in found:
            make = gnet.tls.serve
    return listen('serve', make, handler, where, found)


if __name__ == '__main__':
    serve(make_parser().parse_args())
