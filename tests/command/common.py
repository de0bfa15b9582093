"""What the tests of the command share."""

from __future__ import annotations

import os
import sys
import textwrap
from pathlib import Path

from ..harness import ROOT
from ..harness.scripts import Running

GNET = ('-m', 'gnet')
PATCHED = ('-m', 'gnet', '--patch')

#: Seconds of a timer that must not be waited for: far more than a test may take.
LONG = 3600


class Commands:
    """Runs Python with a command line in a directory."""

    def __init__(self, directory: Path, *, executed: bool = False):
        self.directory = directory
        self._executed = executed
        self._running: list[Running] = []

    def write(self, name: str, text: str) -> Path:
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding='utf-8')
        return path

    def start(self, *words: str, executed: bool = False, **env: str) -> Running:
        environment = {
            **os.environ, 'PYTHONPATH': str(ROOT), 'PYTHONUNBUFFERED': '1', 'NO_COLOR': '1', **env,
        }
        if 'GNET_STAY_ALIVE' not in env:
            del environment['GNET_STAY_ALIVE']  # the suite switches the exit hook off
        command = [sys.executable, '-W', 'error', *words]
        self._running.append(Running(
            command, self.directory, environment, executed=executed or self._executed))
        return self._running[-1]

    def run(self, *words: str, executed: bool = False, **env: str):
        return self.start(*words, executed=executed, **env).wait()

    def close(self) -> None:
        for running in self._running:
            running.close()


def same_as_python(python, *words):
    """Run the program in both ways, check that all is the same, and return how it ended."""
    expected = python.run(*words, executed=True)
    assert python.run(*GNET, *words) == expected
    return expected
