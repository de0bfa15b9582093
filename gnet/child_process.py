"""Processes that talk to this one: :func:`fork`, and the :class:`ChildProcess` that it returns.

As Node's ``child_process.fork``: a new interpreter, never a copy of this one (a bare ``os.fork``
of a running hub leaves the copy with watchers and greenlets of its parent's), joined to this
process by a channel for messages, servers and connections. The script finds the other end as
``gnet.process``::

    child = gnet.child_process.fork('worker.py')
    server.on('connection', lambda sock: child.send('serve', sock))

gevent tells when a child ends. It does so in the main thread only, and there it takes the exit
status of every process that ends: wait for others with ``gevent.subprocess``, not ``subprocess``.
"""

from __future__ import annotations

from .node.faces import show_as
from .processes.child import ChildProcess, fork

__all__ = ['ChildProcess', 'fork']

show_as(__name__, globals(), __all__)
