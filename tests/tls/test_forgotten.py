"""A TLS client that blocking calls use is collected when nobody has it, and its peer is told."""

from __future__ import annotations

import gc
import ssl
import sys
from collections.abc import Callable
from typing import Any
from weakref import ref

import pytest

from gnet import tls

from ..harness.authority import authority
from ..harness.leaks import holds
from ..harness.waiting import until
from .test_echo import echo_blocking


@pytest.mark.parametrize(('trusted', 'code'), [
    (True, None),
    # Python 3.9 does not show whether its issuer came with it.
    (False, 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' if sys.version_info >= (3, 10) else 'UNVERIFIED'),
], ids=['verified', 'let through'])
def test_a_client_that_nobody_has_is_closed_at_once(
    serve_tls: Callable[..., Any], trusted: bool, code: str | None,
) -> None:
    server = serve_tls(echo_blocking)
    options: dict[str, Any] = (
        {'ca': authority().cert} if trusted else {'reject_unauthorized': False})

    def talk() -> Any:
        sock = tls.connect(server.address().port, '127.0.0.1', **options)
        sock.sendall(b'hello')
        assert sock.recv(9) == b'hello'
        assert (sock.authorized, sock.authorization_error) == (trusted, code)
        return ref(sock)

    before = holds()
    gc.collect()
    gc.disable()  # by counting references alone
    try:
        with pytest.warns(ResourceWarning, match=r'unclosed <gnet\.tls\.TLSSocket'):
            forgotten = talk()
        assert forgotten() is None
    finally:
        gc.enable()
    until(lambda: server.get_connections() == 0)
    until(lambda: holds() == before)


def test_a_check_that_raises_leaves_nothing_of_openssl(serve_tls: Callable[..., Any]) -> None:
    server = serve_tls(echo_blocking)

    def check(host: str, certificate: Any) -> None:
        raise ValueError('not this one')

    def refuse() -> None:
        sock = tls.connect(
            server.address().port, '127.0.0.1', ca=authority().cert, check_server_identity=check)
        errors: list[Any] = []
        sock.on('error', lambda error: errors.append(str(error)))
        until(lambda: sock.closed)
        assert errors == ['not this one']

    gc.collect()
    before = of_openssl()
    gc.disable()  # a frame has the socket, which has the error: that is left to the collector
    try:
        refuse()
        until(lambda: server.get_connections() == 0)
        assert of_openssl() == before
    finally:
        gc.enable()


def of_openssl() -> int:
    return sum(isinstance(each, ssl.SSLObject) for each in gc.get_objects())
