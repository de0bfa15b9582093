"""TLS connections that succeed: the order of events, and what each end knows then."""

from __future__ import annotations

from ..form import Step, fn, pem
from ._tls import BOTH_CLOSED, SECURE, VERSIONS, listening, scenario, secure, target, version

__all__ = ['SCENARIOS']

_SERVER = "tls.Server: 'connection', 'secureConnection'"
_CLIENT = "tls.TLSSocket: 'secureConnect', 'secure', 'session'"
_AGREED = 'tls.TLSSocket: getCipher, getProtocol, getPeerCertificate'
_DATA = "tls.TLSSocket: 'data', 'end', 'close', 'error'"

#: A server that sends back what it gets.
_ECHO = fn('secured', ['call', '$0.pipe', {'$': 'ref', 'path': 't1'}])

_END: list[Step] = [['call', 'c.end', fn('ended')], *BOTH_CLOSED]

_ECHOES = [
    scenario(
        f'tls connections/echo, {number}, {family}', _SERVER,
        [*secure(client={**version(number), **(
            {'servername': 'localhost'} if family == 'unix' else {})},
            family=family, listener=_ECHO),
         ['call', 'c.on', 'data', fn('got')], ['call', 'c.write', 'hello', fn('written')],
         ['await', 'c data'], *_END,
         ['call', 'server.getConnections', fn('counted')], ['await', 'counted']])
    for number in VERSIONS for family in ('IPv4', 'IPv6', 'unix')
]

_EARLY: dict[str, list[Step]] = {
    'write': [
        ['call', 'c.write', 'hello', fn('written')], ['get', 'c.writableLength', 'c.bytesWritten']],
    'two writes': [
        ['call', 'c.write', 'hello', fn('first')], ['call', 'c.write', ' world', fn('second')]],
    'end with data': [['call', 'c.end', 'bye', fn('ended')]],
    'end': [['call', 'c.end', fn('ended')]],
    'write and end': [
        ['call', 'c.write', 'hello', fn('written')], ['call', 'c.end', fn('ended')]],
    'setEncoding and pause': [['call', 'c.setEncoding', 'utf8'], ['call', 'c.pause']],
}

#: The row about an end before the handshake.
_END_EARLY = '`end()` before the handshake ends the connection in the middle of it'

_BEFORE = [
    scenario(
        f'tls connections/before the handshake, {what}, {number}', _DATA,
        [*listening(listener=fn('secured', ['call', '$0.on', 'data', fn('got', of='t1')])),
         ['let', 'c', 'tls.connect', {**target(), 'ca': pem('ca'), **version(number)}],
         ['call', 'c.resume'], *early,
         *([['await', 'c close'], ['settle'], ['get', 'c.bytesWritten', 'c.bytesRead']]
           if 'end' in what else [
               *SECURE, ['settle'], *([] if 'set' in what else [
                   ['await', 'got', 2 if 'two' in what else 1]]), ['settle']])],
        on_purpose=_END_EARLY if what == 'end' else None)
    for number in VERSIONS for what, early in _EARLY.items()
]

_STATE = (
    'readyState', 'connecting', 'pending', 'secureConnecting', 'encrypted', 'authorized',
    'authorizationError', 'alpnProtocol', 'servername', 'bytesRead', 'bytesWritten', 'destroyed',
)
_METHODS = ('getProtocol', 'getCipher', 'isSessionReused')


def _look(name: str) -> list[Step]:
    return [
        ['get', *(f'{name}.{what}' for what in _STATE)],
        *(['call', f'{name}.{method}'] for method in _METHODS)]


_STATES = [
    scenario(
        f'tls connections/state, {number}', _CLIENT,
        [*listening({'maxVersion': f'TLSv{number}'}, listener=fn('secured', *_look('t1'))),
         ['let', 'c', 'tls.connect', {**target(), 'ca': pem('ca'), **version(number)},
          fn('connected', *_look('c'), ['call', 'c.listenerCount', 'secureConnect'])],
         ['call', 'c.listenerCount', 'secureConnect'],
         ['get', *(f'c.{what}' for what in _STATE)],
         ['call', 'c.once', 'connect', fn(
             'below', ['get', *(f'c.{what}' for what in _STATE)])],
         *SECURE, ['call', 'c.write', 'hello'], ['call', 't1.resume'], ['await', 't1 data'],
         ['get', 't1.bytesRead', 'c.bytesWritten'],
         ['call', 'c.destroy'], ['await', 'c close'], ['settle'],
         ['get', *(f'c.{what}' for what in _STATE)]])
    for number in VERSIONS
]

_NAMES = [
    scenario(
        f'tls connections/servername {name!r}', 'tls: ALPN and SNI',
        [*secure(client={'servername': name}), ['get', 'c.servername', 't1.servername'], *_END])
    for name in ('localhost', 'LOCALHOST', '')
]

_CERTIFICATE = (
    'subject.O', 'subject.CN', 'issuer.CN', 'subjectaltname', 'ca', 'bits', 'valid_from',
    'valid_to', 'serialNumber', 'ext_key_usage', 'asn1Curve', 'nistCurve',
)

_CERTIFICATES = [
    scenario(
        f'tls connections/the certificate of {name}', _AGREED,
        [*secure(by=name, client={'servername': 'localhost'}),
         ['let', 'cert', 'c.getPeerCertificate'],
         ['get', *(f'cert.{what}' for what in (
             *_CERTIFICATE, *(('exponent',) if name == 'rsa' else ())))],
         ['let', 'detailed', 'c.getPeerCertificate', True],
         *([['get', 'detailed.issuerCertificate.subject.CN']] if name == 'chain' else []),
         ['call', 't1.getPeerCertificate'],
         ['let', 'own', 't1.getCertificate'], ['get', 'own.subject.CN'], *_END],
        # 3.9 does not show the rest of a chain.
        python=(3, 10) if name == 'chain' else (3, 9))
    for name in ('server', 'rich', 'rsa', 'chain')
]

_CIPHERS = [
    scenario(
        f'tls connections/cipher {cipher}', _AGREED,
        [*secure(by='rsa' if 'RSA' in cipher else 'server',
                 client={'maxVersion': 'TLSv1.2', 'ciphers': cipher}),
         ['call', 'c.getCipher'], ['call', 't1.getCipher'], ['call', 'c.getProtocol'], *_END])
    for cipher in (
        'ECDHE-ECDSA-AES128-GCM-SHA256', 'ECDHE-ECDSA-CHACHA20-POLY1305',
        'ECDHE-RSA-AES256-GCM-SHA384', 'ECDHE-RSA-AES128-SHA256')
]

_SEVERAL = [
    scenario(
        'tls connections/two, one after the other', _SERVER,
        [*secure(), ['let', 'd', 'tls.connect', {**target(), 'ca': pem('ca')}],
         ['await', 'd secureConnect'], ['await', 'server secureConnection', 2],
         ['call', 'server.getConnections', fn('counted')], ['await', 'counted'],
         ['call', 'd.end'], ['await', 't2 close'], ['await', 'd close'], *_END]),
    scenario(
        'tls connections/counted before and after the handshake',
        'tls.Server: close, getConnections, maxConnections',
        [*listening(), ['let', 'c', 'net.connect', target()],
         ['await', 'server connection'], ['call', 'server.getConnections', fn('counted')],
         ['await', 'counted'], ['let', 'd', 'tls.connect', {**target(), 'ca': pem('ca')}],
         ['await', 'd secureConnect'], ['await', 'server secureConnection'],
         ['call', 'server.getConnections', fn('counted')], ['await', 'counted', 2],
         ['call', 'd.end'], ['await', 'd close'], ['call', 'c.end'], ['await', 'c close'],
         ['await', 'server tlsClientError'], ['settle'],
         ['call', 'server.getConnections', fn('counted')], ['await', 'counted', 3]],
        watch={}),
    scenario(
        'tls connections/a listener of secureConnect', _CLIENT,
        [*secure(['call', 'c.on', 'secureConnect', fn('heard')],
                 ['call', 'c.on', 'secure', fn('secure')],
                 ['call', 'c.on', 'connect', fn('connect')]), *_END],
        on_purpose="a client's `'secureConnect'` is emitted by a listener of `'secure'`"),
]

#: The secrets of a connection, for who looks into what passes.
_KEYS = [
    scenario(
        'tls connections/a listener of keylog', _SERVER,
        [*listening(), ['call', 'server.on', 'keylog', fn('key', bare=True)],
         ['let', 'c', 'tls.connect', {**target(), 'ca': pem('ca')}], *SECURE, ['settle'], *_END],
        ignore=['keylog'],
        on_purpose='what `ssl` cannot do (ticket keys, OCSP, several curves, …)'),
]

SCENARIOS = [
    *_ECHOES, *_BEFORE, *_STATES, *_NAMES, *_CERTIFICATES, *_CIPHERS, *_SEVERAL, *_KEYS,
]
