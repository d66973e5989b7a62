"""Look at a file that is named for a report before anything is done: it may be somebody's work."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

from gradflow.cli.output import CommandError
from gradflow.files.hdf5 import holds_hdf5
from gradflow.lazy_dataclass import dataclass
from gradflow.report.formats import FORMATS, begins_as

_HEAD = 1 << 20
"""Bytes at the start of a file that tell what it is: a report can begin with a long path."""
_ZIP = b"PK\x03\x04"


@dataclass(frozen=True, slots=True)
class OutFile:
    """A file that is to be written."""

    flag: str
    """How the command line names it."""
    path: str
    kind: str
    """What is written there."""
    mark: str | None
    """A pattern for how that begins; None where people change by hand what gradflow wrote."""

    @classmethod
    def of_format(cls, flag: str, path: str, format: str) -> OutFile:
        """Return the file that a report or an answer is written to, in a format."""
        kind = f"a {format} report" if format != "text" else "a report"
        return cls(flag, path, kind, FORMATS[format].mark)

    @classmethod
    def of_schema(cls, path: str, title: str) -> OutFile:
        """Return the file that a JSON Schema is written to, whose title begins so."""
        mark = r'\{ "\$schema": "https://json-schema.org/[^"]*", "title": "' + re.escape(title)
        return cls("-o", path, "a schema", mark)

    def refuse_other(self, *, force: bool) -> None:
        """Raise CommandError where it cannot be written, or holds something of another kind.

        ``force`` writes over anything but a model.
        """
        path = Path(self.path)
        if not path.absolute().parent.is_dir():
            raise CommandError(f"{self._named}: its folder does not exist: create it first")
        if path.is_dir():
            raise CommandError(f"{self._named}: is a folder: name a file")
        if not path.is_file():
            return
        model = _model_of(path.resolve())
        if model is not None:
            raise CommandError(f"{self._named}: is {model}, which gradflow never changes")
        if not force and not self.holds_its_kind():
            other = f", and is not {self.kind} that gradflow wrote" if self.mark else ""
            raise CommandError(
                f"{self._named}: exists already{other}: name another file, or replace it with "
                "--force"
            )

    def holds_its_kind(self) -> bool:
        """Return whether the file is empty, or begins as what is to be written there."""
        head = _beginning(Path(self.path), _HEAD).decode("utf-8", "replace")
        return not head.strip() or (self.mark is not None and begins_as(head, self.mark))

    @property
    def _named(self) -> str:
        return f"{self.flag} {self.path}"


def _model_of(path: Path) -> str | None:
    """Return what model the file is, or is part of; None where it is of none."""
    is_inside = path.parent.name in ("variables", "assets")
    folder = path.parent.parent if is_inside else path.parent
    if (folder / "saved_model.pb").is_file() and (is_inside or path.suffix == ".pb"):
        return "part of a SavedModel"
    with contextlib.suppress(OSError):
        if holds_hdf5(path):
            return "an HDF5 file"
    return "a .keras file or another archive" if _beginning(path, len(_ZIP)) == _ZIP else None


def _beginning(path: Path, size: int) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(size)
    except OSError:
        return b""
