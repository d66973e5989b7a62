"""A path in, the way a one-line message shows it out."""

from __future__ import annotations

from pathlib import Path


def shown(path: Path | str) -> str:
    """The path on one line: what is not printable (line breaks, escape codes, broken encodings) is
    escaped."""
    text = str(path)
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode("ascii")
        for c in text
    )
