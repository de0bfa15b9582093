"""Random scenarios of TLS: as :mod:`.fuzz`, with a handshake before, that may come to nothing.

What differs on purpose or by chance is not drawn: how many writes are one record (so there is one
in a burst), what becomes of a write right before ``destroy()``, resets, and
certificates that are refused (they have scenarios of their own).
"""

from __future__ import annotations

from typing import Any

from .form import Form, Scenario, Step, data, pem, port, text, tmp
from .fuzz import Maker

__all__ = ['make_tls_scenario']

#: Bytes of a chunk; each is one record. (What comes behind one of the largest waits, in Node.)
_SIZES = (1, 1, 2, 3, 10, 10, 100, 1000, 5000, 10000)

#: What is not called at all.
_NOT_DRAWN = (
    'resetAndDestroy', 'cork', 'uncork', 'setNoDelay', 'setKeepAlive',
    # Node has listeners of its own.
    'listenerCount', 'removeAllListeners',
    # How many records have come by then is chance.
    'read', 'unshift',
)

#: What the peer notices: one of them in a burst. (Node's writes are over a turn later, gnet's at
#: once: of several it depends on that which come together, and what has crossed what.)
_NOTICED = ('write', 'end', 'destroy', 'destroySoon')

#: Handshakes that come to nothing, in the same way on both: the server's options, the client's.
_FAILING: tuple[tuple[dict[str, Form], dict[str, Form]], ...] = (
    ({'ALPNProtocols': ['a']}, {'ALPNProtocols': ['b']}),
    ({'maxVersion': 'TLSv1.2'}, {'minVersion': 'TLSv1.3'}),
    ({'minVersion': 'TLSv1.3'}, {'maxVersion': 'TLSv1.2'}),
    ({'requestCert': True, 'ca': pem('ca'), 'maxVersion': 'TLSv1.2'}, {}),
    ({'maxVersion': 'TLSv1.2', 'ciphers': 'ECDHE-ECDSA-AES128-GCM-SHA256'},
     {'ciphers': 'ECDHE-ECDSA-AES256-GCM-SHA384'}),
)

_STATE = (
    'secureConnecting', 'authorized', 'authorizationError', 'alpnProtocol', 'servername',
    'encrypted', 'bytesWritten',
)


def make_tls_scenario(seed: int) -> Scenario:
    """Return the scenario of *seed*."""
    return _TlsMaker(seed).make()


class _TlsMaker(Maker):

    accepted = 't1'
    events = (
        'data', 'data', 'end', 'end', 'drain', 'finish', 'prefinish', 'close', 'error', 'pause',
        # ('secure' comes later, to a client of Node's.)
        'resume', 'pipe', 'unpipe', 'connect', 'ready', 'secureConnect')

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        for name in _NOT_DRAWN:
            self._weights[name] = 0
        #: Whether somebody has said something in this burst.
        self._has_spoken = False
        self._fails = False

    def make(self) -> Scenario:
        dice = self._dice
        server, client = self._agreement()
        unix = dice.random() < 0.2
        if not self._echoes:
            self._weights['pipe'] = self._weights['unpipe'] = 0
        target: dict[str, Form] = (
            {'path': tmp('socket'), 'servername': 'localhost'} if unix
            else {'host': '127.0.0.1', 'port': port()})
        steps: list[Step] = [
            # (By Nagle's rule a record waits for an ACK, which takes 40 ms: time for many turns.)
            ['let', 'server', 'tls.createServer', {**server, 'noDelay': True}],
            ['call', 'server.listen', {'path': tmp('socket')} if unix else {
                'host': '127.0.0.1', 'port': 0}],
            ['await', 'server listening'],
            ['let', 'c', 'tls.connect', {**target, **client}],
            ['call', 'c.setNoDelay', True],
        ]
        if self._echoes:
            steps.append(['call', 'c.resume'])
        # (What is said before the handshake is done has scenarios of its own: an end differs on
        # purpose, and with something to send the failure of a handshake is one of writing.)
        steps += [
            self._filtered('c', 2, (*_NOTICED, 'close', 'getConnections', 'pause'))
            for _ in range(dice.choice([0, 0, 1, 3]))]
        if self._fails:
            steps += [['await', 'c close'], ['await', 'server tlsClientError']]
        else:
            steps += [['await', 'c secureConnect'], ['await', 'server secureConnection']]
        steps.append(['settle'])
        for _ in range(dice.randint(1, 8)):
            self._has_spoken = False
            for _ in range(dice.randint(1, 5)):
                steps.append(self._call(dice.choice(['c', 't1'])))
            steps.append(['settle'])
            if dice.random() < 0.3:
                steps.append(self._state(dice.choice(['c', 't1'])))
        steps += [self._state('c'), self._state('t1')]
        return Scenario(
            f'fuzz/TLS seed {self._seed}', 'tls.connect', steps,
            ignore=['newListener', '_tlsError', 'readable', *(['data'] if self._echoes else [])],
            watch={name: ['readyState'] if self._echoes else ['readyState', 'readableFlowing']
                   for name in ('c', 't1')},
        )

    def _agreement(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the options of both ends."""
        dice = self._dice
        server: dict[str, Any] = {'key': pem('server_key'), 'cert': pem('server')}
        client: dict[str, Any] = {'ca': pem('ca')}
        for options in (server, client):
            if dice.random() < 0.4:
                options['allowHalfOpen'] = True
        if dice.random() < 0.15:
            self._fails = True
            for options, more in zip((server, client), dice.choice(_FAILING)):
                options.update(more)
            return server, client
        if dice.random() < 0.5:
            dice.choice((server, client))['maxVersion'] = 'TLSv1.2'
        if dice.random() < 0.3:
            server['ALPNProtocols'] = dice.choice((['a'], ['b', 'a']))
        if dice.random() < 0.3:
            client['ALPNProtocols'] = ['a', 'x']
        if dice.random() < 0.2:
            server.update({'requestCert': True, 'ca': pem('ca')})
            client.update({'key': pem('client_key'), 'cert': pem('client')})
        if dice.random() < 0.3:
            client['servername'] = 'localhost'
        return server, client

    # --- calls ------------------------------------------------------------------------------------

    def _call(self, end: str, depth: int = 0) -> Step:
        while True:
            step = super()._call(end, depth)
            if step[0] != 'call':
                return step
            if step[1].rpartition('.')[2] not in _NOTICED:
                return step
            # In a listener it would be said who knows when.
            if depth == 0 and not self._has_spoken:
                self._has_spoken = True
                return step

    def _chunk(self) -> Form:
        return self._dice.choice([data, data, text])(self._dice.choice(_SIZES))

    def _state(self, end: str, depth: int = 0) -> Step:
        # (Node's client reads ahead when it has been asked to.)
        return [
            *(word for word in super()._state(end)
              if not word.endswith(('.readableLength', '.bytesRead'))),
            *(f'{end}.{property_}' for property_ in _STATE
              if not (self._fails and property_ == 'servername'))]

    def _callback(self, purpose: str, of: str, depth: int) -> list[Form]:
        # When it comes is not compared, and so nothing may be done in it.
        return super()._callback(purpose, of, 2)
