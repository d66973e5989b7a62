"""Pick the weights whose gradient may be rounding noise, before they are looked into."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median

from gradflow.diagnose import Measurement, outliers
from gradflow.findings import Role, Verdict
from gradflow.options import Thresholds
from gradflow.tape.loaded_model import CallableModel
from gradflow.tape.measure import largest_entry

_MARGIN = 3.0
"""A median moves when gradients are measured again: what is near the threshold is looked into as
well."""
_FAINT, _SMALL, _PLAUSIBLE = 3e-5, 1e-2, 1e-3
"""Beside the model's median: what is looked into, what is looked at once that is done, and up to
which size the word of the layers counts. Noise in single precision is some 1e-6, and which
weights are above a narrow limit would be a matter of the seed."""
_NOTHING = 1e-5
"""Objectives are of ordinary size: below that, the gradient of all weights is looked into."""
_COARSE_FAINT, _COARSE = 24.0, 64.0
"""The same limits where the model computes in a short type, in units of its epsilon: the first, and
the other two."""


@dataclass(frozen=True, slots=True)
class Noise:
    """Weights whose gradient may be rounding noise."""

    explained: Mapping[str, str]
    """Those that the layers explain: what takes their shift out again."""
    tiny: tuple[str, ...]
    """Others that are out of proportion, so that they are vanishing if nothing explains them."""
    small: tuple[str, ...]
    """All others that could be rounding noise."""
    is_faint: bool
    """Whether one of these is so small that it is to be looked into."""


def rounding_noise(
    model: CallableModel, measured: Mapping[str, Measurement], thresholds: Thresholds
) -> Noise:
    """Sort the trainable weights that get a gradient by how likely it is rounding noise."""
    layers = {
        item.stored.name: item.stored.layer
        for item in model.watched
        if item.stored.role is Role.WEIGHT and item.stored.trainable
    }
    sizes = {
        name: largest_entry(measured[name])
        for name in layers
        if name in measured and measured[name].verdict is Verdict.FLOWS
    }
    if len(sizes) < 2:
        return Noise({}, (), (), is_faint=False)
    middle, coarse = median(sizes.values()), _COARSE * model.epsilon
    largest: dict[str | None, float] = {}
    for name, size in sizes.items():
        largest[layers[name]] = max(size, largest.get(layers[name], middle))
    explained = {
        name: remover
        for name, remover in model.shifted_before_normalization().items()
        if name in sizes and sizes[name] < max(_PLAUSIBLE, coarse) * largest[layers[name]]
    }
    tiny = [
        outlier.name
        for outlier in outliers(measured, tuple(layers), model.epsilon, thresholds, _MARGIN)
        if outlier.ratio < 1 and outlier.name not in explained
    ]
    # Where nothing but noise arrives, it is no smaller than the rest.
    whole = middle if max(sizes.values()) > _NOTHING else 1.0
    others = {name: size / whole for name, size in sizes.items() if name not in explained}
    small = [name for name, share in others.items() if share < max(_SMALL, coarse)]
    faint = max(_FAINT, _COARSE_FAINT * model.epsilon)
    is_faint = bool(tiny) or any(others[name] < faint for name in small)
    return Noise(explained, tuple(tiny), tuple(small), is_faint=is_faint)
