"""How the site is built of the documents, which can also be read where they are: ``scripts/docs``.

The root of the checkout is Sphinx's source directory, so that links between README.md, ``docs/``
and the examples are the same in the repository and on the site. Three things are added:

- the table of contents: the headings of ``docs/index.md``, and what is linked below each;
- a page for each file that a document links to and that is no document, an example say;
- ``index.html``, which leads to ``docs/index.html``.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from docutils import nodes
from pygments.lexers import guess_lexer_for_filename
from pygments.util import ClassNotFound
from sphinx.addnodes import pending_xref

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from gnet._version import __version__  # noqa: E402

# --- Sphinx ---------------------------------------------------------------------------------------

project = 'gnet'
author = 'the gnet authors'
project_copyright = author
version = release = __version__
root_doc = 'docs/index'
include_patterns = ['*.md', 'docs/*.md', 'docs/from/*.md', 'docs/reference/*.md']
# What begins with a dot is the environments. (Sphinx walks through all that is not excluded.)
exclude_patterns = [
    '.*', 'docs/_build', 'benchmarks', 'build', 'dist', 'examples', 'gnet', 'scripts', 'tests']
extensions = ['myst_parser', 'sphinx.ext.autodoc', 'sphinx.ext.napoleon']
# Nothing is looked for in the network, neither while building nor by who reads.
html_theme = 'furo'
html_title = f'gnet {release}'
html_static_path = ['_static']
templates_path = ['_templates']
html_css_files = ['gnet.css']
html_copy_source = False
html_show_sphinx = False
# What is meant as a quote is written as one; the others are Python's.
smartquotes = False
pygments_style = 'friendly'
pygments_dark_style = 'monokai'

# As GitHub makes the anchors of headings, of all levels.
myst_heading_anchors = 6
myst_url_schemes = ('http', 'https', 'mailto', 'checkout')

# Docstrings say `Socket` of what they mean: a link where the reference has it, else code.
default_role = 'py:obj'
autodoc_member_order = 'bysource'
autodoc_typehints = 'signature'
autodoc_typehints_format = 'short'
autodoc_class_signature = 'mixed'
# What a constructor takes is told by its own docstring.
autoclass_content = 'both'
python_use_unqualified_type_names = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True  # else each attribute would have a second entry
napoleon_custom_sections = [('Emits', 'returns_style'), ('Events', 'returns_style')]

# --- the table of contents ------------------------------------------------------------------------


def contents(index: str) -> str:
    """Return the table of contents: the headings of the index, and the pages linked below each."""
    parts = []
    for heading, text in re.findall(r'^## (.*)\n((?:(?!## ).*\n)*)', index, re.M):
        pages = re.findall(r'\[([^]]*)\]\(([\w./-]+)\.md\)', text)
        if pages:
            names = '\n'.join(
                f'{title} </{(ROOT / "docs" / page).resolve().relative_to(ROOT)}>'
                for title, page in pages)
            parts.append(f'```{{toctree}}\n:caption: {heading}\n:hidden:\n\n{names}\n```\n')
    return '\n'.join(parts)


# --- links to what is no document -----------------------------------------------------------------

#: What a link to a file of the checkout is, until the page is written.
SCHEME = 'checkout:'

#: Where the pages of such files are on the site.
FOLDER = 'files'


def prepare_source(app: Any, docname: str, source: list[str]) -> None:
    """Add the table of contents to the index, and mark the links to what is no document."""
    folder = (ROOT / docname).parent

    def mark(link: re.Match[str]) -> str:
        path = (folder / link[1]).resolve()
        if path.suffix in ('.md', '.svg') or not path.exists() or ROOT not in path.parents:
            return link[0]
        return f']({SCHEME}{path.relative_to(ROOT).as_posix()})'

    text = re.sub(r'\]\(([\w./-]+)\)', mark, source[0])
    if docname == root_doc:
        text = f'{text}\n{contents(source[0])}'
    if docname == 'docs/reference/lifecycle':
        text = f'{text}\n## Interfaces\n\n{interfaces()}'
    source[0] = text


def link_files(app: Any, doctree: nodes.document, docname: str) -> None:
    """Have the marked links lead to the pages of their files."""
    for node in list(doctree.findall(nodes.reference)):
        target = node.get('refuri', '')
        if target.startswith(SCHEME):
            name = target[len(SCHEME):]
            node['refuri'] = app.builder.get_relative_uri(docname, f'{FOLDER}/{name}')
            files = app.env.__dict__.setdefault('gnet_files', set())
            files.add(name)


def file_pages(app: Any) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Return the pages of files that are linked to, and the first page of all."""
    for name in sorted(getattr(app.env, 'gnet_files', ())):
        path = ROOT / name
        files = sorted(path.glob('*.*')) if path.is_dir() else [path]
        body = [f'<h1>{name}</h1>']
        for file in files:
            if path.is_dir():
                body.append(f'<h2>{file.name}</h2>')
            body.append(highlighted(app, file))
        yield f'{FOLDER}/{name}', {'title': name, 'body': '\n'.join(body)}, 'page.html'
    yield 'index', {'target': f'{root_doc}.html'}, 'redirect.html'


def highlighted(app: Any, path: Path) -> str:
    """Return a file as HTML."""
    text = path.read_text('utf-8')
    try:
        language = guess_lexer_for_filename(path.name, text).aliases[0]
    except ClassNotFound:
        # Programs without a suffix; unit files of systemd.
        language = 'python' if re.match('#!.*python', text) else 'text'
    return str(app.builder.highlighter.highlight_block(text, language))


# --- the reference --------------------------------------------------------------------------------


def import_all(app: Any) -> None:
    """Have public names that are imported at their first use be there when autodoc looks."""
    for path in sorted((ROOT / 'docs' / 'reference').glob('*.md')):
        for name in re.findall(r'automodule:: ([\w.]+)', path.read_text('utf-8')):
            module = import_module(name)
            for each in module.__all__:
                vars(module).setdefault(each, getattr(module, each))


def interfaces() -> str:
    """Return the reference of the interfaces in gnet.lifecycle, which are no classes to autodoc."""
    module = import_module('gnet.lifecycle')
    lines = ['```{eval-rst}']
    for name in module.__all__:
        if name[0] == 'I' and name[1].isupper():
            interface = getattr(module, name)
            lines += [f'.. py:class:: gnet.lifecycle.{name}', '', f'   {interface.getDoc()}', '']
            for attribute, about in sorted(interface.namesAndDescriptions()):
                text = ' '.join(about.getDoc().split())
                lines += [f'   .. py:attribute:: {attribute}', '', f'      {text}', '']
    return '\n'.join([*lines, '```', ''])


def keep_first_line(app: Any, what: str, name: str, value: Any, options: Any, lines: Any) -> None:
    """Keep napoleon from taking "Like `x`: the same" for a type and what is of that type."""
    if what in ('attribute', 'data', 'property'):
        lines[:0] = ['..', '']  # an empty comment: of empty lines, the first after them counts


#: What a name in an annotation is, where Sphinx knows several: autodoc leaves it as it was written
#: if it cannot evaluate the annotations, for want of a name that only type checkers have.
MEANT = {'Server': 'gnet.Server', 'type': 'builtins.type'}


def qualify(app: Any, doctree: nodes.document) -> None:
    """Have such names lead to what they are, in files that do not have one of their own."""
    for node in doctree.findall(pending_xref):
        target = node['reftarget']
        if (
            node['refdomain'] == 'py' and node['reftype'] == 'class' and target in MEANT
            and (node.get('py:module'), target) != ('gnet.tls', 'Server')
        ):
            node['reftarget'] = MEANT[target]


def hide_spellings(
    app: Any, what: str, name: str, member: Any, skip: bool, options: Any,
) -> bool | None:
    """Leave out Node's spellings: a name is told once, in ``snake_case``."""
    return True if re.match(r'[a-z0-9]+[A-Z]', name) else None


def setup(app: Any) -> dict[str, bool]:
    app.connect('source-read', prepare_source)
    app.connect('doctree-read', qualify)
    app.connect('doctree-resolved', link_files)
    app.connect('html-collect-pages', file_pages)
    app.connect('builder-inited', import_all)
    app.connect('autodoc-process-docstring', keep_first_line, priority=400)  # napoleon has 500
    app.connect('autodoc-skip-member', hide_spellings)
    # The set of linked files is of one process, and of a build from scratch.
    return {'parallel_read_safe': True, 'parallel_write_safe': False}
