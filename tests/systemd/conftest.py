"""Fixtures of the tests of systemd."""

from __future__ import annotations

from ..harness import service_manager

#: Fixtures that documents' programs use, too.
manager, pass_sockets = service_manager.manager, service_manager.pass_sockets
