"""Say what to do where other data may bring a gradient, about a model and about a training step.

A model is measured on data that gradflow makes, unless its user gives real ones. A step runs on the
user's own, and gradflow takes no options there.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

OTHER_BRANCH_FIX = "where real data takes it, show that to gradflow: --input NAME=@batch.npz:key"
OTHER_SIDE_FIX = (
    "all that comes in is on the other side of the unit: look at its scale and bias, and at real "
    "data (--input), or leave out the weight, which is multiplied with what the unit gives"
)
SWITCH_FIX = (
    "look at the scale and the bias of what comes in, and at real data (--input); a leaky "
    "activation passes gradient on both sides"
)
IN_STEP: Mapping[str, str] = MappingProxyType(
    {
        OTHER_BRANCH_FIX: "where other data takes it, watch a step on that",
        OTHER_SIDE_FIX: (
            "all that comes in is on the other side of the unit: look at its scale and bias, or "
            "leave out the weight, which is multiplied with what the unit gives"
        ),
        SWITCH_FIX: (
            "look at the scale and the bias of what comes in; a leaky activation passes gradient "
            "on both sides"
        ),
    }
)
"""What is said of a step in place of each."""
