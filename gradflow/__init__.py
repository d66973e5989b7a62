"""Shows which weights of a TensorFlow model get no gradient, and what cuts them off."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from gradflow.version import VERSION

if TYPE_CHECKING:
    from gradflow.api import Report, inspect
    from gradflow.errors import GradflowError, UsageError

__version__ = VERSION
__all__ = ["GradflowError", "Report", "UsageError", "__version__", "inspect"]
_MODULES = {
    "GradflowError": "gradflow.errors",
    "Report": "gradflow.api",
    "UsageError": "gradflow.errors",
    "inspect": "gradflow.api",
}


def __getattr__(name: str) -> Any:
    """Import the API when it is first asked for: ``gradflow --help`` does without it."""
    if name in _MODULES:
        return getattr(import_module(_MODULES[name]), name)
    raise AttributeError(f"module 'gradflow' has no attribute {name!r}")


def __dir__() -> list[str]:
    """Return the names of the API: the modules are no part of it."""
    return sorted(__all__)
