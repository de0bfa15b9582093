"""The programs of README."""

from __future__ import annotations

import re
import signal
from typing import Any

import pytest

from ..harness import ROOT
from ..harness.plain import PlainSocket

_WHOLE_PROGRAMS = [
    block for block in re.findall(
        r'^```python\n(.*?)```$', (ROOT / 'README.md').read_text(encoding='utf-8'),
        re.MULTILINE | re.DOTALL)
    if block.endswith('gnet.run()\n')
]
PROGRAMS = [text for text in _WHOLE_PROGRAMS if 'cluster' not in text]
[CLUSTER_PROGRAM] = [text for text in _WHOLE_PROGRAMS if 'cluster' in text]
SAY_THE_PORT = """
@server.on('listening')
def say():
    print(server.address().port, flush=True)
"""


def test_the_readme_shows_both_styles() -> None:
    assert [('for chunk in sock' in text, 'sock.pipe' in text) for text in PROGRAMS] == [
        (True, False), (False, True),
    ]


@pytest.mark.parametrize('text', PROGRAMS, ids=['blocking', 'events'])
def test_a_program_of_the_readme_echoes(text: str, start_script: Any, connect: Any) -> None:
    assert len(list(filter(None, text.splitlines()))) <= 10
    port = "listen(7000, '127.0.0.1')"
    assert port in text
    text = text.replace(port, "listen(0, '127.0.0.1')").replace(
        'gnet.run()', SAY_THE_PORT + 'gnet.run()')
    running = start_script(text)
    client = connect(('127.0.0.1', int(running.read_line())))
    client.sendall(b'hello')
    client.end()
    assert client.recv_until_end() == b'hello'
    running.send_signal(signal.SIGINT)
    assert running.wait()[::2] == (-signal.SIGINT, '')


def test_the_cluster_of_the_readme_answers_with_all_workers(
    start_script: Any, connect: Any,
) -> None:
    with PlainSocket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    text = CLUSTER_PROGRAM.replace('listen(7000)', f'listen({port})').replace(
        'if cluster.is_primary:\n',
        "if cluster.is_primary:\n    cluster.on('listening', lambda *args: print(flush=True))\n")
    running = start_script(text)
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
