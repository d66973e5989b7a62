"""Define what a user can expect of one model."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from gradflow.catalogue import Family


@dataclass(frozen=True, slots=True)
class CutExpectation:
    """Weights that are meant to be cut off, such as a target network behind a StopGradient."""

    variables: str
    """Pattern of names."""
    by: str
    """What cuts them off: an op type, or a code or kind of the catalogue."""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Ignore:
    """Findings that are known and accepted."""

    variables: str
    """Pattern of names."""
    codes: tuple[str, ...] = ()
    """Codes of the catalogue; empty for all."""
    reason: str = ""
    until: date | None = None
    """The last day on which it holds."""


@dataclass(frozen=True, slots=True)
class Expectations:
    """Of one model; the default is that nothing is frozen and every weight gets a gradient."""

    frozen: tuple[str, ...] | None = None
    """These are frozen and nothing else is; None where nothing is said."""
    trainable: tuple[str, ...] = ()
    """These are trainable and their gradient flows."""
    cut: tuple[CutExpectation, ...] = ()
    ignore: tuple[Ignore, ...] = ()

    @property
    def is_about_flags_only(self) -> bool:
        """Whether a file can answer by its freeze flags: nothing is asked about gradients, nor
        ignored of them."""
        codes = [code for ignore in self.ignore for code in ignore.codes]
        ignored = any(is_about_gradients(code) for code in codes)
        return self.frozen is not None and not self.trainable and not self.cut and not ignored


def is_about_gradients(code: str) -> bool:
    """Whether a finding of this code, or of codes that begin like this, needs a graph or a step;
    flags do not."""
    return code[:3] in (Family.CUTS, Family.VALUES)
