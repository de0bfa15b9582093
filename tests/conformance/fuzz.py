"""Random scenarios, the same for each seed: two ends of a connection, and what is called on them.

Calls come in *bursts*, each of which is over, at both ends, before the next one begins: so what a
real Node does with them does not depend on the kernel or on the time. What gnet leaves out or does
otherwise on purpose is not drawn, or is left out by :func:`is_explained`.
"""

from __future__ import annotations

import random
import re
from typing import Any

from .agreement import as_heard, differing_lanes
from .driver import Lanes
from .form import Form, Scenario, Step, data, error, fn, port, ref, text, tmp

__all__ = ['Maker', 'is_explained', 'make_scenario']

#: Bytes of a chunk. All of them together fit into the kernel's buffers, so that the chunks that
#: arrive are those that were sent, or all that was sent in one burst.
_SIZES = (0, 1, 1, 2, 3, 10, 10, 100, 1000, 5000, 20000)

_EVENTS = (
    'data', 'data', 'data', 'readable', 'readable', 'end', 'end', 'drain', 'finish', 'prefinish',
    'close', 'error', 'pause', 'resume', 'pipe', 'unpipe', 'connect', 'ready',
)

_ENCODINGS = ('utf8', 'latin1', 'hex', 'base64', 'ascii', 'utf16le', 'base64url')

_STATE = (
    'readyState', 'destroyed', 'closed', 'pending', 'connecting', 'readable', 'writable',
    'readableFlowing', 'readableLength', 'readableEnded', 'readableEncoding', 'readableAborted',
    'readableDidRead', 'writableEnded', 'writableFinished', 'writableNeedDrain',
    'writableCorked', 'bytesRead',
)

#: How often each call comes, in relation to the others.
_WEIGHTS = {
    'write': 12, 'write text': 4, 'end': 4, 'destroy': 1, 'destroySoon': 1, 'resetAndDestroy': 0.6,
    'pause': 4, 'resume': 5, 'isPaused': 1, 'read': 6, 'unshift': 2, 'setEncoding': 1.5, 'cork': 2,
    'uncork': 3, 'pipe': 1.5, 'unpipe': 1.5, 'on': 14, 'once': 8, 'off': 3, 'removeAllListeners': 1,
    'listenerCount': 1, 'ref': 0.5, 'unref': 0.5, 'setNoDelay': 0.5, 'setKeepAlive': 0.5,
    'setDefaultEncoding': 0.5, 'close server': 1, 'getConnections': 1, 'tick': 4, 'state': 2,
}

#: What may be called on an end that gets an echo.
_WITHOUT_READING = (
    'write', 'write text', 'end', 'destroy', 'destroySoon', 'resetAndDestroy', 'cork', 'uncork',
    'ref', 'unref', 'close server', 'getConnections',
)

#: What the peer notices.
_NOTICED = ('write', 'end', 'uncork', 'destroy', 'destroySoon', 'resetAndDestroy')

#: What is not called before connect(): what destroys (Node takes a part of the old state along),
#: and what makes it impossible.
_NOT_BEFORE_CONNECT = ('end', 'destroySoon', 'write', 'destroy', 'resetAndDestroy', 'close')

#: Callbacks of what has failed.
_FAILED = re.compile(r'(written|ended)\d+\(Error')
#: What tells that something was sent.
_SENT = re.compile(r"(written|ended)\d+\(\)|'(prefinish|finish)'|(on|once)_(prefinish|finish)\d+\(")
#: gnet calls this one back, where Node forgets it or, if something was to be sent, has another
#: error.
_FORGOTTEN = re.compile(
    r'ended\d+\(Error\[(ERR_STREAM_DESTROYED|ERR_SOCKET_CLOSED_BEFORE_CONNECTION)\]')
#: Which of the two it is depends on `errored`, which a write that is cancelled sets in Node.
_REFUSED = re.compile(
    r'\(Error\[(ERR_STREAM_DESTROYED|ERR_STREAM_WRITE_AFTER_END|ERR_SOCKET_CLOSED_BEFORE_CONNECTION)'
    r'\].*')
#: Node leaves the argument out if there never was a connection.
_CLOSED = re.compile(r'(once_close\d+|on_close\d+)\((true|false)?\)')


def make_scenario(seed: int) -> Scenario:
    """Return the scenario of *seed*."""
    return Maker(seed).make()


def is_explained(
    of_node: Lanes, of_gnet: Lanes, tls: bool = False, quick: bool = False,
) -> bool:
    """Whether nothing differs but what docs/differences.md has.

    That is a reset while the end is being sent; which callbacks of failures come, and in which
    order; and the argument of 'close'. Of TLS, also when it is told that something was sent. With
    *quick* gnet's trace may lack what nobody hears.
    """
    if any('reset EINVAL' in line for lines in of_node.values() for line in lines):
        return True

    ended_late = {
        lane for lanes in (of_node, of_gnet) for lane, lines in lanes.items()
        if any(_FORGOTTEN.match(line) for line in lines)}

    def rest(lanes: Lanes) -> Lanes:
        left: Lanes = {}
        for lane, lines in lanes.items():
            failed = sorted(
                _REFUSED.sub('(refused)', line) for line in lines
                if _FAILED.match(line)
                and not (lane in ended_late and line.startswith('ended')))
            sent = [line for line in lines if _SENT.match(line)] if tls else []
            left[lane] = failed + sent + [
                _CLOSED.sub(r'\1()', line) for line in lines
                if not _FAILED.match(line) and line not in sent]
        return left

    of_node, of_gnet = rest(of_node), rest(of_gnet)
    return not differing_lanes(as_heard(of_node, of_gnet) if quick else of_node, of_gnet)


class Maker:
    """Makes the scenario of one seed; of ``net``, if a subclass does not say otherwise."""

    #: What the server's end is called.
    accepted = 's1'
    #: What is listened to; what is there twice, more often.
    events = _EVENTS

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._dice = random.Random(seed)
        #: The names of functions, and in whose lane their calls stand.
        self._functions: list[tuple[str, str]] = []
        #: Whether the accepted socket sends back what it gets.
        self._echoes = self._dice.random() < 0.15
        self._weights = {
            # What is called often differs from one to the next, or all would look alike.
            name: weight * self._dice.choice([0.1, 1, 1, 3]) for name, weight in _WEIGHTS.items()}
        self._pipes = False
        #: The ends on which destroySoon() is called.
        self._leaving: set[str] = set()

    def make(self) -> Scenario:
        dice = self._dice
        options = self._options()
        options['noDelay'] = True  # or the kernel decides which chunks travel together
        server = {**options, 'pauseOnConnect': dice.random() < 0.2}
        unix = dice.random() < 0.3
        if not self._echoes:
            self._weights['pipe'] = self._weights['unpipe'] = 0
        target: dict[str, Form] = (
            {'path': tmp('socket')} if unix else {'host': '127.0.0.1', 'port': port()})
        steps: list[Step] = [
            ['let', 'server', 'net.createServer', server],
            ['call', 'server.listen', {'path': tmp('socket')} if unix else {
                'host': '127.0.0.1', 'port': 0}],
            ['await', 'server listening'],
        ]
        early = dice.choice([0, 0, 0, 1, 2, 4])
        if dice.random() < 0.3:
            steps.append(['let', 'c', 'new net.Socket', {'noDelay': True}])
            steps += [self._early_call() for _ in range(early)]
            if not early and dice.random() < 0.3:
                steps.append(dice.choice([self._destroy('c', 2), ['call', 'c.end']]))
            # One that is destroyed may only be connected again when it is closed.
            steps.append(['settle'])
            steps.append(['call', 'c.connect', target, self._function('connected', 'c')])
        else:
            steps.append(
                ['let', 'c', 'net.connect', {**target, **self._options(), 'noDelay': True}])
        if self._echoes:
            steps.append(['call', 'c.resume'])
        # (A reset that waits for the connection, and what is written then, is told of in other
        # words. And after an end(), a cork() holds back for ever what is queued, in Node.)
        steps += [
            self._filtered('c', 2, ('resetAndDestroy', 'cork'))
            for _ in range(dice.choice([0, 0, 1, 3]))]
        steps.append(['settle'])
        for _ in range(dice.randint(1, 6)):
            names = dice.choice([['c'], [self.accepted], ['c', self.accepted]])
            for _ in range(dice.randint(1, 5)):
                steps.append(self._call(dice.choice(names)))
            steps.append(['settle'])
            if dice.random() < 0.3:
                steps.append(self._state(dice.choice(['c', self.accepted])))
        steps += [self._state('c'), self._state(self.accepted)]
        return Scenario(
            f'fuzz/seed {self._seed}', 'net.Socket: properties', steps,
            # What an echo sends may arrive together with the next one, or before it.
            ignore=['data', 'readable'] if self._echoes else [],
            watch={'sockets': ['readyState'] if self._echoes else [
                'readyState', 'readableFlowing', 'readableLength']},
        )

    def _options(self) -> dict[str, Form]:
        options: dict[str, Form] = {}
        if self._dice.random() < 0.4:
            options['allowHalfOpen'] = True
        if self._dice.random() < 0.4:
            options['highWaterMark'] = self._dice.choice([0, 1, 10, 100, 16384])
        return options

    def _filtered(self, end: str, depth: int, methods: tuple[str, ...]) -> Step:
        """A call of none of *methods*."""
        while True:
            step = self._call(end, depth)
            if step[0] == 'call' and step[1].rpartition('.')[2] not in methods:
                return step

    def _early_call(self) -> Step:
        return self._filtered('c', 2, _NOT_BEFORE_CONNECT)

    def _quiet_call(self, end: str, depth: int) -> Step:
        return self._filtered(end, depth, _NOTICED)

    def _state(self, end: str, depth: int = 0) -> Step:
        return ['get', *(f'{end}.{property_}' for property_ in _STATE)]

    def _function(self, purpose: str, of: str, *do: Step) -> Form:
        name = f'{purpose}{len(self._functions)}'
        self._functions.append((name, of))
        return fn(name, *do, of=of)

    def _chunk(self) -> Form:
        make = self._dice.choice([data, data, text])
        return make(self._dice.choice(_SIZES))

    def _callback(self, purpose: str, of: str, depth: int) -> list[Form]:
        if self._dice.random() < 0.4:
            return []
        do = [self._call(of, depth + 1)] if depth < 2 and self._dice.random() < 0.2 else []
        return [self._function(purpose, of, *do)]

    def _call(self, end: str, depth: int = 0) -> Step:
        weights = self._weights
        if self._echoes and end == 'c':
            weights = {name: weights[name] for name in _WITHOUT_READING}
        name = self._dice.choices(list(weights), list(weights.values()))[0]
        if name == 'destroySoon':
            self._leaving.add(end)
        make: Any = getattr(self, '_' + re.sub('[ A-Z]', lambda at: '_' + at[0].strip().lower(),
                                               name), None)
        if make is not None:
            step: Step = make(end, depth)
            return step
        return ['call', f'{end}.{name}']

    # --- calls with arguments ---------------------------------------------------------------------

    def _write(self, end: str, depth: int) -> Step:
        return ['call', f'{end}.write', self._chunk(), *self._callback('written', end, depth)]

    def _write_text(self, end: str, depth: int) -> Step:
        chunk, encoding = self._dice.choice([
            ('häßlich €', 'utf8'), ('\u20ac', 'utf16le'), ('616263', 'hex'), ('YWI', 'base64'),
            ('é', 'latin1'), ('', 'utf8'),
        ])
        return ['call', f'{end}.write', chunk, encoding, *self._callback('written', end, depth)]

    def _end(self, end: str, depth: int) -> Step:
        chunks = [self._chunk()] if self._dice.random() < 0.5 else []
        # (One that is forgotten does nothing.)
        return ['call', f'{end}.end', *chunks, *self._callback('ended', end, 2)]

    def _destroy(self, end: str, depth: int) -> Step:
        errors = [error('on purpose')] if self._dice.random() < 0.4 else []
        return ['call', f'{end}.destroy', *errors]

    def _read(self, end: str, depth: int) -> Step:
        return ['call', f'{end}.read', *self._dice.choice([[], [], [0], [1], [10], [1000]])]

    def _unshift(self, end: str, depth: int) -> Step:
        # (Bytes and an encoding do not go together in Node.)
        return ['call', f'{end}.unshift', text(self._dice.choice([1, 2, 10]))]

    def _set_encoding(self, end: str, depth: int) -> Step:
        return ['call', f'{end}.setEncoding', self._dice.choice(_ENCODINGS)]

    def _set_default_encoding(self, end: str, depth: int) -> Step:
        return ['call', f'{end}.setDefaultEncoding', self._dice.choice(['utf8', 'latin1'])]

    def _pipe(self, end: str, depth: int) -> Step:
        # Two echoes would go on for ever.
        return ['call', f'{self.accepted}.pipe', ref(self.accepted), *self._dice.choice([
            [], [], [{'end': False}]])]

    def _unpipe(self, end: str, depth: int) -> Step:
        return ['call', f'{self.accepted}.unpipe']

    def _on(self, end: str, depth: int) -> Step:
        event = self._dice.choice(self.events)
        if event == 'readable' and self._dice.random() < 0.7:
            do = [['call', f'{end}.read', *self._dice.choice([[], [], [1], [10]])]]
            return ['call', f'{end}.on', event, self._function('readable', end, *do)]
        return ['call', f'{end}.on', event, self._function(f'on_{event}', end)]

    def _once(self, end: str, depth: int) -> Step:
        # What acts is there once: or two ends might answer each other for ever.
        event = self._dice.choice(self.events)
        make = self._call
        if event == 'prefinish':
            depth = 2  # Node goes on to 'finish' whatever happens here
        elif event in ('data', 'readable', 'end'):
            # An answer may arrive together with what was sent at the same time, or after it.
            make = self._quiet_call
        do = [
            make(end, depth + 1)
            for _ in range(self._dice.choice([0, 1, 1, 2]))
        ] if depth < 2 else []
        return ['call', f'{end}.once', event, self._function(f'once_{event}', end, *do)]

    def _off(self, end: str, depth: int) -> Step:
        names = [
            name for name, of in self._functions if of == end and name.startswith('on')]
        if not names:
            return ['call', f'{end}.isPaused']
        name = self._dice.choice(names)
        return ['call', f'{end}.off', re.sub(r'^once?_|\d+$', '', name), fn(name, of=end)]

    def _remove_all_listeners(self, end: str, depth: int) -> Step:
        return ['call', f'{end}.removeAllListeners', self._dice.choice(
            # (With all of 'connect' and 'end', Node loses its own; and it does not notice
            # that there are none of 'data' any more.)
            [event for event in self.events if event not in ('error', 'connect', 'data', 'end')])]

    def _listener_count(self, end: str, depth: int) -> Step:
        event = self._dice.choice(
            [event for event in self.events if event not in ('end', 'connect', 'close')])
        if event == 'finish' and end in self._leaving:
            event = 'drain'  # of one that is destroyed, destroySoon() listens to it in Node only
        return ['call', f'{end}.listenerCount', event]

    def _close_server(self, end: str, depth: int) -> Step:
        if depth:
            return ['call', f'{end}.ref']  # it might come before the connection was accepted
        return ['call', 'server.close', *self._callback('closed', 'server', 2)]

    def _get_connections(self, end: str, depth: int) -> Step:
        if depth:
            return ['call', f'{end}.unref']  # see _close_server
        return ['call', 'server.getConnections', self._function('counted', 'server')]

    def _tick(self, end: str, depth: int) -> Step:
        if depth >= 2:
            return ['call', f'{end}.isPaused']
        return ['tick', self._function('tick', end, self._call(end, depth + 1))]
