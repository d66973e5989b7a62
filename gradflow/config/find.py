"""Find the configuration of a folder, without the parsers that reading it takes."""

from __future__ import annotations

import re
import stat
from pathlib import Path

YAML_NAMES = ("gradflow.yaml", "gradflow.yml")
PYPROJECT = "pyproject.toml"
TABLE = ("tool", "gradflow")
_HEADER = re.compile(r"^\s*\[+\s*tool\s*\.\s*gradflow\s*[.\]]", re.MULTILINE)


def find_config(folder: Path) -> Path | None:
    """Return the configuration of ``folder``, else that of the nearest folder above it, up to the
    root of the repository; None where there is none.

    It is relative to ``folder``. What lies in a folder that everybody may write to, as /tmp, counts
    there only.
    """
    above = folder
    for depth, absolute in enumerate([folder.absolute(), *folder.absolute().parents]):
        if depth and _is_open_to_all(absolute):
            return None
        config = _config_in(above)
        if config is not None or (absolute / ".git").exists():
            return config
        above = above / ".."
    return None


def _is_open_to_all(folder: Path) -> bool:
    try:
        return bool(folder.stat().st_mode & stat.S_IWOTH)
    except OSError:
        return True


def _config_in(folder: Path) -> Path | None:
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
