"""Programs of others that speak TLS: how each is told to be a client or a server.

Each program is one class, with the same questions: a test is written once and run with all of them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..harness.authority import Certified, authority
from ..harness.families import Family
from ..harness.ports import free_port
from ..harness.programs import find_program
from ..harness.scripts import Running
from ..harness.waiting import PATIENCE

__all__ = ['CLIENTS', 'SERVERS', 'Files', 'Gnutls', 'OpenSSL', 'Programs', 'Python']


class Files:
    """Keys and certificates as files, for those that take nothing else."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.ca = self.write('ca.pem', authority().cert)

    def write(self, name: str, text: str) -> str:
        path = self.directory / name
        path.write_text(text, 'ascii')
        return str(path)

    def own(self, certified: Certified, name: str = 'own') -> str:
        """Return the path of a file with the key and the certificate."""
        return self.write(f'{name}.pem', certified.key + certified.cert)


class Programs:
    """Starts programs, and ends them when the test is over."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._running: list[Running] = []

    def start(self, command: Sequence[str], **env: str) -> Running:
        """Start one; all that it writes can be read as its stdout."""
        merged = ['sh', '-c', 'exec "$@" 2>&1', 'sh', *command]
        running = Running(merged, self._directory, {**os.environ, **env})
        self._running.append(running)
        return running

    def serve(self, command: Sequence[str], ready: str) -> Any:
        """Start a server; return the match of the line by which it says that it listens."""
        return self.start(command).wait_for(ready, PATIENCE)

    @property
    def last(self) -> Running:
        """The one that was started last."""
        return self._running[-1]

    def close(self) -> None:
        while self._running:
            self._running.pop().close()


class OpenSSL:
    """``openssl s_client`` and ``openssl s_server``."""

    name = 'openssl'
    families = ('ipv4', 'ipv6', 'unix')
    #: What it says to the line ``hello``, as a server.
    answer = b'olleh\n'

    @staticmethod
    def client(
        files: Files, target: dict[str, Any], version: str, *, own: str = '', alpn: str = '',
        more: Sequence[str] = (), servername: str = 'localhost',
    ) -> list[str]:
        """Return the command of one that sends its stdin, and ends when that ends."""
        return [
            find_program('openssl', 'openssl'), 's_client', *_openssl_target(target),
            '-CAfile', files.ca, '-verify_return_error', '-verify_hostname', 'localhost',
            *(['-servername', servername] if servername else ['-noservername']),
            f'-{version.lower().replace("v", "").replace(".", "_")}', '-no_ign_eof', '-brief',
            *(['-cert', own, '-key', own] if own else []),
            *(['-alpn', alpn] if alpn else []), *more,
        ]

    @staticmethod
    def serve(
        programs: Programs, files: Files, family: Family, version: str, *, own: str,
        alpn: str = '', requests: bool = False, more: Sequence[str] = (),
    ) -> dict[str, Any]:
        """Start one; it answers each line, backwards. Return what to connect to."""
        at = (
            ['-unix', family.path] if family.path else ['-accept', f'{_bracketed(family.host)}:0'])
        command = [
            find_program('openssl', 'openssl'), 's_server', *at, '-cert', own, '-key', own, '-rev',
            f'-{version.lower().replace("v", "").replace(".", "_")}',
            *(['-alpn', alpn] if alpn else []),
            *(['-Verify', '1', '-verify_return_error', '-CAfile', files.ca] if requests else []),
            *more,
        ]
        ready = programs.serve(command, r'^ACCEPT(?:.*:(\d+))?')
        return {'path': family.path} if family.path else {
            'host': family.host, 'port': int(ready[1])}


class Gnutls:
    """``gnutls-cli`` and ``gnutls-serv``."""

    name = 'gnutls'
    families = ('ipv4', 'ipv6')
    answer = b'hello\n'

    @staticmethod
    def client(
        files: Files, target: dict[str, Any], version: str, *, own: str = '', alpn: str = '',
        more: Sequence[str] = (), servername: str = 'localhost',
    ) -> list[str]:
        return [
            find_program('gnutls-cli', 'gnutls-bin'), '--x509cafile', files.ca,
            '--verify-hostname', 'localhost', '--priority', _gnutls_priority(version),
            *([f'--sni-hostname={servername}'] if servername else ['--disable-sni']),
            *([f'--x509certfile={own}', f'--x509keyfile={own}'] if own else []),
            *([f'--alpn={each}' for each in alpn.split(',')] if alpn else []),
            *more, '--port', str(target['port']), target['host'],
        ]

    @staticmethod
    def serve(
        programs: Programs, files: Files, family: Family, version: str, *, own: str,
        alpn: str = '', requests: bool = False, more: Sequence[str] = (),
    ) -> dict[str, Any]:
        # It is told a port and no address: it takes those of all families, and does not say which
        # port it got if that was 0.
        port = free_port()
        command = [
            find_program('gnutls-serv', 'gnutls-bin'), '--echo', '--port', str(port),
            '--x509certfile', own, '--x509keyfile', own, '--priority', _gnutls_priority(version),
            *([f'--alpn={each}' for each in alpn.split(',')] if alpn else []),
            *(['--require-client-cert', '--verify-client-cert', '--x509cafile', files.ca]
              if requests else ['--disable-client-cert']),
            *more,
        ]
        kind = 'IPv6' if ':' in str(family.host) else 'IPv4'
        programs.serve(command, rf'listening on {kind} .*done')
        return {'host': family.host, 'port': port}


_PYTHON_CLIENT = r"""
import socket, ssl, sys
version, ca, own, alpn, servername, *at = sys.argv[1:]
context = ssl.create_default_context(cafile=ca)
context.minimum_version = context.maximum_version = getattr(
    ssl.TLSVersion, version.replace('.', '_'))
if own:
    context.load_cert_chain(own)
if alpn:
    context.set_alpn_protocols(alpn.split(','))
if len(at) == 1:
    plain = socket.socket(socket.AF_UNIX)
    plain.connect(at[0])
else:
    plain = socket.create_connection((at[0], int(at[1])))
context.check_hostname = bool(servername)
with context.wrap_socket(
        plain, server_hostname=servername or None, suppress_ragged_eofs=False) as sock:
    for line in sys.stdin.buffer:
        sock.sendall(line)
        print('received', sock.recv(65536), flush=True)
    # Announces the end, and waits for the other one's.
    sock.unwrap()
print('announced', flush=True)
"""

_PYTHON_SERVER = r"""
import socket, ssl, sys
version, ca, own, alpn, requests, *at = sys.argv[1:]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(own)
context.minimum_version = context.maximum_version = getattr(
    ssl.TLSVersion, version.replace('.', '_'))
if alpn:
    context.set_alpn_protocols(alpn.split(','))
if requests:
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(ca)
if at[0].startswith('/'):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(at[0])
else:
    listener = socket.socket(socket.AF_INET6 if ':' in at[0] else socket.AF_INET)
    listener.bind((at[0], 0))
listener.listen()
print('listening', *listener.getsockname()[1:2], flush=True)
while True:
    plain, _ = listener.accept()
    try:
        with context.wrap_socket(
                plain, server_side=True, suppress_ragged_eofs=False) as sock:
            print('secure', sock.version(), flush=True)
            for line in sock.makefile('rb'):
                sock.sendall(line[:-1][::-1] + b'\n')
            print('end', flush=True)
            sock.unwrap()
    except OSError as error:
        print('failed', type(error).__name__, error, flush=True)
"""


class Python:
    """The standard library's ``ssl``, in a process of its own."""

    name = 'python'
    families = ('ipv4', 'ipv6', 'unix')
    answer = b'olleh\n'

    @staticmethod
    def client(
        files: Files, target: dict[str, Any], version: str, *, own: str = '', alpn: str = '',
        more: Sequence[str] = (), servername: str = 'localhost',
    ) -> list[str]:
        at = [target['path']] if 'path' in target else [target['host'], str(target['port'])]
        return [sys.executable, '-c', _PYTHON_CLIENT, version, files.ca, own, alpn, servername, *at]

    @staticmethod
    def serve(
        programs: Programs, files: Files, family: Family, version: str, *, own: str,
        alpn: str = '', requests: bool = False, more: Sequence[str] = (),
    ) -> dict[str, Any]:
        ready = programs.serve([
            sys.executable, '-c', _PYTHON_SERVER, version, files.ca, own, alpn,
            'yes' if requests else '', str(family.path or family.host),
        ], r'^listening ?(\d*)')
        return {'path': family.path} if family.path else {
            'host': family.host, 'port': int(ready[1])}


CLIENTS: tuple[Any, ...] = (OpenSSL, Gnutls, Python)
SERVERS: tuple[Any, ...] = (OpenSSL, Gnutls, Python)


def _openssl_target(target: dict[str, Any]) -> list[str]:
    if 'path' in target:
        return ['-unix', target['path']]
    return ['-connect', f'{_bracketed(target["host"])}:{target["port"]}']


def _bracketed(host: Any) -> str:
    return f'[{host}]' if ':' in host else host


def _gnutls_priority(version: str) -> str:
    return f'NORMAL:-VERS-ALL:+VERS-{version.replace("v", "")}'
