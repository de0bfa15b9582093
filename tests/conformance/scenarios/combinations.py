"""Calls in unusual combinations: what each makes of the other, in the smallest form.

Random scenarios (``fuzz``) have led to them: gnet differed from Node in each, and was mended.
"""

from __future__ import annotations

from typing import Any

from ..form import Scenario, Step, data, error, fn, port, text, tmp

__all__ = ['SCENARIOS']

_TIMES = 'net.Socket: pause, resume, read, unshift, setEncoding'
_WRITES = 'net.Socket: write, cork, uncork'
_ENDS = 'net.Socket: end'
_DESTROYS = 'net.Socket: destroy, destroySoon, resetAndDestroy'
_CONNECTS = 'net.Socket: connect'

_STATE: Step = [
    'get', *(f'{name}.{member}' for name in ('c', 's1') for member in (
        'readyState', 'readableFlowing', 'readableLength', 'readableDidRead', 'writableEnded',
        'writableCorked', 'destroyed')),
]


def _pair(
    server: dict[str, Any] | None = None, client: dict[str, Any] | None = None,
    unix: bool = False, early: tuple[Step, ...] = (), before: tuple[Step, ...] = (),
) -> list[Step]:
    """Return the steps to a connection; *before* and *early* stand around ``c.connect()``."""
    where: dict[str, Any] = (
        {'path': tmp('socket')} if unix else {'host': '127.0.0.1', 'port': port()})
    return [
        ['let', 'server', 'net.createServer', {'noDelay': True, **(server or {})}],
        ['call', 'server.listen', {'path': tmp('socket')} if unix else {
            'host': '127.0.0.1', 'port': 0}],
        ['await', 'server listening'],
        ['let', 'c', 'new net.Socket', {'noDelay': True, **(client or {})}],
        *before,
        ['call', 'c.connect', where],
        *early,
        ['settle'],
    ]


_COMBINATIONS: list[tuple[str, str, list[Step]]] = [
    ('a data listener and pause() before the connection: it is read from', _TIMES, [
        *_pair(early=(['call', 'c.once', 'data', fn('got')], ['call', 'c.pause'])),
        ['call', 's1.end', data(1)]]),
    ('unshift() before the connection is not announced', _TIMES, [
        *_pair(unix=True, early=(['call', 'c.unshift', text(1)],)), _STATE]),
    ('unshift() before the connection, twice', _TIMES, _pair(
        before=(['call', 'c.unshift', text(1)], ['settle']),
        early=(['call', 'c.unshift', text(1)],))),
    ('unshift() starts the reading of a socket that is paused at birth', _TIMES, [
        *_pair({'pauseOnConnect': True}), ['call', 's1.unshift', text(1)], ['settle'],
        ['call', 'c.write', data(1)], ['settle']]),
    ('read() before the connection reads, although unshift() fills the buffer', _TIMES, [
        *_pair(client={'highWaterMark': 10}, early=(
            ['call', 'c.read', 1], ['call', 'c.unshift', text(10)])),
        ['call', 'c.end', fn('ended')]]),
    ('a data listener and unshift() before the connection', _TIMES, _pair(
        unix=True, early=(['call', 'c.once', 'data', fn('got')], ['call', 'c.unshift', text(1)]))),
    ('unshift() that is emitted at once counts as read', _TIMES, [
        *_pair(early=(['call', 'c.once', 'data', fn('got')],)), ['call', 'c.unshift', text(1)],
        _STATE]),
    ('removeAllListeners of readable, of which there are none, while paused', _TIMES, _pair(
        early=(['call', 'c.pause'], ['call', 'c.removeAllListeners', 'readable']))),
    ('removeAllListeners of readable on a socket that is paused at birth', _TIMES, [
        *_pair({'pauseOnConnect': True}), ['call', 's1.removeAllListeners', 'readable'],
        ['settle'], ['call', 's1.isPaused'], _STATE]),
    ('what unshift() puts back does not stop reading', _TIMES, [
        *_pair({'highWaterMark': 10}), ['call', 's1.unshift', text(10)], ['settle'],
        ['call', 'c.write', data(3)], ['settle'], _STATE, ['get', 's1.bytesRead']]),
    ('reading stops at the high-water mark, whatever an encoding makes of it', _TIMES, [
        *_pair({'highWaterMark': 10}), ['call', 'c.write', text(10)], ['settle'],
        ['call', 's1.setEncoding', 'utf16le'], ['call', 'c.write', text(10)], ['settle'],
        ['get', 's1.bytesRead'], ['call', 's1.read'], ['settle'], ['get', 's1.bytesRead']]),
    ('a data listener right after the last readable listener has gone', _TIMES, [
        *_pair(), ['call', 'c.write', data(1)], ['settle'],
        ['call', 's1.on', 'readable', fn('readable')],
        ['call', 's1.off', 'readable', fn('readable')],
        ['call', 's1.on', 'data', fn('got')], ['call', 's1.resume'], _STATE]),
    ('a data listener in the readable listener that is called once', _TIMES, [
        *_pair(), ['call', 'c.write', data(1)], ['settle'],
        ['call', 's1.once', 'readable', fn('readable', [
            'call', 's1.on', 'data', fn('got')], ['call', 's1.resume'])],
        ['call', 's1.on', 'data', fn('got too')], ['call', 's1.resume']]),
    ('unshift() twice, above the high-water mark, with a readable listener', _TIMES, [
        *_pair(client={'highWaterMark': 10}), ['call', 'c.on', 'readable', fn('readable', [
            'call', 'c.read', 1])], ['settle'],
        ['call', 'c.unshift', text(1)], ['call', 'c.unshift', text(10)]]),
    ('unshift() after a write that failed at once', _TIMES, [
        *_pair(unix=True), ['call', 'c.destroy'],
        ['call', 's1.write', 'é', 'latin1', fn('written')],
        ['call', 's1.unshift', text(1)], _STATE]),
    ('destroy() with another error in the callback of a failed write', _DESTROYS, [
        *_pair(unix=True), ['call', 'c.destroy'],
        ['call', 's1.write', text(1), fn('first', [
            'call', 's1.destroy', {'$': 'error', 'message': 'on purpose'}])],
        ['call', 's1.write', data(0), fn('second')], ['settle'], ['get', 's1.errored']]),
    ('with a high-water mark of 0 a read that finds nothing starts the next', _TIMES, [
        *_pair({'highWaterMark': 0}), ['call', 'c.write', data(1)], ['settle'],
        ['call', 's1.read'], ['call', 'c.write', data(1)], ['settle'], ['get', 's1.bytesRead'],
        ['call', 's1.read'], ['settle'], ['call', 's1.read']]),
    ('with a high-water mark of 0 the end is seen', _TIMES, [
        *_pair(client={'highWaterMark': 0}), ['call', 's1.end'], ['settle']]),
    ("with a high-water mark of 0 nothing more is read after a pause in 'data'", _TIMES, [
        *_pair({'highWaterMark': 0}), ['call', 'c.write', data(1)], ['settle'],
        ['call', 's1.once', 'data', fn('data', ['call', 's1.pause'], of='s1')],
        ['call', 'c.write', data(1)], ['settle'], ['get', 's1.bytesRead'],
        ['call', 's1.resume'], ['settle'], ['get', 's1.bytesRead']]),
    ('unshift() while it is read from has nothing announced', _TIMES, [
        *_pair({'highWaterMark': 1}), ['call', 'c.write', data(1000)], ['settle'],
        ['call', 'c.write', text(1)], ['call', 's1.unshift', text(1)], ['call', 's1.read', 1000],
        ['settle'], _STATE]),
    ('unshift(), read(1) and pause() before the connection: nothing is announced', _TIMES, [
        *_pair(before=(['call', 'c.unshift', text(2)], ['call', 'c.read', 1], ['call', 'c.pause'],
                       ['settle'])),
        ['call', 's1.write', data(1)], ['settle'], _STATE]),
    ('readable is emitted again after read() has left something', _TIMES, [
        *_pair({'highWaterMark': 100}), ['call', 'c.write', data(1)], ['settle'],
        ['call', 'c.write', text(1000)], ['settle'], ['call', 's1.read', 1000],
        ['call', 'c.write', data(1)], ['settle'], ['call', 'c.write', data(1)]]),
    ('resume() and destroy() with something buffered', _DESTROYS, [
        *_pair(), ['call', 'c.write', data(3)], ['settle'],
        ['call', 's1.on', 'data', fn('got')], ['call', 's1.destroy'], ['settle'], _STATE]),
    ('destroy() and a data listener with something buffered', _DESTROYS, [
        *_pair(), ['call', 'c.write', data(3)], ['settle'],
        ['call', 's1.destroy'], ['call', 's1.on', 'data', fn('got')], ['settle'], _STATE]),
    ('a write that fails between read() and the end', _WRITES, [
        *_pair(), ['call', 's1.write', data(2)], ['call', 's1.destroySoon'],
        ['call', 'c.write', data(1), fn('written')], ['settle'], ['call', 'c.read'],
        ['call', 'c.write', data(1)]]),
    ('writes after one that failed at once', _WRITES, [
        *_pair(), ['call', 'c.destroy'], ['call', 's1.write', data(1), fn('first')],
        ['tick', fn('tick', ['call', 's1.write', data(1), fn('in a tick')], of='s1')],
        ['call', 's1.write', data(1), fn('second', [
            'call', 's1.write', data(1), fn('in a callback')])]]),
    ('pause() after a write that failed at once', _WRITES, [
        *_pair(before=(['call', 'c.write', data(1), fn('written')], ['call', 'c.pause'],
                       ['settle']))]),
    ('a corked write before connect()', _WRITES, [
        *_pair(before=(['call', 'c.cork'], ['call', 'c.write', data(1)], ['settle'])),
        ['call', 'c.uncork']]),
    ('cork() does not hold back what was written before the connection', _WRITES, _pair(
        unix=True,
        early=(['call', 'c.write', text(1), fn('written')], ['call', 'c.cork'],
               ['call', 'c.write', text(2), fn('held back')]))),
    ('the end of the peer undoes cork(), and what was corked fails', _WRITES, [
        *_pair(unix=True, early=(
            ['call', 'c.cork'], ['call', 'c.write', 'häßlich €', 'utf8', fn('written')])),
        ['call', 's1.destroySoon'], ['settle'], _STATE]),
    ('cork(), destroySoon() of the peer, end() with data', _ENDS, [
        *_pair(unix=True), ['call', 'c.write', data(1), fn('written')], ['call', 's1.cork'],
        ['call', 'c.destroySoon'], ['settle'], ['call', 's1.resume'],
        ['call', 's1.end', data(1)]]),
    ('a write after the end of the peer, and one’s own before it', _WRITES, [
        *_pair(), ['call', 'c.end'], ['call', 's1.end'], ['settle'],
        ['call', 's1.write', data(1), fn('written')]]),
    ('end() with data after the end of the peer', _ENDS, [
        *_pair(), ['call', 's1.end'], ['settle'], ['call', 'c.end', data(1), fn('ended')]]),
    ('a write in the listener of the end, after one’s own', _WRITES, [
        *_pair(), ['call', 'c.once', 'end', fn('end', ['call', 'c.write', data(1)])],
        ['call', 'c.resume'], ['call', 's1.resume'], ['call', 'c.end', data(1)]]),
    ('end() with data that is refused undoes cork()', _ENDS, [
        *_pair(early=(['call', 'c.end'], ['call', 'c.cork'],
                      ['call', 'c.end', data(1), fn('ended')])),
        ['get', 'c.writableCorked']]),
    ('end() with data that fails has not ended', _ENDS, [
        *_pair({'allowHalfOpen': True}, early=(['call', 'c.destroySoon'],)),
        ['call', 's1.write', text(1), fn('written')],
        ['call', 's1.end', text(1), fn('ended')], _STATE]),
    # What was corked fails at once: all that was written is answered in one tick.
    *((f'a corked write that fails, {name}', _WRITES, [
        *_pair({'allowHalfOpen': True}, unix=True, early=(['call', 'c.destroy'],)),
        ['call', 's1.cork'], *steps, ['call', 's1.on', 'data', fn('data')],
        ['call', 's1.write', text(1), fn('queued', ['call', 's1.uncork'])],
        ['get', 's1.writableLength']])
      for name, steps in (
        ('then a data listener and a write', [
            ['call', 's1.write', data(1)], ['call', 's1.uncork']]),
        ('by end(), then a data listener and a write', [
            ['call', 's1.end', data(1)]]),
        ('with its callbacks', [
            ['call', 's1.write', data(1), fn('first', ['call', 's1.write', 'x', fn('in first')])],
            ['call', 's1.write', data(2), fn('second')], ['call', 's1.uncork']]),
        ('by end() with a callback', [
            ['call', 's1.write', data(1), fn('first')], ['call', 's1.end', fn('ended')]]),
    )),
    ('corked writes that fail, then destroy()', _WRITES, [
        *_pair({'allowHalfOpen': True}, unix=True, early=(['call', 'c.destroy'],)),
        ['call', 's1.cork'], ['call', 's1.write', data(1), fn('first')],
        ['call', 's1.write', data(2), fn('second')], ['call', 's1.uncork'],
        ['call', 's1.on', 'data', fn('data')], ['call', 's1.destroy', error('mine')]]),
    *((f'what was refused room by the mark needs a drain, {name}', _WRITES, [
        *_pair({'highWaterMark': 2, 'allowHalfOpen': True, 'pauseOnConnect': True}, unix=True,
               early=(['call', 'c.destroy'],)), *steps])
      for name, steps in (
        ('though it has failed', [
            ['call', 's1.write', data(1)], ['get', 's1.writableNeedDrain'],
            ['call', 's1.on', 'drain', fn('drain')], ['settle']]),
        ('though it has failed with more than that', [
            ['call', 's1.write', data(3)], ['get', 's1.writableNeedDrain', 's1.writableLength'],
            ['call', 's1.on', 'drain', fn('drain')], ['settle']]),
        ('behind what has failed', [
            ['call', 's1.write', ''], ['call', 's1.write', data(1)],
            ['get', 's1.writableNeedDrain'], ['call', 's1.write', data(1)],
            ['get', 's1.writableNeedDrain', 's1.writableLength'],
            ['call', 's1.on', 'drain', fn('drain')], ['settle']]),
    )),
    # What is behind a write that failed is answered with it, also if a destroy() comes first.
    *((f'writes behind one that failed at once, {name}', _WRITES, [
        *_pair({'allowHalfOpen': True, 'pauseOnConnect': True}, unix=True,
               early=(['call', 'c.destroy'],)),
        *steps, ['settle'], ['get', 's1.bytesWritten']])
      for name, steps in (
        ('resume() and destroy() in one turn', [
            ['call', 's1.write', data(1), fn('first')], ['call', 's1.write', data(2), fn('second')],
            ['call', 's1.resume'], ['call', 's1.end', fn('ended')], ['call', 's1.destroy']]),
        ('corked, resume() and destroy() with an error in one turn', [
            ['call', 's1.cork'], ['call', 's1.write', data(1), fn('first')],
            ['call', 's1.write', data(2), fn('second')], ['call', 's1.uncork'],
            ['call', 's1.write', data(3), fn('third')],
            ['call', 's1.resume'], ['call', 's1.destroy', error('mine')]]),
        ('resume(), and destroy() in its callback', [
            ['call', 's1.write', data(1), fn('first', ['call', 's1.destroy'], of='s1')],
            ['call', 's1.write', data(2), fn('second')], ['call', 's1.end', fn('ended')],
            ['call', 's1.resume']]),
        ('resume(), and destroy() in the callback of one of them', [
            ['call', 's1.write', data(1), fn('first')],
            ['call', 's1.write', data(2), fn(
                'second', ['call', 's1.destroy', error('mine')], of='s1')],
            ['call', 's1.write', data(3), fn('third')],
            ['call', 's1.end', fn('ended')], ['call', 's1.resume']]),
    )),
    ('end() before connect() says so at once', _ENDS, _pair(
        before=(['call', 'c.end', fn('ended')], ['settle']))),
    ('destroySoon() and a refused write, with something unread', _DESTROYS, [
        *_pair(), ['call', 's1.write', text(1)], ['call', 'c.destroySoon'],
        ['call', 'c.write', '', 'utf8']]),
    ('destroySoon() with something unread', _DESTROYS, [
        *_pair(unix=True), ['call', 'c.destroySoon'], ['call', 's1.write', data(1)]]),
    ('end() tells of itself when all ticks are over', _ENDS, [
        *_pair(), ['call', 's1.end', data(1), fn('ended')],
        ['tick', fn('tick', ['tick', fn('its tick', of='s1')], of='s1')]]),
    ('resetAndDestroy() before the connection, and then a write', _DESTROYS, _pair(
        early=(['call', 'c.resetAndDestroy'], ['call', 'c.write', 'é', 'latin1']))),
    ('a failed write and a plain destroy() in one turn', _DESTROYS, [
        *_pair(unix=True), ['call', 'c.end', fn('ended')],
        ['call', 'c.write', data(1), fn('refused')],
        ['call', 's1.write', 'é', 'latin1', fn('written')], ['call', 's1.destroy'],
        ['get', 's1.errored']]),
    ('an echo after its own end', 'net.Socket: pipe, unpipe', [
        *_pair(), ['call', 's1.write', data(1), fn('written')], ['call', 's1.end', fn('ended')],
        ['settle'], ['call', 's1.pipe', {'$': 'ref', 'path': 's1'}], ['call', 'c.end', data(1)]]),
    ('an echo, twice, of what nobody is there for', 'net.Socket: pipe, unpipe', [
        *_pair(), ['call', 's1.pipe', {'$': 'ref', 'path': 's1'}],
        ['call', 'c.write', 'é', 'latin1', fn('written')],
        ['call', 'c.destroy'],
        ['call', 's1.pipe', {'$': 'ref', 'path': 's1'}]]),
    ('a path whose server closes before the connection is told of', _CONNECTS, _pair(
        unix=True, early=(['call', 'server.close', fn('closed')],))),
]

SCENARIOS = [
    Scenario(
        f'combinations/{name}', chapter, steps, watch={'sockets': [
            'readyState', 'readableFlowing', 'readableLength']})
    for name, chapter, steps in _COMBINATIONS
]
