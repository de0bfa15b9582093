"""The object ``gnet.cluster``: several processes that run one script and share its listeners.

::

    from gnet import cluster, create_server, run

    if cluster.is_primary:
        for _ in range(4):
            cluster.fork()
    else:
        create_server(handler).listen(7000)
    run()

``listen`` in a worker asks the primary, which has the one listener of that address, and gives each
connection to the worker whose turn it is (``SCHED_RR``), or shares the descriptor (``SCHED_NONE``).
With ``exclusive`` or ``reuse_port`` a worker listens by itself.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ..node import coded_errors
from ..node.keywords import check_keywords
from ..node.spelling import snake_options
from ..node.validators import validate_function
from ..options.fork import interpreter_options
from ..processes.inheritance import inherited_channel, worker_number
from ..processes.this_process import process
from ..servers.primary import set_primary
from .forked_worker import ForkedWorker
from .listening_address import ListeningAddress
from .own_worker import OwnWorker, WorkerSide
from .primary import SETTINGS, PrimarySide
from .worker import Worker

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ..options.typed import PrimaryKeywords
    from .typed_events import TypedGuarded as Guarded
else:
    from ..events.guarded import Guarded

__all__ = [
    'Cluster',
    'ListeningAddress',
    'Worker',
    'cluster',
    'primary_side',
    'worker_side',
]

_log = logging.getLogger('gnet.cluster')

#: What systemd has given the primary of a worker: `PASSED_ON` in gnet/systemd/activation.py.
_PASSED_ON = 'GNET_SYSTEMD_SOCKETS'


class Cluster(Guarded):
    """The class of ``gnet.cluster``, of which there is one object. In the primary it emits

    =====================  =====================  ==================================================
    event                  arguments              when
    =====================  =====================  ==================================================
    ``'setup'``            ``(settings)``         ``setup_primary`` was called; ``fork`` does
    ``'fork'``             ``(worker)``           a worker was started
    ``'online'``           ``(worker)``           these and the rest are the events of the
                                                  :class:`Worker`, with that in front
    ``'listening'``        ``(worker, address)``
    ``'message'``          ``(worker, message,
                           handle)``
    ``'disconnect'``       ``(worker)``
    ``'exit'``             ``(worker, code,
                           signal)``
    =====================  =====================  ==================================================

    Attributes:
        settings: what ``fork`` goes by; empty before the first ``setup_primary`` or ``fork``.
        scheduling_policy: ``SCHED_RR`` or ``SCHED_NONE``. Setting it has an effect before the
            first ``setup_primary`` or ``fork``. The environment's ``NODE_CLUSTER_SCHED_POLICY``
            (``rr``, ``none``) says what it is at the start.
    """

    # Each has Node's spelling, too.
    __slots__ = ('_primary', 'scheduling_policy', 'settings', 'worker')

    SCHED_NONE = 1
    SCHED_RR = 2

    Worker = Worker

    def __init__(self, worker: OwnWorker | None = None) -> None:
        super().__init__()
        #: In a worker: itself.
        self.worker: OwnWorker | None = worker
        self._primary = PrimarySide(self, self._listener_failed) if worker is None else None
        self.settings: dict[str, Any] = {}
        self.scheduling_policy: int = {
            'none': self.SCHED_NONE, 'rr': self.SCHED_RR,
        }.get(os.environ.get('NODE_CLUSTER_SCHED_POLICY', ''), self.SCHED_RR)

    def __repr__(self) -> str:
        if self.worker is not None:
            return f'<gnet.{type(self).__name__} worker {self.worker.id}>'
        return f'<gnet.{type(self).__name__} primary of {len(self.workers)} workers>'

    # --- who this is ------------------------------------------------------------------------------

    @property
    def is_primary(self) -> bool:
        """Whether this process is no worker."""
        return self.worker is None

    @property
    def is_master(self) -> bool:
        """The old name of :attr:`is_primary`."""
        return self.is_primary

    @property
    def is_worker(self) -> bool:
        """Whether this process is a worker."""
        return self.worker is not None

    @property
    def workers(self) -> dict[int, ForkedWorker]:
        """The workers by their ids, in the primary; those that were not asked to disconnect."""
        return {} if self._primary is None else self._primary.workers

    def _side(self) -> PrimarySide:
        if self._primary is None:
            raise coded_errors.state_error('ERR_NOT_PRIMARY')
        return self._primary

    # --- the primary ------------------------------------------------------------------------------

    def setup_primary(
        self, settings: Mapping[str, Any] | None = None, **keywords: Unpack[PrimaryKeywords],
    ) -> None:
        """Change what ``fork`` goes by from now on; what is not named stays.

        Args:
            settings: a mapping in Node's or Python's spelling.
            keywords: the same as keywords:

                - exec: the script or module that workers run; that of this process by default.
                - args: its arguments; those of this process by default.
                - env: a mapping that is added to the environment of workers.
                - cwd, exec_argv, exec_path, silent, stdio, uid, gid, patch: see
                  :func:`gnet.child_process.fork`.

        Raises:
            CodedRuntimeError: ``ERR_NOT_PRIMARY`` in a worker.
            TypeError: for a keyword that is no setting.
        """
        primary = self._side()
        check_keywords('setup_primary', keywords, SETTINGS)
        if not self.settings:
            primary.in_turn = self.scheduling_policy != self.SCHED_NONE
        self.settings = {
            'args': sys.argv[1:], 'exec': _own_program(), 'exec_argv': interpreter_options(),
            'silent': False, **primary.defaults, **self.settings,
            **snake_options(settings, keywords),
        }
        primary.tick('setup', self.settings)

    def setup_master(
        self, settings: Mapping[str, Any] | None = None, **keywords: Unpack[PrimaryKeywords],
    ) -> None:
        """The old name of :meth:`setup_primary`."""
        self.setup_primary(settings, **keywords)

    def fork(self, env: Mapping[str, Any] | None = None) -> ForkedWorker:
        """Start a worker.

        Args:
            env: what it has in its environment beside this process's.

        Returns:
            The worker. If it could not be started, it emits `'error'`.

        Raises:
            CodedTypeError, CodedValueError: for settings that make no sense.
            CodedRuntimeError: ``ERR_NOT_PRIMARY`` in a worker; ``ERR_NOT_MAIN_THREAD``.
        """
        primary = self._side()
        if env is not None and not isinstance(env, Mapping):
            raise coded_errors.invalid_arg_type('env', 'of type object', env)
        self.setup_primary()
        return primary.fork(self.settings, {**(self.settings.get('env') or {}), **(env or {})})

    def disconnect(self, callback: Callable[[], object] | None = None) -> None:
        """Disconnect all workers: see :meth:`gnet.clusters.worker.Worker.disconnect`.

        Args:
            callback: called without arguments when all have disconnected.

        Raises:
            CodedRuntimeError: ``ERR_NOT_PRIMARY`` in a worker.
        """
        primary = self._side()
        primary.disconnect(None if callback is None else validate_function('callback', callback))

    # --- emitting ---------------------------------------------------------------------------------

    def _failed(self, error: BaseException) -> None:
        # The primary alone emits here.
        self._side().loop.fail(self, error)

    def _listener_added(self, event: Any) -> None:
        super()._listener_added(event)
        if event == 'message' and self._primary is not None:
            self._primary.forward_all_messages()


def _own_program() -> str:
    """Return the script that this process runs, or its module if it runs one."""
    main = sys.modules['__main__']
    spec = getattr(main, '__spec__', None)
    if spec is None:
        return os.path.abspath(getattr(main, '__file__', None) or sys.argv[0])
    if spec.name in ('gevent.monkey', 'gevent.monkey.__main__'):
        return os.path.abspath(sys.argv[0])  # it runs a script, which has come to its end
    return str(spec.name)


def _this_worker() -> WorkerSide | None:
    """Return this process as a worker; None if it is none. Processes that it starts are none."""
    passed_on = os.environ.pop(_PASSED_ON, None)
    if worker_number is None:
        return None
    if not worker_number.isdigit() or inherited_channel is None:
        _log.warning('NODE_UNIQUE_ID=%s, but there is no channel to a primary: this is no worker',
                     worker_number)
        return None
    side = WorkerSide(int(worker_number), process)
    set_primary(side)
    if passed_on is not None:
        from ..systemd.activation import receive

        receive(passed_on)
    return side


_worker_side = _this_worker()
cluster: Cluster = Cluster(None if _worker_side is None else _worker_side.worker)


def primary_side() -> PrimarySide:
    """Return what does the work of ``gnet.cluster`` in the primary, for the command.

    Raises:
        CodedRuntimeError: ``ERR_NOT_PRIMARY`` in a worker.
    """
    return cluster._side()  # inside: programs see a Cluster, and have no use for it


def worker_side() -> WorkerSide | None:
    """Return what does the work of ``gnet.cluster`` in a worker; None if this is none."""
    return _worker_side
