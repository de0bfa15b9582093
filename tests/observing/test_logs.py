"""The access log, its formats, and what a broken log costs."""

from __future__ import annotations

import io
import json
import logging
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gevent
import pytest

import gnet
from gnet import logs, metrics
from gnet.observing import access_log
from gnet.observing.log_formats import Fields

from ..harness.families import Family
from ..harness.listening import drain
from ..harness.native import Peer
from ..harness.waiting import until
from .common import address_of

Serve = Callable[..., gnet.Server]
Connect = Callable[..., Peer]
Lines = Callable[..., list[dict[str, Any]]]

TIME = re.compile(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z')


@pytest.fixture(autouse=True)
def _logger() -> Iterator[None]:
    """Put gnet's loggers back as they were."""
    logger = logging.getLogger('gnet')
    handlers, propagate = logger.handlers[:], logger.propagate
    yield
    logs.stop_access_log()
    logger.handlers[:], logger.propagate = handlers, propagate


@pytest.fixture
def lines(tmp_path: Path) -> Iterator[Lines]:
    """``lines(count)`` waits for so many lines of the access log, in JSON, and returns them."""
    path = tmp_path / 'access.log'
    with path.open('w') as file:
        logs.configure('json', access_log=True, stream=file)

        def read(count: int = 1) -> list[dict[str, Any]]:
            until(lambda: path.read_text().count('\n') >= count)
            return [json.loads(line) for line in path.read_text().splitlines()]

        yield read


def record(message: Any, *args: Any, **more: Any) -> logging.LogRecord:
    return logging.LogRecord('gnet.test', logging.WARNING, __file__, 1, message, args, None, **more)


# --- connections --------------------------------------------------------------------------------


def test_a_connection_is_a_line_at_its_end(
    serve: Serve, connect: Connect, lines: Lines,
) -> None:
    server = serve(lambda sock: sock.pipe(sock))
    peer = connect(server)
    peer.sendall(b'12345')
    assert peer.recv(5) == b'12345'
    host, port = peer.plain.getsockname()
    peer.close()
    [line] = lines()
    assert TIME.fullmatch(line.pop('time'))
    assert 0 < line.pop('duration') < 30
    assert line == {
        'level': 'INFO', 'logger': 'gnet.access', 'pid': os.getpid(), 'event': 'connection',
        'peer': f'{host}:{port}', 'local': address_of(server), 'server': address_of(server),
        'received': 5, 'sent': 5, 'reason': 'peer'}


def test_each_family_has_its_addresses(
    serve: Serve, connect: Connect, lines: Lines, family: Family,
) -> None:
    server = serve(drain, target=family.listen_options)
    connect(server).close()
    [line] = lines()
    if family.path:
        assert (line['peer'], line['local']) == ('unix', family.path)
    else:
        assert line['local'] == address_of(server)
        assert re.fullmatch(r'(127\.0\.0\.1|\[::1\]):\d+', line['peer'])


def test_a_server_on_all_addresses_tells_which_one_it_was(
    serve: Serve, connect: Connect, lines: Lines,
) -> None:
    server = serve(drain, target={'host': '0.0.0.0', 'port': 0})
    metrics.name_server(server, 'front')
    port = server.address().port
    connect(('127.0.0.1', port)).close()
    [line] = lines()
    assert (line['local'], line['server']) == (f'127.0.0.1:{port}', 'front')


def fail(sock: gnet.Socket) -> None:
    sock.on('error', lambda error: None)
    raise LookupError('no such thing')


@pytest.mark.parametrize(('handler', 'do', 'reason'), [
    (drain, Peer.end, 'peer'),
    (lambda sock: sock.destroy(), Peer.recv, 'local'),
    (drain, Peer.reset, 'ECONNRESET'),
    (fail, Peer.recv, 'LookupError'),
])
def test_the_reason_of_its_end(
    serve: Serve, connect: Connect, lines: Lines, handler: Any, do: Any, reason: str,
) -> None:
    server = serve(handler)
    peer = connect(server)
    do(peer)
    until(lambda: [line for line in lines() if line.get('event') == 'connection'])
    found = [line['reason'] for line in lines() if line.get('event') == 'connection']
    assert found == [reason]


def test_an_idle_peer_is_a_reason(serve: Serve, connect: Connect, lines: Lines) -> None:
    def impatient(sock: gnet.Socket) -> None:
        sock.settimeout(0.01)
        sock.recv(1)

    connect(serve(impatient))
    until(lambda: any(line.get('event') == 'connection' for line in lines()))
    [line] = [line for line in lines() if line.get('event') == 'connection']
    assert line['reason'] in ('ETIMEDOUT', 'TimeoutError')


def test_tls_tells_its_version_and_the_name_that_was_asked_for(
    serve_tls: Callable[..., Any], connect: Connect, lines: Lines,
) -> None:
    from gnet import tls

    server = serve_tls(lambda sock: sock.pipe(sock))
    sock = tls.connect({
        'port': server.address().port, 'host': '127.0.0.1', 'servername': 'localhost',
        'reject_unauthorized': False})
    sock.sendall(b'x')
    assert sock.recv(1) == b'x'
    sock.close()
    [line] = lines()
    assert (line['tls'], line['sni'], line['received']) == ('TLSv1.3', 'localhost', 1)
    connect(server).sendall(b'this is no TLS\r\n\r\n')
    line = lines(2)[1]
    assert 'tls' not in line
    assert line['reason'].startswith('ERR_SSL_')


def test_connections_of_the_metrics_server_and_of_the_program_are_none(
    serve: Serve, connect: Connect, lines: Lines,
) -> None:
    asked = metrics.serve(0)
    peer = connect(asked)
    peer.sendall(b'GET / HTTP/1.0\r\n\r\n')
    assert peer.recv_until_end()
    peer.close()
    asked.stop()
    metrics.stop()
    server = serve(drain)
    gnet.connect(server.address().port, '127.0.0.1').end()
    [line] = lines()
    assert line['server'] == address_of(server)
    gevent.idle()
    assert len(lines()) == 1


def test_nothing_is_said_when_it_was_stopped(
    serve: Serve, connect: Connect, lines: Lines,
) -> None:
    server = serve(drain)
    connect(server).close()
    lines()
    logs.stop_access_log()
    logs.stop_access_log()
    connect(server).close()
    until(lambda: server.get_connections() == 0)
    assert len(lines()) == 1


def test_a_level_of_the_program_counts(
    serve: Serve, connect: Connect, lines: Lines,
) -> None:
    logging.getLogger('gnet.access').setLevel(logging.ERROR)
    try:
        server = serve(drain)
        connect(server).close()
        until(lambda: server.get_connections() == 0)
        assert lines(0) == []
    finally:
        logging.getLogger('gnet.access').setLevel(logging.INFO)


@pytest.mark.parametrize('style', ['json', 'text'])
def test_a_line_is_the_same_whoever_else_listens(
    serve: Serve, connect: Connect, tmp_path: Path, style: str,
) -> None:
    logger, seen = logging.getLogger('gnet.access'), []

    def see(record: logging.LogRecord) -> bool:
        seen.append(record.getMessage())
        return True

    path = tmp_path / 'access.log'
    server = serve(drain)
    metrics.name_server(server, 'a "name" \N{SNOWMAN}')
    with path.open('w') as file:
        handler = logs.configure(style, access_log=True, stream=file)
        listener = logging.Handler()
        listener.emit = see  # type: ignore[assignment]  # in the place of a class
        for count, (add, remove, what) in enumerate([
            (lambda what: None, lambda what: None, None),
            (logger.addFilter, logger.removeFilter, see),
            (handler.addFilter, handler.removeFilter, see),
            (logger.addHandler, logger.removeHandler, listener),
        ], 1):
            add(what)
            connect(server).close()
            until(lambda count=count: path.read_text().count('\n') == count)
            remove(what)
    assert len(seen) == 3, 'the first one needs no record'
    varies = re.compile(r'T[\d:.]+Z|127\.0\.0\.1:\d+|(?<=duration[=":])[":\d.e-]+')
    assert len({varies.sub('', line) for line in path.read_text().splitlines()}) == 1


# --- drops --------------------------------------------------------------------------------------


def test_drops_are_some_lines_for_each_reason_and_then_a_number(
    serve: Serve, connect: Connect, lines: Lines, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(access_log, 'WINDOW', 0.3)
    monkeypatch.setattr(access_log, 'MAX_DROPS', 2)
    server = serve(drain)
    server.max_connections = 0
    peers = [connect(server) for _ in range(5)]
    for peer in peers:
        assert peer.recv() == b''
    until(lambda: sum(line.get('more', 1) for line in lines()) == 5)
    *single, summary = lines()
    assert {line['event'] for line in single} == {'dropped'}
    assert {line['reason'] for line in single} == {'max_connections'}
    assert single[0]['peer'].startswith('127.0.0.1:')
    assert single[0]['server'] == address_of(server)
    assert 'more' in summary
    assert len(single) < 5


def test_the_number_is_told_at_the_end_of_the_log_and_of_the_program(
    serve: Serve, connect: Connect, lines: Lines, run_script: Any,
) -> None:
    server = serve(drain)
    server.max_connections = 0
    for _ in range(access_log.MAX_DROPS + 2):
        assert connect(server).recv() == b''
    lines(access_log.MAX_DROPS)
    logs.stop_access_log()
    assert [line['more'] for line in lines() if 'more' in line] == [2]
    status, _, errors = run_script("""
        import gnet
        gnet.logs.configure('json', access_log=True)
        server = gnet.Server()
        for _ in range(9):
            gnet.lifecycle.publish(
                gnet.lifecycle.ConnectionDropped, server, None,
                gnet.lifecycle.DropReason.MAX_CONNECTIONS)
        gnet.run()
    """)
    assert (status, errors.count('\n'), errors.count('"more":4')) == (0, 6, 1)


# --- formats ------------------------------------------------------------------------------------


def test_text_is_one_line_with_names() -> None:
    line = logs.TextFormatter().format(record(Fields(
        'connection', {'peer': '[::1]:80', 'sni': 'a b', 'tls': None, 'n': 5, 'empty': ''})))
    assert TIME.match(line)
    assert line.partition(' ')[2] == (
        f'WARNING gnet.test [{os.getpid()}] connection peer=[::1]:80 sni="a b" n=5 empty=""')


@pytest.mark.parametrize('nasty', ['\n', '\r', '\x1b[2J', '\x00', '\x85', '\u2028', '"', '\\n'])
def test_what_a_peer_says_is_never_a_line_of_its_own(nasty: str) -> None:
    text = logs.TextFormatter()
    for message in (Fields('x', {'sni': f'a{nasty}b'}), f'a{nasty}b'):
        line = text.format(record(message))
        assert len(line.splitlines()) == 1
        assert '\x1b' not in line
        assert '\x00' not in line
        line = logs.JsonFormatter().format(record(message))
        assert len(line.splitlines()) == 1
        assert line.isascii()
        assert f'a{nasty}b' in json.loads(line).values()


def test_json_has_message_and_exception() -> None:
    try:
        raise LookupError('gone')
    except LookupError:
        line = json.loads(logs.JsonFormatter().format(
            logging.LogRecord('gnet.x', 40, '', 1, 'it is %s', ('so',), sys.exc_info())))
    assert line['message'] == 'it is so'
    assert line['exception'].endswith('LookupError: gone')
    assert 'worker' not in line


def test_other_loggers_of_gnet_have_the_format_too(lines: Lines) -> None:
    logging.getLogger('gnet.server').warning('out of %s', 'descriptors')
    [line] = lines()
    assert (line['logger'], line['message']) == ('gnet.server', 'out of descriptors')


@pytest.mark.parametrize('style', ['xml', None, ['json'], {}])
def test_a_style_that_is_none(style: Any) -> None:
    with pytest.raises(gnet.CodedTypeError, match="must be 'text' or 'json'"):
        logs.configure(style)
    assert logs.startAccessLog is logs.start_access_log


@pytest.mark.parametrize('stream', [io.StringIO(), io.BytesIO(), 2, 'access.log', Path('x')])
def test_a_stream_that_is_none_is_no_log_that_loses_all(stream: Any) -> None:
    with pytest.raises(gnet.CodedTypeError) as caught:
        logs.configure(stream=stream)
    assert caught.value.code == 'ERR_INVALID_ARG_TYPE'


def test_configured_again_it_says_nothing_twice(lines: Lines, tmp_path: Path) -> None:
    with (tmp_path / 'other.log').open('w') as other:
        logs.configure('text', stream=other)
        logging.getLogger('gnet.server').warning('once')
    assert (tmp_path / 'other.log').read_text().count('once') == 1
    assert lines(0) == []


def test_the_text_of_an_exception_begins_no_line() -> None:
    try:
        raise LookupError('x\n2026-01-31T12:00:00.000Z INFO gnet.access \r\x1b[2J')
    except LookupError:
        text = logs.TextFormatter().format(
            logging.LogRecord('gnet.x', 40, '', 1, 'failed', (), sys.exc_info(), sinfo='a\nb'))
    first, *others = text.splitlines()
    assert first.endswith(' failed')
    assert all(line.startswith('    ') for line in others)
    assert '    LookupError: x' in others
    assert '\x1b' not in text


# --- a broken log -------------------------------------------------------------------------------


def handler_on(stream: Any) -> logs.LineHandler:
    handler = logs.LineHandler(stream)
    handler.setFormatter(logging.Formatter('%(message)s'))
    return handler


def test_a_disk_that_is_full_costs_the_line_and_not_the_connection(
    serve: Serve, connect: Connect, capfd: pytest.CaptureFixture[str],
) -> None:
    if not Path('/dev/full').exists():
        pytest.skip('there is no /dev/full')
    with Path('/dev/full').open('w') as full:
        handler = logs.configure('text', access_log=True, stream=full)
        server = serve(lambda sock: sock.pipe(sock))
        for _ in range(2):
            peer = connect(server)
            peer.sendall(b'x')
            assert peer.recv(1) == b'x'
            peer.close()
        until(lambda: handler.lost == 2)
    assert capfd.readouterr() == ('', ''), 'nor does it say so for each'


def test_a_pipe_that_nobody_reads_holds_up_nobody() -> None:
    reader, writer = os.pipe()
    with os.fdopen(reader, 'rb') as out, os.fdopen(writer, 'wb', buffering=0) as stream:
        handler = handler_on(stream)
        written = 0
        while not handler.lost:
            handler.emit(record('x' * 999))
            written += not handler.lost
        handler.emit(record('lost, too'))
        assert handler.lost == 2
        for _ in range(written):
            assert out.readline() == b'x' * 999 + b'\n'
        handler.emit(record('again'))
        assert out.readline() == b'2 lines of this log were lost\n'
        assert out.readline() == b'again\n'
        handler.emit(record('and on'))
        assert out.readline() == b'and on\n'


def test_what_was_printed_before_does_not_wait_either() -> None:
    reader, writer = os.pipe()
    with os.fdopen(reader, 'rb'), os.fdopen(writer, 'w') as stream:
        handler = handler_on(stream)
        while not handler.lost:
            handler.emit(record('x' * 999))
        stream.write('printed')
        handler.emit(record('lost, too'))
        assert handler.lost == 2
        os.set_blocking(reader, False)
        os.read(reader, 1_000_000)
        handler.emit(record('again'))
        assert os.read(reader, 100) == b'printed2 lines of this log were lost\nagain\n'


def test_a_long_line_that_was_torn_is_not_continued_by_the_next_one() -> None:
    reader, writer = os.pipe()
    with os.fdopen(reader, 'rb') as out, os.fdopen(writer, 'wb', buffering=0) as stream:
        handler = handler_on(stream)
        handler.emit(record('x' * 1_000_000))  # more than a pipe takes
        assert handler.lost == 1
        os.set_blocking(reader, False)
        torn = out.read()
        assert set(torn) == {ord('x')}
        handler.emit(record('whole'))
        assert out.read().splitlines() == [b'', b'1 line of this log was lost', b'whole']


def test_a_reader_that_is_gone_and_a_stream_that_is_closed() -> None:
    reader, writer = os.pipe()
    os.fdopen(reader, 'rb').close()  # at once, also where gevent has patched os.close
    with os.fdopen(writer, 'wb', buffering=0) as stream:
        handler = handler_on(stream)
        handler.emit(record('x'))
        assert handler.lost == 1
    handler.emit(record('x'))
    assert handler.lost == 2


def test_without_stderr(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, 'stderr', None)
    handler = logs.LineHandler()
    handler.emit(record('x'))
    assert handler.lost == 1


def test_a_mistake_of_who_logs_is_reported_as_ever(capsys: pytest.CaptureFixture[str]) -> None:
    handler_on(None).emit(record('%d', 'no number'))
    assert '--- Logging error ---' in capsys.readouterr().err
