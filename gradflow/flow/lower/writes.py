"""Find the nodes of a body that write to variables, and those that read them afterwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from gradflow.flow.lower.references import Reference
from gradflow.ops.calls import callees
from gradflow.ops.families import ASSIGNMENTS, OVERWRITING
from gradflow.ops.tensor_names import is_control


class Reads(NamedTuple):
    """Who reads a variable after it was written."""

    later: Mapping[int, frozenset[int]]
    """For each node that writes: which of its inputs another node takes afterwards."""
    overwritten: frozenset[int]
    """The nodes whose first input is a variable that was just overwritten."""


def writers(
    nodes: Sequence[Any], functions: Mapping[str, Any], writing: frozenset[str]
) -> list[int]:
    """Return the numbers of the nodes that write to a variable: as their op, or by a call."""
    return [
        number
        for number, node in enumerate(nodes)
        if node.op in ASSIGNMENTS
        or (writing and any(callee.function in writing for callee in callees(node, functions)))
    ]


def reads_after(
    nodes: Sequence[Any],
    inputs: Mapping[int, tuple[Reference, ...]],
    writing: Sequence[int],
    functions: Mapping[str, Any],
) -> Reads:
    """Find who reads what the nodes ``writing`` write.

    TensorFlow makes each op that takes a variable wait for the last one that wrote to it
    (tensorflow/python/framework/auto_control_deps.py, TensorFlow 2.16 to 2.21).
    """
    numbers = {nodes[number].name: number for number in writing}
    later: dict[int, frozenset[int]] = {}
    overwritten: set[int] = set()
    for number, references in inputs.items() if numbers else ():
        waits_for = {
            numbers[tensor[1:]]
            for tensor in nodes[number].input
            if is_control(tensor) and tensor[1:] in numbers
        }
        for writer in waits_for:
            read = {
                reference
                for position, reference in enumerate(references)
                if not _overwrites_first(nodes[number], position, functions)
            }
            later[writer] = later.get(writer, frozenset()) | {
                position for position, reference in enumerate(inputs[writer]) if reference in read
            }
            is_overwritten = (
                nodes[writer].op in OVERWRITING and inputs[writer][:1] == references[:1]
            )
            if is_overwritten and not callees(nodes[number], functions):
                overwritten.add(number)
    return Reads(later, frozenset(overwritten))


def _overwrites_first(node: Any, position: int, functions: Mapping[str, Any]) -> bool:
    """Return whether a node overwrites the variable that is its input ``position``, and what it
    calls reads it only then."""
    called = [callee for callee in callees(node, functions) if callee.gives_results]
    if not called:
        return node.op in OVERWRITING and position == 0
    return all(
        callee.function in functions
        and _function_overwrites_first(functions[callee.function], position - callee.first_input)
        for callee in called
    )


def _function_overwrites_first(function: Any, argument: int) -> bool:
    if not 0 <= argument < len(function.signature.input_arg):
        return False
    name = function.signature.input_arg[argument].name
    takers = [node for node in function.node_def if name in node.input]
    return any(
        all(node is writer or f"^{writer.name}" in node.input for node in takers)
        for writer in takers
        if writer.op in OVERWRITING and writer.input[0] == name
    )
