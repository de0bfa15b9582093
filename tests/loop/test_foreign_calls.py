"""``gnet.call_from_thread()``: what another thread wants done is done in the loop's."""

from __future__ import annotations

import concurrent.futures
import functools
from collections.abc import Callable
from typing import Any

import gevent
import pytest
from gevent import monkey
from gevent.event import Event

import gnet

from ..harness.waiting import PATIENCE, until

Serve = Callable[..., gnet.Server]

get_ident = monkey.get_original('_thread', 'get_ident')


def test_it_is_called_in_the_loops_thread_and_may_block(foreign: Any) -> None:
    def there(word: str) -> tuple[str, int, bool]:
        gevent.sleep(0.001)
        return word, get_ident(), gevent.getcurrent() is gevent.get_hub()

    def call() -> Any:
        future = gnet.call_from_thread(there, 'said')
        assert isinstance(future, concurrent.futures.Future)
        return future.result(PATIENCE)

    assert foreign(call) == ('said', get_ident(), False)


def test_it_raises_in_the_other_thread_and_nowhere_else(foreign: Any) -> None:
    def call() -> Any:
        future = gnet.call_from_thread(int, 'x')
        with pytest.raises(ValueError, match='invalid literal'):
            future.result(PATIENCE)
        return str(future.exception(PATIENCE))

    assert 'invalid literal' in foreign(call)


def test_a_failure_that_nobody_asks_for_is_the_programs(
    foreign: Any, hub_reports: list[tuple[object, BaseException]],
) -> None:
    foreign(lambda: gnet.call_from_thread(int, 'x') and None)
    until(lambda: hub_reports)
    assert [type(error) for _, error in hub_reports] == [ValueError]
    gevent.get_hub()._gnet_loop.failed = False  # type: ignore[attr-defined]


def test_one_that_ends_run_ends_it_with_that(run_script: Any) -> None:
    finished = run_script("""
        import gnet
        from gevent import monkey
        server = gnet.create_server().listen(0)
        monkey.get_original('_thread', 'start_new_thread')(
            lambda: gnet.call_from_thread(lambda: [][0]) and None, ())
        try:
            gnet.run()
        except IndexError as error:
            print('ended by', error)
        server.close()
    """)
    assert finished == (0, 'ended by list index out of range\n', '')


def test_who_waits_with_a_callback_is_told(foreign: Any) -> None:
    told: list[Any] = []

    def call() -> None:
        future = gnet.call_from_thread(int, 'x')
        future.add_done_callback(lambda future: told.append(future.exception()))

    foreign(call)
    until(lambda: told)
    assert isinstance(told[0], ValueError)


def test_calls_begin_in_their_order_and_do_not_wait_for_each_other(foreign: Any) -> None:
    begun: list[int] = []
    go_on = Event()

    def wait(number: int) -> int:
        begun.append(number)
        go_on.wait()
        return number

    def call() -> Any:
        futures = [gnet.call_from_thread(wait, number) for number in range(20)]
        gnet.call_from_thread(go_on.set)
        return [future.result(PATIENCE) for future in futures]

    assert foreign(call) == begun == list(range(20))


def test_one_that_has_not_begun_can_be_cancelled(foreign: Any) -> None:
    called: list[int] = []
    # In the loop's thread, which begins with it only later.
    assert gnet.call_from_thread(called.append, 1).cancel()
    foreign(lambda: gnet.call_from_thread(int).result(PATIENCE))
    assert called == []


def test_who_has_waited_in_vain_may_be_gone_when_it_ends(run_script: Any) -> None:
    # In a patched process, a thread waits by its hub.
    assert run_script("""
        import concurrent.futures
        import gevent, gnet
        from gevent import monkey
        from gevent.event import Event
        go_on, left = Event(), Event()
        server = gnet.create_server().listen(0)
        loop = gevent.get_hub().loop

        def thread():
            global call
            call = gnet.call_from_thread(go_on.wait)
            for _ in range(3):
                try:
                    call.result(0.01)
                except concurrent.futures.TimeoutError:
                    print('not yet')
            gevent.get_hub().destroy(destroy_loop=True)
            loop.run_callback_threadsafe(left.set)

        monkey.get_original('_thread', 'start_new_thread')(thread, ())
        left.wait()
        go_on.set()
        while not call.done():
            gevent.sleep(0)
        print(call.result())
        server.close()
    """) == (0, 'not yet\n' * 3 + 'True\n', '')


@pytest.mark.parametrize('wrap', [lambda call: call, functools.partial], ids=['method', 'partial'])
def test_a_method_is_called_in_the_thread_of_its_object(run_script: Any, wrap: Any) -> None:
    wrapped = 'functools.partial' if wrap is functools.partial else ''
    assert run_script(f"""
        import functools, gnet
        from gevent import monkey
        start = monkey.get_original('_thread', 'start_new_thread')
        lock = monkey.get_original('_thread', 'allocate_lock')
        ready, over = lock(), lock()
        ready.acquire(), over.acquire()
        said = []
        mine = gnet.create_server().listen(0)  # there is a loop in the main thread, too

        def serve():
            global server, sock
            server = gnet.create_server(lambda peer: peer.pipe(peer)).listen(0)
            sock = gnet.connect(server.address().port, ready.release)
            sock.on('data', said.append)
            sock.on('close', lambda _: server.close())
            gnet.run()
            over.release()

        start(serve, ())
        ready.acquire()
        assert gnet.call_from_thread({wrapped}(sock.write), b'x').result(9) is True
        assert gnet.call_from_thread({wrapped}(server.get_connections)).result(9) == 1
        gnet.call_from_thread({wrapped}(sock.end), b'bye').result(9)
        over.acquire()
        mine.close()
        print(b''.join(said))
    """) == (0, "b'xbye'\n", '')


def test_where_gnet_is_used_in_one_other_thread_only_it_is_that(run_script: Any) -> None:
    assert run_script("""
        import gnet
        from gevent import monkey
        start = monkey.get_original('_thread', 'start_new_thread')
        get_ident = monkey.get_original('_thread', 'get_ident')
        lock = monkey.get_original('_thread', 'allocate_lock')
        ready, over = lock(), lock()
        ready.acquire(), over.acquire()
        try:
            gnet.call_from_thread(print)
        except gnet.CodedRuntimeError as error:
            print(error.code)

        def serve():
            global server
            server = gnet.create_server().listen(0)
            server.on('listening', ready.release)
            gnet.run()
            over.release()

        start(serve, ())
        ready.acquire()
        print(gnet.call_from_thread(get_ident).result(9) != get_ident())
        gnet.call_from_thread(lambda: server.close() and None).result(9)
        over.acquire()
    """) == (0, 'ERR_NO_LOOP\nTrue\n', '')


def test_what_cannot_be_called_is_refused_at_once() -> None:
    with pytest.raises(gnet.CodedTypeError, match='"function" argument'):
        gnet.call_from_thread('print')  # type: ignore[arg-type]


def test_it_wakes_a_loop_that_waits_for_nothing_else(serve: Serve, native: Any) -> None:
    serve()
    over = Event()
    native(lambda: gnet.callFromThread(over.set) and None)
    assert over.wait(PATIENCE)


@pytest.mark.parametrize('end', ['sys.exit(3)', 'raise KeyboardInterrupt'])
def test_what_ends_a_program_ends_it(run_script: Any, end: str) -> None:
    finished = run_script(f"""
        import sys, gnet
        from gevent import monkey
        server = gnet.create_server().listen(0)
        def leave():
            {end}
        said = []
        def thread():
            try:
                gnet.call_from_thread(leave).result(9)
            except BaseException as error:
                said.append(type(error).__name__)
        monkey.get_original('_thread', 'start_new_thread')(thread, ())
        try:
            gnet.run()
        finally:
            while not said:
                pass
            print(said, flush=True)
    """)
    name = 'SystemExit' if 'sys' in end else 'KeyboardInterrupt'
    assert finished.stdout == f"['{name}']\n"
    assert finished.status == (3 if 'sys' in end else -2)
