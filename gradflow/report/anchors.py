"""Find the file and line at which a CI system shows the findings of a model."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePath
from urllib.parse import quote

from gradflow.files.frames import BETWEEN_SOURCES
from gradflow.findings import Anchor, ModelReport

_SOURCE = re.compile(r"(?P<path>.+):(?P<line>[1-9][0-9]*)", re.DOTALL)
_REMOTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


def anchor_of(model: ModelReport, anchors: Mapping[str, Anchor]) -> Anchor:
    """Return where findings of ``model`` are shown: what ``anchors`` says for its name or path,
    else its path."""
    named = anchors.get(model.name) if model.name else None
    return named or anchors.get(model.path) or Anchor(model.path)


def identity_of(model: ModelReport, anchors: Mapping[str, Anchor]) -> str:
    """Return what stands for the model in a fingerprint: its path, and not the line that names it,
    which moves."""
    anchor = anchor_of(model, anchors)
    return portable(anchor.path if anchor.line is None else model.path)


def anchors_below(root: Path, paths: Iterable[str]) -> dict[str, Anchor]:
    """Anchor the absolute ones of ``paths`` that lie below ``root`` at their relative path, as CI
    systems want it."""
    below = [path for path in paths if Path(path).is_absolute() and Path(path).is_relative_to(root)]
    return {path: Anchor(str(Path(path).relative_to(root))) for path in below}


def source_anchor(source: str) -> Anchor:
    """Turn ``net.py:41`` into an Anchor."""
    match = _SOURCE.fullmatch(source)
    return Anchor(match["path"], int(match["line"])) if match else Anchor(source)


def source_anchors(source: str) -> Sequence[Anchor]:
    """Turn ``net.py:41 or net.py:52`` into an Anchor each."""
    return [source_anchor(place) for place in source.split(BETWEEN_SOURCES)]


def portable(path: str) -> str:
    """Return ``path`` with forward slashes and without ``./``, ``//`` and ``a/..``."""
    return path if _REMOTE.match(path) else posixpath.normpath(PurePath(path).as_posix())


def uri(path: str) -> str:
    """Return ``path`` as a URI reference (RFC 3986): relative as it is, absolute with ``file://``.

    A remote path is a relative reference too: GitHub refuses a whole upload whose URIs have another
    scheme than ``file``.
    """
    plain = portable(path)
    # The bytes of the file's name; lone surrogates that stand for none are replaced.
    name = quote(
        re.sub("[\ud800-\udc7f\udd00-\udfff]", "\ufffd", plain).encode("utf-8", "surrogateescape")
    )
    if PurePath(plain).is_absolute() and not _REMOTE.match(path):
        return f"file:///{name.lstrip('/')}"
    return name
