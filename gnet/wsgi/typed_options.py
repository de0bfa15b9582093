"""The options of :func:`gnet.wsgi.serve` as types: for type checkers only, as ``options/typed.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

#: Nothing at run time.
__all__: list[str] = []

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from ..options.typed import Number
    from ..tls.typed_options import TLSServeKeywords

    class WSGIServeKeywords(TLSServeKeywords, total=False):
        """Those of both kinds of servers, and its own."""

        environ: Mapping[str, Any] | None
        keep_alive_timeout: Number | None
        request_log: Any
