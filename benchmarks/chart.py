"""The results as a picture: an SVG with a group of bars for each case."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from .contestants import Contestant
from .report import Row, number, unit_of

# Pixels.
WIDTH = 760
MARGIN = 16
NAMES = 170  # of the column with the names of contestants
FIGURES = 150  # of the column with the figures
BAR = 14
LINE = 20
TITLE = 26
GAP = 18  # between two groups

_STYLE = (
    'text{font:12px system-ui,sans-serif;fill:#222}.title{font-weight:600;font-size:13px}'
    '.unit,.figure{fill:#555}.own{fill:#2a7de1}.peer{fill:#444}.other{fill:#b4bcc6}'
)


def draw(table: Sequence[Row], peer: Contestant) -> str:
    """Return the SVG. In each group the longest bar is the worst; shorter is better."""
    height = MARGIN
    parts: list[str] = []
    for case in dict.fromkeys(row.case for row in table):
        of_case = [row for row in table if row.case is case]
        parts.extend(_group(of_case, peer, height))
        height += TITLE + LINE * len(of_case) + GAP
    height += MARGIN
    return '\n'.join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'width="{WIDTH}" height="{height}" role="img">',
        f'<title>CPU time and memory per unit of work, compared with {escape(peer.title)}; '
        'shorter is better</title>',
        f'<style>{_STYLE}</style>',
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        *parts,
        '</svg>',
        '',
    ])


def _group(rows: Sequence[Row], peer: Contestant, top: float) -> Iterator[str]:
    case = rows[0].case
    yield (
        f'<text class="title" x="{MARGIN}" y="{top + 14}">{escape(case.title)} '
        f'<tspan class="unit" font-weight="400">- {escape(unit_of(case))}</tspan></text>'
    )
    longest = max(row.figure for row in rows)
    room = WIDTH - 2 * MARGIN - NAMES - FIGURES
    for place, row in enumerate(sorted(rows, key=lambda row: row.figure)):
        y = top + TITLE + LINE * place
        length = room * row.figure / longest
        ratio = '' if row.ratio is None else f' · {row.ratio:.2f} ×'  # noqa: RUF001
        yield (
            f'<text x="{MARGIN}" y="{y + 11}">{escape(row.contestant.title)}</text>'
            f'<rect class="{_class(row.contestant, peer)}" x="{MARGIN + NAMES}" y="{y}" '
            f'width="{max(1, length):.1f}" height="{BAR}" rx="2"/>'
            f'<text class="figure" x="{MARGIN + NAMES + length + 8:.1f}" y="{y + 11}">'
            f'{number(row.figure)}{ratio}</text>'
        )


def _class(contestant: Contestant, peer: Contestant) -> str:
    if contestant.name.startswith('gnet-'):
        return 'own'
    return 'peer' if contestant is peer else 'other'
