"""Read a number as protobuf, LevelDB and Snappy write it: seven bits a byte, the lowest first."""

from __future__ import annotations

_MOST_BITS = 64


def read_varint(data: bytes, start: int) -> tuple[int, int]:
    """Return the number that begins at ``start``, and where it ends.

    Raises:
        ValueError: it has more than 64 bits.
        IndexError: ``data`` ends before it does.
    """
    value, end = 0, start
    for shift in range(0, _MOST_BITS, 7):
        byte = data[end]
        value |= (byte & 127) << shift
        end += 1
        if byte < 128:
            return value, end
    raise ValueError("a number of more than 64 bits")
