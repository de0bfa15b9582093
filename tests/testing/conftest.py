"""Fixtures of the tests of the kit."""

from __future__ import annotations

import pytest

from gnet import tls

from ..harness.authority import NAMES, authority


@pytest.fixture(scope='session')
def tls_contexts() -> tuple[tls.SecureContext, tls.SecureContext]:
    """Of a server, and of a client that trusts it."""
    certified = authority().certify(*NAMES)
    return (
        tls.create_secure_context(**certified.options),
        tls.create_secure_context(ca=authority().cert))
