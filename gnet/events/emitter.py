"""The :class:`EventEmitter`.

Rules without a source named are Node 24's, measured. A listener may block its greenlet; what that
changes: ``emit`` returns when the last listener has returned, and while one of them blocks, other
greenlets may add, remove and emit. ``emit`` calls the listeners that were there when it began.
Listeners of ``'newListener'`` and ``'removeListener'`` must not block: adding and removing would.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, overload

from ..node.coded_errors import invalid_arg_type, unhandled_error
from ..node.keywords import check_keywords
from ..node.spelling import NodeNames, snake_options
from ..node.validators import validate_boolean, validate_function
from ..node.values import UNDEFINED, Undefined, truthy
from .names import error_monitor, in_order, name_of
from .once_listener import Listener, OnceListener, is_of, original_of
from .rejections import report, watch
from .settings import MaxListenersExceededWarning, checked_limit, settings, warn_of_leak

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = [
    'EventEmitter',
    'Listener',
    'check_emitter',
    'exception_of',
]

F = TypeVar('F', bound=Listener)


def _decorator(add: Callable[[Hashable, Any], Any], event: Hashable) -> Callable[[F], F]:
    def decorate(listener: F) -> F:
        add(event, listener)
        return listener

    return decorate


def exception_of(args: tuple[Any, ...]) -> BaseException:
    """Return the exception that an ``'error'`` event with *args* stands for."""
    value = args[0] if args else UNDEFINED
    return value if isinstance(value, BaseException) else unhandled_error(value)


class EventEmitter(NodeNames):
    """Node's ``EventEmitter``.

    A listener is any callable; it gets the arguments of :meth:`emit` and nothing else, and what it
    returns is ignored (but see *capture_rejections*). Event names are strings; numbers, bools and
    None stand for the strings that JavaScript makes of them (``5`` is ``'5'``, None ``'null'``);
    any other hashable object is a name of its own, as a symbol is. A subclass need not call
    ``__init__``.

    The emitter itself emits ``'newListener'`` ``(event, listener)`` before a listener is added and
    ``'removeListener'`` ``(event, listener)`` after one was removed.

    Subclasses and gnet may read ``_events`` (name -> tuple of entries, each to be called with the
    arguments of the event) and call the entries themselves while ``_plain_emit`` is true; if it is
    not, ``emit`` does more than that.

    Args:
        options: a mapping, in Node's or Python's spelling; anything else is ignored, and so are
            options with other names.
        capture_rejections: True to treat the failure of a greenlet (or ``AsyncResult``) that a
            listener returned as Node treats a rejected promise: see :meth:`capture_rejection`.
            False does not overrule ``set_capture_rejections(True)``.

    Raises:
        CodedTypeError: *capture_rejections* is true, but not True (``ERR_INVALID_ARG_TYPE``).
    """

    # What subclasses have no business with is name-mangled: theirs may have the same names.
    __slots__ = (
        '__dict__',
        '__warned',
        '__weakref__',
        '_capture_rejections',
        '_events',
        '_max_listeners',
        '_plain_emit',
    )

    #: Whether the class leaves ``emit`` as it is here: what nobody listens to may be left out then.
    __emits_plainly: ClassVar[bool] = True

    _capture_rejections: bool
    _events: dict[Hashable, tuple[Listener, ...]]
    _max_listeners: float | None
    _plain_emit: bool
    __warned: set[Hashable] | None

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        cls.__emits_plainly = cls.emit is EventEmitter.emit

    def __new__(cls, *args: Any, **keywords: Any) -> Self:
        self = super().__new__(cls)
        self._capture_rejections = settings.capture_rejections
        self._events = {}
        self._max_listeners = None
        # False once rejections are captured or an 'error' monitor was added; it stays so.
        self._plain_emit = cls.__emits_plainly and not settings.capture_rejections
        # The names that have been warned about; None saves memory until there is one.
        self.__warned = None
        return self

    def __init__(
        self,
        options: Any = None,
        *,
        capture_rejections: bool | Undefined = UNDEFINED,
        **spellings: Any,
    ) -> None:
        if capture_rejections is UNDEFINED:
            if options is None and not spellings:
                return
            check_keywords('EventEmitter', spellings, ('capture_rejections',))
            given = options if isinstance(options, Mapping) else None
            merged = snake_options(given, spellings)
            capture_rejections = merged.get('capture_rejections', UNDEFINED)
        if truthy(capture_rejections):
            validate_boolean('options.captureRejections', capture_rejections)
            self._capture_rejections = True
            self._plain_emit = False

    def _listener_wanted(self, event: Hashable) -> None:
        """For subclasses: a listener of *event* is about to be added at the end; not if it raises.
        """

    def _listener_added(self, event: Hashable) -> None:
        """For subclasses: a listener of *event* was added at the end. Called after the change."""

    def _listener_put_in_front(self, event: Hashable) -> None:
        """For subclasses: the same for one that was put in front of the others."""

    def _listener_removed(self, event: Hashable) -> None:
        """For subclasses: listeners of *event* were removed, or none was found to be."""

    # --- emitting ---

    def emit(self, event: Hashable = UNDEFINED, *args: Any) -> bool:
        """Call the listeners of *event* with *args*, in order, in this greenlet.

        What is added or removed meanwhile counts from the next ``emit`` on.

        Returns:
            Whether there was a listener.

        Raises:
            Exception: what a listener raises; the listeners after it are not called.
            BaseException: ``args[0]`` itself, if *event* is ``'error'`` and has no listener.
            CodedRuntimeError: the same, but ``args[0]`` is no exception; it is the error's
                ``context`` (``ERR_UNHANDLED_ERROR``).
        """
        entries = self._events.get(event)
        if entries is not None and self._plain_emit:
            if len(args) == 1:
                # CPython 3.11+ makes such a call without going down the C stack, of which greenlet
                # keeps a copy for each greenlet that a listener blocks.
                arg = args[0]
                for listener in entries:
                    listener(arg)
            else:
                for listener in entries:
                    listener(*args)
            return True
        if entries is None and type(event) is str and event != 'error':
            return False
        return self.__emit_carefully(event, args)

    def __emit_carefully(self, event: Hashable, args: tuple[Any, ...]) -> bool:
        """Do what :meth:`emit` leaves out for speed: other names, ``'error'``, capture."""
        name = name_of(event)
        if name == 'error' and error_monitor in self._events:
            self.emit(error_monitor, *args)
        entries = self._events.get(name)
        if entries is None:
            if name == 'error':
                raise exception_of(args)
            return False
        for listener in entries:
            result = listener(*args)
            if self._capture_rejections and result is not None:
                watch(self, result, event, args)
        return True

    def capture_rejection(self, error: BaseException, event: Hashable, *args: Any) -> None:
        """Handle the failure of a greenlet that a listener returned; meant to be overridden.

        The counterpart of Node's method ``Symbol.for('nodejs.rejection')``. Called only if
        rejections are captured, in a greenlet of its own, which may block. This one emits
        ``'error'``; greenlets returned by the listeners of that are not captured again. What is
        raised here, such as an ``'error'`` that nobody listens to, goes to gevent's hub as the
        failure of any greenlet does.

        Args:
            error: what the greenlet failed with; ``GreenletExit`` is no failure.
            event: the event whose listener returned the greenlet.
            args: the arguments of that event.
        """
        report(self, error)

    # --- adding ---

    @overload
    def on(self, event: Hashable) -> Callable[[F], F]: ...
    @overload
    def on(self, event: Hashable, listener: Listener) -> Self: ...
    def on(self, event: Hashable, listener: Any = UNDEFINED) -> Any:
        """Add *listener* at the end of the listeners of *event*; the same one may be added again.

        This holds for all methods that add: without *listener* they are decorators, which return
        the decorated function. If the event has more listeners now than :meth:`get_max_listeners`
        allows, :class:`MaxListenersExceededWarning` is issued as the last step: once, until at most
        one listener is left. Where warnings are errors it is raised, and the listener is added all
        the same.

        Returns:
            The emitter; without *listener*, the decorator.

        Raises:
            CodedTypeError: *listener* is not callable (``ERR_INVALID_ARG_TYPE``).
            Exception: what a ``'newListener'`` listener raises; then nothing was added.
        """
        if listener is UNDEFINED:
            return _decorator(self.on, event)
        known = self._events
        if (
            type(event) is str and event not in known and 'newListener' not in known
            and callable(listener)
        ):
            # Most often: the first one. What is below, in fewer steps.
            self._listener_wanted(event)
            known[event] = (listener,)
            self._listener_added(event)
        else:
            self.__add(event, listener, at_front=False)
        return self

    add_listener = on

    @overload
    def once(self, event: Hashable) -> Callable[[F], F]: ...
    @overload
    def once(self, event: Hashable, listener: Listener) -> Self: ...
    def once(self, event: Hashable, listener: Any = UNDEFINED) -> Any:
        """Add *listener* at the end, for one call: it is removed, then called. See :meth:`on`."""
        if listener is UNDEFINED:
            return _decorator(self.once, event)
        validate_function('listener', listener)
        self.on(event, OnceListener(self, event, listener))
        return self

    @overload
    def prepend_listener(self, event: Hashable) -> Callable[[F], F]: ...
    @overload
    def prepend_listener(self, event: Hashable, listener: Listener) -> Self: ...
    def prepend_listener(self, event: Hashable, listener: Any = UNDEFINED) -> Any:
        """Add *listener* before the other listeners of *event*. See :meth:`on`."""
        if listener is UNDEFINED:
            return _decorator(self.prepend_listener, event)
        self.__add(event, listener, at_front=True)
        return self

    @overload
    def prepend_once_listener(self, event: Hashable) -> Callable[[F], F]: ...
    @overload
    def prepend_once_listener(self, event: Hashable, listener: Listener) -> Self: ...
    def prepend_once_listener(self, event: Hashable, listener: Any = UNDEFINED) -> Any:
        """Add *listener* before the others, for one call. See :meth:`once`."""
        if listener is UNDEFINED:
            return _decorator(self.prepend_once_listener, event)
        validate_function('listener', listener)
        self.prepend_listener(event, OnceListener(self, event, listener))
        return self

    def __add(self, event: Hashable, listener: Listener, *, at_front: bool) -> None:
        if not callable(listener):
            validate_function('listener', listener)
        name = event if type(event) is str else name_of(event)
        if not at_front:
            self._listener_wanted(name)
        if 'newListener' in self._events:
            self.emit('newListener', event, original_of(listener))
            if not at_front:
                self._listener_wanted(name)  # that may have blocked
        entries = self._events.get(name, ())
        entries = (listener, *entries) if at_front else (*entries, listener)
        self._events[name] = entries
        if name is error_monitor:
            self._plain_emit = False
        if not at_front:
            self._listener_added(name)
        else:
            # In Node, a stream does not notice these.
            self._listener_put_in_front(name)
        count = len(entries)
        if count > 1 and 0 < self.get_max_listeners() < count:
            if self.__warned is None:
                self.__warned = set()
            if name not in self.__warned:
                self.__warned.add(name)
                warn_of_leak(MaxListenersExceededWarning(self, event, count))

    # --- removing ---

    def off(self, event: Hashable, listener: Any = UNDEFINED) -> Self:
        """Remove one registration of *listener*, the latest; what is not there is no error.

        Found by equality, so that ``off(event, obj.method)`` works; a listener that was added with
        :meth:`once` is found by itself, too.

        Returns:
            The emitter.

        Raises:
            CodedTypeError: *listener* is not callable (``ERR_INVALID_ARG_TYPE``).
        """
        validate_function('listener', listener)
        name = name_of(event)
        removed = self.__take(name, listener)
        self._listener_removed(name)
        if removed is not None:
            self.__announce_removal(event, removed)
        return self

    remove_listener = off

    def __take(self, name: Hashable, listener: Listener) -> Listener | None:
        """Remove the last entry that matches; return what ``'removeListener'`` tells of it."""
        entries = self._events.get(name, ())
        for index in range(len(entries) - 1, -1, -1):
            if is_of(entries[index], listener):
                break
        else:
            return None
        if len(entries) <= 2 and self.__warned:
            self.__warned.discard(name)
        if len(entries) == 1:
            del self._events[name]
            return original_of(entries[0])
        self._events[name] = entries[:index] + entries[index + 1:]
        # Node tells what the caller passed; of a once listener that fires, that is the wrapper.
        return listener

    def __announce_removal(self, event: Hashable, listener: Listener) -> None:
        if 'removeListener' in self._events:
            self.emit('removeListener', event, listener)

    def remove_all_listeners(self, event: Hashable = UNDEFINED) -> Self:
        """Remove all listeners of *event*; without *event*, of every event.

        If ``'removeListener'`` has listeners, the others are announced to it one by one, the
        latest first, and its own come last.

        Returns:
            The emitter.
        """
        if event is UNDEFINED:
            if 'removeListener' in self._events:
                names = [name for name in self.event_names() if name != 'removeListener']
                for name in (*names, 'removeListener'):
                    self.remove_all_listeners(name)
            rest = list(self._events)
            self._events.clear()
            self.__warned = None
            for name in rest:
                self._listener_removed(name)
            return self
        name = name_of(event)
        try:
            if name not in self._events:
                return self
            if 'removeListener' in self._events:
                for entry in reversed(self._events[name]):
                    removed = self.__take(name, entry)
                    if removed is not None:
                        self.__announce_removal(event, removed)
            else:
                del self._events[name]
                if self.__warned:
                    self.__warned.discard(name)
        finally:
            self._listener_removed(name)
        return self

    # --- asking ---

    def listeners(self, event: Hashable) -> list[Listener]:
        """Return a new list of the listeners of *event*, as they were given."""
        return [original_of(entry) for entry in self._events.get(name_of(event), ())]

    def raw_listeners(self, event: Hashable) -> list[Listener]:
        """Return a new list of the entries of *event*.

        The entry of a once listener is a wrapper: ``wrapper.listener`` is what was given, and
        calling the wrapper fires and removes it.
        """
        return list(self._events.get(name_of(event), ()))

    def listener_count(self, event: Hashable, listener: Any = None) -> int:
        """Return how many listeners *event* has; with *listener*, how often it is among them."""
        entries = self._events.get(name_of(event), ())
        if listener is None or listener is UNDEFINED:
            return len(entries)
        return sum(is_of(entry, listener) for entry in entries)

    def event_names(self) -> list[Hashable]:
        """Return the names that have listeners, in the order of JavaScript's properties.

        That is: array indexes ascending, then strings, then other objects, as they were added.
        """
        return in_order(self._events)

    def set_max_listeners(self, n: Any = UNDEFINED) -> Self:
        """Set how many listeners one event may have before a warning; 0 and infinity: any number.

        Returns:
            The emitter.

        Raises:
            CodedTypeError: *n* is not a number (``ERR_INVALID_ARG_TYPE``).
            CodedValueError: *n* is negative or NaN (``ERR_OUT_OF_RANGE``).
        """
        self._max_listeners = checked_limit('setMaxListeners', n)
        return self

    def get_max_listeners(self) -> float:
        """Return the limit of this emitter: its own, else the default of the module."""
        own = self._max_listeners
        return settings.max_listeners if own is None else own


def check_emitter(
    emitter: object, name: str = 'emitter', expected: str = 'an instance of EventEmitter',
) -> None:
    """Raise ``ERR_INVALID_ARG_TYPE`` if *emitter* is none."""
    if not isinstance(emitter, EventEmitter):
        raise invalid_arg_type(name, expected, emitter)
