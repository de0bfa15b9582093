"""A worker, as the primary has it: the :class:`ForkedWorker`, and the :class:`Line` to it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from ..processes.messaging import peer_of
from .protocol import COMMAND, connections_line
from .questions import Asked
from .worker import Progress, Worker

if TYPE_CHECKING:
    from typing_extensions import Self

    from ..processes.child import ChildProcess
    from .round_robin import Transfer

__all__ = [
    'ForkedWorker',
    'Line',
]


class ForkedWorker(Worker):
    """A worker, in the primary."""

    __slots__ = ('_disconnect',)

    def __init__(
        self, number: int, process: ChildProcess, progress: Progress,
        disconnect: Callable[[], object],
    ) -> None:
        super().__init__({'id': number, 'process': process})
        self._progress = progress
        self._disconnect = disconnect

    def disconnect(self) -> Self:
        """Have the worker close its servers, wait for their connections, and then disconnect."""
        self._disconnect()
        return self

    def kill(self, signal: str | int | None = None) -> None:
        """Send the worker *signal*, SIGTERM by default."""
        self.process.kill(signal)


class Line:
    """The way to a worker, and what is under way on it. Makes the worker.

    Args:
        number: the id of the worker.
        process: what runs it.
        let_go: called when the worker was told to disconnect: it gets nothing any more.
    """

    __slots__ = (
        '__weakref__', '_batch', '_batch_kind', '_counted', '_let_go', '_number', '_peer',
        '_under_way', 'asked', 'dropped', 'is_denounced', 'is_forwarded', 'progress', 'tell',
        'worker',
    )

    def __init__(
        self, number: int, process: ChildProcess, let_go: Callable[[Line], object],
    ) -> None:
        self._peer = peer_of(process)
        self._let_go = let_go
        self.progress: Progress = Progress()
        self.worker: ForkedWorker = ForkedWorker(number, process, self.progress, self.disconnect)
        #: Connections that it has not answered yet, and the number of the last one.
        self._under_way: dict[int, Transfer] = {}
        self._number = 0
        #: Those of this turn, which go together: nothing was written yet. What they have in common:
        #: the listener, and whether they are counted.
        self._batch: list[Transfer] = []
        self._batch_kind: tuple[int, bool] = (0, False)
        self._peer.loop.close_in_child(self, Line._forsake)  # inside: its own
        self.asked: Asked = Asked()
        #: What to call when a connection ends that it has, by its number; where limits count those.
        self._counted: dict[int, Callable[[], object]] = {}
        #: How many drops are on their way to it.
        self.dropped: int = 0
        #: Whether its messages are emitted as the cluster's, too.
        self.is_forwarded: bool = False
        #: Whether it has sent nonsense.
        self.is_denounced: bool = False
        #: Of who looks after the worker: see :meth:`gnet.clusters.primary.PrimarySide.look_after`.
        self.tell: Callable[..., object] | None = None

    def __repr__(self) -> str:
        return repr(self.worker)

    def send(self, act: str, fields: dict[str, Any], sock: Any = None) -> None:
        """Send the worker a message; *sock* is closed when it has that."""
        if self._batch:
            self._send_batch()  # in the order in which the worker is to hear of it
        done = None if sock is None else lambda _error: sock.close()
        self._peer.send({'cmd': COMMAND, 'act': act, **fields}, sock, done)

    def disconnect(self, deadline: float | None = None, *, accept_rest: bool = False) -> None:
        """Have the worker close its servers, wait for their connections, and then disconnect.

        Args:
            deadline: seconds after which the worker destroys what is left, and says how many
                connections those were.
            accept_rest: have it accept first what waits in listeners that it shares.
        """
        self.worker.exited_after_disconnect = True
        fields: dict[str, Any] = {} if deadline is None else {'deadline': deadline}
        if accept_rest:
            fields['rest'] = True
        self.send('disconnect', fields)
        self._let_go(self)

    def send_connection(self, handle_id: int, transfer: Transfer) -> None:
        """Send a connection, and call one of the methods of *transfer* in the end.

        Those of one turn go together: one message, one acknowledgement.
        """
        batch, kind = self._batch, (handle_id, transfer.ended is not None)
        if batch and kind != self._batch_kind:
            self._send_batch()
            batch = self._batch
        if not batch:
            self._batch_kind = kind
            self._peer.loop.soon(self._send_batch)
        batch.append(transfer)

    def _send_batch(self) -> None:
        batch, self._batch = self._batch, []
        if not batch:
            return  # they were sent before something else
        first = self._number + 1
        self._number += len(batch)
        handle_id, is_counted = self._batch_kind
        self._under_way.update(enumerate(batch, first))
        for number, transfer in enumerate(batch, first) if is_counted else ():
            assert transfer.ended is not None
            self._counted[number] = transfer.ended
        self._peer.send_raw(
            connections_line(
                handle_id, first, len(batch), batch[0].sock.family, counted=is_counted),
            [transfer.sock for transfer in batch],
            partial(self._answered, handle_id, range(first, self._number + 1)))

    def _answered(self, handle_id: int, numbers: range, error: BaseException | None) -> None:
        under_way = self._under_way
        is_starved = getattr(error, 'code', None) == 'ERR_HANDLE_NOT_RECEIVED'
        if is_starved and len(numbers) > 1:
            self._send_again(handle_id, numbers)  # it may have a descriptor for some
            return
        for number in numbers:
            transfer = under_way.pop(number, None)
            if transfer is None:
                continue  # it was refused
            if error is None:
                transfer.accepted()
                continue
            self._counted.pop(number, None)
            if is_starved:
                transfer.not_received()
            else:
                transfer.failed()

    def _send_again(self, handle_id: int, numbers: range) -> None:
        """Send those of a batch one by one."""
        for number in numbers:
            transfer = self._under_way.get(number)
            if transfer is None:
                continue  # it was refused, though it had not arrived
            self._peer.send_raw(
                connections_line(
                    handle_id, number, 1, transfer.sock.family,
                    counted=transfer.ended is not None),
                [transfer.sock], partial(self._answered, handle_id, range(number, number + 1)))

    def _forsake(self) -> None:
        """In a forked child: close the copies of what was about to be sent."""
        for transfer in self._batch:
            transfer.sock.close()

    def has_refused(self, number: Any) -> bool:
        """The worker has refused that connection; return whether it was under way."""
        transfer = self._under_way.pop(number, None) if type(number) is int else None
        if transfer is None:
            return False
        self._counted.pop(number, None)
        transfer.refused()
        return True

    # --- limits -----------------------------------------------------------------------------------

    def has_released(self, number: Any) -> bool:
        """A connection that was counted has ended; return whether it was one."""
        ended = self._counted.pop(number, None) if type(number) is int else None
        if ended is not None:
            ended()
        return ended is not None

    def release_all(self) -> None:
        """The worker is gone, and so are its connections.

        Not those that it has not answered: other workers get them, who say when they have ended.
        """
        for number in self._counted.keys() - self._under_way.keys():
            self._counted.pop(number)()

    def send_dropped(self, fields: dict[str, Any]) -> None:
        """Have the worker emit `'drop'`."""
        self.dropped += 1
        self._peer.send({'cmd': COMMAND, 'act': 'dropped', **fields}, None, self._told)

    def _told(self, _error: BaseException | None) -> None:
        self.dropped -= 1
