"""Look at a file that is named for a report before anything is done: it may be somebody's work."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gradflow.cli.output import CommandError
from gradflow.report.formats import FORMATS, begins_as

_HEAD = 1 << 20
"""Bytes at the start of a file that tell what it is: a report can begin with a long path."""
_MODELS = {b"PK\x03\x04": "a .keras file or another archive", b"\x89HDF\r\n\x1a\n": "an HDF5 file"}
"""How the files of models and of inputs begin."""


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
        if not force and not self._is_of_its_kind(path):
            other = f", and is not {self.kind} that gradflow wrote" if self.mark else ""
            raise CommandError(
                f"{self._named}: exists already{other}: name another file, or replace it with "
                "--force"
            )

    @property
    def _named(self) -> str:
        return f"{self.flag} {self.path}"

    def _is_of_its_kind(self, path: Path) -> bool:
        head = _head(path).decode("utf-8", "replace")
        return not head.strip() or (self.mark is not None and begins_as(head, self.mark))


def _model_of(path: Path) -> str | None:
    """Return what model the file is, or is part of; None where it is of none."""
    folders = [path.parent] if path.parent.name not in ("variables", "assets") else []
    folder = path.parent if folders else path.parent.parent
    is_saved_model = (folder / "saved_model.pb").is_file()
    if is_saved_model and (not folders or path.suffix == ".pb"):
        return "part of a SavedModel"
    head = _head(path)
    return next((kind for start, kind in _MODELS.items() if head.startswith(start)), None)


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_HEAD)
    except OSError:
        return b""
