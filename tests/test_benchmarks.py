"""``python -m benchmarks``: that it measures, reports and cleans up. No figure is looked at."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks import __main__ as command
from benchmarks import report
from benchmarks.cases import Case
from benchmarks.contestants import TABLE, older
from benchmarks.load import Trial
from benchmarks.measure import Sample
from benchmarks.processes import TrialError
from benchmarks.programs import MissingError, Programs
from benchmarks.rounds import Plan, Results, measure

from .harness import ROOT
from .harness.scripts import Finished, Running

#: Seconds for what takes longer on a busy machine.
MOST = 60

pytestmark = pytest.mark.skipif(sys.platform != 'linux', reason='benchmarks are for Linux')


@pytest.fixture
def start(tmp_path):
    """``start(*words)`` runs the command: one round of a fifth of a second, not warmed up."""
    running: list[Running] = []

    def start(*words: str, merged: bool = False) -> Running:
        command = [
            sys.executable, '-W', 'error', '-m', 'benchmarks', '--rounds', '1', '--seconds', '0.2',
            '--warm-up', '0', *words,
        ]
        environment = {**os.environ, 'TMPDIR': str(tmp_path), 'PYTHONUNBUFFERED': '1'}
        environment.pop('GNET_STAY_ALIVE', None)  # the suite switches the exit hook off
        running.append(Running(command, ROOT, environment, merged=merged))
        return running[-1]

    yield start
    for each in running:
        each.close()


@pytest.fixture
def run(start) -> Callable[..., Finished]:
    def run(*words: str) -> Finished:
        ended = start(*words).wait()
        if re.search('answered no request|did nothing for|wrk .* failed', ended.stdout):
            # On a busy machine a second may be too short to begin.
            ended = start(*words, '--seconds', '8').wait(MOST)
        return ended

    return run


@pytest.fixture
def run_instead_of_gnet(run, tmp_path) -> Callable[[str, str], Finished]:
    """``run_instead_of_gnet(code, case)`` measures *code* as the server."""
    def run_it(code: str, case: str) -> Finished:
        package = tmp_path / 'gnet'
        package.mkdir()
        (package / '__init__.py').write_text(code)
        return run('--cases', case, '--before', str(tmp_path), '--contestants', 'gnet-event-before')

    return run_it


def needs(program: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f'{program} is not installed')


def processes_with(directory: Path) -> list[str]:
    """Return the command lines of processes whose temporary files go to *directory*."""
    found = []
    for process in Path('/proc').glob('[0-9]*'):
        try:
            if os.fsencode(directory) in (process / 'environ').read_bytes():
                found.append((process / 'cmdline').read_text())
        except OSError:
            continue  # it has ended, or belongs to somebody else
    return found


def test_one_case_is_measured_for_two_contestants_while_a_missing_one_is_named(run, tmp_path):
    report, picture, nowhere = (tmp_path / name for name in ('report.json', 'picture.svg', 'bun'))
    ended = run(
        '--cases', 'start-up', '--contestants', 'gnet-event,streamserver,bun',
        '--bun', str(nowhere), '--peer', 'streamserver',
        '--json', str(report), '--svg', str(picture))
    assert ended.status == 0, ended
    assert f'skipped: bun (there is no program {nowhere})' in ended.stdout
    table = ended.stdout.partition('start-up: ')[2]
    assert re.search(r'CPU us/start +to streamserver', table)
    ratios = {name: float(ratio) for name, ratio in re.findall(r'(\S+) .* ([\d.]+) x ', table)}
    assert ratios.keys() == {'gnet-event', 'streamserver'}
    assert ratios['streamserver'] == 1

    written = json.loads(report.read_text())
    assert written['peer'] == 'streamserver'
    assert written['missing'] == {'bun': f'there is no program {nowhere}'}
    assert written['failures'] == []
    of_gnet, of_peer = written['results']
    assert (of_gnet['contestant'], of_peer['contestant']) == ('gnet-event', 'streamserver')
    assert of_gnet['ratio'] == of_gnet['median'] / of_peer['median']
    assert of_gnet['values'] == [of_gnet['median']]

    bars = ElementTree.parse(picture).getroot().findall('.//{*}rect[@class]')
    assert sorted(bar.get('class') for bar in bars) == ['own', 'peer']


@pytest.mark.timeout(2 * MOST)
@pytest.mark.parametrize(('case', 'contestant', 'needed'), [
    ('rr-64', 'gnet-event', 'wrk'),
    ('reuse-connect', 'gnet-event-alone', 'wrk'),
    ('echo', 'gnet-blocking', 'cc'),
    ('tls-rr-64', 'gnet-event', 'wrk'),
    ('tls-connect', 'gnet-blocking', 'wrk'),
    ('tls-bulk-in', 'gnet-event', 'cc'),
    ('tls-bulk-out', 'asyncio-streams', 'cc'),
])
def test_a_server_is_measured_under_load(run, case, contestant, needed):
    needs(needed)
    ended = run('--cases', case, '--contestants', contestant)
    if 'openssl/ssl.h' in ended.stdout:
        pytest.skip('the headers of OpenSSL are not installed')
    assert ended.status == 0, ended
    assert re.search(rf'^  {contestant} +[\d.,]+ +1.00 x ', ended.stdout, re.MULTILINE)


def test_another_checkout_takes_part_beside_each_contestant_of_this_one(run):
    ended = run(
        '--cases', 'start-up', '--contestants', 'gnet-event', '--before', str(ROOT))
    assert ended.status == 0, ended
    assert re.findall(r'^  (\S+) .* x ', ended.stdout, re.MULTILINE) == [
        'gnet-event', 'gnet-event-before']


def test_it_is_the_other_checkout_that_starts(run_instead_of_gnet):
    ended = run_instead_of_gnet('raise SystemExit("I am another one")', 'start-up')
    assert ended.status == 1
    assert 'I am another one' in ended.stdout.partition('failed: start-up, gnet-event-before')[2]


def test_one_process_takes_part_where_others_have_workers(tmp_path):
    alone = next(one for one in TABLE if one.is_alone)
    assert alone.has('shared-close')
    assert not any(map(alone.has, ('close', 'tls-close', 'start-up')))
    assert alone.server(Programs(tmp_path, {}), 'shared-close', '0')[-2:] == ['close', '0']
    assert not any(one.is_alone for one in older(ROOT))


def test_a_checkout_without_tls_takes_no_part_in_it(tmp_path):
    (tmp_path / 'gnet').mkdir()
    for contestant in older(tmp_path):
        assert contestant.has('http')
        assert not contestant.has('tls-http')
    assert all(contestant.has('tls-http') for contestant in older(ROOT))


#: Serves one request, and dies.
SHORT_LIVED = """
import socket, sys
listener = socket.create_server(('127.0.0.1', 0))
print(listener.getsockname()[1], flush=True)
while True:
    peer, _ = listener.accept()
    if peer.recv(65536):
        peer.sendall(b'HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok')
        sys.exit('out of breath')
"""


@pytest.mark.parametrize(('case', 'needed'), [('rr-1', 'wrk'), ('unix', 'cc')])
def test_a_server_that_dies_is_a_failure_told_with_its_last_words(
    run_instead_of_gnet, case, needed,
):
    needs(needed)
    ended = run_instead_of_gnet(SHORT_LIVED, case)
    assert ended.status == 1
    failure = ended.stdout.partition(f'failed: {case}, gnet-event-before: ')[2]
    assert 'ended with status 1' in failure
    assert 'out of breath' in failure
    assert 'CPU us' not in ended.stdout


#: Answers what it should not.
WRONG = """
import socket
listener = socket.create_server(('127.0.0.1', 0))
print(listener.getsockname()[1], flush=True)
while True:
    peer, _ = listener.accept()
    while peer.recv(65536):
        peer.sendall(b'HTTP/1.1 500 No\\r\\nContent-Length: 0\\r\\n\\r\\n')
"""

#: Answers who asks, and closes all that should stay.
HASTY = """
import select, socket
listener = socket.create_server(('127.0.0.1', 0), backlog=500)
print(listener.getsockname()[1], flush=True)
peers = []
while True:
    asking = None
    for sock in select.select([listener, *peers], [], [])[0]:
        if sock is listener:
            peers.append(listener.accept()[0])
        else:
            asking = sock
    if asking is None:
        continue
    peers.remove(asking)
    while peers:
        peers.pop().close()
    with asking:
        try:
            if asking.recv(65536):
                asking.sendall(b'HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok')
        except OSError:
            pass
"""


@pytest.mark.parametrize(('case', 'server', 'needed', 'words'), [
    ('rr-1', WRONG, 'wrk', 'did not serve all: Non-2xx or 3xx responses: '),
    ('rr-1', HASTY, 'wrk', 'did not serve all: Socket errors: '),
    ('idle-memory', HASTY, 'cc', 'hold a connection: the server ended it'),
])
def test_what_is_not_served_is_a_failure_and_no_figure(
    run_instead_of_gnet, case, server, needed, words,
):
    needs(needed)
    ended = run_instead_of_gnet(server, case)
    assert ended.status == 1
    assert words in ended.stdout.partition(f'failed: {case}, gnet-event-before: ')[2]
    assert f'{case}: ' not in ended.stdout.partition('failed: ')[0]


def test_without_programs_there_is_less_to_measure_and_it_is_named(start, tmp_path, monkeypatch):
    monkeypatch.setenv('PATH', str(tmp_path))
    ended = start('--list', '--node', str(tmp_path / 'node')).wait()
    assert ended.status == 0
    for name, program in (
        ('node', tmp_path / 'node'), ('epoll', "on PATH as 'cc'"), ('rr-64', "on PATH as 'wrk'"),
        ('echo', "on PATH as 'cc'"),
    ):
        assert f'skipped: {name} (there is no program {program})\n' in ended.stdout
    left = ended.stdout.partition('cases:')[2].partition('contestants:')[0]
    assert re.findall(r'^  (\S+)', left, re.MULTILINE) == ['emitter', 'start-up']


def test_a_program_that_is_another_one_is_named(run):
    ended = run('--cases', 'emitter', '--contestants', 'node', '--node', shutil.which('false'))
    assert (ended.status, ended.stderr) == (1, 'nothing is left to measure\n')
    assert 'skipped: node (node does not run: ' in ended.stdout


def test_a_program_that_does_not_tell_its_version_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr('benchmarks.programs.PATIENCE', 0.1)
    silent = tmp_path / 'node'
    silent.write_text('#!/bin/sh\nexec sleep 60\n')
    silent.chmod(0o700)
    with pytest.raises(MissingError, match=r'node does not run: .* timed out'):
        Programs(tmp_path, {'node': str(silent)}).version('node')


def test_a_path_that_is_too_long_for_a_socket_is_a_failure(tmp_path):
    trial = Trial(TABLE[0], None, None, 1, 0, tmp_path / ('x' * 100))
    with pytest.raises(TrialError, match='too long for a unix socket'):
        trial.serve('http', 'server')


def test_a_case_in_which_nobody_takes_part_is_named(run):
    ended = run('--cases', 'emitter', '--contestants', 'asyncio-streams')
    assert (ended.status, ended.stderr) == (1, 'nothing is left to measure\n')
    assert 'skipped: emitter (none of the contestants takes part in it)' in ended.stdout


@pytest.mark.parametrize('option', ['--json', '--svg'])
def test_a_file_that_cannot_be_written_is_refused_before_anything_is_measured(
    run, tmp_path, option,
):
    for path in (tmp_path / 'nowhere' / 'report', tmp_path):
        ended = run('--cases', 'emitter', option, str(path))
        assert ended.status == 2
        assert f"argument {option}: '{path}' cannot be written" in ended.stderr


def test_unknown_names_are_refused(run):
    for words in (
        ['--cases', 'emitter,nonsense'],
        ['--contestants', 'nonsense'],
        ['--peer', 'nonsense'],
    ):
        ended = run(*words)
        assert ended.status == 2
        assert re.search(r"there is no (case|contestant) 'nonsense': choose from", ended.stderr)


@pytest.mark.parametrize(('words', 'reason'), [
    (['--rounds', '0'], "--rounds: '0' is not a whole number from 1 on"),
    (['--rounds', '1.5'], "--rounds: '1.5' is not a whole number from 1 on"),
    (['--seconds', '0.0'], '--seconds: 0 seconds are too few'),
    (['--warm-up', '-1'], "--warm-up: '-1' is no number of seconds"),
])
def test_numbers_that_make_no_sense_are_refused(words, reason, capsys):
    with pytest.raises(SystemExit):
        command.main(words)
    assert capsys.readouterr().err.endswith(f'error: argument {reason}\n')


def test_a_peer_that_is_missing_is_refused(run):
    ended = run('--cases', 'emitter', '--contestants', 'gnet-event', '--peer', 'bun')
    assert (ended.status, ended.stderr) == (1, 'the peer bun is missing\n')
    assert 'skipped: bun (bun is not named: --bun PATH)' in ended.stdout


@pytest.mark.parametrize(('number', 'begun'), [(signal.SIGINT, 2), (signal.SIGTERM, 1)])
def test_a_signal_ends_the_command_and_all_that_it_started(start, tmp_path, number, begun):
    words = ('--cases', 'emitter', '--contestants', 'gnet-event', '--rounds', '1000')
    running = start(*words, merged=True)
    running.wait_for(f'round {begun} of 1000: emitter, gnet-event')
    running.send_signal(number)
    ended = running.wait()
    assert ended.status == 128 + number
    assert 'Traceback' not in ended.stdout
    # Of what was measured until Ctrl-C, there is a report.
    assert ('CPU us/event' in ended.stdout) == (number == signal.SIGINT)
    assert processes_with(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


# --- in what order, and what is made of it --------------------------------------------------------


class Idle:
    """A load that only notes who runs it; what *figures* has is what is measured."""

    service, needs, descriptors = 'http', (), 0

    def __init__(self, figures=()):
        self.figures, self.order = iter(figures), []

    def run(self, trial):
        self.order.append(trial.contestant.name)
        figure = next(self.figures, 1)
        if figure is None:
            raise TrialError('it broke')
        return Sample(units=2, seconds=1, cpu_us=2 * figure, p99_us=10 * figure)


class NoProcesses:
    def last_words(self):
        return []

    def end_all(self):
        pass


def measured(cases, contestants, rounds):
    results = Results()
    measure(Plan(cases, contestants, rounds, 1, 0, None, None), NoProcesses(), results, str)
    return results


def test_each_round_runs_all_and_begins_with_another_one():
    load = Idle()
    results = measured([Case('x', 'a case', 'unit', load)], TABLE[:3], 4)
    first, second, third = (one.name for one in TABLE[:3])
    assert load.order == [
        first, second, third, second, third, first, third, first, second, first, second, third]
    assert results.rounds == 4


def test_medians_are_of_rounds_and_ratios_of_what_was_measured_in_the_same_round():
    mine, peer = TABLE[:2]
    # Alternating: (mine, peer), (peer, mine), ...; the fourth of mine fails.
    plain = Case('x', 'a case', 'unit', Idle([1, 10, 20, 4, 9, 10, 20, None, 5, 10]))
    more = Case('y', 'another', 'unit', Idle([3, 10, 10, 4, 9, 10, 10, 1, 50, 10]), without='x')
    results = measured([plain, more], [mine, peer], 5)
    of_mine, of_peer, of_more, _ = report.rows(results, [plain, more], [mine, peer], peer)
    assert of_mine.values == (1, 4, 9, 5)
    assert of_mine.figure == 4.5
    assert of_mine.ratio == (0.2 + 0.5) / 2  # of 1/10, 4/20, 9/10 and 5/10
    assert of_mine.p99_ratio == of_mine.ratio
    assert (of_peer.figure, of_peer.ratio) == (10, 1)
    assert of_more.to_without == (1 + 3) / 2  # of 3/1, 4/4, 9/9 and 50/5
    text = report.tables([of_mine, of_peer], peer)
    assert f'{mine.name}: 4 of 5 rounds' in text
    assert results.failures == [f'x, {mine.name}: it broke']
