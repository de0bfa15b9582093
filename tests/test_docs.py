"""The documents: their programs run. (What they cite is there: ``test_citations.py``.)

Each block of ``python`` has an invisible line before it that says how it is run. Whole programs:

- ``<!-- run: SENT => ANSWER -->``: a server; a client that sends that and ends gets that answer;
- ``<!-- run until SIGTERM: SENT => ANSWER -->``: the same, but the client sends all but the first
  byte after the signal;
- ``<!-- run against an echo: OUTPUT -->``: a client, and what it prints;
- ``<!-- run as a cluster -->``: four workers, each of which says its number;
- ``<!-- run as tests -->``: tests, all of a page in one process, by pytest;
- ``<!-- run with TLS: SENT => ANSWER -->``: a server with ``key.pem`` and ``cert.pem`` beside it;
- ``<!-- run on the program above -->``: tests of that program, which they import;
- ``<!-- run as FILE -->``: what that file has below its docstring, which other tests run.

Pieces of one, which take something for granted:

- ``<!-- run with: NAME -->``, ``<!-- run with: NAME => OUTPUT -->``: in this process, in what that
  function of ``tests/harness/preludes.py`` or ``tls_preludes.py`` has ready, which also looks at
  what becomes of it;
- ``<!-- run by the program above -->``: together with that;
- ``<!-- run by mypy -->``, or ``<!-- run by mypy: 4 errors -->``, one for each of its last lines:
  looked at by ``tests/typing/test_types.py``.

And the command line ``gnet …`` in each block of ``sh`` is one that the command understands.
"""

from __future__ import annotations

import ast
import importlib
import os
import re
import shlex
import signal
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from gevent import subprocess
from gevent.monkey import is_module_patched as is_patched

import gnet
from gnet.command import main
from gnet.command.subcommands import SUBCOMMANDS

from .harness import ROOT, preludes, tls_preludes  # noqa: F401  # these two fill PRELUDES
from .harness.authority import NAMES as SERVER_NAMES
from .harness.authority import authority
from .harness.documents import NAMES, PYTHON, Block, blocks, read
from .harness.native import is_refused
from .harness.pieces import PRELUDES, Piece
from .harness.ports import free_port
from .harness.service_manager import (  # noqa: F401  # fixtures that preludes use
    manager,
    pass_sockets,
)
from .harness.tls_peers import TlsPeer, client_context
from .harness.waiting import until


def programs(kind: str) -> list[Any]:
    """Return what the marks of one kind say after it, and the code."""
    found = [
        (block.page, block.mark[len(kind):].strip(' :'), block.code)
        for block in PYTHON if re.match(rf'{kind}(:|$)', block.mark)
    ]
    return [pytest.param(*each, id=f'{each[0]}-{number}') for number, each in enumerate(found)]


def unescaped(text: str) -> bytes:
    return text.strip().replace('\\n', '\n').encode()


# --- programs -------------------------------------------------------------------------------------


@pytest.mark.any_loop
@pytest.mark.parametrize('block', PYTHON, ids=lambda block: block.page)
def test_python_is_python(block: Block) -> None:
    ast.parse(block.code)


#: Their one piece, two lines for the garbage collector, would be for all of this process.
NOT_RUN = {'docs/performance.md'}


@pytest.mark.any_loop
def test_all_python_says_how_to_run_it() -> None:
    assert [block for block in PYTHON if not block.mark and block.page not in NOT_RUN] == []
    kinds = (
        r'run( until SIGTERM| against an echo| with| with TLS|): .*', 'run as (a cluster|tests)',
        r'run as \S+\.\w+', 'run (on|by) the program above', r'run by mypy(: \d+ errors)?')
    assert [
        block for block in PYTHON
        if block.mark and not any(re.fullmatch(kind, block.mark) for kind in kinds)] == []


@pytest.mark.any_loop
def test_the_readme_shows_a_program_of_ten_lines_in_each_style() -> None:
    shown = [
        block.code for block in PYTHON if block.page == 'README.md' and 'gnet.run()' in block.code]
    assert [('for chunk in sock' in text, 'sock.pipe' in text) for text in shown] == [
        (True, False), (False, True),
    ]
    assert max(len(list(filter(None, text.splitlines()))) for text in shown) <= 10


SAY_THE_PORT = """
@server.on('listening')
def say():
    print(server.address().port, flush=True)
"""


def telling_its_port(code: str) -> str:
    """Return the program with a free port, which it prints when it listens on it."""
    line = re.search(
        r"^( *)(?:\w+ = )?(.*?(?:listen\(7000, '127\.0\.0\.1'\)|gnet\.serve\(.*?, 7000[^)]*\)))",
        code, re.M)
    assert line
    begun = line[2].replace('7000', '0')
    if not begun.startswith('server.'):
        begun = f'server = {begun}'
    say = SAY_THE_PORT if 'listen(' in begun else '\nprint(server.address().port, flush=True)\n'
    return code.replace(line[0], textwrap.indent(f'{begun}{say}', line[1]), 1)


@pytest.mark.parametrize(('page', 'exchange', 'code'), programs('run'))
def test_a_server_of_a_document_answers(
    page: str, exchange: str, code: str, start_script: Any, connect: Any,
) -> None:
    sent, answer = map(unescaped, exchange.split('=>'))
    running = start_script(telling_its_port(code))
    client = connect(('127.0.0.1', int(running.read_line())))
    client.sendall(sent)
    client.end()
    assert client.recv_until_end().strip() == answer.strip()
    running.send_signal(signal.SIGINT)
    assert running.wait()[::2] == (-signal.SIGINT, '')


@pytest.mark.parametrize(('page', 'exchange', 'code'), programs('run until SIGTERM'))
def test_a_server_of_a_document_lets_its_clients_finish(
    page: str, exchange: str, code: str, start_script: Any, connect: Any,
) -> None:
    sent, answer = map(unescaped, exchange.split('=>'))
    running = start_script(telling_its_port(code))
    address = ('127.0.0.1', int(running.read_line()))
    client = connect(address)
    client.sendall(sent[:1])
    assert client.recv_exactly(1) == answer[:1]
    running.send_signal(signal.SIGTERM)
    until(lambda: is_refused(connect, address))
    client.sendall(sent[1:])
    client.end()
    assert client.recv_until_end() == answer[1:]
    assert running.wait() == (0, f'{address[1]}\n', '')


@pytest.mark.parametrize(('page', 'output', 'code'), programs('run against an echo'))
def test_a_client_of_a_document_prints_what_it_got(
    page: str, output: str, code: str, start_script: Any,
) -> None:
    server = gnet.create_server(lambda sock: sock.pipe(sock)).listen(0)
    gnet.once(server, 'listening', timeout=10)
    running = start_script(code.replace('7000', str(server.address().port)))
    assert running.wait() == (0, f'{output}\n', '')
    server.stop(0)


@pytest.mark.parametrize(('page', 'nothing', 'code'), programs('run as a cluster'))
def test_the_cluster_of_a_document_answers_with_all_workers(
    page: str, nothing: str, code: str, start_script: Any, connect: Any,
) -> None:
    port = free_port()
    text = code.replace('listen(7000)', f'listen({port})').replace(
        'if cluster.is_primary:\n',
        "if cluster.is_primary:\n    cluster.on('listening', lambda *args: print(flush=True))\n")
    running = start_script(text, workers=True)
    for _ in range(4):
        running.wait_for('^$')
    answers = set()
    for _ in range(4):
        client = connect(('127.0.0.1', port))
        answers.add(client.recv_until_end())
        client.end()
    assert answers == {b'from 1', b'from 2', b'from 3', b'from 4'}
    running.send_signal(signal.SIGINT)
    assert running.wait()[::2] == (-signal.SIGINT, '')


def test_the_tests_of_a_document_pass(tmp_path: Path) -> None:
    code = '\n\n'.join(block.code for block in PYTHON if block.mark == 'run as tests')
    (tmp_path / 'test_it.py').write_text(code)
    launcher = ['-m', 'gevent.monkey', '--module'] if is_patched('socket') else ['-m']
    ran = subprocess.run(
        [sys.executable, *launcher, 'pytest', '-q', '-p', 'no:cacheprovider', '-p', 'pytest_gnet',
         '-W', 'error', 'test_it.py'],
        cwd=tmp_path, capture_output=True, text=True, check=False,
        env={**os.environ, 'PYTHONPATH': str(ROOT), 'PYTEST_ADDOPTS': ''})
    assert f'{code.count("def test_")} passed' in ran.stdout, ran


@pytest.mark.parametrize(('page', 'exchange', 'code'), programs('run with TLS'))
def test_a_tls_server_of_a_document_answers(
    page: str, exchange: str, code: str, tmp_path: Path, start_script: Any, connect: Any,
    native: Any,
) -> None:
    sent, answer = map(unescaped, exchange.split('=>'))
    made = authority().certify(*SERVER_NAMES)
    (tmp_path / 'key.pem').write_text(made.key)
    (tmp_path / 'cert.pem').write_text(made.cert)
    running = start_script(code.replace(' 7000', ' 0').replace(
        'gnet.run()', 'print(server.address().port, flush=True)\ngnet.run()'))
    client = TlsPeer(
        native, connect(('127.0.0.1', int(running.read_line()))), client_context(),
        server_hostname='localhost').shake()
    client.sendall(sent)
    assert client.recv_exactly(len(answer)) == answer
    running.send_signal(signal.SIGINT)
    assert running.wait()[::2] == (-signal.SIGINT, '')


def shown_tests() -> Iterator[Any]:
    """Return the tests that documents show, each with the program above it."""
    above = ''
    for block in PYTHON:
        if block.mark == 'run on the program above':
            names = re.findall(r'^def (test_\w+)', block.code, re.M)
            assert names
            for name in names:
                yield pytest.param(above, block.code, name, id=f'{block.page}-{name}')
        elif block.mark:
            above = block.code


@pytest.mark.parametrize(('program', 'code', 'name'), [*shown_tests()])
def test_a_test_of_a_document_passes(
    program: str, code: str, name: str, monkeypatch: pytest.MonkeyPatch,
) -> None:
    imported = re.findall(r'^from (\w+) import', code, re.M)
    for module in imported:
        if module not in sys.modules:
            monkeypatch.setitem(sys.modules, module, ModuleType(module))
            exec(program, sys.modules[module].__dict__)
    names: dict[str, Any] = {}
    exec(code, names)
    names[name]()


@pytest.mark.any_loop
@pytest.mark.parametrize(('name', 'code'), [
    (block.mark[len('run as '):], block.code)
    for block in blocks() if re.match(r'run as \S+\.\w+$', block.mark)
])
def test_a_program_of_a_document_is_the_file_that_it_says(name: str, code: str) -> None:
    text = read(name)
    header = r'(?://.*\n)*' if name.endswith('.js') else r'"""(?s:.*?)"""\n+'
    assert re.sub(header, '', text, count=1) == code


GUIDES = [name for name in NAMES if name.startswith('docs/from/')]


def lines_of(code: str) -> set[str]:
    """Return the lines of a program, without indents, comments, and those of brackets alone."""
    lines = (re.sub(r'(^|  )(#|//) .*', '', line).strip() for line in code.splitlines())
    return {line for line in lines if re.search(r'\w', line)}


@pytest.mark.any_loop
@pytest.mark.parametrize('page', GUIDES)
def test_a_guide_says_of_each_line_what_becomes_of_it(page: str) -> None:
    before, after = (
        lines_of(block.code) for block in blocks()
        if block.page == page and block.mark.startswith('run as examples/ported/'))
    below = read(page).partition('\n\n| before | after |\n|---|---|\n')[2]
    told: tuple[set[str], set[str]] = set(), set()
    for row in below.partition('\n\n')[0].splitlines():
        left, right = row.strip('| ').split(' | ')
        for column, cell in zip(told, (left, right)):
            # What is no code is a remark.
            column.update(re.findall(r'(?:^|<br>)`+([^`].*?)`+(?=<br>|$)', cell))
    # All that differs, and nothing that is not there.
    assert told == (before - after, after - before)


# --- pieces ---------------------------------------------------------------------------------------


def pieces() -> Iterator[Any]:
    """Return the pieces that a prelude runs: its name, what is printed, and both codes."""
    for number, (block, following) in enumerate(zip(PYTHON, [*PYTHON[1:], PYTHON[0]])):
        if block.mark.startswith('run with: '):
            name, arrow, output = block.mark[len('run with: '):].partition(' => ')
            yield pytest.param(
                name, output if arrow else None, block.code, following.code,
                id=f'{block.page}-{number}')


@pytest.mark.any_loop
def test_all_preludes_are_needed() -> None:
    assert {piece.values[0] for piece in pieces()} == {*PRELUDES}


@pytest.mark.parametrize(('name', 'output', 'code', 'following'), [*pieces()])
def test_a_piece_of_a_document_does_what_it_says(
    name: str, output: str | None, code: str, following: str, request: pytest.FixtureRequest,
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    piece = Piece(code, following, request)
    try:
        PRELUDES[name](piece)
        assert output is None or piece.printed().encode() == unescaped(output)
    finally:
        piece.let_go()


def command_lines() -> Iterator[Any]:
    for block in blocks():
        for line in block.code.splitlines() if block.language == 'sh' else ():
            words = shlex.split(line, comments=True) if 'gnet ' in line else []
            for index, word in enumerate(words):
                if word in ('gnet', '.venv/bin/gnet'):
                    yield pytest.param(words[index + 1:], id=f'{block.page}: {line.strip()[:40]}')


@pytest.mark.any_loop
@pytest.mark.parametrize('words', [*command_lines()])
def test_a_command_line_of_a_document_is_understood(words: list[str]) -> None:
    words = words[:words.index('>')] if '>' in words else words
    if words[0] in SUBCOMMANDS:
        found = SUBCOMMANDS[words[0]]
        file = '.top' if words[0] == 'top' else found.file  # as gnet/command/completion.py
        parser = importlib.import_module(file, main.__package__).make_parser()
        parser.parse_args(words[1:])
    else:
        options = main.make_parser().parse_args(words)
        assert options.script or options.module
