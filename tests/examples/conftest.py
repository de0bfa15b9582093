"""Fixtures of the tests of the examples."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ..harness.scripts import Running
from .common import EXAMPLES, Example


@pytest.fixture
def start(start_script: Callable[..., Running]) -> Iterator[Callable[..., Example]]:
    """``start(name)`` starts an example on a free port, the proxy in front of an echo."""
    examples: list[Example] = []

    def start(name: str, *args: str) -> Example:
        if not args:
            args = default_arguments(name)
        examples.append(Example(start_script(
            EXAMPLES / f'{name}.py', *args, workers=name == 'cluster')))
        return examples[-1]

    def default_arguments(name: str) -> tuple[str, ...]:
        if name == 'unix_socket':
            return (str(Path(directory, 'socket')),)
        if name == 'proxy':
            host, port = start('echo_blocking').address
            return ('0', f'{host}:{port}')
        return ('0', '0') if name in ('admin_port', 'metrics') else ('0',)

    # Not below tmp_path: a long test name and the limit of 107 bytes do not go together.
    with tempfile.TemporaryDirectory(prefix='gnet-') as directory:
        yield start
        for example in reversed(examples):
            if example.running.process.poll() is None:
                example.interrupt()
