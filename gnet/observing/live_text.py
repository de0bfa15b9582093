"""One line for each thing that lives in a program."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from .entries import LiveEntry

__all__ = ['amount', 'heading', 'line_of', 'printable', 'seconds', 'summary']

#: Letters of a command, or of another name.
MAX_NAME = 100


def heading(pid: int, entries: Iterable[LiveEntry]) -> str:
    """Return the line above all others."""
    return f'gnet: alive in process {pid}, * keeps it so: {summary(entries)}'


def summary(entries: Iterable[LiveEntry]) -> str:
    """Return how many there are of each kind."""
    counts = Counter(str(each.kind.value) for each in entries)
    return ', '.join(
        f'{count} {_plural(kind) if count != 1 else kind}' for kind, count in counts.items()
    ) or 'nothing'


def _plural(kind: str) -> str:
    return f'{kind}es' if kind.endswith('s') else f'{kind}s'


def line_of(entry: LiveEntry) -> str:
    """Return the line of *entry*."""
    mark = {True: '*', False: ' ', None: '?'}[entry.keeps_alive]
    words = [
        f'{mark} {entry.kind.value:<9}{seconds(entry.age):>7}', ends(entry), _shortened(entry.name),
        entry.state, None if entry.referenced is not False else 'unref',
        None if entry.child is None else f'pid {entry.child}',
        None if entry.connections is None else f'connections {entry.connections}',
    ]
    if entry.bytes_read is not None:
        words.append(f'in {amount(entry.bytes_read)} out {amount(entry.bytes_written)} '
                     f'queued {amount(entry.queued)} unread {amount(entry.unread)}')
    if entry.where is not None:
        words.append(f'at {entry.where}')
    return printable('  '.join(word for word in words if word))


def printable(text: str) -> str:
    """Return *text* without what a terminal would obey, or what would look like another line.

    Commands come from the program, and the name of a peer at a unix socket comes from the peer.
    """
    if text.isprintable():
        return text
    return ''.join(
        letter if letter.isprintable() else letter.encode('unicode_escape').decode()
        for letter in text)


def _shortened(name: str | None) -> str | None:
    return name if name is None or len(name) <= MAX_NAME else f'{name[:MAX_NAME]}…'


def ends(entry: LiveEntry) -> str | None:
    """Return both ends, with an arrow from who has connected."""
    if entry.peer is None:
        return entry.local
    if entry.server is not None:
        return f'{entry.local or entry.server} <- {entry.peer}'
    return f'{entry.local or "(unix)"} -> {entry.peer}'


def seconds(age: float | None) -> str:
    """Return a time in at most seven characters."""
    if age is None:
        return '-'
    if age < 100:
        return f'{age:.1f}s'
    if age < 6000:
        return f'{age / 60:.0f}m'
    return f'{age / 3600:.0f}h' if age < 360_000 else f'{age / 86400:.0f}d'


def amount(number: int | None) -> str:
    """Return a number of bytes in few characters."""
    if number is None:
        return '-'
    size = float(number)
    for unit in ('', 'K', 'M', 'G'):
        if size < 10_000:
            return f'{size:.0f}{unit}'
        size /= 1024
    return f'{size:.0f}T'
