"""A socket is used in the thread of its loop: every other one is told so, by one error.

Another thread would change states in the middle of a listener's work, and wake a loop that does not
notice. So each public name that does something asks first which thread it is in: those of the way
of a message by themselves (``write``, ``end``, ``sendall``, ``send``, ``recv``, iteration), and so
do those of :data:`ASKING`; the others by what :func:`keep_to_thread` puts around them, which costs
a call that passes everything on. What only looks (``address()``, ``fileno()``, properties) may be
used anywhere.

In a forked child no thread is the loop's, so there the same question has the same answer; but what
lets go of a socket, as code does that cleans up, has nothing left to do, and says nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from functools import wraps
from typing import Any

from ..node.spelling import camel
from ..node.threads import get_ident

__all__ = ['ASKING', 'LETTING_GO', 'USES', 'keep_to_thread']

#: Of every emitter. Not so ``emit``, which calls the program's listeners for the program, and
#: changes nothing.
_LISTENING = (
    'add_listener', 'on', 'once', 'prepend_listener', 'prepend_once_listener', 'set_max_listeners',
)
_LISTENING_NO_MORE = ('off', 'remove_all_listeners', 'remove_listener')

#: What uses a socket, and what lets go of it.
USES = (
    *_LISTENING, 'connect', 'connect_ex', 'cork', 'makefile', 'pause', 'pipe', 'read', 'recv_into',
    'reset_and_destroy', 'resume', 'sendfile', 'set_default_encoding', 'set_encoding',
    'set_keep_alive', 'set_no_delay', 'set_timeout', 'set_type_of_service', 'setblocking',
    'setsockopt', 'settimeout', 'shutdown', 'start_tls', 'to_socket', 'uncork', 'unpipe', 'unshift',
)
LETTING_GO = (
    *_LISTENING_NO_MORE, 'close', 'destroy', 'destroy_soon', 'detach', 'ref', 'unref',
)

#: Of both, what each connection comes by, each batch of writes, or each line of a file: there it is
#: written out. (The first three ask in ``Readable._listener_wanted``, before anything is changed:
#: when their arguments were checked, and as decorators when they are applied. ``recv_into`` asks
#: by its ``recv``.)
ASKING = frozenset((
    'add_listener', 'on', 'once', 'cork', 'destroy', 'pause', 'read', 'recv_into', 'resume',
    'uncork'))

#: The same of a server.
SERVER_USES = (*_LISTENING, 'get_connections', 'listen', 'serve_forever')
SERVER_LETTING_GO = (*_LISTENING_NO_MORE, 'close', 'ref', 'stop', 'unref')


def keep_to_thread(
    cls: type[Any], loop_of: Callable[[Any], Any], uses: Iterable[str] = USES,
    letting_go: Iterable[str] = LETTING_GO, is_free: Callable[[Any], bool] | None = None,
    asking: Container[str] = (),
) -> None:
    """Have the methods of *cls* raise ``ERR_FOREIGN_THREAD`` in another thread than its loop's.

    Args:
        cls: it has all of *uses* and *letting_go*, perhaps from its bases.
        loop_of: returns the loop of one of its objects.
        uses: names of methods.
        letting_go: of those that do nothing, and do not raise, in a forked child.
        is_free: returns whether one of its objects belongs to no thread yet. None: it always does.
        asking: of both, what asks by itself. (What a subclass makes of it may do something before
            that.)
    """
    for name in uses:
        if name not in asking:
            _put_around(cls, name, loop_of, is_free, lets_go=False)
    for name in letting_go:
        if name not in asking:
            _put_around(cls, name, loop_of, is_free, lets_go=True)


def _put_around(
    cls: type[Any], name: str, loop_of: Callable[[Any], Any],
    is_free: Callable[[Any], bool] | None, *, lets_go: bool,
) -> None:
    guarded = _guarded(getattr(cls, name), loop_of, is_free, lets_go)
    setattr(cls, name, guarded)
    setattr(cls, camel(name), guarded)


def _guarded(
    method: Callable[..., Any], loop_of: Callable[[Any], Any],
    is_free: Callable[[Any], bool] | None, lets_go: bool,
) -> Callable[..., Any]:
    @wraps(method)
    def in_own_thread(self: Any, *args: Any, **keywords: Any) -> Any:
        loop = loop_of(self)
        if (
            get_ident() != loop.thread and not (lets_go and loop.is_forsaken)
            and (is_free is None or not is_free(self))
        ):
            loop.check_thread()
        return method(self, *args, **keywords)

    return in_own_thread
