"""What a stream says of its reading half: Node's properties of that."""

from __future__ import annotations

from .delivery import Delivery
from .states import END_EMITTED, GONE

__all__ = ['ReadableState']


class ReadableState(Delivery):
    """The properties of the reading half. `Readable` has its verbs."""

    __slots__ = ()

    @property
    def readable_flowing(self) -> bool | None:
        """Node's name of the mode: None undecided, True flowing, False paused."""
        flowing: bool | None = self._flow.value
        return flowing

    @property
    def readable_length(self) -> int:
        """What is buffered, in bytes (in characters after :meth:`set_encoding`)."""
        arrived: int = self._wire.arrived_size
        return self._length + arrived

    @property
    def readable_high_water_mark(self) -> float:
        """The amount of buffered data at which reading stops, in bytes."""
        return self._read_mark

    @property
    def readable_encoding(self) -> str | None:
        """The encoding set by :meth:`set_encoding`, else None."""
        return None if self._decoder is None else self._decoder.encoding

    @property
    def readable_ended(self) -> bool:
        """Whether `'end'` was emitted."""
        return self._read_state is END_EMITTED

    @property
    def readable_did_read(self) -> bool:
        """Whether data was ever delivered."""
        return self._did_read

    @property
    def readable_aborted(self) -> bool:
        """Whether the stream was destroyed or failed before `'end'`."""
        return (self._stage in GONE or self._errored is not None) and not self.readable_ended

    @property
    def readable_object_mode(self) -> bool:
        """Always False: a socket carries bytes."""
        return False

    @property
    def readable(self) -> bool:
        """Whether data or `'end'` may still come."""
        return self._stage not in GONE and self._read_state is not END_EMITTED
