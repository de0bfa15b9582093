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
from ..harness.documents import PYTHON

HERE = Path(__file__).parent
MISTAKES = HERE / 'mistakes.py'

#: What pieces of documents take for granted. Their functions may have no annotations.
PRELUDE = """\
# mypy: allow-untyped-defs, allow-untyped-calls
from typing import Any
import gnet
"""
#: And where they have no server of their own.
SERVER = 'server = gnet.create_server()\n'


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


def _pieces(folder: Path) -> dict[Path, set[int]]:
    """Write the pieces of documents that are for mypy into files; return the lines with mistakes.

    ``<!-- run by mypy: 4 errors -->`` says that each of the last four lines is one.
    """
    found = {}
    for number, block in enumerate(PYTHON):
        match = re.fullmatch(r'run by mypy(?:: (\d+) errors)?', block.mark)
        if match is None:
            continue
        code = block.code if 'server =' in block.code else f'{SERVER}{block.code}'
        path = folder / f'{Path(block.page).stem}_{number}.py'
        path.write_text(f'{PRELUDE}{code}', 'utf-8')
        end = len(f'{PRELUDE}{code}'.splitlines()) + 1
        found[path] = set(range(end - int(match[1] or 0), end))
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
def test_mypy_accepts_the_examples_and_reports_each_mistake(tmp_path: Path) -> None:
    # In one run: most of its time goes into reading gnet.
    _need('mypy')
    pieces = _pieces(tmp_path)
    found = _mypy(*_examples(), HERE / 'programs.py', MISTAKES, *pieces)
    assert len(_expected()) > 40
    assert found.pop(MISTAKES) == _expected()
    assert len(pieces) > 5
    # By their names: what mypy remembers of a run before is told of the folder of then.
    mistakes = {path.name: lines for path, lines in pieces.items()}
    reported = {path.name: set(found.pop(path)) for path in [*found] if path.name in mistakes}
    assert {name: reported.get(name, set()) for name in mistakes} == mistakes
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
