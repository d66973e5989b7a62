"""Read the sorted table of keys and values in which TensorFlow keeps the index of variables.

Source: tensorflow/core/lib/io/{format,block}.cc and tensorflow/core/lib/hash/crc32c.h, 2.21;
google/snappy, format_description.txt. The packages that unpack Snappy and compute this checksum
bring compiled libraries, for a few hundred bytes of each file.
"""

from __future__ import annotations

from collections.abc import Iterator

from gradflow.files.varint import read_varint

_MAGIC = (0xDB4775248B80FB57).to_bytes(8, "little")
_FOOTER, _TRAILER = 48, 5
_PLAIN, _SNAPPY = 0, 1
"""The types of a block: as it is, and compressed, as early TensorFlow wrote it."""
_MOST_UNPACKED = 1 << 28
_POLYNOMIAL = 0x82F63B78
_ALL = 0xFFFFFFFF


def read_table(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of a table, all of its blocks; each key stands behind the one before.

    Raises:
        ValueError, IndexError: ``data`` is no such table.
    """
    if len(data) < _FOOTER or data[-8:] != _MAGIC:
        raise ValueError("no table")
    meta, end = _block_handle(data, len(data) - _FOOTER)
    index, _ = _block_handle(data, end)
    for _ in _block(data, *meta):
        raise ValueError("more than a table of variables")
    previous: bytes | None = None
    start, room = 0, _MOST_UNPACKED
    for _, value in _block(data, *index):
        (offset, size), _ = _block_handle(value, 0)
        if offset < start:
            raise ValueError("one block over another")
        start = offset + size
        for key, entry in _block(data, offset, size):
            if previous is not None and key <= previous:
                raise ValueError("out of order")
            previous, room = key, room - len(key)
            if room < 0:  # a key can be long, and all but its end be written once
                raise ValueError("too large")
            yield key, entry


def masked_crc32c(data: bytes) -> int:
    """Return the checksum of ``data`` as TensorFlow writes it; a tenth of a second for each
    megabyte.

    CRC-32 with Castagnoli's polynomial (Python has the other one only), turned and shifted so that
    the checksum of something that holds checksums is no weak one.
    """
    crc, remainders = _ALL, _REMAINDERS
    for byte in data:
        crc = remainders[(crc ^ byte) & 255] ^ crc >> 8
    crc ^= _ALL
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & _ALL


def unpacked(data: bytes) -> bytes:
    """Return the bytes that a block of Snappy stands for.

    Raises:
        ValueError, IndexError: ``data`` is not of that form, or larger than any index.
    """
    length, start = read_varint(data, 0)
    if length > _MOST_UNPACKED:
        raise ValueError("too large")
    result = bytearray()
    while start < len(data):
        tag = data[start]
        start += 1
        start = (
            _literal(data, start, tag >> 2, result)
            if tag & 3 == 0
            else _copy(data, start, tag, result)
        )
        if len(result) > length:
            raise ValueError("longer than it says")
    if len(result) != length:
        raise ValueError("shorter than it says")
    return bytes(result)


def _block(data: bytes, offset: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of the block at ``offset``."""
    end = offset + size
    if end + _TRAILER > len(data) or data[end] not in (_PLAIN, _SNAPPY):
        raise ValueError("no block")
    checksum = int.from_bytes(data[end + 1 : end + _TRAILER], "little")
    if masked_crc32c(data[offset : end + 1]) != checksum:
        raise ValueError("wrong checksum")
    block = data[offset:end]
    if data[end] == _SNAPPY:
        block = unpacked(block)
    restarts = int.from_bytes(block[-4:], "little")
    stop = len(block) - 4 * (restarts + 1)
    if stop < 0:
        raise ValueError("no block")
    start, key = 0, b""
    while start < stop:
        shared, start = read_varint(block, start)
        own, start = read_varint(block, start)
        length, start = read_varint(block, start)
        if shared > len(key) or start + own + length > stop:
            raise ValueError("no entry")
        key = key[:shared] + block[start : start + own]
        yield key, block[start + own : start + own + length]
        start += own + length


def _block_handle(data: bytes, start: int) -> tuple[tuple[int, int], int]:
    """Offset and size of a block, and where the two numbers end."""
    offset, start = read_varint(data, start)
    size, start = read_varint(data, start)
    return (offset, size), start


def _literal(data: bytes, start: int, size: int, result: bytearray) -> int:
    """Append bytes that stand in ``data`` as they are, and return where they end."""
    if size >= 60:
        width = size - 59
        size, start = int.from_bytes(data[start : start + width], "little"), start + width
    result += data[start : start + size + 1]
    return start + size + 1


def _copy(data: bytes, start: int, tag: int, result: bytearray) -> int:
    """Repeat what stands further back, which can overlap with what it makes; return where the
    reference ends."""
    if tag & 3 == 1:
        size, back, start = (tag >> 2 & 7) + 4, (tag >> 5) << 8 | data[start], start + 1
    else:
        width = 2 if tag & 3 == 2 else 4
        back = int.from_bytes(data[start : start + width], "little")
        size, start = (tag >> 2) + 1, start + width
    if not 0 < back <= len(result):
        raise ValueError("before the beginning")
    for _ in range(size):
        result.append(result[-back])
    return start


def _remainder(byte: int) -> int:
    for _ in range(8):
        byte = byte >> 1 ^ (_POLYNOMIAL if byte & 1 else 0)
    return byte


_REMAINDERS = tuple(map(_remainder, range(256)))
