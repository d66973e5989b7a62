"""A program in, the ops in it that are not known to be harmless where they stand out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gradflow.files.wording import shown
from gradflow.scan.op_classes import class_of, is_op
from gradflow.scan.origins import Origins
from gradflow.scan.program import TOP, Program
from gradflow.scan.threat import IMPORT, TRUST, Threat

_PRINTED = frozenset({b"", b"stdout", b"stderr", b"log(info)", b"log(warning)", b"log(error)"})
_OWN_DESCRIPTORS = (b"local://", b"bytes://")
_PYTHON = {"PyFunc", "PyFuncStateless", "EagerPyFunc"}
_FILLS_TABLE = {"InitializeTableFromTextFile", "InitializeTableFromTextFileV2"}
_SAVES = {"SaveV2", "MergeV2Checkpoints", "Save", "SaveSlices"}
_RESTORES = {"RestoreV2", "Restore", "RestoreSlice"}


def refused_ops(program: Program) -> Iterator[Threat]:
    """The ops that are denied, or not known at all, in any function, whether something calls it or not."""
    origins = Origins(program)
    for body, nodes in program.bodies.items():
        for node in nodes:
            if node.op in program.functions:
                continue
            found = class_of(node.op)
            if found.is_allowed or _is_harmless_here(program, origins, body, node):
                continue
            known = is_op(node.op)
            remedy, idle = TRUST if known else IMPORT, node.op if not known or node.op in _PYTHON else ""
            yield Threat(f"op {shown(node.op)}", place(body, node.name), found.reason, remedy, idle)


def place(body: str, node: str) -> str:
    """Where a node stands, for people."""
    return f"node {shown(node)!r}" + (f" of function {shown(body)!r}" if body != TOP else " of the graph")


def _is_harmless_here(program: Program, origins: Origins, body: str, node: Any) -> bool:
    if node.op == "PrintV2":
        return node.attr["output_stream"].s in _PRINTED
    if node.op in ("DecodeProtoV2", "EncodeProto"):
        source = node.attr["descriptor_source"].s
        return not source or source.startswith(_OWN_DESCRIPTORS)
    if node.op == "FixedUnigramCandidateSampler":
        return not node.attr["vocab_file"].s
    if node.op in _FILLS_TABLE:
        return len(node.input) > 1 and origins.is_asset(body, node.input[1])
    if node.op in _SAVES or node.op in _RESTORES:
        return _is_of_saver(program, body, node)
    return False


def _is_of_saver(program: Program, body: str, node: Any) -> bool:
    """Whether a node that reads or writes checkpoints does so for the model's saver, where no run comes to it.

    The variables are restored from the model's own folder: TensorFlow feeds that to the saver's file name.
    """
    restores = node.op in _RESTORES
    if body != TOP:
        arguments = {one.name for one in program.functions[body].signature.input_arg}
        return body in program.of_saver and (not restores or node.input[:1][0] in arguments)
    if node.name in program.run_on_top:
        return False
    if node.name not in program.restoring:
        return True
    return restores and list(node.input[:1]) == [program.checkpoint]
