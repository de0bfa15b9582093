"""In which form legacy code gets a socket."""

from __future__ import annotations

from typing import Any

__all__ = ['itself', 'to_socket']


def itself(sock: Any) -> Any:
    return sock


def to_socket(sock: Any) -> Any:
    return sock.to_socket()
