"""What scripts/release_check does not let pass. (That all is well is said by tox -e release.)"""

from __future__ import annotations

import importlib.util
import sys
import tarfile
import zipfile
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType

import pytest

from gnet._version import __version__

from .harness import ROOT


@pytest.fixture(scope='module')
def script() -> ModuleType:
    loader = SourceFileLoader('release_check', str(ROOT / 'scripts' / 'release_check'))
    # Written beside it, the compiled file would be one more of the checkout.
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        spec = importlib.util.spec_from_loader('release_check', loader)
        assert spec
        module = importlib.util.module_from_spec(spec)
        loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = before
    return module


def wheel(path: Path, **held: str) -> Path:
    with zipfile.ZipFile(path, 'w') as archive:
        for name, text in held.items():
            archive.writestr(name, text)
    return path


def texts(script: ModuleType, monkeypatch: pytest.MonkeyPatch, **instead: str) -> None:
    """Have the script read these texts, instead of the files whose names begin so."""
    original = script.read

    def read(name: str) -> str:
        return instead.get(name.partition('.')[0]) or original(name)

    monkeypatch.setattr(script, 'read', read)


def test_wheels_that_differ(script: ModuleType, tmp_path: Path) -> None:
    one = wheel(tmp_path / 'one.whl', same='1', different='1', only='1')
    other = wheel(tmp_path / 'other.whl', same='1', different='2')
    assert script.check_equal(one, one).startswith('3 files')
    with pytest.raises(script.WrongError, match=r"differ in \['different', 'only'\]"):
        script.check_equal(one, other)


def test_an_sdist_that_lacks_a_file_or_has_one_of_nobody(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    with tarfile.open(tmp_path / 'made.tar.gz', 'w:gz') as archive:
        for name in ('setup.py', 'PKG-INFO', 'gevent_net.egg-info/SOURCES.txt', 'nobody.txt'):
            archive.add(__file__, f'made-1/{name}')
    monkeypatch.setattr(script, 'sources', lambda: ['.gitignore', 'setup.py', 'tox.ini'])
    with pytest.raises(script.WrongError, match=r"without \['tox.ini'\], and with \['nobody.t"):
        script.check_sdist(tmp_path / 'made.tar.gz')


@pytest.mark.parametrize(('heading', 'final', 'wrong'), [
    (f'{__version__} (unreleased)', False, None),
    (f'{__version__} (2027-01-31)', False, None),
    (f'{__version__} (unreleased)', True, 'says "unreleased"'),
    (f'{__version__} (soon)', False, 'says "soon"'),
    ('0.0.1 (2027-01-31)', False, 'is 0.0.1, not'),
])
def test_the_heading_of_the_changes(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch, heading: str, final: bool,
    wrong: str | None,
) -> None:
    texts(script, monkeypatch, CHANGES=f'# Changes\n\n## {heading}\n')
    if wrong is None:
        assert script.check_texts(final).startswith(heading)
        return
    with pytest.raises(script.WrongError, match=wrong):
        script.check_texts(final)


def test_a_readme_that_does_not_say_how_to_install_what_is_released(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch,
) -> None:
    changes = f'## {__version__} (2027-01-31)\n'
    texts(script, monkeypatch, CHANGES=changes, README='# gnet\n')
    with pytest.raises(script.WrongError, match='pip install gevent-net'):
        script.check_texts(True)
    texts(script, monkeypatch, CHANGES=changes, README='line\n' * 151)
    with pytest.raises(script.WrongError, match='has 151 lines'):
        script.check_texts(False)


def test_a_command_that_fails_is_told_with_what_it_wrote(script: ModuleType) -> None:
    with pytest.raises(script.WrongError, match=r'(?s)-c.*the reason'):
        script.run(sys.executable, '-c', 'import sys; sys.exit("the reason")')


@pytest.mark.parametrize(('said', 'passed'), [
    ('plain: commands[0]> ...\n===== 11 passed in 1.19s =====\n', '11 tests passed'),
    ('plain: commands[0]> ...\n===== no tests ran in 0.01s =====\n', None),
])
def test_an_example_of_which_tox_runs_no_test(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch, said: str, passed: str | None,
) -> None:
    monkeypatch.setattr(script, 'run', lambda *command, cwd: said)
    if passed is not None:
        assert script.check_example(Path('tree')).startswith(passed)
        return
    with pytest.raises(script.WrongError, match='no tests ran'):
        script.check_example(Path('tree'))


def test_what_outer_programs_have_set_is_not_handed_down(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch,
) -> None:
    # By this one, the tox that is run would work in the folder of the one that runs this script.
    monkeypatch.setenv('TOX_WORK_DIR', '/')
    code = 'import os; print("TOX_WORK_DIR" in os.environ, "PATH" in os.environ)'
    assert script.run(sys.executable, '-c', code) == 'False True\n'


def test_a_step_that_is_wrong_does_not_keep_others_from_being_done(
    script: ModuleType, capsys: pytest.CaptureFixture[str],
) -> None:
    steps = script.Steps()
    assert not steps.do('first', lambda: script.require(False, 'the reason'))
    assert steps.do('second', lambda: 'fine')
    assert steps.failed == ['first']
    first, reason, second = capsys.readouterr().out.splitlines()
    assert (first, reason) == ('first ... WRONG', 'the reason')
    assert second.startswith('second ... fine (')


def test_the_programs_are_those_of_the_readme(script: ModuleType) -> None:
    assert [(name, sent, answer) for name, _, sent, answer in script.programs()] == [
        ('blocking', b'hello', b'hello'), ('events', b'hello', b'hello')]
