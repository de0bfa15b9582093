"""Every property of a socket, at every stage of its life."""

from __future__ import annotations

from typing import Any

from ..form import Form, Scenario, Step, error, fn
from ._families import FAMILIES, QUIET, connection, listening, target

__all__ = ['SCENARIOS']

_CHAPTER = 'net.Socket: properties'

_STATE = (
    'connecting', 'pending', 'readyState', 'destroyed', 'closed', 'errored', 'timeout',
    'allowHalfOpen', 'server', 'autoSelectFamilyAttemptedAddresses', 'bytesRead', 'bytesWritten',
    'bufferSize',
)
_READING = (
    'readable', 'readableEnded', 'readableFlowing', 'readableLength', 'readableAborted',
    'readableDidRead', 'readableEncoding', 'readableHighWaterMark', 'readableObjectMode',
)
_WRITING = (
    'writable', 'writableEnded', 'writableFinished', 'writableLength', 'writableCorked',
    'writableNeedDrain', 'writableHighWaterMark', 'writableObjectMode',
)
_ADDRESSES = (
    'localAddress', 'localPort', 'localFamily', 'remoteAddress', 'remotePort', 'remoteFamily')


def _look(name: str, *more: str) -> list[Step]:
    return [['get', *(f'{name}.{what}' for what in (
        *_STATE, *_READING, *_WRITING, *_ADDRESSES, *more))]]


def _socket(
    name: str, *steps: Step, family: str = 'IPv4', options: dict[str, Any] | None = None,
) -> Scenario:
    """Return a scenario on a connection that ends only when both have called ``end``."""
    half = {'allowHalfOpen': True, **(options or {})}
    return Scenario(
        f'properties/{name}', _CHAPTER, [*connection(family, client=half, server=half), *steps],
        quiet=[*QUIET, 'end', 'destroy', 'write'], watch={})


#: How a stage is reached by the socket ``x``, whose peer is ``y``.
_STAGES: dict[str, list[Step]] = {
    'connected': _look('x'),
    'after own end': [['call', 'x.end'], *_look('x'), ['await', 'x finish'], *_look('x')],
    "in 'finish'": [
        ['call', 'x.on', 'finish', fn('listener', *_look('x'))], ['call', 'x.end'],
        ['await', 'x finish']],
    "in 'end'": [
        ['call', 'x.on', 'end', fn('listener', *_look('x'))], ['call', 'y.end'],
        ['await', 'x end']],
    "after 'end'": [['call', 'y.end'], ['await', 'x end'], *_look('x')],
    'after both have ended': [
        ['call', 'x.end'], ['call', 'y.end'], ['await', 'x close'], *_look('x')],
    "in 'close'": [
        ['call', 'x.on', 'close', fn('listener', *_look('x'))], ['call', 'y.end'],
        ['call', 'x.end'], ['await', 'x close']],
    'after destroy': [['call', 'x.destroy'], *_look('x'), ['await', 'x close'], *_look('x')],
    'after destroy(err)': [
        ['call', 'x.on', 'error', fn('listener', *_look('x'))],
        ['call', 'x.destroy', error('mine')], *_look('x'), ['await', 'x close'], *_look('x')],
    'with unread data': [['call', 'y.write', 'hello'], ['settle'], *_look('x')],
    'with data that was read': [
        ['call', 'x.on', 'data', fn('got', *_look('x'))], ['call', 'y.write', 'hello'],
        ['await', 'got'], *_look('x'), ['call', 'x.pause'], ['get', 'x.readableFlowing']],
    'with an encoding': [
        ['call', 'x.setEncoding', 'utf8'], ['call', 'y.write', 'h\u00e9'], ['settle'], *_look('x')],
    'corked': [
        ['call', 'x.cork'], ['call', 'x.cork'], ['call', 'x.write', 'h\u00e9llo'], *_look('x'),
        ['call', 'x.uncork'], ['call', 'x.uncork'], *_look('x')],
    'with a time-out': [
        ['call', 'x.setTimeout', 5000], ['get', 'x.timeout'], ['call', 'x.setTimeout', 0],
        ['get', 'x.timeout'], ['call', 'x.setTimeout', 7000], ['call', 'x.destroy'],
        ['get', 'x.timeout'], ['call', 'x.setTimeout', 8000], ['get', 'x.timeout']],
}


def _named(form: Form, x: str, y: str) -> Form:
    """Return *form* with the names of a connection's ends."""
    if isinstance(form, str):
        for letter, name in (('x', x), ('y', y)):
            if form[:2] in (f'{letter}.', f'{letter} '):
                return name + form[1:]
        return form
    if isinstance(form, list):
        return [_named(item, x, y) for item in form]
    if isinstance(form, dict):
        return {key: _named(item, x, y) for key, item in form.items()}
    return form


_SIDES = {'the client': ('c', 's1'), 'the accepted socket': ('s1', 'c')}

_CONNECTED = [
    _socket(f'{side}, {stage}', *_named(steps, *ends))
    for side, ends in _SIDES.items() for stage, steps in _STAGES.items()
]

_WHOLE_LIFE = [
    Scenario(
        f'properties/addresses, {side}, {family}', _CHAPTER,
        [*connection(family, *([['get', *(f'c.{what}' for what in _ADDRESSES)]]
                               if side == 'the client' else [])),
         look, *_named([['call', 'x.end'], ['await', 'x end'], ['await', 'x close']], *ends),
         look],
        quiet=[*QUIET, 'end'], watch={'sockets': ['remoteAddress', 'localFamily']})
    for side, ends in _SIDES.items() for family in FAMILIES
    for look in _named([['get', *(f'x.{what}' for what in _ADDRESSES)]], *ends)
]

#: The row of docs/differences.md about what has no address.
_NOTHING = '`server.address()` and `socket.address()` return an object, or `{}`'

_WHOLE_LIFE += [
    Scenario(
        f'properties/address() of {side}, {family}', _CHAPTER,
        [*connection(family), ['call', f'{ends[0]}.address']],
        quiet=QUIET, watch={},
        on_purpose=_NOTHING if family == 'unix' else None)
    for side, ends in _SIDES.items() for family in FAMILIES
]

_UNCONNECTED = [
    Scenario(
        'properties/a new socket', _CHAPTER, [['let', 'c', 'new net.Socket'], *_look('c')],
        watch={}),
    Scenario(
        'properties/a new socket, with options', _CHAPTER,
        [['let', 'c', 'new net.Socket', {
            'allowHalfOpen': True, 'readableHighWaterMark': 10, 'writableHighWaterMark': 20,
            'encoding': 'utf8', 'timeout': 100}], *_look('c')], watch={}),
    Scenario(
        'properties/a new socket that is ended', _CHAPTER,
        [['let', 'c', 'new net.Socket'], ['call', 'c.end', fn('ended')], *_look('c'),
         ['await', 'c finish'], *_look('c')], watch={}),
    Scenario(
        'properties/a new socket that is destroyed', _CHAPTER,
        [['let', 'c', 'new net.Socket'], ['call', 'c.destroy'], *_look('c'),
         ['await', 'c close'], *_look('c')], watch={}),
    *(Scenario(
        f'properties/connecting, over {family}', _CHAPTER,
        [*listening(family), ['let', 'c', 'net.connect', target(family)], *_look('c'),
         ['call', 'c.write', 'h\u00e9llo'], *_look('c'), ['await', 'c ready'], *_look('c')],
        quiet=QUIET, watch={'sockets': ['connecting', 'pending', 'destroyed']})
      for family in FAMILIES),
    Scenario(
        "properties/in 'connect' and 'ready'", _CHAPTER,
        [*listening(), ['let', 'c', 'net.connect', target('IPv4')],
         *(['call', 'c.on', event, fn(f'in {event}', *_look('c'))]
           for event in ('connectionAttempt', 'connect', 'ready')),
         ['await', 'c ready']], quiet=QUIET, watch={}),
    Scenario(
        "properties/in 'connection'", _CHAPTER,
        [*listening(accepted=fn('accepted', *_look('s1'))),
         ['let', 'c', 'net.connect', target('IPv4')], ['await', 'c ready'],
         ['await', 'server connection']], quiet=QUIET, watch={}),
    Scenario(
        'properties/of a connection that was refused', _CHAPTER,
        [['let', 'c', 'net.connect', {'port': 1, 'host': '127.0.0.1'}],
         # Whether there still is a descriptor, and with it an address, is an internal.
         ['call', 'c.on', 'connectionAttemptFailed', fn(
             'failed', ['get', *(f'c.{what}' for what in (*_STATE, *_READING, *_WRITING))])],
         *(['call', 'c.on', event, fn(f'in {event}', *_look('c'))]
           for event in ('error', 'close')),
         ['await', 'c close'], *_look('c')], quiet=QUIET, watch={}),
    Scenario(
        'properties/IPv4 to a server of both families', _CHAPTER,
        [['let', 'server', 'net.createServer'], ['call', 'server.listen', 0, '::'],
         ['await', 'server listening'], ['let', 'c', 'net.connect', target('IPv4')],
         ['await', 'c ready'], ['await', 'server connection'], *_look('c'), *_look('s1')],
        quiet=QUIET, watch={}),
]

SCENARIOS = [*_CONNECTED, *_WHOLE_LIFE, *_UNCONNECTED]
