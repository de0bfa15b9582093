"""The option ``onread``: what arrives is read into a buffer of the program's own."""

from __future__ import annotations

from ..form import Form, Scenario, Step, encoded, error, fn, port
from ._pairs import QUIET, listening

__all__ = ['SCENARIOS']

_CHAPTER = 'net.Socket: new'
_QUIET = [*QUIET, 'write']

_BUFFER = {'$': 'buffer', 'size': 8}


def _reader(callback: Form, buffer: Form = _BUFFER, *early: Step) -> list[Step]:
    """Return the steps to a client that reads so, and its peer ``s1``."""
    return [
        *listening({'allowHalfOpen': True}),
        ['let', 'c', 'net.connect', {
            'port': port(), 'host': '127.0.0.1',
            'onread': {'buffer': buffer, 'callback': callback}}],
        *early,
        ['await', 'c ready'],
        ['await', 'server connection'],
    ]


def _comes(*chunks: bytes) -> list[Step]:
    return [step for chunk in chunks for step in (
        ['call', 's1.write', encoded(chunk)], ['settle'])]


_LOOK: list[Step] = [
    ['get', 'c.bytesRead', 'c.readableFlowing', 'c.readableLength'], ['call', 'c.isPaused']]
_END: list[Step] = [['call', 's1.end'], ['settle'], ['get', 'c.readableEnded', 'c.readyState']]

_READ = fn('read', of='c')
_READ_ONCE = fn('read', returns=False, of='c')

_LIVES: dict[str, list[Step]] = {
    'one buffer': [*_reader(_READ), *_comes(b'abcd', b'ef'), *_LOOK, *_END],
    'more than the buffer holds': [
        *_reader(_READ), *_comes(b'0123456789abcdefghij'), *_LOOK, *_END],
    'a function that makes buffers': [
        *_reader(_READ, fn('buffer', returns=_BUFFER, of='c')), *_comes(b'abcd', b'ef'),
        *_LOOK, *_END],
    'a function that makes buffers, more than one holds': [
        *_reader(_READ, fn('buffer', returns=_BUFFER, of='c')), *_comes(b'0123456789ab'), *_LOOK],
    'nothing comes': [*_reader(_READ), *_END],
    'it returns false, resume': [
        *_reader(_READ_ONCE), *_comes(b'ab', b'cd'), *_LOOK, ['call', 'c.resume'], ['settle'],
        *_LOOK, ['call', 's1.end'], ['settle'], ['get', 'c.readableEnded'], ['call', 'c.resume'],
        ['settle'], ['get', 'c.readableEnded']],
    'it returns false, read': [
        *_reader(_READ_ONCE), *_comes(b'ab', b'cd'), ['call', 'c.read'], ['settle'], *_LOOK],
    'it returns null': [*_reader(fn('read', returns=0, of='c')), *_comes(b'ab', b'cd'), *_LOOK],
    'it returns true': [*_reader(fn('read', returns=True, of='c')), *_comes(b'ab', b'cd'), *_LOOK],
    'pause and resume': [
        *_reader(_READ), *_comes(b'ab'), ['call', 'c.pause'], *_comes(b'cd', b'ef'), *_LOOK,
        ['call', 'c.resume'], ['settle'], *_LOOK, *_END],
    'paused in the callback': [
        *_reader(fn('read', ['call', 'c.pause'], of='c')), *_comes(b'ab', b'cd'), *_LOOK,
        ['call', 'c.resume'], ['settle'], *_LOOK],
    'paused before the connection': [
        *_reader(_READ, _BUFFER, ['call', 'c.pause']), *_comes(b'ab'), *_LOOK,
        ['call', 'c.resume'], ['settle'], *_LOOK],
    "a listener of 'data'": [
        *_reader(_READ), ['call', 'c.on', 'data', fn('data')], ['settle'], *_comes(b'ab'), *_LOOK,
        *_END],
    "a listener of 'readable'": [
        *_reader(_READ), ['call', 'c.on', 'readable', fn('readable')], ['settle'], *_comes(b'ab'),
        *_LOOK, *_END],
    'an encoding': [*_reader(_READ), ['call', 'c.setEncoding', 'utf8'], *_comes(b'ab'), *_LOOK],
    'it ends in the callback': [
        *_reader(fn('read', ['call', 'c.end', 'bye'], of='c')), *_comes(b'ab'), *_END],
    'it is destroyed in the callback': [
        *_reader(fn('read', ['call', 'c.destroy'], of='c')), *_comes(b'0123456789'), *_LOOK],
    'the peer resets': [
        *_reader(_READ), *_comes(b'ab'), ['call', 's1.resetAndDestroy'], ['await', 'c close'],
        ['get', 'c.bytesRead']],
    'it is destroyed with an error': [
        *_reader(_READ), *_comes(b'ab'), ['call', 'c.destroy', error('off')], ['await', 'c close']],
}

_LIFE = [
    Scenario(f'onread/{name}', _CHAPTER, steps, quiet=_QUIET) for name, steps in _LIVES.items()
]

#: What is no ``onread`` is ignored: data comes by events.
_IGNORED = [
    Scenario(
        f'onread/ignored: {name}', _CHAPTER,
        [
            *listening({'allowHalfOpen': True}),
            ['let', 'c', 'net.connect', {'port': port(), 'host': '127.0.0.1', 'onread': given}],
            ['await', 'c ready'], ['await', 'server connection'],
            *_comes(b'ab'), ['call', 'c.read'],
        ], quiet=_QUIET)
    for name, given in {
        'null': None,
        'empty object': {},
        'no buffer': {'callback': _READ},
        'no callback': {'buffer': _BUFFER},
        'callback that is none': {'buffer': _BUFFER, 'callback': 5},
        'buffer of text': {'buffer': 'abcdefgh', 'callback': _READ},
        'true': True,
        'a function': fn('onread'),
    }.items()
]

_ACCEPTED = [
    Scenario(
        'onread/no option of servers', _CHAPTER,
        [
            *listening({'onread': {'buffer': _BUFFER, 'callback': _READ}}),
            ['let', 'c', 'net.connect', port(), '127.0.0.1'], ['await', 'c ready'],
            ['await', 'server connection'], ['call', 'c.write', 'ab'], ['settle'],
            ['call', 's1.read'],
        ], quiet=_QUIET),
]

SCENARIOS = [*_LIFE, *_IGNORED, *_ACCEPTED]
