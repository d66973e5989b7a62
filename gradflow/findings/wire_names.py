"""Say how a field of a result type is written: under another name, or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import Field
from typing import Any

INTERNAL = {"internal": True}
"""Metadata of a field that gradflow keeps for itself: the interface does not have it."""

LOCAL = {"internal": True, "local": True}
"""Metadata of a field that is of this process: no other is sent it."""


def written_as(name: str) -> Mapping[str, str]:
    """Return the metadata of a field that the interface calls ``name``, which is a word of
    Python."""
    return {"written_as": name}


def written_name(field: Field[Any]) -> str:
    """Return what the interface calls a field."""
    name: str = field.metadata.get("written_as", field.name)
    return name
