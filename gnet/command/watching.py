"""``--metrics``, ``--log-format`` and ``--access-log``: how they begin, in each process.

In workers of ``gnet.cluster``, which are started by this command, too, the same is on as in their
primary, which tells them by their environment. The primary serves the metrics of all.
"""

from __future__ import annotations

import argparse
import os

from ..node.coded_errors import CodedValueError
from ..node.validators import validate_port
from ..processes.inheritance import inherited_channel, worker_number
from .members import say, say_by

__all__ = ['begin', 'host_and_port']

#: Of a worker's environment: what is on, as JSON.
_WATCHING = 'GNET_WATCHING'

#: Where metrics are served when only a port is named.
_HOST = '127.0.0.1'


def host_and_port(word: str) -> tuple[str, int]:
    """Return what *word* names: ``HOST:PORT``, ``[IPv6]:PORT``, or a port of 127.0.0.1."""
    host, colon, port = word.rpartition(':')
    if host.startswith('[') and host.endswith(']'):
        host = host[1:-1]
    elif ':' in host:
        raise argparse.ArgumentTypeError(f'{word!r}: an IPv6 address is written as [::1]:9100')
    try:
        number = validate_port('port', port)
    except CodedValueError as error:
        raise argparse.ArgumentTypeError(f'{word!r} has no port, 0 to 65535') from error
    if colon and not host:
        raise argparse.ArgumentTypeError(f'{word!r} has no host')
    return host or _HOST, number


def begin(
    metrics: tuple[str, int] | None, log_format: str | None, has_access_log: bool,
) -> None:
    """Begin with what the options of this process say, or the environment of a worker.

    Args:
        metrics: where they are served.
        log_format: ``'json'``, ``'text'``, or None.
        has_access_log: whether there is a line for each connection.

    Raises:
        SystemExit: metrics cannot be served there; after a line that says why.
    """
    inherited = os.environ.pop(_WATCHING, None)
    if worker_number is not None and inherited_channel is not None and inherited is not None:
        import json

        told = json.loads(inherited)
        _begin_logs(told['log_format'], told['access_log'])
        if told['metrics']:
            from ..observing.metrics import metrics as counted

            counted.start()
        return
    if metrics is None and log_format is None and not has_access_log:
        return
    import json

    from ..clusters.cluster import primary_side

    _begin_logs(log_format, has_access_log)
    if metrics is not None:
        _serve(*metrics)
    primary_side().worker_environment[_WATCHING] = json.dumps({
        'metrics': metrics is not None, 'log_format': log_format, 'access_log': has_access_log})


def _begin_logs(log_format: str | None, has_access_log: bool) -> None:
    if log_format is None and not has_access_log:
        return
    import logging

    from .. import logs

    logs.configure(log_format or 'text', access_log=has_access_log)
    if log_format is not None:
        own = logging.getLogger('gnet.command')
        own.setLevel(logging.INFO)
        say_by(own.info)


def _serve(host: str, port: int) -> None:
    from .. import metrics
    from ..observing.server_labels import address_text

    try:
        server = metrics.serve(port, host)
    except OSError as error:
        say(f'metrics cannot be served: {error}')
        raise SystemExit(1) from None
    if not port:
        say(f'metrics are served at {address_text(server.address())}')
