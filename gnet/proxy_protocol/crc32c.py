"""The checksum CRC32C (Castagnoli), as RFC 4960, Appendix B, has it for SCTP. No I/O."""

from __future__ import annotations

__all__ = ['crc32c']

#: The polynomial, its lowest power in the highest bit.
_POLYNOMIAL = 0x82F63B78


def _remainder(byte: int) -> int:
    for _ in range(8):
        byte = byte >> 1 ^ (_POLYNOMIAL if byte & 1 else 0)
    return byte


_TABLE = tuple(_remainder(byte) for byte in range(256))


def crc32c(data: bytes) -> int:
    """Return the checksum of *data*, 32 bits."""
    checksum = 0xFFFF_FFFF
    for byte in data:
        checksum = checksum >> 8 ^ _TABLE[(checksum ^ byte) & 0xFF]
    return checksum ^ 0xFFFF_FFFF
