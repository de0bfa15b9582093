"""``finished``: be told when a stream is over, whichever way it came to that.

The rules are Node's (measured):

- `'end'` and `'finish'` are good ends of the two halves, as far as they are waited for; an
  `'error'`, and a `'close'` that comes before them, are bad ones.
- It is told once, and in the event itself. Of a stream that is over already, on a tick.
- The listeners stay afterwards, so that a late `'error'` has somebody to hear it, until
  :func:`finished`'s result is called.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from ..events.abort import AbortLink
from ..events.callback_wait import call_and_wait
from ..events.emitter import exception_of
from ..events.options import merged_options
from ..node import coded_errors
from ..node.validators import validate_boolean, validate_function
from ..node.values import UNDEFINED, truthy
from .duplex import Duplex
from .states import END_EMITTED, ENDED, ENDING, FINISHED, SHUT

__all__ = ['Finished', 'finished']

_OPTIONS = {'readable', 'writable', 'error', 'signal', 'cleanup', 'timeout'}

#: All was sent, the FIN too.
_SENT = (SHUT, FINISHED)


class Finished:
    """One wait for the end of a stream, of which *callback* is told.

    Args:
        stream: the stream.
        callback: called with None, or with what went wrong.
        reading: whether `'end'` is waited for.
        writing: whether `'finish'` is.
        hears_errors: whether an `'error'` ends the wait; else the `'close'` after it does.
        signal: gives up when it is set: `AbortError`.
        cleans_up: whether the listeners go when the callback is called.
    """

    __slots__ = (
        '_callback', '_cleans_up', '_has_ended', '_has_finished', '_hears_errors', '_link',
        '_reading', '_stream', '_writing',
    )

    def __init__(
        self, stream: Duplex, callback: Callable[[Any], object], *, reading: bool = True,
        writing: bool = True, hears_errors: bool = True, signal: Any = UNDEFINED,
        cleans_up: bool = False,
    ) -> None:
        self._callback: Callable[[Any], object] | None = callback
        #: None when it was told: its listeners stay, and a closed stream shall not be in a cycle.
        self._stream: Duplex | None = stream
        self._reading, self._writing = reading, writing
        self._hears_errors = hears_errors
        self._cleans_up = cleans_up
        self._link: AbortLink | None = None
        # inside: what a stream has done stands in its states, which programs see less well
        self._has_ended = stream._read_state is END_EMITTED
        self._has_finished = stream._write_state in _SENT  # inside: as above
        try:
            for event, listener in self._listeners():
                stream.on(event, listener)
            if signal is not UNDEFINED:
                self._link = AbortLink(signal, partial(self._abort, signal))
        except BaseException:
            self.stop(stream)  # a warning may be raised after the addition
            raise
        if stream.destroyed or (self._has_ended and not writing) or (
            self._has_finished and not reading
        ):
            stream._tick_guarded(self._closed)  # inside: as above

    def _listeners(self) -> Iterator[tuple[str, Callable[..., None]]]:
        yield 'end', self._ended
        yield 'finish', self._finished
        if self._hears_errors:
            yield 'error', self._failed
        yield 'close', self._closed

    # --- what is heard ----------------------------------------------------------------------------

    def _ended(self) -> None:
        self._has_ended = True
        if not self._writing or self._has_finished:
            self._tell(None)

    def _finished(self) -> None:
        self._has_finished = True
        if not self._reading or self._has_ended:
            self._tell(None)

    def _failed(self, *arguments: Any) -> None:
        self._tell(arguments[0] if arguments else exception_of(arguments))

    def _closed(self, *_arguments: Any) -> None:
        stream = self._stream
        if stream is None:
            return
        error = stream.errored
        if error is None and (
            (self._reading and not self._has_read_all(stream))
            or (self._writing and not self._has_sent_all(stream))
        ):
            error = coded_errors.state_error('ERR_STREAM_PREMATURE_CLOSE')
        self._tell(error)

    def _has_read_all(self, stream: Duplex) -> bool:
        return self._has_ended or (
            stream._read_state is ENDED and not stream._length)  # inside: as above

    def _has_sent_all(self, stream: Duplex) -> bool:
        return self._has_finished or stream._write_state in _SENT or (  # inside: as above
            # A destroy() came before 'finish', but after all was in the kernel.
            stream._write_state is ENDING and not stream._queued_units)  # inside: as above

    def _abort(self, signal: Any) -> None:
        # In a greenlet of its own, where nobody would hear what the callback raises.
        stream, self._cleans_up = self._stream, True
        if stream is not None:
            error = coded_errors.abort_error(signal)
            stream._tick_guarded(lambda: self._tell(error))  # inside: as above

    def _tell(self, error: Any) -> None:
        callback, stream = self._callback, self._stream
        if callback is None or stream is None:
            return
        if self._cleans_up:
            self.stop(stream)
        elif self._link is not None:
            self._link.close()
        self._callback = self._stream = None
        callback(error)

    # --- the end of it ----------------------------------------------------------------------------

    def stop(self, stream: Duplex) -> None:
        """Listen no more to *stream*, which is the one of the constructor, and tell nothing."""
        self._callback = self._stream = None
        for event, listener in self._listeners():
            stream.off(event, listener)
        if self._link is not None:
            self._link.close()


def finished(
    stream: Duplex, options: Any = UNDEFINED, callback: Any = UNDEFINED, **keywords: Any,
) -> Any:
    """Call *callback* when *stream* has ended, failed or been closed: Node's ``stream.finished``.

    ::

        gnet.finished(sock, lambda error: print('gone', error))     # at once
        gnet.finished(sock, timeout=60)                             # blocks, and raises the error

    Args:
        stream: a socket.
        options: some of the following as a mapping, as in Node; may be left out before *callback*.
        callback: called once, with None when both halves have ended (`'end'` and `'finish'`), or
            with the error: what the stream was destroyed with, or ``ERR_STREAM_PREMATURE_CLOSE``
            if it was closed before. Without one, the calling greenlet is blocked until then.
        readable: False not to wait for the end of the reading half.
        writable: False not to wait for the end of the writing half.
        error: False to have an `'error'` that no `'close'` follows mean nothing.
        signal: give up when this is set (``AbortError``); the stream is left as it is.
        cleanup: True to remove the listeners, which else stay on a stream that is over: they hear
            what `'error'` still comes.
        timeout: seconds that the blocking form waits at most; None, the default, for no limit.

    Returns:
        With a callback: a function that removes the listeners; if nothing was told yet, nothing
        will be. Without one: None.

    Raises:
        BaseException: (the blocking form) the error.
        TimeoutError: (the blocking form) *timeout* seconds have passed. The stream is left as it
            is, and so it is if the greenlet is killed.
        CodedTypeError, CodedValueError: an argument is of the wrong kind or out of range.
        TypeError: for a keyword that is no option, or a *timeout* with a callback.

    A stream that nobody reads does not end: ``resume()`` it, or read, or do not wait for that half.
    The blocking form must not be called in a listener of the stream's own `'data'`, `'readable'` or
    `'end'`: the next one waits until it returns.
    """
    if callback is UNDEFINED and options is not UNDEFINED and not isinstance(options, Mapping):
        callback, options = validate_function('callback', options), UNDEFINED
    given = merged_options(
        'finished', UNDEFINED if options is None else options, keywords, _OPTIONS)
    if not isinstance(stream, Duplex):
        raise coded_errors.invalid_arg_type(
            'stream', 'an instance of ReadableStream, WritableStream, or Stream', stream)
    settings = {
        'reading': _is_wanted(given.get('readable')),
        'writing': _is_wanted(given.get('writable')),
        'hears_errors': given.get('error') is not False,
        'signal': given['signal'],
        'cleans_up': validate_boolean('cleanup', given.get('cleanup', False)),
    }
    if callback is UNDEFINED:
        def begin(settle: Callable[[Any], None]) -> Callable[[BaseException], object]:
            waits = Finished(stream, settle, **settings)
            return lambda _interruption: waits.stop(stream)

        return call_and_wait('finished()', given.get('timeout'), begin)
    if given.get('timeout') is not None:
        raise TypeError('finished() has a timeout in its blocking form only: give a signal')
    validate_function('callback', callback)
    return partial(Finished(stream, callback, **settings).stop, stream)


def _is_wanted(option: Any) -> bool:
    return option is None or truthy(option)
