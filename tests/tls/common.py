"""What the tests of the parts without sockets share: handshakes in memory, and refusals."""

from __future__ import annotations

import ssl
from typing import Any, NamedTuple

import pytest

from gnet.errors import CodedError

__all__ = ['Met', 'meet', 'refusal']


class Met(NamedTuple):
    """Both ends after a handshake in memory, and what each has failed with."""

    client: ssl.SSLObject
    server: ssl.SSLObject
    client_error: ssl.SSLError | None
    server_error: ssl.SSLError | None


def meet(client: ssl.SSLContext, server: ssl.SSLContext, name: str = 'localhost') -> Met:
    """Have two contexts do a handshake, each with the other one."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = (
        client.wrap_bio(to_client, to_server, server_hostname=name),
        server.wrap_bio(to_server, to_client, server_side=True),
    )
    errors: list[ssl.SSLError | None] = [None, None]
    for _ in range(4):
        for place, end in enumerate(ends):
            if errors[place] is None:
                errors[place] = _step(end)
    return Met(*ends, *errors)


def _step(end: ssl.SSLObject) -> ssl.SSLError | None:
    try:
        end.do_handshake()
        # A client of 1.3 is done before the server has looked at its certificate.
        end.read(1)
    except ssl.SSLWantReadError:
        return None
    except ssl.SSLError as error:
        return error
    return None


def refusal(call: Any, *args: Any, **keywords: Any) -> tuple[str, str, str]:
    """Return class, code and text of the error that the call raises."""
    with pytest.raises(CodedError) as caught:
        call(*args, **keywords)
    return type(caught.value).__name__, caught.value.code, str(caught.value)
