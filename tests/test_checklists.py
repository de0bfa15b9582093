"""Documents whose lines are options, names and commands: each of those is there."""

from __future__ import annotations

import re
from typing import Any

import pytest

import gnet
from gnet.command.main import main
from gnet.options.connect import CONNECT_OPTIONS
from gnet.options.listen import LISTEN_OPTIONS
from gnet.options.server import SERVER_OPTIONS
from gnet.tls.pending_handshakes import PENDING_OPTIONS
from gnet.tls.socket import TLS_SOCKET_OPTIONS

from .harness import ROOT
from .harness.documents import prose, read

PAGES = ['SECURITY.md', 'docs/production.md', 'docs/systemd.md']

OPTIONS = (
    CONNECT_OPTIONS | LISTEN_OPTIONS | SERVER_OPTIONS | PENDING_OPTIONS | TLS_SOCKET_OPTIONS
    | {'ssl_context', 'watch_certificates'})

#: Of functions that are not gnet's.
NOT_OF_GNET = {'level'}

#: Names of loggers, which need not be names of modules.
LOGGERS = {
    name for path in sorted((ROOT / 'gnet').rglob('*.py'))
    for name in re.findall(r"[Ll]og\w*\('(gnet\.\w+)'\)", path.read_text('utf-8'))}


def spans(page: str) -> list[str]:
    """Return the pieces of code in the prose of *page*."""
    return re.findall(r'`([^`\n]+)`', prose(page))


def is_there(name: str) -> bool:
    """Return whether gnet has the public name *name*, such as 'gnet.tls.connect'."""
    found: Any = gnet
    for part in name.split('.')[1:]:
        found = getattr(found, part, None)
    return found is not None or name in LOGGERS


@pytest.mark.parametrize('page', PAGES)
def test_names_that_are_cited_are_there(page: str) -> None:
    text = '\n'.join(spans(page))
    cited = re.findall(r'\bgnet(?:\.\w+)+', text)
    assert cited
    assert [name for name in cited if not is_there(name)] == []
    for variable, owner in (('server', gnet.tls.Server), ('sock', gnet.tls.TLSSocket)):
        names = re.findall(rf'(?<![\w.]){variable}\.(\w+)', text)
        assert [name for name in names if not hasattr(owner, name) and name != 'py'] == []


@pytest.mark.parametrize('page', PAGES)
def test_options_that_are_cited_are_there(page: str) -> None:
    cited = re.findall(r'(?:^|[ (])([a-z]\w+)=', '\n'.join(spans(page)), re.M)
    assert cited
    assert [name for name in cited if name not in OPTIONS | NOT_OF_GNET] == []


@pytest.mark.parametrize('page', PAGES)
def test_commands_that_are_cited_are_there(page: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(['--help'])
    helped = capsys.readouterr().out
    lines = re.findall(r'\bgnet (-[^`#\n]*)', read(page))
    assert lines
    words = [word for line in lines for word in re.findall(r'(?<![\w-])--[a-z-]+', line)]
    assert [word for word in words if word not in helped] == []


def test_all_loggers_are_listed() -> None:
    listed = re.findall(r'^\| `(gnet\.\w+)` \|', read('docs/errors.md'), re.M)
    assert sorted(LOGGERS) == sorted(set(listed) & LOGGERS)
