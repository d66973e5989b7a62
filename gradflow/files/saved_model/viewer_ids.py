"""Number the nodes of a SavedModel as the viewer Model Explorer does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MAIN = "main"
"""What it calls the graph that is no function."""


def viewer_ids(graph_def: Any) -> Mapping[tuple[str, str], tuple[str, str]]:
    """Return the graph and the id of each node, by the name of its function (empty for the graph
    itself) and its own.

    Its adapter "TF adapter (direct)" makes a graph of each function and counts the nodes of the
    file from 0; in a function from 1, after one that stands for the arguments (seen on
    ai-edge-model-explorer 0.1.34).
    """
    ids = {("", node.name): (MAIN, str(number)) for number, node in enumerate(graph_def.node)}
    for function in graph_def.library.function:
        name = function.signature.name
        for number, node in enumerate(function.node_def, 1):
            ids[name, node.name] = (name, str(number))
    return ids
