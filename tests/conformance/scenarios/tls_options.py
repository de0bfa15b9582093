"""What createServer, connect, createSecureContext and others say of their arguments."""

from __future__ import annotations

from typing import Any

from ..form import UNDEFINED, Form, Scenario, Step, certificates, encoded, fn, pem, text
from ._tls import SECURITY, identity, scenario

__all__ = ['SCENARIOS']

_SERVER = 'tls.createServer'
_CONNECT = 'tls.connect'
_CONTEXT = 'tls.createSecureContext'
_NAMES = 'tls.getCiphers, getCACertificates, convertALPNProtocols, DEFAULT_*'

#: Rows of docs/differences.md.
_NOT_CHECKED = (
    '`ALPNProtocols` of a wrong type is ignored by servers; `ALPNCallback` is checked at the first '
    'connection')
_EMPTY = (
    '`ca` that is empty or garbage, `dhparam` that is garbage, and a `minVersion` above '
    '`maxVersion` are taken')

def _tried(
    group: str, chapter: str, what: str, option: str, values: list[Form],
    more: dict[str, Form] | None = None, on_purpose: str | None = None,
) -> Scenario:
    """Return a scenario that gives *what* the *values* of *option*, one after the other."""
    steps: list[Step] = [
        ['let', f'made{at}', what, {**(more or {}), option: value}]
        for at, value in enumerate(values)]
    return scenario(
        f'tls options/{group}, {option}', chapter, steps, watch={}, on_purpose=on_purpose,
        # Node leaves a socket behind there that nobody has.
        unseen=['process'] if option == 'servername' else [],
        ignore=['close', 'error', 'connectionAttempt', 'connectionAttemptFailed'])


_OF_SERVERS: dict[str, list[Form]] = {
    'handshakeTimeout': ['1', True, {}, 0, None, UNDEFINED, -1, 1.5],
    'SNICallback': ['x', 5, {}, None, 0, ''],
    'sessionTimeout': ['1', True, {}],
    'ALPNProtocols': [['a', 'b'], [], encoded(b'\1a'), None],
    'pskCallback': ['x', 5],
    'pskIdentityHint': [5, {}],
    'ticketKeys': ['x', 5, {}],
    'sessionIdContext': [5, {}],
}

_SERVERS = [
    _tried('server', _SERVER, 'tls.createServer', option, values)
    for option, values in _OF_SERVERS.items()
]

_SERVERS += [
    _tried('server, stricter', _SERVER, 'tls.createServer', option, values, on_purpose=why)
    for option, values, why in (
        ('requestCert', [1, 'yes', 0, None, True, False], SECURITY),
        ('rejectUnauthorized', [0, 'no', 1, None, True, False], SECURITY),
        ('ALPNCallback', [5, 'x', {}], _NOT_CHECKED),
        ('ALPNProtocols', ['a', 5, True, {}], _NOT_CHECKED),
    )
]

_SERVERS += [
    scenario(
        'tls options/server, forms', _SERVER,
        [['let', 'a', 'tls.createServer'], ['let', 'b', 'tls.createServer', fn('listener')],
         ['call', 'b.listenerCount', 'secureConnection'],
         ['let', 'd', 'tls.createServer', {}, fn('listener')],
         ['call', 'd.listenerCount', 'secureConnection'],
         ['let', 'e', 'tls.createServer', None],
         ['let', 'f', 'new tls.Server', {}, fn('listener')],
         ['call', 'f.listenerCount', 'secureConnection'],
         ['let', 'g', 'tls.createServer', {}, 'x'], ['let', 'h', 'tls.createServer', {}, 5],
         ['let', 'i', 'tls.createServer', 'x'], ['let', 'j', 'tls.createServer', 5],
         ['let', 'k', 'tls.createServer', {
             'ALPNCallback': fn('choose'), 'ALPNProtocols': ['a']}]]),
]

_NOBODY: dict[str, Form] = {'port': 1, 'host': '127.0.0.1'}

_OF_CLIENTS: dict[str, list[Form]] = {
    'host': [5, {}],
    'port': [-1, 65536, 'x', {}, True, None],
    'checkServerIdentity': [5, 'x', None],
    'minDHSize': ['1', 0, -1, {}],
    'secureContext': [5, {}, 'x'],
    'ALPNProtocols': [['a'], [], None],
    'servername': [5, {}],
    'timeout': [-1, 'x'],
    'lookup': [5, 'x'],
}

_CLIENTS = [
    _tried('client', _CONNECT, 'tls.connect', option, values, _NOBODY)
    for option, values in _OF_CLIENTS.items()
]

_CLIENTS += [
    _tried('client, stricter', _CONNECT, 'tls.connect', 'rejectUnauthorized',
           [0, 'no', 1, None, True], _NOBODY, on_purpose=SECURITY),
    scenario(
        'tls options/client, forms', _CONNECT,
        [['let', 'a', 'tls.connect'], ['let', 'b', 'tls.connect', {}],
         ['let', 'd', 'tls.connect', None], ['let', 'e', 'tls.connect', True],
         ['let', 'f', 'tls.connect', -1], ['let', 'g', 'tls.connect', 65536],
         ['let', 'h', 'tls.connect', {'port': 'x'}]]),
]

#: Of contexts: what is given, and beside what.
_OF_CONTEXTS: dict[str, list[Form]] = {
    'key': [1, True, {}, '', None, UNDEFINED, [1]],
    'cert': [1, True, {}, '', None, UNDEFINED, [1]],
    'ca': [1, True, {}, UNDEFINED],
    'minVersion': ['TLSv1.2', 'TLSv1.3', 'x', 5, None, ''],
    'maxVersion': ['TLSv1.2', 'TLSv1.3', 'x', 5, None, ''],
    'ciphers': [
        'x', 5, {}, None, '', 'ECDHE-RSA-AES128-GCM-SHA256', 'no:such:ECDHE-RSA-AES128-GCM-SHA256'],
    'ecdhCurve': ['auto', 'P-256', 'prime256v1', 'nonsense', 5],
    'secureProtocol': ['TLSv1_2_method', 'TLS_method', 'bogus', 'SSLv3_method', 'SSLv2_method'],
}

_CONTEXTS = [
    _tried('context', _CONTEXT, 'tls.createSecureContext', option, values)
    for option, values in _OF_CONTEXTS.items()
]

_CONTEXTS += [
    _tried(
        'context, stricter', _CONTEXT, 'tls.createSecureContext', 'passphrase', [1, {}, None],
        identity(), 'shows a wrong passphrase that is a number'),
    scenario(
        'tls options/context, the curve X25519', _CONTEXT,
        [['let', 'made', 'tls.createSecureContext', {'ecdhCurve': 'X25519'}]], python=(3, 11)),
]

_CONTEXTS += [
    _tried('context, stricter', _CONTEXT, 'tls.createSecureContext', option, values, more, why)
    for option, values, more, why in (
        ('ca', [[], '', 'x'], {}, _EMPTY),
        ('dhparam', ['x'], {}, _EMPTY),
        ('minVersion', ['TLSv1.3'], {'maxVersion': 'TLSv1.2'}, _EMPTY),
    )
]

_MATERIAL: dict[str, dict[str, Form]] = {
    'good': identity(),
    'RSA': identity('rsa'),
    'a chain': identity('chain'),
    'an encrypted key': {
        'key': pem('server_encrypted_key'), 'cert': pem('server'), 'passphrase': 'open sesame'},
    'an encrypted key with its passphrase beside it': {
        'key': [{'pem': pem('server_encrypted_key'), 'passphrase': 'open sesame'}],
        'cert': pem('server')},
    'an encrypted key, and no passphrase': {
        'key': pem('server_encrypted_key'), 'cert': pem('server')},
    'an encrypted key, and a wrong passphrase': {
        'key': pem('server_encrypted_key'), 'cert': pem('server'), 'passphrase': 'sesame'},
    'the key of another': {'key': pem('alpha_key'), 'cert': pem('server')},
    'no key': {'cert': pem('server')},
    'no certificate': {'key': pem('server_key')},
    'a key that is none': {'key': 'x', 'cert': pem('server')},
    'a certificate that is none': {'key': pem('server_key'), 'cert': 'x'},
    'a certificate as the key': {'key': pem('server'), 'cert': pem('server')},
    'two': {'key': [pem('server_key'), pem('rsa_key')], 'cert': [pem('server'), pem('rsa')]},
    'PKCS#12': {'pfx': certificates('server.p12'), 'passphrase': 'open sesame'},
    'a list revoked': {'ca': pem('ca'), 'crl': pem('ca_crl')},
    'a list revoked that is none': {'ca': pem('ca'), 'crl': 'x'},
}

_FROM_MATERIAL = [
    scenario(f'tls options/context from {what}', _CONTEXT,
             [['let', 'context', 'tls.createSecureContext', options]])
    for what, options in _MATERIAL.items()
]

_FROM_MATERIAL += [
    scenario(
        'tls options/context, conflicts', _CONTEXT,
        [['let', 'a', 'tls.createSecureContext', {
            'minVersion': 'TLSv1.2', 'secureProtocol': 'TLSv1_2_method'}],
         ['let', 'b', 'tls.createSecureContext', {
             'maxVersion': 'TLSv1.2', 'secureProtocol': 'TLSv1_2_method'}],
         ['let', 'd', 'tls.createSecureContext', 5], ['let', 'e', 'tls.createSecureContext', 'x'],
         ['let', 'f', 'tls.createSecureContext', None], ['let', 'g', 'tls.createSecureContext']]),
]

_PROTOCOLS: dict[str, Form] = {
    'names': ['a', 'bc'],
    'nothing': [],
    'an empty name': [''],
    'an empty name, later': ['a', ''],
    'a long name': [text(255)],
    'a name that is too long': [text(256)],
    'bytes': encoded(b'\1a\2bc'),
    'bytes that are cut': encoded(b'bad!'),
    'a letter that is two bytes': ['é'],
    'a number in the list': [1],
    'a number': 5,
    'a string': 'a',
}

_CONVERTED: list[Scenario] = [
    scenario(
        f'tls options/convertALPNProtocols, {what}', _NAMES,
        [['let', 'out', 'new events.EventEmitter'],
         ['call', 'tls.convertALPNProtocols', given, {'$': 'ref', 'path': 'out'}],
         *([] if given == 5 or given == 'a' or 'empty' in what or 'too' in what or 'cut' in what
           or 'number' in what else [['get', 'out.ALPNProtocols']])],
        # In Python it is returned as well.
        quiet=['convertALPNProtocols'])
    for what, given in _PROTOCOLS.items()
]

_LISTS = [
    scenario(
        'tls options/defaults', _NAMES,
        [['get', 'tls.DEFAULT_MIN_VERSION', 'tls.DEFAULT_MAX_VERSION', 'tls.DEFAULT_ECDH_CURVE',
          'tls.DEFAULT_CIPHERS', 'tls.CLIENT_RENEG_LIMIT', 'tls.CLIENT_RENEG_WINDOW']]),
    scenario(
        'tls options/lists of authorities', _NAMES,
        [['call', 'tls.getCACertificates', 'x'], ['call', 'tls.getCACertificates', 5],
         ['call', 'tls.setDefaultCACertificates', ['x']],
         ['call', 'tls.setDefaultCACertificates', [5]],
         ['call', 'tls.setDefaultCACertificates', 'x']]),
]

_METHODS: dict[str, Any] = {
    'server': [
        ['let', 'server', 'tls.createServer'],
        ['call', 'server.setSecureContext', 'x'], ['call', 'server.setSecureContext', None],
        ['call', 'server.addContext', '', {}], ['call', 'server.addContext', None, {}],
        ['call', 'server.addContext', 'x', {}]],
}

_MORE = [
    scenario(f'tls options/methods of a {what}', _SERVER, steps)
    for what, steps in _METHODS.items()
]

SCENARIOS = [
    *_SERVERS, *_CLIENTS, *_CONTEXTS, *_FROM_MATERIAL, *_CONVERTED, *_LISTS, *_MORE]
