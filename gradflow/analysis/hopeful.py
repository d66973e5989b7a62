"""Attribute a graph in which some ops are not known."""

from __future__ import annotations

from collections.abc import Mapping

from gradflow.flow.attribute import Attribution, attribute
from gradflow.flow.graph import Edge, FlowGraph


def attribute_unknown(graph: FlowGraph) -> Mapping[str, Attribution]:
    """Attribute a graph with ops of unknown types.

    What would be cut even if such ops passed gradient is cut for certain.
    """
    careful = attribute(graph)
    if Edge.UNKNOWN not in graph.kinds:
        return careful
    hopeful = attribute(graph.as_if_unknown_flowed())
    return {
        name: careful[name] if hopeful[name].cuts_to_restore == 0 else hopeful[name]
        for name in careful
    }
