"""The documentation as a site: it is built without a warning, and can be read without a network.

Building takes a sixth of the time of all other tests, so it is only done where the environment
variable ``GNET_SITE`` is set: by ``.ci/run``, and in tox's environment "docs". The tools (the extra
``docs``) need Python 3.11.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from importlib import import_module
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from gevent import subprocess

from .harness import ROOT

#: Modules of which every public name is in the reference.
MODULES = (
    'gnet', 'gnet.child_process', 'gnet.errors', 'gnet.events', 'gnet.handlers', 'gnet.lifecycle',
    'gnet.logs', 'gnet.metrics', 'gnet.proxy_protocol', 'gnet.systemd', 'gnet.testing', 'gnet.tls',
    'gnet.wsgi',
)

#: What has no entry of its own: modules, a second name, constants that have a text elsewhere.
WITHOUT_ENTRY = {
    '__version__', 'child_process', 'cluster', 'errors', 'events', 'lifecycle', 'process',
    'Stream', 'error_monitor', 'CONTENT_TYPE', 'SSLContext',
    'CLIENT_RENEG_LIMIT', 'CLIENT_RENEG_WINDOW',
}

#: Attributes by which a browser loads something without being asked.
LOADED = {'script': 'src', 'img': 'src', 'link': 'href', 'iframe': 'src'}


class Page(HTMLParser):
    """What a page can be linked to by, and what it links to."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.feed(path.read_text('utf-8'))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.ids.update(value for name in ('id', 'name') if (value := given.get(name)))
        if tag == 'a' and given.get('href'):
            self.links.append(str(given['href']))
        if LOADED.get(tag) in given:
            self.loaded.append(str(given[LOADED[tag]]))


def build(folder: Path) -> None:
    """Build the site, as scripts/docs does."""
    ended = subprocess.run(
        [sys.executable, '-m', 'sphinx', '--fail-on-warning', '--keep-going', '--quiet',
         '-b', 'html', '-c', 'docs', '-d', str(folder / 'doctrees'), '.', str(folder / 'html')],
        cwd=ROOT, capture_output=True, check=False, env={**os.environ, 'GNET_STAY_ALIVE': '0'})
    assert (ended.returncode, ended.stderr.decode()) == (0, '')


def lost_links(pages: dict[Path, Page]) -> Iterator[str]:
    """Return the links to what is not there, file or heading."""
    for page in pages.values():
        for link in [*page.links, *page.loaded]:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = page.path
            if parts.path:
                target = (page.path.parent / unquote(parts.path)).resolve()
            fragment = unquote(parts.fragment)
            if not target.is_file() or (
                fragment and target in pages and fragment not in pages[target].ids
            ):
                yield f'{page.path.name}: {link}'


def public_names() -> Iterator[tuple[str, str]]:
    for module in MODULES:
        for name in import_module(module).__all__:
            if name not in WITHOUT_ENTRY:
                yield module, name


@pytest.mark.any_loop
@pytest.mark.skipif(not os.environ.get('GNET_SITE'), reason='GNET_SITE is not set')
@pytest.mark.timeout(600)
def test_the_site_is_built_and_is_whole(tmp_path: Path) -> None:
    build(tmp_path)
    html = (tmp_path / 'html').resolve()
    pages = {path: Page(path) for path in html.rglob('*.html')}
    assert sorted(set(lost_links(pages))) == []
    # Nothing of another host is loaded, so it can be read, and searched, without a network.
    assert [each for page in pages.values() for each in page.loaded if urlsplit(each).netloc] == []
    assert 'docs/tutorial' in (html / 'searchindex.js').read_text('utf-8')
    told = set().union(*(page.ids for page in pages.values() if 'reference' in page.path.parts))
    tails = {each.rpartition('.')[2] for each in told if each.startswith('gnet.')}
    assert [each for each in public_names() if each[1] not in tails] == []
    # Node's spellings are told once, as a rule.
    assert not tails & {'setTimeout', 'createServer', 'allowHalfOpen', 'ipv4Prefix'}
    assert 'gnet.Socket.recv' in told
    assert 'gnet.Server.serve_forever' in told
    assert {'gnet.tls.TLSSocket.getpeercert', 'gnet.tls.TLSSocket.get_peer_certificate'} <= told
    reference = (html / 'docs/reference/socket.html').read_text('utf-8')
    assert 'bytes buffered in each direction before reading stops' in reference  # an option
    # Not the first sentence of a property, up to its colon.
    assert '>Type<' not in reference
