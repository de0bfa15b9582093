"""What the service manager is told: by ``gnet.systemd.notify``, and by gnet itself."""

from __future__ import annotations

import logging
import os
import resource
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic
from typing import Any

import gevent
import pytest

import gnet
from gnet.loop import service_watchdog
from gnet.loop.loop import get_loop
from gnet.systemd import notification
from gnet.systemd.service import ROOM, Service, ServiceStage

from ..harness.scripts import Running
from ..harness.service_manager import Manager

GNET = ('-m', 'gnet')

#: Microseconds of a watchdog that is not to be waited for, and of one that is.
LONG = '3600000000'
SHORT = '1000000'


@pytest.fixture(params=['file', 'abstract'])
def told(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, manager: Manager) -> Any:
    """A manager that this process tells."""
    there = manager if request.param == 'file' else Manager(f'@gnet-{os.getpid()}')
    monkeypatch.setenv('NOTIFY_SOCKET', there.address)
    yield there
    there.close()


# --- gnet.systemd.notify --------------------------------------------------------------------------


def test_what_a_program_says_arrives(told: Manager) -> None:
    assert gnet.systemd.notify('STATUS=loading the index: 5 %', 'EXTEND_TIMEOUT_USEC=5000000')
    assert told.next() == ['STATUS=loading the index: 5 %', 'EXTEND_TIMEOUT_USEC=5000000']


def test_nobody_wants_to_know(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv('NOTIFY_SOCKET', raising=False)
    assert gnet.systemd.notify('READY=1') is False


@pytest.mark.parametrize('address', ['/nowhere/notify', 'relative', 'vsock:2:1234'])
def test_failures_are_one_warning(
    address: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(notification, '_lost', set())
    monkeypatch.setenv('NOTIFY_SOCKET', address)
    with caplog.at_level(logging.WARNING, 'gnet.systemd'):
        assert [gnet.systemd.notify('READY=1'), gnet.systemd.notify('STATUS=x')] == [False, False]
    [line] = caplog.messages
    assert line.startswith(
        f"The service manager cannot be told 'READY=1' at NOTIFY_SOCKET={address}: ")


def test_a_manager_that_does_not_read_blocks_nobody(
    told: Manager, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(notification, '_lost', set())
    with caplog.at_level(logging.WARNING, 'gnet.systemd'):
        sent = [gnet.systemd.notify('WATCHDOG=1') for _ in range(10_000)]
    assert sent[0]
    assert not sent[-1]
    assert len(caplog.messages) == 1


@pytest.mark.parametrize(('assignment', 'code'), [
    (b'READY=1', 'ERR_INVALID_ARG_TYPE'), (1, 'ERR_INVALID_ARG_TYPE'),
    ('READY', 'ERR_INVALID_ARG_VALUE'), ('=1', 'ERR_INVALID_ARG_VALUE'),
    ('STATUS=a\nREADY=1', 'ERR_INVALID_ARG_VALUE'), ('', 'ERR_INVALID_ARG_VALUE'),
])
def test_what_is_no_assignment_is_refused(assignment: Any, code: str) -> None:
    with pytest.raises(gnet.CodedTypeError) as caught:
        gnet.systemd.notify('STATUS=fine', assignment)
    assert caught.value.code == code


# --- what gnet says, and when ---------------------------------------------------------------------


@pytest.fixture
def service(told: Manager) -> Iterator[Service]:
    there = Service(told.address, None)
    yield there
    there.forget()


def test_nothing_is_told_twice_or_out_of_turn(service: Service, told: Manager) -> None:
    service.reloading('too early')
    service.ready('serving')
    service.ready('serving')
    service.ready('serving more')
    before = int(monotonic() * 1_000_000)
    service.reloading('a reload')
    service.show('not while it reloads')
    service.ready('serving anew')
    service.stopping('the end')
    service.stopping('the end')
    service.ready('too late')
    service.alive()
    assert told.next() == ['READY=1', 'STATUS=serving']
    assert told.next() == ['STATUS=serving more']
    reloading, time, status = told.next()
    assert (reloading, status) == ('RELOADING=1', 'STATUS=a reload')
    assert before <= int(time.partition('=')[2]) <= monotonic() * 1_000_000
    assert told.next() == ['READY=1', 'STATUS=serving anew']
    assert told.next() == ['STOPPING=1', 'STATUS=the end']
    assert told.next() == ['WATCHDOG=1']


def test_what_the_manager_has_no_room_for_is_said_again_in_its_order(
    service: Service, told: Manager, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(notification, '_lost', set())
    service_watchdog.have_repeated(get_loop(), service)
    sent = 0
    while notification.send(told.address, ('OF=others',)) is notification.Outcome.SENT:
        sent += 1
    service.ready('serving')
    service.reloading('a reload')
    service.alive()
    service.ready('serving anew')
    for _ in range(sent):
        assert told.next() == ['OF=others']
    assert told.next() == ['READY=1', 'STATUS=serving']
    assert told.next()[0] == 'RELOADING=1'
    assert told.next() == ['READY=1', 'STATUS=serving anew']
    service.alive()
    assert told.next() == ['WATCHDOG=1']
    assert caplog.messages == []


def test_what_nobody_reads_does_not_pile_up_and_a_child_does_not_say_it(
    service: Service, told: Manager,
) -> None:
    service_watchdog.have_repeated(get_loop(), service)
    while notification.send(told.address, ('OF=others',)) is notification.Outcome.SENT:
        pass
    for number in range(100):
        service.ready(f'{number}')
    assert len(service._unsaid) == ROOM
    service.forget()
    while told.next() != ['END=1']:
        gevent.sleep(0.06)  # more than what is repeated takes
        notification.send(told.address, ('END=1',))
    assert {message[0] for message in told.told} == {'OF=others', 'END=1'}


def test_the_watchdog_is_told_when_no_descriptors_are_left(
    service: Service, told: Manager,
) -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, limits[1]))
    try:
        service.alive()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert told.next() == ['WATCHDOG=1']


def test_all_stages_can_be_reached() -> None:
    from gnet.systemd.service import FOLLOWS

    assert {*FOLLOWS} == {*ServiceStage}
    assert set().union(*FOLLOWS.values()) == {*ServiceStage} - {ServiceStage.STARTING}


Start = Callable[..., Running]

TWO_SERVERS = """
    import os, gnet

    for path in ('one', 'two'):
        gnet.create_server().listen(path=path)
    print(*sorted(name for name in os.environ if name == 'NOTIFY_SOCKET'), flush=True)
"""


def test_a_program_is_ready_when_all_of_it_listens_and_says_that_it_drains(
    start_script: Start, manager: Manager,
) -> None:
    running = start_script(TWO_SERVERS, launcher=GNET, env={
        'NOTIFY_SOCKET': manager.address, 'WATCHDOG_USEC': SHORT, 'GNET_STAY_ALIVE': None})
    assert manager.next() == ['WATCHDOG=1']
    assert manager.wait_for('READY=1') == ['STATUS=serving on one, two']
    for _ in range(3):
        manager.wait_for('WATCHDOG=1')
    running.send_signal(signal.SIGTERM)
    assert manager.wait_for('STOPPING=1') == ['STATUS=what is open may finish, for 30 s']
    assert running.wait()[:2] == (0, 'NOTIFY_SOCKET\n')


@pytest.mark.parametrize('other', [
    "other.on('error', lambda _: None).listen(path='/no/where')",
    "other.listen(0, 'localhost'); one.on('listening', other.close)",
], ids=['fails', 'is closed'])
def test_one_whose_other_server_never_listens_is_ready_all_the_same(
    start_script: Start, manager: Manager, other: str,
) -> None:
    running = start_script(f"""
        import gnet

        one, other = gnet.create_server(), gnet.create_server()
        one.listen(path='one')
        {other}
        gnet.run()
        """, env={'NOTIFY_SOCKET': manager.address})
    assert manager.next() == ['READY=1', 'STATUS=serving on one']
    running.close()


def test_one_without_a_server_is_ready_when_it_runs(start_script: Start, manager: Manager) -> None:
    running = start_script(
        'import gevent, gnet; gevent.get_hub().loop.timer(3600).start(int); gnet.run()', env={
            'NOTIFY_SOCKET': manager.address, 'WATCHDOG_USEC': LONG, 'WATCHDOG_PID': '1'})
    assert manager.next() == ['READY=1', 'STATUS=running']
    running.close()
    assert manager.told == [['READY=1', 'STATUS=running']]  # and not the watchdog of another one


def test_a_primary_is_ready_when_a_worker_serves_and_children_say_nothing(
    start_script: Start, manager: Manager,
) -> None:
    running = start_script("""
        import os, gnet
        from gnet import cluster

        if cluster.is_primary:
            cluster.on('listening', lambda *_: print('listening', flush=True))
            cluster.fork()
        else:
            assert not {'NOTIFY_SOCKET', 'WATCHDOG_USEC'} & {*os.environ}
            gnet.create_server().listen(path='one')
        gnet.run()
        """, env={'NOTIFY_SOCKET': manager.address, 'WATCHDOG_USEC': LONG})
    assert manager.next() == ['WATCHDOG=1']
    assert manager.next() == ['READY=1', 'STATUS=workers serve']
    running.wait_for('listening')
    running.send_signal(signal.SIGTERM)
    assert running.wait().status == -signal.SIGTERM
    assert len(manager.told) == 2


WORKER = """
    import gnet

    def hang(sock):
        if sock.recv(1):
            while True:
                pass

    gnet.create_server(hang).listen(path='one')
"""


def test_a_supervisor_tells_of_workers_and_replaces_one_that_hangs(
    start_script: Start, manager: Manager, connect: Any, tmp_path: Path,
) -> None:
    running = start_script(
        WORKER, launcher=[*GNET, '--workers', '2'], merged=True,
        env={'NOTIFY_SOCKET': manager.address, 'WATCHDOG_USEC': SHORT, 'WATCHDOG_PID': None})
    at = f'STATUS=serving on {tmp_path}/one'
    assert manager.next() == ['WATCHDOG=1']
    assert manager.wait_for('READY=1') == [f'{at}, 1 worker']
    manager.wait_for(f'{at}, 2 workers')
    running.send_signal(signal.SIGHUP)
    assert manager.wait_for('RELOADING=1')[1] == 'STATUS=the workers are replaced'
    assert manager.wait_for('READY=1') == [f'{at}, 2 workers']
    running.wait_for('the workers were replaced')
    peer = connect(f'{tmp_path}/one')
    peer.sendall(b'x')
    running.wait_for(r'worker \d+ has not answered for 1 s and is killed')
    assert peer.recv_until_end() == b''
    manager.wait_for(f'{at}, 1 worker')
    manager.wait_for(f'{at}, 2 workers')
    running.send_signal(signal.SIGTERM)
    assert manager.wait_for('STOPPING=1') == [
        'STATUS=SIGTERM came: the workers finish what is open']
    assert running.wait().status == 0
    assert [lines[0] for lines in manager.told].count('READY=1') == 2
