"""The commands of gnet's own, each in a file that is imported when it is asked for.

A script of such a name is run by ``gnet ./echo``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module

from ..node.records import NamedTuple

__all__ = ['SUBCOMMANDS', 'find', 'overview']


class Subcommand(NamedTuple):
    """Where it is: ``run(words)`` of the file takes the words behind its name; and what it does."""

    file: str
    purpose: str
    function: str = 'run'


#: By their names, in the order in which they are shown.
SUBCOMMANDS = {
    'serve': Subcommand('.serve', 'serve connections by a function of a module, or a WSGI '
                                  'application'),
    'echo': Subcommand('.echo', 'send back what is received'),
    'proxy': Subcommand('.proxy', 'forward connections to another server'),
    'cat': Subcommand('.cat', 'connect standard input and output to a server'),
    'top': Subcommand('.looking_in', 'show what lives in a program', 'show_top'),
    'doctor': Subcommand('.doctor', 'say what runs here, and what to change'),
    '--completion': Subcommand('.completion', 'write what completes this command in a shell'),
}


def find(words: Sequence[str]) -> Callable[[], object] | None:
    """Return what runs the command that *words* begin with; None if they are about a script."""
    found = SUBCOMMANDS.get(words[0]) if words else None
    if found is None:
        return None
    run: Callable[[Sequence[str]], object] = getattr(
        import_module(found.file, __package__), found.function)
    return lambda: run(words[1:])


def overview() -> str:
    """Return a line for each."""
    width = max(map(len, SUBCOMMANDS))
    return '\n'.join(
        f'  gnet {name:<{width}}  {found.purpose}' for name, found in SUBCOMMANDS.items())
