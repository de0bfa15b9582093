"""The option ``signal``: a socket is destroyed when it is set."""

from __future__ import annotations

from ..form import Scenario, Step, fn, ref
from ._peers import HERE, NOBODY, listening, looked_up

__all__ = ['SCENARIOS']

CHAPTER = 'net.Socket: destroy, destroySoon, resetAndDestroy'
SIGNAL = {'signal': ref('signal')}
STATES = ['readyState', 'destroyed', 'connecting']

AT_ONCE = 'a signal destroys the socket inside `abort()`'
ALREADY_SET = "a signal that is set already: `'error'`, and it connects all the same"

#: What comes before the signal. Where the loop had no turn meanwhile, gnet begins to connect.
MOMENTS: list[tuple[str, list[Step]]] = [
    ('before connect', [['let', 'c', 'new net.Socket', SIGNAL]]),
    ('with writes pending, while a name is looked up', [
        ['let', 'c', 'net.connect', {
            **HERE, **SIGNAL, 'host': 'name.test', 'lookup': fn('lookup')}],
        ['call', 'c.write', 'one', fn('one')], ['call', 'c.write', 'two', fn('two')]]),
    ('when connected', [['let', 'c', 'net.connect', {**HERE, **SIGNAL}], ['await', 'c ready']]),
    ('when ended', [
        ['let', 'c', 'net.connect', {**HERE, **SIGNAL}], ['await', 'c ready'],
        ['call', 'c.end', fn('ended')], ['await', 'c finish']]),
    ('while a name is looked up', [
        ['let', 'c', 'net.connect', {
            **HERE, **SIGNAL, 'host': 'name.test', 'lookup': fn('lookup')}]]),
]

#: The same, where it does.
EARLIER_MOMENTS: list[tuple[str, list[Step]]] = [
    ('right after connect', [
        ['let', 'c', 'new net.Socket', SIGNAL], ['call', 'c.connect', HERE, fn('connected')]]),
    ('right after net.connect', [['let', 'c', 'net.connect', {**HERE, **SIGNAL}, fn('connected')]]),
]


def scenario(name: str, *steps: Step, on_purpose: str | None = None) -> Scenario:
    return Scenario(
        f'connect signal/{name}', CHAPTER,
        [
            *listening({'allowHalfOpen': True}, fn('accepted', ['call', '$0.resume'])),
            ['let', 'signal', 'signal'],
            *steps,
        ],
        # Whether the server has seen the connection depends on the kernel.
        ignore=['readable', 'end', 'prefinish', 'resume'],
        watch={'c': STATES}, on_purpose=on_purpose)


GET = ['get', *(f'c.{state}' for state in STATES)]

SCENARIOS = [
    *(
        scenario(
            name, *steps, ['abort', 'signal'], ['await', 'c close'], GET, ['get', 'c.errored'])
        for name, steps in MOMENTS
    ),
    *(
        scenario(name, *steps, ['abort', 'signal'], ['await', 'c close'], GET, on_purpose=AT_ONCE)
        for name, steps in EARLIER_MOMENTS
    ),
    scenario(
        'when closed', ['let', 'c', 'net.connect', {**HERE, **SIGNAL}], ['await', 'c ready'],
        ['call', 'c.destroy'], ['await', 'c close'], ['abort', 'signal'], ['settle'], GET),
    scenario(
        'when destroyed', ['let', 'c', 'net.connect', {**HERE, **SIGNAL}], ['await', 'c ready'],
        ['call', 'c.destroy'], ['abort', 'signal'], ['await', 'c close'], ['get', 'c.errored']),
    scenario(
        'when it was refused', ['let', 'c', 'net.connect', {**NOBODY, **SIGNAL}],
        ['await', 'c close'], ['abort', 'signal'], ['settle'], GET),
    scenario(
        'set already, never connected', ['abort', 'signal'],
        ['let', 'c', 'new net.Socket', SIGNAL], ['await', 'c close'], GET,
        on_purpose=ALREADY_SET),
    scenario(
        'set already, connecting', ['abort', 'signal'], ['let', 'c', 'net.connect', {
            **HERE, **SIGNAL}], ['settle'], GET,
        on_purpose=ALREADY_SET),
    scenario(
        'several sockets', *(
            ['let', f'c{at}', 'net.connect', {**HERE, **SIGNAL}] for at in (1, 2, 3)),
        ['await', 'c1 ready'], ['await', 'c2 ready'], ['await', 'c3 ready'], ['abort', 'signal'],
        *(['await', f'c{at} close'] for at in (1, 2, 3))),
    scenario(
        'two options, the one of connect is not looked at', ['let', 'other', 'signal'],
        ['let', 'c', 'new net.Socket', SIGNAL],
        ['call', 'c.connect', {**HERE, 'signal': ref('other')}], ['await', 'c ready'],
        ['abort', 'other'], ['settle'], GET, ['abort', 'signal'], ['await', 'c close']),
    scenario(
        'in connect', ['let', 'c', 'net.connect', {**HERE, **SIGNAL}, fn(
            'connected', ['abort', 'signal'])], ['await', 'c close'], on_purpose=AT_ONCE),
    scenario(
        'what it does inside', ['let', 'c', 'net.connect', {**HERE, **SIGNAL}],
        ['await', 'c ready'], ['abort', 'signal'], ['get', 'c.destroyed'], ['await', 'c close'],
        on_purpose=AT_ONCE),
    scenario(
        'among several attempts', ['let', 'c', 'new net.Socket', SIGNAL],
        ['call', 'c.connect', {
            **HERE, 'host': 'name.test', 'lookup': looked_up('127.0.0.1', '::1')}],
        ['abort', 'signal'], ['await', 'c close']),
]
