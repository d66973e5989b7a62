"""Tell whether a path that stands in a file leads out of the folder that it is meant for."""

from __future__ import annotations

from pathlib import PurePosixPath, PureWindowsPath


def leads_out(name: str) -> bool:
    """Return whether joining ``name`` to a folder can name what is not below it, on POSIX or on
    Windows."""
    kinds = (PurePosixPath(name), PureWindowsPath(name))
    return "\0" in name or any(
        path.is_absolute() or path.drive or ".." in path.parts for path in kinds
    )
