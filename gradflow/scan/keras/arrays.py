"""Find the arrays of an ``.npz`` archive that are pickled, or claim more than they hold."""

from __future__ import annotations

import ast
import math
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from gradflow.scan.threat import Threat
from gradflow.text import quoted

_MAGIC = b"\x93NUMPY"
_TYPE = re.compile(r"[<>|=]?(\?|[bifcuSUV]\d+|b1|bfloat16|float8_\w+)")
_MOST_HEADER = 1 << 16
_PICKLED = "is pickled, which runs any Python code"


@dataclass(slots=True)
class PackedLook:
    """A look through an ``.npz`` archive, which counts on the way."""

    member: str
    """What the archive is called in messages."""
    numbers: int = 0
    """How many numbers its arrays hold."""

    def strange(self, file: IO[bytes]) -> Iterator[Threat]:
        """Yield the arrays in ``file`` whose header is not that of numbers; nothing is unpickled.

        Source: numpy/lib/format.py (2.3).
        """
        with zipfile.ZipFile(file) as arrays:
            # In their order in the file: to go back in a packed one is to unpack it once more.
            for info in sorted(arrays.infolist(), key=lambda info: info.header_offset):
                with arrays.open(info) as stream:
                    header = _header(stream)
                description = f"array {quoted(info.filename)}"
                if header is None:
                    yield Threat(description, self.member, _PICKLED)
                    continue
                kind, shape = header
                size = math.prod(shape)
                if size > info.file_size * 8:
                    yield Threat(
                        description,
                        self.member,
                        f"claims {size:,} numbers in {info.file_size:,} bytes",
                    )
                elif not _TYPE.fullmatch(kind):
                    yield Threat(
                        description,
                        self.member,
                        f"is of the type {quoted(kind)}, which no variable has",
                    )
                self.numbers += size


def _header(stream: IO[bytes]) -> tuple[str, tuple[int, ...]] | None:
    """Return the type and the shape of an array; None where it may be anything else."""
    start = stream.read(8)
    if start[:6] != _MAGIC or len(start) < 8:
        return None
    length = int.from_bytes(stream.read(2 if start[6] == 1 else 4), "little")
    if length > _MOST_HEADER:
        return None
    try:
        read = ast.literal_eval(stream.read(length).decode("latin1").strip())
        kind, shape = read["descr"], read["shape"]
    except (ValueError, SyntaxError, TypeError, KeyError, RecursionError, MemoryError):
        return None
    if not isinstance(kind, str) or "O" in kind or kind == "object" or not isinstance(shape, tuple):
        return None  # fields or objects, which are pickled
    return (kind, shape) if all(isinstance(size, int) and size >= 0 for size in shape) else None
