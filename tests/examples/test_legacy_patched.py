"""``examples/legacy_patched.py``."""

from __future__ import annotations

from typing import Any

from .common import read_line


def test_what_legacy_code_keeps_per_thread_is_kept_per_connection(start: Any, connect: Any) -> None:
    example = start('legacy_patched')
    first, second = connect(example.address), connect(example.address)
    numbers = []
    for client in (first, second, first):
        client.sendall('5 äpfel\n'.encode())
        numbers.append(read_line(client))
    # The path is quoted: blank and umlaut count three bytes for one.
    assert numbers == [
        f'5 äpfel: 14 cents (your question number {number})' for number in (1, 1, 2)
    ]
