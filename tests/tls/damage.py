"""TLS connections whose bytes are damaged on the way, at random: what must hold all the same.

    python -m tests.tls.damage --count 10000

Both ends are gnet's, in either style, with :class:`.middle.Middle` between them. Of each of them:

- what arrives is a beginning of what was sent;
- an end that is neither an error nor ``truncated`` comes behind all that was sent;
- the server hears of each connection once, by `'secureConnection'` or by `'tlsClientError'`;
- both ends come to `'close'`; nothing is left, and nobody but the ends hears of a failure;
- what was not damaged arrives.

A number is a seed: ``--first N --count 1`` does the same once more.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Any

import gevent
from gevent.event import Event
from gevent.pool import Pool

import gnet
from gnet import tls

from ..harness.authority import NAMES, authority
from ..harness.leaks import Snapshot, prepare
from .middle import Damage, Middle, drawn

__all__ = ['Arena', 'FindingError', 'Trial', 'main']

#: Seconds that a connection may take, on a busy machine; and milliseconds that its handshake may,
#: where damage can leave both ends waiting for each other.
_PATIENCE, _HANDSHAKE_TIMEOUT = 20, 2000

#: Bytes that an end sends.
_SIZES = (0, 1, 100, 5000, 16384, 40_000)

#: The farthest byte that may be damaged.
_FARTHEST = 45_000


class FindingError(AssertionError):
    """Something did not hold."""


class End:
    """One end of a connection, and what has become of it."""

    def __init__(self, sock: Any, payload: bytes, *, blocks: bool) -> None:
        self.sock = sock
        self.received = b''
        self.is_secure = False
        self.has_ended = False
        self.error: BaseException | None = None
        self.closed = Event()
        sock.on('error', self._failed)
        sock.on('close', lambda had_error: self.closed.set())
        sock.on('secureConnect', self._secured)
        if blocks:
            self.task = gevent.spawn(self._block, payload)
        else:
            sock.on('data', self._take)
            sock.on('end', self._end)
            sock.end(payload)

    def _secured(self) -> None:
        self.is_secure = True

    def _failed(self, error: BaseException) -> None:
        self.error = error

    def _take(self, data: bytes) -> None:
        self.received += data

    def _end(self) -> None:
        self.has_ended = True

    def _block(self, payload: bytes) -> None:
        sock = self.sock
        try:
            sock.sendall(payload)
            sock.shutdown(1)
            for chunk in sock:
                self.received += chunk
            self.has_ended = True
        except OSError as error:
            self.error = error
        sock.close()

    def story(self) -> str:
        return (
            f'{self.sock!r}: {len(self.received)} bytes, ended {self.has_ended}, truncated '
            f'{self.sock.truncated}, {self.error!r}')


class Trial:
    """One connection: what is done to it is drawn from its number."""

    def __init__(self, arena: Arena, number: int) -> None:
        dice = random.Random(number)
        self.arena, self.number = arena, number
        self.config = (dice.choice(('TLSv1.2', 'TLSv1.3')), dice.random() < 0.3)
        clean = Damage('none', 0, 0, b'')
        damages = [drawn(dice, _FARTHEST), clean if dice.random() < 0.7 else drawn(dice, _FARTHEST)]
        dice.shuffle(damages)
        self.to_server, self.to_client = damages
        self.payload = dice.randbytes(dice.choice(_SIZES))
        self.answer = dice.randbytes(dice.choice(_SIZES))
        self.blocks, self.server_blocks = dice.random() < 0.5, dice.random() < 0.5
        self.server: End | None = None
        self.refused: BaseException | None = None
        self.server_closed = Event()
        self.told = 0
        self.is_connected = False

    def __str__(self) -> str:
        return (
            f'{self.number}: {self.config}, to the server {self.to_server}, to the client '
            f'{self.to_client}, {len(self.payload)} and {len(self.answer)} bytes, '
            f'blocking {self.blocks}, {self.server_blocks}')

    @property
    def is_undamaged(self) -> bool:
        return self.to_server.is_harmless and self.to_client.is_harmless

    def run(self) -> str:
        """Do it; return what has come of it, in a word. Raises FindingError."""
        options = self.arena.server_options(self.config)
        if not self.is_undamaged:
            options['handshake_timeout'] = _HANDSHAKE_TIMEOUT
        server = tls.create_server(options)
        server.on('secureConnection', self._accepted)
        server.on('tlsClientError', self._refused)
        server.listen(0, '127.0.0.1')
        gnet.once(server, 'listening', timeout=_PATIENCE)
        middle = Middle(server.address().port, self.to_server, self.to_client, self._connected)
        client = End(
            tls.connect(self.arena.client_options(self.config, middle.port)), self.payload,
            blocks=self.blocks)
        try:
            self._wait(client.closed, client)
            if self.is_connected:
                self._wait(self.server_closed, client)
            gevent.sleep(0)
            if server.get_connections():
                raise FindingError(f'it is still counted: {self}\n{self._stories(client)}')
        finally:
            client.sock.destroy()
            middle.close()
            server.stop(0)
        return self._judge(client)

    def _connected(self) -> None:
        self.is_connected = True

    def _wait(self, event: Event, client: End) -> None:
        if not event.wait(_PATIENCE):
            raise FindingError(f'it hangs: {self}\n{self._stories(client)}')

    def _stories(self, client: End) -> str:
        server = f'refused: {self.refused!r}' if self.server is None else self.server.story()
        return f'  client {client.story()}\n  server {server}'

    # --- what the server says ---

    def _accepted(self, sock: Any) -> None:
        self.told += 1
        self.server = End(sock, self.answer, blocks=self.server_blocks)
        self.server.closed.rawlink(lambda event: self.server_closed.set())

    def _refused(self, error: BaseException, sock: Any) -> None:
        self.told += 1
        self.refused = error
        if sock.closed:
            self.server_closed.set()
        else:
            sock.on('close', lambda had_error: self.server_closed.set())

    # --- what must hold ---

    def _judge(self, client: End) -> str:
        server = self.server
        wrong = []
        for end, sent in ((client, self.answer), (server, self.payload)):
            if end is None:
                continue
            if not sent.startswith(end.received):
                wrong.append('something else has arrived than was sent')
            elif end.received != sent and end.has_ended and not (
                end.error or end.sock.truncated
            ):
                wrong.append('it was cut off, and looks like an end')
            elif self.is_undamaged and (end.received != sent or end.error or end.sock.truncated):
                wrong.append('nothing was damaged, and it was not received')
        if self.told > 1 or (self.told == 0 and self.is_connected):
            wrong.append(f'the server has heard of it {self.told} times')
        if client.received and not client.is_secure:
            wrong.append('received before it was secure')
        if self.is_undamaged and server is None:
            wrong.append('nothing was damaged, and it was refused')
        if wrong:
            raise FindingError(f'{wrong}: {self}\n{self._stories(client)}')
        if server is None:
            return 'refused'
        if server.received == self.payload and client.received == self.answer:
            return 'all arrived'
        return 'broken later'


class Arena:
    """What is the same for all trials: keys and contexts."""

    def __init__(self) -> None:
        own = authority().certify(*NAMES)
        me = authority().certify('client', purpose='client')
        ca = {'ca': authority().cert}
        self._servers = {
            version: tls.create_secure_context(
                {**own.options, **ca, 'min_version': version, 'max_version': version})
            for version in ('TLSv1.2', 'TLSv1.3')}
        self._clients = {
            asks: tls.create_secure_context({**ca, **(me.options if asks else {})})
            for asks in (False, True)}

    def server_options(self, config: tuple[str, bool]) -> dict[str, Any]:
        version, asks = config
        return {
            'secure_context': self._servers[version], 'request_cert': asks,
            'allow_half_open': True}

    def client_options(self, config: tuple[str, bool], port: int) -> dict[str, Any]:
        return {
            'secure_context': self._clients[config[1]], 'host': '127.0.0.1', 'port': port,
            'servername': 'localhost', 'allow_half_open': True}


def run(
    first: int, count: int, jobs: int, *, every: int = 0,
) -> tuple[Counter[tuple[str, str]], list[str]]:
    """Try *count* numbers, *jobs* at a time; return what has come of them, and what did not hold.
    """
    outcomes: Counter[tuple[str, str]] = Counter()
    findings: list[str] = []
    arena = Arena()

    def one(number: int) -> None:
        trial = Trial(arena, number)
        kinds = [
            each.kind for each in (trial.to_server, trial.to_client) if each.kind != 'none']
        try:
            outcomes[' + '.join(kinds[:1]) or 'none', trial.run()] += 1
        except FindingError as finding:
            findings.append(str(finding))
        done = sum(outcomes.values()) + len(findings)
        if every and done % every == 0:
            print(f'{done} of {count}, {len(findings)} findings', flush=True)  # noqa: T201

    Pool(jobs).map(one, range(first, first + count))
    return outcomes, findings


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command says; return its status."""
    parser = argparse.ArgumentParser(
        prog='python -m tests.tls.damage', description=str(__doc__).split('\n', 1)[0])
    parser.add_argument(
        '--count', type=int, default=1000, metavar='N', help='how many connections (%(default)s)')
    parser.add_argument(
        '--first', type=int, default=0, metavar='N', help='the number of the first (%(default)s)')
    parser.add_argument(
        '--jobs', type=int, default=8, metavar='N', help='at the same time (%(default)s)')
    given = parser.parse_args(arguments)
    prepare()
    run(given.first, min(given.count, given.jobs), given.jobs)  # what is made once is made now
    before = Snapshot()
    outcomes, findings = run(
        given.first, given.count, given.jobs, every=max(1, given.count // 20))
    for (kind, outcome), count in sorted(outcomes.items()):
        print(f'{kind:18} {outcome:14} {count:6}')  # noqa: T201
    for line in [*findings, *before.leaks()]:
        print(line)  # noqa: T201
    return 1 if findings else 0


if __name__ == '__main__':
    sys.exit(main())
