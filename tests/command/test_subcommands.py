"""Commands of gnet's own: how they are found, what is wrong with their words, what they tell."""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import signal
from typing import Any

import gevent
import pytest
from gevent import subprocess

from gnet.command import completion, doctor, main, subcommands
from gnet.command.program import find_script

from ..harness.plain import PlainSocket
from ..harness.waiting import PROCESS_PATIENCE
from .common import GNET, PATCHED

NAMES = [name for name in subcommands.SUBCOMMANDS if not name.startswith('-')]


def run(*words: str) -> None:
    found = subcommands.find(words)
    assert found is not None
    found()


# --- finding them -------------------------------------------------------------------------------


@pytest.mark.parametrize('words', [[], ['script.py'], ['./echo'], ['--patch', 'echo'], ['-m', 'x']])
def test_what_is_no_command_is_a_script(words: list[str]) -> None:
    assert subcommands.find(words) is None


def test_a_script_of_such_a_name_is_run_by_its_path(python: Any) -> None:
    python.write('echo', 'print("the script")')
    assert python.run(*GNET, './echo') == (0, 'the script\n', '')


@pytest.mark.parametrize('name', list(subcommands.SUBCOMMANDS))
def test_help_has_a_purpose_and_examples(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ends:
        run(name, '--help')
    assert ends.value.code == 0
    told = capsys.readouterr().out
    assert told.startswith(f'usage: gnet {name} ')
    assert '\nexamples:\n  ' in told
    assert f'gnet {name} ' in told.partition('\nexamples:\n')[2]


def test_the_help_of_gnet_lists_them() -> None:
    told = main.make_parser().format_help()
    for name, found in subcommands.SUBCOMMANDS.items():
        assert re.search(rf'^  gnet {name} +{re.escape(found.purpose)}$', told, re.MULTILINE)


# --- errors -------------------------------------------------------------------------------------


@pytest.mark.parametrize(('words', 'reason'), [
    ('echo', 'the following arguments are required: PLACE'),
    ('echo nonsense', "argument PLACE: 'nonsense' is neither HOST:PORT"),
    ('echo 7000 --tls one', 'argument --tls: expected 2 arguments'),
    ('echo 7000 --max-connections -1', 'argument --max-connections'),
    ('echo 7000 --nonsense', 'unrecognized arguments: --nonsense'),
    ('proxy 7000', 'the following arguments are required: TO'),
    ('proxy 7000 7001 --send-proxy 3', 'argument --send-proxy: invalid choice: 3'),
    ('serve', 'the following arguments are required: MODULE:HANDLER'),
    ('serve x --port 65536', '--port 65536: a port is a number from 0 to 65535'),
    ('serve x --path y --port 1', '--path is in place of --host and --port'),
    ('cat', 'the following arguments are required: PLACE'),
    ('cat 7000 --insecure', '--insecure is of --tls'),
    ('cat 7000 --timeout 0', "argument --timeout: '0' is no number of seconds"),
    ('doctor x', 'unrecognized arguments: x'),
    ('top', 'the following arguments are required: PID|PATH'),
    ('--completion', 'the following arguments are required: shell'),
    ('--completion tcsh', "argument shell: invalid choice: 'tcsh'"),
])
def test_a_wrong_usage_is_one_line(
    words: str, reason: str, capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as ends:
        run(*words.split())
    assert ends.value.code == 2
    name = words.split()[0]
    said = capsys.readouterr().err
    assert said.startswith(f'gnet {name}: {reason}')
    assert said.endswith(f' (gnet {name} --help)\n')
    assert said.count('\n') == 1


@pytest.mark.parametrize('what', ['chat.py:handler', './chat.py', 'src/chat:handler'])
def test_a_file_is_not_what_is_served_but_its_module(
    what: str, capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as ends:
        run('serve', what)
    assert ends.value.code == 2
    said = capsys.readouterr().err
    assert 'is a file; what is named is its module: chat:handler, ' in said
    assert said.count('\n') == 1


@pytest.mark.parametrize(('option', 'value'), [
    ('workers', '0'), ('drain-timeout', '-1'), ('metrics', 'x:y'), ('log-format', 'xml'),
    ('blocked', '0'),
])
def test_a_wrong_option_of_the_program_is_one_line(
    option: str, value: str, capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as ends:
        run('echo', '0', f'--{option}', value)
    assert ends.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith(f'gnet: argument --{option}: ')
    assert said.count('\n') == 1


def test_an_option_in_front_of_a_command_is_told_where_it_belongs(
    capsys: pytest.CaptureFixture[str], tmp_path: Any, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ends:
        find_script('echo')
    assert ends.value.code == 2
    assert capsys.readouterr().err.endswith(
        'No such file or directory (options of a command follow its name: gnet echo …)\n')


@pytest.mark.parametrize('host', ['127.0.0.1', '*', 'no.such.name.invalid'])
def test_a_port_that_is_taken_is_one_line_of_all_workers(
    capsys: pytest.CaptureFixture[str], host: str,
) -> None:
    with PlainSocket() as taken:
        taken.bind(('0.0.0.0', 0))
        taken.listen()
        with pytest.raises(SystemExit) as ends:
            run('echo', f'{host}:{taken.getsockname()[1]}', '--workers', '2')
    assert ends.value.code == 1
    said = capsys.readouterr().err
    assert said.startswith('gnet: echo: ')
    assert ('ENOTFOUND' if 'name' in host else 'listen EADDRINUSE: address already') in said
    assert said.count('\n') == 1


# --- doctor -------------------------------------------------------------------------------------


def test_doctor_tells_of_this_process(capsys: pytest.CaptureFixture[str]) -> None:
    run('doctor', '--json')
    told = json.loads(capsys.readouterr().out)
    assert told['versions'].keys() >= {'gnet', 'gevent', 'python', 'openssl'}
    assert told['loop']['loop'].startswith('gevent.')
    assert told['limits']['descriptors'] == resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    run('doctor')
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if not line.startswith(' ')] == [
        'versions', 'loop', 'patched', 'limits', 'environment', 'advice']
    assert all(line.startswith('  - ') for line in lines[lines.index('advice') + 1:])


FINE: dict[str, Any] = {
    'cores': 2, 'descriptors': 65536, 'descriptors at most': 65536, 'somaxconn': 4096,
    'tcp_max_syn_backlog': 4096, 'ip_local_port_range': [32768, 60999], 'tcp_syncookies': 1}


@pytest.mark.parametrize(('limits', 'advice'), [
    ({}, None),
    (dict.fromkeys(FINE), None),
    ({'descriptors': 1024}, 'ulimit -n 65536'),
    ({'descriptors': 1024, 'descriptors at most': 1024}, 'LimitNOFILE=65536'),
    ({'somaxconn': 128}, 'sysctl -w net.core.somaxconn='),
    ({'tcp_max_syn_backlog': 128}, 'sysctl -w net.ipv4.tcp_max_syn_backlog='),
    ({'ip_local_port_range': [60000, 60999]}, 'there are 1000 ports '),
    ({'tcp_syncookies': 0}, 'sysctl -w net.ipv4.tcp_syncookies=1'),
])
def test_advice_on_limits(limits: dict[str, Any], advice: str | None) -> None:
    found = doctor.examine()._replace(
        limits={**FINE, **limits}, patched={'patched': []}, environment={})
    given = [line for line in doctor.advice_on(found) if 'this Python' not in line]
    given = [line for line in given if 'names are looked up' not in line]
    assert len(given) == (advice is not None)
    if advice is not None:
        assert advice in given[0]


@pytest.mark.parametrize(('changes', 'advice'), [
    ({'patched': {'patched': ['socket']}}, 'threads are not'),
    ({'environment': {'GNET_STAY_ALIVE': '0'}}, 'serves nothing'),
    ({'environment': {'NODE_TLS_REJECT_UNAUTHORIZED': '0'}}, 'means nothing to gnet'),
    ({'loop': {'resolver': 'gevent.resolver.ares.Resolver'}}, 'gevent.resolver.ares'),
])
def test_advice_on_the_process(changes: dict[str, Any], advice: str) -> None:
    found = doctor.examine()._replace(
        limits=FINE, **{'patched': {'patched': []}, 'environment': {}, **changes})
    assert [line for line in doctor.advice_on(found) if advice in line]


def test_a_loop_that_is_none_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:
    def examine() -> Any:
        raise ImportError("Cannot import 'nonsense'.")

    monkeypatch.setattr(doctor, 'examine', examine)
    with pytest.raises(SystemExit) as ends:
        run('doctor')
    assert ends.value.code == 1
    assert capsys.readouterr().err == "gnet: doctor: Cannot import 'nonsense'.\n"


def test_output_that_is_closed_is_nobodys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('sys.stdout', None)
    run('--completion', 'bash')


@pytest.mark.skipif(not os.path.exists('/dev/full'), reason='there is no /dev/full')
def test_output_that_is_full_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:
    with open('/dev/full', 'w', encoding='ascii') as full:
        monkeypatch.setattr('sys.stdout', full)
        with pytest.raises(SystemExit) as ends:
            run('--completion', 'bash')
    assert ends.value.code == 1
    assert capsys.readouterr().err == 'gnet: [Errno 28] No space left on device\n'


# --- completion ---------------------------------------------------------------------------------


@pytest.mark.parametrize('name', ['', *NAMES])
def test_options_are_those_of_the_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    if name:
        with pytest.raises(SystemExit):
            run(name, '--help')
        told = capsys.readouterr().out
    else:
        told = main.make_parser().format_help()
    options = set(re.findall(r'^  (?:-h, )?(--[\w-]+)', told.split('\nexamples')[0], re.MULTILINE))
    assert {*completion.options_of(name)} - {'--completion'} == options


@pytest.mark.parametrize('shell', completion.SHELLS)
def test_a_shell_takes_the_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    run('--completion', shell)
    script = capsys.readouterr().out
    assert all(name in script for name in NAMES)
    if shutil.which(shell) is not None:
        checked = subprocess.run([shell, '-n'], input=script.encode(), check=False)
        assert checked.returncode == 0


@pytest.mark.parametrize(('words', 'expected'), [
    ('gnet ec', ['echo']), ('gnet echo --ma', ['--max-connections']),
    ('gnet --work', ['--workers']), ('gnet --completion z', ['zsh']),
    ('gnet cat --insec', ['--insecure']),
])
def test_bash_completes(
    words: str, expected: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Any,
) -> None:
    bash = shutil.which('bash')
    if bash is None:
        pytest.skip('bash is not installed here')
    run('--completion', 'bash')
    asked = words.split()
    script = capsys.readouterr().out + f"""
        COMP_WORDS=({words}); COMP_CWORD={len(asked) - 1}
        _gnet
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    found = subprocess.run([bash], input=script.encode(), capture_output=True, cwd=tmp_path,
                           check=True)
    assert found.stdout.decode().split() == expected


# --- as programs --------------------------------------------------------------------------------

APPLICATION = """
    def application(environ, start_response):
        start_response('200 OK', [('Content-Type', 'text/plain')])
        return [b'of a worker' if environ['wsgi.multiprocess'] else b'alone']
"""


def test_an_application_in_workers_is_drained(python: Any, connect: Any) -> None:
    python.write('shop.py', APPLICATION)
    started = python.start(
        *GNET, 'serve', '--wsgi', 'shop', '--port', '0', '--workers', '2', '--metrics', '0',
        '--log-format', 'text')
    try:
        port = said(started, r'listening on 127\.0\.0\.1:(\d+)')
        metrics = said(started, r'metrics are served at 127\.0\.0\.1:(\d+)')
        idle = connect(('127.0.0.1', int(port)))
        idle.sendall(b'GET / HTTP/1.1\r\nHost: x\r\n\r\n')
        assert idle.recv_exactly(12) == b'HTTP/1.1 200'
        scraped = connect(('127.0.0.1', int(metrics)))
        scraped.sendall(b'GET /metrics HTTP/1.0\r\n\r\n')
        assert b'gnet_workers 2' in scraped.recv_until_end()
        started.send_signal(signal.SIGTERM)
        assert idle.recv_until_end().endswith(b'of a worker')  # long before the 30 seconds
        assert started.wait(PROCESS_PATIENCE).status == 0
    finally:
        started.close()


def said(started: Any, pattern: str) -> str:
    """Return what is said on stderr, when it is."""
    with gevent.Timeout(PROCESS_PATIENCE):
        while True:
            found = re.search(pattern, started._errors())
            if found:
                return found[1]
            assert started.process.poll() is None, started._errors()
            gevent.sleep(0.02)


LEGACY = """
    import socket
    import socketserver
    import sys
    import threading
    import time

    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            time.sleep(0.01)
            self.wfile.write(self.rfile.readline().upper())

    class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
        daemon_threads = True

    def main():
        import gevent.monkey
        import gnet

        # An old server of threads, and one of gnet, in one process.
        old = Server(('127.0.0.1', 0), Handler)
        threading.Thread(target=old.serve_forever, daemon=True).start()
        new = gnet.serve(gnet.from_socketserver(Handler))
        for port in (old.server_address[1], new.address().port):
            with socket.create_connection(('127.0.0.1', port)) as sock:
                sock.sendall(b'hello\\n')
                print(sock.makefile().readline().strip(), flush=True)
        print(gevent.monkey.is_module_patched('threading'), __name__, sys.argv[1:])
        old.shutdown()
        old.server_close()
        new.stop(5)

    if __name__ == '__main__':
        main()
"""


def test_a_legacy_module_is_run_patched(python: Any) -> None:
    python.write('legacy/__init__.py', '')
    python.write('legacy/__main__.py', LEGACY)
    assert python.run(*PATCHED, '-m', 'legacy', 'an argument') == (
        0, "HELLO\nHELLO\nTrue __main__ ['an argument']\n", '')
