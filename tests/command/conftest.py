"""Fixtures of the tests of the command."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ..harness.native import Peer
from ..harness.scripts import Scripts
from ..harness.transitions import SOURCE
from .common import Commands
from .workers import PRIMARY, SERVER, Program


@pytest.fixture
def python(request, tmp_path):
    commands = Commands(
        tmp_path, executed=request.node.get_closest_marker('executed') is not None)
    yield commands
    commands.close()


@pytest.fixture
def program(scripts: Scripts) -> Callable[..., Program]:
    """``program(text, *options, count=2, args=(), env=None, changes='')`` starts a program."""

    def start(
        text: str | None = SERVER, *options: str, count: int = 2, args: tuple[str, ...] = (),
        env: dict[str, str | None] | None = None, changes: str = '', python: tuple[str, ...] = (),
    ) -> Program:
        words = ['--workers', str(count), *options]
        if changes:
            primary = scripts._directory / 'primary.py'
            primary.write_text(
                SOURCE + textwrap.dedent(PRIMARY).format(changes=changes), encoding='utf-8')
            launcher = [str(primary), *words]
        else:
            launcher = [*python, '-m', 'gnet', *words]
        script = Path('unused') if text is None else text
        # Buffered, each line is one write, and processes do not write into each other's lines.
        env = {'PYTHONUNBUFFERED': None, **(env or {})}
        running = scripts.start(
            script, *args, launcher=launcher, env=env, merged=True, workers=True)
        return Program(scripts, running, count)

    return start


@pytest.fixture
def serving(program: Callable[..., Program]) -> Callable[..., Program]:
    """Like ``program``, and waits until all workers listen."""

    def start(*arguments: Any, **keywords: Any) -> Program:
        started = program(*arguments, **keywords)
        started.workers = started.wait_until_listening()
        return started

    return start


@pytest.fixture
def ask(connect: Callable[[Any], Peer]) -> Callable[..., int]:
    """``ask(program, line='')`` returns the number of the process that answered."""

    def ask(program: Program, line: str = '') -> int:
        peer = connect(('127.0.0.1', program.port))
        peer.sendall(f'{line}\n'.encode())
        answer = int(peer.recv_until_end())
        peer.close()
        return answer

    return ask
