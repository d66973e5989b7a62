"""Open the C library of this process, once: to open it takes as long as a dozen of its calls."""

from __future__ import annotations

import ctypes
from functools import cache


@cache
def libc() -> ctypes.CDLL:
    """Return the C library; ``ctypes.get_errno`` tells why a call of it failed."""
    return ctypes.CDLL(None, use_errno=True)
