"""Type checkers know the events and options: what they accept, and which mistakes they report."""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from ..harness import ROOT

HERE = Path(__file__).parent
MISTAKES = HERE / 'mistakes.py'


def _need(tool: str) -> None:
    if importlib.util.find_spec(tool) is None:
        pytest.skip(f'{tool} is not installed here; "scripts/venv dev" installs it')


def _expected() -> dict[int, set[str]]:
    """Return the codes by the numbers of the lines that have a mistake."""
    found = {}
    for number, line in enumerate(MISTAKES.read_text('utf-8').splitlines(), 1):
        match = re.search(r'# error: \[([a-z, -]+)\]$', line)
        if match is not None:
            found[number] = set(match[1].split(', '))
    return found


def _is_annotated(path: Path) -> bool:
    return any(
        isinstance(node, ast.FunctionDef) and (
            node.returns is not None or any(each.annotation for each in node.args.args))
        for node in ast.walk(ast.parse(path.read_text('utf-8'))))


def _examples() -> list[Path]:
    """Return the examples whose functions have annotations; no function of the others has one."""
    found = [
        path for path in sorted((ROOT / 'examples').rglob('*.py'))
        if '.tox' not in path.parts and _is_annotated(path)]
    assert {*(ROOT / 'examples').glob('*.py'), ROOT / 'examples/tested_service/service.py'} <= {
        *found}
    return found


def _mypy(*paths: Path) -> dict[Path, dict[int, set[str]]]:
    """Return the errors that mypy finds in *paths*: codes by lines by files."""
    finished = subprocess.run(
        [sys.executable, '-m', 'mypy', '--strict', '--no-error-summary', '--no-pretty',
         '--no-color-output', '--hide-error-context', *map(str, paths)],
        cwd=ROOT, capture_output=True, text=True, check=False)
    found: dict[Path, dict[int, set[str]]] = defaultdict(lambda: defaultdict(set))
    others = []
    for line in finished.stdout.splitlines():
        match = re.match(r'(.+?):(\d+): error: .*\[([a-z-]+)\]$', line)
        if match is not None:
            found[ROOT / match[1]][int(match[2])].add(match[3])
        elif ': note: ' not in line:
            others.append(line)
    assert (others, finished.stderr) == ([], '')
    return found


def _pyright(*arguments: str | Path) -> Any:
    """Return what pyright has to say."""
    finished = subprocess.run(
        [sys.executable, '-m', 'pyright', *map(str, arguments), '--outputjson',
         '--pythonpath', sys.executable],
        cwd=ROOT, capture_output=True, text=True, check=False,
        env={**os.environ, 'PYTHONPATH': str(ROOT)})  # gnet is that of this checkout
    return json.loads(finished.stdout)


@pytest.mark.timeout(300)  # with a cold cache mypy reads the stubs of all that is imported
def test_mypy_accepts_the_examples_and_reports_each_mistake() -> None:
    # In one run: most of its time goes into reading gnet.
    _need('mypy')
    found = _mypy(*_examples(), HERE / 'programs.py', MISTAKES)
    assert len(_expected()) > 40
    assert found.pop(MISTAKES) == _expected()
    assert {str(path): dict(lines) for path, lines in found.items()} == {}


@pytest.mark.timeout(300)
def test_pyright_accepts_the_examples_and_reports_each_mistake() -> None:
    _need('pyright')
    found = defaultdict(set)
    for each in _pyright(*_examples(), HERE / 'programs.py', MISTAKES)['generalDiagnostics']:
        if each['severity'] == 'error':
            found[Path(each['file'])].add(each['range']['start']['line'] + 1)
    assert found.pop(MISTAKES) == set(_expected())
    assert found == {}


@pytest.mark.skipif(not os.environ.get('GNET_TYPES'), reason='GNET_TYPES is not set')
@pytest.mark.timeout(300)
def test_all_that_pyright_takes_for_public_has_a_known_type() -> None:
    # Seconds of CPU for what only changes with annotations: tox's environment "types" does it.
    _need('pyright')
    report = _pyright('--verifytypes', 'gnet', '--ignoreexternal')['typeCompleteness']
    assert Path(report['packageRootDirectory']) == ROOT / 'gnet'
    unknown = {
        symbol['name']: [each['message'] for each in symbol['diagnostics']
                         if each['severity'] == 'error']
        for symbol in report['symbols']
        if symbol['isExported'] and not (symbol['isTypeKnown'] and not symbol['isTypeAmbiguous'])}
    assert unknown == {}
    assert report['completenessScore'] == 1
    assert report['exportedSymbolCounts']['withKnownType'] > 4000
