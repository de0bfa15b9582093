"""The documents of the project, as tests read them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from . import ROOT

__all__ = ['NAMES', 'PYTHON', 'Block', 'blocks', 'prose', 'read']

_PAGES = sorted([
    *(ROOT / name for name in ('README.md', 'CONTRIBUTING.md', 'CHANGES.md', 'SECURITY.md')),
    *(path for path in (ROOT / 'docs').rglob('*.md') if '_build' not in path.parts),
])
#: The documents: their paths in the project.
NAMES = [path.relative_to(ROOT).as_posix() for path in _PAGES]


class Block(NamedTuple):
    """A block of code: its page, what is said before it, its language, and the code."""

    page: str
    mark: str
    language: str
    code: str


def read(page: str) -> str:
    """Return the text of *page*, by its name in NAMES."""
    return (ROOT / page).read_text(encoding='utf-8')


def blocks() -> Iterator[Block]:
    """Return all blocks of code, page by page."""
    for page in NAMES:
        for mark, indent, language, code in re.findall(
            r'(?:^<!-- (run.*?) -->\n)?^( *)```(\w*)\n(.*?)^ *```$', read(page), re.M | re.S,
        ):
            yield Block(page, mark, language, re.sub(f'^{indent}', '', code, flags=re.M))


def prose(page: str) -> str:
    """Return the text of *page* without its blocks of code."""
    return re.sub(r'^ *```.*?^ *```$', '', read(page), flags=re.M | re.S)


#: The blocks of Python.
PYTHON = [block for block in blocks() if block.language == 'python']
