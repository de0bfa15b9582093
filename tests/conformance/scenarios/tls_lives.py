"""TLS connections that end early, servers that close, and failures in listeners."""

from __future__ import annotations

from typing import Any

from ..form import Scenario, Step, error, fn, pem, ref
from ._tls import (
    BOTH_CLOSED,
    CANCELLED,
    SECURE,
    VERSIONS,
    WATCH,
    identity,
    listening,
    scenario,
    secure,
    target,
    version,
)

__all__ = ['SCENARIOS']

_CLIENT = "tls.TLSSocket: 'data', 'end', 'close', 'error'"
_SERVER = "tls.Server: 'connection', 'secureConnection'"
_FAILED = "tls.Server: 'tlsClientError'"
_COUNTS = 'tls.Server: close, getConnections, maxConnections'

#: A row of docs/differences.md.
_LAST_FLIGHT = (
    "`destroy()` in a listener of `'secureConnection'`, TLS 1.2: the end of the handshake was not "
    'sent, and the client gets `ECONNRESET`')

_BOTH_END: list[Step] = [['call', 'c.end'], *BOTH_CLOSED]


def _counted(times: int = 1) -> list[Step]:
    return [['call', 'server.getConnections', fn('counted')], ['await', 'counted', times]]


def _destroyed(name: str, *steps: Step, number: str = '1.3',
               after: list[Step] | None = None, on_purpose: str | None = None) -> Scenario:
    """Return a scenario whose client does not come to the end of its handshake."""
    return scenario(
        f'tls lives/{name}', _FAILED,
        [*listening(),
         ['let', 'c', 'tls.connect', {**target(), 'ca': pem('ca'), **version(number)}], *steps,
         ['await', 'c close'],
         *([['await', 'server tlsClientError']] if after is None else after), ['settle'],
         *_counted()], on_purpose=on_purpose)


_DESTROYED = [
    _destroyed('destroyed in connect', ['call', 'c.on', 'connect', fn(
        'connected', ['call', 'c.destroy'])]),
    _destroyed('destroyed in connect with an error', ['call', 'c.on', 'connect', fn(
        'connected', ['call', 'c.destroy', error('no more')])]),
    _destroyed('destroyed in connect with a write', ['call', 'c.write', 'x', fn('written')],
               ['call', 'c.on', 'connect', fn('connected', ['call', 'c.destroy'])]),
    _destroyed('destroyed before there is a connection', ['call', 'c.write', 'x', fn('written')],
               ['call', 'c.destroy'], after=[['settle']]),
    _destroyed('destroyed at once', ['call', 'c.destroy'], after=[['settle']]),
    scenario(
        'tls lives/reset', _CLIENT,
        [*secure(), ['call', 'c.resetAndDestroy'], ['settle'], ['settle'], *_counted()],
        on_purpose='`resetAndDestroy()` throws'),
]

_SIGNALS = [
    scenario(
        f'tls lives/a signal {when}', 'tls.connect',
        [*listening(), ['let', 'signal', 'signal'],
         ['let', 'c', 'tls.connect', {**target(), 'ca': pem('ca'), 'signal': ref('signal')}],
         *steps, ['await', 'c close'], ['settle'], *_counted()],
        on_purpose=None if 'secure' in when
        else 'a signal closes the server inside `abort()`')
    for when, steps in {
        'at once': [['abort', 'signal']],
        'in connect': [['call', 'c.on', 'connect', fn('connected', ['abort', 'signal'])]],
        'when it is secure': [*SECURE, ['abort', 'signal']],
    }.items()
]

#: What the server does with a connection as soon as it is secure.
_AT_ONCE: dict[str, list[Step]] = {
    'destroy': [['call', '$0.destroy']],
    'destroy with an error': [['call', '$0.destroy', error('enough')]],
    'end': [['call', '$0.end']],
    'end with data': [['call', '$0.end', 'bye']],
    'destroySoon': [['call', '$0.write', 'bye'], ['call', '$0.destroySoon']],
    'write and destroy': [['call', '$0.write', 'bye'], ['call', '$0.destroy']],
}

_IN_LISTENER = [
    scenario(
        f'tls lives/secureConnection, {what}, {number}', _SERVER,
        [*listening(listener=fn('secured', *steps)),
         ['let', 'c', 'tls.connect', {**target(), 'ca': pem('ca'), **version(number)}],
         ['call', 'c.resume'], ['await', 'c close'], ['await', 't1 close'], ['settle'],
         *_counted()],
        on_purpose=CANCELLED if what == 'write and destroy' else _LAST_FLIGHT
        if what == 'destroy' and number == '1.2' else None)
    for number in VERSIONS for what, steps in _AT_ONCE.items()
]

_BELOW = [
    scenario(
        'tls lives/the connection below is destroyed', _FAILED,
        [*listening(None, ['call', 'server.on', 'connection', fn(
            'accepted', ['call', '$0.destroy'])]),
         ['let', 'c', 'tls.connect', {**target(), 'ca': pem('ca')}], ['await', 'c close'],
         ['await', 'server tlsClientError'], ['settle'], *_counted()],
        # Whether it has read the hello by then depends on the kernel: so it is an end, or a reset.
        watch={'c': WATCH['c']}, ignore=['readable', 'end', 'error']),
    scenario(
        'tls lives/the connection below is destroyed when it is secure', _SERVER,
        [*secure(), ['call', 's1.destroy'], *BOTH_CLOSED, ['settle'], *_counted()]),
    scenario(
        'tls lives/listeners of connection and secureConnection', _SERVER,
        [*listening(None, ['call', 'server.on', 'connection', fn('accepted')],
                    ['call', 'server.on', 'secureConnection', fn('secured')]),
         ['let', 'c', 'tls.connect', {**target(), 'ca': pem('ca')}], *SECURE, *_BOTH_END]),
]

_LIMITS = [
    scenario(
        'tls lives/maxConnections counts those that are not secure', _COUNTS,
        [*listening(), ['set', 'server.maxConnections', 1],
         ['let', 'silent', 'net.connect', target()], ['await', 'silent ready'],
         ['await', 'server connection'],
         ['let', 'c', 'tls.connect', {**target(), 'ca': pem('ca')}], ['await', 'server drop'],
         ['await', 'c close'], ['settle'], *_counted()],
        watch={'c': WATCH['c']}, ignore=['drop', 'readable', 'end', 'error'], unseen=['silent']),
    scenario(
        'tls lives/close while a handshake is under way', _COUNTS,
        [*listening(listener=fn('secured', ['call', '$0.end', 'welcome'])),
         ['let', 'c', 'tls.connect', {**target(), 'ca': pem('ca')}], ['call', 'c.resume'],
         ['await', 'server connection'], ['call', 'server.close', fn('closed')],
         *BOTH_CLOSED, ['await', 'server close']]),
    scenario(
        'tls lives/close when it is secure', _COUNTS,
        [*secure(), ['call', 'server.close', fn('closed')], ['settle'], *_BOTH_END,
         ['await', 'server close']]),
]

_FAILURES = [
    scenario(
        'tls lives/a listener of secureConnection fails', _SERVER,
        [*listening(listener=fn('secured', throws=error('broken'))),
         ['let', 'c', 'tls.connect', {**target(), 'ca': pem('ca')}], ['call', 'c.resume'],
         *SECURE, ['settle'], ['get', 't1.destroyed'], *_counted()],
        on_purpose='an exception in a listener leaves its socket open, if the process survives'),
    scenario(
        'tls lives/a listener of tlsClientError fails', _FAILED,
        [*listening(None, ['call', 'server.on', 'tlsClientError', fn(
            'failed', throws=error('broken'))]),
         ['let', 'c', 'net.connect', target()], ['await', 'c ready'],
         ['call', 'c.write', 'GET / HTTP/1.0\r\n\r\n'], ['call', 'c.resume'],
         ['await', 'c close'], ['settle'], *_counted()],
        watch={'c': ['readyState']}),
    scenario(
        'tls lives/nobody listens to the errors of an accepted socket', _SERVER,
        [*secure(), ['call', 's1.on', 'error', fn('below')],
         ['call', 't1.destroy', error('lost')], *BOTH_CLOSED], deaf=['t1'],
        on_purpose="an `'error'` of an accepted TLS socket that nobody listens to vanishes"),
    Scenario(
        'tls lives/nobody listens to the error of a client', _CLIENT,
        [['let', 'server', 'tls.createServer', identity()],
         ['call', 'server.listen', 0, '127.0.0.1', fn(
             'listening', ['let', 'c', 'tls.connect', {**target(), 'ca': pem('other_ca')}])]],
        program=True, deaf=['c'], unseen=['t1', 's1', 'server', 'c'], watch={}),
]

_PARALLEL: dict[str, Any] = {f'c{at}': ['secureConnecting'] for at in range(1, 5)}

_MANY = [
    scenario(
        'tls lives/four clients at once', _SERVER,
        [*listening(listener=fn('secured', ['call', '$0.end', 'welcome'])),
         *(['let', name, 'tls.connect', {**target(), 'ca': pem('ca')}] for name in _PARALLEL),
         *(['call', f'{name}.resume'] for name in _PARALLEL),
         *(['await', f'{name} close'] for name in _PARALLEL),
         ['await', 't1 close'], ['await', 't2 close'], ['await', 't3 close'], ['await', 't4 close'],
         *_counted()],
        # Whose handshake is done first is nobody's business.
        watch=_PARALLEL, unseen=['server']),
]

SCENARIOS = [
    *_DESTROYED, *_SIGNALS, *_IN_LISTENER, *_BELOW, *_LIMITS, *_FAILURES, *_MANY]
