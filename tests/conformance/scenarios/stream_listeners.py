"""What listeners of 'data' and 'readable' change when they are added and removed."""

from __future__ import annotations

from ..form import Form, Scenario, Step, fn
from ._pairs import QUIET, connection

__all__ = ['SCENARIOS']

_CHAPTER = "net.Socket: 'data', 'end', 'readable'"
_FLOWS_TO_NOBODY = (
    "after `removeAllListeners('data')`, removing `'readable'` makes data flow to nobody")
_ADDING = ('on', 'once', 'addListener', 'prependListener', 'prependOnceListener')

DATA, MORE, READABLE = fn('data'), fn('more'), fn('readable')
_READS = fn('reads', ['call', 'c.read'])
_MODE: list[Step] = [['get', 'c.readableFlowing'], ['call', 'c.isPaused']]
_THEN: list[Step] = [*_MODE, ['settle'], *_MODE]
_ON_DATA: Step = ['call', 'c.on', 'data', DATA]
_ON_READABLE: Step = ['call', 'c.on', 'readable', READABLE]


def _removing(listener: Form) -> list[tuple[str, list[Form]]]:
    """Return the methods that remove *listener*, with what they get beside the event."""
    return [('off', [listener]), ('removeListener', [listener]), ('removeAllListeners', [])]


#: What happens, and the steps on a socket without a connection.
_ALONE: list[tuple[str, list[Step]]] = [
    *((f'data by {method}', [['call', f'c.{method}', 'data', DATA], *_THEN])
      for method in _ADDING),
    *((f'readable by {method}', [['call', f'c.{method}', 'readable', READABLE], *_THEN])
      for method in _ADDING),
    ('data while paused', [['call', 'c.pause'], _ON_DATA, *_THEN, ['call', 'c.resume'], *_THEN]),
    ('data in vain', [_ON_DATA, ['call', 'c.pause'], *_THEN]),
    ('data, then pause and resume', [
        _ON_DATA, ['call', 'c.pause'], ['call', 'c.resume'], *_THEN]),
    ('data twice', [_ON_DATA, ['call', 'c.on', 'data', MORE], *_THEN]),
    *((f'data is removed by {method}', [
        _ON_DATA, ['call', f'c.{method}', 'data', *rest], *_THEN])
      for method, rest in _removing(DATA)),
    ('readable is removed with all', [_ON_READABLE, ['call', 'c.removeAllListeners'], *_THEN]),
    *((f'readable is removed by {method}', [
        _ON_READABLE, ['settle'], ['call', f'c.{method}', 'readable', *rest], *_THEN])
      for method, rest in _removing(READABLE)),
    *((f'readable is removed by {method} while there is data', [
        _ON_DATA, _ON_READABLE, *_THEN, ['call', f'c.{method}', 'readable', *rest], *_THEN])
      for method, rest in _removing(READABLE)),
    ('readable is removed while another stays', [
        _ON_DATA, _ON_READABLE, ['call', 'c.on', 'readable', MORE], ['settle'],
        ['call', 'c.off', 'readable', MORE], *_THEN]),
    ('readable is removed and added at once', [
        _ON_READABLE, ['settle'], ['call', 'c.off', 'readable', READABLE], _ON_READABLE, *_THEN]),
    ('readable, then data', [_ON_READABLE, _ON_DATA, *_THEN]),
    ('data, then readable', [_ON_DATA, ['settle'], _ON_READABLE, *_THEN]),
    ('readable and resume', [_ON_READABLE, ['call', 'c.resume'], *_THEN]),
    ('readable while paused', [['call', 'c.pause'], _ON_READABLE, *_THEN,
                               ['call', 'c.off', 'readable', READABLE], *_THEN]),
    ('readable is removed while paused with data', [
        ['call', 'c.pause'], _ON_DATA, _ON_READABLE, ['call', 'c.off', 'readable', READABLE],
        *_THEN]),
]

_SEND: list[Step] = [['call', 's1.write', 'hello'], ['settle']]
_MORE: list[Step] = [['call', 's1.write', 'again'], ['settle']]
_END: list[Step] = [['call', 's1.end'], ['settle']]

#: What happens, and the steps on the client of a connection.
_CONNECTED: list[tuple[str, list[Step]]] = [
    *((f'data comes by {method}', [*_SEND, ['call', f'c.{method}', 'data', DATA], ['settle'],
                                  *_MORE, ['get', 'c.readableLength'], *_MODE])
      for method in _ADDING),
    *((f'readable comes by {method}', [
        ['call', f'c.{method}', 'readable', READABLE], ['settle'], *_SEND, *_MORE,
        ['get', 'c.readableLength'], *_MODE]) for method in _ADDING),
    ('what was buffered, by readable', [*_SEND, ['call', 'c.on', 'readable', _READS], ['settle'],
                                        *_MORE, *_END]),
    ('data within read', [
        _ON_DATA, ['call', 'c.on', 'readable', _READS], ['settle'], *_SEND, *_END]),
    ('data is lost after its last listener went', [
        _ON_DATA, *_SEND, ['call', 'c.off', 'data', DATA], *_MORE, ['get', 'c.readableLength'],
        _ON_DATA, *_MORE]),
    ('data flows again after readable went', [
        _ON_DATA, _ON_READABLE, ['settle'], *_SEND, ['get', 'c.readableLength'],
        ['call', 'c.off', 'readable', READABLE], ['settle'], *_MORE]),
    ('one removes itself at the first data', [
        ['call', 'c.on', 'data', fn('first', ['call', 'c.removeAllListeners', 'data'],
                                    ['call', 'c.on', 'data', MORE])],
        ['call', 'c.on', 'data', DATA], *_SEND, *_MORE]),
    ('data listeners in their order', [
        _ON_DATA, ['call', 'c.once', 'data', MORE],
        ['call', 'c.prependListener', 'data', fn('before')], *_SEND, *_MORE]),
]

#: The same; Node has not noticed that the listeners of 'data' went.
_UNNOTICED: list[tuple[str, list[Step]]] = [
    ('data and readable are removed with all', [
        _ON_DATA, _ON_READABLE, ['call', 'c.removeAllListeners'], *_THEN]),
    ('all data is removed, then readable', [
        _ON_DATA, _ON_READABLE, ['call', 'c.removeAllListeners', 'data'], ['settle'],
        ['call', 'c.off', 'readable', READABLE], *_THEN]),
]

SCENARIOS = [
    *(Scenario(
        f'stream listeners/{title}', _CHAPTER, [['let', 'c', 'new net.Socket'], *steps],
        watch={'sockets': ['readableFlowing']},
    ) for title, steps in _ALONE),
    *(Scenario(
        f'stream listeners/{title}', _CHAPTER, [['let', 'c', 'new net.Socket'], *steps],
        watch={'sockets': ['readableFlowing']},
        on_purpose=_FLOWS_TO_NOBODY,
    ) for title, steps in _UNNOTICED),
    *(Scenario(
        f'stream listeners/{title}', _CHAPTER, [*connection(), *steps],
        watch={'c': ['readableFlowing']}, quiet=[*QUIET, 'write', 'end'],
    ) for title, steps in _CONNECTED),
]
