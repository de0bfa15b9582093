"""``gnet doctor``: what runs here, what the system allows, and what it would change.

It looks, and changes nothing. It knows this process: the interpreter that ``gnet`` is installed in,
its environment variables and its limits, which a program that is started from here gets, too.
"""

from __future__ import annotations

import importlib
import json
import os
import platform
import resource
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import gevent
from gevent import monkey

from .._version import __version__
from ..loop import bare_hub
from ..node.records import NamedTuple
from .members import say
from .output import write
from .parser import CommandParser

__all__ = ['Findings', 'advice_on', 'examine', 'make_parser', 'run']

EXAMPLES = """\
  gnet doctor
  gnet doctor --json | jq .limits
  GEVENT_LOOP=libuv-cffi gnet doctor    as a program with that variable would find it
  gnet doctor --patch                   what gnet --patch changes
"""

#: Descriptors that a server should be allowed: each connection takes one, and a default of 1024
#: ends service long before anything else does.
ENOUGH_DESCRIPTORS = 65536

#: What ``listen()`` asks for, as in Node; the system cuts it to somaxconn without a word.
BACKLOG = 511

#: Ports for outgoing connections that a proxy should have to one address of a server.
ENOUGH_PORTS = 20000

#: What may be installed besides, and what for.
EXTRAS = {
    'cffi': 'the loop libuv-cffi', 'cryptography': 'the option pfx of TLS',
    'prometheus-client': 'gnet.metrics.register()',
}

#: Variables that matter, besides gevent's and gnet's own. (Others may hold secrets.)
_VARIABLES = (
    'NODE_EXTRA_CA_CERTS', 'NODE_TLS_REJECT_UNAUTHORIZED', 'NOTIFY_SOCKET', 'PYTHONDEVMODE',
    'SSL_CERT_DIR', 'SSL_CERT_FILE', 'WATCHDOG_USEC',
)

_SYSCTLS = Path('/proc/sys')


class Findings(NamedTuple):
    """What was found; each a table of names and values, but for the advice."""

    versions: dict[str, Any]
    loop: dict[str, Any]
    patched: dict[str, Any]
    limits: dict[str, Any]
    environment: dict[str, Any]


def make_parser() -> CommandParser:
    parser = CommandParser(
        'doctor', 'Say what runs here, what the system allows, and what to change. It changes '
        'nothing; status 0.', EXAMPLES)
    parser.add_argument('--json', action='store_true', help='for programs')
    parser.add_argument(
        '--patch', action='store_true', help='first do what gnet --patch does')
    return parser


def run(words: Sequence[str]) -> None:
    """Run it.

    Raises:
        SystemExit: a wrong usage; a loop or resolver that is none, status 1.
    """
    options = make_parser().parse_args(words)
    if options.patch:
        monkey.patch_all()
    try:
        found = examine()
    except ImportError as error:
        # GEVENT_LOOP or GEVENT_RESOLVER names what is not there.
        say(f'doctor: {error}')
        raise SystemExit(1) from None
    advice = advice_on(found)
    if options.json:
        write(json.dumps({**found._asdict(), 'advice': advice}, indent=2) + '\n')
        return
    lines = []
    for title, values in found._asdict().items():
        lines += [title, *(f'  {name:<24} {_shown(value)}' for name, value in values.items())]
    lines += ['advice', *(f'  - {line}' for line in advice or ['nothing to change']), '']
    write('\n'.join(lines))


def _shown(value: Any) -> str:
    if value is None:
        return 'unknown'
    if isinstance(value, bool):
        return 'yes' if value else 'no'
    if isinstance(value, list):
        return ', '.join(map(str, value)) or 'nothing'
    return str(value)


def examine() -> Findings:
    """Look at this process and its system."""
    soft, hard = (
        None if number == resource.RLIM_INFINITY else number
        for number in resource.getrlimit(resource.RLIMIT_NOFILE))
    return Findings(
        versions={
            'gnet': __version__,
            'python': f'{platform.python_version()} ({platform.python_implementation()})',
            'gevent': gevent.__version__,
            'greenlet': _version('greenlet'),
            'openssl': importlib.import_module('ssl').OPENSSL_VERSION,
            'system': f'{platform.system()} {platform.release()} {platform.machine()}',
            **{name: _version(name) for name in EXTRAS},
        },
        loop=bare_hub.facts(),
        patched={
            'patched': sorted(
                name for name in ('os', 'queue', 'select', 'selectors', 'signal', 'socket', 'ssl',
                                  'subprocess', 'threading', 'time')
                if monkey.is_module_patched(name)),
        },
        limits={
            'cores': _cores(),
            'descriptors': soft,
            'descriptors at most': hard,
            'somaxconn': _number('net/core/somaxconn'),
            'tcp_max_syn_backlog': _number('net/ipv4/tcp_max_syn_backlog'),
            'ip_local_port_range': _numbers('net/ipv4/ip_local_port_range'),
            'tcp_syncookies': _number('net/ipv4/tcp_syncookies'),
        },
        environment={
            name: value for name, value in sorted(os.environ.items())
            if name.startswith(('GEVENT_', 'GNET_', 'LISTEN_')) or name in _VARIABLES},
    )


def advice_on(found: Findings) -> list[str]:
    """Return what to change, in sentences; most important first."""
    limits, advice = found.limits, []
    soft, hard = limits['descriptors'], limits['descriptors at most']
    if soft is not None and soft < ENOUGH_DESCRIPTORS:
        how = f'LimitNOFILE={ENOUGH_DESCRIPTORS} in a unit of systemd, or limits.conf(5)'
        if hard is None or hard > soft:
            how = f'ulimit -n {min(hard or ENOUGH_DESCRIPTORS, ENOUGH_DESCRIPTORS)}, or {how}'
        advice.append(f'a process may have {soft} descriptors, and fewer connections: {how}')
    somaxconn, syn_backlog = limits['somaxconn'], limits['tcp_max_syn_backlog']
    if somaxconn is not None and somaxconn < BACKLOG:
        advice.append(
            f'somaxconn is {somaxconn}: connections that wait to be accepted are cut to that, '
            f'listen() asks for {BACKLOG}: sysctl -w net.core.somaxconn=4096')
    if syn_backlog is not None and syn_backlog < BACKLOG:
        advice.append(
            f'tcp_max_syn_backlog is {syn_backlog}: a burst of new clients is slow beyond that: '
            'sysctl -w net.ipv4.tcp_max_syn_backlog=4096')
    if limits['tcp_syncookies'] == 0:
        advice.append(
            'tcp_syncookies is off: who sends nothing but SYNs keeps others out: '
            'sysctl -w net.ipv4.tcp_syncookies=1')
    ports = limits['ip_local_port_range']
    if ports is not None and ports[1] - ports[0] < ENOUGH_PORTS:
        advice.append(
            f'there are {ports[1] - ports[0] + 1} ports for outgoing connections: a proxy has no '
            'more to one address: sysctl -w net.ipv4.ip_local_port_range="10240 65535"')
    return [*advice, *_advice_on_process(found)]


def _advice_on_process(found: Findings) -> list[str]:
    advice = []
    if (3, 12, 0) <= sys.version_info[:3] < (3, 12, 3):
        advice.append(
            'this Python starts no threads after the last line of a script: end it with '
            'gnet.run(), or take 3.12.3 or later')
    patched = found.patched['patched']
    if patched and 'socket' in patched and 'threading' not in patched:
        advice.append(
            'sockets are patched, and threads are not: a lock blocks the whole program: '
            'gevent.monkey.patch_all()')
    environment = found.environment
    if environment.get('GNET_STAY_ALIVE') == '0':
        advice.append(
            'GNET_STAY_ALIVE=0 is set: a script that does not end with gnet.run() serves nothing')
    for name in ('NODE_TLS_REJECT_UNAUTHORIZED', 'NODE_EXTRA_CA_CERTS'):
        if name in environment:
            advice.append(f'{name} is set, and means nothing to gnet: see docs/tls.md')
    if not found.loop['resolver'].startswith('gevent.resolver.thread'):
        advice.append(
            f'names are looked up by {found.loop["resolver"]}, which may answer otherwise than '
            'the system does')
    return advice


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return f'not installed; for {EXTRAS[name]}' if name in EXTRAS else None


def _cores() -> int | None:
    if hasattr(os, 'sched_getaffinity'):
        return len(os.sched_getaffinity(0))
    return os.cpu_count()


def _numbers(name: str) -> list[int] | None:
    """Return the numbers of a setting of Linux; None where there is no such thing.

    Elsewhere (macOS, a container without /proc) it is unknown, which is no reason for advice.
    """
    try:
        return [int(word) for word in (_SYSCTLS / name).read_text('ascii').split()]
    except (OSError, ValueError):
        return None


def _number(name: str) -> int | None:
    found = _numbers(name)
    return found[0] if found else None
