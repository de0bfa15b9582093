"""Handshakes that come to nothing: what each end says, and what is seen on the wire."""

from __future__ import annotations

from typing import Any

from ..form import Form, Scenario, Step, encoded, fn, pem, port
from ._tls import VERSIONS, WATCH, listening, scenario, target, version

__all__ = ['SCENARIOS']

_CHAPTER = "tls.Server: 'tlsClientError'"
_CLIENT = "tls.TLSSocket: 'data', 'end', 'close', 'error'"

#: A ClientHello of TLS 1.2, as OpenSSL sends it.
_HELLO = bytes.fromhex(
    '16030100830100007f030319557d954d327516291892efbc960d0f2027fcf7971a0c108cc3613071f7a821000004'
    'c02b00ff01000052000b000403000102000a000c000a001d0017001e00190018002300000016000000170000000d'
    '002a0028040305030603080708080809080a080b080408050806040105010601030303010302040205020602')

_COUNTED: list[Step] = [
    ['settle'], ['call', 'server.getConnections', fn('counted')], ['await', 'counted'],
    ['get', 't1.destroyed']]

#: What both ends want, and cannot have together: the server's options, the client's.
_NOTHING_IN_COMMON: dict[str, tuple[dict[str, Form], dict[str, Form]]] = {
    'version, the server is older': (version('1.2'), version('1.3')),
    'version, the client is older': (version('1.3'), version('1.2')),
    'cipher': (
        {'maxVersion': 'TLSv1.2', 'ciphers': 'ECDHE-ECDSA-AES128-GCM-SHA256'},
        {'ciphers': 'ECDHE-ECDSA-AES256-GCM-SHA384'}),
    'cipher for the key': (
        {'maxVersion': 'TLSv1.2'}, {'ciphers': 'ECDHE-RSA-AES256-GCM-SHA384'}),
    'group': ({'ecdhCurve': 'P-384'}, {'ecdhCurve': 'P-256'}),
    'certificate, 1.2': ({'key': '', 'cert': '', 'maxVersion': 'TLSv1.2'}, {}),
}

_MISMATCHES = [
    scenario(
        f'tls refused/no common {what}', _CHAPTER,
        [*listening(server), ['let', 'c', 'tls.connect', {**target(), 'ca': pem('ca'), **client}],
         ['await', 'c close'], ['await', 'server tlsClientError'], *_COUNTED])
    for what, (server, client) in _NOTHING_IN_COMMON.items()
]

_MISMATCHES += [
    scenario(
        'tls refused/no common certificate, 1.3', _CHAPTER,
        [*listening({'key': '', 'cert': ''}),
         ['let', 'c', 'tls.connect', {**target(), 'ca': pem('ca')}],
         ['await', 'c close'], ['await', 'server tlsClientError'], *_COUNTED],
        on_purpose='a TLS 1.3 server without a certificate: `NO_SUITABLE_SIGNATURE_ALGORITHM`'),
]

#: What is no handshake.
_NO_TLS = {
    'HTTP': b'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
    'HTTP POST': b'POST / HTTP/1.1\r\nHost: a\r\n\r\n',
    'a request to a proxy': b'CONNECT a:443 HTTP/1.1\r\n\r\n',
    'random bytes': b'\xff' * 64,
    'text': b'hello, is anybody there?\r\n',
    'a record that is too long': b'\x16\x03\x01\xff\xff' + b'\1' * 64,
    'a handshake that is none': b'\x16\x03\x01\x00\x20' + b'\x63' * 32,
    'an alert': b'\x15\x03\x01\x00\x02\x02\x28',
    'data at once': b'\x17\x03\x03\x00\x05hello',
}


def _raw(name: str, *steps: Step, chapter: str = _CHAPTER, on_purpose: str | None = None,
         server: dict[str, Any] | None = None, **more: Any) -> Scenario:
    return scenario(
        f'tls refused/{name}', chapter,
        [*listening(server), ['let', 'c', 'net.connect', target()],
         ['await', 'c ready'], ['await', 'server connection'], *steps, *_COUNTED],
        watch={'c': ['readyState'], 't1': WATCH['t1']}, on_purpose=on_purpose, **more)


_REFUSED: list[Step] = [['await', 'c close'], ['await', 'server tlsClientError']]

_NONSENSE = [
    _raw(what, ['call', 'c.resume'], ['call', 'c.write', encoded(octets)], *_REFUSED)
    for what, octets in _NO_TLS.items()
]

_CUT = [
    *(_raw(f'{how} {when}', *([['call', 'c.write', encoded(said)]] if said else []), ['settle'],
           ['call', f'c.{call}'], *([['call', 'c.resume']] if call == 'end' else []), *_REFUSED,
           ignore=['data', 'readable'] if said == _HELLO else [])
      for how, call in (('FIN', 'end'), ('RST', 'resetAndDestroy'))
      for when, said in (
          ('at once', b''), ('after one byte', _HELLO[:1]), ('in the middle of a hello',
           _HELLO[:60]), ('after the hello', _HELLO))),
]

_SLOW = (
    '`handshakeTimeout` only emits; the connection stays, counts, and may still be finished')

_TIMED_OUT = [
    _raw(what, *said, ['await', 'server tlsClientError'], ['settle'],
         ['get', 't1.destroyed', 'c.readyState'], ['call', 'c.destroy'], ['await', 't1 close'],
         server={'handshakeTimeout': 60}, on_purpose=_SLOW, ignore=['data', 'readable'])
    for what, said in {
        'nobody speaks in time': [['call', 'c.resume']],
        'half a hello in time': [
            ['call', 'c.resume'], ['call', 'c.write', encoded(_HELLO[:60])]],
        'only a hello in time': [['call', 'c.resume'], ['call', 'c.write', encoded(_HELLO)]],
    }.items()
]

#: A byte of the hello every 40 ms: whatever comes, the time counts from the beginning.
_TIMED_OUT += [
    _raw('a hello that drips', ['call', 'c.resume'], ['call', 'c.write', encoded(_HELLO[:40])],
         ['call', 'c.setTimeout', 40, fn('drips', ['call', 'c.write', encoded(_HELLO[40:41])])],
         ['await', 'server tlsClientError'], ['await', 'drips'], ['settle'],
         ['call', 'c.destroy'], ['await', 't1 close'],
         server={'handshakeTimeout': 150}, on_purpose=_SLOW, ignore=['data', 'readable'],
         unseen=['c', 's1']),
]

_ANSWERS: dict[str, list[Step]] = {
    'says something else': [['call', 's1.write', 'hello, is anybody there?\r\n']],
    'speaks HTTP': [['call', 's1.write', 'HTTP/1.1 400 Bad Request\r\n\r\n']],
    'ends': [['call', 's1.end']],
    'resets': [['call', 's1.resetAndDestroy']],
    'sends an alert': [['call', 's1.write', encoded(b'\x15\x03\x01\x00\x02\x02\x28')]],
}


def _plain(name: str, *steps: Step, client: dict[str, Any] | None = None,
           early: bool = False, on_purpose: str | None = None) -> Scenario:
    """Return a scenario whose server does not speak TLS."""
    return scenario(
        f'tls refused/a server that {name}', _CLIENT,
        [['let', 'server', 'net.createServer'], ['call', 'server.listen', 0, '127.0.0.1'],
         ['await', 'server listening'],
         ['let', 'c', 'tls.connect', {
             'port': port(), 'host': '127.0.0.1', 'ca': pem('ca'), **(client or {})}],
         ['await', 'c connect'], ['await', 'server connection'],
         *([] if early else [['call', 's1.resume'], ['await', 's1 data']]),
         *steps, ['await', 'c close'], ['await', 's1 close']],
        watch={'c': WATCH['c']}, ignore=['data', 'readable', 'resume'], on_purpose=on_purpose)


_SERVERS = [
    *(_plain(f'{what}, {number}', *steps, client=version(number))
      for number in VERSIONS for what, steps in _ANSWERS.items()),
    *(_plain(f'{what} before it has read', *steps, ['call', 's1.resume'], early=True)
      for what, steps in _ANSWERS.items() if what == 'ends'),
    _plain('is silent, and the client has a time-out', ['await', 'c timeout'],
           ['get', 'c.destroyed', 'c.readyState'], ['call', 'c.destroy'],
           client={'timeout': 50}),
]

SCENARIOS = [*_MISMATCHES, *_NONSENSE, *_CUT, *_TIMED_OUT, *_SERVERS]
