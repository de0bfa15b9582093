"""Fixtures of all tests, and what is checked around each of them.

Around each test: a hard time limit (``harness/watchdog.py``), leaked descriptors and greenlets
(``harness/leaks.py``), and failures that were only reported by the hub. Warnings are errors
(``pyproject.toml``).
"""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

# The exit hook must not keep pytest alive when a test leaves a server behind. Set before gnet is
# imported, which reads it then.
os.environ['GNET_STAY_ALIVE'] = '0'

# Whoever started the suite in the background may have had Ctrl-C ignored, which processes inherit.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

import gevent
import pytest
from gevent import monkey

import gnet

from .harness import bytecode, families, fork_server, leaks, watchdog
from .harness.clock import Clock
from .harness.families import Family
from .harness.native import Native, Peer
from .harness.scripts import Finished, Running, Scripts
from .harness.servers import Servers

#: Found by itself where gnet is installed anew; a checkout that was installed before has it, too.
pytest_plugins = ['pytest_gnet']

_FAILED = pytest.StashKey[bool]()

#: The test that runs.
_running: list[pytest.Item] = []

#: The folders and files that test what is the same on each event loop, patched or not: the matrix
#: runs them on the default one alone (``-m "not any_loop"``).
_ANY_LOOP = frozenset({
    'addresses', 'node', 'options', 'proxy_protocol', 'typing', 'conformance/test_commands.py',
    'test_architecture.py', 'test_benchmarks.py', 'test_citations.py', 'test_package.py',
    'test_release_check.py'})

#: Those whose programs run in processes of their own, and of which nothing but the test's end of
#: pipes and plain sockets is in this one: whether it is patched makes no difference to them. (Some
#: start programs that are patched, on each run.)
_OWN_PROCESSES = frozenset({
    *(f'clusters/test_{name}.py' for name in (
        'blocking_handlers', 'connections', 'disconnect', 'life', 'limits', 'listen', 'order',
        'proxy_protocol', 'settings')),
    *(f'command/test_{name}.py' for name in (
        'endings', 'full_log', 'interrupts', 'main', 'workers', 'workers_limits',
        'workers_proxy_protocol', 'workers_reload', 'workers_stopping',
        'workers_that_listen_alone', 'workers_tls')),
    *(f'examples/test_{name}.py' for name in (
        'chat', 'cluster', 'echo', 'examples', 'http_hello', 'legacy_patched', 'many_machines',
        'metrics', 'ported', 'proxy', 'tls')),
    'wsgi/test_in_workers.py',
})


def pytest_configure(config: pytest.Config) -> None:
    config.add_cleanup(bytecode.share())
    config.add_cleanup(fork_server.close)


def pytest_report_header() -> list[str]:
    lines = [
        f'gevent {gevent.__version__}, {type(gevent.get_hub().loop).__module__}, '
        f'{"monkey-patched" if monkey.is_module_patched("socket") else "not patched"}',
    ]
    if not leaks.CAN_LIST_DESCRIPTORS:
        lines.append('leaked descriptors are not looked for: this system does not list them')
    return lines


@pytest.hookimpl(tryfirst=True)  # before "-m" is obeyed
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for path, of_path in groupby(items, lambda item: item.path):
        place = path.relative_to(here)
        if place.parts[0] in _ANY_LOOP or place.as_posix() in _ANY_LOOP:
            for item in of_path:
                item.add_marker(pytest.mark.any_loop)
        elif place.as_posix() in _OWN_PROCESSES:
            for item in of_path:
                item.add_marker(pytest.mark.own_processes)


def pytest_collection_finish() -> None:
    leaks.prepare()


def pytest_timeout_set_timer(item: Any, settings: Any) -> bool:
    item.cancel_timeout = watchdog.start(item, settings.timeout)
    return True


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    outcome = yield
    if outcome.get_result().failed:  # type: ignore[attr-defined]
        item.stash[_FAILED] = True


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    _running[:] = [item]


@pytest.fixture(autouse=True)
def _nothing_is_left_behind() -> Iterator[list[tuple[object, BaseException]]]:
    """Fail a test that leaks, or of which the hub reports failures.

    It comes before the fixtures that a test asks for, so that it looks when they are gone. It asks
    for none, not even for ``request``: that would take as much time as a short test.
    """
    [item] = _running
    hub = gevent.get_hub()
    reports: list[tuple[object, BaseException]] = []
    print_exception = hub.print_exception

    def report(context: object, kind: Any, error: Any, traceback: Any) -> None:
        reports.append((context, error))
        print_exception(context, kind, error, traceback)

    before = leaks.Snapshot()
    hub.print_exception = report
    try:
        yield reports
        # The traceback of a failed test keeps alive what its frames hold.
        left = [] if item.stash.get(_FAILED, False) else before.leaks()
    finally:
        hub.print_exception = print_exception
    texts = []
    if reports and 'hub_reports' not in item.fixturenames:  # type: ignore[attr-defined]
        texts += [
            'The hub reported failures (a test that means them to happen uses the fixture '
            '"hub_reports"):', *(f'  {error!r} in {context!r}' for context, error in reports)]
    if left:
        texts += ['The test left behind:', *(f'  {line}' for line in left)]
    if texts:
        pytest.fail('\n'.join(texts), pytrace=False)


@pytest.fixture
def hub_reports(
    _nothing_is_left_behind: list[tuple[object, BaseException]],
) -> list[tuple[object, BaseException]]:
    """The failures that the hub reported during the test: (context, exception) each.

    A test that does not ask for this list fails if there was any.
    """
    return _nothing_is_left_behind


@pytest.fixture
def clock() -> Iterator[Clock]:
    """The loop's time, which goes on when the test says so."""
    with Clock() as clock:
        yield clock


@pytest.fixture(params=families.NAMES)
def family(request: pytest.FixtureRequest) -> Iterator[Family]:
    """IPv4, IPv6 and unix sockets in turn: see :class:`Family`."""
    if request.param == 'ipv4':
        yield Family('ipv4', host='127.0.0.1')
    elif request.param == 'ipv6':
        if not families.has_ipv6():
            pytest.skip('this machine has no IPv6 loopback address (::1)')
        yield Family('ipv6', host='::1')
    else:
        # Not below tmp_path: a long test name and the limit of 107 bytes do not go together.
        with tempfile.TemporaryDirectory(prefix='gnet-') as directory:
            yield Family('unix', path=str(Path(directory, 'socket')))


@pytest.fixture
def native() -> Iterator[Native]:
    """Call blocking standard-library code in a native thread: see :class:`Native`."""
    calls = Native()
    yield calls
    calls.finish()


@pytest.fixture
def foreign(native: Native) -> Callable[[Callable[[], Any]], Any]:
    """``foreign(call)`` makes a call in another thread, which may wait for one in this."""
    def foreign(call: Callable[[], Any]) -> Any:
        def make() -> Any:
            try:
                return call()
            finally:
                # Where threads are patched, who waits for a future has a hub of its own.
                gevent.get_hub().destroy(destroy_loop=True)

        return native(make)

    return foreign


@pytest.fixture
def connect(native: Native) -> Iterator[Callable[[Any], Peer]]:
    """``connect(server_or_address)`` returns a plain blocking client: see :class:`Peer`."""
    peers: list[Peer] = []

    def connect(target: Any) -> Peer:
        peers.append(Peer.connected(native, target))
        return peers[-1]

    yield connect
    for peer in peers:
        peer.close()


@pytest.fixture
def serve() -> Iterator[Callable[..., gnet.Server]]:
    """``serve(handler, target=None, **options)`` returns a listening server: ``Servers.listen``."""
    servers = Servers()
    yield servers.listen
    servers.close()


@pytest.fixture
def scripts(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Scripts]:
    """Python scripts in processes of their own: see :class:`Scripts`."""
    started = Scripts(tmp_path, executed=request.node.get_closest_marker('executed') is not None)
    yield started
    started.close()


@pytest.fixture
def run_script(scripts: Scripts) -> Callable[..., Finished]:
    """``run_script(text_or_path, *args)`` returns (status, stdout, stderr): ``Scripts.run``."""
    return scripts.run


@pytest.fixture
def start_script(scripts: Scripts) -> Callable[..., Running]:
    """``start_script(text_or_path, *args)`` returns the running process: ``Scripts.start``."""
    return scripts.start
