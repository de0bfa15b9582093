"""A server under attack by slow and greedy peers, in the figures of scripts/slow_peers."""

from __future__ import annotations

import re
import sys

import pytest
from gevent import subprocess

from ..harness import ROOT

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith('linux'), reason='the script reads /proc')


def figures(*words: str) -> str:
    return subprocess.run(
        [sys.executable, str(ROOT / 'scripts' / 'slow_peers'), *words], check=True,
        stdout=subprocess.PIPE, timeout=25).stdout.decode()


def test_one_that_asks_for_a_gigabyte_and_never_reads_costs_a_few_megabytes() -> None:
    said = figures('greedy', '--only-limited', '--seconds', '0.5')
    assert "ended by: {'ERR_BUFFER_FULL': 1}" in said
    before, most = map(int, re.findall(r'(\d+) MB', said))
    assert most - before < 20


def test_it_says_what_it_can_do() -> None:
    assert 'usage: scripts/slow_peers' in figures('--help')
