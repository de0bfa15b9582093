"""What documents cite is there: links, files, tests, methods, pages; and nothing else is cited."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import gnet

from .harness import ROOT
from .harness.documents import NAMES, blocks, prose, read
from .test_architecture import FLOORS


def anchor(heading: str) -> str:
    """Return what GitHub makes of a heading for links."""
    text = re.sub(r'\[([^]]*)\]\([^)]*\)', r'\1', heading).replace('`', '')
    return re.sub(r'[^\w\- ]', '', text.strip().lower()).replace(' ', '-')


@pytest.mark.parametrize('page', NAMES)
def test_links_lead_somewhere(page: str) -> None:
    lost = []
    for link in re.findall(r'\]\(\s*([^)\s]+)\)', prose(page)):
        if re.match(r'https?:', link):
            continue
        target, _, heading = link.partition('#')
        path = (ROOT / page).parent / target if target else ROOT / page
        if not path.exists():
            lost.append(link)
        elif heading:
            there = prose(path.resolve().relative_to(ROOT).as_posix())
            if heading not in map(anchor, re.findall(r'^#+ (.*)$', there, re.M)):
                lost.append(link)
    assert lost == []


@pytest.mark.parametrize('page', NAMES)
def test_files_and_tests_that_are_cited_are_there(page: str) -> None:
    lost = []
    for name, test in re.findall(
        r'`((?:\w+/)*(?:gnet|tests|examples|benchmarks|scripts|docs|\.ci)/[\w./-]*?)'
        r'(?:::(test_\w+))?`', read(page),
    ):
        path = ROOT / name
        if not path.exists():
            lost.append(name)
        elif test and f'def {test}(' not in path.read_text(encoding='utf-8'):
            lost.append(f'{name}::{test}')
    assert lost == []


def members() -> dict[str, set[str]]:
    """Return the names that each class of gnet has or uses, those of its bases included."""
    classes: dict[str, tuple[list[str], set[str]]] = {}
    for path in sorted((ROOT / 'gnet').rglob('*.py')):
        for node in ast.walk(ast.parse(path.read_text('utf-8'))):
            if isinstance(node, ast.ClassDef):
                bases = [base.id for base in node.bases if isinstance(base, ast.Name)]
                names = {
                    getattr(each, 'name', None) or getattr(each, 'attr', None)
                    or getattr(each, 'id', None) for each in ast.walk(node)}
                also = classes.get(node.name, ([], set()))  # another one of this name
                classes[node.name] = [*bases, *also[0]], names | also[1]

    def of(name: str) -> set[str]:
        bases, names = classes.get(name, ([], set()))
        return names.union(*map(of, bases))

    return {name: of(name) for name in classes}


@pytest.mark.parametrize('page', ['docs/architecture.md', 'docs/gevent.md'])
def test_methods_that_are_cited_are_there(page: str) -> None:
    there = members()
    cited = re.findall(r'`([A-Z]\w+)\.(\w+)', read(page))
    assert cited
    assert [each for each in cited if each[1] not in there.get(each[0], ())] == []


@pytest.mark.parametrize('index', ['README.md', 'docs/index.md'])
def test_all_pages_are_listed(index: str) -> None:
    listed = {index, 'README.md'}
    for page in (index, 'docs/reference/index.md'):
        for link in re.findall(r'\]\(([\w./-]+\.md)\)', read(page)):
            path = ((ROOT / page).parent / link).resolve()
            listed.add(path.relative_to(ROOT).as_posix())
    assert [name for name in NAMES if name not in listed] == []


def test_the_readme_can_be_read_at_once() -> None:
    assert len(read('README.md').splitlines()) <= 150


def test_the_tutorial_installs_what_it_has_its_reader_run() -> None:
    shell = '\n'.join(block.code for block in blocks() if (
        block.page == 'docs/tutorial.md' and block.language == 'sh'))
    for command, installed in ('gnet ', 'pip install ../gnet'), ('pytest ', 'pip install pytest'):
        run = re.search(rf'^{command}', shell, re.M)
        assert run is not None
        assert -1 < shell.find(installed) < run.start()


def test_all_examples_are_listed_in_the_readme() -> None:
    listed = re.findall(r'\]\(examples/(\w+)\.py\)', read('README.md'))
    assert sorted(listed) == sorted(path.stem for path in (ROOT / 'examples').glob('*.py'))


def test_traps_have_the_headings_of_their_document() -> None:
    tested = re.findall(
        r'^# --- (T\d+: .*?) -+$', (ROOT / 'tests/loop/test_traps.py').read_text('utf-8'), re.M)
    told = [text.replace('`', '') for text in re.findall(r'^## (T\d+: .*)$', read(
        'docs/gevent.md'), re.M)]
    assert [trap for trap in tested if trap not in told] == []
    assert [trap.partition(':')[0] for trap in told] == [
        f'T{number}' for number in range(1, len(told) + 1)]
    names = re.findall(r'`(test_t\d+_\w+)`', read('docs/gevent.md'))
    source = (ROOT / 'tests/loop/test_traps.py').read_text('utf-8')
    assert sorted(names) == sorted(re.findall(r'^def (test_t\d+_\w+)', source, re.M))


def test_the_rooms_are_told_in_the_order_in_which_they_import_each_other() -> None:
    _, _, rooms = read('docs/architecture.md').partition('From the ground up;')
    table = rooms.partition('\n## ')[0]
    assert re.findall(r'^\| `(\w+)` \|', table, re.M) == [*FLOORS]
    told = [
        name for line in re.findall(r'^- (``.*?):', gnet.__doc__ or '', re.M)
        for name in re.findall(r'``(\w+)``', line)]
    assert told == [name for name in FLOORS if name in told]
    assert {*FLOORS} - {*told} == {'__init__', '__main__'}


def test_no_file_cites_what_is_not_in_the_project() -> None:
    """Design papers and notes that somebody has had beside the checkout."""
    found = [
        f'{path.relative_to(ROOT)}: {match[0]}'
        for folder in ('gnet', 'tests', 'benchmarks', 'examples', 'scripts', 'docs')
        for path in sorted((ROOT / folder).rglob('*'))
        if path.suffix in ('.py', '.md', '.c') and not {'_build', '.tox'} & {*path.parts}
        for match in re.finditer(  # docs/reference is in it
            r'DESIGN\b|(?<!docs/)(?<!\]\()\breference/\w|\bplans/\w|\bshared/\w',
            path.read_text('utf-8'))
        if path != Path(__file__)
    ]
    assert found == []
