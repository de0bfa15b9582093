"""ALPN and SNI: what both ends agree upon, and which certificate a server shows."""

from __future__ import annotations

from typing import Any

from ..form import Form, Scenario, Step, error, fn, pem, ref
from ._tls import SECURE, VERSIONS, identity, listening, scenario, secure, target

__all__ = ['SCENARIOS']

_CHAPTER = 'tls: ALPN and SNI'
_CONTEXTS = 'tls.Server: addContext, setSecureContext'
_FAILS = "tls.Server: 'tlsClientError'"

_ENDS: list[Step] = [['call', 'c.end'], ['await', 'c close'], ['await', 't1 close']]
_REFUSED: list[Step] = [['await', 'c close'], ['await', 'server tlsClientError'], ['settle']]

_AGREE: dict[str, tuple[Form, Form]] = {
    'the same': (['a'], ['a']),
    "the server's order": (['a', 'b'], ['b', 'a']),
    'the second': (['x', 'b'], ['a', 'b']),
    'only the server': (['a'], None),
    'only the client': (None, ['a']),
    'neither': (None, None),
}


def _protocols(names: Form) -> dict[str, Form]:
    return {} if names is None else {'ALPNProtocols': names}


_ALPN = [
    scenario(
        f'tls names/ALPN, {what}, {number}', _CHAPTER,
        [*secure(server={**_protocols(server), 'maxVersion': f'TLSv{number}'},
                 client=_protocols(client)),
         ['get', 'c.alpnProtocol', 't1.alpnProtocol'], *_ENDS])
    for number in VERSIONS for what, (server, client) in _AGREE.items()
]


def _failing(
    name: str, server: dict[str, Any], client: dict[str, Any], *before: Step,
    chapter: str = _FAILS, on_purpose: str | None = None,
) -> Scenario:
    return scenario(
        name, chapter,
        [*listening(server, *before),
         ['let', 'c', 'tls.connect', {**target(), 'ca': pem('ca'), **client}], *_REFUSED,
         ['get', 't1.destroyed', 'c.authorized', 'c.alpnProtocol'],
         ['call', 'server.getConnections', fn('counted')], ['await', 'counted']],
        on_purpose=on_purpose)


_MISMATCHES = [
    _failing(f'tls names/ALPN, nothing shared, {number}',
             {'ALPNProtocols': ['a'], 'maxVersion': f'TLSv{number}'}, {'ALPNProtocols': ['b']})
    for number in VERSIONS
]

_ALPN_CALLBACK = [
    *(scenario(
        f'tls names/ALPNCallback chooses {choice!r}, {name or "no name"}', _CHAPTER,
        [*secure(server={'ALPNCallback': fn('choose', returns=choice)},
                 client={'ALPNProtocols': ['a', 'b'], **({'servername': name} if name else {})}),
         ['get', 'c.alpnProtocol', 't1.alpnProtocol'], *_ENDS])
      for choice in ('a', 'b') for name in ('', 'localhost')),
    scenario(
        'tls names/ALPNCallback is not asked if the client offers nothing', _CHAPTER,
        [*secure(server={'ALPNCallback': fn('choose', returns='a')}),
         ['get', 'c.alpnProtocol', 't1.alpnProtocol'], *_ENDS]),
    _failing('tls names/ALPNCallback chooses nothing',
             {'ALPNCallback': fn('choose')}, {'ALPNProtocols': ['a', 'b']}),
    _failing('tls names/ALPNCallback chooses what was not offered',
             {'ALPNCallback': fn('choose', returns='zzz')}, {'ALPNProtocols': ['b']}),
    _failing('tls names/ALPNCallback fails',
             {'ALPNCallback': fn('choose', throws=error('no idea'))}, {'ALPNProtocols': ['b']}),
]

#: The contexts of servers with several names.
_NAMED: list[Step] = [
    ['call', 'server.addContext', 'alpha.example', identity('alpha')],
    ['call', 'server.addContext', '*.wild.example', identity('wild')],
    ['let', 'beta', 'tls.createSecureContext', identity('beta')],
    ['call', 'server.addContext', 'BETA.example', ref('beta')],
]


def _shows(name: str, steps: list[Step], asked: str | None, *more: Step,
           server: dict[str, Any] | None = None) -> Scenario:
    return scenario(
        name, _CONTEXTS if steps else _CHAPTER,
        [*listening(server, *steps),
         ['let', 'c', 'tls.connect', {
             **target(), 'ca': pem('ca'), 'rejectUnauthorized': False,
             **({} if asked is None else {'servername': asked})}],
         *SECURE, ['let', 'cert', 'c.getPeerCertificate'], ['get', 'cert.subject.CN'],
         ['get', 't1.servername', 'c.servername'], *more, *_ENDS],
        watch={})


_SNI = [
    *(_shows(f'tls names/addContext, asked for {asked}', _NAMED, asked)
      for asked in (
          'alpha.example', 'ALPHA.example', 'beta.example', 'x.wild.example', 'X.Wild.Example',
          'x.y.wild.example', 'wild.example', 'alpha.example.org', 'other.example', None)),
    _shows('tls names/addContext, the last of a name counts', [
        ['call', 'server.addContext', 'alpha.example', identity('beta')],
        ['call', 'server.addContext', 'alpha.example', identity('alpha')]], 'alpha.example'),
    _shows('tls names/addContext, the last that fits counts', [
        ['call', 'server.addContext', 'alpha.example', identity('alpha')],
        ['call', 'server.addContext', '*.example', identity('wild')]], 'alpha.example'),
    _shows('tls names/addContext, no name', [
        ['call', 'server.addContext', '', identity('beta')],
        ['call', 'server.addContext', {'$': 'undefined'}, identity('beta')],
        ['call', 'server.addContext', 'x', 5]], 'alpha.example'),
]

_ANSWERS: dict[str, list[Step]] = {
    'at once': [['callback', 1, None, ref('alpha')]],
    'later': [['tick', fn('later', ['call', 'alphas.emit', 'answer'])]],
    'nothing': [['callback', 1, None, None]],
}

_SNI_CALLBACK = [
    *(_shows(
        f'tls names/SNICallback answers {what}', [], asked,
        server={'SNICallback': fn('named', *(
            answer if what != 'later' else [
                ['let', 'alphas', 'new events.EventEmitter'],
                ['call', 'alphas.once', 'answer', {'$': 'arg', 'position': 1}],
                ['tick', fn('later', ['call', 'alphas.emit', 'answer', None, ref('alpha')])],
            ]), of='server')})
      for what, answer in _ANSWERS.items() for asked in ('alpha.example',)),
    _shows('tls names/SNICallback is not asked without a name', [], None,
           server={'SNICallback': fn('named', ['callback', 1, None, ref('alpha')], of='server')}),
]
for _one in _SNI_CALLBACK:
    _one.steps.insert(0, ['let', 'alpha', 'tls.createSecureContext', identity('alpha')])

_SNI_FAILS = [
    _failing('tls names/SNICallback answers an error', {
        'SNICallback': fn('named', ['callback', 1, error('unknown')], of='server')},
        {'servername': 'localhost'}),
    _failing('tls names/SNICallback answers what is no context', {
        'SNICallback': fn('named', ['callback', 1, None, {'x': 1}], of='server')},
        {'servername': 'localhost'}),
]

_SET = [
    scenario(
        f'tls names/setSecureContext while it serves, {number}', _CONTEXTS,
        [*secure(client={'maxVersion': f'TLSv{number}'}),
         ['call', 'server.setSecureContext', identity('renewed')],
         ['let', 'd', 'tls.connect', {**target(), 'ca': pem('ca')}],
         ['await', 'd secureConnect'],
         ['let', 'old', 'c.getPeerCertificate'], ['let', 'new', 'd.getPeerCertificate'],
         ['get', 'old.subject.CN', 'new.subject.CN'],
         ['call', 'c.write', 'still here', fn('written')], ['call', 't1.resume'],
         ['await', 't1 data'], ['await', 'server secureConnection', 2],
         ['call', 'd.end'], ['await', 'd close'], ['await', 't2 close'], *_ENDS])
    for number in VERSIONS
]

_SET += [
    scenario(
        f'tls names/setSecureContext, {what}', _CONTEXTS,
        [*listening(), ['call', 'server.setSecureContext', given],
         ['let', 'c', 'tls.connect', {**target(), 'ca': pem('ca')}], *SECURE,
         ['let', 'cert', 'c.getPeerCertificate'], ['get', 'cert.subject.CN'], *_ENDS])
    for what, given in {
        'a key that is not its': {'key': pem('alpha_key'), 'cert': pem('renewed')},
        'a broken key': {'key': 'x', 'cert': pem('renewed')},
        'nothing': None,
        'a number': 5,
    }.items()
]

SCENARIOS = [
    *_ALPN, *_MISMATCHES, *_ALPN_CALLBACK, *_SNI, *_SNI_CALLBACK, *_SNI_FAILS, *_SET]
