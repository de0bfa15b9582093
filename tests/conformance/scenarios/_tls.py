"""A TLS connection: the client ``c``, and what the server has accepted.

``s1`` is the connection below, as 'connection' passes it, ``t1`` the one that is secure. By default
the server is ``127.0.0.1``, which is in its certificate, and the client trusts who has signed that.
"""

from __future__ import annotations

from typing import Any

from ..form import Form, Scenario, Step, fn, pem, port, ref, tmp

__all__ = [
    'AFTERWARDS', 'BOTH_CLOSED', 'CANCELLED', 'CLIENT_REFUSED', 'RELAY', 'SECURE', 'SECURITY',
    'UNSEEN_RELAY', 'UNVERIFIED', 'VERSIONS', 'WATCH', 'identity', 'listening', 'relay', 'scenario',
    'secure', 'target', 'version',
]

# Rows of docs/differences.md: their first cells.
UNVERIFIED = 'verifies after the handshake, and tells the peer nothing'
CLIENT_REFUSED = (
    'a client certificate that is refused is `socket hang up` to the server, and nothing to the '
    'client')
AFTERWARDS = 'an error of TLS after the handshake leaves the socket open, and counted'
CANCELLED = (
    'a write right before `destroy()`: its callback gets `ECANCELED`, whether it is sent or not')
SECURITY = (
    '`requestCert: 1` and `rejectUnauthorized: 0` mean the opposite of what was meant; so do other '
    'values of the wrong type')

#: What is looked at at each event.
WATCH = {name: ['readyState', 'secureConnecting', 'authorized'] for name in ('c', 't1')}

#: What is tried with both.
VERSIONS = ('1.3', '1.2')

_HOSTS = {'IPv4': '127.0.0.1', 'IPv6': '::1'}

#: Both ends know that they may speak.
SECURE: list[Step] = [['await', 'c secureConnect'], ['await', 'server secureConnection']]

BOTH_CLOSED: list[Step] = [['await', 'c close'], ['await', 't1 close']]


def scenario(name: str, chapter: str, steps: list[Step], **more: Any) -> Scenario:
    """Return a :class:`Scenario` with what is the same in all that are about TLS."""
    return Scenario(name, chapter, steps, **{
        # What returns nothing of interest.
        'quiet': ['on', 'once', 'prependListener', 'listen', 'pipe'],
        'watch': WATCH,
        # A socket of Node's has a listener of the first, and listens to itself; the other is its
        # own.
        'ignore': ['newListener', '_tlsError', *more.pop('ignore', ())],
        **more,
    })


def version(number: str) -> dict[str, Form]:
    """Return the options with which an end speaks nothing but that version of TLS."""
    return {'minVersion': f'TLSv{number}', 'maxVersion': f'TLSv{number}'}


def identity(name: str = 'server') -> dict[str, Form]:
    """Return a key and its certificate as options."""
    return {'key': pem(f'{name}_key'), 'cert': pem(name)}


def target(family: str = 'IPv4') -> dict[str, Form]:
    """Return the options with which a client reaches the server of :func:`listening`."""
    if family == 'unix':
        return {'path': tmp('path')}
    return {'port': port(), 'host': _HOSTS[family]}


def listening(
    options: dict[str, Any] | None = None, *more: Step, family: str = 'IPv4', by: str = 'server',
    listener: Form = None,
) -> list[Step]:
    """Return the steps that lead to a TLS server that listens; *more* are taken before."""
    where = [tmp('path')] if family == 'unix' else [0, _HOSTS[family]]
    return [
        ['let', 'server', 'tls.createServer', {**identity(by), **(options or {})},
         *([] if listener is None else [listener])],
        *more,
        ['call', 'server.listen', *where],
        ['await', 'server listening'],
    ]


def secure(
    *early: Step, client: dict[str, Any] | None = None, server: dict[str, Any] | None = None,
    family: str = 'IPv4', by: str = 'server', listener: Form = None,
) -> list[Step]:
    """Return the steps that lead to a TLS connection.

    *early* are taken right after ``connect()``; *client* and *server* are options, *by* is whose
    certificate the server has.
    """
    return [
        *listening(server, family=family, by=by, listener=listener),
        ['let', 'c', 'tls.connect', {**target(family), 'ca': pem('ca'), **(client or {})}],
        *early,
        *SECURE,
    ]


#: The objects of :func:`relay`, and the connection of the server below: they carry ciphertext.
UNSEEN_RELAY = ['relay', 'down', 's1', 'up', 's2']

#: How a client reaches the relay.
RELAY = {'port': port('relay'), 'host': '127.0.0.1', 'ca': pem('ca')}


def relay(
    server: dict[str, Any] | None = None, client: dict[str, Any] | None = None,
    ends: bool = True,
) -> list[Step]:
    """Return the steps that lead to a TLS connection through a relay.

    So a scenario can say something between the two: ``s1`` is the relay's end towards the client,
    ``up`` that towards the server. With ``ends=False`` it does not pass on that either has ended.
    Nothing waits in it: else the server's last 24 bytes would, for some 40 ms, until the kernel of
    the client has acknowledged what came before them.
    """
    passing = [] if ends else [{'end': False}]
    return [
        *listening(server),
        ['let', 'relay', 'net.createServer', {'allowHalfOpen': True, 'noDelay': True}, fn(
            'relaying',
            ['let', 'up', 'net.connect', {**target(), 'allowHalfOpen': True, 'noDelay': True}],
            ['call', '$0.pipe', ref('up'), *passing], ['call', 'up.pipe', ref('s1'), *passing])],
        ['call', 'relay.listen', 0, '127.0.0.1'],
        ['await', 'relay listening'],
        ['let', 'c', 'tls.connect', {**RELAY, **(client or {})}],
        *SECURE,
    ]
