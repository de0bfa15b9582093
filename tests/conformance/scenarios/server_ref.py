"""Programs that end, or do not, because of a server."""

from __future__ import annotations

from ..form import Form, Scenario, Step, error, fn, port, ref, tmp

__all__ = ['SCENARIOS']

REF = 'net.Server: ref, unref'
EXIT = 'process: exit and uncaught exceptions'

SERVER: Step = ['let', 'server', 'net.createServer']

#: Milliseconds in which a program that has nothing left to do has ended.
LONG = 10_000

#: A timer that keeps no program alive.
TIMER: Step = ['let', 'timer', 'new net.Socket']

#: Ends a program that is kept alive, so that its trace has it.
LATER: list[Step] = [
    TIMER, ['call', 'timer.setTimeout', 50, fn('later', ['call', 'server.close', fn('closed')])],
]

#: Would be in the trace of a program that lives on.
NEVER: list[Step] = [
    TIMER, ['call', 'timer.setTimeout', LONG, fn('never', ['exit', 9])],
]

UNREF: Step = ['call', 'server.unref']

AGAIN: Step = ['call', 'server.ref']


def listen(*at: Form, then: list[Step] | None = None) -> Step:
    return ['call', 'server.listen', *(at or (0,)), fn('listening', *(then or []))]


#: Programs that the server keeps alive.
ALIVE: list[tuple[str, list[Step]]] = [
    ('it listens', [listen()]),
    ('unref, and ref again', [listen(), UNREF, AGAIN]),
    ('unref before listen, ref after it', [UNREF, listen(), AGAIN]),
    ('ref in the callback of listen', [UNREF, listen(then=[AGAIN])]),
    ('it listens again', [
        listen(then=[['call', 'server.close', fn(
            'closed first', ['call', 'server.listen', 0, fn('listening again')])]])]),
]

#: Programs that it lets end.
ENDING: list[tuple[str, list[Step]]] = [
    ('it never listens', []),
    ('unref after listen', [listen(), UNREF]),
    ('unref before listen', [UNREF, listen()]),
    ('unref before listen on an address', [UNREF, listen(0, '127.0.0.1')]),
    ('unref before listen on a name', [UNREF, listen(0, 'localhost')]),
    ('unref before listen on a path', [UNREF, listen(tmp('socket'))]),
    ('unref lasts beyond close', [
        UNREF, listen(then=[['call', 'server.close', fn(
            'closed', ['call', 'server.listen', 0, fn('listening again')])]])]),
    ('unref, and close', [UNREF, listen(then=[['call', 'server.close', fn('closed')]])]),
    ('its listen fails', [
        ['let', 'taker', 'net.createServer'], ['call', 'taker.listen', 0], ['call', 'taker.unref'],
        listen(port('taker'))]),
    ('a signal closes it', [
        ['let', 'signal', 'signal'],
        listen({'port': 0, 'signal': ref('signal')}, then=[['abort', 'signal']])]),
]


def program(name: str, chapter: str, *steps: Step) -> Scenario:
    return Scenario(
        f'server ref/{name}', chapter, [*steps], program=True,
        watch={'servers': ['listening'], 'sockets': []},
        ignore=['readable', 'data'])


#: Ends a connection that keeps a program alive.
END_LATER: list[Step] = [
    TIMER,
    ['call', 'timer.setTimeout', 50, fn('later', ['call', 'c.destroy'], ['call', 's1.destroy'])],
]


def connected(name: str, *then: Step) -> Scenario:
    """Take the steps *then* when both ends of a connection are there."""
    return program(
        name, REF,
        ['let', 'server', 'net.createServer', fn('accepted', ['call', '$0.write', 'hello'])],
        listen(0, '127.0.0.1', then=[
            ['let', 'c', 'net.connect', port(), '127.0.0.1'],
            ['call', 'c.once', 'data', fn('received', *then)],
        ]))


SCENARIOS = [
    *(program(f'lives on: {what}', REF, SERVER, *LATER, *steps) for what, steps in ALIVE),
    *(program(f'ends: {what}', REF, SERVER, *NEVER, *steps) for what, steps in ENDING),
    connected(
        'lives on: unref, and an open connection',
        UNREF,
        ['call', 'c.unref'],
        *END_LATER,
    ),
    connected(
        'ends: unref of the server and of both ends of its connection',
        UNREF,
        ['call', 'c.unref'],
        ['call', 's1.unref'],
        *NEVER,
    ),
    connected(
        'lives on: closed, and an open connection',
        ['call', 'server.close', fn('closed')],
        ['call', 'c.unref'],
        *END_LATER,
    ),
    program(
        'exit in the callback of listen', EXIT,
        SERVER,
        listen(then=[['exit', 3]]),
        ['call', 'server.on', 'listening', fn('not called any more')],
    ),
    program(
        'the callback of listen throws', EXIT,
        SERVER,
        ['call', 'server.listen', 0, fn('listening', throws=error('in the callback'))],
    ),
]
