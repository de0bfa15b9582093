"""A connection over IPv4: the client ``c``, and what the server has accepted, ``s1``."""

from __future__ import annotations

from functools import partial

from . import _families
from ._families import QUIET

__all__ = ['QUIET', 'connection', 'listening']

#: ``listening(options=None, accepted=None)``: the steps that lead to a server that listens.
listening = partial(_families.listening, 'IPv4')

#: ``connection(*early, client=None, server=None, accepted=None)``: those that lead to a connection.
connection = partial(_families.connection, 'IPv4')
