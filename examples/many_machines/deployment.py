"""All that the chat consists of, started on free ports of this machine, and what may befall it.

On machines of your own systemd does this: docs/many-machines.md has what to run where.
"""

import os
import shutil
import signal
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path

from gevent import sleep, subprocess

HERE = Path(__file__).resolve().parent
PATIENCE = 60.0  # seconds that something has to be ready
#: Where Debian has programs that are not on the PATH of everybody.
MORE_DIRECTORIES = '/usr/sbin:/sbin'
#: A header of the PROXY protocol: who is connected asks for himself.
LOCAL = b'\r\n\r\n\0\r\nQUIT\n\x20\0\0\0'


class Deployment:
    """HAProxy, some nodes, and Redis. Use it in a ``with`` block: at its end all is stopped."""

    host = '127.0.0.1'

    def __init__(self, directory, nodes, workers, durable=True):
        """Prepare it.

        Args:
            directory: for logs, sockets, and the data of the bus. It must be there.
            nodes: how many; 1 to 3.
            workers: how many processes a node has.
            durable: whether the bus has on disk what it has acknowledged; else what it was told in
                the last second is lost if its machine is (but not if only its process dies).
        """
        self.directory = Path(directory)
        self.port, self.bus_port, *self.node_ports = free_ports(2 + nodes)
        self.bus_url = f'redis://{self.host}:{self.bus_port}'
        self._workers = workers
        self._durable = durable
        self._admin = str(self.directory / 'haproxy')
        self._processes = {}
        self._logs = {}

    def __enter__(self):
        try:
            self.start_bus()
            for number in range(len(self.node_ports)):
                self.start_node(number)
            for number in range(len(self.node_ports)):
                self.wait_for_node(number)
            self._start_balancer()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *error):
        self.stop()

    def stop(self):
        for process in self._processes.values():
            end(process, signal.SIGKILL)
        for log in self._logs.values():
            log.close()

    # --- the bus ----------------------------------------------------------------------------------

    def start_bus(self):
        self._start('redis', [
            program('redis-server', 'redis-server'), '--bind', self.host,
            '--port', str(self.bus_port), '--dir', str(self.directory), '--save', '',
            '--appendonly', 'yes', '--appendfsync', 'always' if self._durable else 'everysec'])
        wait_until(lambda: answers(self.host, self.bus_port, b'PING\r\n', b'PONG'), 'the bus')

    def kill_bus(self):
        end(self._processes['redis'], signal.SIGKILL)

    def hang_bus(self, hangs):
        self._processes['redis'].send_signal(signal.SIGSTOP if hangs else signal.SIGCONT)

    # --- nodes ------------------------------------------------------------------------------------

    def start_node(self, number):
        # (Here the command of this very Python is used; "gnet" is the same.)
        self._start(f'node{number + 1}', [
            sys.executable, '-m', 'gnet', '--patch', '--workers', str(self._workers),
            '--drain-timeout', '10', str(HERE / 'node.py'), '--name', f'node{number + 1}',
            '--port', str(self.node_ports[number]), '--bus', self.bus_url, '--behind', self.host])

    def wait_for_node(self, number):
        wait_until(lambda: self.node_answers(number), f'node {number + 1}')

    def node_answers(self, number):
        return answers(self.host, self.node_ports[number], LOCAL + b'{"ping": 1}\n', b'pong')

    def kill_node(self, number):
        """End it as if its machine were gone: the supervisor and its workers, without a word."""
        process = self._processes[f'node{number + 1}']
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def kill_worker(self, number):
        """Kill its youngest worker; its supervisor starts another one."""
        os.kill(self.workers(number)[-1], signal.SIGKILL)

    def workers(self, number):
        """Return the processes of its workers, the old first, also of those that only drain."""
        supervisor = self._processes[f'node{number + 1}'].pid
        children = Path(f'/proc/{supervisor}/task/{supervisor}/children')
        return [int(worker) for worker in children.read_text().split()]

    def hang_node(self, number, hangs):
        """Stop all of its processes, as if its machine had vanished; or let them go on."""
        os.killpg(
            self._processes[f'node{number + 1}'].pid, signal.SIGSTOP if hangs else signal.SIGCONT)

    def reload_node(self, number):
        """Replace its workers, as for a new version of the program; return when that is done."""
        log = self.directory / f'node{number + 1}.log'
        before = log.read_text().count('the workers were replaced')
        self._processes[f'node{number + 1}'].send_signal(signal.SIGHUP)
        wait_until(
            lambda: log.read_text().count('the workers were replaced') > before, 'the reload')

    # --- the balancer -----------------------------------------------------------------------------

    def _start_balancer(self):
        environment = {
            'CHAT': f'{self.host}:{self.port}', 'ADMIN': self._admin,
            **{f'NODE_{number + 1}': f'{self.host}:{port}'
               for number, port in enumerate(self.node_ports)}}
        self._start(
            'haproxy', [program('haproxy', 'haproxy'), '-db', '-f', str(HERE / 'haproxy.cfg')],
            environment)
        wait_until(lambda: answers(self.host, self.port, b'{"ping": 1}\n', b'pong'), 'HAProxy')

    def tell_balancer(self, command):
        """Have HAProxy do a command of its management guide; return what it says."""
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(PATIENCE)
            sock.connect(self._admin)
            sock.sendall(command.encode() + b'\n')
            return b''.join(iter(lambda: sock.recv(65536), b'')).decode()

    def drain_node(self, number):
        """No new connections for it; those that it has are cut a moment later, and come again."""
        self.tell_balancer(f'set server nodes/node{number + 1} state drain')
        sleep(1)  # who has just come is answered before that
        self.tell_balancer(f'shutdown sessions server nodes/node{number + 1}')

    def ready_node(self, number):
        self.tell_balancer(f'set server nodes/node{number + 1} state ready')

    def balance(self):
        """Return how many connections each node has now, as HAProxy counts them."""
        return {row['svname']: int(row['scur']) for row in self._statistics(4)}

    def is_up(self, number):
        """Whether HAProxy takes a node for well ("UP 2/3": it has its doubts)."""
        name = f'node{number + 1}'
        return any(
            row['svname'] == name and row['status'][:2] == 'UP' for row in self._statistics(4))

    def failed_connections(self):
        """Return how many connections HAProxy has accepted and found no node for."""
        return sum(int(row['econ']) for row in self._statistics(2))

    def _statistics(self, kinds):
        """Return a dict for each backend (2) or server (4)."""
        answer = self.tell_balancer(f'show stat nodes {kinds} -1')
        header, *rows = answer.lstrip('# ').splitlines()
        return [dict(zip(header.split(','), row.split(','))) for row in rows if row]

    def process_of(self, name):
        """Return the number of the process of 'redis', 'haproxy' or 'node1', 'node2', …"""
        return self._processes[name].pid

    # --- processes --------------------------------------------------------------------------------

    def _start(self, name, command, environment=None):
        if name not in self._logs:
            self._logs[name] = open(self.directory / f'{name}.log', 'ab')  # noqa: SIM115
        # setpriv: whatever becomes of this process, nothing is left behind.
        self._processes[name] = subprocess.Popen(
            [program('setpriv', 'util-linux'), '--pdeathsig', 'KILL', *command],
            stdout=self._logs[name], stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
            env={**os.environ, **(environment or {})}, start_new_session=True)

    def log(self, name):
        return (self.directory / f'{name}.log').read_text(errors='replace')


def program(name, package):
    found = shutil.which(name, path=os.environ.get('PATH', os.defpath) + ':' + MORE_DIRECTORIES)
    if found is None:
        raise SystemExit(f'{name} is missing; install the Debian package {package}')
    return found


def end(process, number):
    if process.poll() is None:
        with suppress(ProcessLookupError):  # it has just ended
            os.killpg(process.pid, number)
    process.wait()


def free_ports(count):
    """Return ports that nobody listens on, and that the kernel gives nobody else for a while."""
    socks = [socket.socket() for _ in range(count)]
    for sock in socks:
        sock.bind(('127.0.0.1', 0))
    ports = [sock.getsockname()[1] for sock in socks]
    for sock in socks:
        sock.close()
    return ports


def answers(host, port, question, answer):
    """Whether who listens there answers so."""
    try:
        with socket.create_connection((host, port), timeout=2) as sock:
            sock.sendall(question)
            return answer in sock.recv(1000)
    except OSError:
        return False


class NotReadyError(Exception):
    """Something that is waited for does not come."""


def wait_until(condition, what):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise NotReadyError(f'{what} was not there in {PATIENCE:g} seconds')
        sleep(0.05)
