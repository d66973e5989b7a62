"""Keep the trace that was made for a report, and run it again for the next one."""

from __future__ import annotations

import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gradflow.tape.watching.gradient_calls import Application, GradientCall, Noted

_KEY = "_gradflow_look"
"""The attribute of the user's own trace: the two are forgotten together."""


@dataclass(slots=True, eq=False)
class Look:
    """A trace that was made for a report, which can be run for a later one."""

    clone: Any
    """The function that was traced in place of the user's."""
    traced: Any
    """Its trace."""
    calls: Sequence[GradientCall]
    """Those that the trace measures into."""
    applications: Sequence[Application]
    noted: Mapping[Any, dict[str, Noted]]
    owners: Sequence[Any]
    """The models and layers that were called."""
    trained: set[int]
    """The handles of the variables that it trains."""
    leaves_updates_out: bool
    flags: tuple[int, ...] = ()
    """What was trainable when it was traced."""
    _kept_with: Any = field(default=None, repr=False)

    def keep_with(self, concrete: Any) -> None:
        """Keep it with the user's trace, for later reports."""
        self.flags = _flags(self.owners)
        self._kept_with = weakref.ref(concrete)
        setattr(concrete, _KEY, self)

    def discard(self) -> None:
        """Keep it no longer."""
        concrete = None if self._kept_with is None else self._kept_with()
        if getattr(concrete, _KEY, None) is self:
            delattr(concrete, _KEY)

    def forget(self) -> None:
        """Forget what an earlier run has measured."""
        for call in self.calls:
            call.start.clear()
            for measured in call.asked.values():
                measured.clear()
        for application in self.applications:
            for measured in application.given.values():
                measured.clear()


def look_at(concrete: Any) -> Look | None:
    """Return the trace for a report that was kept with the user's own; None where there is none, or
    where other variables are trainable now."""
    look: Look | None = getattr(concrete, _KEY, None)
    return look if look is not None and look.flags == _flags(look.owners) else None


def _flags(owners: Sequence[Any]) -> tuple[int, ...]:
    """Return what owners have to be trained."""
    return tuple(
        id(variable) for owner in owners for variable in getattr(owner, "trainable_variables", ())
    )
