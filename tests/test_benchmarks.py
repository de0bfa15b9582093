"""``python -m benchmarks``: that it measures and reports. What it measures is nobody's promise.

The cases here are those that need neither ``wrk`` nor a C compiler, but for one.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path

import pytest

from .harness import ROOT
from .harness.scripts import Finished, Running

Run = Callable[..., Finished]


@pytest.fixture
def start(tmp_path):
    """``start(*words)`` runs the command, at the speed of a test: one round, one second."""
    running: list[Running] = []

    def start(*words: str) -> Running:
        command = [
            sys.executable, '-W', 'error', '-m', 'benchmarks', '--rounds', '1', '--seconds', '1',
            *words,
        ]
        environment = {**os.environ, 'TMPDIR': str(tmp_path), 'PYTHONUNBUFFERED': '1'}
        environment.pop('GNET_STAY_ALIVE', None)
        running.append(Running(command, ROOT, environment))
        return running[-1]

    yield start
    for each in running:
        each.close()


@pytest.fixture
def run(start) -> Run:
    return lambda *words: start(*words).wait()
