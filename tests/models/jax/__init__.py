"""SavedModels that JAX exported; ``make.py`` says how."""

from __future__ import annotations

import zipfile
from pathlib import Path

HERE = Path(__file__).parent
NAMES = tuple(sorted(path.stem for path in HERE.glob("*.zip")))


def unpacked(name: str, folder: Path) -> Path:
    """Unpack the export called ``name`` into a new folder below ``folder``."""
    with zipfile.ZipFile(HERE / f"{name}.zip") as archive:
        archive.extractall(folder / name)
    return folder / name
