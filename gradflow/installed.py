"""Tell how to install a part of gradflow that is missing."""

from __future__ import annotations

DISTRIBUTION = "gradflow-tf"
"""The name on the package index, where ``gradflow`` belongs to somebody else."""


def install_command(extra: str) -> str:
    """Return the command that installs gradflow with that extra, as a hint shows it."""
    return f"pip install '{DISTRIBUTION}[{extra}]'"
