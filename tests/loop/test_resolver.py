"""Looking a name up: what the one who asked is told, and where."""

from __future__ import annotations

import contextvars
import socket
from typing import Any

import gevent
import pytest
from gevent.event import AsyncResult, Event

from gnet.loop.loop import get_loop
from gnet.loop.resolver import look_up
from gnet.node.system_errors import LookupFailure

from ..harness.waiting import PATIENCE


def answer_of(host: str, **options: Any) -> Any:
    """Return ``(error, found)`` of a look-up."""
    answer: AsyncResult[Any] = AsyncResult()
    look_up(get_loop(), host, lambda *both: answer.set(both), **options)
    assert not answer.ready()
    return answer.get(timeout=PATIENCE)


def resolve_with(patch: pytest.MonkeyPatch, result: Any) -> list[Any]:
    """Have the resolver raise or return *result*; return a list of what it is asked."""
    asked: list[Any] = []

    def getaddrinfo(*args: Any) -> Any:
        asked.append(args)
        if isinstance(result, BaseException):
            raise result
        return result

    patch.setattr('gevent.socket.getaddrinfo', getaddrinfo)
    return asked


def entry(family: int, address: str) -> Any:
    return family, socket.SOCK_STREAM, 6, '', (address, 0)


def test_addresses_come_with_their_versions_in_the_resolvers_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = resolve_with(
        monkeypatch, [entry(socket.AF_INET6, '::1'), entry(socket.AF_INET, '127.0.0.1')])
    assert answer_of('name', family=socket.AF_INET, hints=7) == (
        None, [('::1', 6), ('127.0.0.1', 4)])
    assert asked == [('name', None, socket.AF_INET, socket.SOCK_STREAM, 0, 7)]


@pytest.mark.parametrize(('host', 'result'), [
    ('name.invalid', socket.gaierror(socket.EAI_NONAME, 'unknown')),
    ('empty', []),
    ('a' * 64, AssertionError('asked for a name that the DNS has no form of')),
])
def test_no_address_is_a_look_up_failure(
    monkeypatch: pytest.MonkeyPatch, host: str, result: Any,
) -> None:
    resolve_with(monkeypatch, result)
    error, found = answer_of(host)
    assert found is None
    assert isinstance(error, LookupFailure)
    assert str(error) == f'getaddrinfo ENOTFOUND {host}'


def test_whatever_else_kept_the_resolver_from_answering_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    broken = RuntimeError('no thread can be started')
    resolve_with(monkeypatch, broken)
    error, found = answer_of('name')
    assert (type(error), error.code, error.__cause__, found) == (
        LookupFailure, 'EAI_AGAIN', broken, None)
    assert broken.__traceback__ is None


def test_the_answer_comes_in_the_given_context(monkeypatch: pytest.MonkeyPatch) -> None:
    resolve_with(monkeypatch, [entry(socket.AF_INET, '127.0.0.1')])
    variable: contextvars.ContextVar[str] = contextvars.ContextVar('variable', default='none')
    context = contextvars.copy_context()
    context.run(variable.set, 'set')
    answer: AsyncResult[str] = AsyncResult()
    look_up(get_loop(), 'name', lambda *_both: answer.set(variable.get()), context=context)
    assert answer.get(timeout=PATIENCE) == 'set'


def test_nothing_comes_of_one_that_was_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, goes_on = Event(), Event()

    def getaddrinfo(*_args: Any) -> Any:
        begun.set()
        goes_on.wait()
        return [entry(socket.AF_INET, '127.0.0.1')]

    monkeypatch.setattr('gevent.socket.getaddrinfo', getaddrinfo)
    log: list[Any] = []
    asking = look_up(get_loop(), 'name', lambda *both: log.append(both))
    assert begun.wait(PATIENCE)
    asking.kill(block=False)
    goes_on.set()
    gevent.joinall([asking], timeout=PATIENCE)
    done = Event()
    get_loop().later(done.set)
    assert done.wait(PATIENCE)
    assert log == []
