"""Hold what a model says of one of its layers besides its variables."""

from __future__ import annotations

from gradflow.lazy_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class ModelLayer:
    """A layer, or an operation that stands in a functional model beside the layers."""

    name: str
    """Its path, as its variables have it."""
    class_name: str
    parent: str | None
    """Path of the submodel or layer that holds it; None right in the model."""
    is_operation: bool = False
