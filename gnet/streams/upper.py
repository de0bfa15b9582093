"""What stands upon a wire and is no stream: a wire of TLS, say.

``streams/wire.py`` tells how: "One wire upon another".
"""

from __future__ import annotations

from .wire import READ_SIZE

__all__ = ['Upper']


class Upper:
    """The reader of a wire, which is `Carried` by it as well: that one's failure comes here.

    As a reader it is handed each chunk at once, so nothing waits for a runner below, and what the
    wire asks of a stream has one answer for all of them.
    """

    __slots__ = ()

    #: There is no buffer here: the wire below is held when a read's worth waits there.
    _length = 0
    _read_mark = READ_SIZE
    _explicitly_paused = False

    def switch(self, chunk: bytes | None) -> None:
        """The wire below has something; None if it has something to say. Called in the hub.

        The wire has forgotten its reader: who goes on reading is noted again, as ``below.reader``.
        """
        raise NotImplementedError

    def destroy(self, error: BaseException | None = None) -> None:
        """The wire below has failed. Called mostly in the hub."""
        raise NotImplementedError

    def ended_unread(self) -> None:
        """The wire below has ended at a moment when this was not its reader. Called in the hub."""

    def _deliver(self) -> None:
        """A runner was to deliver to the stream before, and this is the reader by now."""

    def _offer_end(self) -> None:
        self.ended_unread()

    def _call_failed(self, event: str, error: BaseException) -> None:
        raise error  # no wire with callbacks of the program's has a reader above it
