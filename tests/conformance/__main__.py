"""The commands of the comparison with Node. Run in a checkout; see ``--help``."""

from __future__ import annotations

import argparse
import faulthandler
import sys
from collections import Counter

import gnet

from . import records
from .driver import Lanes
from .form import CHAPTERS, Scenario
from .fuzz import make_scenario
from .fuzz_tls import make_tls_scenario
from .live import compare, fails_each_time
from .node import PROGRAM, Node, NodeError
from .outcome import Outcome, Verdict, judge, on_gnet, recorded, side_by_side
from .scenarios import scenarios_with
from .shrink import shrink

#: How often a scenario is run before it is recorded: each time must be the same.
_TIMES = 4

#: Seconds after which a random scenario hangs.
_HANGS = 30


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog='python -m tests.conformance',
        description="gnet compared with Node's net and events, scenario by scenario.")
    commands = parser.add_subparsers(dest='command', required=True)

    def command(name: str, text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        added.set_defaults(run=globals()[f'_{name}'])
        return added

    report = command('report', 'compare gnet with the recorded traces; a line for each chapter')
    compare = command('compare', 'run both, and print the differences side by side')
    record = command('record', 'run Node, and write down what it does')
    record.add_argument(
        '--gnet', action='store_true',
        help='write down what gnet does, for the scenarios that differ on purpose')
    compare.add_argument('--all', action='store_true', help='print what is the same, too')
    for added in (report, compare, record):
        added.add_argument('pattern', nargs='?', default='', help='a part of the names')
    fuzz = command('fuzz', 'run random scenarios on both, and reduce those that differ')
    fuzz.add_argument('seeds', nargs='?', type=int, default=300, help='how many (300)')
    fuzz.add_argument('--tls', action='store_true', help='of TLS')
    fuzz.add_argument(
        '--quick', action='store_true',
        help='run each on gnet also as it goes outside of tests: what nobody listens to is not '
        'emitted there, and counts for nothing in what Node does')
    fuzz.add_argument('--first', type=int, default=0, help='the first seed (0)')
    for added in (compare, record, fuzz):
        added.add_argument(
            '--node', default=PROGRAM, metavar='PROGRAM',
            help='which Node (default: GNET_NODE, or the one on PATH)')
    options = parser.parse_args(words)
    # What scenarios leave uncaught would else become the status of this process.
    gnet.set_stay_alive(False)
    if options.command != 'fuzz' and not scenarios_with(options.pattern):
        parser.error(f'no scenario has {options.pattern!r} in its name')
    try:
        return int(options.run(options))
    except NodeError as failure:
        parser.error(str(failure))


def _report(options: argparse.Namespace) -> int:
    outcomes = [_against_record(scenario) for scenario in scenarios_with(options.pattern)]
    print(f'{"":55}{"agree":>8}{"on purpose":>12}{"fail":>6}')
    for chapter in (*CHAPTERS, 'all'):
        counts = Counter(
            outcome.verdict for outcome in outcomes
            if chapter in (outcome.scenario.chapter, 'all'))
        if not counts:
            continue  # a pattern has none of its scenarios
        print(
            f'{chapter:55}{counts[Verdict.AGREES]:8}{counts[Verdict.ON_PURPOSE]:12}'
            f'{counts[Verdict.FAILS]:6}')
    reasons = Counter(
        outcome.reason for outcome in outcomes if outcome.verdict is Verdict.ON_PURPOSE)
    if reasons:
        print('\nOn purpose, by rows of docs/differences.md:')
        for row, count in sorted(reasons.items()):
            print(f'{count:5}  {row}')
    failures = [outcome for outcome in outcomes if outcome.verdict is Verdict.FAILS]
    for outcome in failures:
        print(f'\n{outcome}')
    return 1 if failures else 0


def _against_record(scenario: Scenario) -> Outcome:
    of_node = recorded(scenario)
    if of_node is None or of_node.digest != scenario.digest:
        return Outcome(scenario, Verdict.FAILS, 'is not recorded as it stands: record', {}, {})
    return judge(scenario, of_node.lanes, on_gnet(scenario))


def _compare(options: argparse.Namespace) -> int:
    counts: Counter[Verdict] = Counter()
    with Node(options.node) as node:
        print(f'Node {node.version} | gnet')
        for scenario in scenarios_with(options.pattern):
            outcome = judge(scenario, node.run(scenario), on_gnet(scenario))
            counts[outcome.verdict] += 1
            if outcome.verdict is Verdict.FAILS or options.all:
                print(f'\n{outcome}')
                if options.all and outcome.verdict is Verdict.AGREES:
                    _print_trace(outcome)
    print('\n' + ', '.join(f'{counts[verdict]} {verdict.value}' for verdict in Verdict))
    return 1 if counts[Verdict.FAILS] else 0


def _print_trace(outcome: Outcome) -> None:
    for lane, lines in outcome.of_node.items():
        print(f'  --- {lane}')
        print('\n'.join(side_by_side(lines, outcome.of_gnet[lane])))


def _record(options: argparse.Namespace) -> int:
    unsteady = []
    with Node(options.node) as node:
        if not node.version.startswith('v24.'):
            print(
                f'{options.node} is {node.version}, and the reference is Node 24: --node names one',
                file=sys.stderr)
            return 2
        for group, members in records.groups(scenarios_with(options.pattern)).items():
            of = 'gnet' if options.gnet else 'node'
            _, traces = records.load(group, of)
            known = {scenario.name for scenario in members} if not options.pattern else {
                scenario.name for scenario in scenarios_with(f'{group}/')}
            traces = {name: trace for name, trace in traces.items() if name in known}
            for scenario in members:
                if options.gnet and scenario.on_purpose is None:
                    traces.pop(scenario.name, None)
                    continue
                try:
                    lanes = _steadily(scenario, node, options.gnet)
                except NodeError as failure:
                    lanes = None
                    print(failure, file=sys.stderr)
                if lanes is None or _has_gone_wrong(lanes):
                    unsteady.append(scenario.name)
                else:
                    traces[scenario.name] = records.Recorded(scenario.digest, lanes)
            records.save(group, node.version, traces, of)
    for name in unsteady:
        print(f'not recorded, as it goes wrong, or not the same way each time: {name}',
              file=sys.stderr)
    return 1 if unsteady else 0


def _has_gone_wrong(lanes: Lanes) -> bool:
    """Whether the scenario does not do what it says."""
    return any(
        line.startswith(('waited in vain', 'the script ends', 'there is no '))
        for lane in ('process', 'main') for line in lanes.get(lane, ()))


def _steadily(scenario: Scenario, node: Node, on_gnet_instead: bool) -> Lanes | None:
    """Return the scenario's trace if it is the same each time."""
    run = on_gnet if on_gnet_instead else node.run
    first = run(scenario)
    for _ in range(_TIMES - 1):
        again = run(scenario)
        if again != first:
            for lane in sorted({*first, *again}):
                if first.get(lane) != again.get(lane):
                    print(f'{scenario.name}: {lane}', file=sys.stderr)
                    print('\n'.join(side_by_side(first.get(lane, []), again.get(lane, []))),
                          file=sys.stderr)
            return None
    return first


def _fuzz(options: argparse.Namespace) -> int:
    counts: Counter[str] = Counter()
    make = make_tls_scenario if options.tls else make_scenario
    with Node(options.node) as node:
        for seed in range(options.first, options.first + options.seeds):
            faulthandler.dump_traceback_later(_HANGS, exit=True)
            scenario = make(seed)
            first = compare(scenario, node, options.quick)
            if first.verdict is not Verdict.FAILS:
                counts['agree'] += 1
            elif not fails_each_time(scenario, node, options.quick):
                counts['are not the same each time'] += 1
                print(f'\nseed {seed}, but not each time:\n{first}', flush=True)
            else:
                counts['differ'] += 1
                faulthandler.dump_traceback_later(20 * _HANGS, exit=True)
                small = shrink(
                    scenario,
                    lambda candidate: compare(
                        candidate, node, options.quick).verdict is Verdict.FAILS)
                print(f'\nseed {seed}, reduced:')
                for step in small.steps:
                    print(f'    {step},')
                print(compare(small, node, options.quick), flush=True)
    faulthandler.cancel_dump_traceback_later()
    print(', '.join(f'{count} {what}' for what, count in counts.items()))
    return 1 if counts['differ'] else 0


if __name__ == '__main__':
    sys.exit(main())
