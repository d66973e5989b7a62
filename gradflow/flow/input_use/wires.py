"""Index who reads what in functions and graphs, so that tensors can be followed into calls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from gradflow.flow.input_use.constants import numbers_in, words_in
from gradflow.flow.lower.library import Library
from gradflow.flow.lower.references import Reference, function_resolver, graph_resolver
from gradflow.lazy_dataclass import dataclass
from gradflow.ops.calls import Callee, callees
from gradflow.ops.families import LOOPS, PLAIN_READS, RESHAPES, VARIABLES
from gradflow.ops.tensor_names import is_control

_SAME_SHAPE = PLAIN_READS.union(
    "Snapshot StopGradient EnsureShape Enter PlaceholderWithDefault Cast Switch".split()
)
"""Ops that give the numbers of their first input in the same shape."""
_SAME = _SAME_SHAPE | RESHAPES
"""Ops that give the numbers of their first input."""
_DEPTH = 200

Shape = tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class Wires:
    """The nodes of one function, or of a graph, with who reads what."""

    nodes: Any
    inputs: tuple[tuple[Reference, ...], ...]
    readers: Mapping[Reference, list[tuple[int, int]]]
    """For each tensor the nodes that read it, each with the number of its input."""
    results: tuple[Reference, ...]
    index: Mapping[str, int]


@dataclass(eq=False, slots=True)
class Frame:
    """One call of a function: its wires, and the node that called it."""

    wires: Wires
    parent: Frame | None = None
    site: int = 0
    offset: int = 0
    """The node's input that is the first argument: 1 behind a condition."""
    returns: bool = True
    """Whether its results are the node's: not those of a loop's condition."""
    inner: dict[tuple[int, str], Frame] = field(default_factory=dict)

    def node(self, reference: Reference) -> Any | None:
        """Return the node that makes a tensor; None for an argument."""
        return self.wires.nodes[reference[0]] if reference[0] >= 0 else None


def function_wires(library: Library, name: str) -> Wires:
    """Index a function of the library.

    Raises:
        KeyError: it is not there, or refers to something that is not.
    """
    function = library.functions[name]
    index = {node.name: number for number, node in enumerate(function.node_def)}
    resolve = function_resolver(library, function)
    results = tuple(resolve(function.ret[arg.name]) for arg in function.signature.output_arg)
    return _wires(function.node_def, resolve, results, index)


def graph_wires(graph_def: Any) -> Wires:
    """Index a graph's own nodes.

    Raises:
        KeyError: it refers to a node that is not there.
    """
    index = {node.name: number for number, node in enumerate(graph_def.node)}
    return _wires(graph_def.node, graph_resolver(graph_def), (), index)


def _wires(
    nodes: Any, resolve: Any, results: tuple[Reference, ...], index: Mapping[str, int]
) -> Wires:
    inputs = tuple(
        tuple(resolve(tensor) for tensor in node.input if not is_control(tensor)) for node in nodes
    )
    readers: dict[Reference, list[tuple[int, int]]] = {}
    for number, references in enumerate(inputs):
        for input_number, reference in enumerate(references):
            readers.setdefault(reference, []).append((number, input_number))
    return Wires(nodes, inputs, readers, results, index)


@dataclass(slots=True)
class Wiring:
    """A graph with its functions, indexed as they are asked for."""

    library: Library
    shapes: Mapping[int, Shape]
    """Of what the outermost function's arguments stand for, variables and tables included, by
    argument."""
    named_shapes: Mapping[str, Shape]
    """The same for nodes of a graph, by name."""
    indexed: dict[str, Wires] = field(default_factory=dict)

    def function(self, name: str) -> Wires | None:
        """Return the wires of a function; None where the library does not have it."""
        if name not in self.indexed:
            if name not in self.library.functions:
                return None
            self.indexed[name] = function_wires(self.library, name)
        return self.indexed[name]

    def callees(self, node: Any) -> tuple[Callee, ...]:
        """Return the functions that a node calls."""
        return callees(node, self.library.functions)

    def enter(self, frame: Frame, number: int, callee: Callee) -> Frame | None:
        """Return the frame of a function that a node calls; None where the library does not have
        it, or the calls are too deep."""
        if (number, callee.function) not in frame.inner:
            wires = self.function(callee.function)
            depth, above = 0, frame.parent
            while above is not None:
                depth, above = depth + 1, above.parent
            if wires is None or depth > _DEPTH:
                return None
            frame.inner[number, callee.function] = Frame(
                wires, frame, number, callee.first_input, callee.gives_results
            )
        return frame.inner[number, callee.function]

    def is_loop(self, node: Any) -> bool:
        """Return whether a node's results are its next arguments."""
        return node.op in LOOPS

    def origin(
        self, frame: Frame, reference: Reference, through: frozenset[str] = _SAME
    ) -> tuple[Frame, Reference]:
        """Go back over ops that only pass a tensor on, and out of calls, to where it comes from."""
        for _ in range(_DEPTH):
            if reference[0] < 0:
                parent = frame.parent
                if parent is None:
                    break
                reference = parent.wires.inputs[frame.site][~reference[0] + frame.offset]
                frame = parent
                continue
            node, inputs = frame.wires.nodes[reference[0]], frame.wires.inputs[reference[0]]
            if node.op in through and inputs:
                reference = inputs[0]
                continue
            if node.op == "IdentityN":
                reference = inputs[reference[1]]
                continue
            callee = next((callee for callee in self.callees(node) if callee.gives_results), None)
            inner = self.enter(frame, reference[0], callee) if callee else None
            if inner is None or reference[1] >= len(inner.wires.results):
                break
            frame, reference = inner, inner.wires.results[reference[1]]
        return frame, reference

    def numbers(self, frame: Frame, reference: Reference) -> list[float] | None:
        """Return the entries of a small constant of numbers, flat; None where the tensor is not
        one."""
        frame, reference = self.origin(frame, reference)
        node = frame.node(reference)
        if node is not None and node.op in ("Pack", "ConcatV2"):
            parts = frame.wires.inputs[reference[0]]
            listed = [
                self.numbers(frame, part) for part in (parts if node.op == "Pack" else parts[:-1])
            ]
            return None if None in listed else [number for part in listed for number in part or ()]
        return (
            numbers_in(node.attr["value"].tensor)
            if node is not None and node.op == "Const"
            else None
        )

    def words(self, frame: Frame, reference: Reference) -> list[bytes] | None:
        """Return the entries of a small constant of strings, flat; None where the tensor is not
        one."""
        frame, reference = self.origin(frame, reference)
        node = frame.node(reference)
        return (
            words_in(node.attr["value"].tensor) if node is not None and node.op == "Const" else None
        )

    def shape(self, frame: Frame, reference: Reference) -> Shape | None:
        """Return the shape of a variable, a constant or what the graph has noted; None where it is
        not known."""
        frame, reference = self.origin(frame, reference, _SAME_SHAPE)
        node = frame.node(reference)
        if node is None:
            return self.shapes.get(~reference[0])
        if node.name in self.named_shapes and frame.parent is None:
            return self.named_shapes[node.name]
        if node.op == "Const":
            return _shape(node.attr["value"].tensor.tensor_shape)
        if node.op in VARIABLES | {"Placeholder"} and "shape" in node.attr:
            return _shape(node.attr["shape"].shape)
        if "_output_shapes" in node.attr:
            noted = node.attr["_output_shapes"].list.shape
            return _shape(noted[reference[1]]) if reference[1] < len(noted) else None
        return None


def _shape(proto: Any) -> Shape | None:
    return (
        None
        if proto.unknown_rank
        else tuple(dim.size if dim.size >= 0 else None for dim in proto.dim)
    )
