"""Show which weights of a TensorFlow model get no gradient, and what cuts them off."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from gradflow.version import VERSION

if TYPE_CHECKING:
    from gradflow import keras as keras
    from gradflow.api import Report, inspect
    from gradflow.errors import GradflowError, UsageError
    from gradflow.training import Watch, assert_trains, watch

__version__ = VERSION
__all__ = [
    "GradflowError",
    "Report",
    "UsageError",
    "Watch",
    "__version__",
    "assert_trains",
    "inspect",
    "watch",
]
_MODULES = {
    "GradflowError": "gradflow.errors",
    "Report": "gradflow.api",
    "UsageError": "gradflow.errors",
    "Watch": "gradflow.training",
    "assert_trains": "gradflow.training",
    "inspect": "gradflow.api",
    "watch": "gradflow.training",
}
_KERAS = "keras"
"""The module for ``fit()``. ``from gradflow import *`` leaves it out: it would hide Keras."""


def __getattr__(name: str) -> Any:
    """Import the API when it is first asked for: ``gradflow --help`` does without it."""
    if name in _MODULES:
        return getattr(import_module(_MODULES[name]), name)
    if name == _KERAS:
        return import_module("gradflow.keras")
    raise AttributeError(f"module 'gradflow' has no attribute {name!r}")


def __dir__() -> list[str]:
    """Return the names of the API: the modules are no part of it."""
    return sorted([*__all__, _KERAS])
