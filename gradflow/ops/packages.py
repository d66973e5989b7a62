"""Name the packages that bring op types of their own."""

from __future__ import annotations

from collections.abc import Iterable

_PACKAGES = {
    "Addons>": "tensorflow_addons",
    "IO>": "tensorflow_io",
    "Sentencepiece": "tensorflow_text",
    "SimpleML": "tensorflow_decision_forests",
    "TFText>": "tensorflow_text",
    "tfp.": "tensorflow_probability",
}
"""Packages by the beginning of the op types, or types of values, that they register."""


def package_of(op_types: Iterable[str]) -> str:
    """Return the module that brings the (op) types, for ``--import``; a placeholder where nobody
    can know."""
    modules = {
        module for op in op_types for start, module in _PACKAGES.items() if op.startswith(start)
    }
    return " --import ".join(sorted(modules)) or "MODULE"
