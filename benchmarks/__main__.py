"""``python -m benchmarks``: what it does is said in the package's docstring, or by ``--help``."""

from __future__ import annotations

import argparse
import os
import platform
import re
import resource
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn, TypeVar

from . import cases, chart, contestants, report
from .cases import Case
from .contestants import Contestant
from .load import LEAST_OF_WRK
from .processes import Cores, Processes
from .programs import MissingError, Programs
from .rounds import Plan, Results, measure

T = TypeVar('T', Case, Contestant)

#: The peer where none is named: the first of these that is there.
PEERS = ('node', 'streamserver')


def main(words: Sequence[str] | None = None) -> int:
    parser = _parser()
    if sys.platform != 'linux':
        parser.exit(1, 'benchmarks are for Linux: they read clocks and pin processes as it does\n')
    options = parser.parse_args(words)
    older = contestants.older(options.before) if options.before else ()
    watched = contestants.watched() if options.watched else ()
    table = contestants.TABLE + older + watched
    chosen_cases = _chosen(parser, 'case', cases.TABLE, options.cases)
    chosen = _chosen(parser, 'contestant', table, options.contestants)
    if options.peer is not None:
        (peer,) = _chosen(parser, 'contestant', table, [options.peer])
        chosen += (peer,) if peer not in chosen else ()
    names = {f'{one.name}-{what}' for one in chosen for what in ('before', 'counted', 'logged')}
    chosen += tuple(one for one in older + watched if one.name in names and one not in chosen)
    signal.signal(signal.SIGTERM, _terminate)
    with tempfile.TemporaryDirectory(prefix='gnet-benchmarks-') as directory:
        programs = Programs(
            Path(directory), {name: getattr(options, name) for name in ('node', 'deno', 'bun')})
        missing: dict[str, str] = {}
        present = [one for one in chosen if _is_there(one.name, missing, one.check, programs)]
        possible = [
            case for case in chosen_cases
            if _is_there(case.name, missing, _check, case, present, programs)]
        for name, reason in missing.items():
            print(f'skipped: {name} ({reason})')
        if options.list:
            _list(possible, present)
            return 0
        if not present or not possible:
            parser.exit(1, 'nothing is left to measure\n')
        if options.peer in missing:
            parser.exit(1, f'the peer {options.peer} is missing\n')
        peer = _peer(options.peer, present)
        plan = Plan(
            possible, present, options.rounds, options.seconds, options.warm_up, programs,
            Path(directory))
        return _run(plan, peer, missing, options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog='python -m benchmarks',
        description='gnet beside others: CPU per unit of work, and ratios to a peer.')
    add = parser.add_argument
    add('--cases', type=_names, metavar='NAMES', help='with commas between (all)')
    add('--contestants', type=_names, metavar='NAMES', help='with commas between (all)')
    add('--peer', metavar='NAME',
        help=f'to which ratios are shown ({", else ".join(PEERS)}, else the first)')
    add('--rounds', type=_count, default=5, metavar='N', help='of which medians are shown (5)')
    add('--seconds', type=_duration, default=3, metavar='SECONDS',
        help=f'of each measurement (3); by wrk at least {LEAST_OF_WRK}')
    add('--warm-up', type=_duration_or_none, default=1, metavar='SECONDS',
        help='before each (1); likewise, or 0. What compiles while it runs has 1.5 at least')
    add('--json', type=_file, metavar='FILE', help='write the results there, too')
    add('--svg', type=_file, metavar='FILE', help='draw the results there, too')
    add('--before', metavar='CHECKOUT', help='add those of another checkout: "gnet-...-before"')
    add('--watched', action='store_true',
        help='add those with metrics on, "gnet-...-counted", and the access log, too: '
             '"gnet-...-logged"')
    add('--node', metavar='PATH', help='which Node (that of GNET_NODE, else the one on PATH)')
    for name, title in (('deno', 'Deno'), ('bun', 'Bun')):
        add(f'--{name}', metavar='PATH', help=f'{title}, which else takes no part')
    parser.set_defaults(node=os.environ.get('GNET_NODE'))
    add('--list', action='store_true', help='show cases and contestants, and measure nothing')
    return parser


def _names(text: str) -> list[str]:
    return text.split(',')


def _count(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f'{text!r} is not a whole number from 1 on')
    return int(text)


def _duration(text: str) -> float:
    seconds = _duration_or_none(text)
    if not seconds:
        raise argparse.ArgumentTypeError('0 seconds are too few')
    return seconds


def _duration_or_none(text: str) -> float:
    if not re.fullmatch(r'\d+(\.\d+)?', text):
        raise argparse.ArgumentTypeError(f'{text!r} is no number of seconds')
    return float(text)


def _file(text: str) -> Path:
    """Return the path of a file that can be written: that is not to be found out at the end."""
    path = Path(text)
    if path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK):
        raise argparse.ArgumentTypeError(f'{text!r} cannot be written')
    return path


def _chosen(
    parser: argparse.ArgumentParser, what: str, table: Sequence[T], names: Sequence[str] | None,
) -> tuple[T, ...]:
    """Return those of the table that have the names, in the order of the names."""
    by_name = {one.name: one for one in table}
    for name in names or ():
        if name not in by_name:
            parser.error(f'there is no {what} {name!r}: choose from {", ".join(by_name)}')
    return tuple(table) if names is None else tuple(by_name[name] for name in dict.fromkeys(names))


def _is_there(
    name: str, missing: dict[str, str], check: Callable[..., None], *arguments: object,
) -> bool:
    try:
        check(*arguments)
    except MissingError as reason:
        missing[name] = str(reason)
        return False
    return True


def _check(case: Case, present: Sequence[Contestant], programs: Programs) -> None:
    """See whether a case can be measured here.

    Raises:
        MissingError: what the load needs is not there, or not allowed, or nobody takes part.
    """
    if present and not any(one.has(case.load.service) for one in present):
        raise MissingError('none of the contestants takes part in it')
    for program in case.needs:
        programs.find(program)
    _allow_descriptors(case.load.descriptors)


def _allow_descriptors(count: int) -> None:
    """Let this process and its children open as many descriptors."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < count:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (count, max(hard, count)))
        except (OSError, ValueError) as error:
            raise MissingError(f'it takes {count} open files: ulimit -Hn') from error


def _list(possible: Sequence[Case], present: Sequence[Contestant]) -> None:
    for head, table in (('cases', possible), ('contestants', present)):
        print(f'\n{head}:')
        for one in table:
            print(f'  {one.name:18}{one.title}')


def _peer(name: str | None, present: Sequence[Contestant]) -> Contestant:
    by_name = {contestant.name: contestant for contestant in present}
    for wanted in (name, *PEERS):
        if wanted in by_name:
            return by_name[wanted]
    return present[0]


def _run(
    plan: Plan, peer: Contestant, missing: dict[str, str], options: argparse.Namespace,
) -> int:
    results, cores = Results(), Cores.choose()
    os.sched_setaffinity(0, {cores.load})
    versions = {one.name: one.version(plan.programs) for one in plan.contestants}
    about: dict[str, object] = {
        'machine': _machine(),
        'cores': {'server': cores.server, 'load': cores.load},
        'gevent_loop': os.environ.get('GEVENT_LOOP', 'default'),
        'rounds': 0,
        'seconds': plan.seconds,
        'warm_up_seconds': plan.warm_up,
        'contestants': versions,
        'missing': missing,
    }
    if cores.server == cores.load:
        print('There is one core only: servers share it with their load, which spoils figures.')
    status = 0
    with Processes(cores) as processes:
        try:
            measure(plan, processes, results, _progress)
        except KeyboardInterrupt:
            status = 128 + signal.SIGINT
    _progress('')  # away with it
    about['rounds'] = results.rounds
    table = list(report.rows(results, plan.cases, plan.contestants, peer))
    print(f'{about["machine"]}; {results.rounds} rounds of {plan.seconds:g} s, '
          f'GEVENT_LOOP: {about["gevent_loop"]}')
    for name, version in versions.items():
        print(f'  {name}: {version}')
    print(f'\n{report.tables(table, peer)}')
    for failure in results.failures:
        print(f'\nfailed: {failure}')
    if options.json:
        options.json.write_text(report.as_json(table, peer, about, results.failures))
    if options.svg:
        options.svg.write_text(chart.draw(table, peer), encoding='utf-8')
    return status or (1 if results.failures else 0)


def _machine() -> str:
    """Return the processor and the kernel."""
    models = [
        line.partition(':')[2].strip() for line in Path('/proc/cpuinfo').read_text().splitlines()
        if line.startswith('model name')]
    model = f'{len(models)} x {models[0]}' if models else platform.machine()
    return f'{model}, Linux {platform.release()}'


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f'\r\x1b[K{text}', end='', file=sys.stderr, flush=True)
    elif text:
        print(text, file=sys.stderr, flush=True)


def _terminate(signum: int, frame: object) -> NoReturn:
    sys.exit(128 + signum)  # by way of the context managers, which clean up


if __name__ == '__main__':
    try:
        sys.exit(main())
    except KeyboardInterrupt:  # before there was anything to report
        sys.exit(128 + signal.SIGINT)
