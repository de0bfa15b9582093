"""Watching which state follows which, against the tables that stand beside the Enums."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Container, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

__all__ = ['SOURCE', 'fixtures_that_watch', 'watch', 'watched']


def watch(
    owner: Any, name: str, follows: Mapping[Any, Container[Any]], failed: Callable[[str], object],
) -> Callable[[], None]:
    """Have ``failed(text)`` called when the state *name* of an *owner* is not in the table.

    Args:
        owner: a class of gnet's own, with or without slots.
        name: the attribute that has the state.
        follows: for each state, those that may follow it.

    Returns:
        What undoes it.
    """
    slot = owner.__dict__.get(name)

    def get(self: Any) -> Any:
        try:
            return self.__dict__[name] if slot is None else slot.__get__(self)
        except KeyError:
            raise AttributeError(name) from None

    def put(self: Any, state: Any) -> None:
        before = getattr(self, name, None)
        if before is not None and state is not before and state not in follows[before]:
            failed(f'{owner.__name__}.{name}: {state.name} after {before.name}')
        if slot is None:
            self.__dict__[name] = state
        else:
            slot.__set__(self, state)

    def undo() -> None:
        if slot is None:
            delattr(owner, name)
        else:
            setattr(owner, name, slot)

    setattr(owner, name, property(get, put))
    return undo


@contextmanager
def watched(*machines: tuple[Any, str, Mapping[Any, Container[Any]]]) -> Iterator[list[str]]:
    """Within, the list gets a line for each step that is not in the table of its machine.

    Args:
        machines: for each an owner, the name of its state, and the table: see :func:`watch`.
    """
    wrong: list[str] = []
    undo = [watch(*machine, wrong.append) for machine in machines]
    try:
        yield wrong
    finally:
        for each in undo:
            each()


def fixtures_that_watch(*machines: tuple[Any, str, Mapping[Any, Container[Any]]]) -> Any:
    """Return two fixtures of a folder, ``_wrong_steps`` and one that fails each test that took one.

    Watching begins and ends with the folder: each change of a class makes Python forget what it
    knows of it, and those made from it.
    """
    @pytest.fixture(scope='package')
    def _wrong_steps() -> Iterator[list[str]]:
        with watched(*machines) as wrong:
            yield wrong

    @pytest.fixture(autouse=True)
    def _states_follow_the_tables(_wrong_steps: list[str]) -> Iterator[None]:
        """Fail a test in which something takes a step that is not in its table of states."""
        yield
        taken = [*_wrong_steps]
        _wrong_steps.clear()
        assert not taken, taken

    return _wrong_steps, _states_follow_the_tables


#: For programs that run as scripts.
SOURCE = (
    'from __future__ import annotations\n'
    'from collections.abc import Callable, Container, Mapping\n'
    'from typing import Any\n\n\n'
) + inspect.getsource(watch)
