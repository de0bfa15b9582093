"""``pipeline``: streams joined to each other, which end together and fail together.

``pipe()`` passes on data and a good end, and nothing else: of a proxy whose one side dies, the
other one stays. The rules are Node's (measured):

- Each stream's `'end'` ends the next one.
- If one fails or is closed too early, all others that are not done are destroyed with its error.
- The callback comes when the last of them is done, with the first error.
- What has gone well is not destroyed: half-open sockets stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from typing import Any

from ..events.abort import AbortLink
from ..events.callback_wait import call_and_wait
from ..events.emitter import exception_of
from ..events.options import merged_options
from ..node import coded_errors
from ..node.coded_errors import AbortError
from ..node.values import UNDEFINED
from .duplex import Duplex
from .finished import Finished
from .piping import Pipe

__all__ = ['pipeline']


class Pipeline:
    """One :func:`pipeline` while it lasts.

    Args:
        streams: two or more.
        callback: called once, with None or the first error.
        ends: whether the last of them is ended, waited for, and destroyed if another one fails.
        signal: UNDEFINED, or what makes it fail when it is set.
    """

    __slots__ = (
        '_callback', '_ends_last', '_error', '_link', '_listening', '_pending', '_pipes',
        '_streams', '_waits',
    )

    def __init__(
        self, streams: list[Duplex], callback: Callable[[Any], object], ends: bool, signal: Any,
    ) -> None:
        self._callback: Callable[[Any], object] | None = callback
        self._streams = streams
        self._ends_last = ends
        self._error: Any = None
        last = len(streams) - 1
        #: Where those stand that are not done, and that are destroyed if another one fails.
        self._pending = {*range(len(streams) if ends else last)}
        self._waits: list[Finished] = []
        self._pipes: list[Pipe] = []
        #: What was added besides, to be taken back.
        self._listening: list[tuple[Duplex, str, Callable[..., None]]] = []
        self._link: AbortLink | None = None
        try:
            for position, stream in enumerate(streams):
                self._waits.append(Finished(
                    stream, partial(self._over, position), reading=position < last,
                    writing=position > 0))
                # Also of one that is done, while others are not.
                self._listen(stream, 'error', self._failed)
            for position in range(last):
                self._join(position, ends or position + 1 < last)
            if signal is not UNDEFINED:
                self._link = AbortLink(signal, lambda: self.fail(coded_errors.abort_error(signal)))
        except BaseException:
            # A stream that is read by a blocked greenlet, say: nothing has begun.
            for stream, wait in zip(streams, self._waits):
                wait.stop(stream)
            self._part()
            raise

    def _join(self, position: int, ends: bool) -> None:
        """Join the stream at *position* to the next one."""
        source, destination = self._streams[position], self._streams[position + 1]
        self._pipes.append(Pipe(source, destination, False))
        # Also if it has finished: the rest of what the source has to say is lost.
        self._listen(destination, 'close', partial(self._closed_before, position))
        if not ends:
            return

        def end() -> None:
            if not destination.destroyed:
                destination.end()

        if source.readable_ended:
            source._tick_guarded(end)  # inside: as Pipe does
        else:
            self._listen(source, 'end', end)

    def _listen(self, stream: Duplex, event: str, listener: Callable[..., None]) -> None:
        stream.on(event, listener)
        self._listening.append((stream, event, listener))

    def _failed(self, *arguments: Any) -> None:
        self.fail(arguments[0] if arguments else exception_of(arguments))

    def _closed_before(self, position: int, *_arguments: Any) -> None:
        if position in self._pending:
            self.fail(coded_errors.state_error('ERR_STREAM_PREMATURE_CLOSE'))

    def _over(self, position: int, error: Any) -> None:
        """The stream at *position* is done, or has failed."""
        if error is not None:
            self._break_off(error)
        self._pending.discard(position)
        if not self._pending:
            self._done()

    def _break_off(self, error: Any) -> None:
        """Destroy what is not done, if nothing has failed before."""
        if self._callback is not None and self._error is None:
            self._error = error
            for position in sorted(self._pending):
                self._streams[position].destroy(error)

    def fail(self, error: Any) -> None:
        """Destroy what is not done; with the last of that, the callback gets the first error."""
        self._break_off(error)
        if not self._pending:
            self._done()

    def abandon(self, interruption: BaseException) -> None:
        """Nobody waits any more."""
        reason = interruption
        if not isinstance(reason, Exception):
            reason = AbortError()  # no stream shall emit what ends a greenlet
            reason.__cause__ = interruption
        self.fail(reason)

    def _done(self) -> None:
        callback, self._callback = self._callback, None
        if callback is None:
            return
        try:
            self._part()
        finally:  # also if a listener of 'unpipe' raises
            last = self._streams[-1]
            if not self._ends_last or (self._error is None and last.readable):
                # Somebody goes on with it, and shall hear of what happens to it.
                self._waits[-1].stop(last)
            callback(self._error)

    def _part(self) -> None:
        """Take back what was begun, but for listeners of what may still go wrong."""
        for stream, event, listener in self._listening:
            stream.off(event, listener)
        self._listening.clear()  # they refer to this pipeline
        with ExitStack() as all_of_them:  # also if a listener of 'unpipe' raises
            if self._link is not None:
                all_of_them.callback(self._link.close)
            for pipe in reversed(self._pipes):
                all_of_them.callback(pipe.close)


def pipeline(*streams: Any, callback: Any = None, **keywords: Any) -> Any:
    """Join streams: what arrives at each is written to the next one. Node's ``stream.pipeline``.

    ::

        gnet.pipeline(client, upstream, lambda error: print(error))     # at once
        gnet.pipeline(upstream, client)                                 # blocks, raises the error

    `'end'` of each ends the next one. If one fails, or is closed too early, all that are not done
    are destroyed with its error. (``a.pipe(b)`` passes on the end only.)

    Args:
        streams: two sockets or more, or a list of them; then, if wanted, the options as a mapping,
            or the callback.
        callback: called once, when the last of them is done: with None, or the first error. Without
            one, the calling greenlet is blocked until then.
        end: False to leave the last one open: it is not ended, nor destroyed if another one fails.
        signal: destroy all that are not done when this is set (``AbortError``); anything that
            gevent can link to, such as ``gevent.event.Event``.
        timeout: seconds that the blocking form may take; None, the default, for no limit. Then, and
            if its greenlet is killed, what is not done is destroyed.

    Returns:
        With a callback: the last stream. Without one: None.

    Raises:
        BaseException: (the blocking form) the first error.
        TimeoutError: (the blocking form) *timeout* seconds have passed.
        CodedTypeError: fewer than two streams (``ERR_MISSING_ARGS``), or what is none
            (``ERR_INVALID_ARG_TYPE``).
        CodedRuntimeError: one that would be written to is closed (``ERR_STREAM_UNABLE_TO_PIPE``),
            or one that would be read has a greenlet blocked in a read
            (``ERR_READING_IN_BLOCKING_STYLE``). Nothing has begun then.
        CodedValueError: a *timeout* below 0.
        TypeError: for a keyword that is no option, or a *timeout* with a callback.

    Who is told of failures by this needs no listener of `'error'`. Of what was done, nothing is
    destroyed: half-open sockets stay open in the other direction, as for the way back of a proxy.
    The blocking form must not be called in a listener of `'data'`, `'readable'` or `'end'` of one
    of them: the next one waits until it returns.
    """
    given = [*streams]
    options: Any = UNDEFINED
    if given and not isinstance(given[-1], (Duplex, list, tuple)):
        last = given.pop()
        if isinstance(last, Mapping) and callback is None:
            options = last
        elif callback is None and callable(last):
            callback = last
        else:
            raise coded_errors.invalid_arg_type(
                'streams[stream.length - 1]', 'of type function', last)
    if callback is not None and not callable(callback):
        raise coded_errors.invalid_arg_type('callback', 'of type function', callback)
    chosen = merged_options('pipeline', options, keywords, {'end', 'signal', 'timeout'})
    if len(given) == 1 and isinstance(given[0], (list, tuple)):
        given = [*given[0]]
    _check(given)
    ends, signal, timeout = chosen.get('end') is not False, chosen['signal'], chosen.get('timeout')
    if callback is None:
        return call_and_wait(
            'pipeline()', timeout, lambda settle: Pipeline(given, settle, ends, signal).abandon)
    if timeout is not None:
        raise TypeError('pipeline() has a timeout in its blocking form only: give a signal')
    Pipeline(given, callback, ends, signal)
    return given[-1]


def _check(streams: list[Any]) -> None:
    if len(streams) < 2:
        raise coded_errors.missing_args('streams')
    for position, stream in enumerate(streams):
        if not isinstance(stream, Duplex):
            raise coded_errors.invalid_arg_type(
                f'streams[{position}]', 'an instance of Stream', stream)
    if any(stream.destroyed for stream in streams[1:]):
        raise coded_errors.state_error('ERR_STREAM_UNABLE_TO_PIPE')
