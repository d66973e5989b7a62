"""Say of gradients that are exactly zero whether training lifts them, and what helps where it does
not."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import cache

from gradflow.diagnose import Sighting
from gradflow.findings import Verdict
from gradflow.tape.further_steps import LOSS_SCALE, Take, lifted, lifted_with, underflowing
from gradflow.tape.loaded_model import Watched
from gradflow.tape.replay.locate import Sightings
from gradflow.tape.replay.zero_gradients import LOSS_SCALE_FIX
from gradflow.tape.stepped import Measurements

_UNDERFLOWS = (
    f"rounds it to zero, for float16 has no number that small: with a loss scale of "
    f"{LOSS_SCALE:.0f} it arrives"
)
HARMLESS = "harmless, there is nothing to change"
STARTS_LATER = "harmless: it gets a gradient after the first update of that weight"
_STARTS_WITH_OTHERS = "harmless: it gets a gradient after the first update of other weights"
_BOTH_STAY = "both stay zero in training: give one of them random values first"
_ALL_STAY = (
    "one of them is not enough: several weights of zeros keep each other at zero; give all of them "
    "but one random values first"
)
_FROZEN_ZEROS = "make {weight!r} trainable, or give it values other than zero"


def judged(
    take: Take,
    watched: Sequence[Watched],
    measured: Measurements,
    deaths: Sightings,
    *,
    removers: Collection[str],
    epsilon: float,
) -> tuple[Measurements, Sightings]:
    """Say of each zero whether training lifts it, and what to do where it does not; what is
    measured meanwhile of those that only another draw lifts comes first.

    Args:
        take: takes the step again.
        watched: its variables.
        measured: their gradients.
        deaths: where those die that are zero.
        removers: the weights whose gradient is zero by mathematics.
        epsilon: of the coarsest type that the step computes in.
    """
    underflow = underflowing(take, measured, epsilon)
    dropped = {name for name, deadly in deaths.items() if any(item.chance for item in deadly)}
    doubtful = deaths.keys() - dropped - underflow.union(removers)
    begun: frozenset[str] = frozenset()
    drawn: Measurements = {}
    if doubtful:
        begun, drawn = lifted(take, measured)
    frozen = {item.stored.name for item in watched if not item.stored.trainable}

    @cache
    def is_enough(weight: str) -> bool:
        """Return whether random values for a weight of zeros help all that dies there."""
        lasting = {
            name
            for name, deadly in deaths.items()
            if name in doubtful - begun and any(item.weight == weight for item in deadly)
        }
        return lasting <= lifted_with(take, watched, measured, weight)

    def stays_zero(weight: str | None) -> bool:
        return (
            weight is not None and measured[weight].verdict is Verdict.ZERO and weight not in begun
        )

    def told(name: str, sighting: Sighting) -> Sighting:
        if name in underflow:
            return replace(sighting, detail=_UNDERFLOWS, fix=LOSS_SCALE_FIX)
        if name in removers:
            return replace(sighting, harmless=True, fix=HARMLESS)
        if name in begun and name in doubtful:
            moves = sighting.weight is not None and not stays_zero(sighting.weight)
            fix = STARTS_LATER if moves else _STARTS_WITH_OTHERS
            return replace(sighting, harmless=True, fix=fix)
        weight = sighting.weight
        is_one_enough = weight is None or not stays_zero(weight) or is_enough(weight)
        return _lasting(sighting, measured, frozen, is_one_enough=is_one_enough)

    return drawn, {
        name: tuple(told(name, sighting) for sighting in deadly)
        for name, deadly in deaths.items()
        if name not in drawn
    }


def _lasting(
    sighting: Sighting, measured: Measurements, frozen: Collection[str], *, is_one_enough: bool
) -> Sighting:
    """Say of a weight of zeros that no update moves what would help what it is multiplied with;
    ``is_one_enough``: whether random values for that weight alone do."""
    if sighting.weight is None:
        return sighting
    if sighting.weight in frozen:
        fix = _FROZEN_ZEROS.format(weight=sighting.weight)
    elif measured[sighting.weight].verdict is Verdict.ZERO:
        fix = _BOTH_STAY if is_one_enough else _ALL_STAY
    else:
        return sighting
    return replace(sighting, detail=f"{sighting.detail}, and no update changes that", fix=fix)
