"""Take the names of tensors in a GraphDef apart."""

from __future__ import annotations


def node_of(tensor: str) -> str:
    """Return the node of a tensor or of a control input: ``^a/b`` and ``a/b:0`` are of ``a/b``."""
    return tensor.removeprefix("^").partition(":")[0]


def output_of(tensor: str) -> tuple[str, int]:
    """Return the node of a tensor and the number of its output: ``a/b`` and ``a/b:0`` are the
    first.

    Raises:
        ValueError: what stands behind the colon is no number.
    """
    node, _, output = tensor.partition(":")
    return node, int(output or 0)


def is_control(tensor: str) -> bool:
    """Return whether an input only says that a node has to run before."""
    return tensor.startswith("^")
