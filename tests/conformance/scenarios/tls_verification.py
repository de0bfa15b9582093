"""Who is trusted: certificates of servers, and of clients that were asked for theirs."""

from __future__ import annotations

from typing import Any

from ..form import Form, Scenario, Step, error, fn, pem
from ._tls import (
    AFTERWARDS,
    CLIENT_REFUSED,
    SECURE,
    SECURITY,
    UNVERIFIED,
    VERSIONS,
    identity,
    listening,
    scenario,
    secure,
    target,
    version,
)

__all__ = ['SCENARIOS']

_CLIENT = 'tls.TLSSocket: authorized, authorizationError'
_SERVER = "tls.Server: 'tlsClientError'"

#: Not `authorized`: gnet has verified the client when 'secure' comes, Node does it then.
_WATCH = {name: ['readyState', 'secureConnecting'] for name in ('c', 't1')}

_LOOK: list[Step] = [['get', 'c.authorized', 'c.authorizationError', 'c.destroyed']]
_REFUSED: list[Step] = [['await', 'c close'], ['await', 't1 close'], ['settle'], *_LOOK]

#: What is wrong: whose certificate the server has, and the client's options.
_WRONG: dict[str, tuple[str, dict[str, Form]]] = {
    'another authority': ('server', {'ca': pem('other_ca')}),
    'a chain of another authority': ('chain', {'ca': pem('other_ca')}),
    'self-signed': ('self_signed', {}),
    'self-signed in its chain': ('whole_chain', {'ca': pem('other_ca')}),
    'expired': ('expired', {}),
    'not yet valid': ('future', {}),
    'of a client': ('purpose', {}),
    'revoked': ('revoked', {'crl': pem('ca_crl')}),
    'another name': ('server', {'servername': 'other.example'}),
    'another address': ('stranger', {}),
    'without its intermediate': ('below', {}),
    'the intermediate as authority': ('below', {'ca': pem('intermediate')}),
}

#: 3.9 does not show how many certificates there were.
_PYTHON = {
    'a chain of another authority': (3, 10),
    'self-signed in its chain': (3, 10),
}

#: 3.9 does not show whether the issuer came with it: what is wrong, if anything, is not known.
_PYTHON_THAT_JUDGES = {
    **_PYTHON,
    'another authority': (3, 10),
    'without its intermediate': (3, 10),
    'the intermediate as authority': (3, 10),
}

_BAD = [
    scenario(
        f'tls verification/{what}, {number}', _CLIENT,
        [*listening({'maxVersion': f'TLSv{number}'}, by=by),
         ['let', 'c', 'tls.connect', {**target(), 'ca': pem('ca'), **client}],
         *_REFUSED],
        # The name is looked at when the handshake is done.
        on_purpose=None if what in ('another name', 'another address') else UNVERIFIED,
        python=_PYTHON.get(what, (3, 9)))
    for number in VERSIONS for what, (by, client) in _WRONG.items()
]

_LET_THROUGH = [
    scenario(
        f'tls verification/let through, {what}, {number}', _CLIENT,
        [*secure(server={'maxVersion': f'TLSv{number}'}, by=by,
                 client={**client, 'rejectUnauthorized': False}), *_LOOK,
         ['call', 'c.end'], ['await', 'c close'], ['await', 't1 close']],
        python=_PYTHON_THAT_JUDGES.get(what, (3, 9)))
    for number in VERSIONS for what, (by, client) in _WRONG.items()
]

#: What is right.
_RIGHT: dict[str, tuple[str, dict[str, Form]]] = {
    'self-signed, and that is the authority': ('self_signed', {'ca': pem('self_signed')}),
    'with its intermediate': ('chain', {}),
    'with the whole chain': ('whole_chain', {}),
    'the intermediate, if a part of the chain is enough': (
        'below', {'ca': pem('intermediate'), 'allowPartialTrustChain': True}),
    'a list of authorities': ('server', {'ca': [pem('other_ca'), pem('ca')]}),
    'not revoked': ('server', {'crl': pem('ca_crl')}),
    'a name of it': ('rich', {'servername': 'x.rich.example'}),
    'another case': ('alpha', {'servername': 'Alpha.Example'}),
}

_GOOD = [
    scenario(
        f'tls verification/good, {what}', _CLIENT,
        [*secure(by=by, client=client), *_LOOK, ['call', 'c.end'], ['await', 'c close'],
         ['await', 't1 close']])
    for what, (by, client) in _RIGHT.items()
]


def _checked(what: str, function: Form, *, refused: bool, on_purpose: str | None = None,
             by: str = 'stranger', client: dict[str, Any] | None = None) -> Scenario:
    return scenario(
        f'tls verification/checkServerIdentity, {what}', _CLIENT,
        [*listening(by=by),
         ['let', 'c', 'tls.connect', {
             **target(), 'ca': pem('ca'), **(client or {}), 'checkServerIdentity': function}],
         *(_REFUSED if refused else [
             *SECURE, *_LOOK, ['call', 'c.end'], ['await', 'c close'], ['await', 't1 close']])],
        on_purpose=on_purpose)


def _check(name: str = 'check', **result: Any) -> Form:
    # (Arguments have the certificate, with its keys.)
    return fn(name, bare=True, **result)


_IDENTITY = [
    scenario(
        'tls verification/checkServerIdentity, what an error tells', _CLIENT,
        [*listening(by='stranger'),
         ['let', 'c', 'tls.connect', {**target(), 'ca': pem('ca')}],
         ['call', 'c.on', 'error', fn('failed', ['get', '$0.code', '$0.reason', '$0.host',
                                                 '$0.cert.subject.CN'])],
         ['await', 'c close'], ['await', 't1 close']]),
]

#: How a client shows who it is, and what the server says of it.
_CLIENTS: dict[str, tuple[dict[str, Form], bool]] = {
    'good': (identity('client'), True),
    'none': ({}, False),
    'of another authority': (identity('other_client'), False),
    'expired': (identity('expired_client'), False),
    'of a server': (identity('wrong_client'), False),
    'self-signed': (identity('self_signed_client'), False),
}

_ASKED = {'requestCert': True, 'ca': pem('ca')}

_LOOK_AT_BOTH: list[Step] = [
    ['get', 't1.authorized', 't1.authorizationError', 'c.authorized', 'c.authorizationError']]

_CERTIFIED = [
    scenario(
        f'tls verification/client certificate, {what}, {number}', _SERVER,
        [*listening({**_ASKED, 'maxVersion': f'TLSv{number}'}),
         ['let', 'c', 'tls.connect', {**target(), 'ca': pem('ca'), **client}],
         ['call', 'c.resume'],
         *([*SECURE, ['let', 'cert', 't1.getPeerCertificate'],
            ['get', 'cert.subject.CN', 'cert.issuer.CN'],
            *_LOOK_AT_BOTH, ['call', 'c.end'], ['call', 't1.resume'], ['await', 'c close'],
            ['await', 't1 close']]
           if good else [
               ['await', 'server tlsClientError'], ['await', 'c close'], ['settle'],
               *_LOOK_AT_BOTH])],
        watch=_WATCH,
        on_purpose=None if good else CLIENT_REFUSED if what != 'none'
        else AFTERWARDS if number == '1.3' else None)
    for number in VERSIONS for what, (client, good) in _CLIENTS.items()
]

_OPTIONAL = [
    scenario(
        'tls verification/client certificate, asked for and not demanded', _SERVER,
        [['let', 'server', 'tls.createServer', {
            **identity(), **_ASKED, 'rejectUnauthorized': False}]],
        on_purpose='`requestCert` with `rejectUnauthorized: false`: clients without a certificate, '
                   'or with a bad one, are let in'),
]

#: What was to be sent when a server is refused.
_UNSENT = [
    scenario(
        'tls verification/what was to be sent to somebody else', _CLIENT,
        [*listening({'maxVersion': 'TLSv1.2'}, by='stranger'),
         ['let', 'c', 'tls.connect', {**target(), 'ca': pem('ca')}],
         ['call', 'c.write', 'secret', fn('written')], *_REFUSED],
        on_purpose='a write that waits for a handshake which comes to nothing: `EBADF`'),
]

_NOT_ASKED = [
    scenario(
        'tls verification/client certificate, not asked for', _CLIENT,
        [*secure(client=identity('client')), *_LOOK_AT_BOTH,
         ['call', 't1.getPeerCertificate'], ['call', 'c.end'], ['await', 'c close'],
         ['await', 't1 close']]),
]

_SECURITY_OPTIONS = [
    scenario(
        f'tls verification/rejectUnauthorized {value!r}', _CLIENT,
        [*listening(),
         ['let', 'c', 'tls.connect', {
             **target(), 'ca': pem('other_ca'), 'rejectUnauthorized': value}],
         *([] if value == 0 or value == 'no' else _REFUSED), ['settle']],
        on_purpose=SECURITY if value in (0, 'no') else UNVERIFIED)
    for value in (0, 'no', True, None)
]

_CHECKS = [
    _checked('says yes', _check(returns=None), refused=False),
    _checked('returns an error', _check(returns=error('not he')), refused=True),
    scenario(
        'tls verification/checkServerIdentity, fails', _CLIENT,
        [*listening(),
         ['let', 'c', 'tls.connect', {
             **target(), 'ca': pem('ca'), 'checkServerIdentity': _check(throws=error('broken'))}],
         ['await', 'c secure'], ['settle'], ['settle'], *_LOOK],
        on_purpose='a `checkServerIdentity` that throws ends the process'),
    _checked('is not called if the chain is wrong', _check(), refused=True, by='self_signed',
             on_purpose=UNVERIFIED),
]

_VERSIONED = [
    scenario(
        f'tls verification/the data of a client that is not known yet, {number}', _CLIENT,
        [*listening({**_ASKED}),
         ['let', 'c', 'tls.connect', {
             **target(), 'ca': pem('ca'), **version(number), **identity('client')}],
         ['call', 'c.write', 'early', fn('written')], *SECURE, ['call', 't1.resume'],
         ['await', 't1 data'], ['call', 'c.end'], ['await', 'c close'], ['await', 't1 close']],
        watch=_WATCH)
    for number in VERSIONS
]

SCENARIOS = [
    *_BAD, *_LET_THROUGH, *_GOOD, *_IDENTITY, *_CERTIFIED, *_OPTIONAL, *_NOT_ASKED,
    *_SECURITY_OPTIONS, *_VERSIONED, *_CHECKS, *_UNSENT,
]
