"""What some tests need and Python does not bring: programs of Debian, packages of PyPI."""

from __future__ import annotations

import importlib
import os
import shutil
import signal
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import gevent
import pytest

from .scripts import Running
from .waiting import PATIENCE

__all__ = ['Daemon', 'find_library', 'find_program', 'import_package']

#: Where Debian has programs that are not on the PATH of everybody.
_MORE_DIRECTORIES = ('/usr/sbin', '/usr/local/sbin', '/sbin')


def find_program(name: str, package: str, *patterns: str) -> str:
    """Return the path of the program *name*, which the Debian package *package* brings.

    Args:
        name: of its file.
        package: named to whoever has to install it.
        patterns: of directories below ``/`` where it may be, too; of several the newest version.
    """
    directories = [os.environ.get('PATH', os.defpath), *_MORE_DIRECTORIES]
    for pattern in patterns:
        directories += map(str, sorted(Path('/').glob(pattern), key=_version, reverse=True))
    found = shutil.which(name, path=os.pathsep.join(directories))
    if found is None:
        _is_missing(
            f'the program {name!r} is missing; install the Debian package {package!r}: '
            f'apt-get install {package}')
    return found


def find_library(pattern: str, package: str) -> str:
    """Return the path of a shared library below ``/usr/lib``, of the Debian package *package*."""
    found = sorted(map(str, Path('/usr/lib').glob(pattern)))
    if not found:
        _is_missing(
            f'the library {pattern!r} is missing; install the Debian package {package!r}: '
            f'apt-get install {package}')
    return found[0]


def import_package(module: str, package: str) -> Any:
    """Import *module*, which the package *package* of PyPI brings."""
    try:
        with warnings.catch_warnings():
            # That it uses what is deprecated is not for these tests to say.
            warnings.simplefilter('ignore')
            return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module.partition('.')[0]:
            raise
        return _is_missing(
            f'the module {module!r} is missing; install the PyPI package {package!r}: '
            f'pip install {package}')


def _is_missing(message: str) -> NoReturn:
    if os.environ.get('CI'):
        pytest.fail(f'{message} (with CI set, nothing is skipped)', pytrace=False)
    pytest.skip(message)


def _version(directory: Path) -> list[int]:
    return [int(part) for part in directory.parts if part.isdecimal()]


class Daemon:
    """A program that runs until it is stopped, in the foreground, and says when it is ready."""

    def __init__(
        self, command: Sequence[str], directory: Path, ready: str, *,
        stop: signal.Signals = signal.SIGTERM,
    ) -> None:
        """Start it and wait until a line that it writes matches the expression *ready*."""
        # One stream, so that a failure shows all in the order in which it was written.
        merged = ['sh', '-c', 'exec "$@" 2>&1', 'sh', *command]
        self._running = Running(merged, directory, os.environ)
        self._stop = stop
        try:
            self._running.wait_for(ready, timeout=PATIENCE)
        except BaseException:
            self._running.close()
            raise

    def stop(self) -> None:
        process = self._running.process
        try:
            process.send_signal(self._stop)
            # It may have more to say than a pipe holds.
            with gevent.Timeout(PATIENCE, AssertionError(f'{self._stop!r} does not end it')):
                process.stdout.read()
                process.wait()
        finally:
            self._running.close()
