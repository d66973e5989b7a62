"""Find the ops, assets and files of a SavedModel that are not known to be harmless."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from gradflow.files.model_file import ModelFile
from gradflow.files.saved_model.reader import read_message
from gradflow.scan.saved_model.attributes import strange_attributes
from gradflow.scan.saved_model.folder import strange_files
from gradflow.scan.saved_model.keras_metadata import strange_layers
from gradflow.scan.saved_model.ops import refused_ops
from gradflow.scan.saved_model.program import Program
from gradflow.scan.saved_model.structure import strange_structure
from gradflow.scan.saved_model.variables_index import damaged_variables
from gradflow.scan.threat import Scanned


def scan_saved_model(
    file: ModelFile, imports: Sequence[str] = (), is_trained: bool = False
) -> Scanned:
    """Look through every function, whether anything calls it or not, the object graph and the files
    on the disk.

    That nothing calls a function is no excuse: TensorFlow 2.21 runs ops without state while it
    builds the functions of a file, to know their values.

    Raises:
        UnreadableError: ``saved_model.pb`` or the index of the variables is damaged.
    """
    strange = tuple(strange_files(file.path))
    if strange:
        return Scanned(strange, ("the files of the folder",))  # a pipe would be waited for
    saved = read_message(file)
    scanned = scan_message(saved)
    others = (*damaged_variables(file.path), *dict.fromkeys(strange_layers(saved, file.path)))
    return Scanned((*scanned.threats, *others), scanned.looked_at)


def scan_message(saved: Any) -> Scanned:
    """Return the same for the graphs of a SavedModel message alone."""
    programs = [Program(graph, is_only=len(saved.meta_graphs) == 1) for graph in saved.meta_graphs]
    threats = [
        threat
        for program in programs
        for look in (strange_structure, refused_ops, strange_attributes)
        for threat in look(program)
    ]
    return Scanned(tuple(dict.fromkeys(threats)), tuple(_counted(programs)))


def _counted(programs: list[Program]) -> Iterator[str]:
    bodies: list[Any] = [nodes for program in programs for nodes in program.bodies.values()]
    kinds = {node.op for nodes in bodies for node in nodes}
    yield f"{sum(map(len, bodies)):,} nodes"
    yield f"{len(bodies) - len(programs):,} functions"
    yield f"{len(kinds):,} types of op"
