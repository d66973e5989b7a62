"""What a model file says about its variables before TensorFlow looks at it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gradflow.findings import Format, Role
from gradflow.patterns import covers


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
    place: str = ""
    """Its name below the names of the layers around it, outermost first; empty where that is not
    known."""


def with_state(
    variables: Iterable[StoredVariable], patterns: Sequence[str]
) -> tuple[StoredVariable, ...]:
    """``variables``, those that ``patterns`` cover as state: the user knows that they are no
    weights."""
    return tuple(
        _state(one) if any(covers(pattern, one) for pattern in patterns) else one
        for one in variables
    )


def _state(one: StoredVariable) -> StoredVariable:
    return replace(one, role=Role.STATE, trainable=False, frozen_by=None, untracked=False)


def parameter_count(shape: tuple[int | None, ...]) -> int:
    """Number of entries of a variable; 0 where a dimension is unknown."""
    return math.prod(size or 0 for size in shape)
