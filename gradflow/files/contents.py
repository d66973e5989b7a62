"""What a model file says about its variables before TensorFlow looks at it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from gradflow.findings import Format, Role


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A path and the format its content has, whatever its name says."""

    path: Path
    """The SavedModel's folder, or the Keras file."""
    format: Format


@dataclass(frozen=True, slots=True)
class StoredVariable:
    """One variable as the file records it."""

    name: str
    """Keras path or TensorFlow name without ``:0``; unique within the file."""
    layer: str | None
    shape: tuple[int | None, ...]
    dtype: str
    role: Role
    trainable: bool
    frozen_by: str | None
    """The outermost layer whose ``trainable=False`` covers it, where the file knows."""
    untracked: bool = False
    """A weight that the model computes with and no layer holds, so that no optimizer sees it."""


def parameter_count(shape: tuple[int | None, ...]) -> int:
    """Number of entries of a variable; 0 where a dimension is unknown."""
    return math.prod(size or 0 for size in shape)
