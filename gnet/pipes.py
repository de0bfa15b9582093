"""``pipe``: one stream's data written to another object, at the pace that one takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .socket import Socket

__all__ = ['Pipe']


class Pipe:
    """One ``source.pipe(destination)`` while it lasts.

    The source flows; a ``write`` that returns False pauses it until the destination's `'drain'`
    (until all its destinations drained, if it has several). The source's `'end'` ends the
    destination unless told not to; an error on either side never travels to the other: the
    destination's `'close'` or `'finish'` only ends the pipe. The rules are Node's (measured).
    """

    __slots__ = ('_ends', '_listening', '_waits_for_drain', 'destination', 'source')

    def __init__(self, source: Socket, destination: Any, ends: bool) -> None:
        self.source = source
        self.destination = destination
        self._ends = ends
        self._waits_for_drain = False
        #: What was registered where, to be taken back by :meth:`close`.
        self._listening: list[tuple[Any, str, Any]] = []
        if hasattr(destination, 'once'):
            self._listen(destination, 'drain', self._drained)
            self._listen(destination, 'finish', self.close)
            self._listen(destination, 'close', self._destination_closed)
            destination.emit('pipe', source)
        self._listen(source, 'end', self._source_ended)
        if getattr(destination, 'writable_need_drain', False):
            self._wait()
        self._listen(source, 'data', self._forward)
        if not self._waits_for_drain and source.readable_flowing is not True:
            source.resume()

    def _listen(self, emitter: Any, event: str, listener: Any) -> None:
        emitter.on(event, listener)
        self._listening.append((emitter, event, listener))

    def _forward(self, chunk: Any) -> None:
        if self.destination.write(chunk) is False:
            self._wait()

    def _wait(self) -> None:
        self._waits_for_drain = True
        self.source.pause()

    def _drained(self) -> None:
        if not self._waits_for_drain:
            return
        self._waits_for_drain = False
        if not any(pipe._waits_for_drain for pipe in self.source._pipes or ()):
            self.source.resume()

    def _source_ended(self) -> None:
        if self._ends:
            self.destination.end()
        self.close()

    def _destination_closed(self, _had_error: bool = False) -> None:
        self.close()

    def close(self) -> None:
        """End the pipe: the destination gets `'unpipe'`, the source is paused if it has no other."""
        pipes = self.source._pipes
        if not pipes or self not in pipes:
            return
        pipes.remove(self)
        for emitter, event, listener in self._listening:
            emitter.off(event, listener)
        if not pipes and not self.source.readable_ended:
            self.source.pause()
        if hasattr(self.destination, 'emit'):
            self.destination.emit('unpipe', self.source)
