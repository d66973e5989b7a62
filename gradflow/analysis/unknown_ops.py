"""Attribute a graph in which some ops are not known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from gradflow.flow.attribute import Attribution, attribute
from gradflow.flow.graph import Edge, FlowGraph


def attribute_unknown(graph: FlowGraph) -> Mapping[str, Attribution]:
    """Attribute a graph with ops of unknown types.

    What would be cut even if such ops passed gradient is cut for certain. Whether zeros or nothing
    arrive there is certain only where it does not depend on such an op.
    """
    careful = attribute(graph)
    if Edge.UNKNOWN not in graph.kinds:
        return careful
    hopeful = attribute(graph.as_if_unknown_flowed())
    return {name: _certain(careful[name], hopeful[name]) for name in careful}


def _certain(careful: Attribution, hopeful: Attribution) -> Attribution:
    if careful.cuts_to_restore == 0:
        return careful
    is_cut = hopeful.cuts_to_restore != 0
    if is_cut and hopeful.zero_filled == careful.zero_filled:
        return hopeful
    return replace(careful, is_certain=False)
