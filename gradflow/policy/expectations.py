"""Define what a user can expect of one model."""

from __future__ import annotations

from datetime import date

from gradflow.catalogue import Family
from gradflow.lazy_dataclass import dataclass

MODEL_PATH, FROZEN_PATTERNS = "{path}", "{patterns}"


@dataclass(frozen=True, slots=True)
class CutExpectation:
    """Weights that are meant to be cut off, such as a target network behind a StopGradient."""

    variables: str
    """Pattern of names."""
    by: str
    """What cuts them off: an op type, or a code or kind of the catalogue."""
    reason: str = ""
    stands_at: str = ""
    """The file and line that say so: ``gradflow.yaml:12``."""


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
    stands_at: str = ""
    """The file and line that say so: ``gradflow.yaml:12``."""


@dataclass(frozen=True, slots=True)
class Expectations:
    """All that is expected of one model; by default nothing is frozen and every weight gets a
    gradient."""

    frozen: tuple[str, ...] | None = None
    """These are frozen and nothing else is; None where nothing is said. As in ``trainable``, one
    that begins with ``!`` takes out again what those before it covered."""
    trainable: tuple[str, ...] = ()
    """These are trainable and their gradient flows."""
    cut: tuple[CutExpectation, ...] = ()
    ignore: tuple[Ignore, ...] = ()
    accepting: str = f"gradflow init {MODEL_PATH} accepts it"
    """How a user accepts what is frozen where nothing is said of it; ``MODEL_PATH`` and
    ``FROZEN_PATTERNS`` in it stand for the path of the model and for patterns of what is frozen."""

    @property
    def needs_gradients(self) -> bool:
        """Whether an expectation or an ignore is about gradients, which freeze flags do not
        answer."""
        codes = [code for ignore in self.ignore for code in ignore.codes]
        return bool(self.trainable or self.cut) or any(map(is_about_gradients, codes))


def is_about_gradients(code: str) -> bool:
    """Return whether a code, or the beginning of codes, is about gradients: that needs a graph or a
    step, and freeze flags do not."""
    return code[:3] in (Family.CUTS, Family.VALUES)
