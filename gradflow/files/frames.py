"""Find the user's own file and line in the stack that created an op."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

Frame = tuple[str, int]
"""A file, as the machine that traced the model named it, and a line."""

_LIBRARIES = re.compile(
    r"(^|/)(site-packages|dist-packages)/"
    r"|(^|/)(tensorflow/(python|core|compiler|lite)|(tf_)?keras/src|keras/engine|keras_hub/src)/"
    r"|/lib/python\d+(\.\d+)?/"
    r"|/python\d+/lib/"
    r"|(^|/)__autograph_generated_file[^/]*$",
    re.IGNORECASE,
)
BETWEEN_SOURCES = " or "
"""Between lines of which one is meant."""
_CELL = "<ipython-input"


def user_source(frames: Iterable[Frame], libraries: Sequence[str] = ()) -> str | None:
    """Return ``net.py:41`` for the innermost frame that is neither a library's nor Python's own;
    None without one.

    Args:
        frames: outermost first; Windows paths are understood everywhere, since a file can come from
            anywhere.
        libraries: further folders whose files are not the user's.
    """
    innermost = None
    for file, line in frames:
        path = file.replace("\\", "/")
        if (
            line > 0
            and _is_the_users(path)
            and not path.startswith(tuple(f"{folder}/" for folder in libraries))
        ):
            innermost = f"{path.rpartition('/')[2]}:{line}"
    return innermost


def _is_the_users(path: str) -> bool:
    if path.startswith("<"):
        return path.startswith(_CELL)
    return bool(path) and _LIBRARIES.search(path) is None
