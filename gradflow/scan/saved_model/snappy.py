"""A block that is compressed with Snappy in, its bytes out: early TensorFlow wrote the index of the
variables so.

Source: google/snappy, format_description.txt. The packages that do this bring a compiled library,
for a few hundred bytes in files of a kind that nobody writes any more.
"""

from __future__ import annotations

_MOST = 1 << 28


def unpacked(data: bytes) -> bytes:
    """The bytes that ``data`` stands for.

    Raises:
        ValueError, IndexError: it is not of that form, or larger than any index.
    """
    length, at = _length(data)
    if length > _MOST:
        raise ValueError("too large")
    found = bytearray()
    while at < len(data):
        tag = data[at]
        kind, at = tag & 3, at + 1
        at = _literal(data, at, tag >> 2, found) if kind == 0 else _copy(data, at, tag, found)
        if len(found) > length:
            raise ValueError("longer than it says")
    if len(found) != length:
        raise ValueError("shorter than it says")
    return bytes(found)


def _literal(data: bytes, at: int, size: int, found: bytearray) -> int:
    if size >= 60:
        extra = size - 59
        size, at = int.from_bytes(data[at : at + extra], "little"), at + extra
    found += data[at : at + size + 1]
    return at + size + 1


def _copy(data: bytes, at: int, tag: int, found: bytearray) -> int:
    """Repeat what stands further back; it can overlap with what it makes."""
    if tag & 3 == 1:
        size, back, at = (tag >> 2 & 7) + 4, (tag >> 5) << 8 | data[at], at + 1
    else:
        width = 2 if tag & 3 == 2 else 4
        size, back, at = (tag >> 2) + 1, int.from_bytes(data[at : at + width], "little"), at + width
    if not 0 < back <= len(found):
        raise ValueError("before the beginning")
    for _ in range(size):
        found.append(found[-back])
    return at


def _length(data: bytes) -> tuple[int, int]:
    value = shift = at = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at
        if shift > 32:
            raise ValueError("no length")
