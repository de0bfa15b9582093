"""WSGI applications (Flask, Django, …) on a gnet server, spoken to by the HTTP of gevent's pywsgi.

::

    import gnet

    gnet.wsgi.serve(application, 8000)
    gnet.run()

gnet accepts, counts, limits and ends the connections; pywsgi reads the requests and writes the
answers. So all that a gnet server has is there: limits, TLS, the PROXY protocol, workers, draining,
metrics. ``docs/wsgi.md`` has it all.
"""

from __future__ import annotations

from ..node.faces import show_as
from .serving import serve

__all__ = ['serve']

show_as(__name__, globals(), __all__)
