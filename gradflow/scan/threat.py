"""Describe what a scan finds."""

from __future__ import annotations

from gradflow.lazy_dataclass import dataclass

TRUST = "--trust"
"""The option that lets in whatever stands in a file."""
_IMPORT = "--import "
"""The option that lets in the user's own ops, with the module that registers them."""


@dataclass(frozen=True, slots=True)
class Threat:
    """One thing in a model file that is not known to be harmless."""

    name: str
    """What it is, by its name in the file: ``op WriteFile``, ``class TFSMLayer``, ``asset
    ../../x``."""
    location: str
    """The place in the file: ``node 'a/WriteFile' of function 'f'``, ``layer 'lambda' of
    config.json``."""
    harm: str
    """What it could do: ``writes files``."""
    remedy: str = TRUST
    """The option that lets it in."""
    idle_op: str = ""
    """The op type, where TensorFlow cannot run it in a process of its own: it needs a library that
    nobody has loaded, or a Python function that nobody has made."""

    way_out: str = ""
    """What to do where no option lets it in."""
    is_for_keras: bool = False
    """Whether it is in a part of the file that TensorFlow, which gradflow loads it with, does not
    read: it runs where Keras 2 loads the file."""

    @property
    def needs_import(self) -> bool:
        """Whether it is an op that nobody has looked at, which a module has to bring."""
        return self.remedy.startswith(_IMPORT)

    @property
    def sentence(self) -> str:
        """All of it in one line."""
        return f"{self.name} ({self.location}): {self.harm}"


@dataclass(frozen=True, slots=True)
class Scanned:
    """What a scan has looked at, and what it found."""

    threats: tuple[Threat, ...]
    looked_at: tuple[str, ...] = ()
    """What was read, counted: ``("2,579 nodes", "34 functions", "61 types of op")``."""
