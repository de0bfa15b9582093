"""Runs scenarios (:mod:`.form`) on gnet and returns their traces. ``driver.js`` is its counterpart.

::

    python -m tests.conformance.driver --program

runs a scenario of stdin as a program of its own, and prints each line of its trace at once.
"""

from __future__ import annotations

import atexit
import json
import os
import shutil
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import gevent
from gevent.event import AsyncResult, Event

import gnet
from gnet import events, tls
from gnet.events.names import name_of
from gnet.loop import agenda
from gnet.loop.loop import get_loop
from gnet.node.spelling import snake
from gnet.node.values import UNDEFINED
from gnet.tls import server as secure_server

from .texts import Texts
from .turns import PATIENCE, take_turns
from .values import Values

__all__ = ['FOLDED', 'Lanes', 'run']

Lanes = dict[str, list[str]]

_MODULES = {'net': gnet, 'tls': tls, 'events': events, 'stream': gnet}

#: Loop turns after which all that one call can set off, at both ends, is over.
_TURNS_TO_SETTLE = 25

#: Properties of Node's ``events``, which has functions for them in Python.
_SETTINGS = ('defaultMaxListeners', 'captureRejections')

#: What a stream does not emit where nobody listens.
FOLDED = frozenset(('readable', 'resume', 'end', 'prefinish', 'finish', 'close'))

#: What nobody can listen to only to wait for it: that would change the mode of the stream.
_NEVER_ONLY_AWAITED = frozenset(('data', 'readable'))


def run(scenario: dict[str, Any], quick: bool = False, raw: bool = True) -> Lanes:
    """Take the scenario's steps, and return its trace.

    A socket that is watched emits all through ``emit``. With *quick* it may go the quick way, as it
    does outside of tests: then lines of 'data', whose listeners it calls itself, and of what nobody
    listens to are missing. (What is awaited is listened to; a socket whose 'data' or 'readable' is
    awaited goes the long way.) With *raw* TLS servers have a listener of 'connection'; else they go
    a shorter way, and do not emit that.
    """
    running = _Run(scenario, None, quick, raw)
    with _listening_to_failures(running), _tracing(running):
        try:
            running.main()
        finally:
            running.clean_up()
    return running.lanes


def run_program() -> None:
    """Take the steps of the scenario on stdin, and serve."""
    running = _Run(json.load(sys.stdin), lambda lane, line: os.write(
        1, (json.dumps({'lane': lane, 'line': line}) + '\n').encode()))
    _trace(running)
    # Not earlier: where gevent has patched os.close(), that keeps the loop alive until its next
    # poll is over, which may take until the next timer, even one that keeps no program alive.
    atexit.register(running.remove_directory)
    try:
        for step in running.scenario['steps']:
            running.step(step)
        gnet.run()
    except Exception:
        # On its way out, an interpreter that is monkey-patched gives the hub another turn. (After
        # sys.exit() the program serves on.)
        running.stop_recording()
        raise


def _trace(running: _Run) -> None:
    """Have *running* see what is emitted.

    The class has another ``emit`` meanwhile. The objects are as they are outside of tests: one with
    an ``emit`` of its own, or with more listeners, might do other things.
    """
    emit = events.EventEmitter.emit

    def traced(thing: Any, event: Any = UNDEFINED, *args: Any) -> bool:
        running.emits(thing, event, args)
        return emit(thing, event, *args)

    events.EventEmitter.emit = traced  # type: ignore[method-assign]


@contextmanager
def _tracing(running: _Run) -> Iterator[None]:
    own = events.EventEmitter.emit
    _trace(running)
    try:
        yield
    finally:
        events.EventEmitter.emit = own  # type: ignore[method-assign]


@contextmanager
def _listening_to_failures(running: _Run) -> Iterator[None]:
    hub = gevent.get_hub()

    def uncaught(context: object, kind: Any, error: Any, traceback: Any) -> None:
        running.record('process', f'uncaught {running.texts.show(error)}', 'uncaught')

    def warned(message: Any, category: Any, *place: Any) -> None:
        running.record(
            'process', f'warning {category.__name__} {running.texts.text(str(message))}')

    def meeting(make: Callable[..., Any]) -> Callable[..., Any]:
        def made(*args: Any) -> Any:
            sock = make(*args)  # which has not emitted anything yet
            if isinstance(sock, tls.TLSSocket):
                running.meet(sock)
            return sock

        return made

    own, budget = hub.print_exception, agenda.WORK_BUDGET
    makers = secure_server.begin_on, secure_server.accept
    secure_server.begin_on, secure_server.accept = map(meeting, makers)
    hub.print_exception = uncaught
    # After so many seconds of work timers and other sockets have a turn, which Node does not give
    # them: when that is would depend on the machine.
    agenda.WORK_BUDGET = 3600
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('always')
            warnings.showwarning = warned
            yield
    finally:
        hub.print_exception, agenda.WORK_BUDGET = own, budget
        secure_server.begin_on, secure_server.accept = makers


class _Run(Values):

    def __init__(
        self, scenario: dict[str, Any], write: Callable[[str, str], object] | None,
        quick: bool = False, raw: bool = True,
    ) -> None:
        self.scenario = scenario
        self._quick = quick
        self._raw = raw
        self.lanes: Lanes = {}
        self._write = write
        self.texts = Texts()
        self._objects: dict[str, Any] = {}
        self._functions: dict[str, Any] = {}
        self._counts: Counter[str] = Counter()
        self._waiting: list[tuple[str, int, Any]] = []
        self._accepted = 0
        self._secured = 0
        self._recording = True
        self._umask: int | None = None
        #: The working directory to return to.
        self._home: str | None = None
        self._descriptors: list[int] = []
        #: Objects whose id() is in the texts must live as long as this.
        self._kept: list[Any] = []

    # --- the trace --------------------------------------------------------------------------------

    def _lane_of(self, name: str) -> str:
        for lane, members in self.scenario['together'].items():
            if name in members:
                return str(lane)
        return name

    def stop_recording(self) -> None:
        """What comes from now on is not the scenario's."""
        self._recording = False

    def record(self, owner: str, line: str | None, happened: str | None = None) -> None:
        unseen = owner in self.scenario.get('unseen', ())
        if self._recording and line is not None and not unseen:
            lane = self._lane_of(owner)
            text = line if lane == owner else f'{owner}: {line}'
            if self._write is not None:
                self._write(lane, text)
            else:
                self.lanes.setdefault(lane, []).append(text)
        if happened is not None:
            self._counts[happened] += 1
            for waiter in [*self._waiting]:
                if self._counts[waiter[0]] >= waiter[1]:
                    self._waiting.remove(waiter)
                    waiter[2].set()

    def _wait_for(self, what: str, times: int) -> None:
        if self._counts[what] < times:
            came = Event()
            self._waiting.append((what, times, came))
            if not came.wait(PATIENCE):
                self.record('process', f'waited in vain for {what}')
                return
        # Not inside the event: everything that belongs to it comes first.
        take_turns(2)

    def _resolve(self, dotted: str, args: tuple[Any, ...]) -> tuple[Any, str]:
        """Return what ``'c.write'`` is, and the name of its owner."""
        root, *members = dotted.split('.')
        value: Any = (
            args[int(root[1:])] if root[0] == '$' else _MODULES.get(root) or self._objects[root])
        owner = self.texts.names.get(id(value), 'main')
        for member in members:
            if value is events and member in _SETTINGS:
                value = getattr(events, f'get_{snake(member)}')()
            elif isinstance(value, list) and member.isdigit():
                value = value[int(member)]
            elif isinstance(value, Mapping):
                value = value.get(member, value.get(snake(member)))
            else:
                value = getattr(value, member)
        return value, owner

    def _function(self, form: Any, owner: str) -> Any:
        name = form['name']
        if name in self._functions:
            return self._functions[name]
        of = form.get('of', owner)

        def made(*args: Any) -> Any:
            shown = [] if 'bare' in form else self.texts.arguments(args)
            self.record(of, f'{name}({", ".join(shown)})', name)
            for step in form.get('do', ()):
                self.step(step, args)
            if 'throws' in form:
                raise self._value(form['throws'])
            if 'rejects' in form:
                rejected: AsyncResult[None] = AsyncResult()
                rejected.set_exception(self._value(form['rejects']))
                return rejected
            return self._value(form['returns']) if 'returns' in form else None

        self._functions[name] = made
        self.texts.labels[id(made)] = name
        return made

    def _arguments(self, forms: Any, owner: str, args: tuple[Any, ...]) -> list[Any]:
        self._claim(forms, owner)
        return [
            args[form['position']] if isinstance(form, dict) and form.get('$') == 'arg'
            else self._value(form) for form in forms
        ]

    def _claim(self, form: Any, owner: str) -> None:
        """Functions among the arguments of a call belong to the object that is called."""
        if isinstance(form, dict):
            if form.get('$') == 'fn':
                self._function(form, owner)
            else:
                form = list(form.values())
        if isinstance(form, (list, tuple)):
            for item in form:
                self._claim(item, owner)

    # --- objects ----------------------------------------------------------------------------------

    def _adopt(self, name: str, thing: Any) -> None:
        self._objects[name] = thing
        self.texts.names[id(thing)] = name
        self._kept.append(thing)
        if not isinstance(thing, events.EventEmitter):
            return
        awaited = {
            step[1].partition(' ')[2] for step in self.scenario['steps']
            if step[0] == 'await' and step[1].partition(' ')[0] == name}
        if not self._quick or awaited & _NEVER_ONLY_AWAITED:
            # Or the stream would call the listeners of 'data' itself.
            thing._plain_emit = False
        elif isinstance(thing, gnet.Socket):
            for event in awaited & FOLDED:
                thing.on(event, _nothing)
        if (
            isinstance(thing, (gnet.Server, gnet.Socket)) and name not in self.scenario['deaf']
        ):
            thing.on('error', _nothing)
        if isinstance(thing, tls.Server) and self._raw:
            thing.on('connection', _nothing)
        self.texts.learn_ports(name, thing)

    def meet(self, sock: tls.TLSSocket) -> None:
        """Give a socket that a TLS server has made its name, unless it has one."""
        if sock.server_side and id(sock) not in self.texts.names:
            self._secured += 1
            self._adopt(f't{self._secured}', sock)

    def emits(self, thing: Any, event: Any, args: tuple[Any, ...]) -> None:
        """Record what *thing*, which may be any emitter, is about to emit."""
        if isinstance(thing, tls.TLSSocket):
            self.meet(thing)
        name = self.texts.names.get(id(thing))
        if name is None:
            return  # none of the scenario's
        self.texts.learn_ports(name, thing)
        if isinstance(thing, gnet.Server):
            if event == 'drop':
                self.texts.learn_ports(name, args[0])
            if (
                event == 'connection' and isinstance(args[0], gnet.Socket)
                and id(args[0]) not in self.texts.names
            ):
                self._accepted += 1
                self._adopt(f's{self._accepted}', args[0])
        if isinstance(thing, tls.Server):
            for passed in args:
                if isinstance(passed, tls.TLSSocket):
                    self.meet(passed)
        line = None
        if event not in self.scenario['ignore']:
            line = self.texts.event(name, thing, event, args, self.scenario['watch'])
        self.record(name, line, f'{name} {name_of(event)}')

    # --- steps ------------------------------------------------------------------------------------

    def step(self, step: list[Any], args: tuple[Any, ...] = ()) -> None:
        if step[0] in ('call', 'get', 'set', 'fill'):
            root = step[1].partition('.')[0]
            if root[0] != '$' and root not in _MODULES and root not in self._objects:
                self.record('main', f'there is no {root}')
                return
        getattr(self, f'_step_{step[0]}')(args, *step[1:])

    def _step_let(self, args: Any, name: str, what: str, *forms: Any) -> None:
        if what == 'signal':
            self._adopt(name, Event())
            return
        made = self._attempt(name, what, lambda: self._resolve(
            what[4:] if what.startswith('new ') else what, args,
        )[0](*self._arguments(forms, name, args)), silent=True)
        if made is not None:
            self._adopt(name, made)

    def _step_call(self, args: Any, dotted: str, *forms: Any) -> None:
        method, owner = self._resolve(dotted, args)
        member = dotted.rpartition('.')[2]
        self._attempt(
            owner, f'.{member}', lambda: method(*self._arguments(forms, owner, args)),
            silent=member in self.scenario['quiet'])

    def _step_get(self, args: Any, *paths: str) -> None:
        for dotted in paths:
            value, owner = self._resolve(dotted, args)
            self.record(owner, f'.{dotted.partition(".")[2]} = {self.texts.show(value)}')

    def _step_set(self, args: Any, dotted: str, form: Any) -> None:
        path, _, member = dotted.rpartition('.')
        holder, owner = self._resolve(path, args)
        if holder is events and member in _SETTINGS:
            put = getattr(events, f'set_{snake(member)}')
        else:
            # What in Node is a member whose name is a symbol has its Python name.
            put = partial(
                setattr, holder, snake(member) if member == 'captureRejection' else member)
        self._attempt(
            owner, f'.{member} =', lambda: put(self._value(form)), silent=True)

    def _step_callback(self, args: Any, position: int, *forms: Any) -> None:
        args[position](*map(self._value, forms))

    def _step_fill(self, args: Any, dotted: str, form: Any) -> None:
        write, owner = self._resolve(dotted, args)
        chunk = self._value(form)
        count = 0
        while write(chunk) and count < 10000:
            count += 1
        self.record(owner, f'.write -> {"false at last" if count < 10000 else "never false"}')

    def _step_note(self, args: Any, text: str, owner: str = 'main') -> None:
        self.record(owner, text)

    def _step_tick(self, args: Any, form: Any) -> None:
        get_loop().tick(self._value(form))

    def _step_throw(self, args: Any, form: Any) -> None:
        raise self._value(form)

    def _step_exit(self, args: Any, status: int) -> None:
        sys.exit(status)

    def _step_abort(self, args: Any, name: str) -> None:
        self._objects[name].set()

    def _step_file(self, args: Any, name: str) -> None:
        with open(self._temporary(name), 'w'):
            pass

    def _step_enter(self, args: Any) -> None:
        self._home = os.getcwd()
        os.chdir(self._temporary(''))

    def _step_mkdir(self, args: Any, name: str) -> None:
        os.mkdir(self._temporary(name))

    def _step_unlink(self, args: Any, name: str) -> None:
        os.unlink(self._temporary(name))

    def _step_umask(self, args: Any, mask: int) -> None:
        before = os.umask(mask)
        if self._umask is None:
            self._umask = before

    def _step_exists(self, args: Any, name: str) -> None:
        there = os.path.exists(self._temporary(name))
        self.record('main', f'{name} {"exists" if there else "does not exist"}')

    def _step_mode(self, args: Any, name: str) -> None:
        mode = os.stat(self._temporary(name)).st_mode & 0o777
        self.record('main', f'mode of {name}: {mode:o}')

    def _attempt(
        self, owner: str, what: str, action: Callable[[], Any], silent: bool = False,
    ) -> Any:
        try:
            result = action()
        except Exception as error:
            self.record(owner, f'{what} throws {self.texts.show(error)}')
            return None
        for name, thing in [*self._objects.items()]:
            self.texts.learn_ports(name, thing)
        if not silent:
            self.record(owner, f'{what} -> {self.texts.show(result)}')
        return result

    def main(self) -> None:
        for verb, *rest in self.scenario['steps']:
            if verb == 'await':
                self._wait_for(rest[0], rest[1] if len(rest) > 1 else 1)
            elif verb == 'turns':
                take_turns(rest[0])
            elif verb == 'settle':
                take_turns(_TURNS_TO_SETTLE)
            else:
                try:
                    self.step([verb, *rest])
                except Exception as error:
                    self.record('process', f'the script ends with {self.texts.show(error)}')
                    return
        take_turns(_TURNS_TO_SETTLE)

    def clean_up(self) -> None:
        self.stop_recording()
        for thing in self._objects.values():
            if isinstance(thing, gnet.Socket):
                thing.destroy()
            elif isinstance(thing, gnet.Server):
                thing.close()
        events.set_default_max_listeners(10)
        events.set_capture_rejections(False)
        gnet.set_default_auto_select_family(True)
        gnet.set_default_auto_select_family_attempt_timeout(250)
        if self._umask is not None:
            os.umask(self._umask)
        take_turns(_TURNS_TO_SETTLE)
        for number in self._descriptors:
            with suppress(OSError):
                os.close(number)
        self.remove_directory()

    def remove_directory(self) -> None:
        if self._home is not None:
            os.chdir(self._home)
            self._home = None
        if self.texts.directory is not None:
            shutil.rmtree(self.texts.directory)
            self.texts.directory = None


def _nothing(*args: Any) -> None:
    pass


if __name__ == '__main__':
    run_program()
