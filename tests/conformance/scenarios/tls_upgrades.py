"""TLS on a connection that exists (STARTTLS), within TLS, and sessions that are resumed."""

from __future__ import annotations

from typing import Any

from ..form import Form, Scenario, Step, fn, pem, port, ref
from ._tls import (
    BOTH_CLOSED,
    SECURE,
    UNVERIFIED,
    VERSIONS,
    WATCH,
    identity,
    scenario,
    secure,
    target,
    version,
)

__all__ = ['SCENARIOS']

_CHAPTER = 'tls: STARTTLS'
_SESSIONS = 'tls: session resumption'

#: What is seen of the sockets below is ciphertext.
_BELOW = {'below': ['readyState'], 's1': ['readyState']}


def _server_side(*more: Step, options: dict[str, Form] | None = None) -> list[Step]:
    return [['let', 't1', 'new tls.TLSSocket', ref('s1'), {
        'isServer': True, **identity(), **(options or {})}], *more]


def _client_side(*more: Step, options: dict[str, Form] | None = None) -> list[Step]:
    return [['let', 'c', 'tls.connect', {
        'socket': ref('below'), 'ca': pem('ca'), 'servername': 'localhost', **(options or {})},
        fn('connected')], *more]


def _starttls(
    name: str, between: list[Step], *after: Step, on_purpose: str | None = None, **more: Any,
) -> Scenario:
    """Return a scenario in which both ends have a plain connection first."""
    return scenario(
        f'tls upgrades/{name}', _CHAPTER,
        [['let', 'server', 'net.createServer'], ['call', 'server.listen', 0, '127.0.0.1'],
         ['await', 'server listening'],
         ['let', 'below', 'net.connect', {'port': port(), 'host': '127.0.0.1'}],
         ['await', 'below ready'], ['await', 'server connection'], *between, *after],
        on_purpose=on_purpose,
        **{'ignore': ['readable'], 'watch': {**WATCH, **_BELOW}, **more})


_TALKED: list[Step] = [
    ['call', 's1.once', 'data', fn('asked')], ['call', 'below.write', 'STARTTLS\r\n'],
    ['await', 's1 data'], ['call', 'below.once', 'data', fn('told')],
    ['call', 's1.write', 'go ahead\r\n'], ['await', 'below data'],
]

_SPEAK: list[Step] = [
    ['await', 'c secureConnect'], ['await', 't1 secure'], ['call', 't1.resume'],
    ['call', 'c.write', 'hello', fn('written')], ['await', 't1 data'], ['call', 'c.resume'],
    ['call', 't1.write', 'welcome', fn('answered')], ['await', 'c data'],
]

_END: list[Step] = [['call', 'c.end', fn('ended')], *BOTH_CLOSED, ['settle']]

#: A row of docs/differences.md.
_BARE = (
    "`new TLSSocket` does not verify, says nothing when it is done, and a client's waits for the "
    'first write')

_UPGRADES = [
    *(_starttls(
        f'after some text, {number}',
        [*_TALKED, *_server_side(options=version(number)), *_client_side()], *_SPEAK, *_END,
        watch=_BELOW | {'c': WATCH['c']}, unseen=['s1', 'below'])
      for number in VERSIONS),
    _starttls('state of the server', [*_server_side(), *_client_side()], *_SPEAK,
              ['get', *(f't1.{what}' for what in (
                  'encrypted', 'secureConnecting', 'authorized', 'remoteAddress', 'destroyed'))],
              ['call', 't1.getProtocol'], *_END, on_purpose=_BARE, unseen=['s1', 'below']),
    _starttls('a client of another authority',
              [*_server_side(), *_client_side(options={'ca': pem('other_ca')})],
              ['await', 'c close'], ['await', 't1 close'], ['get', 'c.authorizationError'],
              unseen=['s1', 'below', 't1'], on_purpose=UNVERIFIED),
    _starttls('destroyed below', [*_server_side(), *_client_side()], *_SPEAK,
              ['call', 'below.destroy'], *BOTH_CLOSED, unseen=['s1', 'below'],
              watch={'c': WATCH['c']}),
    _starttls('destroyed above', [*_server_side(), *_client_side()], *_SPEAK,
              ['call', 'c.destroy'], *BOTH_CLOSED, ['settle'],
              ['get', 'below.destroyed', 's1.destroyed'], watch={'c': WATCH['c']},
              unseen=['t1']),
]

#: What the client sends with its command, or right behind it, is there when the server reads that.
_ASKED: list[Step] = [['await', 's1 readable'], ['settle'], ['call', 's1.read', 10]]

_UPGRADES += [
    *(_starttls(
        f'a hello right behind the command, {number}',
        [['call', 's1.once', 'readable', fn('told')], ['call', 'below.write', 'STARTTLS\r\n'],
         *_client_side(), *_ASKED,
         *_server_side(options={'bufferedIsTls': True, **version(number)})], *_SPEAK, *_END,
        watch={'c': WATCH['c']}, unseen=['s1', 'below', 't1'])
      for number in VERSIONS),
    _starttls(
        'text right behind the command',
        [['call', 's1.once', 'readable', fn('told')],
         ['call', 'below.write', 'STARTTLS\r\nMAIL FROM:<somebody@example.com>\r\n'], *_ASKED,
         *_server_side()],
        ['settle'], ['get', 's1.destroyed'], ['call', 'below.destroy'], ['await', 's1 close'],
        watch={}, unseen=['below', 's1'],
        on_purpose='what a socket had received before it was wrapped goes into TLS'),
]

_DOUBLE = [
    scenario(
        'tls upgrades/TLS in TLS', _CHAPTER,
        [*secure(), ['let', 'i1', 'new tls.TLSSocket', ref('t1'), {
            'isServer': True, **identity('alpha')}],
         ['let', 'i', 'tls.connect', {
             'socket': ref('c'), 'ca': pem('ca'), 'servername': 'alpha.example'}],
         ['await', 'i secureConnect'], ['await', 'i1 secure'],
         ['call', 'i1.resume'], ['call', 'i.resume'], ['call', 'i.write', 'inside', fn('written')],
         ['await', 'i1 data'], ['call', 'i1.write', 'too', fn('answered')], ['await', 'i data'],
         ['let', 'cert', 'i.getPeerCertificate'], ['get', 'cert.subject.CN', 'i.authorized'],
         ['call', 'i.end'], ['await', 'i close'], ['await', 'i1 close']],
        watch={'i': WATCH['c']}, unseen=['c', 't1', 's1', 'server'],
        ignore=['readable']),
    scenario(
        'tls upgrades/a connection that another server has accepted', _CHAPTER,
        [['let', 'server', 'tls.createServer', identity()],
         ['let', 'plain', 'net.createServer', fn(
             'accepted', ['call', 'server.emit', 'connection', {'$': 'arg', 'position': 0}])],
         ['call', 'plain.listen', 0, '127.0.0.1'], ['await', 'plain listening'],
         ['let', 'c', 'tls.connect', {
             'port': port('plain'), 'host': '127.0.0.1', 'ca': pem('ca')}],
         *SECURE, ['call', 'server.getConnections', fn('counted')], ['await', 'counted'],
         ['call', 'plain.getConnections', fn('counted too')], ['await', 'counted too'],
         ['call', 't1.resume'], ['call', 'c.end', 'bye'], ['call', 'c.resume'], *BOTH_CLOSED],
        unseen=['s1']),
]


def _resumed(name: str, number: str, *between: Step, client: dict[str, Any] | None = None,
             server: dict[str, Any] | None = None) -> Scenario:
    """Return a scenario in which a second client uses the session of the first."""
    first = {'servername': 'localhost', **version(number)}
    return scenario(
        f'tls upgrades/session, {name}, {number}', _SESSIONS,
        [*secure(server=server, client=first, listener=fn(
            'secured', ['call', '$0.write', 'welcome'], ['call', '$0.resume'])),
         ['call', 'c.resume'], ['await', 'c data'], ['settle'],
         ['let', 'saved', 'c.getSession'], ['call', 'c.end'], *BOTH_CLOSED, *between,
         ['let', 'd', 'tls.connect', {
             **target(), 'ca': pem('ca'), 'session': ref('saved'), **first, **(client or {})}],
         ['await', 'd secureConnect'], ['await', 'server secureConnection', 2],
         ['call', 'd.isSessionReused'], ['call', 't2.isSessionReused'],
         ['get', 'd.authorized', 'd.servername', 't2.servername'],
         ['call', 'd.resume'], ['call', 'd.end'], ['await', 'd close'], ['await', 't2 close']],
        watch={}, ignore=['data', 'readable', 'resume'])


_RESUMED = [
    _resumed(what, number, *between, client=client)
    for number in VERSIONS
    for what, between, client in (
        ('again', [], {}),
        ('of another name', [], {'servername': ''}),
        ('the context was changed', [['call', 'server.setSecureContext', identity('renewed')]], {}),
    )
]

SCENARIOS = [*_UPGRADES, *_DOUBLE, *_RESUMED]
