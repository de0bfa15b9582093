"""The unit files of docs/systemd.md, by systemd's own judgement."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from gevent import subprocess

from gnet.command import main
from gnet.command.members import KILL_GRACE

from ..harness import ROOT
from ..harness.programs import find_program

UNITS = ROOT / 'docs/units'

#: What `systemd-analyze security` gives the service at most: 0 is the best, 10 the worst.
EXPOSURE = 1.5


def analyze(*words: str) -> str:
    """Run systemd-analyze, and return all that it has said."""
    program = find_program('systemd-analyze', 'systemd')
    ended = subprocess.run([program, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert ended.returncode == 0, ended.stdout
    return str(ended.stdout.decode())


def installed(directory: Path) -> Path:
    """Write the units as they would be installed; return the service."""
    for path in UNITS.iterdir():
        folder = directory / 'echo.service.d' if path.suffix == '.conf' else directory
        folder.mkdir(exist_ok=True)
        text = re.sub(r'/opt/\S*/gnet', sys.executable, path.read_text())
        (folder / path.name).write_text(text)
    return directory / 'echo.service'


def test_systemd_finds_nothing_wrong_with_them(tmp_path: Path) -> None:
    service = installed(tmp_path)
    assert analyze('verify', str(service), str(tmp_path / 'echo.socket')) == ''


def test_the_hardened_service_is_exposed_little(tmp_path: Path) -> None:
    said = analyze('security', '--offline=true', str(installed(tmp_path)))
    found = re.search(r'exposure level for echo.service: ([0-9.]+)', said)
    assert found
    assert float(found[1]) <= EXPOSURE


def test_the_command_takes_the_words_of_the_service() -> None:
    text = (UNITS / 'echo.service').read_text()
    words = re.search(r'^ExecStart=\S*/gnet (.*)$', text, re.M)
    assert words
    options, arguments = main._parse(words[1].split())
    assert (options.script, arguments) == ('/opt/echo/echo.py', [])
    seconds = re.search(r'^TimeoutStopSec=(\d+)$', text, re.M)
    assert seconds
    assert int(seconds[1]) > options.drain_timeout + KILL_GRACE
