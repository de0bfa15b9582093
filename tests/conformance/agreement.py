"""What counts as the same trace.

What Python and JavaScript spell differently everywhere is in :data:`SPELLINGS`. Any other
difference that is meant belongs to a scenario, whose ``on_purpose`` names the row of
``docs/differences.md`` that gives the reason; what gnet does there is recorded, too.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from .driver import FOLDED, Lanes

__all__ = [
    'SPELLINGS', 'as_heard', 'as_python', 'differing_lanes', 'rows', 'without_raw_sockets']


def _abbreviate(
    pattern: str, replacement: str | Callable[[re.Match[str]], str],
) -> Callable[[str], str]:
    compiled = re.compile(pattern)
    return lambda line: compiled.sub(replacement, line)


#: How lines of Node are spelt in Python, with the row of docs/differences.md (its first cell).
SPELLINGS: tuple[tuple[str, Callable[[str], str]], ...] = (
    ('`undefined`, arguments left out', _abbreviate(
        # Not within texts, and not an event that is called so.
        r'("(?:[^"\\]|\\.)*"|\'undefined\')|\bundefined\b',
        lambda found: found[1] or 'null')),
    ('`errno` is negative', _abbreviate(r'errno: -(\d+)', r'errno: \1')),
    ('the text of an unknown authority ends with advice about `--use-system-ca`', _abbreviate(
        '; if the root CA is installed locally, try running Node.js with --use-system-ca', '')),
    ("`'unpipe'` also passes `{ hasUnpiped }`", _abbreviate(r',? \{hasUnpiped: \w+\}', '')),
)

#: Things that both sides say in their own words, and what stands for them.
_OWN_WORDS: tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = (
    # The number of a failed look-up is getaddrinfo's.
    (re.compile(r'errno: -?\d+, syscall: "getaddrinfo"'), 'syscall: "getaddrinfo"'),
    # It is a BrokenPipeError, which has a number.
    (re.compile(r'(ended by the other party") \{errno: 32\}'), r'\1'),
    # It is a ConnectionResetError, which has one, too.
    (re.compile(
        r'("socket hang up"|"Client network socket disconnected before secure TLS connection was '
        r'established") \{errno: 104(?:, |(\}))'),
     lambda found: found[1] if found[2] else f'{found[1]} {{'),
    # What bytes look like.
    (re.compile(r"Received (?:<Buffer[ 0-9a-f]*>|b'[^']*')"), 'Received <bytes>'),
    # Node's has no text.
    (re.compile(r'AggregateError(\[\w+\]) "(?:[^"\\]|\\.)*"'), r'AggregateError\1'),
)

#: Of what never had a connection.
_CLOSE = re.compile(r"'close'(?= |$)(?! true| false)")


#: An event for which a stream that goes the quick way may not call ``emit()``.
_QUIET = re.compile(rf"(?!server)(\w+: )?'({'|'.join(sorted(FOLDED | {'data'}))})'(?= |$)")

#: The sockets below those of TLS.
_RAW = re.compile(r's\d+')


def as_python(line: str) -> str:
    """Return a line of Node's trace as gnet is to have it."""
    for _, spell in SPELLINGS:
        line = spell(line)
    return line


def _same(of_node: str, of_gnet: str, before: list[str]) -> bool:
    """Whether two lines mean the same; *before* are those of gnet until then."""
    of_node = as_python(of_node)
    for pattern, replacement in _OWN_WORDS:
        of_node, of_gnet = pattern.sub(replacement, of_node), pattern.sub(replacement, of_gnet)
    if of_node == of_gnet:
        return True
    # Then 'close' passes nothing in Node; in gnet whether there was an 'error', as ever.
    owner = of_gnet.partition("'close'")[0]
    had_error = any(line.startswith(f"{owner}'error'") for line in before)
    return _CLOSE.search(of_node) is not None and of_gnet == _CLOSE.sub(
        f"'close' {'true' if had_error else 'false'}", of_node)


def differing_lanes(of_node: Lanes, of_gnet: Lanes) -> list[str]:
    """Return the names of the lanes that differ."""
    differing = []
    for lane in sorted({*of_node, *of_gnet}):
        ours, theirs = of_gnet.get(lane, []), of_node.get(lane, [])
        if len(ours) != len(theirs) or not all(
            _same(*lines, ours[:at]) for at, lines in enumerate(zip(theirs, ours))
        ):
            differing.append(lane)
    return differing


def as_heard(of_node: Lanes, of_gnet: Lanes) -> Lanes:
    """Return Node's trace without the events that a gnet on the quick way has had nobody hear.

    Those are the lines of 'data' and of what may be folded that are missing in gnet's. Where
    somebody listens, the line of the listener's call tells that it was called, and when.
    """
    heard = {}
    for lane, theirs in of_node.items():
        ours, left = of_gnet.get(lane, []), list[str]()
        for line in theirs:
            at = len(left)
            # (A server emits all; in a lane of its own its lines do not name it.)
            is_servers = lane.startswith('server') and line.startswith("'")
            if is_servers or _QUIET.match(line) is None or (
                at < len(ours) and _same(line, ours[at], ours[:at])
            ):
                left.append(line)
        if left or ours:
            heard[lane] = left
    return heard


def without_raw_sockets(lanes: Lanes) -> Lanes:
    """Leave out what a TLS server that has no listener of 'connection' does not tell."""
    return {
        name: [line for line in lines if not line.startswith("'connection' ")]
        for name, lines in lanes.items() if not _RAW.fullmatch(name)
    }


def rows() -> set[str]:
    """Return the first cells of the tables of docs/differences.md."""
    document = Path(__file__).resolve().parents[2] / 'docs' / 'differences.md'
    return {
        line.split('|')[1].strip()
        for line in document.read_text(encoding='utf-8').splitlines() if line.startswith('|')
    }
