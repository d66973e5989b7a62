"""Find the weights whose gradient is far below or above the median of the model."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from gradflow.catalogue import entry
from gradflow.diagnose.evidence import Evidence, Measurement
from gradflow.findings import Finding, Role, Severity, Verdict
from gradflow.lazy_dataclass import dataclass
from gradflow.options import DEFAULT_THRESHOLDS, Thresholds

_ORDINARY = 1e3
"""The outputs are projected onto normal numbers: a gradient up to this size explodes nothing,
however small the others are (ConvNeXt starts with branches scaled by 1e-6)."""
_RUNNING = (
    "this call scales by BatchNormalization's moving averages, as inference does: judge sizes "
    "in training mode, on the file of model.save('model.keras')"
)
_SIZEABLE = 1e-2
"""A gradient of this size vanishes nowhere: the others are large."""
_OTHERS = (
    "it is of an ordinary size, and the others are large: clip the gradients (clipnorm of the "
    "optimizer), scale what comes in, or look at real data (--input)"
)
SINGLE_CLASS = "a softmax over a single class"
"""What makes the whole gradient of a weight a mathematical zero, and not of a bias alone."""
SINGLE_CLASS_FIX = "use a sigmoid for a single output, or give the softmax more than one class"
_NOISE = 8.0
"""Rounding noise of a sum whose terms cancel, in units of epsilon."""


@dataclass(frozen=True, slots=True)
class Outlier:
    """A weight whose gradient is much smaller or larger than the model's median."""

    name: str
    ratio: float
    """Its size beside the model's median."""
    size: float
    """The largest absolute entry."""


def outliers(
    measured: Mapping[str, Measurement],
    names: Sequence[str],
    epsilon: float,
    thresholds: Thresholds = DEFAULT_THRESHOLDS,
    margin: float = 1.0,
) -> tuple[Outlier, ...]:
    """Return those of ``names`` whose gradient is out of proportion.

    The size of a gradient is its largest absolute entry, so that large weights and looked-up
    embeddings compare with small ones. ``epsilon`` is that of the coarsest data type that the model
    computes in: a gradient within its rounding noise may be a mathematical zero, and is returned
    too. A ``margin`` above 1 also returns those that a slightly larger median would make outliers.
    """
    sizes = {
        name: gradient.max_abs
        for name in names
        if (measurement := measured.get(name)) is not None
        and (gradient := measurement.gradient) is not None
        and gradient.max_abs
        and measurement.verdict is Verdict.FLOWS
    }
    if len(sizes) < 2:
        return ()
    from statistics import median  # not where nothing was measured

    middle = median(sizes.values())
    low = margin * max(thresholds.vanishing, _NOISE * epsilon)
    _, high = bounds(middle, thresholds)
    return tuple(
        Outlier(name, size / middle, size)
        for name, size in sizes.items()
        if size < low * middle or size > high
    )


def bounds(middle: float, thresholds: Thresholds) -> tuple[float, float]:
    """Return the sizes below which a gradient vanishes and above which it explodes, in a model
    whose median is ``middle``."""
    # Who asks for less than the default means it, ordinary or not.
    ordinary = _ORDINARY if thresholds.exploding >= DEFAULT_THRESHOLDS.exploding else 0.0
    return thresholds.vanishing * middle, max(thresholds.exploding * middle, ordinary)


def scale_findings(evidence: Evidence) -> Iterable[Finding]:
    """Report vanishing and exploding gradients; a mathematical zero is a note that says so."""
    if evidence.measurements is None:
        return
    names = [
        item.name for item in evidence.variables if item.role is Role.WEIGHT and item.trainable
    ]
    apart = outliers(evidence.measurements, names, evidence.epsilon, evidence.thresholds)
    by_remover: dict[str, list[str]] = {}
    for name in names:
        measured = evidence.measurements.get(name)
        is_flowing = measured is not None and measured.verdict is Verdict.FLOWS
        if name in evidence.cancelled and is_flowing:
            by_remover.setdefault(evidence.cancelled[name], []).append(name)
    for remover, biases in by_remover.items():
        item = entry("GF305")
        if remover == SINGLE_CLASS:
            message = (
                f"gradient is mathematically zero, only rounding noise arrives: {remover} is "
                "constant, and nothing else leads on"
            )
            yield item.finding(message, biases, item.cause(), hint=SINGLE_CLASS_FIX)
            continue
        message = (
            f"gradient is mathematically zero, only rounding noise arrives: {remover} cancels "
            f"any constant that is added"
        )
        hint = (
            f"harmless; where a bias is of no use before {remover}, leave it out (use_bias=False)"
        )
        yield item.finding(message, biases, item.cause(), severity=Severity.NOTE, hint=hint)
    others = [outlier for outlier in apart if outlier.name not in evidence.cancelled]
    for code, group in (
        ("GF305", [outlier for outlier in others if outlier.ratio < evidence.thresholds.vanishing]),
        ("GF306", [outlier for outlier in others if outlier.ratio > 1]),
    ):
        if group:
            item = entry(code)
            message = item.message.format(ratio=_magnitude(group))
            names = [outlier.name for outlier in group]
            severity, hint = item.severity, item.fix
            if code == "GF305" and evidence.is_of_step:
                # No replay tells whether it is zero by mathematics.
                severity = Severity.NOTE
            elif code == "GF305" and all(outlier.size >= _SIZEABLE for outlier in group):
                hint = _OTHERS
            if evidence.has_running_statistics:
                severity, hint = Severity.NOTE, _RUNNING
            yield item.finding(message, names, item.cause(), severity=severity, hint=hint)


def _magnitude(group: Sequence[Outlier]) -> str:
    """Return the order of magnitude of the ratio nearest to 1: further digits differ between
    machines."""
    nearest = min((outlier.ratio for outlier in group), key=lambda ratio: abs(math.log10(ratio)))
    return f"1e{round(math.log10(nearest))}"
