"""Contexts by the name that a client asks for."""

from __future__ import annotations

import pytest

from gnet.tls.contexts_by_name import ContextsByName
from gnet.tls.secure_context import SecureContext

from .common import refusal


@pytest.fixture(scope='module')
def contexts():
    return [SecureContext() for _ in range(3)]


@pytest.mark.parametrize(('name', 'asked', 'fits'), [
    ('a.example', 'a.example', True),
    ('a.example', 'A.Example', True),
    ('A.EXAMPLE', 'a.example', True),
    ('a.example', 'a.example.', False),
    ('a.example', 'aaexample', False),
    ('a.example', 'x.a.example', False),
    ('*.b.example', 'x.b.example', True),
    ('*.b.example', 'X.B.example', True),
    ('*.b.example', 'b.example', False),
    ('*.b.example', 'x.y.b.example', False),
    ('*.b.example', '*.b.example', False),
    ('f*o.example', 'foo.example', True),
    ('f*o.example', 'fo.example', True),
    ('f*o.example', 'f.o.example', False),
    ('*.*.example', 'x.y.example', True),
    ('*.*.example', 'y.example', False),
    ('x.*', 'x.example', True),
    ('*', 'localhost', True),
    ('*', 'a.example', False),
    # Characters that mean something in a pattern: themselves.
    ('a|b', 'a', False),
    ('a|*', 'a', False),
    ('a(b', 'a(b', True),
    ('a(*', 'a(b', True),
    ('a+.example', 'aa.example', False),
    ('[a].*', 'a.example', False),
    ('bücher.example', 'xn--bcher-kva.example', True),
    ('*.bücher.example', 'x.xn--bcher-kva.example', True),
])
def test_a_name_fits(contexts, name, asked, fits):
    table = ContextsByName()
    table.add(name, contexts[0])
    assert table.find(asked) is (contexts[0] if fits else None)


@pytest.mark.parametrize('names', [
    ('a.b.example', '*.b.example'), ('*.b.example', 'a.b.example'),
    ('*.b.example', 'a*.b.example'), ('a*.b.example', '*.b.example'), ('a.*.example', 'a.b.*'),
])
def test_of_several_the_last_one_counts(contexts, names):
    table = ContextsByName()
    for name, context in zip(names, contexts):
        table.add(name, context)
    assert table.find('a.b.example') is contexts[1]
    # Added again, it is the last one.
    table.add(names[0].upper(), contexts[2])
    assert table.find('a.b.example') is contexts[2]
    assert len(table) == 2


@pytest.mark.parametrize('name', ['a.example', '*.example', 'a*.example'])
def test_what_is_removed_is_gone(contexts, name):
    table = ContextsByName()
    table.add(name, contexts[0])
    assert table.remove(name.upper()) is True
    assert table.find('a.example') is None
    assert table.remove(name) is False
    assert len(table) == 0


def test_who_asks_for_nothing_gets_nothing(contexts):
    table = ContextsByName()
    assert table.find('a.example') is None
    table.add('*', contexts[0])
    assert table.find(None) is None
    assert table.find('') is None


@pytest.mark.parametrize('name', ['', None, 0])
def test_a_name_is_required(contexts, name):
    assert refusal(ContextsByName().add, name, contexts[0]) == (
        'CodedRuntimeError', 'ERR_TLS_REQUIRED_SERVER_NAME',
        '"servername" is required parameter for Server.addContext')


def test_a_name_is_text(contexts):
    assert refusal(ContextsByName().add, 5, contexts[0])[1] == 'ERR_INVALID_ARG_TYPE'
