"""The results in figures: medians and ratios to a peer, as tables and as JSON."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from .cases import Case
from .contestants import Contestant
from .measure import Sample
from .rounds import Results

KIB = 1024


@dataclass(frozen=True)
class Row:
    """What a contestant reached in a case: medians of its rounds."""

    case: Case
    contestant: Contestant
    #: The main figure of each round: microseconds, or KiB.
    values: tuple[float, ...]
    #: The main figure in relation to the peer's, and to its own in the case "without".
    ratio: float | None
    to_without: float | None
    per_second: float | None
    p50_us: float | None
    p99_us: float | None
    busy: float | None
    #: The 99th percentile in relation to the peer's.
    p99_ratio: float | None
    trouble: tuple[str, ...]

    @property
    def figure(self) -> float:
        return statistics.median(self.values)


def rows(
    results: Results, cases: Sequence[Case], contestants: Sequence[Contestant], peer: Contestant,
) -> Iterator[Row]:
    """Yield a row for each contestant that was measured in a case, in the order of the tables."""
    by_name = {case.name: case for case in cases}
    for case in cases:
        for contestant in contestants:
            samples = results.of(case, contestant)
            good = [sample for sample in samples if sample is not None]
            if not good:
                continue
            without = by_name.get(case.without or '')
            scale = 1 / KIB if case.is_memory else 1
            yield Row(
                case=case,
                contestant=contestant,
                values=tuple(sample.figure * scale for sample in good),
                ratio=_ratio(samples, results.of(case, peer)),
                p99_ratio=_ratio(samples, results.of(case, peer), lambda sample: sample.p99_us),
                to_without=(
                    None if without is None
                    else _ratio(samples, results.of(without, contestant))),
                per_second=_median(sample.per_second for sample in good),
                p50_us=_median(sample.p50_us for sample in good),
                p99_us=_median(sample.p99_us for sample in good),
                busy=_median(sample.busy for sample in good),
                trouble=tuple(sample.trouble for sample in good if sample.trouble),
            )


def _ratio(
    samples: Sequence[Sample | None], others: Sequence[Sample | None],
    of: Callable[[Sample], float | None] = lambda sample: sample.figure,
) -> float | None:
    """Return the median of the ratios that each round shows."""
    pairs = (
        (of(sample), of(other)) for sample, other in zip(samples, others)
        if sample is not None and other is not None)
    return _median(mine / its for mine, its in pairs if mine is not None and its)


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def unit_of(case: Case) -> str:
    """Return the unit of the main figure: "CPU us/request"."""
    return f'KiB/{case.unit}' if case.is_memory else f'CPU us/{case.unit}'


def tables(table: Sequence[Row], peer: Contestant) -> str:
    """Return the results as text, a table for each case."""
    parts = []
    for case in dict.fromkeys(row.case for row in table):
        of_case = [row for row in table if row.case is case]
        head = ['', unit_of(case), f'to {peer.name}', 'of all rounds', *(
            [f'to {case.without}'] if any(row.to_without for row in of_case) else []),
            'per second', 'p50', 'p99', 'busy']
        lines = [[
            row.contestant.name,
            number(row.figure),
            _times(row.ratio),
            f'{number(min(row.values))}..{number(max(row.values))}',
            *([_times(row.to_without)] if len(head) == 9 else []),
            '-' if row.per_second is None else f'{row.per_second:,.0f}',
            _duration(row.p50_us),
            _duration(row.p99_us),
            '-' if row.busy is None else f'{row.busy:.0%}',
        ] for row in of_case]
        notes = [
            f'  {row.contestant.name}: {trouble}'
            for row in of_case for trouble in dict.fromkeys(row.trouble)]
        most = max(len(row.values) for row in of_case)
        notes += [
            f'  {row.contestant.name}: {len(row.values)} of {most} rounds'
            for row in of_case if len(row.values) < most]
        parts.append('\n'.join([f'{case.name}: {case.title}', _aligned([head, *lines]), *notes]))
    return '\n\n'.join(parts)


def _aligned(lines: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*lines)]
    return '\n'.join(
        '  '.join([
            f'  {first:{widths[0]}}',
            *(f'{word:>{width}}' for word, width in zip(rest, widths[1:]))])
        for first, *rest in lines)


def number(value: float) -> str:
    """Return the value with three digits or so."""
    if abs(value) >= 1000:
        return f'{value:,.0f}'
    if 0 < abs(value) < 0.1:
        return f'{value:.3g}'
    return f'{value:.{1 if abs(value) >= 100 else 2 if abs(value) >= 1 else 3}f}'


def _times(ratio: float | None) -> str:
    return '-' if ratio is None else f'{ratio:.2f} x'


def _duration(microseconds: float | None) -> str:
    if microseconds is None:
        return '-'
    if microseconds < 1000:
        return f'{microseconds:.0f} us'
    return f'{microseconds / 1000:.1f} ms'


def as_json(
    table: Sequence[Row], peer: Contestant, about: dict[str, object], failures: Sequence[str],
) -> str:
    """Return the results for programs. *about* is what is to be known about the run."""
    return json.dumps({
        **about,
        'peer': peer.name,
        'failures': list(failures),
        'results': [{
            'case': row.case.name,
            'title': row.case.title,
            'contestant': row.contestant.name,
            'unit': unit_of(row.case),
            'median': row.figure,
            'values': row.values,
            'ratio': row.ratio,
            'ratio_to_case': {row.case.without: row.to_without} if row.to_without else {},
            'per_second': row.per_second,
            'p50_us': row.p50_us,
            'p99_us': row.p99_us,
            'p99_ratio': row.p99_ratio,
            'busy': row.busy,
            'trouble': row.trouble,
        } for row in table],
    }, indent=2) + '\n'
