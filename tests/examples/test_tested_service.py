"""``examples/tested_service/``: its own tests pass, as its ``tox.ini`` runs them."""

from __future__ import annotations

import configparser
import os
import shlex
import sys

import pytest
from gevent import monkey, subprocess

from ..harness import ROOT
from .common import EXAMPLES

PROJECT = EXAMPLES / 'tested_service'


def settings() -> configparser.SectionProxy:
    """Return what all of its environments have in common."""
    tox = configparser.ConfigParser()
    tox.read(PROJECT / 'tox.ini')
    return tox['testenv']


def commands() -> dict[str, list[str]]:
    """Return what tox runs, by the environment."""
    lines = settings()['commands'].strip().splitlines()
    return {
        name: shlex.split(command.replace('{posargs}', '-q -p no:cacheprovider -p pytest_gnet'))
        for name, _, command in (line.partition(':') for line in lines)}


def test_tox_has_a_command_for_each_environment() -> None:
    assert list(commands()) == ['plain', 'patched', 'unittest']


def test_tox_installs_this_gnet() -> None:
    # And the index is not asked for one. (scripts/release_check has tox do it.)
    assert (PROJECT / settings()['deps']).resolve() == ROOT


@pytest.mark.parametrize('name', [
    'patched' if monkey.is_module_patched('socket') else 'plain', 'unittest'])
def test_its_tests_pass(name: str) -> None:
    python, *arguments = commands()[name]
    assert python == 'python'
    ran = subprocess.run(
        [sys.executable, *arguments], cwd=PROJECT, capture_output=True, text=True, check=False,
        env={**os.environ, 'PYTHONPATH': str(ROOT), 'PYTHONDONTWRITEBYTECODE': '1',
             'PYTEST_ADDOPTS': ''})
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ('11 passed' if name != 'unittest' else 'Ran 2 tests') in ran.stdout + ran.stderr
