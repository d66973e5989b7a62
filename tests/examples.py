"""How many random examples a property is tried on."""

from __future__ import annotations

import os


def examples(count: int) -> int:
    """Return ``count``, or what ``GRADFLOW_EXAMPLES`` asks for in the long form."""
    return int(os.environ.get("GRADFLOW_EXAMPLES", count))
