"""Whether the running code was called for a signal: who may be a handler, and who is none."""

from __future__ import annotations

import functools
import pdb
import signal
import sys
import weakref
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import pytest

import gnet
from gnet.loop.signals import is_called_by_signal, note_handlers

#: What each handler has been told.
told: list[bool] = []


def ask() -> None:
    told.append(is_called_by_signal())


def function(number: int, frame: FrameType | None) -> None:
    ask()


def deeper(number: int, frame: FrameType | None) -> None:
    [ask() for _ in range(1)]


def rest(*arguments: Any) -> None:
    ask()


def deleting(number: int, frame: FrameType | None) -> None:
    del number, frame
    ask()


def enclosing(number: int, frame: FrameType | None) -> None:
    (lambda: (frame, ask()))()


def with_more(what: str, number: int, frame: FrameType | None) -> None:
    ask()


def replaced(number: int, frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_IGN)
    ask()


def replaced_elsewhere(number: int, frame: FrameType | None) -> None:
    replace()
    ask()


def replace() -> None:
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)


@functools.lru_cache(maxsize=0)  # which would keep the frame
def cached(number: int, frame: FrameType | None) -> None:
    ask()


@functools.wraps(function)
def wrapped(*arguments: Any) -> None:
    function(*arguments)


class Handler:
    """Whose objects and methods are handlers, and the class itself."""

    def __init__(self, *arguments: Any) -> None:
        if arguments:
            ask()

    def __call__(self, number: int, frame: FrameType | None) -> None:
        ask()

    def method(self, number: int, frame: FrameType | None) -> None:
        ask()

    @classmethod
    def of_class(cls, number: int, frame: FrameType | None) -> None:
        ask()


HANDLERS: dict[str, Callable[..., Any]] = {
    'a function': function,
    'one that has called others': deeper,
    'a lambda': lambda number, frame: ask(),
    'any arguments': rest,
    'deleted arguments': deleting,
    'arguments in a closure': enclosing,
    'a partial': functools.partial(with_more, 'more'),
    'a partial of a partial': functools.partial(functools.partial(with_more, 'more')),
    'a method': Handler().method,
    'a method of a class': Handler.of_class,
    'a partial of a method': functools.partial(Handler().method),
    'an object': Handler(),
    'a class': Handler,
    'a wrapper in C': cached,
    'a wrapper in Python': wrapped,
    'one that was replaced by itself': replaced,
}


@pytest.fixture
def handle() -> Iterator[Callable[[Any], None]]:
    """``handle(handler)`` makes that the handler of SIGUSR1."""
    told.clear()
    previous = signal.getsignal(signal.SIGUSR1)
    yield lambda handler: signal.signal(signal.SIGUSR1, handler) and None
    signal.signal(signal.SIGUSR1, previous)


def interrupt() -> None:
    """Have the handler called, in this frame or in the next one."""
    signal.raise_signal(signal.SIGUSR1)
    while not told:
        pass


@pytest.mark.parametrize('kind', HANDLERS)
def test_it_is_called_by_a_signal_in_a_handler(handle: Any, kind: str) -> None:
    handle(HANDLERS[kind])
    interrupt()
    assert told == [True]


def test_also_in_one_that_was_replaced_out_of_sight(handle: Any) -> None:
    handle(replaced_elsewhere)
    note_handlers()  # as gnet.run() does
    interrupt()
    assert told == [True]


@pytest.mark.parametrize('kind', [kind for kind in HANDLERS if kind != 'deleted arguments'])
def test_it_is_not_when_the_program_calls_the_handler(handle: Any, kind: str) -> None:
    handler = HANDLERS[kind]
    handle(handler)
    handler(signal.SIGUSR1, None)
    assert told == [False]


def test_it_is_not_when_the_program_calls_a_method_that_is_a_handler_too(
    server: gnet.Server, handle: Any,
) -> None:
    handle(server.stop)  # with the number as the timeout, which is a mistake, but not this one's
    server.on('close', ask)
    assert server.stop() == 0
    assert not is_called_by_signal()


def test_it_is_not_in_a_function_that_is_given_the_frame_of_its_caller() -> None:
    def given(frame: FrameType, event: str, argument: object) -> bool:
        return is_called_by_signal()

    assert not given(sys._getframe(), 'line', None)


def test_serve_works_in_the_debugger(monkeypatch: pytest.MonkeyPatch) -> None:
    servers: list[gnet.Server] = []

    class Debugger(pdb.Pdb):
        """One in which the program's next line is served at the prompt."""

        def interaction(self, *arguments: Any, **keywords: Any) -> None:
            servers.append(gnet.serve(None))
            self.set_continue()

    trace = sys.gettrace()
    try:
        Debugger(nosigint=True).runcall(lambda: None)
    finally:
        sys.settrace(trace)
    servers[0].close()
    assert len(servers) == 1


class Thing:
    """Something that the program lets go of."""


@pytest.mark.parametrize('what', ['serve', 'stop'])
def test_what_the_callers_let_go_of_is_not_kept(what: str) -> None:
    def calling(argument: object, *rest: object) -> Any:
        thing: Any = Thing()
        alive = weakref.ref(thing)
        with gnet.serve(None) as server:
            if what == 'stop':
                server.stop(1)
            thing = None
            return alive()

    assert calling(None) is None
