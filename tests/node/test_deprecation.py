"""Deprecations: who is told what, for which line, and that nothing outlives its removal."""

from __future__ import annotations

import re
import sys
import types
import warnings
from inspect import currentframe
from pathlib import Path

import gevent
import gevent.pool
import pytest
from greenlet import getcurrent, greenlet

import gnet
from gnet._version import __version__
from gnet.node.deprecation import (
    DEPRECATED,
    Deprecation,
    deprecated,
    text_of,
    warn,
    with_deprecated,
)

OLD = {
    'gnet.old': Deprecation('0.3', 'gnet.new', '0.5'),
    'gnet.Thing.size': Deprecation('0.3', 'gnet.Thing.length', '0.5'),
    'gnet.make(old=…)': Deprecation('0.3', 'new=…', '0.5'),
}
TEXT = 'gnet.old is deprecated since gnet 0.3, and will be removed in gnet 0.5: use gnet.new'


@pytest.fixture(autouse=True)
def table(monkeypatch):
    """A table with something in it. (The real one may be empty.)"""
    for name, entry in OLD.items():
        monkeypatch.setitem(DEPRECATED, name, entry)


def numbers(version):
    return tuple(map(int, version.split('.')))


def here():
    """The number of the line that calls this."""
    return currentframe().f_back.f_lineno


def at_the_line(caught, number):
    assert [(each.category, each.filename, each.lineno) for each in caught] == [
        (DeprecationWarning, __file__, number)]


def in_gnet(source, name, **values):
    """Define what *source* defines as name in a module of gnet, and return it."""
    namespace = {'__name__': 'gnet.rooms.room', 'deprecated': deprecated, 'warn': warn, **values}
    exec(source, namespace)
    return namespace[name]


# --- the table ----------------------------------------------------------------------------------


def overdue(table, version):
    """Name what the *version* should be without, what comes too early, and what goes too soon."""
    now = numbers(version)[:2]
    return [
        name for name, (since, _, removal) in table.items()
        if not numbers(since) <= now < numbers(removal)
        or numbers(removal)[:2] <= numbers(since)[:2]
    ]


def test_nothing_is_there_that_this_version_was_to_remove():
    assert overdue({name: entry for name, entry in DEPRECATED.items() if name not in OLD},
                   __version__) == []


@pytest.mark.parametrize(('version', 'found'), [
    ('0.2.9', ['gnet.old']), ('0.3.0', []), ('0.4.7', []), ('0.5.0', ['gnet.old']),
    ('1.0.0', ['gnet.old']),
])
def test_what_is_too_old_is_found(version, found):
    assert overdue({'gnet.old': OLD['gnet.old']}, version) == found


def test_a_removal_without_a_version_between_is_found():
    assert overdue({'gnet.old': Deprecation('0.3', '', '0.3.1')}, '0.3.0') == ['gnet.old']


def test_each_entry_is_used_somewhere():
    root = Path(gnet.__file__).parent
    used = {
        name for path in root.rglob('*.py') if path.name != 'deprecation.py'
        for name in re.findall(r"(?:warn|deprecated)\('(gnet\.[^']+)'\)", path.read_text('utf-8'))}
    names = [name for name in DEPRECATED if name not in OLD]
    assert [name for name in names if name not in used and not is_of_a_module(name)] == []


def test_the_documentation_lists_them():
    root = Path(__file__).parent.parent.parent
    page = (root / 'docs' / 'compatibility.md').read_text('utf-8')
    rows = re.findall(r'^\| `(gnet\..+?)` \| (.*?) \| .* \| (.*?) \|$', page, re.M)
    assert sorted(rows) == sorted(
        (name, entry.since, entry.removal) for name, entry in DEPRECATED.items() if name not in OLD)
    assert ('nothing, in this version' in page) == (not rows)
    changes = (root / 'CHANGES.md').read_text('utf-8')
    assert [name for name, *_ in rows if name not in changes] == []


def is_of_a_module(name):
    """Whether it is the name of a module, which warns, and is not in its ``__all__``."""
    module, _, attribute = name.rpartition('.')
    if not attribute.isidentifier() or module not in sys.modules:
        return False
    with pytest.warns(DeprecationWarning, match=re.escape(text_of(name))):
        getattr(sys.modules[module], attribute)
    return attribute not in sys.modules[module].__all__


# --- what warns ---------------------------------------------------------------------------------


def test_a_function_warns_and_does_what_it_did():
    @deprecated('gnet.old')
    def old(value, *, times=2):
        """Multiply."""
        return value * times

    with pytest.warns(DeprecationWarning, match=f'^{re.escape(TEXT)}$') as caught:
        assert old(3, times=5) == 15
    at_the_line(caught, here() - 1)
    assert (old.__name__, old.__doc__, old.__deprecated__) == ('old', 'Multiply.', TEXT)


def test_a_property_warns_when_it_is_read_and_when_it_is_set():
    class Thing:
        length = 4

        @property
        @deprecated('gnet.Thing.size')
        def size(self):
            return self.length

        @size.setter
        @deprecated('gnet.Thing.size')
        def size(self, value):
            self.length = value

    thing = Thing()
    with pytest.warns(DeprecationWarning, match=r'use gnet\.Thing\.length') as caught:
        assert thing.size == 4
    at_the_line(caught, here() - 1)
    with pytest.warns(DeprecationWarning, match=r'use gnet\.Thing\.length') as caught:
        thing.size = 5
    at_the_line(caught, here() - 1)
    assert thing.length == 5


def test_an_option_warns_for_the_line_that_has_given_it():
    make = in_gnet(
        'def make(**options): inner(options)\n'
        'def inner(options):\n    if "old" in options: warn("gnet.make(old=…)")\n', 'make')
    make(new=1)
    with pytest.warns(DeprecationWarning, match=r'use new=…$') as caught:
        make(old=1)
    at_the_line(caught, here() - 1)


@pytest.fixture
def module():
    """The module ``gnet``, so to say, with a name that is deprecated."""
    def find(name):
        raise AttributeError(f'no {name}')

    made = types.ModuleType('gnet')
    made.__getattr__ = with_deprecated('gnet', find, {'old': lambda: 'value'})
    return made


def test_a_name_of_a_module_warns_at_each_line_that_uses_it(module):
    for _ in range(2):
        with pytest.warns(DeprecationWarning, match=f'^{re.escape(TEXT)}$') as caught:
            assert module.old == 'value'
        at_the_line(caught, here() - 1)
    assert 'old' not in vars(module)
    with pytest.raises(AttributeError, match='no other'):
        module.other  # noqa: B018


def test_both_spellings_warn_beside_what_is_imported_when_it_is_used(monkeypatch):
    monkeypatch.setitem(DEPRECATED, 'gnet.old_name', Deprecation('0.3', 'gnet.new', '0.5'))
    monkeypatch.setattr(gnet, '__getattr__', with_deprecated(
        'gnet', gnet.__getattr__, {'old_name': lambda: gnet.connect}))
    for name in ('old_name', 'oldName'):
        with pytest.warns(DeprecationWarning, match=r'^gnet\.old_name is deprecated') as caught:
            assert getattr(gnet, name) is gnet.connect
        at_the_line(caught, here() - 1)
    assert gnet.createServer is gnet.create_server
    assert 'old_name' not in dir(gnet)


def test_so_does_an_import_of_it(module, monkeypatch):
    module.__path__ = []  # a package, which is asked by importlib
    monkeypatch.setitem(sys.modules, 'gnet_made', module)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('default')
        from gnet_made import old
    assert old == 'value'
    at_the_line(caught, here() - 2)


# --- which line, and how often ------------------------------------------------------------------


def test_a_line_is_told_once_and_another_line_again():
    old = in_gnet('@deprecated("gnet.old")\ndef old(): pass', 'old')
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('default')
        for _ in range(3):
            old()
        old()
    assert [each.lineno for each in caught] == [here() - 2, here() - 1]


def test_a_filter_makes_it_an_error_each_time():
    old = in_gnet('@deprecated("gnet.old")\ndef old(): pass', 'old')
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        for _ in range(2):
            with pytest.raises(DeprecationWarning, match='use'):
                old()


def test_the_main_program_is_told_and_a_library_is_not():
    program = 'def go():\n    old()\n'
    old = in_gnet('@deprecated("gnet.old")\ndef old(): pass', 'old')
    with warnings.catch_warnings(record=True) as caught:
        warnings.resetwarnings()
        warnings.filterwarnings('ignore', category=DeprecationWarning)
        warnings.filterwarnings('default', category=DeprecationWarning, module='__main__')
        for name in ('__main__', 'library'):
            namespace = {'__name__': name, 'old': old}
            exec(compile(program, f'{name}.py', 'exec'), namespace)
            namespace['go']()
    assert [(each.filename, each.lineno) for each in caught] == [('__main__.py', 2)]


def test_a_line_in_a_greenlet_is_found():
    @deprecated('gnet.old')
    def old():
        pass

    def handler():
        old()
        return here() - 1

    with pytest.warns(DeprecationWarning, match='use') as caught:
        number = gevent.spawn(handler).get()
    at_the_line(caught, number)


@pytest.mark.parametrize('spawn', [gevent.spawn, gevent.pool.Pool(1).spawn])
def test_what_is_spawned_itself_warns_where_it_was_spawned(spawn):
    old = in_gnet('@deprecated("gnet.old")\ndef old(): pass', 'old')
    spawned = spawn(old)
    number = here() - 1
    with pytest.warns(DeprecationWarning, match='use') as caught:
        spawned.join()
    at_the_line(caught, number)


def test_where_no_line_is_known_it_warns_all_the_same():
    old = in_gnet('@deprecated("gnet.old")\ndef old(): pass', 'old')
    with pytest.warns(DeprecationWarning, match='use') as caught:
        greenlet(old, getcurrent()).switch()  # a plain one, of which gevent knows nothing
    assert [each.filename for each in caught] == ['<a greenlet>']


# --- mistakes -----------------------------------------------------------------------------------


def test_what_is_not_in_the_table_cannot_be_deprecated():
    with pytest.raises(KeyError):
        deprecated('gnet.unknown')
    with pytest.raises(KeyError):
        with_deprecated('gnet', len, {'unknown': int})
    with pytest.raises(KeyError):
        warn('gnet.unknown')
