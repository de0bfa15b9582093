"""HAProxy and nginx, and what is in front of and behind them."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from ..harness.plain import PlainSocket
from ..harness.programs import Daemon, find_program

__all__ = ['Ports', 'haproxy', 'nginx']

_HAPROXY = """
global
    log stderr local0
defaults
    mode tcp
    timeout connect 10s
    timeout client 10s
    timeout server 10s
"""

#: Where Debian has what nginx does not bring by itself.
_STREAM = Path('/usr/lib/nginx/modules/ngx_stream_module.so')

_NGINX = """
load_module {module};
daemon off;
master_process off;
pid {directory}/nginx.pid;
error_log stderr notice;
events {{ worker_connections 64; }}
stream {{
{servers}
}}
"""


class Ports(dict[str, int]):
    """Free ports of 127.0.0.1 by names, for programs that are about to be started."""

    def __init__(self, *names: str) -> None:
        super().__init__()
        with ExitStack() as kept:
            for name in names:
                plain = kept.enter_context(PlainSocket(socket.AF_INET))
                plain.bind(('127.0.0.1', 0))
                self[name] = plain.getsockname()[1]


@contextmanager
def haproxy(directory: Path, sections: str) -> Iterator[None]:
    """Run HAProxy, with *sections* of its configuration."""
    program = find_program('haproxy', 'haproxy')
    path = directory / 'haproxy.cfg'
    path.write_text(_HAPROXY + sections, encoding='utf-8')
    daemon = Daemon([program, '-W', '-db', '-f', str(path)], directory, 'Loading success')
    try:
        yield
    finally:
        daemon.stop()


@contextmanager
def nginx(directory: Path, servers: str) -> Iterator[None]:
    """Run nginx, with *servers* of its module ``stream``."""
    program = find_program('nginx', 'nginx')
    if not _STREAM.exists():
        find_program(_STREAM.name, 'libnginx-mod-stream')  # which says that it is missing
    path = directory / 'nginx.conf'
    path.write_text(
        _NGINX.format(directory=directory, servers=servers, module=_STREAM), encoding='utf-8')
    daemon = Daemon(
        [program, '-p', str(directory), '-e', 'stderr', '-c', str(path)], directory, 'getrlimit')
    try:
        yield
    finally:
        daemon.stop()
