"""The programs that are not Python: where they are, and the compiling of those that are in C."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent

#: Programs that take part only when they are named, and how.
_NAMED = {'deno': '--deno', 'bun': '--bun'}

_SOURCES = {'client': HERE / 'client.c', 'epoll': HERE / 'servers' / 'epoll.c'}


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
        """Return the path of a program.

        Raises:
            MissingError: it is not there, or could not be compiled.
        """
        if name not in self._found:
            self._found[name] = self._compile(name) if name in _SOURCES else self._look_for(name)
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
        return path

    def _compile(self, name: str) -> str:
        program = self.directory / name
        command = [self.find('cc'), '-O2', '-o', str(program), str(_SOURCES[name])]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        if ended.returncode:
            raise MissingError(f'{_SOURCES[name].name} does not compile:\n{ended.stderr}')
        return str(program)
