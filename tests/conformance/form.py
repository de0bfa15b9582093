"""The form of a scenario: plain data that both drivers read, ``driver.js`` and ``driver.py``.

A scenario is a list of *steps* that a script takes on named objects. Names and options are spelt as
Node spells them. Each step is a list whose first item is its verb:

=================================================  ================================================
``['let', name, 'net.createServer', *args]``       name what a function returns
``['let', name, 'new net.Socket', *args]``         name a new object
``['let', name, 'signal']``                        an ``AbortSignal``, or what stands for it
``['call', 'server.listen', *args]``               call, and record what is returned or raised
``['get', 'c.readyState', …]``                     record properties
``['set', 'server.maxConnections', value]``        assign; ``'e.captureRejection'`` is the method
                                                   for rejections, whatever its name is
``['fill', 'c.write', chunk]``                     write until it returns False
``['callback', position, *args]``                  in a function: call that argument of it
``['tick', fn(…)]``                                ``process.nextTick``
``['throw', error(…)]``, ``['exit', status]``      end the listener, or the program
``['abort', name]``                                set a signal
``['note', text, owner]``                          record a text
``['file' | 'mkdir' | 'unlink', name]``            in the scenario's own directory
``['exists' | 'mode', name]``                      record that of a file there
``['umask', mask]``                                set it, until the end of the scenario
``['enter']``                                      make that the working directory
=================================================  ================================================

and, only among the steps of the script itself:

=================================================  ================================================
``['await', 'c close', times=1]``                  until the object called *c* has emitted 'close'
``['await', 'done', times=1]``                     until the function of that name was called
``['settle']``                                     until all is over that earlier steps set off
``['turns', number]``                              some turns of the event loop
=================================================  ================================================

The sockets that servers accept are called ``s1``, ``s2``, … in the order of their 'connection';
those on which a TLS server speaks TLS ``t1``, ``t2``, … in the same order. Events that pass keys or
tickets are recorded without them.
In a function ``'$0.write'`` is a method of its first argument.

Values are those of JSON, or made by the functions here (:func:`fn`, :func:`port`, …).

A *trace* has a *lane* for each object, in which the lines stand in order: each event that it emits,
whoever listens, with its arguments; what its methods return; and calls of the functions that were
given to it. ``together`` puts several objects into one lane, where the order between them is fixed.
The lane ``'process'`` has failures that nobody caught, and warnings; ``'main'`` has the rest.
"""

from __future__ import annotations

import hashlib
import json
import sys
from dataclasses import dataclass, field
from typing import Any

__all__ = [
    'CHAPTERS', 'UNDEFINED', 'Form', 'Scenario', 'Step', 'abstract', 'arg', 'certificates', 'data',
    'descriptor', 'encoded', 'error', 'fn', 'number', 'pem', 'port', 'ref', 'text', 'tmp',
]

Form = Any
Step = list[Any]

#: The chapters of Node's documentation, in its order: ``net``, ``events``, ``process``, ``stream``,
#: then ``tls``.
CHAPTERS = (
    'net.BlockList',
    'net.SocketAddress',
    'net.Server: new',
    "net.Server: 'close'",
    "net.Server: 'connection'",
    "net.Server: 'error'",
    "net.Server: 'listening'",
    "net.Server: 'drop'",
    'net.Server: address',
    'net.Server: close',
    'net.Server: getConnections',
    'net.Server: listen',
    'net.Server: listening, maxConnections',
    'net.Server: ref, unref',
    'net.Socket: new',
    "net.Socket: 'close', 'error'",
    "net.Socket: 'connect', 'connectionAttempt', 'lookup'",
    "net.Socket: 'data', 'end', 'readable'",
    "net.Socket: 'drain', 'finish'",
    "net.Socket: 'timeout', setTimeout",
    'net.Socket: connect',
    'net.Socket: destroy, destroySoon, resetAndDestroy',
    'net.Socket: end',
    'net.Socket: pause, resume, read, unshift, setEncoding',
    'net.Socket: pipe, unpipe',
    'net.Socket: properties',
    'net.Socket: ref, unref',
    'net.Socket: setKeepAlive, setNoDelay, setTypeOfService',
    'net.Socket: write, cork, uncork',
    'net.connect, net.createConnection',
    'net.createServer',
    'net.isIP, isIPv4, isIPv6',
    'net: autoSelectFamily',
    'events: asynchronous vs. synchronous, arguments',
    'events: error events',
    'events: captureRejections',
    "events: 'newListener', 'removeListener'",
    'events: EventEmitter methods',
    'events: max listeners',
    'events: module functions',
    'process: exit and uncaught exceptions',
    'stream.finished',
    'stream.pipeline',
    'tls: ALPN and SNI',
    'tls: STARTTLS',
    'tls: session resumption',
    "tls.Server: 'connection', 'secureConnection'",
    "tls.Server: 'tlsClientError'",
    'tls.Server: addContext, setSecureContext',
    'tls.Server: close, getConnections, maxConnections',
    "tls.TLSSocket: 'secureConnect', 'secure', 'session'",
    "tls.TLSSocket: 'data', 'end', 'close', 'error'",
    'tls.TLSSocket: authorized, authorizationError',
    'tls.TLSSocket: getCipher, getProtocol, getPeerCertificate',
    'tls.checkServerIdentity',
    'tls.connect',
    'tls.createSecureContext',
    'tls.createServer',
    'tls.getCiphers, getCACertificates, convertALPNProtocols, DEFAULT_*',
)

#: Node's ``undefined``; None in Python.
UNDEFINED = {'$': 'undefined'}


@dataclass
class Scenario:
    """One scenario. Two of them may not have the same *name*."""

    #: ``'group/what happens'``: the group is the file in ``recorded/``.
    name: str
    #: One of :data:`CHAPTERS`.
    chapter: str
    steps: list[Step]
    #: Lanes that several objects share: ``{'all': ['server', 's1']}``.
    together: dict[str, list[str]] = field(default_factory=dict)
    #: Events that are not recorded, as when they come depends on the kernel.
    ignore: list[str] = field(default_factory=list)
    #: Properties that each event's line ends with, for an object's name, or for ``'sockets'``,
    #: ``'servers'``.
    watch: dict[str, list[str]] = field(default_factory=lambda: {'sockets': ['readyState']})
    #: Sockets and servers that get no listener of 'error' from the driver; all others do.
    deaf: list[str] = field(default_factory=list)
    #: Objects whose lanes are not recorded: those of a relay, say.
    unseen: list[str] = field(default_factory=list)
    #: Methods whose return value is not recorded.
    quiet: list[str] = field(default_factory=lambda: ['on', 'once', 'prependListener'])
    #: True: it runs as a program of its own, without steps that wait, and its exit status counts.
    program: bool = False
    #: If gnet leaves Node here: the first cell of the row of docs/differences.md that says why.
    on_purpose: str | None = None
    #: The oldest Python that can do it: what ``ssl`` tells has grown.
    python: tuple[int, int] = (3, 9)

    def __post_init__(self) -> None:
        if self.chapter not in CHAPTERS:
            raise ValueError(f'{self.name}: no chapter is called {self.chapter!r}')
        if '/' not in self.name:
            raise ValueError(f'{self.name}: has no group')
        waiting = {'await', 'settle', 'turns'} & {step[0] for step in self.steps}
        if self.program and waiting:
            raise ValueError(f'{self.name}: a program cannot {waiting}')

    @property
    def is_possible(self) -> bool:
        """Whether this Python can do it."""
        return sys.version_info >= self.python

    @property
    def group(self) -> str:
        """The part of the name before the first slash."""
        return self.name.partition('/')[0]

    def to_json(self) -> str:
        """Return it in one line, as the drivers read it."""
        return json.dumps(self.to_driver())

    def to_driver(self) -> dict[str, Any]:
        """Return what the drivers read."""
        read: dict[str, Any] = {
            'steps': self.steps, 'together': self.together, 'ignore': self.ignore,
            'watch': self.watch, 'deaf': self.deaf, 'quiet': self.quiet,
        }
        return {**read, 'unseen': self.unseen} if self.unseen else read

    @property
    def digest(self) -> str:
        """What changes when the scenario does, so that its recorded trace counts no more."""
        return hashlib.sha1(self.to_json().encode()).hexdigest()[:12]


def fn(
    name: str, *do: Step, returns: Form = None, throws: Form = None, rejects: Form = None,
    of: str | None = None, bare: bool = False,
) -> Form:
    """Return a function that records its calls as *name*, and takes the steps *do*.

    The same name in one scenario is the same function. Its calls stand in the lane of the object to
    whose method it was given first, or in that of *of*; if it is *bare*, without arguments. With
    *rejects* it returns a promise that is rejected with that; in Python an ``AsyncResult``.
    """
    made: dict[str, Any] = {'$': 'fn', 'name': name, 'do': list(do)}
    if bare:
        made['bare'] = True
    made.update({
        key: value for key, value in (
            ('returns', returns), ('throws', throws), ('rejects', rejects), ('of', of))
        if value is not None
    })
    return made


def ref(path: str) -> Form:
    """Return what *path* is then: ``'server'``, ``'c.localPort'``."""
    return {'$': 'ref', 'path': path}


def arg(position: int) -> Form:
    """Return an argument of the function in whose steps this is."""
    return {'$': 'arg', 'position': position}


def port(server: str = 'server') -> Form:
    """Return the port that *server* listens on then."""
    return {'$': 'port', 'of': server}


def tmp(name: str) -> Form:
    """Return the path of *name* in a directory of the scenario's own."""
    return {'$': 'tmp', 'name': name}


def abstract(name: str) -> Form:
    """Return a name for a unix socket that is no file: a NUL, and then that path."""
    return {'$': 'tmp', 'name': name, 'abstract': True}


def number(text: str) -> Form:
    """Return a number that JSON does not know: ``'NaN'``, ``'Infinity'``, ``'-Infinity'``."""
    return {'$': 'number', 'is': text}


def error(message: str) -> Form:
    """Return a new error."""
    return {'$': 'error', 'message': message}


def data(size: int) -> Form:
    """Return *size* bytes; each place has its own."""
    return {'$': 'bytes', 'size': size}


def text(size: int) -> Form:
    """Return *size* letters."""
    return {'$': 'text', 'size': size}


def encoded(octets: bytes) -> Form:
    """Return these bytes."""
    return {'$': 'encoded', 'hex': octets.hex()}


def descriptor(of: str) -> Form:
    """Return a new descriptor of a file in the scenario's directory, or of ``'null'``."""
    return {'$': 'fd', 'of': of}


def pem(name: str) -> Form:
    """Return the text of ``certificates/NAME.pem``: a certificate, or one's key (``NAME_key``)."""
    return {'$': 'pem', 'name': name}


def certificates(name: str) -> Form:
    """Return the bytes of a file of ``certificates/``."""
    return {'$': 'certificates', 'name': name}
