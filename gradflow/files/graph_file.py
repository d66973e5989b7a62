"""Find the folder of a SavedModel by the file of its graph, which pre-commit gives in its place."""

from __future__ import annotations

from pathlib import Path

GRAPH_FILE = "saved_model.pb"


def model_of(path: Path) -> Path:
    """Return the folder of the SavedModel whose graph is the file ``path``; else ``path``."""
    return path.parent if path.name == GRAPH_FILE else path
