"""``gnet.watch_hub()``: a hub that is blocked is told of once, with who blocks it."""

from __future__ import annotations

import math
import os
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import greenlet
import pytest
from gevent import monkey

import gnet
from gnet import lifecycle

from ..harness.waiting import PATIENCE, until

#: Seconds: long enough for a machine that is busy otherwise not to be taken for a blocked hub.
LIMIT = 0.2

_select: Callable[..., Any] = monkey.get_original('select', 'select')


class Reports(list[gnet.BlockedHub]):
    """What was reported; the hub can be held up until there is something."""

    def __init__(self) -> None:
        self.readable, self.writable = os.pipe()
        self.is_open = True

    def add(self, report: gnet.BlockedHub) -> None:
        """Runs in the thread that watches."""
        self.append(report)
        if self.is_open:
            os.write(self.writable, b'x')

    def hold_up(self) -> None:
        """Wait in C, without the hub, for a report."""
        assert _select([self.readable], [], [], PATIENCE)[0]
        assert os.read(self.readable, 1) == b'x'

    def close(self) -> None:
        self.is_open = False
        close = monkey.get_original('os', 'close')
        close(self.readable)
        close(self.writable)


@pytest.fixture
def reports() -> Iterator[Reports]:
    found = Reports()
    yield found
    found.close()


@pytest.fixture
def watch() -> Iterator[Callable[..., gnet.HubWatch]]:
    watches: list[gnet.HubWatch] = []

    def start(*args: Any, **options: Any) -> gnet.HubWatch:
        """Watch, from the hub's first turn on."""
        seen: list[float] = []
        lag = options.pop('lag', seen.append)
        watches.append(gnet.watch_hub(*args, lag=lambda late: (seen.append(late), lag(late)),
                                      **options))
        until(lambda: seen)
        return watches[-1]

    yield start
    for each in watches:
        each.stop()


def test_it_is_told_once_with_the_stack_that_blocks_it(watch: Any, reports: Reports) -> None:
    watched = watch(LIMIT, reports.add)
    reports.hold_up()
    # As long again: it is the same time.
    _select([reports.readable], [], [], LIMIT)
    assert len(reports) == watched.count == 1
    report, = reports
    assert report.seconds >= LIMIT
    functions = [place.function for place in report.stack]
    assert functions[-2:] == ['test_it_is_told_once_with_the_stack_that_blocks_it', 'hold_up']
    assert report.stack[-1].file == __file__
    text = str(report).splitlines()
    assert text[0].startswith(f'gnet: the hub of process {os.getpid()} is blocked for ')
    assert text[-1] == '    assert _select([self.readable], [], [], PATIENCE)[0]'


def test_each_time_is_told_and_published_when_it_is_over(
    watch: Any, reports: Reports, monkeypatch: Any,
) -> None:
    import zope.event

    published: list[lifecycle.HubBlocked] = []

    def subscribe(event: Any) -> None:
        if lifecycle.IHubBlocked.providedBy(event):
            published.append(event)

    monkeypatch.setattr(zope.event, 'subscribers', [subscribe])
    watched = watch(LIMIT, reports.add)
    for number in (1, 2):
        reports.hold_up()
        assert len(published) == number - 1
        until(lambda number=number: len(published) == number)
    assert len(reports) == watched.count == 2
    assert all(event.duration >= LIMIT for event in published)
    assert 'hold_up' in published[0].stack[-1]
    assert watched.blocked_seconds == pytest.approx(sum(event.duration for event in published))


def test_a_callback_of_the_hub_that_blocks_it_is_seen_too(watch: Any, reports: Reports) -> None:
    watch(LIMIT, reports.add)
    gevent.get_hub().loop.run_callback(reports.hold_up)
    until(lambda: reports)
    assert reports[0].stack[-1].function == 'hold_up'


def test_a_callback_that_is_written_in_c_is_seen_in_the_end(watch: Any, reports: Reports) -> None:
    watch(LIMIT, reports.add)
    gevent.get_hub().loop.run_callback(_select, [reports.readable], [], [], PATIENCE)
    until(lambda: reports)
    # (gevent's own, that of the loop where that is in Python.)
    assert reports[0].stack[-1].function in ('run', '_run_callbacks')
    assert reports[0].seconds >= LIMIT


def test_who_only_switches_to_each_other_blocks_it(watch: Any, reports: Reports) -> None:
    watch(LIMIT, reports.add)

    def play() -> None:
        while not reports:
            other.switch()

    def answer() -> None:
        while True:
            main.switch()

    main: Any = gevent.getcurrent()
    other = greenlet.greenlet(answer)
    play()
    other.throw(gevent.GreenletExit)
    assert {place.function for place in reports[0].stack} & {'play', 'answer'}


def test_a_hub_that_works_or_waits_is_not_blocked(watch: Any, reports: Reports) -> None:
    lags: list[float] = []
    watched = watch(1.0, reports.add, lag=lags.append)
    before = len(lags)
    until(lambda: len(lags) >= before + 3)
    assert (list(reports), watched.count, watched.blocked_seconds) == ([], 0, 0)
    assert all(lag >= 0 for lag in lags)
    watched.stop()
    watched.stop()


def test_what_reports_may_fail(watch: Any, reports: Reports, capfd: Any) -> None:
    def fail(report: gnet.BlockedHub) -> None:
        reports.add(report)
        raise LookupError('not my day')

    watched = watch(LIMIT, fail)
    reports.hold_up()
    until(lambda: watched.blocked_seconds)
    reports.hold_up()
    until(lambda: watched.count == 2)
    assert "has failed: LookupError('not my day')" in capfd.readouterr().err


@pytest.mark.parametrize(('seconds', 'code'), [
    ('1', 'ERR_INVALID_ARG_TYPE'), (None, 'ERR_INVALID_ARG_TYPE'), (True, 'ERR_INVALID_ARG_TYPE'),
    (0, 'ERR_OUT_OF_RANGE'), (-1, 'ERR_OUT_OF_RANGE'), (math.nan, 'ERR_OUT_OF_RANGE'),
    (math.inf, 'ERR_OUT_OF_RANGE'), (3601, 'ERR_OUT_OF_RANGE'), (0.001, 'ERR_OUT_OF_RANGE'),
])
def test_what_is_no_time_is_refused(seconds: Any, code: str) -> None:
    with pytest.raises((gnet.CodedTypeError, gnet.CodedValueError)) as refused:
        gnet.watch_hub(seconds)
    assert refused.value.code == code


@pytest.mark.parametrize('name', ['report', 'lag'])
def test_what_is_no_function_is_refused(name: str) -> None:
    with pytest.raises(gnet.CodedTypeError, match=name):
        gnet.watch_hub(1, **{name: 5})


@pytest.mark.skipif(sys.platform != 'linux', reason='stops the process and looks at it in /proc')
def test_a_process_that_was_stopped_was_not_blocked(start_script: Any) -> None:
    script = start_script("""
        import gevent, gnet

        seen = []
        watch = gnet.watch_hub(0.1, lag=seen.append)
        while not seen:
            gevent.sleep(0.001)
        print('watched', flush=True)
        while not any(lag > 0.3 for lag in seen):
            gevent.sleep(0.01)
        late = len(seen)
        while len(seen) < late + 5:
            gevent.sleep(0.01)
        print(watch.count, flush=True)
    """)
    script.wait_for('watched')
    script.send_signal(signal.SIGSTOP)
    until(lambda: _state_of(script.process.pid) == 'T')
    gevent.sleep(0.5)  # it is to be stopped for longer than it may be blocked
    script.send_signal(signal.SIGCONT)
    assert script.wait().stdout.split() == ['watched', '0']


def _state_of(pid: int) -> str:
    with open(f'/proc/{pid}/stat', encoding='utf-8') as stat:
        return stat.read().rpartition(')')[2].split()[0]
