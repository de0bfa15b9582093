"""Both halves of a stream as one: what their states are called in Node.

Nothing changes here; the rules that do are in the files of the two halves.
"""

from __future__ import annotations

from typing import Any

from .states import END_EMITTED, FINISHED, GONE, WRITABLE
from .writable import Writable

__all__ = [
    'Duplex',
]


class Duplex(Writable):
    """The properties of a stream that can be read and written."""

    __slots__ = ()

    # --- life -------------------------------------------------------------------------------------

    @property
    def destroyed(self) -> bool:
        """Whether the stream was destroyed, by its owner, by an error, or after both ends."""
        return self._stage in GONE

    @property
    def closed(self) -> bool:
        """Like :attr:`destroyed`: true at once, before `'close'` is emitted."""
        return self._stage in GONE

    @property
    def errored(self) -> Any:
        """The error that the stream was destroyed with, else None."""
        return self._errored

    # --- reading ----------------------------------------------------------------------------------

    @property
    def readable_flowing(self) -> bool | None:
        """Node's name of the mode: None undecided, True flowing, False paused."""
        flowing: bool | None = self._flow.value
        return flowing

    @property
    def readable_length(self) -> int:
        """What is buffered, in bytes (in characters after :meth:`set_encoding`)."""
        return self._length + self._incoming_size

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
        return (self.destroyed or self._errored is not None) and not self.readable_ended

    @property
    def readable_object_mode(self) -> bool:
        """Always False: a socket carries bytes."""
        return False

    @property
    def readable(self) -> bool:
        """Whether data or `'end'` may still come."""
        return not self.destroyed and self._read_state is not END_EMITTED

    # --- writing ----------------------------------------------------------------------------------

    @property
    def bytes_written(self) -> int:
        """Bytes accepted by :meth:`write` so far, those still queued included."""
        return self._bytes_sent + self._queued_bytes

    @property
    def writable_length(self) -> int:
        """What is queued: a str counts its characters, other chunks their bytes, until all sent."""
        return self._queued_units

    @property
    def writable_high_water_mark(self) -> float:
        """The queued amount from which on :meth:`write` returns False."""
        return self._write_mark

    @property
    def writable_need_drain(self) -> bool:
        """Whether a write returned False and `'drain'` will follow."""
        return (
            self._needs_drain and not self.destroyed and self._write_state is WRITABLE
        )

    @property
    def writable_corked(self) -> int:
        """How many :meth:`uncork` calls are missing."""
        return self._corked

    @property
    def writable_ended(self) -> bool:
        """Whether :meth:`end` was called."""
        return self._write_state is not WRITABLE

    @property
    def writable_finished(self) -> bool:
        """Whether everything was sent, the FIN too; true from just before `'finish'` on."""
        return self._write_state is FINISHED

    @property
    def writable_object_mode(self) -> bool:
        """Always False: a socket carries bytes."""
        return False

    @property
    def writable(self) -> bool:
        """Whether :meth:`write` would be taken."""
        return (
            self._write_state is WRITABLE and not self.destroyed and self._errored is None
        )
