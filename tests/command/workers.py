"""Programs with workers: ``python -m gnet --workers N``, seen from outside."""

from __future__ import annotations

import json
import os
import re
import signal
import textwrap
from collections.abc import Callable
from pathlib import Path

from gevent.socket import wait_read

from ..harness.scripts import Running, Scripts
from ..harness.waiting import PROCESS_PATIENCE

#: Answers each connection with the number of its process. A line "slow" is answered only after
#: another line; "exit" and "hang" say what the worker does then.
SERVER = """
    import os, signal, sys
    import gnet

    server = gnet.create_server()

    @server.on('connection')
    def answer(sock):
        with sock.makefile('rw') as lines:
            words = lines.readline().split()
            if words == ['slow']:
                print('slow', flush=True)
                lines.readline()
            lines.write(f'{os.getpid()}\\n')
            lines.flush()
            if words and words[0] == 'exit':
                os._exit(int(words[1]))
            if words == ['hang']:
                while True:
                    pass

    def listening():
        os.write(1, b'worker %d listens on %d\\n' % (os.getpid(), server.address().port))

    server.listen(0, '127.0.0.1', callback=listening)
"""

#: A client that makes one connection after another until its stdin ends, and tells which processes
#: have answered, and what went wrong.
CLIENT = """
    import json, select, socket, sys

    def ask(port):
        with socket.create_connection(('127.0.0.1', port), timeout=10) as sock:
            sock.sendall(b'\\n')
            answer = b''
            while True:
                data = sock.recv(100)
                if not data:
                    return int(answer)
                answer += data

    answers, failures = [ask(int(sys.argv[1]))], []
    print('begun', flush=True)
    while not select.select([sys.stdin], [], [], 0)[0]:
        try:
            answers.append(ask(int(sys.argv[1])))
        except Exception as error:
            failures.append(repr(error))
    print(json.dumps([answers, failures]))
"""

#: Runs the command with other constants.
PRIMARY = """
    import os, sys
    from gnet.command import ending, members as staff, reload, supervisor
    from gnet.command.main import main

    def failed(text):
        supervisor.say(f'not in the table: {{text}}')
        os._exit(70)

    watch(staff.Member, 'role', staff.FOLLOWS, failed)
    watch(ending.Ending, 'phase', ending.FOLLOWS, failed)
    {changes}
    main(sys.argv[1:])
"""


class Program:
    """A program with workers."""

    def __init__(self, scripts: Scripts, running: Running, count: int) -> None:
        self._scripts = scripts
        self.running = running
        self.count = count
        self.port = 0
        self.workers: set[int] = set()
        self.directory = scripts._directory
        self.script = scripts._directory / 'script.py'

    def wait_until_listening(self, count: int | None = None) -> set[int]:
        """Wait until as many workers have said so; return the numbers of these processes."""
        pids = set()
        for _ in range(self.count if count is None else count):
            match = self.wait_for(r'worker (\d+) listens on (\d+)')
            pids.add(int(match[1]))
            self.port = int(match[2])
        return pids

    def wait_for(self, pattern: str) -> re.Match[str]:
        return self.running.wait_for(pattern)

    def kill(self, number: signal.Signals) -> None:
        """Send a signal to the primary alone."""
        self.running.send_signal(number)

    @property
    def pid(self) -> int:
        pid: int = self.running.process.pid
        return pid

    def wait(self) -> tuple[int, list[str]]:
        """Wait for the end of all processes; return the primary's status and what it said."""
        ended = self.running.wait()
        said = [line.partition(': ')[2] for line in ended.stdout.splitlines()
                if line.startswith('gnet: ')]
        return ended.status, said

    def load(self) -> Callable[[], tuple[list[int], list[str]]]:
        """Start a client; what is returned stops it and returns its answers and failures."""
        path = self._scripts._directory / 'client.py'
        path.write_text(textwrap.dedent(CLIENT), encoding='utf-8')
        client = self._scripts.start(path, str(self.port), launcher=[])
        client.wait_for('begun')

        def stop() -> tuple[list[int], list[str]]:
            answers, failures = json.loads(client.wait().stdout.splitlines()[-1])
            return answers, failures

        return stop


def end_of(pid: int) -> Callable[[], None]:
    """Return what waits until the running process *pid* has ended, whoever's child it is."""
    descriptor = os.pidfd_open(pid)

    def wait() -> None:
        try:
            wait_read(descriptor, timeout=PROCESS_PATIENCE)
        finally:
            os.close(descriptor)

    return wait


def children_of(pid: int) -> dict[int, str]:
    """Return the children of *pid* and the state of each ('Z' for zombies)."""
    children = {}
    for entry in Path('/proc').iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / 'stat').read_text().rpartition(')')[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if int(fields[1]) == pid:
                children[int(entry.name)] = fields[0]
    return children


# --- SIGTERM --------------------------------------------------------------------------------------


def slow(program, connect):
    """Have a worker begin with a request; return the client."""
    peer = connect(('127.0.0.1', program.port))
    peer.sendall(b'slow\n')
    program.wait_for('^slow$')
    return peer


def connect_until_refused(program, connect):
    """Return as soon as the primary has closed its listener."""
    while True:
        try:
            connect(('127.0.0.1', program.port)).close()
        except ConnectionRefusedError:
            return
