"""What lives in this process and is in no list: greenlets, watchers, processes; where they wait.

Python's collector knows all of them, so nobody has to keep a list that each connection would pay
for: :func:`look_around` asks it once. That takes some 10 ms for each 100,000 objects of the
program. (What ``gc.freeze()`` has put away is not found; sockets and servers are in lists as well.)
"""

from __future__ import annotations

import gc
import os
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import gevent
from greenlet import greenlet as greenlet_class

from ..processes.child import ChildProcess
from ..servers.server import Server
from ..sockets.socket import Socket

__all__ = [
    'Heap', 'Place', 'frames_of', 'greenlet_class', 'is_machinery', 'look_around',
    'native_threads', 'places_of', 'program_place', 'waiting_greenlet',
]

#: Frames that are told of one greenlet, from the innermost: more are a recursion.
MAX_FRAMES = 64

#: Where code is that waits because the program has called it.
_OWN_PACKAGES = (
    str(Path(gevent.__file__).parent) + os.sep, str(Path(__file__).parent.parent) + os.sep,
)
_LIBRARY = (sysconfig.get_path('stdlib') + os.sep, '<frozen ')

#: Somebody's own, though it is below the library.
_INSTALLED = (f'{os.sep}site-packages{os.sep}', f'{os.sep}dist-packages{os.sep}')


class Place(NamedTuple):
    """A line of code that is being run."""

    file: str
    line: int
    function: str

    def __str__(self) -> str:
        return f'{self.file}:{self.line} in {self.function}'


class Heap(NamedTuple):
    """The objects of this process that something may come of."""

    greenlets: list[Any]
    watchers: list[Any]
    sockets: list[Any]
    servers: list[Any]
    children: list[Any]
    #: Those of ``subprocess``, gevent's or not.
    popens: list[Any]


def look_around() -> Heap:
    """Find them. They may be used up by now, or not be in use yet."""
    objects = gc.get_objects()
    found = Heap([], [], [], [], [], [])
    # By their types: to ask an object for its class may run code of the program.
    wanted = {kind: place for kind, place in (
        (kind, _place_for(kind, found)) for kind in set(map(type, objects))) if place is not None}
    for each in [each for each in objects if type(each) in wanted]:
        wanted[type(each)].append(each)
    return found


def _place_for(kind: type, found: Heap) -> list[Any] | None:
    bases = type.mro(kind) if kind is not type else ()
    for base, place in (
        (greenlet_class, found.greenlets), (Socket, found.sockets), (Server, found.servers),
        (ChildProcess, found.children), *((popen, found.popens) for popen in _popen_classes()),
    ):
        if base in bases:
            return place
    for base in bases:
        module = getattr(base, '__module__', None)  # some have something else of that name
        if base.__name__ == 'watcher' and isinstance(module, str) and (
            module.partition('.')[0] == 'gevent'
        ):
            return found.watchers
    return None


def _popen_classes() -> list[type]:
    """Return the classes of processes, as far as anybody has loaded them."""
    modules = (sys.modules.get(name) for name in ('subprocess', 'gevent.subprocess'))
    return [module.Popen for module in modules if module is not None]


def native_threads() -> list[tuple[Any, FrameType]]:
    """Return the threads of ``threading``, and where they are. Not the main one.

    Where they are patched they are greenlets. ``threading.enumerate`` takes a lock, which who asks
    in a signal handler may have interrupted; so its list is read as it is.
    """
    threading = sys.modules.get('threading')
    known: dict[int, Any] = {} if threading is None else dict(vars(threading)['_active'])
    frames = sys._current_frames()
    return [(thread, frames[number]) for number, thread in known.items()
            if number in frames and not isinstance(thread, vars(threading)['_MainThread'])]


def waiting_greenlet(watcher: Any) -> Any:
    """Return the greenlet that goes on when *watcher* fires; None if it is no greenlet's."""
    owner = getattr(watcher.callback, '__self__', None)
    if isinstance(owner, greenlet_class):
        return owner
    # A Waiter, gevent's or one of those that derive from it.
    waiting = getattr(owner, 'greenlet', None)
    return waiting if isinstance(waiting, greenlet_class) else None


def places_of(frame: FrameType | None) -> tuple[Place, ...]:
    """Return where *frame* and its callers are, the innermost last, as in a traceback."""
    return tuple(Place(each.f_code.co_filename, each.f_lineno, each.f_code.co_name)
                 for each in reversed(list(frames_of(frame))))


def frames_of(frame: FrameType | None) -> Iterator[FrameType]:
    """Yield *frame* and its callers."""
    for _ in range(MAX_FRAMES):
        if frame is None:
            return
        yield frame
        frame = frame.f_back


def program_place(places: tuple[Place, ...]) -> Place | None:
    """Return the innermost of *places* that is the program's own, else the innermost."""
    for place in reversed(places):
        if not _is_library(place.file):
            return place
    return places[-1] if places else None


def is_machinery(places: tuple[Place, ...]) -> bool:
    """Return whether none of *places* is the program's own."""
    return all(_is_library(place.file) for place in places)


def _is_library(file: str) -> bool:
    if file.startswith(_OWN_PACKAGES):
        return True
    return file.startswith(_LIBRARY) and not any(part in file for part in _INSTALLED)
