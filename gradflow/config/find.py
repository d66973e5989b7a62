"""Find the configuration of a folder, without the parsers that reading it takes."""

from __future__ import annotations

import re
from pathlib import Path

YAML_NAMES = ("gradflow.yaml", "gradflow.yml")
PYPROJECT = "pyproject.toml"
TABLE = ("tool", "gradflow")
_HEADER = re.compile(r"^\s*\[+\s*tool\s*\.\s*gradflow\s*[.\]]", re.MULTILINE)


def find_config(folder: Path) -> Path | None:
    """Return ``gradflow.yaml``, else a ``pyproject.toml`` with ``[tool.gradflow]``, else None."""
    for name in YAML_NAMES:
        if (folder / name).is_file():
            return folder / name
    project = folder / PYPROJECT
    # Looked at as text first: what is wrong with the rest of a pyproject.toml is not ours to
    # complain about.
    if project.is_file() and _HEADER.search(project.read_text(encoding="utf-8", errors="replace")):
        return project
    return None
