"""Bytes in, the checksum that TensorFlow writes beside them out.

Source: tensorflow/core/lib/hash/crc32c.h, 2.21: CRC-32 with Castagnoli's polynomial, turned and
shifted so that the checksum of something that holds checksums is no weak one. Python has the other
polynomial only.
"""

from __future__ import annotations

_POLYNOMIAL = 0x82F63B78
_ALL = 0xFFFFFFFF


def masked_crc32c(data: bytes) -> int:
    """The checksum of ``data``; a tenth of a second for each megabyte."""
    crc, table = _ALL, _TABLE
    for byte in data:
        crc = table[(crc ^ byte) & 255] ^ crc >> 8
    crc ^= _ALL
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & _ALL


def _remainder(byte: int) -> int:
    for _ in range(8):
        byte = byte >> 1 ^ (_POLYNOMIAL if byte & 1 else 0)
    return byte


_TABLE = tuple(map(_remainder, range(256)))
