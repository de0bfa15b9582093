"""A real Node that runs scenarios: ``driver.js`` as a child process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType

from gevent import monkey

from .driver import Lanes
from .form import Scenario

# The child processes are waited for by blocking calls, in a patched process as well.
_Popen = monkey.get_original('subprocess', 'Popen')

__all__ = [
    'PROGRAM', 'Node', 'NodeError', 'finish_program', 'lanes_of', 'run_program_on_gnet']

#: Which Node is run unless another is named.
PROGRAM = os.environ.get('GNET_NODE', 'node')

_HERE = Path(__file__).resolve().parent

_DRIVER = str(_HERE / 'driver.js')

#: Seconds for a program: some start an interpreter on a busy machine.
_PATIENCE = 30


class NodeError(Exception):
    """Node could not be started, or has died of a scenario."""


class Node:
    """A Node process. Use it as a context manager.

    *program* is the name or path of ``node``.
    """

    def __init__(self, program: str = PROGRAM) -> None:
        self.program = program
        try:
            self.version = subprocess.check_output(
                [program, _DRIVER, '--version'], text=True).strip()
        except (OSError, subprocess.CalledProcessError) as error:
            raise NodeError(f'{program} does not run: {error}') from error
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Node:
        self._start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def run(self, scenario: Scenario) -> Lanes:
        """Return the scenario's trace on Node.

        Raises :class:`NodeError` if the process ends meanwhile; the next call starts another one.
        """
        if scenario.program:
            return finish_program([self.program, _DRIVER, '--program'], scenario)
        process = self._process or self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(scenario.to_json() + '\n')
            process.stdin.flush()
            answer = process.stdout.readline()
        except BrokenPipeError:
            answer = ''
        if not answer:
            self.stop()
            raise NodeError(f'Node has died of {scenario.name}')
        lanes: Lanes = json.loads(answer)['lanes']
        return lanes

    def _start(self) -> subprocess.Popen[str]:
        self._process = subprocess.Popen(
            [self.program, _DRIVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return self._process

    def stop(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


def run_program_on_gnet(scenario: Scenario) -> Lanes:
    """Return the trace of a scenario that is a program of its own, on gnet."""
    module = ['tests.conformance.driver', '--program']
    patched = ['gevent.monkey', '--module'] if monkey.is_module_patched('socket') else []
    return finish_program([sys.executable, '-m', *patched, *module], scenario)


def finish_program(command: list[str], scenario: Scenario) -> Lanes:
    """Run a program, and return its trace, with its end as the last line of ``'process'``."""
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        cwd=_HERE.parent.parent, env={
            # Tests may have switched serving on at the end off; it is a part of what is compared.
            **os.environ, 'GNET_STAY_ALIVE': '1', 'PYTHONUNBUFFERED': '1'})
    try:
        output, complaints = process.communicate(scenario.to_json(), timeout=_PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        output, complaints = process.communicate()
    return lanes_of(process.returncode, output, complaints)


def lanes_of(status: int, output: str, complaints: str) -> Lanes:
    """Return the trace of a program that has ended."""
    lanes: Lanes = {}
    for line in output.splitlines():
        record = json.loads(line)
        lanes.setdefault(record['lane'], []).append(record['line'])
    if status == -signal.SIGKILL:
        end = 'does not end'
    else:
        end = f'ends with {signal.Signals(-status).name if status < 0 else f"status {status}"}'
    lanes.setdefault('process', []).append(end)
    if complaints.strip():
        # What it says is told in each language's own way; that it says something is the same.
        lanes['process'].append('complains on stderr')
    return lanes
