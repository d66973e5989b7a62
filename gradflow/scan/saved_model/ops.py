"""Find the ops of a program that are not known to be harmless where they stand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from gradflow.files.saved_model.schema import attribute
from gradflow.ops.families import PYTHON_CALLS
from gradflow.ops.packages import package_of
from gradflow.ops.tensor_names import node_of
from gradflow.scan.saved_model.allowed_ops import class_of, is_op
from gradflow.scan.saved_model.assets import Origins
from gradflow.scan.saved_model.checkpoint_entries import Chosen
from gradflow.scan.saved_model.compiled_program import OP as COMPILED_PROGRAM
from gradflow.scan.saved_model.compiled_program import harm_of
from gradflow.scan.saved_model.program import TOP, Program
from gradflow.scan.saved_model.saver import READS, WRITES, Saver
from gradflow.scan.threat import TRUST, Threat
from gradflow.text import quoted, shown

_PRINTED = frozenset({b"", b"stdout", b"stderr", b"log(info)", b"log(warning)", b"log(error)"})
_OWN_DESCRIPTORS = (b"local://", b"bytes://")
_BY_VALUE: Mapping[str, tuple[str, Callable[[bytes], bool]]] = MappingProxyType(
    {
        "PrintV2": ("output_stream", _PRINTED.__contains__),
        "DecodeProtoV2": (
            "descriptor_source",
            lambda source: not source or source.startswith(_OWN_DESCRIPTORS),
        ),
        "EncodeProto": (
            "descriptor_source",
            lambda source: not source or source.startswith(_OWN_DESCRIPTORS),
        ),
        "FixedUnigramCandidateSampler": ("vocab_file", lambda file: not file),
    }
)
"""Ops that are harmless where an attribute of theirs has a certain value."""
_CACHES = {"CacheDataset", "CacheDatasetV2"}
_FILLS_TABLE = {"InitializeTableFromTextFile", "InitializeTableFromTextFileV2"}


def refused_ops(program: Program) -> Iterator[Threat]:
    """Yield the ops that are denied, or not known at all, in any function, whether something calls
    it or not."""
    origins, saver = Origins(program), Saver(program)
    chosen = Chosen(program, origins)
    for body, nodes in program.bodies.items():
        for node in nodes:
            if node.op in program.functions:
                continue
            op_class = class_of(node.op)
            if op_class.is_allowed or _is_harmless_here(origins, saver, chosen, body, node):
                continue
            harm = harm_of(node) if node.op == COMPILED_PROGRAM else op_class.reason
            if not harm:
                continue
            is_known = is_op(node.op)
            remedy, idle = (
                TRUST if is_known else f"--import {package_of([node.op])}",
                node.op if not is_known or node.op in PYTHON_CALLS else "",
            )
            yield Threat(
                f"op {shown(node.op)}",
                describe_node(body, node.name),
                harm,
                remedy,
                idle,
            )


def describe_node(body: str, node: str) -> str:
    """Return where a node stands, for people."""
    return f"node {quoted(node)}" + (
        f" of function {quoted(body)}" if body != TOP else " of the graph"
    )


def _is_harmless_here(origins: Origins, saver: Saver, chosen: Chosen, body: str, node: Any) -> bool:
    if node.op in _BY_VALUE:
        name, is_harmless = _BY_VALUE[node.op]
        value = attribute(node, name)
        # A placeholder stands for what the function is called with.
        return not value.HasField("placeholder") and is_harmless(value.s)
    if node.op in _CACHES:
        return len(node.input) > 1 and _is_empty_text(origins.nodes[body], node.input[1])
    if node.op in _FILLS_TABLE:
        if body == TOP and node.name in saver.program.run_without_assets:
            return False
        return len(node.input) > 1 and origins.is_asset(body, node.input[1])
    return node.op in READS | WRITES and (saver.owns(body, node) or chosen.owns(body, node))


def _is_empty_text(nodes: Mapping[str, Any], tensor: str) -> bool:
    """Whether ``tensor`` is a constant without a letter: elements are then kept in memory."""
    node = nodes.get(node_of(tensor))
    if node is None or node.op != "Const":
        return False
    value = attribute(node, "value").tensor
    return not value.tensor_content and not any(value.string_val)
