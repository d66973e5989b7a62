"""Give the random ops of a SavedModel a seed while it is loaded, so that each run draws the same.

An op without a seed takes one of the clock: ``tf.random.set_seed`` reaches only ops that Python
makes afterwards, not those of a file (TensorFlow 2.16 to 2.21).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from gradflow.tape.private_api import op_def_of, saved_model_loading


@contextmanager
def seeded_ops(seed: int) -> Iterator[None]:
    """Load SavedModels with seeds that follow from ``seed`` and the names of the ops."""
    parse = saved_model_loading.parse_saved_model

    def parse_and_seed(folder: str) -> Any:
        saved_model = parse(folder)
        for meta_graph in saved_model.meta_graphs:
            seed_graph(meta_graph.graph_def, seed)
        return saved_model

    saved_model_loading.parse_saved_model = parse_and_seed
    try:
        yield
    finally:
        saved_model_loading.parse_saved_model = parse


def seed_graph(graph_def: Any, seed: int) -> None:
    """Give each op of a GraphDef that draws from the clock a seed of its own."""
    for function, node in _drawing(graph_def):
        node.attr["seed"].i = seed
        node.attr["seed2"].i = zlib.crc32(f"{function}/{node.name}".encode()) or 1


def is_unseeded(graph_def: Any) -> bool:
    """Return whether an op of a GraphDef draws from the clock."""
    return any(True for _ in _drawing(graph_def))


def _drawing(graph_def: Any) -> Iterator[tuple[str, Any]]:
    """Yield each op of a GraphDef that draws from the clock, with the function that it is in."""
    bodies = [("", graph_def.node)]
    bodies += [
        (function.signature.name, function.node_def) for function in graph_def.library.function
    ]
    for function, nodes in bodies:
        for node in nodes:
            if _takes_seeds(node.op) and not (_seed(node, "seed") or _seed(node, "seed2")):
                yield function, node


def _seed(node: Any, name: str) -> int:
    return int(node.attr[name].i) if name in node.attr else 0


@cache
def _takes_seeds(op: str) -> bool:
    op_def = op_def_of(op)
    return op_def is not None and {"seed", "seed2"} <= {attr.name for attr in op_def.attr}
