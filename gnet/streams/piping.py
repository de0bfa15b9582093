"""``pipe``: one stream's data written to another object, at the pace that one takes."""

from __future__ import annotations

from enum import Enum
from typing import Any

from .delivery import Delivery

__all__ = ['Pipe']

#: The events that a pipe listens to, in the order in which it ceases to.
_REMOVED = ('close', 'finish', 'drain', 'error', 'unpipe', 'end', 'data')


class Piping(Enum):
    """How far a pipe has come. That its source has it no more is another matter."""

    LASTING = 'what arrives is passed on'
    PARTING = "'unpipe' is emitted for it, which its own listener is to hear"
    OVER = 'what it had to do with its destination is undone'
    VOID = 'it could not begin: all is as if it had never been made'


#: Which may follow which.
FOLLOWS: dict[Piping, set[Piping]] = {
    Piping.LASTING: {Piping.PARTING, Piping.OVER, Piping.VOID},
    Piping.PARTING: {Piping.OVER, Piping.LASTING},  # as it was, if its listener had been removed
    Piping.OVER: {Piping.VOID},  # a listener of 'pipe' has undone it, and raised
    Piping.VOID: set(),
}


class Pipe:
    """One ``source.pipe(destination)`` while it lasts.

    The source flows; a ``write`` that returns False pauses it until the destination's `'drain'`
    (until all its destinations drained, if it has several). The source's `'end'` ends the
    destination unless told not to; an error on either side never travels to the other: the
    destination's `'finish'` or `'close'` only ends the pipe. The rules are Node's (measured).
    """

    __slots__ = ('_ends', '_listening', '_state', '_waits_for_drain', 'destination', 'source')

    def __init__(self, source: Any, destination: Any, ends: bool) -> None:
        self.source: Any = source
        self.destination: Any = destination
        self._ends = ends
        self._waits_for_drain = False
        self._state = Piping.LASTING
        #: What was registered where, by the event, to be taken back by :meth:`_forget`.
        self._listening: dict[str, tuple[Any, Any]] = {}
        # inside: a pipe is a part of its source
        if source._pipes is None:
            source._pipes = []  # inside: as above
        source._pipes.append(self)  # inside: as above
        try:
            self._begin()
        except BaseException:
            # A greenlet is blocked in a read of the source, say: nothing has begun.
            if self._is_open():
                source._pipes.remove(self)  # inside: as above
            self._state = Piping.VOID
            self._forget()
            raise

    def _begin(self) -> None:
        source, destination = self.source, self.destination
        if source.readable_ended:
            source._tick_guarded(self._source_ended)  # inside: as above
        else:
            self._listen(source.on, source, 'end', self._source_ended)
        if self._is_emitter():
            self._listen(destination.on, destination, 'unpipe', self._unpiped)
        self._listen(source.on, source, 'data', self._forward)
        if self._is_emitter():
            self._listen(
                destination.prepend_listener, destination, 'error', self._destination_failed)
            self._listen(destination.on, destination, 'close', self._destination_closed)
            self._listen(destination.on, destination, 'finish', self._destination_finished)
            destination.emit('pipe', source)
        if getattr(destination, 'writable_need_drain', False):
            self._wait()
        elif source.readable_flowing is not True and self._is_open():
            source.resume()

    def _is_emitter(self) -> bool:
        return hasattr(self.destination, 'emit')

    def _is_to_stream(self) -> bool:
        """Whether the destination is one of ours, and so has what is inside of a stream."""
        return isinstance(self.destination, Delivery)

    def _is_open(self) -> bool:
        return self in (self.source._pipes or ())  # inside: as above

    def _listen(self, add: Any, emitter: Any, event: str, listener: Any) -> None:
        self._listening[event] = (emitter, listener)
        add(event, listener)

    def _forward(self, chunk: Any) -> None:
        if self.destination.write(chunk) is False:
            self._wait()

    def _wait(self) -> None:
        if 'drain' not in self._listening and self._is_emitter():
            self._listen(self.destination.on, self.destination, 'drain', self._drained)
        if self._state is not Piping.OVER:  # as it is when write() has undone the pipe
            self._waits_for_drain = True
            self.source.pause()

    def _drained(self) -> None:
        self._waits_for_drain = False
        # inside: as above
        if not any(pipe._waits_for_drain for pipe in self.source._pipes or ()) and (
            self.source.listener_count('data')
        ):
            self.source.resume()

    def _source_ended(self) -> None:
        if self._state is Piping.VOID:
            return
        # Also if it was undone since it was made, of a source that had ended, or in a listener of
        # this 'end': as in Node. Then it is another pipe to the same destination that ends.
        self._cease('end')
        if self._ends:
            self.destination.end()
        if not self._is_emitter():
            self.close()
        elif not self._ends:  # else the destination's 'finish' does
            self.source.unpipe(self.destination)

    def _destination_closed(self, *_arguments: Any) -> None:
        self._cease('close')
        self._cease('finish')
        self.source.unpipe(self.destination)

    def _destination_finished(self, *_arguments: Any) -> None:
        self._cease('finish')
        self._cease('close')
        self.source.unpipe(self.destination)

    def _destination_failed(self, error: Any) -> None:
        self.source.unpipe(self.destination)
        self._cease('error')  # if nobody heard of 'unpipe'
        if not self.destination.listener_count('error'):
            # Nobody but this pipe was listening.
            if self._is_to_stream():
                self.destination._emit_error(error)  # inside: what a pipe has kept from it
            else:
                self.destination.emit('error', error)

    def close(self) -> None:
        """End the pipe: the destination gets `'unpipe'`, a source without another is paused."""
        pipes = self.source._pipes  # inside: as above
        if not pipes or self not in pipes:
            return
        pipes.remove(self)
        if not pipes:
            self.source.pause()
        self.part()

    def part(self) -> None:
        """Do what follows when the source has it no more."""
        if not self._is_emitter():
            self._let_go()
            return
        self._state = Piping.PARTING
        try:
            self.destination.emit('unpipe', self.source)  # where _unpiped() is a listener
        except BaseException:
            if self._state is Piping.PARTING:  # another one has raised first
                self._let_go()
            raise
        finally:
            if self._state is Piping.PARTING:
                self._state = Piping.LASTING  # as in Node

    def _unpiped(self, *_arguments: Any) -> None:
        # (What a program emits by that name is none of a pipe's.)
        if self._state is Piping.PARTING:
            self._let_go()

    def _let_go(self) -> None:
        self._state = Piping.OVER
        self._forget()
        if self._waits_for_drain and (
            not self._is_to_stream() or self.destination._needs_drain  # inside: Node looks there
        ):
            self._drained()  # the others need not wait for this one any more

    def _forget(self) -> None:
        for event in _REMOVED:
            self._cease(event)

    def _cease(self, event: str) -> None:
        """Listen to *event* no more, as a listener of Node's ``once`` does when it is called."""
        if event in self._listening:
            emitter, listener = self._listening.pop(event)  # as it refers to this pipe
            emitter.off(event, listener)
