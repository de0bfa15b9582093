"""Counters, gauges and histograms of servers, their connections, the event loop and workers.

Off until asked: by :func:`start`, or by the first use of anything else here but
:func:`name_server`. Then they are taken from what is published through :mod:`gnet.lifecycle`, and
from counts that connections have anyway: nothing is called for a message. ::

    gnet.metrics.serve(9100)            # GET http://127.0.0.1:9100/metrics

``gnet --metrics 127.0.0.1:9100 script.py`` does that without a line in the script, and with
``--workers`` for all of its processes together. With prometheus-client::

    gnet.metrics.register()             # with prometheus_client.REGISTRY

``docs/metrics.md`` has the table of all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .clusters.cluster import worker_side
from .node import coded_errors
from .node.faces import show_as
from .node.spelling import module_attribute
from .observing import exposition_server, text_formats
from .observing.metrics import labels, metrics

if TYPE_CHECKING:
    from .observing.prometheus import Collector
    from .servers.server import Server

__all__ = [
    'CONTENT_TYPE', 'name_server', 'openmetrics', 'register', 'serve', 'start', 'stop',
]

#: The content type of :func:`openmetrics`.
CONTENT_TYPE = text_formats.OPENMETRICS_TYPE


def start() -> None:
    """Count from now on: what servers that listen already have open counts, too.

    Call it in the thread of the servers. If it is on already, this does nothing. In a worker of
    ``gnet.cluster``, what is counted goes to the primary once a second, which adds it up if it was
    started there.
    """
    metrics.start()


def stop() -> None:
    """Count no more, and forget what was counted. If it is off, this does nothing."""
    metrics.stop()


def name_server(server: Server, name: str) -> None:
    """Call *server* so in metrics and in the access log, instead of by its address.

    Servers of one name are counted together: those of several ports, or that come one after
    another. Call it before the server listens.

    Raises:
        CodedTypeError: ``ERR_INVALID_ARG_TYPE`` for what is no server, or no text;
            ``ERR_INVALID_ARG_VALUE`` for an empty name, or one of over 100 characters.
    """
    labels.name(server, name)


def openmetrics() -> str:
    """Return all values of now in the text format of OpenMetrics 1.0.

    Its content type is :data:`CONTENT_TYPE`. In the primary, the workers are added up. In another
    thread than that of the servers, the call waits for that one.
    """
    return text_formats.openmetrics(metrics.snapshot())


def serve(port: int | str, host: str = '127.0.0.1') -> Server:
    """Answer ``GET /metrics`` by HTTP, from now on; return the server, to be closed by who likes.

    It does not keep the program alive, is drained by no SIGTERM, and counts nothing of itself. It
    answers in the format of OpenMetrics, or in the older one of Prometheus, as it is asked. One
    request a connection, with a head of 8 KiB at most, in 10 seconds at most, 32 at a time.

    Args:
        port: 0 is any free one.
        host: a name or an address. By default this machine alone can ask: whoever can connect
            learns how much there is to do.

    Raises:
        OSError: what listening has failed with: the port is taken (``EADDRINUSE``), ….
        CodedTypeError, CodedValueError: an argument makes no sense.
        CodedRuntimeError: ``ERR_NOT_PRIMARY`` in a worker, which knows of its own counts only:
            call it in the primary, or use ``gnet --workers N --metrics HOST:PORT``.
    """
    if worker_side() is not None:
        raise coded_errors.state_error('ERR_NOT_PRIMARY')
    metrics.start()
    return exposition_server.serve(_text, port, host, labels.hidden.add)


def _text(is_openmetrics: bool) -> str:
    snapshot = metrics.snapshot()
    if is_openmetrics:
        return text_formats.openmetrics(snapshot)
    return text_formats.prometheus(snapshot)


def register(registry: Any = None) -> Collector:
    """Have prometheus-client expose these metrics beside the program's own.

    Args:
        registry: a ``CollectorRegistry``; ``prometheus_client.REGISTRY`` by default.

    Returns:
        The collector, for ``registry.unregister()``.

    Raises:
        ModuleNotFoundError: prometheus-client is not installed (``gevent-net[prometheus]``).
        ValueError: these metrics are registered already.
    """
    from prometheus_client import REGISTRY

    from .observing.prometheus import Collector

    metrics.start()
    collector = Collector(metrics.snapshot)
    (REGISTRY if registry is None else registry).register(collector)
    return collector


show_as(__name__, globals(), __all__)


def __getattr__(name: str) -> Any:
    return module_attribute(__name__, globals(), name)
