"""Whole lives of connections: who ends first, who reads, and what a server's 'close' waits for."""

from __future__ import annotations

from typing import Any

from ..form import Scenario, Step, arg, data, error, fn
from ._families import FAMILIES, QUIET, connection, listening, target

__all__ = ['SCENARIOS']

_ENDING = 'net.Socket: end'
_READING = "net.Socket: 'data', 'end', 'readable'"
_CLOSING = "net.Socket: 'close', 'error'"

#: All of a socket that changes when it ends.
_STATE = ['readyState', 'readable', 'writable', 'destroyed', 'writableFinished']

_OPTIONS: dict[str, Any] = {'quiet': QUIET, 'watch': {'sockets': _STATE}}

_BOTH_CLOSED: list[Step] = [['await', 'c close'], ['await', 's1 close']]

_ALL: list[Step] = [
    *_BOTH_CLOSED, ['call', 'server.close', fn('closed')], ['await', 'server close']]


def _life(
    name: str, family: str, *steps: Step, chapter: str = _ENDING, ignore: tuple[str, ...] = (),
    **more: Any,
) -> Scenario:
    return Scenario(
        f'lives/{name}, {family}', chapter, [*connection(family, **more), *steps],
        ignore=[*ignore], **_OPTIONS)


_LOOK: list[Step] = [['get', *(f's1.{name}' for name in (
    'readyState', 'destroyed', 'readableLength', 'bytesRead', 'readableFlowing'))]]


#: What follows when both have read all the while.
_ENDS: dict[str, tuple[list[Step], list[Step]]] = {
    # name: (right after connect(), once connected)
    'the client ends, the server echoes': (
        [['call', 'c.on', 'data', fn('got', ['call', 'c.end', fn('ended')])]],
        [['call', 's1.pipe', {'$': 'ref', 'path': 's1'}],
         ['call', 'c.write', 'hello', fn('written')]]),
    'the server ends with a word': (
        [['call', 'c.on', 'data', fn('got')]],
        [['call', 's1.end', 'bye', fn('ended')]]),
    'the client ends with a word, nobody has a listener': (
        [], [['call', 's1.resume'], ['call', 'c.end', 'bye', fn('ended')]]),
    'the client ends, and nobody has a listener': ([], [['call', 'c.end', fn('ended')]]),
    'the server ends, and nobody has a listener': ([], [['call', 's1.end', fn('ended')]]),
    'the server ends, the client is paused': (
        [], [['call', 'c.pause'], ['call', 's1.end', fn('ended')]]),
    'the client ends, the server is paused': (
        [], [['call', 's1.pause'], ['call', 'c.end', fn('ended')]]),
    'both end at once': ([], [
        ['call', 'c.end', 'from c', fn('c ended')], ['call', 's1.end', 'from s1', fn('s1 ended')],
        ['call', 'c.resume'], ['call', 's1.resume']]),
}

_ON_FAMILIES = [
    Scenario(
        f'lives/{name}, {family}', _ENDING, [*connection(family, *early), *late, *_ALL],
        **_OPTIONS)
    for name, (early, late) in _ENDS.items() for family in FAMILIES
]

#: s1 gets data and the end, and does not read.
_UNREAD: dict[str, list[Step]] = {
    'nobody reads': [],
    'nobody reads until resume': [['call', 's1.resume'], *_BOTH_CLOSED],
    'nobody reads until read': [['call', 's1.read'], *_BOTH_CLOSED],
    'nobody reads until a listener of data': [
        ['call', 's1.on', 'data', fn('got')], *_BOTH_CLOSED],
    'nobody reads, and it ends': [['call', 's1.end', fn('s1 ended')], ['settle'], *_LOOK],
    'nobody reads, it ends, and then reads': [
        ['call', 's1.end', fn('s1 ended')], ['settle'], ['call', 's1.resume'], *_BOTH_CLOSED],
    'nobody reads, and it is destroyed': [
        ['call', 's1.destroy'], ['await', 's1 close'], ['call', 's1.read'], *_LOOK],
    'it is paused': [['call', 's1.pause'], ['settle'], *_LOOK],
}

_NOT_READ = [
    _life(name, family, ['call', 'c.end', 'hello', fn('ended')], ['settle'], *_LOOK, *steps,
          chapter=_READING)
    for name, steps in _UNREAD.items()
    for family in (FAMILIES if 'until resume' in name else ('IPv4',))
]

#: s1 was accepted with pauseOnConnect, and c has written or ended.
_PAUSED: dict[str, list[Step]] = {
    'nothing': [],
    'a listener of data': [['call', 's1.on', 'data', fn('got')], ['settle']],
    'a listener of readable': [
        ['call', 's1.on', 'readable', fn('readable', ['call', 's1.read'])], ['settle']],
    'resume': [['call', 's1.on', 'data', fn('got')], ['call', 's1.resume'], ['settle']],
    'read': [['call', 's1.read'], ['settle'], ['call', 's1.read'], ['settle']],
}

_ON_ACCEPT = [
    _life(
        f'pauseOnConnect, {said}, {name}', family, *first, ['settle'], *_LOOK,
        ['call', 's1.isPaused'], *steps, *_LOOK, ['call', 's1.isPaused'],
        chapter='net.createServer', server={'pauseOnConnect': True})
    for said, first in {
        'written': [['call', 'c.write', 'hello']],
        'ended': [['call', 'c.end', 'hello']],
    }.items()
    for name, steps in _PAUSED.items()
    for family in (('IPv4', 'unix') if name == 'resume' else ('IPv4',))
]

_ON_ACCEPT += [
    Scenario(
        f'lives/pauseOnConnect, resumed by the listener, {family}', 'net.createServer',
        [*connection(
            family, ['call', 'c.end', 'hello'], server={'pauseOnConnect': True},
            accepted=fn('accepted', ['call', '$0.isPaused'], ['call', '$0.on', 'data', fn('got')],
                        ['call', '$0.resume'])), *_ALL], **_OPTIONS)
    for family in FAMILIES
]

#: A server that was told to close, and what then becomes of its connection.
_LAST: dict[str, list[Step]] = {
    'both are destroyed': [['call', 'c.destroy'], ['call', 's1.destroy']],
    'the accepted one is destroyed': [['call', 's1.destroy']],
    'the client is destroyed': [['call', 'c.destroy']],
    'the client ends': [['call', 'c.end']],
    'the accepted one ends': [['call', 's1.end']],
}

_SERVERS = [
    Scenario(
        f'lives/the server closes, {name}, {family}', "net.Server: 'close'",
        [*connection(family), ['call', 'server.close', fn('closed')], ['settle'],
         ['get', 's1.readyState', 'c.readyState'], *steps, *_BOTH_CLOSED],
        together={'both': ['server', 's1']}, **_OPTIONS)
    for name, steps in _LAST.items()
    for family in (FAMILIES if name == 'both are destroyed' else ('IPv4',))
]

_SERVERS += [
    Scenario(
        'lives/a client comes while the server closes', "net.Server: 'close'",
        [*listening(), ['let', 'c', 'net.connect', target('IPv4')], ['await', 'server connection'],
         ['call', 'server.close'], ['call', 'c.resume'],
         ['call', 'c.write', 'hello', fn('written')],
         ['call', 's1.on', 'data', fn('got', ['call', 's1.end', arg(0)])], *_BOTH_CLOSED],
        together={'both': ['server', 's1']}, **_OPTIONS),
]

_OTHERS = [
    Scenario(
        f'lives/idle time is told and nothing else, {family}',
        "net.Socket: 'timeout', setTimeout",
        [*connection(family), ['call', 's1.setTimeout', 20], ['await', 's1 timeout'], *_LOOK,
         ['call', 'c.write', 'hello', fn('written')],
         ['call', 's1.on', 'data', fn('got')], ['await', 'got'], ['call', 's1.setTimeout', 0],
         ['call', 'c.end'], *_BOTH_CLOSED, ['get', 's1.timeout']], **_OPTIONS)
    for family in FAMILIES
]

_OTHERS += [
    _life(f'nothing comes after destroy in {event}', 'IPv4',
          ['call', 'c.on', event, fn('listener', ['call', 'c.destroy'])],
          ['call', 'c.on', 'data', fn('got')], ['call', 's1.end', 'hello'], ['await', 'c close'],
          ['get', 'c.readableEnded', 'c.readableAborted', 'c.errored'], chapter=_CLOSING)
    for event in ('data', 'readable', 'end', 'finish', 'prefinish')
]

_OTHERS += [
    _life(f'destroyed with {"an error" if args else "no error"} in {where}', 'IPv4',
          ['call', 'c.on', 'prefinish', fn(
              'prefinish', *([['call', 'c.destroy', *args]] if where == 'prefinish' else []))],
          ['call', 'c.end', fn(
              'ended', *([['call', 'c.destroy', *args]] if where != 'prefinish' else []))],
          ['call', 'c.end', fn('ended too')], ['await', 'c close'],
          ['get', 'c.writableFinished', 'c.writableEnded', 'c.errored'], chapter=_CLOSING)
    for where in ('prefinish', 'the callback of end') for args in ([], [error('mine')])
]

_OTHERS += [
    _life('what was written before the peer ended is all sent', 'IPv4',
          ['call', 'c.pause'], ['call', 'c.write', data(8 << 20), fn('written')],
          ['call', 's1.end', fn('s1 ended')], ['await', 's1 ended'], ['settle'],
          ['get', 'c.writableLength', 'c.readyState'],
          ['call', 's1.resume'], *_BOTH_CLOSED, ['get', 's1.bytesRead', 'c.bytesWritten'],
          ignore=('data', 'readable')),
    _life('without the own listener of end', 'IPv4',
          ['call', 'c.removeAllListeners', 'end'], ['call', 's1.end', fn('s1 ended')],
          *_BOTH_CLOSED, chapter=_CLOSING),
]

SCENARIOS = [*_ON_FAMILIES, *_NOT_READ, *_ON_ACCEPT, *_SERVERS, *_OTHERS]
