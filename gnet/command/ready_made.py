"""What the ready-made servers share (``gnet echo``, ``proxy``, ``serve``): options, and their run.

Each is a module that is run like a program of a user's, by ``gnet -m``: so workers, draining,
metrics and all else of the command are the same for it.
"""

from __future__ import annotations

import argparse
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..errors import CodedError
from ..node.coded_errors import CodedValueError
from ..node.system_errors import listen_error, lookup_error
from ..node.validators import validate_port
from ..processes.inheritance import worker_number
from .members import say
from .parser import CommandParser

__all__ = [
    'add_place', 'add_server_options', 'failing_in_one_line', 'listen', 'place', 'place_text',
    'server_options', 'start',
]

#: Options that are those of ``gnet script.py``, and what they are called in the help.
RUNNER_VALUES = {
    '--workers': ('N', 'so many processes; auto: one for each core'),
    '--accept': ('WHO', 'who accepts for workers: primary (in turn), or workers'),
    '--drain-timeout': ('SECONDS', 'how long connections may go on after SIGTERM (30)'),
    '--metrics': ('HOST:PORT', 'answer GET /metrics there'),
    '--log-format': ('FORMAT', 'lines of the log as json or text'),
    '--control': ('PATH', 'a unix socket for "gnet top PATH"; auto: for "gnet top PID"'),
    '--blocked': ('SECONDS', 'tell who blocks the hub for longer'),
}
RUNNER_FLAGS = {
    '--access-log': 'a line of the log for each connection',
    '--patch': 'make the standard library cooperative first',
}

#: Where is served, and looked for a server, when only a port is named.
HOST = '127.0.0.1'


def place(word: str) -> dict[str, Any]:
    """Return options of ``listen`` and of ``connect``: ``[HOST:]PORT``, ``[IPv6]:PORT``, a path.

    A word with a slash is the path of a unix socket, the host ``*`` is every address.

    Raises:
        argparse.ArgumentTypeError: it is none of that.
    """
    if '/' in word:
        return {'path': word}
    host, colon, port = word.rpartition(':')
    if host.startswith('[') and host.endswith(']'):
        host = host[1:-1]
    elif ':' in host:
        raise argparse.ArgumentTypeError(f'{word!r}: an IPv6 address is written as [::1]:7000')
    try:
        number = validate_port('port', port)
    except CodedValueError:
        raise argparse.ArgumentTypeError(
            f'{word!r} is neither HOST:PORT, with a port from 0 to 65535, nor a path with a '
            'slash') from None
    if colon and not host:
        raise argparse.ArgumentTypeError(f'{word!r} has no host (*:{port} is every address)')
    return {'host': host or HOST, 'port': number}


def place_text(where: dict[str, Any]) -> str:
    """Return what :func:`place` was given, or might have been."""
    if 'path' in where:
        return str(where['path'])
    host = f'[{where["host"]}]' if ':' in where['host'] else where['host']
    return f'{host}:{where["port"]}'


def add_place(parser: CommandParser, name: str, text: str) -> None:
    """Add an argument whose value is that of :func:`place`."""
    parser.add_argument(name, type=place, metavar=name.upper(), help=text)


def add_server_options(parser: CommandParser) -> None:
    """Add what each server may be told, and what each program."""
    of_server = parser.add_argument_group('connections')
    of_server.add_argument(
        '--tls', nargs=2, type=Path, metavar=('CERT', 'KEY'),
        help='speak TLS, with these files of PEM; they are read anew when they change')
    of_server.add_argument(
        '--proxy-protocol', metavar='TRUSTED',
        help='each begins with a header of the PROXY protocol; whose is believed: addresses and '
             'networks, such as 10.0.0.0/8,::1, or unix')
    of_server.add_argument(
        '--max-connections', type=_count, metavar='N', help='close those beyond so many at once')
    of_program = parser.add_argument_group('the program (docs/command.md)')
    for name, (metavar, text) in RUNNER_VALUES.items():
        of_program.add_argument(name, metavar=metavar, help=text)
    for name, text in RUNNER_FLAGS.items():
        of_program.add_argument(name, action='store_true', help=text)


def _count(word: str) -> int:
    if not word.isascii() or not word.isdigit():
        raise argparse.ArgumentTypeError(f'{word!r} is no number of connections')
    return int(word)


def server_options(options: argparse.Namespace) -> dict[str, Any]:
    """Return the options of ``gnet.serve``, or with ``key`` of ``gnet.tls.serve``."""
    found: dict[str, Any] = {}
    if options.tls is not None:
        found['cert'], found['key'] = options.tls
        found['watch_certificates'] = True
    if options.proxy_protocol is not None:
        found['proxy_protocol'] = {'trusted': [
            each.strip() for each in options.proxy_protocol.split(',')]}
    if options.max_connections is not None:
        found['max_connections'] = options.max_connections
    return found


def start(
    name: str, words: Sequence[str], options: argparse.Namespace, where: dict[str, Any],
) -> None:
    """Run a command that serves as ``gnet -m`` does.

    Args:
        name: of the command, and of its file, which has the words parsed again, in each process.
        words: what follows its name.
        options: what they were found to say.
        where: what :func:`place` has returned.

    Raises:
        SystemExit: a port that is taken, or how the program has ended.
    """
    if options.workers is not None:
        with failing_in_one_line(name):
            _bind_once(where)
    own: list[str] = []
    for option in RUNNER_VALUES:
        value = getattr(options, _attribute(option))
        if value is not None:
            own += [option, value]
    own += [option for option in RUNNER_FLAGS if getattr(options, _attribute(option))]
    from .main import main

    main([*own, '-m', f'{__package__}.{name}', *words])


def _attribute(option: str) -> str:
    return option[2:].replace('-', '_')


def _bind_once(where: dict[str, Any]) -> None:
    """See whether a port is free, so that one process says that it is not, and not each worker.

    Raises:
        OSError: it is taken, or nobody may listen there.
    """
    if 'path' in where:
        return
    host = None if where['host'] == '*' else where['host']
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, where['port'], type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except socket.gaierror as error:
        raise lookup_error(error, where['host']) from None
    with socket.socket(family, kind, protocol) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind(address)
        except OSError as error:
            raise listen_error(error.errno or 0, *address[:2]) from None


@contextmanager
def failing_in_one_line(name: str) -> Iterator[None]:
    """Have what cannot be done be one line, and status 1."""
    try:
        yield
    except (OSError, CodedError) as error:
        say(f'{name}: {error}')
        raise SystemExit(1) from None


def listen(
    name: str, serve: Callable[..., Any], handler: Any, where: dict[str, Any],
    options: dict[str, Any], what_for: str = '',
) -> Any:
    """Serve, say so, and return the server; or say why not.

    Args:
        name: of the command.
        serve: :func:`gnet.serve`, or what takes the same arguments.
        handler: its first.
        where: what :func:`place` has returned.
        options: its others.
        what_for: the end of the line that is said.
    """
    from ..observing.server_labels import address_text

    target = {**where, 'host': None} if where.get('host') == '*' else where
    if 'path' in where and not Path(where['path']).parent.is_dir():
        # EACCES is what Node calls that.
        say(f'{name}: there is no directory {Path(where["path"]).parent}')
        raise SystemExit(1)
    with failing_in_one_line(name):
        server = serve(handler, **target, **options)
    if worker_number in (None, '1'):
        say(f'{name}: listening on {address_text(server.address())}{what_for}')
    return server
