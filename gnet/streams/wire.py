"""The seam: all that a stream asks of what carries it, and what it is told by it.

A stream (:class:`gnet.streams.duplex.Duplex`) is states and events. What brings its bytes and takes
them away is a *wire*: a descriptor (:mod:`gnet.sockets.wire`), a buffer of the program's
(:mod:`gnet.sockets.buffer_wire`), TLS on another wire, a list in a test. A stream always has one; a
new connection of the same stream is a new wire. ``docs/architecture.md`` says what one for TLS
would have to do, and where it goes.

The contract
============

**What a wire has** is what has arrived and is nobody's yet: :class:`Arrived`, which each wire has
from :class:`gnet.streams.arrivals.Arrivals`. Two take from there: delivery, which makes events of
it in a runner (:mod:`gnet.streams.delivery`), and a greenlet that blocks in a read
(:mod:`gnet.sockets.blocking`). ``taker`` says which.

**What a wire does** are the ten verbs of :class:`Wire`, ``want`` to ``close``: what each kind of
wire is written for.

**Who calls what, from where.** The stream calls the wire from runners, from greenlets that block,
and from the hub; so **none of the verbs may block**, or call a listener. In the hub the wire tells
what happens by ``put``, ``end`` and ``fail`` of its base class, and by calling what it was given to
``watch_writable``. (``put`` and ``end`` switch to a blocked reader; what such a greenlet lets out,
one of ``spawn_raw`` say, comes back there: a callback of the hub gives it to ``failed_in_hub``,
with the stream that it was called for.) Events are made in a runner, which calls ``deliver``.

**A reader is whoever is switched to.** ``reader`` is most often a greenlet that is blocked in a
read. It may be anything that has ``switch(chunk)``, which is called in the hub with each chunk, or
with None when something has changed (the end, say). It is taken out before it is called, and puts
itself in again.

**What a wire asks of its stream** is :class:`Carried`, and no more (a socket's also tells it of its
idle time, and of the return of who has lent it). Most of its names begin with an underscore, as the
stream is most often a :class:`gnet.Socket`, whose other names are the program's. (An object between
both that has public ones would cost each connection memory, and each message a call.) So they are
used in this folder alone: by ``arrivals.py``, for all wires.

**One wire upon another.** TLS is one: a wire for the stream above it, and for the wire below it

- the ``reader``, so that it gets hold of what arrives without a queue, a runner or a greenlet of
  its own; ``taker`` is GREENLET as long as it is;
- the ``stream``: of a failure it is told by ``destroy(error)``. Somebody else may close the wire
  below: ``below.stream is self`` says whether it is there still.

Both are in :class:`gnet.streams.upper.Upper`, from which it derives beside ``Arrivals``, and which
has two public names to be written, ``switch`` and ``destroy``, and ``ended_unread`` for what is not
always the reader. It calls the verbs of the wire below, and tells its own stream, as each wire
does, by ``put``, ``end`` and ``fail``. Who has lent the wire below is a socket's affair:
``sockets/socket_wire.py``.

**An end and a failure.** The peer's end is ``ended``: what had arrived before it is delivered
first, and then `'end'`. A failure is ``error``: what had arrived and waits for a runner or for a
blocking read comes first, then the stream is destroyed with it; at once where a listener is
blocked, which shall not hold up `'error'`. A wire whose ``reading`` is OVER says no more of either.

**Back-pressure, reading.** A wire reads ahead while ``reading`` is ACTIVE; one that has met the end
is OVER, so who finds ACTIVE need not look at ``ended``. It stops by itself
(HELD) when as much waits for its turn as the stream's high-water mark allows; the stream stops it
(``hold(FULL)``) when its buffer is full, and starts it again with ``want()``.

**Back-pressure, writing.** ``send`` takes what it can without waiting and says how much that was;
BlockingIOError for nothing at all, another OSError for a failure. The stream keeps the rest and
asks, by ``watch_writable``, to be called when more can be taken. What it offers next begins with
that rest. (A socket may give a blocked write up instead, and says so: ``withdraw()``, in
``sockets/socket_wire.py``.)

**Closing.** ``close()`` comes once, from ``destroy()`` or when the connection was taken out. From
then on the wire calls nobody and has no stream; what is still called are ``take_all`` and
``wake_reader`` (and a socket's ``give_back``): what had arrived stays where it is, and the stream
decides what becomes of it.

**Forgotten.** An open wire that reads is the loop's, and keeps its stream in memory: events can
still come of it. Where none can, the stream says so (``keep_stream``), and the wire has a weak
proxy of it: when the stream is collected, the wire closes, and warns.

**A new one.** Who opens a connection sets ``stream``, and ``context`` before that. The wire of a
stream's next connection goes on with the taker, the context and a delivery that is running still.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from ..node.system_errors import NodeOSError
from .states import Delivering, Reading, Taker

__all__ = [
    'BULK_SIZE', 'MAX_READS', 'READ_SIZE', 'Arrived', 'Bytes', 'Carried', 'Schedule', 'Wire',
]

#: Bytes asked of the kernel at once: Node's chunk size, which bounds those of `'data'`.
READ_SIZE = 65536

#: When a read gets as many bytes, there is a stream of them, and more is likely to wait: it is read
#: without another look at all descriptors, which costs 5-10 us where few are ready; a read in vain
#: costs 1. (libuv, and so Node, reads on after READ_SIZE bytes alone. Measured with one connection
#: that sends 64 KiB blocks: 23 us of CPU a block so, 13 from a quarter of it on.)
BULK_SIZE = 16384

#: How often that is done before others have their turn: what libuv allows itself.
MAX_READS = 32

Bytes = Any  # bytes or memoryview


class Arrived(Protocol):
    """What has arrived on a wire, who takes it, and how far reading is.

    Each wire has it from :class:`gnet.streams.arrivals.Arrivals`. Both consumers read these fields
    and set them, without a call.
    """

    #: Not yet taken by anybody; memoryviews are rests of a partly read chunk.
    arrived: deque[Any] | None
    #: The bytes in it.
    arrived_size: int
    #: Whether the peer has ended. What has arrived comes first.
    ended: bool
    #: What reading has failed with. What has arrived comes first.
    error: BaseException | None

    reading: Reading
    taker: Taker
    delivery: Delivering
    #: The greenlet that is blocked in a read, or a wire above; it is switched to with the next
    #: chunk. Else None.
    reader: Any
    #: The context variables in which the stream's listeners are called.
    context: Any

    def announce(self) -> None:
        """Have a runner deliver what there is, if it is for runners."""

    def take_all(self) -> list[Any]:
        """Return all that has arrived: it is the caller's."""

    def offer(self, chunk: Bytes) -> None:
        """Put *chunk* in front of it; the greenlet that is blocked in a read goes on with it."""

    def wake_reader(self) -> None:
        """Let the blocked reader see that something has changed."""

    @property
    def stopped(self) -> bool:
        """Whether the program has stopped reading by other means than the stream's."""

    def go_on(self) -> None:
        """Undo that."""

    def own_failure(self, number: int, syscall: str) -> NodeOSError:
        """Return the error of what has happened to this connection, and note it as its own."""

    def failed_in_hub(self, stream: Carried | None, error: BaseException) -> None:
        """Report what a callback of the hub for *stream* has failed with: it costs that."""


class Wire(Arrived, Protocol):
    """What carries a stream: ten verbs, and what has arrived. The module's text is the contract."""

    # --- what is received ---

    def want(self) -> None:
        """Read ahead from now on."""

    def hold(self, reading: Reading) -> None:
        """Stop reading ahead; *reading* says why."""

    def read_on(self, size: int) -> bytes | None:
        """After a chunk of *size* bytes, return what more has arrived already; None for nothing.

        An end or a failure is met here only if *size* was all that was asked for; else the next
        poll finds it, as in Node.
        """

    # --- what is sent ---

    def send(self, data: Bytes) -> int:
        """Take what can be taken of *data* at once, and return how many bytes that was.

        Raises:
            BlockingIOError: nothing can be taken now.
            OSError: the connection is broken.
        """

    def send_all(self, chunks: list[Bytes]) -> int:
        """Like :meth:`send`, for several chunks at once."""

    def is_broken(self) -> bool:
        """Whether it is known already that the next :meth:`send` will fail; asked after a part.

        A peer that has gone may have answered what was sent with a reset.
        """

    def take_error(self) -> int:
        """Return the number of what has broken it, or 0. Asked once, before :meth:`close`."""

    def watch_writable(self, callback: Callable[[], None] | None) -> None:
        """Call *callback* in the hub whenever more can be taken, until this is called with None."""

    def shut_down(self) -> None:
        """Tell the peer that no more will come.

        Raises:
            BlockingIOError: not yet; it will be told, and :meth:`watch_writable` tells of that.
            OSError: the connection is broken.
        """

    def close(self) -> None:
        """Let go of everything, at once."""


class Carried(Protocol):
    """What a wire asks of the stream that it carries. The module's text says why it is so named."""

    @property
    def _length(self) -> int:
        """How much is in the stream's own buffer."""

    @property
    def _read_mark(self) -> float:
        """The high-water mark: as much may wait there and on the wire together."""

    @property
    def _explicitly_paused(self) -> bool:
        """Whether ``pause()`` holds it."""

    def _deliver(self) -> None:
        """Make events of what has arrived. Called in a runner."""

    def _offer_end(self) -> None:
        """The peer has ended, and nobody is blocked in a read who would find that."""

    def _call_failed(self, event: str, error: BaseException) -> None:
        """What the program gave the wire to call has raised *error*; raises it if it ends all."""

    def destroy(self, error: Any = None) -> Any:
        """Close, with *error*: reading has failed. This closes the wire, too."""


class Schedule(Protocol):
    """What a stream and a wire need of the loop: when things happen. The real one is ``gnet.loop``.

    Its fields are used without a call, for each message.
    """

    #: The thread of the loop, in which streams are used: see ``node/threads.py``.
    thread: int | None
    #: A greenlet of that thread, the one in which listeners were called last; or None.
    runner: Any
    ticks: deque[tuple[Callable[..., object], tuple[Any, ...], Any]]
    work: deque[Any]
    wake_scheduled: bool

    def check_thread(self) -> None:
        """Raise if this is another thread."""

    def schedule_wake(self) -> None:
        """See to it that a runner looks at *ticks* and *work*."""

    def enqueue(self, item: Any) -> None:
        """Have a runner call ``item.deliver()``, in its ``item.context``."""

    def soon(self, callback: Callable[[], object]) -> None:
        """Call *callback* in the hub when what waits for runners is done, before the next poll."""

    def later(
        self, callback: Callable[..., object], *arguments: Any, context: Any = None,
    ) -> None:
        """Call *callback* in a runner, at least one poll of all descriptors from now."""

    def from_hub(self, callback: Callable[..., object], *arguments: Any) -> None:
        """Call *callback* in the hub, soon."""

    def in_own_thread(self, callback: Callable[..., object], *arguments: Any) -> None:
        """Call *callback* now if this is the loop's thread, else soon in the hub: for finalizers.
        """

    def is_late(self) -> bool:
        """Whether timers and other streams should have their turn before more is done here."""

    def report(self, context: object, error: BaseException) -> None:
        """Report a failure that nobody listens to."""
