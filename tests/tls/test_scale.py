"""Many connections: what is left of those that are gone, in the figures of scripts/tls_scale."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from typing import Any

import pytest
from gevent import subprocess

from ..harness import ROOT
from ..harness.programs import find_program
from ..harness.waiting import PROCESS_PATIENCE

pytestmark = pytest.mark.skipif(not sys.platform.startswith('linux'), reason='/proc is read')

#: KiB of a connection at rest: the aim is 20, with thousands of them; of a hundred, whatever else
#: grows meanwhile weighs more.
MOST = 40

#: KiB by which failed handshakes may let the process grow, once it has seen some.
GROWTH = 4096


@pytest.fixture
def scale() -> Callable[..., str]:
    """``scale(*words)`` runs the command and returns what it says."""
    def scale(*words: str) -> str:
        find_program('openssl', 'openssl')
        env = {name: value for name, value in os.environ.items() if name != 'GNET_STAY_ALIVE'}
        return subprocess.run(
            [sys.executable, str(ROOT / 'scripts' / 'tls_scale'), *words], env=env, check=True,
            stdout=subprocess.PIPE, timeout=2 * PROCESS_PATIENCE).stdout.decode()

    return scale


def numbers(pattern: str, said: str) -> list[float]:
    found = [float(each) for each in re.findall(pattern, said)]
    assert found, said
    return found


@pytest.mark.timeout(90)
def test_connections_at_rest_take_little_and_leave_nothing(scale: Callable[..., str]) -> None:
    said = scale('idle', '--count', '200')
    assert said.count('200 connections') == 2
    assert max(numbers(r'([\d.]+) KiB each', said)) < MOST
    nothing_is_left(said)


@pytest.mark.timeout(90)
def test_failed_handshakes_leave_nothing(scale: Callable[..., str]) -> None:
    said = scale('failures', '--count', '240')
    assert '960 failed handshakes' in said
    assert max(numbers(r'resident ([+-]\d+) KiB', said)) < GROWTH
    nothing_is_left(said)


def nothing_is_left(said: str) -> None:
    for what in ('descriptors', 'greenlets', 'holds'):
        assert max(numbers(rf'{what} ([+-]\d+)', said)) <= 0, said


@pytest.mark.parametrize('words', [[], ['idle'], ['failures'], ['silent'], ['burst']])
def test_it_explains_itself(scale: Callable[..., Any], words: list[str]) -> None:
    assert 'usage: scripts/tls_scale' in scale(*words, '--help')
