"""What is not Python: programs, the compiling of those that are in C, and a certificate."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent

#: Programs that take part only when they are named, and how.
_NAMED = {'deno': '--deno', 'bun': '--bun'}

#: The source of a program in C, and what else the compiler is told.
_SOURCES: Mapping[str, tuple[Path, tuple[str, ...]]] = {
    'client': (HERE / 'client.c', ()),
    'tls-client': (HERE / 'client.c', ('-DTLS', '-lssl', '-lcrypto')),
    'epoll': (HERE / 'servers' / 'epoll.c', ()),
}

#: The name of what servers on TLS are shown with: a file with a certificate and its key.
CERTIFICATE = 'certificate'


#: Seconds that a program may take to tell its version.
PATIENCE = 10


class MissingError(Exception):
    """Something is not on this machine. The text says what and how to get it."""


@dataclass
class Programs:
    """Finds a program by name.

    Args:
        directory: where compiled programs go.
        named: paths that the user gave, by name; None for none.
    """

    directory: Path
    named: Mapping[str, str | None]
    _found: dict[str, str] = field(default_factory=dict)

    def find(self, name: str) -> str:
        """Return the path of a program, or of the certificate.

        Raises:
            MissingError: it is not there, or could not be compiled, or made.
        """
        if name not in self._found:
            make = (
                self._compile if name in _SOURCES else
                self._certify if name == CERTIFICATE else self._look_for)
            self._found[name] = make(name)
        return self._found[name]

    def version(self, name: str) -> str:
        """Return the first line of what a program says to ``--version``.

        Raises:
            MissingError: it is not there, or says nothing: then it is another program.
        """
        command = [self.find(name), '--version']
        try:
            ended = subprocess.run(
                command, capture_output=True, text=True, check=True, timeout=PATIENCE)
        except (OSError, subprocess.SubprocessError) as error:
            raise MissingError(f'{name} does not run: {error}') from error
        if not ended.stdout:
            raise MissingError(f'{command[0]} is not {name}: it does not tell its version')
        return ended.stdout.splitlines()[0]

    def _look_for(self, name: str) -> str:
        wanted = self.named.get(name)
        if wanted is None and name in _NAMED:
            raise MissingError(f'{name} is not named: {_NAMED[name]} PATH')
        path = shutil.which(wanted or name)
        if path is None:
            where = wanted or f'on PATH as {name!r}'
            raise MissingError(f'there is no program {where}')
        return os.path.abspath(path)

    def _compile(self, name: str) -> str:
        program = self.directory / name
        source, words = _SOURCES[name]
        command = [self.find('cc'), '-O2', '-o', str(program), str(source), *words]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        if ended.returncode:
            raise MissingError(f'{source.name} does not compile:\n{ended.stderr}')
        return str(program)

    def _certify(self, name: str) -> str:
        """Make a certificate of the kind that is cheapest to show: ECDSA on P-256."""
        path = self.directory / f'{name}.pem'
        command = [
            self.find('openssl'), 'req', '-x509', '-newkey', 'ec',
            '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '7',
            '-subj', '/CN=localhost', '-keyout', str(path), '-out', '-',
        ]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        if ended.returncode:
            raise MissingError(f'openssl makes no certificate:\n{ended.stderr}')
        with path.open('a') as file:
            file.write(ended.stdout)
        return str(path)
