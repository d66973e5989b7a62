"""Sum up the weights of a node of the map: their state, their number and their norm."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

from gradflow.findings.flow_map import MapNode, NodeState
from gradflow.findings.types import Variable


def made_of(node: MapNode, weights: Sequence[Variable]) -> MapNode:
    """Return ``node`` with the state, the counts and the norm of ``weights``."""
    return replace(
        node,
        state=_state_of(weights),
        weights=len(weights),
        parameters=sum(weight.parameters for weight in weights),
        norm=_norm_of(weights),
    )


def _state_of(weights: Iterable[Variable]) -> NodeState:
    states = {
        NodeState(weight.verdict.value) if weight.trainable else NodeState.FROZEN
        for weight in weights
    }
    if not states:
        return NodeState.PASSES
    return states.pop() if len(states) == 1 else NodeState.MIXED


def _norm_of(weights: Iterable[Variable]) -> float | None:
    """Return the norm of the gradients as one vector; it does not depend on their order."""
    gradients = [weight.gradient for weight in weights if weight.gradient is not None]
    norms = [gradient.norm for gradient in gradients if gradient.norm is not None]
    if not norms or len(norms) < len(gradients):
        return None
    norm = math.hypot(*sorted(norms))
    return norm if math.isfinite(norm) else None
