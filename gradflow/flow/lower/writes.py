"""Find the nodes of a body that write to variables, and those that read them afterwards."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from gradflow.flow.lower.references import Reference
from gradflow.ops.calls import callees
from gradflow.ops.families import ASSIGNMENTS, OVERWRITING
from gradflow.ops.tensor_names import is_control

_SWITCHES = frozenset({"Switch", "RefSwitch"})


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


class Run(NamedTuple):
    """The nodes that write to variables and that a run of a graph of TensorFlow 1 comes by."""

    writing: Sequence[int]
    conditional: frozenset[int]
    """Those that one branch of a condition alone may run."""


def run_for(
    nodes: Sequence[Any], writing: Sequence[int], results: Iterable[int], fed: Collection[str]
) -> Run:
    """Return those of the nodes ``writing`` that are run for the nodes ``results``.

    TensorFlow 1 runs what a result takes, and what it waits for; the names ``fed`` are given.
    """
    numbers = {node.name: number for number, node in enumerate(nodes)}
    reached = _upstream(nodes, numbers, results, fed)
    run = [number for number in writing if number in reached]
    conditional = [
        number
        for number in run
        if any(nodes[source].op in _SWITCHES for source in _upstream(nodes, numbers, [number], fed))
    ]
    return Run(run, frozenset(conditional))


def _upstream(
    nodes: Sequence[Any], numbers: Mapping[str, int], start: Iterable[int], fed: Collection[str]
) -> set[int]:
    """Return all that must be run for the nodes ``start``, themselves included."""
    reached = set(start)
    todo = list(reached)
    while todo:
        node = nodes[todo.pop()]
        for tensor in () if node.name in fed else node.input:
            source = numbers.get(tensor.removeprefix("^").partition(":")[0])
            if source is not None and source not in reached:
                reached.add(source)
                todo.append(source)
    return reached


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
    groups = {node.name: node for node in nodes if node.op == "NoOp"} if numbers else {}
    later: dict[int, frozenset[int]] = {}
    overwritten: set[int] = set()
    for number, references in inputs.items() if numbers else ():
        waits_for = {
            numbers[name] for name in _waiting_for(nodes[number], groups) if name in numbers
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


def _waiting_for(node: Any, groups: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names of the nodes that a node waits for, those of groups (``tf.group``) too."""
    todo, seen = [node], set[str]()
    while todo:
        for tensor in todo.pop().input:
            name = tensor[1:]
            if is_control(tensor) and name not in seen:
                seen.add(name)
                yield name
                todo += [groups[name]] if name in groups else []


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
