"""Shows which weights of a TensorFlow model get no gradient, and what cuts them off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gradflow.version import VERSION

if TYPE_CHECKING:
    from gradflow.api import inspect

__version__ = VERSION
__all__ = ["__version__", "inspect"]


def __getattr__(name: str) -> Any:
    """Import the API when it is first asked for: ``gradflow --help`` does without it."""
    if name == "inspect":
        from gradflow.api import inspect

        return inspect
    raise AttributeError(f"module 'gradflow' has no attribute {name!r}")
